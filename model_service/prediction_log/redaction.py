"""Which fields are left out of the log. A path such as ``address.street`` also leads through the entries of arrays.

A path that is none of the schema's stops the service: with a slip of the pen, what is to stay private would be written.
"""

from collections.abc import Sequence
from typing import Any

from model_service.config_predictions import ModelLogConfig
from model_service.errors import ConfigInvalid
from model_service.records import ModelInfo, Schema
from model_service.schema.node import Node, read_node


def check_paths(config: ModelLogConfig, info: ModelInfo) -> None:
    """Make sure that every field that is to be left out is one of the model's.

    Raises:
        ConfigInvalid: Names the one that is not.
    """
    for key, paths, schema in (
        ("redact", config.redact, info.input_schema),
        ("redact_outputs", config.redact_outputs, info.output_schema),
    ):
        for path in paths:
            if not has_path(schema, path):
                known = ", ".join(list(read_node(schema).fields())[:20]) or "none that have names"
                raise ConfigInvalid(
                    f"'prediction_log.{key}' of model '{info.qualified_name}' names '{path}', which is no field of its "
                    f"schema; its fields: {known}"
                )


def has_path(schema: Schema, path: str) -> bool:
    """Whether a schema has a field of that path; those that it does not name count as not there."""
    return _leads(read_node(schema), path)


def leave_out(document: Any, paths: Sequence[str]) -> Any:
    """Return a document without some fields; the one that is given is not changed."""
    for path in paths:
        document = _drop(document, path)
    return document


def _leads(node: Node | None, path: str) -> bool:
    if node is None or node.returns_to is not None:
        return False
    fields = node.fields()
    if any(rest is None or _leads(fields[name], rest) for name, rest in _split(path, fields)):
        return True
    inside = [*node.first_entries(), node.entry()]
    inside += [branch for each in node.alternatives() for branch in each.branches]
    return any(_leads(each, path) for each in inside)


def _drop(document: Any, path: str) -> Any:
    if isinstance(document, list):
        return [_drop(entry, path) for entry in document]
    if not isinstance(document, dict):
        return document
    left = dict(document)
    for name, rest in _split(path, document):
        if rest is None:
            del left[name]
        else:
            left[name] = _drop(left[name], rest)
    return left


def _split(path: str, names: Any) -> list[tuple[str, str | None]]:
    """Return each field that a path may begin with, and what follows: a name may hold a dot itself."""
    parts = path.split(".")
    heads = [(".".join(parts[:count]), ".".join(parts[count:]) or None) for count in range(1, len(parts) + 1)]
    return [(head, rest) for head, rest in heads if head in names]
