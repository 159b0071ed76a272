"""Payloads to NumPy columns, one pass each. For model packages; the platform never imports it.

A value that is null or absent becomes what stands for a missing one: NaN among numbers, an empty text among
texts. Training reads its table through the same functions, so that graph and model agree on it.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from math import nan
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_service.records import Payload

Numbers = NDArray[np.float32]


def read_numbers(payloads: Sequence[Payload], name: str, *, missing: float = nan) -> Numbers:
    """Return one field as an array of shape (payloads,)."""
    values = (missing if (value := payload.get(name)) is None else value for payload in payloads)
    return np.fromiter(values, np.float32, len(payloads))


def read_texts(payloads: Sequence[Payload], name: str, *, missing: str = "") -> NDArray[np.object_]:
    """Return one field as an array of texts, of shape (payloads,); graphs take it as a tensor of strings."""
    return np.array([missing if (value := payload.get(name)) is None else value for payload in payloads], dtype=object)


def read_codes(payloads: Sequence[Payload], name: str, values: Iterable[Any], *, missing: float = nan) -> Numbers:
    """Return the place of each row's value among ``values``, of shape (payloads,).

    Raises:
        KeyError: A value is not among them; the schema's `fields.choice` lets none through.
    """
    codes: dict[Any, float] = {value: float(place) for place, value in enumerate(values)}
    codes[None] = missing
    return np.fromiter((codes[payload.get(name)] for payload in payloads), np.float32, len(payloads))


def read_matrix(payloads: Sequence[Payload], names: Sequence[str]) -> Numbers:
    """Return fields that every payload has, none of them null, as an array of shape (payloads, names)."""
    if len(names) == 1:
        return read_numbers(payloads, names[0])[:, np.newaxis]
    values = chain.from_iterable(map(itemgetter(*names), payloads))
    return np.fromiter(values, np.float32, len(payloads) * len(names)).reshape(-1, len(names))


def stack_columns(columns: Mapping[str, NDArray[Any]], names: Sequence[str]) -> Numbers:
    """Return what `read_matrix` returns, of the columns of `MLModel.predict_columns`."""
    return np.stack([columns[name] for name in names], axis=1, dtype=np.float32, casting="same_kind")


def read_columns(
    payloads: Sequence[Payload],
    *,
    numbers: Iterable[str] = (),
    texts: Iterable[str] = (),
    missing: Mapping[str, Any] | None = None,
) -> dict[str, NDArray[Any]]:
    """Return each field as an array of shape (payloads, 1): the inputs of a graph that has one per column.

    Args:
        payloads: Rows.
        numbers: Fields that are numbers.
        texts: Fields that are texts.
        missing: What stands for a missing value of a field, where it is not NaN or an empty text.
    """
    stand_in = missing or {}
    columns: dict[str, NDArray[Any]] = {
        name: read_numbers(payloads, name, missing=stand_in.get(name, nan)) for name in numbers
    }
    columns |= {name: read_texts(payloads, name, missing=stand_in.get(name, "")) for name in texts}
    return {name: column[:, np.newaxis] for name, column in columns.items()}
