"""From an application to the numbers the graph reads. Imputing and one-hot encoding are inside the graph.

Training and serving both call `encode_applications`, so both see the same float32 numbers; a
value that is missing becomes NaN, and the graph puts in its place what training learnt.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

#: Category values in the order of their numbers. The order matters to the graph: `Dependents`
#: counts upwards, and training and serving must number alike.
CATEGORIES: dict[str, tuple[str, ...]] = {
    "Gender": ("Female", "Male"),
    "Married": ("No", "Yes"),
    "Dependents": ("0", "1", "2", "3+"),
    "Education": ("Not Graduate", "Graduate"),
    "Self_Employed": ("No", "Yes"),
    "Property_Area": ("Rural", "Semiurban", "Urban"),
}
NUMBERS = ("Credit_History", "ApplicantIncome", "CoapplicantIncome", "LoanAmount", "Loan_Amount_Term")
#: The order of the graph's input columns.
COLUMNS = (*CATEGORIES, *NUMBERS, "loan_to_income")
#: Features that are empty in some rows of the data, and may be null or absent in a payload.
OPTIONAL = ("Gender", "Married", "Dependents", "Self_Employed", "LoanAmount", "Loan_Amount_Term", "Credit_History")
REQUIRED = ("Education", "ApplicantIncome", "CoapplicantIncome", "Property_Area")

MISSING = float("nan")
#: Months; an income of a fraction of a cent must not overflow float32.
MAX_LOAN_TO_INCOME = 1e6
_THOUSAND = 1000


def encode_applications(payloads: list[dict[str, Any]]) -> npt.NDArray[np.float32]:
    """Return shape (payloads, columns) in the order of `COLUMNS`, NaN where a value is null or absent."""
    return np.array([_encode(payload) for payload in payloads], dtype=np.float32).reshape(-1, len(COLUMNS))


def _encode(payload: dict[str, Any]) -> list[float]:
    numbers = [MISSING if payload.get(name) is None else float(payload[name]) for name in NUMBERS]
    return [*(_number_category(name, payload.get(name)) for name in CATEGORIES), *numbers, _loan_to_income(payload)]


def _number_category(name: str, value: str | None) -> float:
    return MISSING if value is None else float(CATEGORIES[name].index(value))


def _loan_to_income(payload: dict[str, Any]) -> float:
    """Return how many months of both incomes together the loan equals."""
    loan = payload.get("LoanAmount")
    if loan is None:
        return MISSING
    income = float(payload["ApplicantIncome"]) + float(payload["CoapplicantIncome"])
    return min(float(loan) * _THOUSAND / income, MAX_LOAN_TO_INCOME)
