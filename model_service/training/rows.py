"""Rows of a CSV file as payloads and labels, typed by the model's own schema. Needs Python alone."""

import csv
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from model_service.records import Payload, Schema

#: What may stand between cells.
DELIMITERS = ",;\t|"
#: Cells that mean a missing value: what pandas reads as one, so that a pipeline trained there meets the same.
MISSING_WORDS = frozenset(
    {
        *("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>"),
        *("N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"),
    }
)
_NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_BOOLEANS = {"true": True, "false": False}


def read_rows(path: Path, schema: Schema, target: Schema) -> tuple[list[Payload], list[Any]]:
    """Return a payload and a label per row that has a label.

    Args:
        path: A CSV file of UTF-8 text with a header; `DELIMITERS` says what may separate its cells.
        schema: The model's input schema; columns that it does not name are left out.
        target: ``{column: schema of a label}``.

    Raises:
        ValueError: Names the column that is missing, or the row and column of a cell that does not fit.
    """
    ((label, label_schema),) = target.items()
    fields = schema["properties"]
    with path.open(newline="", encoding="utf-8-sig") as file:
        first = file.readline()
        delimiter = max(DELIMITERS, key=lambda each: len({*_split(first, each)} & {label, *fields}))
        file.seek(0)
        table = csv.reader(file, delimiter=delimiter)
        names = [name.strip() for name in next(table, [])]
        missing = [name for name in (label, *schema.get("required", ())) if name not in names]
        if missing:
            raise ValueError(f"{path.name} has no column {missing[0]!r}")
        known = [(place, name, find_types(fields[name])) for place, name in enumerate(names) if name in fields]
        place, types, has_comma = names.index(label), find_types(label_schema), delimiter == ";"
        payloads, labels = [], []
        for number, cells in enumerate(table, 1):
            if not cells:
                continue
            if len(cells) != len(names):
                raise ValueError(f"row {number} of {path.name} has {len(cells)} cells, and the header {len(names)}")
            if cells[place].strip() in MISSING_WORDS:
                continue
            try:
                labels.append(read_cell(cells[place], types, has_comma=has_comma))
                payloads.append({name: read_cell(cells[at], kinds, has_comma=has_comma) for at, name, kinds in known})
            except ValueError as error:
                raise ValueError(f"row {number} of {path.name}: {error}") from None
    if not payloads:
        raise ValueError(f"{path.name} has no row with a value of {label!r}")
    return payloads, labels


def find_types(field: Schema) -> list[str]:
    """Return the JSON types that a field of `model_service.fields` may have."""
    types = field.get("type", "string")
    return [types] if isinstance(types, str) else list(types)


def read_cell(cell: str, types: Sequence[str], *, has_comma: bool = False) -> Any:
    """Return what a cell stands for: null where it is empty or a word for a missing value.

    Args:
        cell: As it stands in the file.
        types: JSON types of its field.
        has_comma: Whether a number may have a decimal comma, as in files with semicolons.

    Raises:
        ValueError: It is none of the types; the message does not repeat it.
    """
    text = cell.strip()
    if text in MISSING_WORDS:
        return None
    if "boolean" in types and text.lower() in _BOOLEANS:
        return _BOOLEANS[text.lower()]
    if "integer" in types or "number" in types:
        value = read_number(text, has_comma=has_comma)
        if value is not None:
            return int(value) if "integer" in types and value.is_integer() else value
    if "string" not in types:
        raise ValueError(f"a cell is not of the type {' or '.join(types)}")
    return cell


def read_number(text: str, *, has_comma: bool = False) -> float | None:
    """Return the finite number that a text is; ``None`` where it is none, as ``1_000`` and ``inf``."""
    text = text.replace(",", ".") if has_comma else text
    value = float(text) if _NUMBER.fullmatch(text) else math.inf
    return value if math.isfinite(value) else None


def _split(header: str, delimiter: str) -> list[str]:
    return [name.strip() for name in next(csv.reader([header], delimiter=delimiter), [])]
