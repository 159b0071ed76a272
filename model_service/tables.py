"""`Table`: rows as columns, one NumPy array per field. For models that have `MLModel.predict_columns`.

It is sliced and added to as a list of rows is, so it waits in the same queues. Without such a model nothing imports it.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Columns = Mapping[str, NDArray[Any]]


class Table:
    """Rows as columns; a slice shares their memory.

    Args:
        columns: Arrays of one dimension, as long as each other; at least one. What lies inside an object has a dotted
            name, such as ``probabilities.setosa``. NaN is a number that is null or missing.
    """

    def __init__(self, columns: Columns) -> None:
        self._parts = [columns]
        self._rows = len(next(iter(columns.values())))

    def __len__(self) -> int:
        return self._rows

    def __getitem__(self, rows: slice) -> "Table":
        return Table({name: column[rows] for name, column in self.columns.items()})

    def __iadd__(self, other: "Table") -> "Table":
        self._parts.append(other.columns)
        self._rows += len(other)
        return self

    @property
    def columns(self) -> Columns:
        """The arrays by name."""
        if len(self._parts) > 1:
            self._parts = [{name: np.concatenate([part[name] for part in self._parts]) for name in self._parts[0]}]
        return self._parts[0]

    def answer(self, found: object) -> "Table":
        """Return the outputs of these rows.

        Args:
            found: What `MLModel.predict_columns` returned for them.

        Raises:
            ValueError: It is no mapping of arrays, each with one value per row.
        """
        if not isinstance(found, Mapping) or not found:
            raise ValueError(f"predict_columns answered a {type(found).__name__} instead of columns by name")
        for name, column in found.items():
            if not isinstance(column, np.ndarray) or column.shape != (self._rows,):
                raise ValueError(f"predict_columns answered no array of shape ({self._rows},) for '{name}'")
        return Table(found)
