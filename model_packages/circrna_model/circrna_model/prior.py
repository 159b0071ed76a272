"""A caller's own share of circular RNA, in the place of the training data's."""

from model_service.fields import number, optional

#: Share of circular RNA in the training data, which the network's probabilities stand for.
TRAINING_PRIOR = 0.6184

PRIOR_SCHEMA = optional(
    number(
        "Share of circular RNA",
        "Share of circular RNA among the transcripts that are asked about, more than 0 and less than 1. Unknown: that "
        "of the training data, 0.618, which is far above that of a cell.",
        above=0,
    )
    | {"exclusiveMaximum": 1}
)


def apply_prior(probability: float, prior: float | None) -> float:
    """Return a probability of the network for another share of circles: its odds, times the ratio of both odds."""
    if prior is None:
        return probability
    circular = probability * prior / TRAINING_PRIOR
    other = (1.0 - probability) * (1.0 - prior) / (1.0 - TRAINING_PRIOR)
    return circular / (circular + other)
