"""Train the bike model and measure it: ``python -m bike_model.train --data train.csv [--out FOLDER] [--seed N]``.

The file needs the columns of the classic request and ``cnt``. Needs the extra ``bike-model[train]``.
"""

import json
from dataclasses import replace
from typing import Any

import numpy as np

from bike_model.days import is_holiday
from bike_model.evaluate import (
    OURS,
    Tested,
    run_splits,
    score,
    score_interval,
    split_at_random,
    split_by_blocks,
    split_by_rolling,
    split_by_time,
)
from bike_model.export import export
from bike_model.features import ATEMP_TOLERANCE, Parameters, derive_atemp
from bike_model.fitting import Days, Limits, read_days, train
from bike_model.model import BikeModel
from bike_model.notes import require_day
from model_service.training import Training, run

HORIZONS = (1, 7)


def train_bikes(training: Training) -> None:
    """Measure the bike model on days it has not seen, then train it on all days."""
    assert training.data is not None
    days, seed = read_days(training.data), training.seed
    training.describe_data(days.payloads)
    at_random = run_splits(days, split_at_random(days, seed=seed), seed=seed)
    limits = at_random.calibrate()
    report(training, "10-fold, days at random", at_random, None)
    report(training, "10-fold, blocks of two weeks", run_splits(days, split_by_blocks(days), seed=seed), limits)
    by_time = run_splits(days, split_by_time(days), seed=seed)
    report(training, "trained before 2012-07-01, tested from then on", by_time, limits)
    rolling = run_splits(days, split_by_rolling(days, HORIZONS), seed=seed, has_forest=False)
    for horizon in HORIZONS:
        tested = rolling.select(rolling.horizons == horizon)
        report(training, f"rolling through 2012, {horizon} day{'s' * (horizon > 1)} ahead", tested, limits)
    trained = train(days, seed=seed)
    parameters = replace(trained.parameters, below=limits.below, above=limits.above)
    print(describe_faults(days, parameters))
    export(trained.ensemble, training.out / "model.onnx")
    document = json.dumps(parameters.to_json(), indent=2) + "\n"
    (training.out / "parameters.json").write_text(document, encoding="utf-8")


def report(training: Training, split: str, tested: Tested, limits: Limits | None) -> None:
    """Report every model on a split, and the interval with limits, or with those of the other folds."""
    for model, metrics in score(tested, has_spread=split.startswith("10-fold")).items():
        training.report(model, split, **metrics)
    training.report(OURS, split, **score_interval(tested, limits))


def describe_faults(days: Days, parameters: Parameters) -> str:
    """Return what the file's holidays, sensors and units look like to the rules, for the model card."""
    given = [(p["holiday"], require_day(p)) for p in days.payloads if p["holiday"] is not None]
    differing = sum(holiday != is_holiday(day) for holiday, day in given)
    known = [payload for payload in days.payloads if payload["atemp"] is not None]
    gaps = np.array([abs(p["atemp"] - derive_atemp(p, parameters)) for p in known])
    sound = gaps <= ATEMP_TOLERANCE
    return (
        f"holidays: {sum(holiday for holiday, _ in given)} in the file, {differing} days differ from the rule\n"
        f"humidity: {sum(p['hum'] == 0 for p in days.payloads)} days of 0\n"
        f"feeling temperature: {(~sound).sum()} days beyond {ATEMP_TOLERANCE} from the regression, the others within "
        f"{gaps[sound].max():.3f} (mean {gaps[sound].mean():.4f})\n"
        f"degrees Celsius as documented, 41 temp and 50 atemp: {_describe_scale(known, (41, 0), (50, 0))}\n"
        "as of the hours in a later edition, 47 temp - 8 and 66 atemp - 16: "
        f"{_describe_scale(known, (47, -8), (66, -16))}"
    )


def _describe_scale(payloads: list[dict[str, Any]], temp: tuple[int, int], atemp: tuple[int, int]) -> str:
    real = np.array([temp[0] * payload["temp"] + temp[1] for payload in payloads])
    felt = np.array([atemp[0] * payload["atemp"] + atemp[1] for payload in payloads])
    is_january = np.array([require_day(payload).month == 1 for payload in payloads])
    january = f"January has {real[is_january].mean():.1f} on average" if is_january.any() else "no day in January"
    return f"{january}, and it feels {np.mean(felt - real):+.1f} degrees from what it is"


def main(arguments: list[str] | None = None) -> None:
    """Read the command line and train."""
    made_with = ("scikit-learn", "scipy", "skl2onnx", "onnx", "numpy")
    run(train_bikes, BikeModel, task="regression", made_with=made_with, arguments=arguments)


if __name__ == "__main__":
    main()
