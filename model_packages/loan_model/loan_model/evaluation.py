"""How good probabilities are that come from models which did not see the row."""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold

from loan_model.candidates import Candidate, Labels, Numbers, Rows
from loan_model.model import APPROVAL_THRESHOLD

INNER_FOLDS = 5
#: Edges of the bins of the calibration table; few applications are far below one half.
BINS = (0.0, 0.4, 0.6, 0.75, 0.85, 1.0)


def predict_held_out(build: Callable[[], Any], payloads: Rows, labels: Labels, splits: Sequence[Any]) -> Numbers:
    """Return probabilities of shape (repeats, rows), each from a model that did not see the row."""
    repeats = sum(len(held) for _, held in splits) // len(labels)
    probabilities = np.zeros((repeats, len(labels)))
    for number, (known, held) in enumerate(splits):
        trained = build().fit([payloads[row] for row in known], labels[known])
        probabilities[number * repeats // len(splits), held] = trained.predict([payloads[row] for row in held])
    return probabilities


def build_nested(settings: Sequence[Callable[[], Candidate]], seed: int) -> Callable[[], Any]:
    """Return what chooses, by log loss in cross-validation of its own on what it is given, among the settings."""

    class Chosen:
        def fit(self, payloads: Rows, labels: Labels) -> Candidate:
            inner = StratifiedKFold(INNER_FOLDS, shuffle=True, random_state=seed)
            splits = list(inner.split(np.zeros(len(labels)), labels))
            losses = [
                find_losses(predict_held_out(build, payloads, labels, splits)[0], labels).mean() for build in settings
            ]
            return settings[int(np.argmin(losses))]().fit(payloads, labels)

    return Chosen


def measure(probabilities: Numbers, labels: Labels, *, rule: Numbers) -> dict[str, Any]:
    """Return the quality over repeats, and the gains over the rule as (mean, standard error over rows)."""
    return {
        "accuracy": find_hits(probabilities, labels).mean(axis=1),
        "accuracy_gain": _find_gain(find_hits(probabilities, labels) - find_hits(rule, labels)),
        "log_loss": find_losses(probabilities, labels).mean(axis=1),
        "log_loss_gain": _find_gain(find_losses(rule, labels) - find_losses(probabilities, labels)),
        "roc_auc": [roc_auc_score(labels, repeat) for repeat in probabilities],
        "brier_score": ((probabilities - labels) ** 2).mean(axis=1),
        "expected_calibration_error": [find_calibration_error(repeat, labels) for repeat in probabilities],
    }


def _find_gain(gains: Numbers) -> tuple[float, float]:
    """Return the mean and how far another sample of as many rows would move it."""
    rows = gains.mean(axis=0)
    return float(rows.mean()), float(rows.std() / np.sqrt(len(rows)))


def find_hits(probabilities: Numbers, labels: Labels) -> Numbers:
    """Return 1 where the answer is right."""
    hits: Numbers = ((probabilities >= APPROVAL_THRESHOLD) == labels).astype(np.float64)
    return hits


def find_losses(probabilities: Numbers, labels: Labels) -> Numbers:
    """Return the log loss of each row."""
    likelihoods = np.where(labels == 1, probabilities, 1 - probabilities)
    losses: Numbers = -np.log(np.clip(likelihoods, 1e-9, None))
    return losses


def list_bins(probabilities: Numbers, labels: Labels) -> Iterator[tuple[str, dict[str, float]]]:
    """Yield each bin of probabilities with its rows, its mean probability and its rate of approval."""
    for low, high in pairwise(BINS):
        is_in = (probabilities >= low) & ((probabilities < high) | (high == BINS[-1]))
        if is_in.any():
            said, were = float(probabilities[is_in].mean()), float(labels[is_in].mean())
            yield f"{low} to {high}", {"rows": int(is_in.sum()), "mean_probability": said, "approved": were}


def find_calibration_error(probabilities: Numbers, labels: Labels) -> float:
    """Return how far probability and rate of approval are apart, over `BINS`, weighted by rows."""
    bins = [numbers for _, numbers in list_bins(probabilities, labels)]
    gaps = [numbers["rows"] * abs(numbers["mean_probability"] - numbers["approved"]) for numbers in bins]
    return sum(gaps) / len(labels)


def list_groups(
    probabilities: Numbers, labels: Labels, payloads: Rows, names: Sequence[str]
) -> Iterator[tuple[str, dict[str, float]]]:
    """Yield each group of people with how many there are, and the rates of approval and of right answers."""
    for name in names:
        for value in sorted({payload[name] for payload in payloads} - {None}):
            is_in = np.array([payload[name] == value for payload in payloads])
            answers = probabilities[is_in] >= APPROVAL_THRESHOLD
            yield (
                f"{name} {value}",
                {
                    "rows": int(is_in.sum()),
                    "approved": float(labels[is_in].mean()),
                    "answered_Y": float(answers.mean()),
                    "mean_probability": float(probabilities[is_in].mean()),
                    "accuracy": float((answers == labels[is_in]).mean()),
                },
            )
