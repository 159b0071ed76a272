"""From an application to the numbers the graph reads. Training and serving both call `encode_applications`."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from model_service.columns import Numbers, read_codes, read_numbers

#: Category values in the order of their numbers, which training and serving must share.
CATEGORIES: dict[str, tuple[str, ...]] = {
    "Education": ("Not Graduate", "Graduate"),
    "Self_Employed": ("No", "Yes"),
    "Property_Area": ("Rural", "Semiurban", "Urban"),
}
#: Facts about the person that are accepted and play no part: without them the model is as good (see the card).
UNUSED: dict[str, tuple[str, ...]] = {
    "Gender": ("Female", "Male"),
    "Married": ("No", "Yes"),
    "Dependents": ("0", "1", "2", "3+"),
}
#: The first columns; `encode_applications` knows where the incomes and the loan are.
NUMBERS = ("Credit_History", "ApplicantIncome", "CoapplicantIncome", "LoanAmount", "Loan_Amount_Term")
#: Fields that the model uses and that may be unknown.
FILLED = ("Credit_History", "LoanAmount", "Loan_Amount_Term", "Self_Employed")
#: The order of the graph's input columns. `loan_to_income`: how many months of both incomes the loan equals.
COLUMNS = (*NUMBERS, "loan_to_income", *CATEGORIES)
#: An income of a fraction of a cent must not overflow.
MIN_INCOME, MAX_LOAN_TO_INCOME = 0.01, 1e6
_THOUSAND = 1000


def learn_usual(payloads: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Return what stands for each unknown value: the median, which for two codes is the more frequent one."""
    usual = {name: _find_median(read_numbers(payloads, name)) for name in ("Credit_History", "Loan_Amount_Term")}
    usual["Self_Employed"] = _find_median(read_codes(payloads, "Self_Employed", CATEGORIES["Self_Employed"]))
    known = [payload for payload in payloads if payload.get("LoanAmount") is not None]
    months = encode_applications(known, usual | {"loan_to_income": 0.0})[:, COLUMNS.index("loan_to_income")]
    return usual | {"loan_to_income": _find_median(months)}


def encode_applications(payloads: Sequence[dict[str, Any]], usual: Mapping[str, float]) -> Numbers:
    """Return shape (payloads, columns) in the order of `COLUMNS`.

    Args:
        payloads: Applications.
        usual: From `learn_usual`; an unknown loan is the usual one for the incomes.
    """
    encoded = np.empty((len(payloads), len(COLUMNS)), np.float32)
    for place, name in enumerate(NUMBERS):
        encoded[:, place] = read_numbers(payloads, name, missing=usual.get(name, np.nan))
    for place, (name, values) in enumerate(CATEGORIES.items(), start=len(NUMBERS) + 1):
        encoded[:, place] = read_codes(payloads, name, values, missing=usual.get(name, np.nan))
    income, loan = np.maximum(encoded[:, 1] + encoded[:, 2], MIN_INCOME), encoded[:, 3]
    np.copyto(loan, usual["loan_to_income"] * income / _THOUSAND, where=np.isnan(loan))
    encoded[:, len(NUMBERS)] = np.minimum(loan * _THOUSAND / income, MAX_LOAN_TO_INCOME)
    return encoded


def _find_median(values: npt.NDArray[np.float32]) -> float:
    return float(np.nanmedian(values))
