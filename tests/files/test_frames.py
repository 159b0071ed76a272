"""Frames of pandas and polars, as their plain exports write them: with NaN, dates and the types of NumPy."""

import io
from datetime import date, datetime

import numpy as np
import pandas as pd
import polars as pl
import pytest
from samples import read

from model_service.schema.validation import SchemaValidator

SCHEMA = {
    "type": "object",
    "properties": {
        "height": {"type": "number"},
        "weight": {"type": ["number", "null"]},
        "count": {"type": "integer"},
        "score": {"type": "number"},
        "is_new": {"type": "boolean"},
        "name": {"type": "string"},
        "note": {"type": ["string", "null"]},
        "day": {"type": "string", "format": "date"},
        "at": {"type": "string", "format": "date-time"},
    },
    "required": ["height", "count", "is_new", "day", "at"],
    "additionalProperties": False,
}
COLUMNS = {
    "height": np.array([1.5, 2.0, 2.5]),
    "weight": np.array([70.0, np.nan, 80.0]),
    "count": np.array([1, 2, 3], np.int32),
    "score": np.array([0.5, 0.25, 1.0], np.float32),
    "is_new": np.array([True, False, True]),
    "name": ["Ann", 'Bob, the "first"', "Cë"],
    "note": ["a", None, "c"],
    "day": [date(2024, 5, 1), date(2024, 5, 2), date(2024, 5, 3)],
    "at": [datetime(2024, 5, 1, 10, 30), datetime(2024, 5, 2), datetime(2024, 5, 3, 23, 59, 59)],
    "extra": np.array([1, 2, 3], np.uint8),
}


def make_pandas():
    frame = pd.DataFrame(COLUMNS)
    return frame.assign(day=pd.to_datetime(frame["day"]))


def make_polars():
    return pl.DataFrame({name: list(map(_plain, values)) for name, values in COLUMNS.items()}, strict=False)


def _plain(value):
    return value.item() if isinstance(value, np.generic) else value


def export(method, *arguments, **options):
    sink = io.BytesIO()
    written = method(sink, *arguments, **options)
    return sink.getvalue() if sink.getvalue() else written


EXPORTS = {
    "pandas to_csv": ("csv", lambda: make_pandas().to_csv().encode()),
    "pandas to_csv, without the index": ("csv", lambda: make_pandas().to_csv(index=False).encode()),
    "pandas to_json, lines": ("ndjson", lambda: make_pandas().to_json(orient="records", lines=True).encode()),
    "pandas to_json, records": ("json", lambda: make_pandas().to_json(orient="records").encode()),
    "pandas to_parquet": ("parquet", lambda: make_pandas().to_parquet()),
    "polars write_csv": ("csv", lambda: make_polars().write_csv().encode()),
    "polars write_ndjson": ("ndjson", lambda: make_polars().write_ndjson().encode()),
    "polars write_parquet": ("parquet", lambda: export(make_polars().write_parquet)),
    "polars write_ipc_stream": ("arrow", lambda: export(make_polars().write_ipc_stream)),
}


@pytest.mark.filterwarnings("ignore:The default formatting of datetime")
@pytest.mark.parametrize("name", EXPORTS)
def test_a_plain_export_goes_through_unchanged(name):
    file_format, make = EXPORTS[name]
    rows = read(make(), SCHEMA, file_format)
    documents = [row.document for row in rows]
    assert [row.fault for row in rows] == [None] * 3
    validator = SchemaValidator(SCHEMA)
    assert [validator.find_violations(document) for document in documents] == [[]] * 3
    for column in ("height", "count", "is_new", "name"):
        assert [document[column] for document in documents] == [_plain(value) for value in COLUMNS[column]]
    assert [document["score"] for document in documents] == [0.5, 0.25, 1.0]
    assert [document.get("weight") for document in documents] == [70.0, None, 80.0]
    assert [document.get("note") for document in documents] == ["a", None, "c"]
    assert [document["day"] for document in documents] == ["2024-05-01", "2024-05-02", "2024-05-03"]
    moments = [datetime.fromisoformat(document["at"]).replace(tzinfo=None) for document in documents]
    assert moments == COLUMNS["at"]


def test_whole_numbers_that_pandas_made_floats_beside_a_missing_one_are_whole_still():
    frame = pd.DataFrame({"height": [1.0, 2.0], "count": [1, None], "is_new": [True, None]})
    schema = {**SCHEMA, "required": ["height"]}
    for file_format, raw in (
        ("csv", frame.to_csv().encode()),
        ("ndjson", frame.to_json(orient="records", lines=True).encode()),
        ("parquet", frame.to_parquet()),
    ):
        documents = [row.document for row in read(raw, schema, file_format)]
        assert documents == [{"height": 1.0, "count": 1, "is_new": True}, {"height": 2.0}]
        assert SchemaValidator(schema).accepts_all(documents)
