"""How thoroughly a model is checked. Everything is bounded, and the same seed makes the same cases."""

from dataclasses import asdict, dataclass, replace
from typing import Any

from model_service.records import Payload
from model_service.schema.difference import TOLERANCE


@dataclass(frozen=True, slots=True)
class Options:
    """The bounds of a check.

    Attributes:
        seconds: What one rule may take for the cases that it can choose the number of: with fewer it judges by fewer.
        cases: Payloads that are generated.
        calls: Predictions in which memory must not grow.
        seed: Of everything that is drawn.
        tolerance: How far floats of one row may differ between batches, threads and processes, relative or absolute.
        deadline_s: A rule that comes back so long after its `seconds`, or never, is broken, and its process is ended.
        payloads: Valid payloads beside the examples of the schema.
        card: Path of the model card; empty for the ``README.md`` of the package.
        section: The heading of the card below which every figure must have been measured.
        builds_wheel: Whether the wheel is built, installed and asked, which takes a while.
    """

    seconds: float = 10.0
    cases: int = 100
    calls: int = 1000
    seed: int = 0
    tolerance: float = TOLERANCE
    deadline_s: float = 60.0
    payloads: tuple[Payload, ...] = ()
    card: str = ""
    section: str = "Quality"
    builds_wheel: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return them as JSON."""
        return {**asdict(self), "payloads": list(self.payloads)}

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> "Options":
        """Return what `as_dict` wrote."""
        return replace(cls(**document), payloads=tuple(document["payloads"]))
