"""What is measured of an entry, from when it answers to its end, and of the worker that it is in."""

import os

from model_service.backends.base import AsyncBackend
from model_service.backends.loop import ServiceLoop
from model_service.home import measure_memory
from model_service.metrics import families
from model_service.metrics.figures import Key
from model_service.metrics.meters import Meters, Reader
from model_service.metrics.model_meter import ModelMeter
from model_service.records import ModelInfo, ModelStatus


class Measuring:
    """The meter of one entry, and its gauges, until `end`.

    Args:
        meters: Of the process.
        info: Of the model.
        backend: Started.
        load_s: Seconds that it took to start and test it.

    Attributes:
        meter: Of the model.
    """

    def __init__(self, meters: Meters, info: ModelInfo, backend: AsyncBackend, load_s: float) -> None:
        self._meters = meters
        labels = info.qualified_name, info.version
        self.meter: ModelMeter = meters.open_model(*labels)
        backend.note_in(self.meter)
        meters.set_gauge(families.LOAD_SECONDS, *labels, value=load_s)
        self._read = _make_reader(labels, backend)
        meters.watch(self._read)

    def end(self) -> None:
        """Measure no more; calling it twice is fine."""
        self._meters.unwatch(self._read)


def measure_worker(loop: ServiceLoop, number: int) -> list[tuple[Key, float]]:
    """Return the gauges of a worker."""
    return [
        ((families.WORKERS.name,), 1),
        ((families.WORKER_MEMORY.name, str(number)), measure_memory(os.getpid())),
        ((families.LOOP_LAG.name,), loop.lag_s),
    ]


def note_failure(meters: Meters, status: ModelStatus) -> None:
    """Show a model as one that does not answer."""
    meters.note_name(status.qualified_name)
    meters.set_gauge(families.MODEL_READY, status.qualified_name, status.version or families.NONE, value=0)


def _make_reader(labels: tuple[str, str], backend: AsyncBackend) -> Reader:
    def read() -> list[tuple[Key, float]]:
        return [
            ((families.QUEUE_ROWS.name, *labels), backend.queued_rows),
            ((families.IN_FLIGHT.name, *labels), backend.tickets),
            ((families.MODEL_READY.name, *labels), float(backend.find_problem() is None)),
        ]

    return read
