"""Measure the transformer and its baselines on sequences of groups they were not trained on. Needs scikit-learn."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, balanced_accuracy_score, log_loss, roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold

from circrna_model.dataset import Dataset, Rows
from circrna_model.features import LETTERS
from circrna_model.summary import END_LETTERS, locate_parts

Probabilities = NDArray[np.float64]
#: Trains on the first rows and returns probabilities for the second.
Learner = Callable[[Dataset, Rows, Rows], Probabilities]
Fold = tuple[Rows, Rows]
#: A value, and how much it varies between folds if there are several.
Measured = tuple[float, float | None]

_LENGTH_LIMITS = (200, 400, 1_000, 3_072, 100_001)
_SHARE_LIMITS = (0.0, 0.5, 0.9, 1.01)
_BINS = 10
_TEACHER_FOLDS = 4


def split_groups(dataset: Dataset, *, folds: int, seed: int) -> list[Fold]:
    """Return (training rows, test rows) of every fold; a group is never on both sides."""
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    return list(splitter.split(dataset.summaries, dataset.classes, dataset.groups))


def learn_boosting(columns: list[int], *, seed: int) -> Learner:
    """Return a learner that boosts trees on some columns of the summary."""

    def learn(dataset: Dataset, train: Rows, test: Rows) -> Probabilities:
        trees = HistGradientBoostingClassifier(
            max_iter=300,
            learning_rate=0.06,
            max_leaf_nodes=15,
            l2_regularization=1.0,
            max_features=0.3,
            random_state=seed,
        )
        trees.fit(dataset.summaries[train][:, columns], dataset.classes[train])
        return np.asarray(trees.predict_proba(dataset.summaries[test][:, columns])[:, 1])

    return learn


def teach(dataset: Dataset, rows: Rows, *, seed: int) -> Probabilities:
    """Return what boosted trees on all features say of some rows, of each without having seen its group; else NaN."""
    inside = dataset.choose(rows)
    learner = learn_boosting(list(range(dataset.summaries.shape[1])), seed=seed)
    said = np.full(len(dataset.classes), np.nan)
    said[rows] = cross_validate(inside, split_groups(inside, folds=_TEACHER_FOLDS, seed=seed), learner)
    return said


def baseline_columns() -> list[int]:
    """Return frequencies of 1- to 4-mers, the first and last two letters, and the log of the length."""
    ends = locate_parts("ends")
    kept = 2 * len(LETTERS)
    last = END_LETTERS * len(LETTERS)
    return [*locate_parts("frequencies", "log_length"), *ends[:kept], *ends[2 * last - kept :]]


def learn_open_share(dataset: Dataset, train: Rows, test: Rows) -> Probabilities:
    """Learn one threshold on one number: the share of the sequence that its longest open frame covers."""
    share = open_share(dataset)
    thresholds = np.quantile(share[train], np.linspace(0.01, 0.99, 99))
    hits = [np.mean((share[train] >= threshold) == dataset.classes[train]) for threshold in thresholds]
    threshold = thresholds[int(np.argmax(hits))]
    # Any rising function with 0.5 at the threshold scores alike, but for its log loss.
    return np.asarray(1 / (1 + np.exp(-10 * (share[test] - threshold))), dtype=np.float64)


def open_share(dataset: Dataset) -> Probabilities:
    """Return the longest stretch of codons without a stop, in any of three frames, as a share of the sequence."""
    return dataset.summaries[:, locate_parts("open_frame_shares")[0]].astype(np.float64)


def cross_validate(dataset: Dataset, folds: list[Fold], learner: Learner) -> Probabilities:
    """Return probabilities of the test rows of all given folds, NaN elsewhere."""
    probabilities = np.full(len(dataset.classes), np.nan)
    for train, test in folds:
        probabilities[test] = learner(dataset, train, test)
    return probabilities


def score(classes: Rows, probabilities: Probabilities) -> dict[str, float]:
    """Return accuracy and its kin at the threshold of 0.5; those that need both classes only where both are."""
    predicted = probabilities >= 0.5
    scores = {"accuracy": float(accuracy_score(classes, predicted))}
    if 0 < classes.sum() < len(classes):
        scores["balanced_accuracy"] = float(balanced_accuracy_score(classes, predicted))
        scores["auc"] = float(roc_auc_score(classes, probabilities))
    return {**scores, "log_loss": float(log_loss(classes, probabilities.clip(1e-6, 1 - 1e-6), labels=[0, 1]))}


def score_folds(dataset: Dataset, folds: list[Fold], probabilities: Probabilities) -> dict[str, Measured]:
    """Return the scores over all test rows, and the standard deviation of each between folds."""
    rows = np.concatenate([test for _, test in folds])
    parts = [score(dataset.classes[test], probabilities[test]) for _, test in folds]
    scores = score(dataset.classes[rows], probabilities[rows])
    return {
        name: (value, float(np.std([part[name] for part in parts])) if len(parts) > 1 else None)
        for name, value in scores.items()
    }


def score_subsets(dataset: Dataset, probabilities: Probabilities) -> dict[str, dict[str, float]]:
    """Return the scores by length and by the share of the longest open frame."""
    results = {}
    for title, values, limits in (
        ("length in nt", dataset.lengths, _LENGTH_LIMITS),
        ("share of the longest open frame", open_share(dataset), _SHARE_LIMITS),
    ):
        for low, high in pairwise(limits):
            chosen = (values >= low) & (values < high) & ~np.isnan(probabilities)
            if chosen.any():
                classes = dataset.classes[chosen]
                results[f"{title}: {low} <= x < {high}"] = {
                    "rows": int(chosen.sum()),
                    "share_of_circrna": float(classes.mean()),
                    **score(classes, probabilities[chosen]),
                }
    return results


def fit_calibration(classes: Rows, probabilities: Probabilities) -> tuple[float, float]:
    """Return scale and offset of the logits that make probabilities true of rows (Platt)."""
    logits = _find_logits(probabilities)[:, np.newaxis]
    fitted = LogisticRegression(C=1e6).fit(logits, classes)
    return float(fitted.coef_[0, 0]), float(fitted.intercept_[0])


def _find_logits(probabilities: Probabilities) -> Probabilities:
    clipped = probabilities.clip(1e-7, 1 - 1e-7)
    return np.asarray(np.log(clipped / (1 - clipped)))


def measure_calibration(classes: Rows, probabilities: Probabilities) -> tuple[float, dict[str, dict[str, float]]]:
    """Return the expected calibration error, and what each bin of probabilities said and what was true."""
    numbers = np.minimum((probabilities * _BINS).astype(int), _BINS - 1)
    bins, error = {}, 0.0
    for number in range(_BINS):
        chosen = numbers == number
        if not chosen.any():
            continue
        said, true = float(probabilities[chosen].mean()), float(classes[chosen].mean())
        error += abs(said - true) * float(chosen.mean())
        name = f"probability {number / _BINS} to {(number + 1) / _BINS}"
        bins[name] = {"rows": int(chosen.sum()), "mean_probability": said, "share_of_circrna": true}
    return error, bins
