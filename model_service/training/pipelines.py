"""What a trained pipeline says of itself: its columns, their kinds, its classes. Needs scikit-learn."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import is_classifier, is_regressor
from sklearn.compose import ColumnTransformer

from model_service.training.missing_texts import walk_fitted

_FRAMES = "train it on a data frame, whose columns have names, or on an array of numbers"


@dataclass(frozen=True, slots=True)
class PipelineFacts:
    """What is known of a trained pipeline.

    Attributes:
        kind: Name of its class.
        columns: Columns that it reads, in its order; empty where it was trained on an array.
        width: How many columns it was trained on.
        values: Categories that its encoders know, by column: texts or numbers.
        is_classifier: Whether it predicts classes.
        classes: The classes.
        has_probabilities: Whether it says how probable each class is.
        takes_matrix: Whether it reads its columns together, as one array.
    """

    kind: str
    columns: tuple[str, ...]
    width: int
    values: dict[str, list[Any]]
    is_classifier: bool
    classes: tuple[Any, ...]
    has_probabilities: bool
    takes_matrix: bool


def describe_pipeline(pipeline: Any) -> PipelineFacts:
    """Return what a trained pipeline, or a lone estimator, says of itself.

    Raises:
        ValueError: It is none, is not trained, or predicts what no output can hold; the message says so.
    """
    if not hasattr(pipeline, "get_params") or not (is_classifier(pipeline) or is_regressor(pipeline)):
        raise ValueError(f"{type(pipeline).__name__} is neither a classifier nor a regressor of scikit-learn")
    width = getattr(pipeline, "n_features_in_", None)
    if width is None:
        raise ValueError(f"{type(pipeline).__name__} does not know its columns, or is not trained; {_FRAMES}")
    names = [str(name) for name in getattr(pipeline, "feature_names_in_", ())]
    first = _find_first(pipeline)
    used = names
    values: dict[str, list[Any]] = {}
    if isinstance(first, ColumnTransformer) and names:
        branches = list(_list_branches(first, names))
        reads = {name for columns, _ in branches for name in columns}
        used = [name for name in names if name in reads]
        for columns, transformer in branches:
            values |= _find_values(columns, transformer)
    elif names:
        values = _find_values(names, first)
    return PipelineFacts(
        type(pipeline).__name__,
        tuple(used),
        int(width),
        values,
        is_classifier(pipeline),
        tuple(map(_plain, _find_classes(pipeline))) if is_classifier(pipeline) else (),
        hasattr(pipeline, "predict_proba"),
        not isinstance(first, ColumnTransformer) and not any(isinstance(v, str) for vs in values.values() for v in vs),
    )


def _find_first(pipeline: Any) -> Any:
    """Return the step that the rows meet first."""
    while True:
        if hasattr(pipeline, "best_estimator_"):
            pipeline = pipeline.best_estimator_
        elif hasattr(pipeline, "steps"):
            pipeline = pipeline.steps[0][1]
        else:
            return pipeline


def _list_branches(transformer: ColumnTransformer, names: Sequence[str]) -> Iterator[tuple[list[str], Any]]:
    for _, branch, columns in transformer.transformers_:
        if isinstance(branch, str) and branch == "drop":
            continue
        chosen: Any = [columns] if isinstance(columns, str | int) else columns
        if isinstance(chosen, slice):
            is_named = isinstance(chosen.start or chosen.stop, str)
            first, last = (names.index(end) if is_named and end else end for end in (chosen.start, chosen.stop))
            yield list(names[first : last + 1 if is_named and last is not None else last]), branch
            continue
        listed = list(chosen)
        if listed and isinstance(listed[0], bool | np.bool_):
            listed = [place for place, is_chosen in enumerate(listed) if is_chosen]
        yield [name if isinstance(name, str) else names[name] for name in listed], branch


def _find_values(columns: Sequence[str], transformer: Any) -> dict[str, list[Any]]:
    """Return the categories of the first encoder that sees these columns as they are."""
    if isinstance(transformer, str):
        return {}
    for step in walk_fitted(transformer):
        categories = getattr(step, "categories_", None)
        if categories is not None and len(categories) == len(columns):
            return {
                name: [_plain(value) for value in values if not _is_missing(value)]
                for name, values in zip(columns, categories, strict=True)
            }
    return {}


def _find_classes(pipeline: Any) -> Any:
    classes = pipeline.classes_
    if isinstance(classes, list) or np.asarray(classes).ndim != 1:
        raise ValueError(f"{type(pipeline).__name__} predicts several targets at once; make a pipeline for each")
    return classes


def _plain(value: Any) -> Any:
    """Return a value as JSON has it; whole numbers are integers."""
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, float) and plain.is_integer():
        return int(plain)
    if not isinstance(plain, str | int | float | bool):
        raise ValueError(f"a class or category is of the type {type(plain).__name__}, which JSON does not have")
    return plain


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))
