"""The regressor: half a Gaussian process, half boosted trees. Used by ``bike_model.train`` only.

The process carries what is smooth (the service's growth, the year, the weather) and, by a second kernel over the
date alone, the level of the neighbouring days. It also knows how far a day is from the days it has seen: its
deviation is the scale of the prediction interval. The trees carry what is not smooth.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from threadpoolctl import threadpool_limits

from bike_model.features import COLUMNS, Floats

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

    def predict(self, features: Floats) -> tuple[Floats, Floats]:
        """Return counts and the process's deviations, each of shape (rows,), from features, shape (rows, columns)."""
        mean, deviation = self.process.predict(features, return_std=True)
        return HALF * mean + HALF * self.trees.predict(features), deviation


def fit_ensemble(features: Floats, counts: Floats, *, seed: int, kernel: Any = None) -> Ensemble:
    """Fit both regressors.

    Args:
        kernel: A fitted kernel whose lengths are kept; without one, those of the highest marginal likelihood on
            the same rows are searched.
    """
    trees = GradientBoostingRegressor(
        n_estimators=500,
        learning_rate=0.03,
        max_depth=4,
        min_samples_leaf=4,
        subsample=0.6,
        max_features=0.5,
        random_state=seed,
    )
    return Ensemble(fit_process(features, counts, kernel=kernel), trees.fit(features, counts))


def fit_process(
    features: Floats, counts: Floats, *, kernel: Any = None, is_local: bool = True
) -> GaussianProcessRegressor:
    """Fit the Gaussian process alone; ``is_local`` decides whether it has the kernel of the neighbouring days."""
    search = _search if kernel is None else None
    process = GaussianProcessRegressor(kernel or _build_kernel(is_local), normalize_y=True, optimizer=search)
    # One thread: the last bits of a matrix product depend on how it is shared out, and so would the artifacts.
    with threadpool_limits(limits=1), warnings.catch_warnings():
        # A length at its upper bound means that its column does not matter, which is an answer.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return process.fit(features, counts)


def _build_kernel(is_local: bool) -> Any:
    lengths = np.full(len(COLUMNS), 3.0)
    bounds = np.tile([0.1, 300.0], (len(COLUMNS), 1))
    # The feeling temperature tells the process nothing that temperature, humidity and wind do not.
    for name in ("recent", "atemp"):
        lengths[COLUMNS.index(name)] = IGNORED
        bounds[COLUMNS.index(name)] = (IGNORED, IGNORED * 1.001)
    smooth = ConstantKernel(1.0, (0.05, 20)) * RBF(lengths, bounds)
    noise = WhiteKernel(0.05, (0.01, 1))
    if not is_local:
        return smooth + noise
    local = np.full(len(COLUMNS), IGNORED)
    local[COLUMNS.index("recent")] = LOCAL_LENGTH
    return smooth + ConstantKernel(0.02, (1e-4, 1)) * RBF(local, "fixed") + noise


def _search(objective: Callable[..., Any], start: Floats, bounds: Floats) -> tuple[Floats, float]:
    found = minimize(objective, start, jac=True, bounds=bounds, method="L-BFGS-B", options={"maxiter": SEARCH_STEPS})
    return found.x, found.fun
