"""Data frames of pandas and polars through the client."""

import asyncio
import datetime

import numpy as np
import pandas as pd
import polars as pl
import pytest
from polars.testing import assert_frame_equal as assert_polars_equal

from model_service_client import AsyncModelServiceClient, PayloadInvalid
from model_service_client.frames import make_frame, read_rows

COLUMNS = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
FLOWERS = [[5.1, 3.5, 1.4, 0.2], [6.3, 3.3, 6.0, 2.5], [5.9, 3.0, 4.2, 1.5]]


def test_a_pandas_frame_comes_back_with_its_index_and_unfolded_columns(client):
    index = pd.Index(["a", "b", "a"], name="flower")
    frame = pd.DataFrame(FLOWERS, columns=COLUMNS, index=index).assign(note="mine")
    found = client.model("iris_model").predict_frame(frame)
    assert isinstance(found, pd.DataFrame)
    pd.testing.assert_index_equal(found.index, index)
    assert list(found["species"]) == ["setosa", "virginica", "versicolor"]
    assert found["probabilities.setosa"].dtype == np.float64
    rows = client.model("iris_model").predict_many(frame[COLUMNS].to_dict("records"))
    expected = [row["probabilities"]["virginica"] for row in rows]
    assert list(found["probabilities.virginica"]) == pytest.approx(expected, rel=1e-4)
    assert list(frame.columns) == [*COLUMNS, "note"]


def test_a_polars_frame_comes_back_as_one(client):
    frame = pl.DataFrame(FLOWERS, schema=COLUMNS, orient="row")
    found = client.model("iris_model").predict_frame(frame)
    assert isinstance(found, pl.DataFrame)
    assert found["species"].to_list() == ["setosa", "virginica", "versicolor"]
    assert found["probabilities.setosa"].dtype == pl.Float64
    pd_found = client.model("iris_model").predict_frame(pd.DataFrame(FLOWERS, columns=COLUMNS))
    assert_polars_equal(found, pl.DataFrame(pd_found.to_dict("list")))


@pytest.mark.parametrize("library", [pd, pl])
def test_rows_that_fail_have_their_error_beside_them(client, library):
    rows = {name: [FLOWERS[0][place], None, FLOWERS[2][place]] for place, name in enumerate(COLUMNS)}
    found = client.model("iris_model").predict_frame(library.DataFrame(rows), lenient=True)
    codes = list(found["error.code"])
    assert (codes[0] is None or codes[0] != codes[0], codes[1]) == (True, "payload_invalid")
    assert "/sepal_length: this field is missing" in list(found["error.message"])[1]
    assert list(found["species"])[2] == "versicolor"
    with pytest.raises(PayloadInvalid) as caught:
        client.model("iris_model").predict_frame(library.DataFrame(rows))
    assert caught.value.violations[0].pointer == "/1/sepal_length"


@pytest.mark.parametrize("library", [pd, pl])
def test_an_empty_frame_has_the_columns_of_the_model(client, library):
    frame = library.DataFrame({name: [] for name in COLUMNS})
    found = client.model("iris_model").predict_frame(frame, lenient=True)
    assert len(found) == 0
    assert list(found.columns) == [
        "species",
        *(f"probabilities.{name}" for name in ("setosa", "versicolor", "virginica")),
        "error.code",
        "error.message",
    ]


def test_the_classic_loans_go_through_with_their_missing_values(client):
    """As `pandas.read_csv` leaves them: integers that have become floats, and NaN in numbers and in texts."""
    loans = pd.DataFrame(
        {
            "Loan_ID": ["LP001015", "LP001035"],
            "Gender": ["Male", np.nan],
            "Education": ["Graduate", "Graduate"],
            "ApplicantIncome": [5720, 2340],
            "CoapplicantIncome": [0, 2546],
            "LoanAmount": [110.0, 100.0],
            "Loan_Amount_Term": [360.0, np.nan],
            "Credit_History": [1.0, np.nan],
            "Property_Area": ["Urban", "Urban"],
        }
    )
    found = client.model("loan_model").predict_frame(loans)
    assert list(found["Loan_ID"]) == ["LP001015", "LP001035"]
    assert list(client.model("loan_model").predict_frame(pl.from_pandas(loans))["Loan_Status"]) == list(
        found["Loan_Status"]
    )


