"""Shapley values of a forest of shallow trees, exact: what each column adds to the probability.

The value of a set of columns is what the forest says when only they are known: a split on any other column
sends a row both ways, by the shares of the training rows (path-dependent, as in Lundberg, Erion and Lee,
"Consistent individualized feature attribution for tree ensembles", 2018). A leaf of a tree of depth three
depends on three columns at most, so what it adds is tabulated for each of the eight cases of which of its
conditions a row meets. Training builds the tables; serving looks up.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from itertools import combinations, product
from math import factorial, prod
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

DEPTH = 3


@dataclass(frozen=True)
class Reasons:
    """The tables of all leaves.

    Attributes:
        base: The mean of the forest over its training rows.
        columns: Shape (leaves, 3): which columns a leaf depends on.
        low: Shape (leaves, 3): a condition is met above this ...
        high: ... and up to this.
        tables: Shape (leaves, 8, 3): what the columns add, by case.
        sums: Shape (leaves * 3, columns): adds up by column.
    """

    base: NDArray[np.float64]
    columns: NDArray[np.int64]
    low: NDArray[np.float32]
    high: NDArray[np.float32]
    tables: NDArray[np.float32]
    sums: NDArray[np.float32]

    @classmethod
    def of(cls, forest: Any, columns: int) -> Self:
        """Return the tables of a trained `RandomForestClassifier` of depth 3 with two classes."""
        leaves = [leaf for tree in forest.estimators_ for leaf in _find_leaves(tree.tree_)]
        places = np.array([[condition[0] for condition in leaf[1]] for leaf in leaves])
        bounds = np.array([[condition[1:3] for condition in leaf[1]] for leaf in leaves])
        trees = len(forest.estimators_)
        base = sum(value * prod(share for *_, share in conditions) for value, conditions in leaves) / trees
        tables = np.array([_tabulate(value / trees, [share for *_, share in pads]) for value, pads in leaves])
        sums = np.eye(columns, dtype=np.float32)[places.ravel()]
        return cls(
            base=np.array(base),
            columns=places,
            low=_round_down(bounds[..., 0]),
            high=_round_down(bounds[..., 1]),
            tables=tables.astype(np.float32),
            sums=sums,
        )

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as arrays:
            return cls(*(arrays[field.name] for field in fields(cls)))

    def save(self, path: Path) -> None:
        """Write the tables; equal tables are equal bytes."""
        with path.open("wb") as file:
            np.savez(file, **{field.name: getattr(self, field.name) for field in fields(self)})

    def explain(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return shape (rows, columns): what each column adds; with `base` a row's sum is its probability."""
        values = features[:, self.columns]
        is_met = ((values > self.low) & (values <= self.high)).view(np.uint8)
        cases = is_met[..., 0] * 4 + is_met[..., 1] * 2 + is_met[..., 2]
        added = self.tables[np.arange(len(self.tables)), cases]
        reasons: NDArray[np.float32] = added.reshape(len(features), -1) @ self.sums
        return reasons


def _find_leaves(tree: Any, node: int = 0, path: dict[int, Any] | None = None) -> Iterator[tuple[float, list[Any]]]:
    """Yield each leaf: its probability, and per column of its path (column, low, high, share of rows that meet it)."""
    path = path or {}
    if tree.children_left[node] < 0:
        counts = tree.value[node][0]
        # A column that is not asked counts as one that every row meets.
        conditions = [(column, *bounds) for column, bounds in path.items()]
        yield counts[1] / counts.sum(), conditions + [(0, -np.inf, np.inf, 1.0)] * (DEPTH - len(conditions))
        return
    column, threshold = int(tree.feature[node]), float(tree.threshold[node])
    low, high, share = path.get(column, (-np.inf, np.inf, 1.0))
    rows = tree.weighted_n_node_samples
    for child, bounds in (
        (tree.children_left[node], (low, min(high, threshold))),
        (tree.children_right[node], (max(low, threshold), high)),
    ):
        yield from _find_leaves(tree, child, {**path, column: (*bounds, share * rows[child] / rows[node])})


def _tabulate(value: float, shares: list[float]) -> list[list[float]]:
    return [
        [_find_addition(value, shares, case, place) for place in range(DEPTH)] for case in product((0, 1), repeat=3)
    ]


def _find_addition(value: float, shares: list[float], case: tuple[int, ...], place: int) -> float:
    """Return the Shapley value of one condition of a leaf: its mean addition over all orders of learning them."""
    others = [other for other in range(DEPTH) if other != place]
    total = 0.0
    for size in range(DEPTH):
        weight = factorial(size) * factorial(DEPTH - size - 1) / factorial(DEPTH)
        for known in combinations(others, size):
            total += weight * prod(case[other] if other in known else shares[other] for other in others)
    return value * total * (case[place] - shares[place])


def _round_down(bounds: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return float32 that splits float32 values as the double does."""
    near = bounds.astype(np.float32)
    return np.where(near > bounds, np.nextafter(near, np.float32(-np.inf)), near)
