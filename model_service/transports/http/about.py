"""What the page about a model shows of it, decided here and drawn in `templates/model.html`. No HTML."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from markupsafe import Markup

from model_service.records import ModelInfo
from model_service.schema.outline import OutlineRow, build_outline
from model_service.transports.http.cards import render_card

#: What each result of a training says, see `model_service.training.runs`.
_RESULT_NAMES = {"model", "split", "metric", "value", "spread"}


@dataclass(frozen=True, slots=True)
class SchemaView:
    """One schema of a model, for people and as it is.

    Attributes:
        document: The row of the whole payload or output.
        rows: One row per field.
        text: The JSON Schema itself.
    """

    document: OutlineRow
    rows: tuple[OutlineRow, ...]
    text: str

    @classmethod
    def of(cls, schema: dict[str, Any]) -> Self:
        """Return the view of a schema."""
        document, *rows = build_outline(schema)
        return cls(document, tuple(rows), write_json(schema))


@dataclass(frozen=True, slots=True)
class Table:
    """Texts in rows.

    Attributes:
        title: Where the values stand in the metrics; empty for those at the top.
        columns: Empty when each row is a name and its value.
        numeric: Which columns hold numbers alone.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: tuple[bool, ...] = ()


@dataclass(frozen=True, slots=True)
class About:
    """Everything about a model whose class is known."""

    input: SchemaView
    output: SchemaView
    examples: tuple[str, ...]
    quality: tuple[Table, ...]
    card: Markup

    @classmethod
    def of(cls, info: ModelInfo) -> Self:
        """Return what there is to say about a model."""
        return cls(
            input=SchemaView.of(info.input_schema),
            output=SchemaView.of(info.output_schema),
            examples=tuple(write_json(example) for example in info.examples),
            quality=tuple(tabulate(info.metrics)),
            card=render_card(info.card),
        )


def write_json(document: Any) -> str:
    """Return a JSON document indented for people."""
    return _printable(json.dumps(document, indent=2, ensure_ascii=False))


def tabulate(metrics: Mapping[str, Any], title: str = "") -> Iterator[Table]:
    """Yield nested measurements as flat tables: the plain values of an object first, then each list of objects.

    Results of the shape that `model_service.training` writes become one table per split.
    """
    facts = tuple((_words(name), _write(value)) for name, value in metrics.items() if not _is_nested(value))
    if facts:
        yield Table(title, (), facts)
    for name, value in metrics.items():
        heading = f"{title}, {_words(name)}" if title else _words(name)
        if isinstance(value, Mapping):
            yield from tabulate(value, heading)
        elif _is_results(value):
            yield from _tabulate_results(value)
        elif _is_nested(value):
            yield _tabulate_rows(value, heading)


def _tabulate_rows(values: Sequence[Any], title: str) -> Table:
    """Return a table of a list that holds objects: one column per name, in the order of their first appearance."""
    rows = [dict(_flatten(value)) for value in values]
    names = tuple(dict.fromkeys(name for row in rows for name in row))
    return Table(
        title,
        tuple(_words(name) for name in names),
        tuple(tuple(_write(row[name]) if name in row else "" for name in names) for row in rows),
        tuple(all(_is_number(row[name]) for row in rows if name in row) for name in names),
    )


def _is_results(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(entry, Mapping)
        and entry.keys() == _RESULT_NAMES
        and all(isinstance(entry[name], str) for name in ("model", "split", "metric"))
        for entry in value
    )


def _tabulate_results(results: Sequence[Mapping[str, Any]]) -> Iterator[Table]:
    """Yield a table per split: one row per model, one column per metric."""
    for split in dict.fromkeys(result["split"] for result in results):
        cells: dict[str, dict[str, str]] = {}
        for result in results:
            if result["split"] == split:
                spread = "" if result["spread"] is None else f" ± {_write(result['spread'])}"
                cells.setdefault(result["model"], {})[result["metric"]] = _write(result["value"]) + spread
        metrics = tuple(dict.fromkeys(metric for row in cells.values() for metric in row))
        yield Table(
            _printable(split),
            ("model", *map(_words, metrics)),
            tuple((_printable(model), *(row.get(metric, "") for metric in metrics)) for model, row in cells.items()),
            (False, *(True for _ in metrics)),
        )


def _flatten(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for name, child in value.items():
            yield from _flatten(child, f"{path}, {name}" if path else name)
    else:
        yield path or "value", value


def _is_nested(value: Any) -> bool:
    """Whether a value needs a table of its own; a list of plain values is one text."""
    if isinstance(value, list):
        return any(isinstance(entry, Mapping) for entry in value)
    return isinstance(value, Mapping) and bool(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _words(name: str) -> str:
    return _printable(name.replace("_", " "))


def _write(value: Any) -> str:
    if isinstance(value, str):
        return _printable(value)
    if isinstance(value, list) and not any(isinstance(entry, list | Mapping) for entry in value):
        return ", ".join(_write(entry) for entry in value)
    return _printable(json.dumps(value, ensure_ascii=False))


def _printable(text: str) -> str:
    """Return a text without halves of surrogate pairs, which JSON files may hold and no page can."""
    return text.encode("utf-8", "replace").decode()
