"""A scikit-learn pipeline as an ONNX graph. Needs the extra ``train``."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.base import BaseEstimator, is_classifier

from model_service.training.parity import ExportFailed, Parity, compare

#: Of the operators, and of those for machine learning: what ONNX Runtime and the converter both know well.
OPSETS = {"": 17, "ai.onnx.ml": 3}
#: The one input of a graph that was made from an array.
ARRAY_INPUT = "features"
_CAUSE_CHARACTERS = 300
_WITHOUT_INDICATOR = (
    "set add_indicator=False; if the model needs to know what was missing, compute such a column (1 or 0) before the "
    "pipeline, with one function that `encode` calls as well"
)
#: What to do about a step that the converter does not know, or knows wrong, by the start of its class's name.
_INSTEAD = {
    "HistGradientBoosting": "use GradientBoosting of the same kind, after a SimpleImputer",
    "TargetEncoder": "use OneHotEncoder or OrdinalEncoder",
    "FunctionTransformer": "compute these columns before the pipeline, with one function that `encode` calls as well",
}


def export_sklearn(pipeline: Any, frame: Any, path: Path, *, tolerance: float = 1e-4) -> Parity:
    """Write a trained pipeline as a graph and compare both on every row of a frame.

    The graph has one input per column, of shape (rows, 1): float32 for numbers, in which NaN is a missing value;
    strings for texts, in which the empty one is. A frame that is an array has the one input ``features``. A
    classifier has the outputs ``label`` and ``probabilities``, a regressor ``variable``.

    Args:
        pipeline: A trained pipeline or estimator; a `ColumnTransformer` in it names its columns.
        frame: Rows as the pipeline was trained on them: a data frame, or an array of numbers.
        path: Where the graph goes.
        tolerance: Largest difference that counts as none.

    Returns:
        How the graph compares with the pipeline.

    Raises:
        ExportFailed: Says what cannot be converted, or that the graph is not the pipeline, and what to do instead.
    """
    inputs = read_frame(frame)
    types = [(name, _find_type(column)) for name, column in inputs.items()]
    _check_steps(pipeline)
    options = {id(pipeline): {"zipmap": False}} if is_classifier(pipeline) else None
    try:
        graph = to_onnx(pipeline, initial_types=types, options=options, target_opset=OPSETS)
    except Exception as error:  # the converter raises what its dependencies raise
        raise ExportFailed(explain(pipeline, error)) from None
    # The exporter lists the operator sets in the order of a Python set, which differs from run to run.
    operator_sets = sorted(graph.opset_import, key=lambda operator_set: operator_set.domain)
    del graph.opset_import[:]
    graph.opset_import.extend(operator_sets)
    path.write_bytes(graph.SerializeToString(deterministic=True))
    if is_classifier(pipeline):
        return compare(path, inputs, pipeline.predict_proba(frame), "probabilities", tolerance=tolerance)
    return compare(path, inputs, pipeline.predict(frame), "variable", tolerance=tolerance)


def read_frame(frame: Any) -> dict[str, NDArray[Any]]:
    """Return the columns as the graph takes them.

    Raises:
        ExportFailed: A text is missing, for which ONNX has no value, or a column is neither number nor text.
    """
    if isinstance(frame, np.ndarray):
        return {ARRAY_INPUT: frame.astype(np.float32)}
    return {str(name): _read_column(str(name), frame[name].to_numpy())[:, np.newaxis] for name in frame.columns}


def _read_column(name: str, values: NDArray[Any]) -> NDArray[Any]:
    if values.dtype.kind in "fiub":
        return values.astype(np.float32)
    if all(isinstance(value, str) for value in values):
        return values.astype(object)
    if all(isinstance(value, str) or value is None or value != value for value in values):
        raise ExportFailed(
            f"cannot convert the column '{name}', because some of its texts are missing and a graph knows no missing "
            f"text; instead train with an empty one: frame['{name}'] = frame['{name}'].fillna('')"
        )
    raise ExportFailed(
        f"cannot convert the column '{name}', because its values are neither numbers nor texts ({values.dtype}); "
        "instead turn it into one or the other before training"
    )


def _find_type(column: NDArray[Any]) -> Any:
    shape = [None, column.shape[1]]
    return StringTensorType(shape) if column.dtype.kind == "O" else FloatTensorType(shape)


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
