"""The served model: what it accepts, what it answers, and the reasons it gives."""

from typing import Any

import numpy as np
import pytest

from loan_model import LoanModel
from loan_model.features import CATEGORIES, COLUMNS, FILLED, UNUSED
from model_service.artifacts import read_metrics
from model_service.conformance.pytest_plugin import conformance
from model_service.explain import explain_directly
from model_service.schema.validation import SchemaValidator

FULL: dict[str, Any] = LoanModel.input_schema["examples"][0]
REQUIRED = LoanModel.input_schema["required"]
VALIDATOR = SchemaValidator(LoanModel.input_schema)
# The five applications of the classic tutorial; its model approves of all of them.
TUTORIAL = [
    ("LP001015", "Male", "Yes", "0", "Graduate", "No", 5720, 0, 110, 360, 1, "Urban"),
    ("LP001022", "Male", "Yes", "1", "Graduate", "No", 3076, 1500, 126, 360, 1, "Urban"),
    ("LP001031", "Male", "Yes", "2", "Graduate", "No", 5000, 1800, 208, 360, 1, "Urban"),
    ("LP001035", "Male", "Yes", "2", "Graduate", "No", 2340, 2546, 100, 360, None, "Urban"),
    ("LP001051", "Male", "No", "0", "Not Graduate", "No", 3276, 0, 78, 360, 1, "Urban"),
]


@pytest.fixture(scope="module")
def model() -> LoanModel:
    return LoanModel()


def generate_applications(count: int) -> list[dict[str, Any]]:
    chance = np.random.default_rng(0)
    rows = []
    for _ in range(count):
        row: dict[str, Any] = {name: str(chance.choice(values)) for name, values in (CATEGORIES | UNUSED).items()}
        row |= {"ApplicantIncome": float(chance.lognormal(8, 1)), "CoapplicantIncome": int(chance.choice([0, 2000]))}
        row |= {"LoanAmount": float(chance.lognormal(4.8, 0.7)), "Loan_Amount_Term": int(chance.choice([360, 180]))}
        row |= {"Credit_History": int(chance.random() < 0.8)}
        row |= {name: None for name in (*FILLED, *UNUSED) if chance.random() < 0.1}
        rows.append(row)
    return rows


LARGE = {"ApplicantIncome": 1_000_000, "CoapplicantIncome": 1_000_000, "LoanAmount": 10_000, "Loan_Amount_Term": 600}
SMALL = {"ApplicantIncome": 5e-324, "CoapplicantIncome": 0, "LoanAmount": 10_000, "Loan_Amount_Term": 1}
BARE = {name: FULL[name] for name in REQUIRED}
DECIMAL = {"Credit_History": 1.0, "Loan_Amount_Term": 360.0, "ApplicantIncome": 5720.0}
EDGES = [BARE, *(FULL | edge for edge in (LARGE, SMALL, {"LoanAmount": 5e-324}, DECIMAL))]
test_conformance = conformance(LoanModel, payloads=[*EDGES, *generate_applications(100)], calls=200)


def test_the_five_applications_of_the_tutorial_are_approved(model: LoanModel) -> None:
    outputs = model.predict_batch([dict(zip(FULL, row, strict=True)) for row in TUTORIAL])
    assert [(output["Loan_ID"], output["Loan_Status"]) for output in outputs] == [(row[0], "Y") for row in TUTORIAL]


def test_unpaid_debts_are_refused_and_are_the_first_reason(model: LoanModel) -> None:
    output = model.predict(FULL | {"Credit_History": 0})
    assert output["Loan_Status"] == "N"
    assert min(output["reasons"], key=output["reasons"].get) == "Credit_History"


def test_the_reasons_add_up_to_the_probability(model: LoanModel) -> None:
    for output in model.predict_batch(generate_applications(3000)):
        assert list(output["reasons"]) == list(COLUMNS)
        total = output["usual_probability"] + sum(output["reasons"].values())
        assert output["probability"] == pytest.approx(total, abs=2e-5)
        assert (output["Loan_Status"] == "Y") == (output["probability"] >= 0.5)


def test_what_was_filled_in_is_named_and_is_the_usual(model: LoanModel) -> None:
    assert model.predict(FULL)["filled_in"] == []
    assert model.predict({name: FULL[name] for name in REQUIRED})["filled_in"] == list(FILLED)
    usual = FULL | {"Credit_History": 1, "Loan_Amount_Term": 360, "Self_Employed": "No"}
    for name in ("Credit_History", "Loan_Amount_Term", "Self_Employed"):
        output = model.predict(usual | {name: None})
        assert output["filled_in"] == [name]
        assert output | {"filled_in": []} == model.predict(usual)


