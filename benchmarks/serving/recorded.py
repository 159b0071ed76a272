"""Read a results file: which slices belong together, and who is the best peer."""

import json
import statistics
from pathlib import Path
from typing import Any

from benchmarks.serving.entry import Kind
from benchmarks.serving.figures import Ratio, find_best_tenth, find_ratio, is_slowed
from benchmarks.serving.peers import PEERS

BY_NAME = {peer.name: peer for peer in PEERS}
#: The peers that do what this project does; like it, they are sent named fields.
LIKE_FOR_LIKE = tuple(peer.name for peer in PEERS if peer.kind is Kind.PEER and peer.is_checking)


class Recorded:
    """One results file.

    Attributes:
        document: The whole of it, as `benchmarks.serving` wrote it.
    """

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        every = [*document["slices"], *self.find_growth_slices()]
        self._fastest_core_ms = min((slice_["core_ms"] for slice_ in every), default=0.0)

    @classmethod
    def read(cls, path: Path) -> "Recorded":
        """Read the file."""
        return cls(json.loads(path.read_text(encoding="utf-8")))

    @property
    def models(self) -> list[str]:
        """Return the models that were measured, in their order."""
        return list(self.document["in_process"])

    def list_servers(self, model: str) -> list[str]:
        """Return the servers that were timed with a model, in the order of `PEERS`."""
        timed = {slice_["server"] for slice_ in self.document["slices"] if slice_["model"] == model}
        return [name for name in BY_NAME if name in timed]

    def find_slices(self, server: str, model: str, load: str | None = None) -> list[dict[str, Any]]:
        """Return the slices of a server, of one load or of all."""
        return [
            slice_
            for slice_ in self.document["slices"]
            if slice_["server"] == server and slice_["model"] == model and load in (None, slice_["load"])
        ]

    def collect(self, server: str, model: str, load: str, key: str = "per_cpu_s") -> dict[int, list[float]]:
        """Return one figure of the slices, one list per round; slices without it are left out."""
        rounds: dict[int, list[float]] = {}
        for slice_ in self.find_slices(server, model, load):
            if slice_[key] is not None:
                rounds.setdefault(slice_["round"], []).append(slice_[key])
        return rounds

    def find_best(self, server: str, model: str, load: str, key: str = "per_cpu_s") -> float | None:
        """Return the best tenth of a figure, for milliseconds the lowest; ``None`` when it was not measured."""
        values = [value for values in self.collect(server, model, load, key).values() for value in values]
        return find_best_tenth(values, is_low_best=key.endswith("_ms")) if values else None

    def find_median(self, server: str, model: str, load: str, key: str = "per_cpu_s") -> float | None:
        """Return the median of a figure over all slices."""
        values = [value for values in self.collect(server, model, load, key).values() for value in values]
        return statistics.median(values) if values else None

    def rank_peers(self, model: str, load: str) -> list[str]:
        """Return the peers with their own engines, the one that answers most per CPU second first."""
        figures = {
            name: figure
            for name in self.list_servers(model)
            if BY_NAME[name].kind is Kind.PEER and (figure := self.find_best(name, model, load)) is not None
        }
        return sorted(figures, key=lambda name: -figures[name])

    def find_best_peer(self, model: str, load: str, among: tuple[str, ...] = ()) -> str | None:
        """Return the first of the ranked peers, or of some of them."""
        return next((name for name in self.rank_peers(model, load) if not among or name in among), None)

    def list_unmeasured(self) -> list[str]:
        """Return the servers that the run neither timed nor found to fail: it was told to leave them out."""
        met = {entry["server"] for entry in [*self.document["slices"], *self.document["failures"]]}
        return [name for name in BY_NAME if name not in met]

    def compare(self, model: str, load: str, other: str | None) -> Ratio | None:
        """Return this project's requests per CPU second over those of another server."""
        if other is None:
            return None
        ours, theirs = self.collect("ours", model, load), self.collect(other, model, load)
        has_both = bool(ours) and bool(theirs) and all(value > 0 for values in theirs.values() for value in values)
        return find_ratio(ours, theirs) if has_both else None

    def count_errors(self, server: str, model: str) -> int:
        """Return the requests that failed under load."""
        return sum(slice_["errors"] for slice_ in self.find_slices(server, model))

    def find_growth_slices(self) -> list[dict[str, Any]]:
        """Return the slices of the growth; a point of rows is one itself, unless its request failed."""
        parts = [part for part in self.document["growth"].values() if isinstance(part, list)]
        found = [slice_ for part in parts for point in part for slice_ in point.get("slices", [point])]
        return [slice_ for slice_ in found if "core_ms" in slice_]

    def count_slowed(self, slices: list[dict[str, Any]]) -> int:
        """Return in how many slices the machine was slow."""
        return sum(is_slowed(slice_, self._fastest_core_ms) for slice_ in slices)
