"""What a package may be called."""

import pytest

from model_service.errors import ConfigInvalid
from model_service.scaffold.names import check_name, name_class, name_for_people


@pytest.mark.parametrize(
    ("name", "told"),
    [
        *(
            (name, "lower-case letters")
            for name in ("", "Churn", "2churn", "churn-model", "a b", "../x", "x" * 65, "é")
        ),
        *((name, "a word of Python") for name in ("class", "match", "lambda")),
        *((name, "of a module of Python") for name in ("json", "sys", "tests", "data")),
        *((name, "is installed") for name in ("numpy", "model_service", "iris_model", "pytest")),
    ],
)
def test_a_name_that_cannot_be_served_is_refused(tmp_path, name, told):
    with pytest.raises(ConfigInvalid, match=told):
        check_name(name, tmp_path)


def test_nothing_is_overwritten(tmp_path):
    check_name("churn_model", tmp_path)
    (tmp_path / "churn_model").symlink_to("nowhere")
    with pytest.raises(ConfigInvalid, match="nothing is overwritten"):
        check_name("churn_model", tmp_path)


@pytest.mark.parametrize(
    ("name", "expected"), [("churn_model", "ChurnModel"), ("churn", "ChurnModel"), ("dna2_v1", "Dna2V1Model")]
)
def test_a_class_is_called_after_its_package(name, expected):
    assert name_class(name) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("churn_model", "Churn"),
        ("MonthlyCharges", "Monthly charges"),
        ("monthly_fee", "Monthly fee"),
        ("BMI", "BMI"),
        ("sepal length (cm)", "Sepal length (cm)"),
        ("_", ""),
    ],
)
def test_a_field_is_called_after_its_column(name, expected):
    assert name_for_people(name) == expected
