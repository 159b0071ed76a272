"""Frames of pandas and polars become payloads, and outputs become frames; values of NumPy become JSON."""

import datetime
import decimal
import enum

import numpy as np
import pandas as pd
import polars as pl
import pytest

from model_service import fields
from model_service.errors import PayloadMalformed
from model_service.frames import find_library, make_frame, read_frame, to_plain

SCHEMA = fields.record(
    "Flat",
    {
        "area": fields.number("Area"),
        "year": fields.optional(fields.integer("Year")),
        "size": fields.record("Size", {"x": fields.number("X"), "y": fields.optional(fields.number("Y"))}),
    },
)


class Colour(enum.Enum):
    BLUE = "b"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float64(1.5), 1.5),
        (np.float32("nan"), None),
        (float("nan"), None),
        (np.int8(3), 3),
        (np.bool_(True), True),
        (np.str_("a"), "a"),
        (np.array([[1.0, np.nan]]), [[1.0, None]]),
        (np.datetime64("2024-01-02"), "2024-01-02"),
        (np.datetime64("NaT"), None),
        (pd.NA, None),
        (pd.NaT, None),
        (pd.Timestamp("2024-01-02T03:04:05"), "2024-01-02T03:04:05"),
        (pd.Series([1, 2]), [1, 2]),
        (pl.Series([1, None]), [1, None]),
        (datetime.date(2024, 1, 2), "2024-01-02"),
        (decimal.Decimal("1.0"), 1),
        (decimal.Decimal("1.5"), 1.5),
        (Colour.BLUE, "b"),
        ({"a": (1, np.int64(2))}, {"a": [1, 2]}),
        ("text", "text"),
        (None, None),
    ],
)
def test_a_value_is_what_json_has(value, expected):
    plain = to_plain(value)
    assert plain == expected
    assert type(plain) is type(expected)


def test_what_json_has_not_is_left_for_validation_to_name():
    value = object()
    assert to_plain({"a": value})["a"] is value


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame])
def test_missing_values_are_null_or_left_out_and_strangers_are_dropped(make):
    frame = make(
        {"area": [1.0, None], "year": [1990, None], "size.x": [2.0, 3.0], "size.y": [None, 4.0], "name": ["a", "b"]}
    )
    assert read_frame(frame, SCHEMA) == [
        {"area": 1.0, "year": 1990, "size": {"x": 2.0, "y": None}},
        {"year": None, "size": {"x": 3.0, "y": 4.0}},
    ]


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame])
def test_moments_are_written_in_the_format_of_their_field(make):
    text = {"type": ["string", "null"]}
    schema = {
        "type": "object",
        "properties": {"day": {**text, "format": "date"}, "at": {**text, "format": "date-time"}},
    }
    moments = [datetime.datetime(2024, 1, 2), None]
    assert read_frame(make({"day": moments, "at": moments}), schema) == [
        {"day": "2024-01-02", "at": "2024-01-02T00:00:00Z"},
        {"day": None, "at": None},
    ]


def test_columns_of_an_open_schema_are_kept():
    assert read_frame(pd.DataFrame({"a": [1]}), {"type": "object"}) == [{"a": 1}]


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (pd.DataFrame({"x": [1]}), "its fields are area, year, size"),
        (pd.DataFrame([[1, 2]], columns=["area", "area"]), "two columns of the frame have the same name"),
    ],
)
def test_a_frame_that_fits_no_model_is_refused(frame, words):
    with pytest.raises(PayloadMalformed, match=words):
        read_frame(frame, SCHEMA)


def test_outputs_keep_kind_and_index():
    outputs = [{"word": "a", "p": {"x": 0.5}}, {"word": "b", "p": {"x": 0.25}}]
    schema = fields.answer("A", {"word": fields.text("Word"), "p": fields.probabilities(["x"])})
    frame = make_frame(pd.DataFrame({"z": [1, 2]}, index=["first", "second"]), outputs, schema)
    assert frame.to_dict("index") == {"first": {"word": "a", "p.x": 0.5}, "second": {"word": "b", "p.x": 0.25}}
    other = make_frame(pl.DataFrame({"z": [1, 2]}), outputs, schema)
    assert other.to_dicts() == [{"word": "a", "p.x": 0.5}, {"word": "b", "p.x": 0.25}]
    assert list(make_frame(pd.DataFrame({"z": []}), [], schema).columns) == ["word", "p"]


def test_only_frames_are_frames():
    class Frame(pd.DataFrame):
        pass

    assert (find_library(Frame()), find_library(pl.DataFrame()), find_library({}), find_library(pl.LazyFrame())) == (
        "pandas",
        "polars",
        None,
        None,
    )
