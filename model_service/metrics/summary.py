"""`Summary`: what has become of one model's requests, in a handful of figures for people."""

from dataclasses import dataclass
from typing import Self

from model_service.metrics import families
from model_service.metrics.figures import Figures
from model_service.metrics.histogram import estimate_quantile


@dataclass(frozen=True, slots=True)
class Summary:
    """Figures of one version of a model since the service was started, over all processes.

    Attributes:
        requests: That it has answered, or refused.
        rows: That it was given.
        errors: Requests among those that ended with one.
        p50_s: Seconds within which half of the requests were answered; ``None`` while there are none.
        p99_s: Likewise 99 of 100.
    """

    requests: int
    rows: int
    errors: int
    p50_s: float | None
    p99_s: float | None

    @classmethod
    def of(cls, figures: Figures, name: str, version: str) -> Self:
        """Return the summary of a model."""

        def add_up(family: families.Family) -> int:
            model, release = family.labels.index("model") + 1, family.labels.index("version") + 1
            found = [
                value
                for key, value in figures.counters.items()
                if key[0] == family.name and (key[model], key[release]) == (name, version)
            ]
            return int(sum(found))

        seconds = [
            values[1:]
            for key, values in figures.histograms.items()
            if key[0] == families.REQUEST_SECONDS.name and key[2:] == (name, version)
        ]
        counts = [sum(column) for column in zip(*seconds, strict=True)]
        return cls(
            add_up(families.REQUESTS),
            add_up(families.ROWS_TOTAL),
            add_up(families.ERRORS),
            *(estimate_quantile(families.SECONDS, counts, share) for share in (0.5, 0.99)),
        )
