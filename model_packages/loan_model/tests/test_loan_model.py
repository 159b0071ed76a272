"""What the shipped loan model answers, accepts and refuses."""

import random
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from loan_model import LoanModel
from loan_model.features import CATEGORIES, OPTIONAL, REQUIRED
from model_service.artifacts import read_artifacts, read_metrics, verify_artifacts
from model_service.schema.validation import SchemaValidator

ACCEPTS = Draft202012Validator(LoanModel.input_schema)
ANSWERS = Draft202012Validator(LoanModel.output_schema)
#: The first five rows of the competition's unlabelled file.
GOLDEN_PAYLOADS: list[dict[str, Any]] = [
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
        "Loan_ID": "LP001022",
        "Gender": "Male",
        "Married": "Yes",
        "Dependents": "1",
        "Education": "Graduate",
        "Self_Employed": "No",
        "ApplicantIncome": 3076,
        "CoapplicantIncome": 1500,
        "LoanAmount": 126,
        "Loan_Amount_Term": 360,
        "Credit_History": 1,
        "Property_Area": "Urban",
    },
    {
        "Loan_ID": "LP001031",
        "Gender": "Male",
        "Married": "Yes",
        "Dependents": "2",
        "Education": "Graduate",
        "Self_Employed": "No",
        "ApplicantIncome": 5000,
        "CoapplicantIncome": 1800,
        "LoanAmount": 208,
        "Loan_Amount_Term": 360,
        "Credit_History": 1,
        "Property_Area": "Urban",
    },
    {
        "Loan_ID": "LP001035",
        "Gender": "Male",
        "Married": "Yes",
        "Dependents": "2",
        "Education": "Graduate",
        "Self_Employed": "No",
        "ApplicantIncome": 2340,
        "CoapplicantIncome": 2546,
        "LoanAmount": 100,
        "Loan_Amount_Term": 360,
        "Credit_History": None,
        "Property_Area": "Urban",
    },
    {
        "Loan_ID": "LP001051",
        "Gender": "Male",
        "Married": "No",
        "Dependents": "0",
        "Education": "Not Graduate",
        "Self_Employed": "No",
        "ApplicantIncome": 3276,
        "CoapplicantIncome": 0,
        "LoanAmount": 78,
        "Loan_Amount_Term": 360,
        "Credit_History": 1,
        "Property_Area": "Urban",
    },
]
FULL = GOLDEN_PAYLOADS[0]
SMALLEST = {name: FULL[name] for name in REQUIRED}


@pytest.fixture(scope="module")
def model() -> LoanModel:
    return LoanModel()


def generate_payloads(count: int, *, seed: int) -> list[dict[str, Any]]:
    """Return payloads over the whole range of the schema, with nulls and absent values."""
    chooser = random.Random(seed)
    payloads = []
    for number in range(count):
        payload: dict[str, Any] = {name: chooser.choice(values) for name, values in CATEGORIES.items()}
        payload |= {
            "Loan_ID": f"row-{number}",
            "ApplicantIncome": chooser.choice([0, 150, 1_000_000, chooser.uniform(0, 20_000)]),
            "CoapplicantIncome": chooser.choice([1, 985.7999878, chooser.randint(1, 10_000)]),
            "LoanAmount": chooser.choice([1e-9, 10_000, chooser.randint(9, 700)]),
            "Loan_Amount_Term": chooser.choice([1, 600, 360, 180.0]),
            "Credit_History": chooser.choice([0, 1, 0.0, 1.0]),
        }
        for name in (*OPTIONAL, "Loan_ID"):
            fate = chooser.random()
            if fate < 0.15:
                payload[name] = None
            elif fate < 0.3:
                del payload[name]
        payloads.append(payload)
    return payloads


def test_the_five_known_applications_are_approved(model: LoanModel) -> None:
    outputs = model.predict_batch(GOLDEN_PAYLOADS)
    assert [(output["Loan_ID"], output["Loan_Status"]) for output in outputs] == [
        ("LP001015", "Y"),
        ("LP001022", "Y"),
        ("LP001031", "Y"),
        ("LP001035", "Y"),
        ("LP001051", "Y"),
    ]
    assert all(ACCEPTS.is_valid(payload) for payload in GOLDEN_PAYLOADS)


