"""`Tracer`: which requests of this process are traced, and where a trace goes that has ended.

The exporter is a library that takes half a second to import, and has threads. So it is opened in a thread, never when
a module is imported, and not before the first trace has ended, unless `Tracer.open` asks for it.
"""

import importlib
import logging
import random
import threading
from collections.abc import Callable, Iterable, Mapping
from importlib.util import find_spec
from typing import Any

from model_service.config_tracing import TracingConfig
from model_service.errors import MissingDependency
from model_service.tracing.context import Parent, Trace, read_parent

logger = logging.getLogger(__name__)

_EXPORT = "model_service.tracing.export"
#: What that needs: names of modules.
_LIBRARIES = ("opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.http")
#: Traces that wait until the exporter is open.
MOST_WAITING = 1000
#: Time that the last traces have to be sent.
FLUSH_S = 2.0
#: Ids of traces are compared with the ratio by their lower half, as samplers of OpenTelemetry do.
_RANGE = 2**64


class Tracer:
    """Begins traces and takes them when they have ended. Thread-safe.

    Args:
        config: Which requests are traced.

    Attributes:
        settings: What a model process needs to send its spans to the same place.
    """

    def __init__(self, config: TracingConfig) -> None:
        self._bound = round(config.sample_ratio * _RANGE)
        self.settings: Mapping[str, Any] = {"endpoint": config.endpoint, "service_name": config.service_name}
        self._lock = threading.Lock()
        self._give: Callable[[Trace], object] | None = None
        self._shut: Callable[[], object] | None = None
        self._waiting: list[Trace] = []
        self._opening: threading.Thread | None = None
        self._is_closed = False

    def begin(self, headers: Iterable[tuple[bytes, bytes]], began: float) -> Trace | None:
        """Return the trace of a request.

        Args:
            headers: Of the request, as they came.
            began: When it had arrived, on the clock of `time.monotonic`.

        Returns:
            ``None`` where it begins a trace that is not sampled. What a caller does not sample has an id and notes
            nothing.
        """
        parent = read_parent(headers)
        if parent is not None:
            return Trace(parent, began, self if parent.is_sampled else None)
        number = random.getrandbits(128)
        if number % _RANGE >= self._bound:
            return None
        return Trace(Parent(f"{number or 1:032x}", None), began, self)

    def take(self, trace: Trace) -> None:
        """Take a trace that has ended; it never blocks, and drops what there is no room for."""
        give = self._give
        if give is None:
            with self._lock:
                give = self._give
                if give is None and len(self._waiting) < MOST_WAITING:
                    self._waiting.append(trace)
            self.open()
        if give is not None:
            give(trace)

    def open(self) -> None:
        """Open the exporter, in a thread; calling it twice is fine."""
        with self._lock:
            if self._opening is None and not self._is_closed:
                self._opening = threading.Thread(target=self._open, name="tracing", daemon=True)
                self._opening.start()

    def close(self) -> None:
        """Send what waits, within `FLUSH_S`, and take nothing more."""
        with self._lock:
            self._is_closed = True
            opening = self._opening
        if opening is not None:
            ending = threading.Thread(target=self._close, args=[opening], name="tracing-end", daemon=True)
            ending.start()
            ending.join(FLUSH_S)

    def _open(self) -> None:
        give: Callable[[Trace], object] = _drop
        try:
            pipeline = importlib.import_module(_EXPORT).Pipeline(self.settings)
        except Exception as error:  # a library that is missing, a certificate: requests are answered all the same
            logger.error("no traces are sent: %s", error)
        else:
            give, self._shut = pipeline.take, pipeline.close
        with self._lock:
            waiting, self._waiting = self._waiting, []
            self._give = give
        for trace in waiting:
            give(trace)

    def _close(self, opening: threading.Thread) -> None:
        opening.join()
        if self._shut is not None:
            self._shut()


def open_tracer(config: TracingConfig) -> Tracer | None:
    """Return what traces the requests of this process, where the configuration says so."""
    return Tracer(config) if config.enabled else None


def check_tracing(config: TracingConfig) -> None:
    """Make sure that there is what tracing needs.

    Raises:
        MissingDependency: The libraries are not installed.
    """
    if config.enabled and not all(map(_is_there, _LIBRARIES)):
        raise MissingDependency("'tracing.enabled' needs more libraries: pip install 'model-service[otel]'")


def _is_there(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # of a package above it
        return False


def _drop(trace: Trace) -> None:
    """Take a trace, and do nothing with it."""
