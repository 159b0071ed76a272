"""What a trained pipeline says of itself."""

import numpy as np
import pandas
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.svm import LinearSVC

from model_service.training.pipelines import describe_pipeline


@pytest.fixture
def frame():
    return pandas.DataFrame(
        {
            "id": [f"a{row}" for row in range(40)],
            "age": np.arange(40.0),
            "sex": ["f", "m", None, "f"] * 10,
            "code": [1, 2, 2, 1] * 10,
            "fee": np.arange(40.0) % 7,
        }
    )


@pytest.mark.parametrize("columns", [["age", "fee"], [1, 4], [False, True, False, False, True], slice(3, 5)])
def test_the_columns_that_are_read_are_known_however_they_are_chosen(frame, columns):
    steps = [("numbers", StandardScaler(), columns), ("words", OneHotEncoder(), ["sex"]), ("id", "drop", ["id"])]
    pipeline = make_pipeline(ColumnTransformer(steps), LogisticRegression()).fit(frame, frame["age"] > 9)
    facts = describe_pipeline(pipeline)
    numbers = ("code", "fee") if isinstance(columns, slice) else ("age", "fee")
    assert set(facts.columns) == {*numbers, "sex"}
    assert facts.values == {"sex": ["f", "m"]}
    assert (facts.classes, facts.has_probabilities, facts.takes_matrix) == ((False, True), True, False)


def test_encoders_behind_imputers_and_inside_searches_are_found(frame):
    words = make_pipeline(SimpleImputer(strategy="most_frequent"), OrdinalEncoder())
    prepare = ColumnTransformer([("words", words, ["sex"]), ("codes", OneHotEncoder(), ["code"])], remainder="drop")
    search = GridSearchCV(make_pipeline(prepare, LinearRegression()), {}, cv=2).fit(frame, frame["age"])
    facts = describe_pipeline(search)
    assert facts.columns == ("sex", "code")
    assert facts.values == {"sex": ["f", "m"], "code": [1, 2]}
    assert not facts.is_classifier


def test_what_was_trained_on_numbers_alone_takes_a_matrix(frame):
    by_name = describe_pipeline(LogisticRegression().fit(frame[["age", "fee"]], frame["code"]))
    assert (by_name.columns, by_name.takes_matrix, by_name.classes) == (("age", "fee"), True, (1, 2))
    by_place = describe_pipeline(LinearSVC().fit(frame[["age", "fee"]].to_numpy(), frame["code"] * 1.0))
    assert (by_place.columns, by_place.width, by_place.has_probabilities) == ((), 2, False)


@pytest.mark.parametrize(
    ("pipeline", "told"),
    [
        (None, "NoneType is neither a classifier nor a regressor"),
        (StandardScaler(), "StandardScaler is neither"),
        (LogisticRegression(), "is not trained"),
    ],
)
def test_what_no_package_can_be_made_around_is_said(pipeline, told):
    with pytest.raises(ValueError, match=told):
        describe_pipeline(pipeline)