def test_unpaid_debts_make_approval_less_probable(model: LoanModel) -> None:
    for payload in GOLDEN_PAYLOADS:
        unpaid = model.predict(payload | {"Credit_History": 0})
        assert unpaid["Loan_Status"] == "N"
        assert unpaid["probability"] < model.predict(payload)["probability"]


def test_a_loan_of_many_monthly_incomes_is_less_probable(model: LoanModel) -> None:
    small, large = (model.predict(FULL | {"LoanAmount": amount}) for amount in (110, 600))
    assert large["probability"] < small["probability"]


def test_both_schemas_are_schemas() -> None:
    Draft202012Validator.check_schema(LoanModel.input_schema)
    Draft202012Validator.check_schema(LoanModel.output_schema)


def test_every_example_is_accepted_and_answered_by_the_schemas(model: LoanModel) -> None:
    examples = LoanModel.input_schema["examples"]
    assert 2 <= len(examples) <= 4
    for example in examples:
        ACCEPTS.validate(example)
        assert LoanModel.find_violations(example) == []
        ANSWERS.validate(model.predict(example))


def test_a_batch_answers_what_single_rows_answer(model: LoanModel) -> None:
    payloads = generate_payloads(1500, seed=1)
    single = [model.predict(payload) for payload in payloads]
    assert model.predict_batch(payloads) == single
    assert model.predict_batch(payloads[::-1]) == single[::-1]
    assert model.predict_batch(payloads[:7]) == single[:7]


def test_every_accepted_payload_gets_an_answer_of_plain_types(model: LoanModel) -> None:
    payloads = generate_payloads(1500, seed=2)
    for payload, output in zip(payloads, model.predict_batch(payloads), strict=True):
        ACCEPTS.validate(payload)
        ANSWERS.validate(output)
        assert type(output["probability"]) is float
        assert output["Loan_Status"] == ("Y" if output["probability"] >= 0.5 else "N")
        assert output["Loan_ID"] == payload.get("Loan_ID")


def test_prediction_does_not_change_the_payload(model: LoanModel) -> None:
    payload = dict(FULL)
    model.predict(payload)
    assert payload == FULL


@pytest.mark.parametrize("name", OPTIONAL)
def test_null_and_absent_are_the_same(model: LoanModel, name: str) -> None:
    absent = {key: value for key, value in FULL.items() if key != name}
    ACCEPTS.validate(absent)
    ACCEPTS.validate(FULL | {name: None})
    assert model.predict(absent) == model.predict(FULL | {name: None})


def test_required_features_alone_are_enough(model: LoanModel) -> None:
    ACCEPTS.validate(SMALLEST)
    output = model.predict(SMALLEST)
    ANSWERS.validate(output)
    assert output["Loan_ID"] is None


@pytest.mark.parametrize("name", REQUIRED)
def test_a_required_feature_may_be_neither_null_nor_absent(name: str) -> None:
    assert not ACCEPTS.is_valid(FULL | {name: None})
    assert not ACCEPTS.is_valid({key: value for key, value in FULL.items() if key != name})


def test_integers_may_arrive_with_a_decimal_point(model: LoanModel) -> None:
    decimal = FULL | {"Credit_History": 1.0, "Loan_Amount_Term": 360.0, "ApplicantIncome": 5720.0}
    ACCEPTS.validate(decimal)
    assert model.predict(decimal) == model.predict(FULL)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Gender", "male"),
        ("Gender", ""),
        ("Married", True),
        ("Dependents", 0),
        ("Dependents", "3"),
        ("Education", "graduate"),
        ("Self_Employed", "maybe"),
        ("ApplicantIncome", -0.01),
        ("ApplicantIncome", 1_000_000.01),
        ("ApplicantIncome", "5720"),
        ("CoapplicantIncome", -1),
        ("CoapplicantIncome", True),
        ("LoanAmount", 0),
        ("LoanAmount", 110_000),
        ("Loan_Amount_Term", 0),
        ("Loan_Amount_Term", 601),
        ("Loan_Amount_Term", 360.5),
        ("Credit_History", 2),
        ("Credit_History", 0.5),
        ("Credit_History", "1"),
        ("Credit_History", True),
        ("Property_Area", "Suburban"),
        ("Loan_ID", ""),
        ("Loan_ID", 1015),
        ("Loan_Status", "Y"),
    ],
)
def test_a_value_outside_the_schema_is_refused(name: str, value: object) -> None:
    assert not ACCEPTS.is_valid(FULL | {name: value})


