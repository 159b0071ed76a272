"""The model that is served: the ONNX graph that ``loan_model.train`` exports."""

from typing import Any

import numpy as np

from loan_model.features import CATEGORIES, OPTIONAL, REQUIRED, encode_applications
from model_service import MLModel
from model_service.onnx import open_session
from model_service.records import Violation

#: The answer is ``Y`` from this probability on; training compares candidates at the same one.
APPROVAL_THRESHOLD = 0.5
# The bounds are some ten times the largest values of the data: they catch another unit or a
# slipped digit, not an unusual applicant.
MAX_INCOME = 1_000_000
MAX_LOAN_THOUSANDS = 10_000
MAX_TERM_MONTHS = 600

_LOAN_ID: dict[str, Any] = {
    "type": ["string", "null"],
    "title": "Loan ID",
    "description": "Identifier of the application, repeated in the answer. It plays no part in the prediction.",
    "minLength": 1,
    "maxLength": 64,
}


def _category(name: str, *, title: str, description: str) -> dict[str, Any]:
    values: list[str | None] = [*CATEGORIES[name]]
    kind: str | list[str] = "string"
    if name in OPTIONAL:
        values.append(None)
        kind = ["string", "null"]
    return {"type": kind, "enum": values, "title": title, "description": description}


def _income(title: str, *, description: str) -> dict[str, Any]:
    return {
        "type": "number",
        "title": title,
        "description": description,
        "unit": "a month",
        "minimum": 0,
        "maximum": MAX_INCOME,
    }


class LoanModel(MLModel):
    """Random forest on the labelled rows of Analytics Vidhya's "Loan Prediction III"."""

    qualified_name = "loan_model"
    display_name = "Loan approval"
    description = (
        "Tells whether a home loan would be approved, from facts about the applicant and the loan. "
        "An estimate from historical data, not a basis for deciding about people."
    )
    version = "1.0.0"
    input_schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Loan application",
        "description": "Facts that are unknown or left out are filled in with what is usual in the training data.",
        "type": "object",
        "properties": {
            "Loan_ID": _LOAN_ID,
            "Gender": _category("Gender", title="Gender", description="Gender of the applicant."),
            "Married": _category("Married", title="Married", description="Whether the applicant is married."),
            "Dependents": _category(
                "Dependents",
                title="Dependents",
                description="Number of people who depend on the applicant; 3+ is three or more.",
            ),
            "Education": _category("Education", title="Education", description="Education of the applicant."),
            "Self_Employed": _category(
                "Self_Employed", title="Self-employed", description="Whether the applicant is self-employed."
            ),
            "ApplicantIncome": _income(
                "Applicant's income",
                description="Income of the applicant a month, in the currency of the application.",
            ),
            "CoapplicantIncome": _income(
                "Co-applicant's income",
                description="Income of the co-applicant a month, in the same currency; 0 without a co-applicant.",
            ),
            "LoanAmount": {
                "type": ["number", "null"],
                "title": "Loan amount",
                "description": "Amount of the loan in thousands, in the currency of the incomes: 110 is 110,000.",
                "unit": "thousands",
                "exclusiveMinimum": 0,
                "maximum": MAX_LOAN_THOUSANDS,
                "x-error-messages": {
                    "maximum": f"The loan amount is counted in thousands and must be at most {MAX_LOAN_THOUSANDS}."
                },
            },
            "Loan_Amount_Term": {
                "type": ["integer", "null"],
                "title": "Term",
                "description": "Term of the loan in months; 360 is usual.",
                "unit": "months",
                "minimum": 1,
                "maximum": MAX_TERM_MONTHS,
            },
            "Credit_History": {
                "type": ["integer", "null"],
                "oneOf": [
                    {"const": 1, "title": "Debts paid as agreed"},
                    {"const": 0, "title": "Debts not paid as agreed"},
                    {"const": None, "title": "Unknown"},
                ],
                "title": "Credit history",
                "description": "Whether earlier debts were paid as agreed.",
                "x-error-messages": {"oneOf": "Credit history must be 1 (debts paid as agreed), 0 (not) or null."},
            },
            "Property_Area": _category(
                "Property_Area", title="Property area", description="Kind of area the property is in."
            ),
        },
        "required": list(REQUIRED),
        "additionalProperties": False,
        "examples": [
            {
                "Loan_ID": "LP001015",
                "Gender": "Male",
                "Married": "Yes",
                "Dependents": "0",
                "Education": "Graduate",
                "Self_Employed": "No",
                "ApplicantIncome": 5720,
                "CoapplicantIncome": 0,
                "LoanAmount": 110,
                "Loan_Amount_Term": 360,
                "Credit_History": 1,
                "Property_Area": "Urban",
            },
            {
                "Loan_ID": "no-credit-history",
                "Gender": None,
                "Married": "Yes",
                "Dependents": "3+",
                "Education": "Not Graduate",
                "Self_Employed": None,
                "ApplicantIncome": 3200,
                "CoapplicantIncome": 1450.5,
                "LoanAmount": None,
                "Loan_Amount_Term": None,
                "Credit_History": None,
                "Property_Area": "Semiurban",
            },
            {
                "Loan_ID": None,
                "Gender": "Female",
                "Married": "No",
                "Dependents": "1",
                "Education": "Graduate",
                "Self_Employed": "Yes",
                "ApplicantIncome": 4100,
                "CoapplicantIncome": 0,
                "LoanAmount": 130,
                "Loan_Amount_Term": 180,
                "Credit_History": 0,
                "Property_Area": "Rural",
            },
        ],
    }
    output_schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Loan decision",
        "type": "object",
        "properties": {
            "Loan_ID": _LOAN_ID | {"description": "Identifier from the application, if it gave one."},
            "Loan_Status": {
                "type": "string",
                "oneOf": [{"const": "Y", "title": "Approved"}, {"const": "N", "title": "Not approved"}],
                "title": "Loan status",
                "description": "Approved where the probability is at least one half.",
            },
            "probability": {
                "type": "number",
                "title": "Probability",
                "description": "Probability that the loan is approved.",
                "minimum": 0,
                "maximum": 1,
            },
        },
        "required": ["Loan_ID", "Loan_Status", "probability"],
        "additionalProperties": False,
    }

    def __init__(self) -> None:
        self._session = open_session(self.artifact_path("model.onnx"))

    def predict(self, payload: dict[str, Any]) -> dict[str, Any]:
        return self.predict_batch([payload])[0]

    def predict_batch(self, payloads: list[dict[str, Any]]) -> list[dict[str, Any]]:
        (probabilities,) = self._session.run(["probabilities"], {"features": encode_applications(payloads)})
        # The graph adds up a hundred trees in float32, whose sum may leave [0, 1] in the last bit.
        approvals = np.clip(probabilities[:, 1], 0.0, 1.0).tolist()
        return [
            {
                "Loan_ID": payload.get("Loan_ID"),
                "Loan_Status": "Y" if approval >= APPROVAL_THRESHOLD else "N",
                "probability": approval,
            }
            for payload, approval in zip(payloads, approvals, strict=True)
        ]

    @classmethod
    def find_violations(cls, payload: dict[str, Any]) -> list[Violation]:
        # The model weighs the loan against the incomes, and no application of the data is without one.
        if payload["ApplicantIncome"] + payload["CoapplicantIncome"] > 0:
            return []
        message = "ApplicantIncome and CoapplicantIncome must add up to more than 0: give at least one income."
        return [Violation("/ApplicantIncome", "exclusiveMinimum", message)]