def test_an_unknown_loan_is_the_usual_one_for_the_incomes(model: LoanModel) -> None:
    poor, rich = (model.predict(FULL | {"LoanAmount": None, "ApplicantIncome": income}) for income in (1000, 50_000))
    assert poor["reasons"]["loan_to_income"] == pytest.approx(rich["reasons"]["loan_to_income"], abs=0.05)


def test_a_heavier_loan_lowers_the_probability(model: LoanModel) -> None:
    light, heavy = (model.predict(FULL | {"LoanAmount": amount})["probability"] for amount in (110, 900))
    assert heavy < light - 0.1


@pytest.mark.parametrize("name", REQUIRED)
def test_a_required_field_may_be_neither_null_nor_absent(name: str) -> None:
    assert VALIDATOR.find_violations(FULL | {name: None})
    assert VALIDATOR.find_violations({key: value for key, value in FULL.items() if key != name})


@pytest.mark.parametrize(
    ("name", "value", "rule", "words"),
    [
        ("Credit_History", 2, "oneOf", "1 (debts paid as agreed)"),
        ("Credit_History", "1", "type", "expected an integer or null"),
        ("Credit_History", True, "type", "expected an integer or null"),
        ("Gender", "male", "enum", "'Female', 'Male' or null"),
        ("Gender", 1, "type", "expected a string or null"),
        ("Dependents", 0, "type", "expected a string or null"),
        ("Education", "graduate", "enum", "'Graduate'"),
        ("ApplicantIncome", -0.01, "minimum", "0"),
        ("ApplicantIncome", 1_000_000.01, "maximum", "1000000"),
        ("LoanAmount", 0, "exclusiveMinimum", "0"),
        ("LoanAmount", 110_000, "maximum", "counted in thousands"),
        ("Loan_Amount_Term", 360.5, "type", "integer"),
        ("Loan_Amount_Term", 601, "maximum", "600"),
        ("Loan_ID", "", "minLength", "1"),
    ],
)
def test_one_mistake_is_one_violation(name: str, value: object, rule: str, words: str) -> None:
    (violation,) = VALIDATOR.find_violations(FULL | {name: value})
    assert (violation.pointer, violation.rule) == (f"/{name}", rule)
    assert words in violation.message
    (violation,) = VALIDATOR.find_violations(FULL | {"Loan_Status": "Y"})
    assert violation.rule == "additionalProperties"


def test_an_application_without_any_income_is_refused_and_one_of_two_is_enough() -> None:
    nothing = FULL | {"ApplicantIncome": 0, "CoapplicantIncome": 0.0}
    assert VALIDATOR.find_violations(nothing) == []
    (violation,) = LoanModel.find_violations(nothing)
    assert (violation.pointer, violation.rule) == ("/ApplicantIncome", "exclusiveMinimum")
    assert "ApplicantIncome and CoapplicantIncome" in violation.message
    assert LoanModel.find_violations(nothing | {"CoapplicantIncome": 1}) == []


def test_what_ships_is_at_least_as_good_as_the_rule_and_as_a_forest_that_knows_the_gender() -> None:
    results = read_metrics(LoanModel)["results"]
    said = {(result["model"], result["metric"]): result for result in results if result["split"].endswith("seed 0")}
    shipped, rule = "random forest", "rule: Y unless Credit_History is 0"
    assert said[shipped, "accuracy"]["value"] >= said[rule, "accuracy"]["value"]
    assert said[shipped, "log_loss"]["value"] < said[rule, "log_loss"]["value"]
    gain, with_gender = said[shipped, "log_loss_gain"], said["random forest with Gender", "log_loss_gain"]
    assert gain["value"] > with_gender["value"] - with_gender["spread"]


def test_an_explanation_is_what_the_answer_says_and_adds_up_to_its_probability(model):
    for payload in LoanModel.input_schema["examples"]:
        output, found = model.predict(payload), explain_directly(model, payload)
        assert {each["name"]: each["contribution"] for each in found["contributions"]} == output["reasons"]
        total = found["base"] + sum(output["reasons"].values())
        assert total == pytest.approx(found["explained"]["value"], abs=1e-6) == output["probability"]
        pointers = {each["name"]: each["pointer"] for each in found["contributions"]}
        assert pointers["Credit_History"] == "/Credit_History"
        assert pointers["loan_to_income"] is None
