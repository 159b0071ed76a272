"""`Figures`: what one process has counted, or several together, at one moment."""

from dataclasses import dataclass, field
from typing import Any

from model_service.metrics.families import BY_NAME, Merge

#: The name of a family, and the values of its labels.
Key = tuple[str, ...]


@dataclass(slots=True)
class Figures:
    """Numbers by key.

    Attributes:
        counters: They only grow.
        histograms: The sum, then the count of each bucket.
        gauges: Of processes that live.
    """

    counters: dict[Key, float] = field(default_factory=dict)
    histograms: dict[Key, list[float]] = field(default_factory=dict)
    gauges: dict[Key, float] = field(default_factory=dict)

    def add(self, other: "Figures", *, is_alive: bool = True) -> None:
        """Add what another process has counted; of one that has died, the gauges are of no more interest."""
        for key, value in other.counters.items():
            self.counters[key] = self.counters.get(key, 0) + value
        for key, values in other.histograms.items():
            own = self.histograms.get(key)
            self.histograms[key] = list(values) if own is None else [a + b for a, b in zip(own, values, strict=True)]
        for key, value in other.gauges.items() if is_alive else ():
            known = self.gauges.get(key)
            is_sum = BY_NAME[key[0]].merge is Merge.SUM
            self.gauges[key] = value if known is None else known + value if is_sum else max(known, value)

    def to_document(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {
            "counters": [[key, value] for key, value in self.counters.items()],
            "histograms": [[key, values] for key, values in self.histograms.items()],
            "gauges": [[key, value] for key, value in self.gauges.items()],
        }

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> "Figures":
        """Return what `to_document` has written; families that are not known here are left out."""
        parts = (
            {tuple(key): value for key, value in document[part] if key[0] in BY_NAME}
            for part in ("counters", "histograms", "gauges")
        )
        return cls(*parts)
