"""A scikit-learn pipeline as an ONNX graph. Needs the extra ``train``."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skl2onnx import to_onnx
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, StringTensorType
from sklearn.base import BaseEstimator, is_classifier

from model_service.training.doubles import cast_before_trees, replace_imputers
from model_service.training.missing_texts import empty_missing_texts, fill_missing_texts
from model_service.training.parity import ExportFailed, Parity, compare

#: Of the operators, and of those for machine learning: what ONNX Runtime and the converter both know well.
OPSETS = {"": 17, "ai.onnx.ml": 3}
#: The one input of a graph that was made from an array.
ARRAY_INPUT = "features"
#: What the converter calls its outputs.
OUTPUTS = frozenset({"label", "probabilities", "variable"})
_CAUSE_CHARACTERS = 300
_WITHOUT_INDICATOR = (
    "set add_indicator=False; if the model needs to know what was missing, compute such a column (1 or 0) before the "
    "pipeline, with one function that `encode` calls as well"
)
_IN_DOUBLE = "where trees are among its steps, try is_double=True, and give float64 in `encode`"
#: What to do about a step that the converter does not know, or knows wrong, by the start of its class's name.
_INSTEAD = {
    "HistGradientBoosting": "use GradientBoosting of the same kind, after a SimpleImputer",
    "TargetEncoder": "use OneHotEncoder or OrdinalEncoder",
    "FunctionTransformer": "compute these columns before the pipeline, with one function that `encode` calls as well",
}


def export_sklearn(
    pipeline: Any, frame: Any, path: Path, *, tolerance: float = 1e-4, is_double: bool = False
) -> Parity:
    """Write a trained pipeline as a graph and compare both on every row of a frame.

    The graph has one input per column, of shape (rows, 1): float32 for numbers, in which NaN is a missing value;
    strings for texts, in which the empty one is, also where the pipeline was trained with NaN or None. A frame that is
    an array has the one input ``features``. A classifier has the outputs ``label`` and ``probabilities``, a
    regressor ``variable``.

    Args:
        pipeline: A trained pipeline or estimator; a `ColumnTransformer` in it names its columns.
        frame: Rows as the pipeline was trained on them: a data frame, or an array of numbers.
        path: Where the graph goes.
        tolerance: Largest difference that counts as none.
        is_double: Whether the graph reads and scales numbers as float64, as scikit-learn does: where trees answer some
            rows otherwise. `encode` must give float64 then.

    Returns:
        How the graph compares with the pipeline.

    Raises:
        ExportFailed: Says what cannot be converted, or that the graph is not the pipeline, and what to do instead.
    """
    inputs = read_frame(frame, is_double=is_double)
    types = [(name, _find_type(column)) for name, column in inputs.items()]
    _check_names(inputs)
    _check_steps(pipeline)
    converted = empty_missing_texts(pipeline) if any(_has_missing_texts(frame, name) for name in inputs) else pipeline
    converted = cast_before_trees(converted) if is_double else converted
    options = {id(converted): {"zipmap": False}} if is_classifier(pipeline) else None
    try:
        graph = to_onnx(converted, initial_types=types, options=options, target_opset=OPSETS)
        if is_double:
            replace_imputers(graph)
    except Exception as error:  # the converter raises what its dependencies raise
        raise ExportFailed(explain(pipeline, error)) from None
    _restore_names(graph.graph, [name for name, _ in types])
    _sort_operator_sets(graph)
    path.write_bytes(graph.SerializeToString(deterministic=True))
    try:
        if is_classifier(pipeline):
            return compare(path, inputs, pipeline.predict_proba(frame), "probabilities", tolerance=tolerance)
        return compare(path, inputs, pipeline.predict(frame), "variable", tolerance=tolerance)
    except ExportFailed as error:
        raise error if is_double else ExportFailed(f"{error}; {_IN_DOUBLE}") from None


def read_frame(frame: Any, *, is_double: bool = False) -> dict[str, NDArray[Any]]:
    """Return the columns as the graph takes them.

    Args:
        frame: A data frame, or an array of numbers.
        is_double: Whether numbers are float64.

    Raises:
        ExportFailed: A column is neither number nor text.
    """
    if isinstance(frame, np.ndarray):
        return {ARRAY_INPUT: frame.astype(np.float64 if is_double else np.float32)}
    columns = {str(name): _read_column(str(name), frame[name].to_numpy()) for name in frame.columns}
    return {
        name: (column if is_double or column.dtype.kind == "O" else column.astype(np.float32))[:, np.newaxis]
        for name, column in columns.items()
    }


def _read_column(name: str, values: NDArray[Any]) -> NDArray[Any]:
    if values.dtype.kind in "fiub":
        return values.astype(np.float64)
    if all(isinstance(value, str) or value is None or value != value for value in values):
        return fill_missing_texts(values)
    raise ExportFailed(
        f"cannot convert the column '{name}', because its values are neither numbers nor texts ({values.dtype}); "
        "instead turn it into one or the other before training"
    )


def _restore_names(graph: Any, names: list[str]) -> None:
    """Call the inputs as the columns are called: the converter puts ``_`` for what no identifier has."""
    if len(graph.input) != len(names):
        return  # a column that no step reads is no input
    changed = {value.name: name for value, name in zip(graph.input, names, strict=True) if value.name != name}
    for value in graph.input:
        value.name = changed.get(value.name, value.name)
    for node in graph.node:
        node.input[:] = [changed.get(name, name) for name in node.input]


def _sort_operator_sets(graph: Any) -> None:
    """Make equal graphs equal bytes: the exporter lists these in the order of a Python set."""
    operator_sets = sorted(graph.opset_import, key=lambda operator_set: operator_set.domain)
    del graph.opset_import[:]
    graph.opset_import.extend(operator_sets)


def _has_missing_texts(frame: Any, name: str) -> bool:
    if isinstance(frame, np.ndarray):
        return False
    values = frame[name].to_numpy()
    return values.dtype.kind not in "fiub" and not all(isinstance(value, str) for value in values)


def _find_type(column: NDArray[Any]) -> Any:
    shape = [None, column.shape[1]]
    if column.dtype.kind == "O":
        return StringTensorType(shape)
    return DoubleTensorType(shape) if column.dtype == np.float64 else FloatTensorType(shape)


def _check_names(inputs: Iterable[str]) -> None:
    """Refuse a column that would be called like an output of the graph."""
    if taken := OUTPUTS.intersection(inputs):
        raise ExportFailed(
            f"cannot convert the column '{min(taken)}', because an output of the graph has that name; "
            "instead rename the column and train again"
        )


def _check_steps(pipeline: Any) -> None:
    """Refuse what the converter would leave out in silence, or would blame another step for."""
    for path, step in _walk(pipeline):
        if getattr(step, "add_indicator", False):
            place = f" (the step '{path}')" if path else ""
            raise ExportFailed(
                f"cannot convert {type(step).__name__}{place}, because skl2onnx does not know add_indicator; "
                f"instead {_WITHOUT_INDICATOR}"
            )


def explain(pipeline: Any, error: BaseException) -> str:
    """Return one sentence about a conversion that failed: what, why, and what to do instead."""
    names = [type(step).__name__ for _, step in _walk(pipeline)]
    known = [(name, advice) for name in names for start, advice in _INSTEAD.items() if name.startswith(start)]
    while error.__cause__ is not None:  # the converter wraps the cause into thousands of lines
        error = error.__cause__
    text = " ".join(str(error).split())
    named = [name for name in names if name in text and name not in ("Pipeline", "ColumnTransformer")]
    culprit = known[0][0] if known else named[0] if named else type(pipeline).__name__
    advice = known[0][1] if known else "use a step that skl2onnx supports, or compute that step before the pipeline"
    cause = text if len(text) <= _CAUSE_CHARACTERS else f"{text[:_CAUSE_CHARACTERS]}..."
    return f"cannot convert {culprit}, because the converter failed ({type(error).__name__}: {cause}); instead {advice}"


def _walk(estimator: Any) -> Iterator[tuple[str, Any]]:
    """Yield an estimator and all that it is made of, each with its path as `set_params` spells it."""
    yield "", estimator
    for path, value in estimator.get_params(deep=True).items() if isinstance(estimator, BaseEstimator) else ():
        if isinstance(value, BaseEstimator):
            yield path, value
