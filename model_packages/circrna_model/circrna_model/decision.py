"""From the network's probability to the answer, for the training data's share of circular RNA or a caller's own."""

from typing import Any

from model_service.fields import choice, number, optional
from model_service.records import Schema

#: By the number of the class in the data set: `is_circrna`.
LABELS = ("lncRNA", "circRNA")
THRESHOLD = 0.5
#: Share of circular RNA in the training data, which the network's probabilities stand for.
TRAINING_PRIOR = 0.6183

PRIOR_SCHEMA = optional(
    number(
        "Share of circular RNA",
        "Share of circular RNA among the transcripts that are asked about, more than 0 and less than 1. Unknown: that "
        "of the training data, 0.618, which is far above that of a cell.",
        above=0,
    )
    | {"exclusiveMaximum": 1}
)

DECISION_SCHEMAS: dict[str, Schema] = {
    "label": choice(
        "Label",
        {LABELS[1]: "Circular RNA", LABELS[0]: "Other long non-coding RNA"},
        "Circular RNA where the probability is at least one half.",
    ),
    "is_circrna": choice("Is circular RNA", {0: "No", 1: "Yes"}, "The same answer as the label, as yes or no."),
    "probability": number(
        "Probability", "Probability that the transcript is a circular RNA, given the prior.", least=0, most=1
    ),
}


def decide(probability: float, prior: float | None) -> dict[str, Any]:
    """Return label, number and probability; a prior replaces the odds of the training data (Bayes)."""
    if prior is not None:
        circular = probability * prior / TRAINING_PRIOR
        other = (1.0 - probability) * (1.0 - prior) / (1.0 - TRAINING_PRIOR)
        probability = circular / (circular + other)
    is_circrna = int(probability >= THRESHOLD)
    return {"label": LABELS[is_circrna], "is_circrna": is_circrna, "probability": probability}
