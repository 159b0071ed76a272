"""`Meters`: everything that one process counts, and the sum of it over all processes of the service."""

import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from model_service.metrics import families
from model_service.metrics.families import BY_NAME, NONE, Family
from model_service.metrics.figures import Figures, Key
from model_service.metrics.figures_file import FiguresFile, read_others
from model_service.metrics.histogram import Histogram
from model_service.metrics.model_meter import ModelMeter

#: Ticks of the loop between two writings: a process that is killed loses what it has counted since.
FLUSH_TICKS = 5
#: Other methods are no label: a caller may make up any.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "GRPC"})
#: What a process tells of itself when it is asked: keys and values of gauges.
Reader = Callable[[], Iterable[tuple[Key, float]]]


class Meters:
    """Counts. Thread-safe.

    Args:
        folder: Where the processes of one service write what they count; ``None`` for a process alone.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._lock = threading.Lock()
        self._file = FiguresFile(folder) if folder is not None else None
        inherited = self._file.inherited if self._file is not None else Figures()
        self._counters = inherited.counters
        self._inherited = inherited.histograms
        self._gauges: dict[Key, float] = {}
        self._readers: list[Reader] = []
        self._histograms = {key: self._begin(key) for key in inherited.histograms}
        # Counters that grow with the number of a histogram's notes, and with their sum.
        self._count_by: dict[int, Key] = {}
        self._sum_by: dict[int, Key] = {}
        self._models: dict[tuple[str, str], ModelMeter] = {}
        self._names: set[str] = set()
        self._ticks = 0

    # What is counted

    def open_model(self, name: str, version: str) -> ModelMeter:
        """Return the meter of a model that is served; always the same one for a name and a version."""
        with self._lock:
            self._names.add(name)
            meter = self._models.get((name, version))
            if meter is None:
                meter = self._models[name, version] = self._make_meter(name, version)
        return meter

    def note_name(self, name: str) -> None:
        """Let a model be a label although it does not answer."""
        self._names.add(name)

    def note_answer(
        self,
        method: str,
        route: str,
        status: str,
        names: tuple[str | None, str | None],
        duration_s: float,
        code: str | None,
    ) -> None:
        """Count an answered request.

        Args:
            method: As it was asked.
            route: A template; never what a caller can make up.
            status: As text.
            names: What a request calls its model and the version, known or not.
            duration_s: Zero where nobody measured it.
            code: Of the error that was answered, if one was.
        """
        model = names[0] if names[0] in self._names else NONE
        labels = (model, names[1]) if names in self._models else (model, NONE)
        method = method if method in _METHODS else "other"
        with self._lock:
            self._add((families.REQUESTS.name, method, route, *labels, status), 1)
            if code is not None:
                self._add((families.ERRORS.name, code, *labels), 1)
            if duration_s:
                self._find(families.REQUEST_SECONDS, route, *labels).add(duration_s)

    def count(self, family: Family, *labels: str) -> None:
        """Count one more."""
        with self._lock:
            self._add((family.name, *labels), 1)

    def set_gauge(self, family: Family, *labels: str, value: float) -> None:
        """Set a gauge that changes seldom."""
        with self._lock:
            self._gauges[family.name, *labels] = value

    def replace_gauges(self, replaced: Iterable[Family], values: Mapping[Key, float]) -> None:
        """Set all gauges of some families; what is not among the values is no longer told."""
        names = {family.name for family in replaced}
        with self._lock:
            self._gauges = {key: value for key, value in self._gauges.items() if key[0] not in names} | dict(values)

    def watch(self, read: Reader) -> None:
        """Ask for gauges whenever they are wanted, until `unwatch`."""
        self._readers.append(read)

    def unwatch(self, read: Reader) -> None:
        """Undo `watch`; asking twice is fine."""
        self._readers = [each for each in self._readers if each != read]

    # What becomes of it

    def tick(self) -> None:
        """Count what has been noted, and write it now and then: for a tick of the loop."""
        self._ticks += 1
        if self._ticks % FLUSH_TICKS:
            with self._lock:
                self._fold()
        else:
            self.flush()

    def flush(self) -> Figures:
        """Return what this process has counted, once others can read it."""
        with self._lock:
            self._fold()
            figures = Figures(
                dict(self._counters),
                {key: [histogram.total, *histogram.counts] for key, histogram in self._histograms.items()},
                dict(self._gauges),
            )
            now = Figures(gauges={})
            for read in list(self._readers):
                now.add(Figures(gauges=dict(read())))
            figures.gauges.update(now.gauges)
            if self._file is not None:
                self._file.write(figures)
        return figures

    def gather(self) -> Figures:
        """Return the sum over all processes of the service, those that have ended included."""
        # First what is written here is made new: who asks another worker next must not find less.
        figures = self.flush()
        if self._file is not None:
            for other, is_alive in read_others(self._file.path):
                figures.add(other, is_alive=is_alive)
        return figures

    def close(self) -> None:
        """Write for the last time, without gauges: this process is about to end."""
        with self._lock:
            self._gauges.clear()
            self._readers.clear()
        self.flush()

    def _make_meter(self, name: str, version: str) -> ModelMeter:
        labels = (name, version)

        def find_notes(stage: str) -> list[float]:
            if stage != "batch":
                return self._find(families.STAGE_SECONDS, stage, *labels).notes
            batches = self._find(families.BATCH_ROWS, *labels)
            self._sum_by[id(batches)] = (families.ROWS_TOTAL.name, *labels)
            return batches.notes

        def find_answers(route: str) -> list[float]:
            with self._lock:
                answers = self._find(families.REQUEST_SECONDS, route, *labels)
                self._count_by[id(answers)] = (families.REQUESTS.name, "POST", route, *labels, "200")
            return answers.notes

        return ModelMeter(find_notes, find_answers)

    def _find(self, family: Family, *labels: str) -> Histogram:
        key = (family.name, *labels)
        if key not in self._histograms:
            self._histograms[key] = self._begin(key)
        return self._histograms[key]

    def _begin(self, key: Key) -> Histogram:
        return Histogram(BY_NAME[key[0]].bounds, self._inherited.get(key))

    def _add(self, key: Key, number: float) -> None:
        self._counters[key] = self._counters.get(key, 0) + number

    def _fold(self) -> None:
        for histogram in self._histograms.values():
            count, total = histogram.fold()
            if count:
                if (key := self._count_by.get(id(histogram))) is not None:
                    self._add(key, count)
                if (key := self._sum_by.get(id(histogram))) is not None:
                    self._add(key, total)
