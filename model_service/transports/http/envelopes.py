"""Rows in the envelopes of other servers, which `/invocations` takes beside plain payloads. It knows no framework.

    dataframe_split     MLflow: {"columns": [...], "data": [[...], ...]}
    dataframe_records   MLflow: [{...}, ...]
    instances           Vertex AI, TensorFlow Serving, MLflow: a list of rows
    inputs              MLflow: a list of rows, or lists by the name of a column

A table is read as a file of rows is: a null, or NaN, where no null is allowed is a cell without a value, and what the
model does not know is left aside. Objects in `instances` and `inputs` are payloads as they stand.
"""

from collections import Counter
from typing import Any

from model_service.errors import FileUnreadable, PayloadMalformed, PayloadTooLarge
from model_service.files.json_rows import DocumentsReader
from model_service.files.rows import Bounds, Row
from model_service.naming import quote_name
from model_service.records import Schema
from model_service.schema.cells import PlaceFinder

#: Each name of an envelope.
ENVELOPES = ("dataframe_split", "dataframe_records", "instances", "inputs")
#: What may stand beside it: parameters of a prediction, which no model here takes.
_PARAMETERS = ("params", "parameters")


def find_envelope(document: Any, schema: Schema) -> str | None:
    """Return the name of the envelope that a document is; ``None`` of a payload, or of anything else.

    A field of the model that has the name of an envelope is a field.
    """
    if not isinstance(document, dict):
        return None
    fields = schema.get("properties", {})
    return next((name for name in ENVELOPES if name in document and name not in fields), None)


def open_envelope(document: dict[str, Any], name: str, schema: Schema, bounds: Bounds) -> list[Row]:
    """Return the rows in an envelope.

    Args:
        document: The whole body.
        name: From `find_envelope`.
        schema: The model's input schema.
        bounds: Its ``max_rows`` and ``max_columns`` are kept.

    Raises:
        PayloadMalformed: It is not as its name says, or there are parameters.
        PayloadTooLarge: It has more rows than may be.
        FileUnreadable: It has more columns than may be.
    """
    for other in document:
        if other in _PARAMETERS:
            if document[other]:
                raise PayloadMalformed(f"'{other}': the models of this service take no parameters; leave them out")
        elif other != name:
            raise PayloadMalformed(f"{quote_name(other)} stands beside '{name}'; send '{name}' alone")
    content = document[name]
    rows = _read_split(content) if name == "dataframe_split" else _read_rows(content, name, schema)
    if not rows:
        raise PayloadMalformed(f"'{name}' holds no rows; send at least one")
    if len(rows) > (bounds.max_rows or len(rows)):
        raise PayloadTooLarge(f"{len(rows)} rows in one request; at most {bounds.max_rows} are accepted")
    if name in ("instances", "inputs") and isinstance(content, list) and isinstance(content[0], dict):
        return [Row(number, payload, None, {}) for number, payload in enumerate(rows, 1)]
    return [row for chunk in DocumentsReader(rows, schema, bounds, f"/{name}") for row in chunk]


def _read_split(content: Any) -> list[Any]:
    columns = content.get("columns") if isinstance(content, dict) else None
    data = content.get("data") if isinstance(content, dict) else None
    if not isinstance(columns, list) or not isinstance(data, list):
        raise PayloadMalformed("'dataframe_split' must be an object with 'columns' and 'data', both arrays")
    for column in columns:
        if not isinstance(column, str):
            raise PayloadMalformed("the columns of 'dataframe_split' must have names, which are strings")
    return _name_cells(columns, data, "dataframe_split")


def _read_rows(content: Any, name: str, schema: Schema) -> list[Any]:
    if name == "inputs" and isinstance(content, dict):
        return _read_columns(content)
    if not isinstance(content, list):
        either = "an array of rows, or an object of columns" if name == "inputs" else "an array of rows"
        raise PayloadMalformed(f"'{name}' must be {either}")
    if name == "dataframe_records" or not content or isinstance(content[0], dict):
        return content
    columns = PlaceFinder(schema).list_columns()
    if not isinstance(content[0], list):
        if len(columns) != 1:
            raise PayloadMalformed(
                f"the rows in '{name}' must be objects, or arrays of {len(columns)} values in this order: "
                + ", ".join(columns[:20])
            )
        content = [[value] for value in content]
    return _name_cells(columns, content, name)


def _read_columns(content: dict[str, Any]) -> list[Any]:
    if not any(isinstance(values, list) for values in content.values()):
        return [content]
    for column, values in content.items():
        if not isinstance(values, list):
            raise PayloadMalformed(f"the column {quote_name(column)} in 'inputs' must be an array, as the others are")
    if len({len(values) for values in content.values()}) > 1:
        raise PayloadMalformed("the columns in 'inputs' must have the same length")
    return _name_cells([*content], [list(values) for values in zip(*content.values(), strict=True)], "inputs")


def _name_cells(columns: list[str], data: list[Any], name: str) -> list[Any]:
    if len({*columns}) < len(columns):
        twice = Counter(columns).most_common(1)[0][0]
        raise FileUnreadable(f"'{name}' names the column {quote_name(twice)} twice; name each once")
    for number, values in enumerate(data, 1):
        if not isinstance(values, list) or len(values) != len(columns):
            found = f"{len(values)} values" if isinstance(values, list) else "no array"
            pointer = f"/{name}/{'data/' if name == 'dataframe_split' else ''}{number - 1}"
            raise PayloadMalformed(
                f"row {number} of '{name}' (pointer {pointer}) has {found}, not {len(columns)} values"
            )
    return [dict(zip(columns, values, strict=True)) for values in data]
