"""Files of rows in memory, and what is read of them."""

import io

from model_service.files.formats import FORMATS
from model_service.files.opening import open_rows, open_writer
from model_service.files.rows import Bounds

FLOWER = {
    "type": "object",
    "properties": {
        "length": {"type": "number", "maximum": 100},
        "width": {"type": ["number", "null"]},
        "kind": {"type": "string"},
        "is_wild": {"type": "boolean"},
    },
    "required": ["length"],
    "additionalProperties": False,
}
OUTPUT = {
    "type": "object",
    "properties": {
        "species": {"type": "string"},
        "shares": {"type": "object", "properties": {"a": {"type": "number"}, "b": {"type": "number"}}},
        "is_sure": {"type": "boolean"},
    },
    "required": ["species"],
}


def read(raw, schema=FLOWER, name="csv", **bounds):
    """Return all rows of a file."""
    reader = open_rows(FORMATS[name], io.BytesIO(raw), schema, bounds=Bounds(**bounds))
    return [row for rows in reader for row in rows]


def read_documents(raw, schema=FLOWER, name="csv", **bounds):
    """Return the payloads of a file that has no faults."""
    rows = read(raw, schema, name, **bounds)
    assert [row.fault for row in rows] == [None] * len(rows)
    return [row.document for row in rows]


def write(raw, outcomes, *, source="csv", target="csv", schema=FLOWER, output=OUTPUT, **bounds):
    """Return a file with what became of its rows, written chunk by chunk by a writer of its own each."""
    reader = open_rows(FORMATS[source], io.BytesIO(raw), schema, bounds=Bounds(**bounds))

    def open_another():
        return open_writer(FORMATS[target], reader.head, schema, output)

    written = open_another().begin()
    left = iter(outcomes)
    for rows in reader:
        written += open_another().write(rows, [row.fault or next(left) for row in rows])
    return written + open_another().end()
