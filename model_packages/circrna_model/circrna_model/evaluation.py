"""Measure the transformer and its baselines on sequences of groups they were not trained on. Needs scikit-learn."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import accuracy_score, balanced_accuracy_score, log_loss, roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold

from circrna_model.dataset import Dataset, Rows
from circrna_model.features import END_LETTERS, LETTERS, locate_parts

Probabilities = NDArray[np.float64]
#: Trains on the first rows and returns probabilities for the second.
Learner = Callable[[Dataset, Rows, Rows], Probabilities]
Fold = tuple[Rows, Rows]

_LENGTH_LIMITS = (200, 400, 1_000, 3_072, 100_001)
_SHARE_LIMITS = (0.0, 0.5, 0.9, 1.01)


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


def score(classes: Rows, probabilities: Probabilities) -> dict[str, Any]:
    """Return accuracy and its kin at the threshold of 0.5."""
    predicted = probabilities >= 0.5
    has_both = 0 < classes.sum() < len(classes)
    return {
        "rows": len(classes),
        "accuracy": round(float(accuracy_score(classes, predicted)), 4),
        "balanced_accuracy": round(float(balanced_accuracy_score(classes, predicted)), 4) if has_both else None,
        "auc": round(float(roc_auc_score(classes, probabilities)), 4) if has_both else None,
        "log_loss": round(float(log_loss(classes, probabilities.clip(1e-6, 1 - 1e-6), labels=[0, 1])), 4),
    }


def score_folds(dataset: Dataset, folds: list[Fold], probabilities: Probabilities) -> dict[str, Any]:
    """Return the scores over all test rows, and how much accuracy and AUC vary between folds."""
    rows = np.concatenate([test for _, test in folds])
    parts = [score(dataset.classes[test], probabilities[test]) for _, test in folds]
    return {
        **score(dataset.classes[rows], probabilities[rows]),
        "accuracy_std_over_folds": round(float(np.std([part["accuracy"] for part in parts])), 4),
    }


def score_subsets(dataset: Dataset, probabilities: Probabilities) -> list[dict[str, Any]]:
    """Return the scores by length and by the share of the longest open frame."""
    results = []
    for title, values, limits in (
        ("length in nt", dataset.lengths, _LENGTH_LIMITS),
        ("share of the longest open frame", open_share(dataset), _SHARE_LIMITS),
    ):
        for low, high in pairwise(limits):
            chosen = (values >= low) & (values < high) & ~np.isnan(probabilities)
            if chosen.any():
                circular = round(float(dataset.classes[chosen].mean()), 4)
                scores = score(dataset.classes[chosen], probabilities[chosen])
                results.append({"subset": f"{title}: {low} <= x < {high}", "share_of_circrna": circular, **scores})
    return results
