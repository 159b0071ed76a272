"""How good the model is on days it has not seen, beside its parts and two baselines. Used by training only."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from sklearn.ensemble import RandomForestRegressor
from sklearn.metrics import mean_absolute_error, r2_score
from sklearn.model_selection import KFold

from bike_model.ensemble import HALF, fit_process
from bike_model.features import Floats, build_features
from bike_model.fitting import FIELDS, Days, Limits, calibrate, leave_outages_out, train

FOLDS = 10
BLOCK_DAYS = 14
#: From this day on, the rolling forecasts have a year behind them.
FIRST_ROLLING_DAY = 366
#: 1 July 2012: from here on the split by time tests.
FIRST_LATE_DAY = 548
OURS = "this model"
REQUIRED = ("dteday", "weathersit", "temp", "hum", "windspeed")


class Split(NamedTuple):
    """Positions of the days that are known and of those that are tested; splits of one key share a kernel's search."""

    known: Any
    tested: Any
    key: int


@dataclass(frozen=True, slots=True)
class Tested:
    """What each model predicted for days it had not seen, in the order of testing.

    Attributes:
        folds: Number of the fit that predicted a day.
        predictions: Name of a model -> its counts.
        deviations: What the process of this model says of its own error.
        horizons: Days from the last known day to the tested one; below 0 where later days are known, too.
    """

    days: Days
    folds: Any
    predictions: dict[str, Floats]
    deviations: Floats
    horizons: Any

    def select(self, chosen: Any) -> "Tested":
        """Return the days of a mask."""
        return Tested(
            self.days.select(np.flatnonzero(chosen)),
            self.folds[chosen],
            {name: values[chosen] for name, values in self.predictions.items()},
            self.deviations[chosen],
            self.horizons[chosen],
        )

    def calibrate(self) -> Limits:
        """Return the limits that these errors call for."""
        return calibrate(self.days.counts, self.predictions[OURS], self.deviations, self.days.overcast)


def split_at_random(days: Days, *, seed: int) -> Iterator[Split]:
    """Each tenth of the days, drawn at random, once: every day has known neighbours."""
    splits = KFold(FOLDS, shuffle=True, random_state=seed).split(days.counts)
    return (Split(known, tested, number) for number, (known, tested) in enumerate(splits))


def split_by_blocks(days: Days) -> Iterator[Split]:
    """Every tenth block of two weeks, together: a tested day is up to seven days from a known one."""
    blocks = days.instants // BLOCK_DAYS % FOLDS
    for number in np.unique(blocks):
        yield Split(np.flatnonzero(blocks != number), np.flatnonzero(blocks == number), int(number))


