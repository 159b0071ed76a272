"""Train the bike model and export it: ``python -m bike_model.train --data train.csv [--out FOLDER] [--seed N]``.

The file needs the columns of the classic request and ``cnt``; ``casual`` and ``registered`` add up to the target
and are never read. Needs the extra ``bike-model[train]``.
"""

import argparse
import csv
import json
import math
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestRegressor
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error
from sklearn.model_selection import KFold, ShuffleSplit

from bike_model.days import instant_of, is_holiday, read_date
from bike_model.ensemble import Ensemble, export, fit_ensemble
from bike_model.features import (
    ATEMP_TOLERANCE,
    WORST_WEATHER,
    Floats,
    Parameters,
    atemp_terms,
    build_features,
    derive_atemp,
    is_overcast,
    mend_humidity,
)
from bike_model.model import COVERAGE, BikeModel
from model_service.artifacts import METRICS_NAME, write_manifest

PARAMETERS_NAME = "parameters.json"
#: The hurricane Sandy shut the service on these days: they are measured like any other, but teach nothing.
OUTAGES = frozenset({"2012-10-29", "2012-10-30"})
FOLDS = 10
REPEATS = 10
#: The split by time: these days are tested, all before them train.
FIRST_LATE_DAY = "2012-07-01"
BASELINE_FIELDS = (
    "instant", "season", "yr", "mnth", "holiday", "weekday", "workingday", "weathersit",
    "temp", "atemp", "hum", "windspeed",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Days:
    """Payloads of days and the bikes rented on them, shape (days,)."""

    payloads: list[dict[str, Any]]
    counts: Floats

    def __len__(self) -> int:
        return len(self.payloads)

    def select(self, index: Any) -> "Days":
        """Return the days at some positions."""
        return Days([self.payloads[i] for i in index], self.counts[index])


@dataclass(frozen=True, slots=True)
class Trained:
    """A fitted ensemble with the parameters its features need."""

    ensemble: Ensemble
    parameters: Parameters

    def predict(self, payloads: list[dict[str, Any]]) -> Floats:
        """Return counts, shape (payloads,); never below 0."""
        return np.maximum(self.ensemble.predict(build_features(payloads, self.parameters)), 0.0)


def read_days(path: Path) -> Days:
    """Return the days of a CSV file; an empty cell is an absent field.

    Raises:
        SystemExit: A row contradicts itself; the message names file, line and rule.
    """
    payloads, counts = [], []
    with path.open(newline="", encoding="utf-8") as file:
        for line, row in enumerate(csv.DictReader(file), start=2):
            payload = {name: _read_cell(name, row[name]) for name in BikeModel.input_schema["properties"]}
            for violation in BikeModel.find_violations(payload):
                raise SystemExit(f"{path.name}, line {line}: {violation.message}")
            payloads.append(payload)
            counts.append(float(row["cnt"]))
    return Days(payloads, np.array(counts))


def _read_cell(name: str, text: str) -> str | int | float | None:
    if not text:
        return None
    if name == "dteday":
        return text
    return float(text) if name in ("temp", "atemp", "hum", "windspeed") else int(text)


def learn_parameters(days: Days) -> Parameters:
    """Learn what the features need; the interval is not learnt here and is empty."""
    instants = [instant_of(day) for payload in days.payloads if (day := read_date(payload["dteday"]))]
    overall = float(np.mean([payload["hum"] for payload in days.payloads]))
    means = []
    for weather in range(1, WORST_WEATHER + 1):
        values = [p["hum"] for p in days.payloads if p["hum"] and min(p["weathersit"], WORST_WEATHER) == weather]
        means.append(float(np.mean(values)) if values else overall)
    humidity = tuple(round(mean, 6) for mean in means)
    atemp = _fit_atemp(days, humidity)
    return Parameters(trend_end=max(instants), atemp=atemp, humidity=humidity, below=(0.0, 0.0), above=(0.0, 0.0))


def _fit_atemp(days: Days, humidity: tuple[float, ...]) -> tuple[float, ...]:
    known = [payload for payload in days.payloads if payload["atemp"] is not None]
    terms = np.array([atemp_terms(p["temp"], mend_humidity(p, humidity), p["windspeed"]) for p in known])
    values = np.array([payload["atemp"] for payload in known])
    # Twice: the first fit finds the faulty days, the second goes without them.
    factors = np.linalg.lstsq(terms, values, rcond=None)[0]
    sound = np.abs(values - terms @ factors) <= ATEMP_TOLERANCE
    factors = np.linalg.lstsq(terms[sound], values[sound], rcond=None)[0]
    return tuple(round(float(factor), 8) for factor in factors)


def train(days: Days, *, seed: int) -> Trained:
    """Fit parameters and ensemble on days, leaving the outages out."""
    days = days.select([i for i, payload in enumerate(days.payloads) if payload["dteday"][:10] not in OUTAGES])
    parameters = learn_parameters(days)
    return Trained(fit_ensemble(build_features(days.payloads, parameters), days.counts, seed=seed), parameters)


def predict_out_of_fold(days: Days, *, folds: int, seed: int) -> tuple[Floats, Floats]:
    """Return for each day the prediction of a model that did not see it, and the number of its fold."""
    predictions, numbers = np.zeros(len(days)), np.zeros(len(days))
    splitter = KFold(folds, shuffle=True, random_state=seed)
    for number, (seen, unseen) in enumerate(splitter.split(days.counts), start=1):
        predictions[unseen] = train(days.select(seen), seed=seed).predict(days.select(unseen).payloads)
        numbers[unseen] = number
        print(f"fold {number} of {folds}", flush=True)
    return predictions, numbers


def calibrate(parameters: Parameters, days: Days, predictions: Floats) -> Parameters:
    """Return the parameters with an interval from out-of-fold errors, each tail apart and each group of weather apart.

    A conformal quantile: of n errors, the one of rank ``(n + 1) * (1 - tail)``, rounded up.
    """
    groups = np.array([is_overcast(payload) for payload in days.payloads])
    below, above = [], []
    for group in (0, 1):
        # A small table may lack a group; all errors are then the nearest thing to it.
        chosen = groups == group if np.any(groups == group) else np.ones(len(days), dtype=bool)
        errors = days.counts[chosen] - predictions[chosen]
        rank = min(math.ceil((len(errors) + 1) * (1 - (1 - COVERAGE) / 2)), len(errors)) - 1
        below.append(round(max(float(np.sort(-errors)[rank]), 0.0), 1))
        above.append(round(max(float(np.sort(errors)[rank]), 0.0), 1))
    return replace(parameters, below=(below[0], below[1]), above=(above[0], above[1]))


def is_covered(parameters: Parameters, days: Days, predictions: Floats) -> Any:
    """Return for each day whether its count lies in the interval around its prediction."""
    groups = np.array([is_overcast(payload) for payload in days.payloads])
    errors = days.counts - predictions
    return (errors >= -np.array(parameters.below)[groups]) & (errors <= np.array(parameters.above)[groups])


def score(counts: Floats, predictions: Floats, prefix: str = "") -> dict[str, float]:
    """Return R2, mean absolute and root mean squared error (bikes a day)."""
    return {
        f"{prefix}r2": round(float(r2_score(counts, predictions)), 4),
        f"{prefix}mae": round(float(mean_absolute_error(counts, predictions)), 1),
        f"{prefix}rmse": round(float(root_mean_squared_error(counts, predictions)), 1),
    }


def predict_baseline(seen: Days, unseen: Days, *, seed: int) -> Floats:
    """Return what a random forest on the raw fields predicts, as a yardstick; absent fields are 0."""
    tables = [
        np.array([[payload[name] or 0 for name in BASELINE_FIELDS] for payload in days.payloads])
        for days in (seen, unseen)
    ]
    forest = RandomForestRegressor(random_state=seed).fit(tables[0], seen.counts)
    return np.asarray(forest.predict(tables[1]), dtype=np.float64)


def evaluate_hold_outs(days: Days, *, seed: int) -> dict[str, Any]:
    """Measure random tenths of the days, also with the required fields alone, beside the baseline."""
    rows: list[dict[str, float]] = []
    splitter = ShuffleSplit(REPEATS, test_size=0.1, random_state=seed)
    for number, (seen, unseen) in enumerate(splitter.split(days.counts), start=1):
        known, tested = days.select(seen), days.select(unseen)
        trained = train(known, seed=seed)
        bare = [{name: p[name] for name in BikeModel.input_schema["required"]} for p in tested.payloads]
        rows.append(
            score(tested.counts, trained.predict(tested.payloads))
            | score(tested.counts, trained.predict(bare), "required_fields_only_")
            | score(tested.counts, predict_baseline(known, tested, seed=seed), "random_forest_")
        )
        print(f"hold-out {number} of {REPEATS}: R2 {rows[-1]['r2']}, MAE {rows[-1]['mae']}", flush=True)
    evaluation: dict[str, Any] = {"split": f"random 10 % of the days held out, {REPEATS} times, seed {seed}"}
    for name in rows[0]:
        values = [row[name] for row in rows]
        evaluation[name] = round(float(np.mean(values)), 4)
        evaluation[f"{name}_std"] = round(float(np.std(values)), 4)
    evaluation |= {"r2_worst": min(row["r2"] for row in rows), "mae_worst": max(row["mae"] for row in rows)}
    return evaluation


def evaluate_folds(days: Days, predictions: Floats, numbers: Floats, *, seed: int) -> dict[str, Any]:
    """Measure out-of-fold predictions; the interval of a fold is calibrated on the other folds."""
    empty = Parameters(trend_end=0, atemp=(), humidity=(), below=(0.0, 0.0), above=(0.0, 0.0))
    covered = np.zeros(len(days), dtype=bool)
    widths = np.zeros(len(days))
    for number in np.unique(numbers):
        inside, outside = np.flatnonzero(numbers == number), np.flatnonzero(numbers != number)
        limits = calibrate(empty, days.select(outside), predictions[outside])
        covered[inside] = is_covered(limits, days.select(inside), predictions[inside])
        groups = np.array([is_overcast(days.payloads[i]) for i in inside])
        widths[inside] = (np.array(limits.below) + np.array(limits.above))[groups]
    overcast = np.array([bool(is_overcast(payload)) for payload in days.payloads])
    return {
        "split": f"{FOLDS}-fold cross-validation, seed {seed}; the interval of a fold from the others",
        **score(days.counts, predictions),
        "coverage_nominal": COVERAGE,
        "coverage": round(float(np.mean(covered)), 4),
        "coverage_clear": round(float(np.mean(covered[~overcast])), 4) if not overcast.all() else None,
        "coverage_other_weather": round(float(np.mean(covered[overcast])), 4) if overcast.any() else None,
        "mean_interval_width": round(float(np.mean(widths)), 1),
    }


def evaluate_by_time(days: Days, *, seed: int) -> dict[str, Any] | None:
    """Measure the late days by a model that knows the early ones; ``None`` when either are too few."""
    late = np.array([payload["dteday"] >= FIRST_LATE_DAY for payload in days.payloads])
    if min(late.sum(), (~late).sum()) < FOLDS:
        return None
    known, tested = days.select(np.flatnonzero(~late)), days.select(np.flatnonzero(late))
    folded, _ = predict_out_of_fold(known, folds=5, seed=seed)
    predictions = train(known, seed=seed).predict(tested.payloads)
    covered = is_covered(calibrate(learn_parameters(known), known, folded), tested, predictions)
    return {
        "split": f"by time: trained before {FIRST_LATE_DAY}, tested from then on",
        **score(tested.counts, predictions),
        "mean_error": round(float(np.mean(predictions - tested.counts)), 1),
        **score(tested.counts, predict_baseline(known, tested, seed=seed), "random_forest_"),
        "coverage_nominal": COVERAGE,
        "coverage": round(float(np.mean(covered)), 4),
    }


def describe_faults(days: Days, parameters: Parameters) -> str:
    """Return what the file's holidays and sensors look like to the rules, for the model card."""
    given = [(p["holiday"], day) for p in days.payloads if p["holiday"] is not None and (day := read_date(p["dteday"]))]
    differing = sum(holiday != is_holiday(day) for holiday, day in given)
    gaps = np.array([abs(p["atemp"] - derive_atemp(p, parameters)) for p in days.payloads if p["atemp"] is not None])
    sound = gaps <= ATEMP_TOLERANCE
    return (
        f"holidays: {sum(holiday for holiday, _ in given)} in the file, {differing} days differ from the rule\n"
        f"humidity: {sum(p['hum'] == 0 for p in days.payloads)} days of 0\n"
        f"feeling temperature: {(~sound).sum()} days beyond {ATEMP_TOLERANCE} from the regression, the others within "
        f"{gaps[sound].max():.3f} (mean {gaps[sound].mean():.4f})"
    )


def main(arguments: list[str] | None = None) -> None:
    """Evaluate, train on all days, calibrate, export and write the manifest."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="CSV file, one row per day")
    parser.add_argument("--out", type=Path, default=BikeModel.artifact_path(""), help="folder for the artifacts")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    started = time.monotonic()
    days = read_days(options.data)
    print(f"{len(days)} days", flush=True)
    hold_outs = evaluate_hold_outs(days, seed=options.seed)
    predictions, numbers = predict_out_of_fold(days, folds=FOLDS, seed=options.seed)
    folds = evaluate_folds(days, predictions, numbers, seed=options.seed)
    by_time = evaluate_by_time(days, seed=options.seed)
    trained = train(days, seed=options.seed)
    parameters = calibrate(trained.parameters, days, predictions)
    print(describe_faults(days, parameters))
    options.out.mkdir(parents=True, exist_ok=True)
    export(trained.ensemble, options.out / "model.onnx")
    metrics = {
        "task": "regression",
        "data": options.data.name,
        "rows": len(days),
        "evaluations": [evaluation for evaluation in (hold_outs, folds, by_time) if evaluation],
    }
    for name, document in ((PARAMETERS_NAME, parameters.to_json()), (METRICS_NAME, metrics)):
        (options.out / name).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    write_manifest(options.out, made_with=("scikit-learn", "scipy", "skl2onnx", "onnx", "numpy"))
    print(json.dumps(metrics, indent=2))
    print(f"{time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
