"""The regressor and its export: half a Gaussian process, half boosted trees. Used by ``bike_model.train`` only.

The process carries what is smooth (the service's growth, the year, the weather) and, by a second kernel over the
date alone, the level of the neighbouring days; the trees carry what is not smooth. Their errors differ, so
the mean is better than either.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, compose, helper
from scipy.optimize import minimize
from skl2onnx import to_onnx
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from threadpoolctl import threadpool_limits

from bike_model.features import COLUMNS, Floats

OPSETS = {"": 17, "ai.onnx.ml": 3}
#: The oldest intermediate representation that has these operators; newer run times read it too.
IR_VERSION = 8
#: Weight of each of the two; weights from 0.4 to 0.7 differ by less than the spread over splits.
HALF = 0.5
#: Five days, in units of the column ``recent``: how far the level of a day reaches.
LOCAL_LENGTH = 0.05
#: A length at which a column no longer matters.
IGNORED = 1e5
#: Steps of the search for the kernel's lengths; 40 gave the same error as 15.
SEARCH_STEPS = 15


@dataclass(frozen=True, slots=True)
class Ensemble:
    """The two fitted regressors, of which the prediction is the mean."""

    process: GaussianProcessRegressor
    trees: GradientBoostingRegressor

    def predict(self, features: Floats) -> Floats:
        """Return counts, shape (rows,), from features, shape (rows, columns)."""
        mean = HALF * self.process.predict(features) + HALF * self.trees.predict(features)
        return np.asarray(mean, dtype=np.float64)


def fit_ensemble(features: Floats, counts: Floats, *, seed: int) -> Ensemble:
    """Fit both regressors; the kernel's lengths are those of the highest marginal likelihood on the same rows."""
    process = GaussianProcessRegressor(_build_kernel(), normalize_y=True, optimizer=_search)
    trees = GradientBoostingRegressor(
        n_estimators=500,
        learning_rate=0.03,
        max_depth=4,
        min_samples_leaf=4,
        subsample=0.6,
        max_features=0.5,
        random_state=seed,
    )
    # One thread: the last bits of a matrix product depend on how it is shared out, and so would the artifacts.
    with threadpool_limits(limits=1), warnings.catch_warnings():
        # A length at its upper bound means that its column does not matter, which is an answer.
        warnings.simplefilter("ignore", ConvergenceWarning)
        process.fit(features, counts)
    return Ensemble(process, trees.fit(features, counts))


def _build_kernel() -> Any:
    lengths = np.full(len(COLUMNS), 3.0)
    bounds = np.tile([0.1, 300.0], (len(COLUMNS), 1))
    # The feeling temperature tells the process nothing that temperature, humidity and wind do not.
    for name in ("recent", "atemp"):
        lengths[COLUMNS.index(name)] = IGNORED
        bounds[COLUMNS.index(name)] = (IGNORED, IGNORED * 1.001)
    local = np.full(len(COLUMNS), IGNORED)
    local[COLUMNS.index("recent")] = LOCAL_LENGTH
    return (
        ConstantKernel(1.0, (0.05, 20)) * RBF(lengths, bounds)
        + ConstantKernel(0.02, (1e-4, 1)) * RBF(local, "fixed")
        + WhiteKernel(0.05, (0.01, 1))
    )


def _search(objective: Callable[..., Any], start: Floats, bounds: Floats) -> tuple[Floats, float]:
    found = minimize(objective, start, jac=True, bounds=bounds, method="L-BFGS-B", options={"maxiter": SEARCH_STEPS})
    return found.x, found.fun


def export(ensemble: Ensemble, path: Path) -> None:
    """Write one ONNX graph, ``features`` -> ``cnt``, both double.

    The converter writes the process in double, which its distances need, and trees in float32 only, which is what
    the features are exact in; so it converts each alone and the two are joined here.
    """
    columns = len(COLUMNS)
    process = _convert(ensemble.process, DoubleTensorType([None, columns]), "process_")
    trees = _convert(ensemble.trees, FloatTensorType([None, columns]), "trees_")
    half = helper.make_tensor("half", TensorProto.DOUBLE, [1], [HALF])
    nodes = [
        helper.make_node("Identity", ["features"], [process.input[0].name]),
        helper.make_node("Cast", ["features"], [trees.input[0].name], to=TensorProto.FLOAT),
        *process.node,
        *trees.node,
        helper.make_node("Cast", [trees.output[0].name], ["trees_double"], to=TensorProto.DOUBLE),
        helper.make_node("Add", [process.output[0].name, "trees_double"], ["both"]),
        helper.make_node("Mul", ["both", "half"], ["cnt"]),
    ]
    graph = helper.make_graph(
        nodes,
        "bike_model",
        [helper.make_tensor_value_info("features", TensorProto.DOUBLE, [None, columns])],
        [helper.make_tensor_value_info("cnt", TensorProto.DOUBLE, [None, 1])],
        [*process.initializer, *trees.initializer, half],
    )
    opsets = [helper.make_opsetid(domain, version) for domain, version in OPSETS.items()]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="bike_model")
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())


def _convert(regressor: Any, type_: Any, prefix: str) -> Any:
    graph = to_onnx(regressor, initial_types=[("features", type_)], target_opset=OPSETS)
    return compose.add_prefix(graph, prefix).graph