def split_by_rolling(days: Days, horizons: tuple[int, ...] = (1, 7)) -> Iterator[Split]:
    """Every second day of the second year is the last known one; the kernel is searched again every twelve weeks."""
    instants = days.instants
    for last in instants[instants >= FIRST_ROLLING_DAY - max(horizons)][::2].tolist():
        tested = np.flatnonzero(np.isin(instants - last, horizons) & (instants >= FIRST_ROLLING_DAY))
        if len(tested):
            yield Split(np.flatnonzero(instants <= last), tested, last // 84)


def split_by_time(days: Days) -> Iterator[Split]:
    """The first eighteen months are known, the last six tested."""
    late = days.instants >= FIRST_LATE_DAY
    yield Split(np.flatnonzero(~late), np.flatnonzero(late), 0)


def run_splits(days: Days, splits: Iterable[Split], *, seed: int, has_forest: bool = True) -> Tested:
    """Fit every model on the known days of each split and predict the tested ones.

    Args:
        has_forest: Whether the random forest, which takes the longest, is among the baselines.
    """
    kernels: dict[int, tuple[Any, Any]] = {}
    parts = []
    for number, split in enumerate(splits, start=1):
        known, tested = days.select(split.known), days.select(split.tested)
        predictions, deviations, kernels[split.key] = predict_all(known, tested, kernels.get(split.key), seed=seed)
        predictions["persistence"] = _persist(known, tested)
        if has_forest:
            predictions["random forest on the raw fields"] = _predict_forest(known, tested, seed=seed)
        folds = np.full(len(tested), number)
        parts.append(Tested(tested, folds, predictions, deviations, tested.instants - known.instants.max()))
    return Tested(
        Days([p for part in parts for p in part.days.payloads], np.concatenate([p.days.counts for p in parts])),
        np.concatenate([part.folds for part in parts]),
        {name: np.concatenate([part.predictions[name] for part in parts]) for name in parts[0].predictions},
        np.concatenate([part.deviations for part in parts]),
        np.concatenate([part.horizons for part in parts]),
    )


def predict_all(
    known: Days, tested: Days, kernels: tuple[Any, Any] | None, *, seed: int
) -> tuple[dict[str, Floats], Floats, tuple[Any, Any]]:
    """Return the counts of this model and of its parts by name, the deviations, and the kernels that were used."""
    ours, smooth_only = kernels or (None, None)
    trained = train(known, seed=seed, kernel=ours)
    process, trees = trained.ensemble.process, trained.ensemble.trees
    running = leave_outages_out(known)
    smooth = fit_process(
        build_features(running.payloads, trained.parameters), running.counts, kernel=smooth_only, is_local=False
    )
    features = build_features(tested.payloads, trained.parameters)
    counts, deviations = trained.predict(tested.payloads)
    predictions = {
        OURS: counts,
        "required fields only": trained.predict([{n: p[n] for n in REQUIRED} for p in tested.payloads])[0],
        "Gaussian process only": process.predict(features),
        "trees only": trees.predict(features),
        "no local kernel": HALF * smooth.predict(features) + HALF * trees.predict(features),
    }
    return predictions, deviations, (process.kernel_, smooth.kernel_)


def _predict_forest(known: Days, tested: Days, *, seed: int) -> Floats:
    names = FIELDS[1:]
    tables = [np.array([[p[name] or 0 for name in names] for p in days.payloads]) for days in (known, tested)]
    forest = RandomForestRegressor(random_state=seed).fit(tables[0], known.counts)
    return np.asarray(forest.predict(tables[1]), dtype=np.float64)


def _persist(known: Days, tested: Days) -> Floats:
    """Return the count of the last known day before each tested one; before the first, that of the first."""
    order = np.argsort(known.instants)
    places = np.searchsorted(known.instants[order], tested.instants) - 1
    counts: Floats = known.counts[order][np.maximum(places, 0)]
    return counts


def score(tested: Tested, *, has_spread: bool) -> dict[str, dict[str, Any]]:
    """Return R2 and mean absolute error (bikes a day) by model, and the mean error of this one.

    A spread is the standard deviation over the folds.
    """
    folds = [tested.folds == number for number in np.unique(tested.folds)] if has_spread else []
    scores: dict[str, dict[str, Any]] = {}
    for model, predictions in tested.predictions.items():
        scores[model] = {}
        for metric, measure in (("r2", r2_score), ("mae", mean_absolute_error)):
            values = [measure(tested.days.counts[fold], predictions[fold]) for fold in folds]
            spread = float(np.std(values)) if values else None
            scores[model][metric] = (measure(tested.days.counts, predictions), spread)
    scores[OURS]["mean_error"] = float(np.mean(tested.predictions[OURS] - tested.days.counts))
    return scores


def score_interval(tested: Tested, limits: Limits | None) -> dict[str, float]:
    """Return coverage and mean width; without limits, each fold has those that the errors of the others call for."""
    covered, widths = np.zeros(len(tested.days), dtype=bool), np.zeros(len(tested.days))
    for number in np.unique(tested.folds):
        inside = tested.folds == number
        part = tested.select(inside)
        limits_here = limits or tested.select(~inside).calibrate()
        lower, upper = limits_here.find_ends(part.predictions[OURS], part.deviations, part.days.overcast)
        covered[inside] = (lower <= part.days.counts) & (part.days.counts <= upper)
        widths[inside] = upper - lower
    groups = {"coverage_clear": tested.days.overcast == 0, "coverage_other_weather": tested.days.overcast == 1}
    shares = {name: float(np.mean(covered[group])) for name, group in groups.items() if group.any()}
    return {"coverage": float(np.mean(covered)), **shares, "interval_width": float(np.mean(widths))}