@pytest.mark.parametrize(
    ("name", "value", "rule", "words"),
    [
        ("Credit_History", 2, "oneOf", "1 (debts paid as agreed)"),
        ("Credit_History", "1", "type", "expected an integer or null"),
        ("Gender", "male", "enum", "'Female', 'Male' or null"),
        ("Gender", 1, "type", "expected a string or null"),
        ("LoanAmount", 110_000, "maximum", "counted in thousands"),
    ],
)
def test_one_mistake_is_one_violation(name: str, value: object, rule: str, words: str) -> None:
    (violation,) = SchemaValidator(LoanModel.input_schema).find_violations(FULL | {name: value})
    assert (violation.pointer, violation.rule) == (f"/{name}", rule)
    assert words in violation.message


def test_codes_have_words_for_people() -> None:
    status = LoanModel.output_schema["properties"]["Loan_Status"]["oneOf"]
    assert {choice["const"]: choice["title"] for choice in status} == {"Y": "Approved", "N": "Not approved"}
    history = LoanModel.input_schema["properties"]["Credit_History"]["oneOf"]
    assert {choice["const"] for choice in history} == {0, 1, None}
    assert all(choice["title"] for choice in history)


def test_one_of_two_incomes_is_enough() -> None:
    assert LoanModel.find_violations(FULL | {"ApplicantIncome": 0, "CoapplicantIncome": 1}) == []
    assert LoanModel.find_violations(FULL | {"ApplicantIncome": 1, "CoapplicantIncome": 0}) == []


@pytest.mark.parametrize("nothing", [0, 0.0])
def test_an_application_without_any_income_is_refused(nothing: float) -> None:
    payload = FULL | {"ApplicantIncome": nothing, "CoapplicantIncome": nothing}
    ACCEPTS.validate(payload)
    (violation,) = LoanModel.find_violations(payload)
    assert violation.pointer == "/ApplicantIncome"
    assert violation.rule == "exclusiveMinimum"
    assert "ApplicantIncome and CoapplicantIncome" in violation.message


def test_the_smallest_income_there_is_does_not_overflow(model: LoanModel) -> None:
    payload = FULL | {"ApplicantIncome": 5e-324, "LoanAmount": 10_000}
    ACCEPTS.validate(payload)
    ANSWERS.validate(model.predict(payload))


def test_the_artifacts_are_those_of_the_manifest() -> None:
    verify_artifacts(LoanModel)
    assert {artifact.name for artifact in read_artifacts(LoanModel)} == {"metrics.json", "model.onnx"}


def test_the_shipped_metrics_compare_with_the_rule() -> None:
    shipped, *others = read_metrics(LoanModel)["evaluations"]
    assert shipped["candidate"] == "random forest"
    (rule,) = (other for other in others if other.get("candidate", "").startswith("rule"))
    assert shipped["accuracy"] >= rule["accuracy"]
    assert shipped["log_loss"] < rule["log_loss"]


def test_the_model_card_states_the_shipped_metrics() -> None:
    card = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8").replace("`", "").replace("*", "")
    table = [line for line in card.splitlines() if line.startswith("| ")]
    *compared, gender = read_metrics(LoanModel)["evaluations"]
    for evaluation in compared:
        (row,) = (
            line for line in table if line.split("|")[1].removesuffix("(shipped) ").strip() == evaluation["candidate"]
        )
        for number in ("accuracy", "log_loss", "roc_auc", "brier_score"):
            assert f" {evaluation[number]:.4f} " in row
    assert f"{gender['answers_changed']} answers change with the gender" in card
    assert f"{gender['largest_change_of_probability']:.4f}" in card
