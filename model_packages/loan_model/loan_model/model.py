"""The model that is served: the ONNX graph that ``loan_model.train`` exports, and the reasons for its answers."""

import json
from functools import partial
from typing import Any

import numpy as np

from loan_model.features import CATEGORIES, COLUMNS, FILLED, UNUSED, encode_applications
from loan_model.reasons import Reasons
from model_service.fields import answer, choice, integer, number, optional, record, text
from model_service.model import Ask
from model_service.onnx import OnnxModel
from model_service.records import Explanation, Output, Payload, Violation

#: The answer is ``Y`` from this probability on; training compares candidates at the same one.
APPROVAL_THRESHOLD = 0.5
# The bounds are some ten times the largest values of the data: they catch another unit or a
# slipped digit, not an unusual applicant.
MAX_INCOME, MAX_LOAN_THOUSANDS, MAX_TERM_MONTHS = 1_000_000, 10_000, 600
USUAL_NAME, REASONS_NAME = "usual.json", "reasons.npz"

_UNUSED = "Accepted, and plays no part: the model is as good without it."
_LOAN_ID = text("Loan ID", "Identifier of the application, repeated in the answer. It plays no part.", least=1, most=64)
_THOUSANDS = f"The loan amount is counted in thousands and must be at most {MAX_LOAN_THOUSANDS}."
_HISTORY = "Credit history must be 1 (debts paid as agreed), 0 (not) or null."
_PAID = {1: "Debts paid as agreed", 0: "Debts not paid as agreed"}
_income = partial(number, unit="a month", least=0, most=MAX_INCOME)
FIELDS = {
    "Loan_ID": optional(_LOAN_ID),
    **{name: optional(choice(name, values, _UNUSED)) | {"x-unused": True} for name, values in UNUSED.items()},
    "Education": choice("Education", CATEGORIES["Education"], "Education of the applicant."),
    "Self_Employed": optional(choice("Self-employed", CATEGORIES["Self_Employed"], "Whether the applicant is.")),
    "ApplicantIncome": _income("Applicant's income", "In the currency of the application."),
    "CoapplicantIncome": _income("Co-applicant's income", "0 without a co-applicant."),
    "LoanAmount": optional(
        number("Loan amount", "110 is 110,000.", unit="thousands", above=0, most=MAX_LOAN_THOUSANDS)
        | {"x-error-messages": {"maximum": _THOUSANDS}}
    ),
    "Loan_Amount_Term": optional(integer("Term", "360 is usual.", unit="months", least=1, most=MAX_TERM_MONTHS)),
    "Credit_History": optional(
        choice("Credit history", _PAID, "Whether earlier debts were paid as agreed.", messages={"oneOf": _HISTORY})
    ),
    "Property_Area": choice("Property area", CATEGORIES["Property_Area"], "Kind of area the property is in."),
}
_EXAMPLES = (
    ("LP001015", "Male", "Yes", "0", "Graduate", "No", 5720, 0, 110, 360, 1, "Urban"),
    ("no-credit-history", None, "Yes", "3+", "Not Graduate", None, 3200, 1450.5, None, None, None, "Semiurban"),
    (None, "Female", "No", "1", "Graduate", "Yes", 4100, 0, 130, 180, 0, "Rural"),
)
_REASONS = "What each fact adds to the probability (Shapley values): together, its distance from usual_probability."
_FILLED = "Facts that the model uses, that were unknown, and for which it took what is usual."
_TITLES = {"loan_to_income": "Loan against the incomes", **{name: field["title"] for name, field in FIELDS.items()}}


class LoanModel(OnnxModel):
    """Random forest on the labelled rows of Analytics Vidhya's "Loan Prediction III"."""

    qualified_name = "loan_model"
    display_name = "Loan approval"
    description = (
        "Tells whether a home loan would be approved, from facts about the applicant and the loan. "
        "An estimate from historical data, not a basis for deciding about people."
    )
    version = "1.1.0"
    input_schema = record(
        "Loan application",
        FIELDS,
        description="Facts that are unknown or left out are filled in with what is usual in the training data.",
        examples=[dict(zip(FIELDS, row, strict=True)) for row in _EXAMPLES],
    )
    output_schema = answer(
        "Loan decision",
        {
            "Loan_ID": optional(_LOAN_ID),
            "Loan_Status": choice(
                "Loan status", {"Y": "Approved", "N": "Not approved"}, "Approved from a probability of one half on."
            ),
            "probability": number("Probability", "Probability that the loan is approved.", least=0, most=1),
            "reasons": answer("Reasons", {name: number(_TITLES[name]) for name in COLUMNS}, description=_REASONS),
            "usual_probability": number("Usual probability", "Its mean over the training data.", least=0, most=1),
            "filled_in": {
                "type": "array",
                "title": "Filled in",
                "description": _FILLED,
                "items": choice("Fact", FILLED),
            },
        },
    )
    inputs = ("features",)
    outputs = ("probabilities",)
    chunk_rows = 64  # what the reasons compute for more rows no longer fits the cache

    def __init__(self) -> None:
        super().__init__()
        self._usual = json.loads(self.artifact_path(USUAL_NAME).read_text(encoding="utf-8"))
        self._reasons = Reasons.load(self.artifact_path(REASONS_NAME))
        self._base = float(self._reasons.base)

    def encode(self, payloads: list[dict[str, Any]]) -> dict[str, Any]:
        return {"features": encode_applications(payloads, self._usual)}

    def run(self, inputs: dict[str, Any]) -> dict[str, Any]:
        return super().run(inputs) | {"reasons": self._reasons.explain(inputs["features"])}

    def decode(self, payloads: list[dict[str, Any]], outputs: dict[str, Any]) -> list[dict[str, Any]]:
        # The graph adds up the trees in float32, whose sum may leave [0, 1] in the last bit.
        approvals = np.clip(outputs["probabilities"][:, 1], 0.0, 1.0).tolist()
        return [
            {
                "Loan_ID": payload.get("Loan_ID"),
                "Loan_Status": "Y" if approval >= APPROVAL_THRESHOLD else "N",
                "probability": approval,
                "reasons": dict(zip(COLUMNS, reasons, strict=True)),
                "usual_probability": self._base,
                "filled_in": [name for name in FILLED if payload.get(name) is None],
            }
            for payload, approval, reasons in zip(payloads, approvals, outputs["reasons"].tolist(), strict=True)
        ]

    def explain(self, payload: Payload, output: Output, ask: Ask) -> Explanation:
        # The answer has it all: exact Shapley values, for which nothing more need be asked.
        return {
            "method": "shapley",
            "explained": {"pointer": "/probability", "value": output["probability"]},
            "base": output["usual_probability"],
            "contributions": [
                {
                    "name": name,
                    "pointer": f"/{name}" if name in FIELDS else None,
                    "value": payload.get(name),
                    "contribution": reason,
                }
                for name, reason in output["reasons"].items()
            ],
            "is_complete": True,
        }

    @classmethod
    def find_violations(cls, payload: dict[str, Any]) -> list[Violation]:
        # The model weighs the loan against the incomes, and no application of the data is without one.
        if payload["ApplicantIncome"] + payload["CoapplicantIncome"] > 0:
            return []
        message = "ApplicantIncome and CoapplicantIncome must add up to more than 0: give at least one income."
        return [Violation("/ApplicantIncome", "exclusiveMinimum", message)]
