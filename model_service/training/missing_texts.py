"""Trained pipelines whose missing texts are empty ones, because a graph knows no missing text.

What is changed is a copy of fitted encoders and imputers: NaN or None among their categories, and as what they fill,
becomes the empty text. `export_sklearn` compares the graph with the pipeline as it was.
"""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: What stands for a missing text in a graph, as in `model_service.columns`.
EMPTY = ""


def empty_missing_texts(pipeline: Any) -> Any:
    """Return a copy of a trained pipeline that takes the empty text where the original takes a missing one."""
    changed = deepcopy(pipeline)
    for step in walk_fitted(changed):
        if hasattr(step, "categories_"):
            step.categories_ = [_empty_missing(values) for values in step.categories_]
        statistics = getattr(step, "statistics_", None)
        if hasattr(step, "missing_values") and statistics is not None and _is_missing(step.missing_values):
            has_texts = np.asarray(statistics).dtype.kind in "OUT" and any(isinstance(v, str) for v in statistics)
            step.missing_values = EMPTY if has_texts else step.missing_values
    return changed


def walk_fitted(estimator: Any) -> Iterator[Any]:
    """Yield an estimator and every fitted one inside it; pipelines and column transformers keep them in lists."""
    yield estimator
    inner = [value for name, value in vars(estimator).items() if name in ("steps", "transformers_", "transformer_list")]
    for entries in inner:
        for entry in entries:
            if hasattr(entry[1], "get_params"):
                yield from walk_fitted(entry[1])
    for name in ("estimator_", "best_estimator_", "regressor_"):
        if hasattr(vars(estimator).get(name), "get_params"):
            yield from walk_fitted(vars(estimator)[name])


def fill_missing_texts(values: NDArray[Any]) -> NDArray[Any]:
    """Return texts with the empty one where one is missing."""
    return np.array([EMPTY if _is_missing(value) else value for value in values], dtype=object)


def _empty_missing(categories: NDArray[Any]) -> NDArray[Any]:
    if not any(isinstance(value, str) for value in categories):
        return categories
    return np.array([EMPTY if _is_missing(value) else value for value in categories], dtype=object)


def _is_missing(value: Any) -> bool:
    return value is None or (not isinstance(value, str) and bool(value != value)) or type(value).__name__ == "NAType"
