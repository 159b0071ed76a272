"""What the keys of the configuration are called, take and mean: for the loader, the messages and the documents."""

import dataclasses
import types
import typing
from collections.abc import Iterator
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml

from model_service.config import ServiceConfig


def describe_settings() -> Iterator[tuple[str, str, str, str]]:
    """Yield ``(path, type, default, sentence)`` of every key, in the order of the dataclasses."""
    yield from _describe(ServiceConfig, "")


def list_keys(kind: type) -> list[tuple[str, "dataclasses.Field[Any]", Any]]:
    """Return the key in YAML, the field and the annotation of every field of a dataclass, in order."""
    hints = typing.get_type_hints(kind)
    return [(field.metadata["key"] or field.name, field, hints[field.name]) for field in dataclasses.fields(kind)]


def find_scalar(annotation: Any) -> type:
    """Return ``X`` of ``X`` and of ``X | None``."""
    if isinstance(annotation, types.UnionType):
        annotation = next(kind for kind in typing.get_args(annotation) if kind is not types.NoneType)
    return typing.cast(type, annotation)


def describe_type(annotation: Any, field: "dataclasses.Field[Any]") -> str:
    """Return what a key's value must be, in words: ``an integer from 1 to 65535``."""
    if typing.get_origin(annotation) is tuple:
        return "a list, each entry " + describe_type(typing.get_args(annotation)[0], field)
    scalar = find_scalar(annotation)
    bounds = field.metadata["bounds"]
    if issubclass(scalar, StrEnum):
        text = "one of " + ", ".join(scalar)
    elif bounds is not None:
        text = f"{'an integer' if scalar is int else 'a number'} from {bounds[0]} to {bounds[1]}"
    else:
        text = {str: "a string", bool: "true or false", Path: "a path", date: "a day like 2027-01-31"}[scalar]
    return text if scalar is annotation else f"{text}, or null"


def _describe(kind: type, prefix: str) -> Iterator[tuple[str, str, str, str]]:
    for key, field, annotation in list_keys(kind):
        path = prefix + key
        if dataclasses.is_dataclass(annotation):
            yield from _describe(typing.cast(type, annotation), f"{path}.")
        elif typing.get_origin(annotation) is tuple and dataclasses.is_dataclass(typing.get_args(annotation)[0]):
            yield from _describe(typing.get_args(annotation)[0], f"{path}[].")
        else:
            default = "(required)" if field.default is dataclasses.MISSING else yaml.safe_dump(_plain(field.default))
            yield path, describe_type(annotation, field), default.removesuffix("...\n").strip(), field.metadata["help"]


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, Path):
        return str(value)
    return value.value if isinstance(value, StrEnum) else value