def test_days_of_a_frame_are_days_of_the_model(client):
    days = pd.DataFrame(
        {"dteday": pd.to_datetime(["2011-01-01", "2011-01-02"]), "weathersit": [2, 2]}
        | {"temp": [0.34, 0.36], "hum": [0.8, 0.7], "windspeed": [0.16, 0.25]}
    )
    found = client.model("bike_model").predict_frame(days)
    other = client.model("bike_model").predict_frame(pl.from_pandas(days))
    assert list(found["cnt"]) == pytest.approx(other["cnt"].to_list(), rel=1e-4)
    assert len(found) == 2


def test_the_twin_takes_frames_too(client, shipped):
    frame = pl.DataFrame(FLOWERS, schema=COLUMNS, orient="row")

    async def ask() -> pl.DataFrame:
        async with AsyncModelServiceClient(shipped.url) as twin:
            return await twin.model("iris_model").predict_frame(frame)

    assert_polars_equal(asyncio.run(ask()), client.model("iris_model").predict_frame(frame))


# --- without a server -------------------------------------------------------------------------------------------------

SCHEMA = {
    "type": "object",
    "properties": {
        "n": {"type": ["integer", "null"]},
        "name": {"type": "string"},
        "size": {"$ref": "#/$defs/size"},
        "day": {"type": "string", "format": "date"},
        "at": {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}], "format": "date-time"},
    },
    "additionalProperties": False,
    "$defs": {"size": {"type": "object", "properties": {"x": {"type": "number"}, "y": {"enum": [1, None]}}}},
}


def test_what_is_missing_is_null_where_null_may_be_and_left_out_elsewhere():
    frame = pd.DataFrame(
        {
            "n": pd.array([1, None], dtype="Int64"),
            "name": [pd.NA, "b"],
            "size.x": [1.5, np.nan],
            "size.y": [None, 1],
            "day": [pd.Timestamp("2024-05-01"), pd.NaT],
            "at": [datetime.date(2024, 5, 1), None],
            "unknown": [1, 2],
        }
    )
    assert list(read_rows(frame, SCHEMA)) == [
        {"n": 1, "size": {"x": 1.5, "y": None}, "day": datetime.date(2024, 5, 1), "at": "2024-05-01T00:00:00Z"},
        {"n": None, "name": "b", "size": {"y": 1}, "at": None},
    ]
    schema = SCHEMA | {"additionalProperties": True}
    assert [row["unknown"] for row in read_rows(frame, schema)] == [1, 2]


def test_integers_of_which_some_are_missing_stay_integers():
    outcomes = [{"y": 2**60}, PayloadInvalid("no")]
    found = make_frame(pd.DataFrame({"x": [1, 2]}), outcomes, {}, has_errors=True)
    assert found["y"].dtype == "Int64"
    assert found["y"][0] == 2**60
    assert make_frame(pl.DataFrame({"x": [1, 2]}), outcomes, {}, has_errors=True)["y"].to_list() == [2**60, None]


@pytest.mark.parametrize(
    ("frame", "kind", "said"),
    [
        (pd.DataFrame([[1, 2]], columns=["n", "n"]), ValueError, "same name"),
        (pd.DataFrame({"m": [1]}), ValueError, "its fields are n, name"),
        (pl.DataFrame({"n": [1]}).lazy(), TypeError, "collect"),
        ([{"n": 1}], TypeError, "DataFrame of pandas or polars, not a list"),
        (pd.Series([1], name="n"), TypeError, "not a Series"),
    ],
)
def test_what_cannot_be_meant_is_told(frame, kind, said):
    with pytest.raises(kind, match=said):
        list(read_rows(frame, SCHEMA))
