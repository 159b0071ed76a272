"""`Service`: what one process serves with: its models, the road to them, its log and its doors.

    start ─> answers ─> drain ─> close

Everything that is to begin and end with a worker hangs here.
"""

import platform
import time
from functools import cached_property
from pathlib import Path
from typing import Self

from flask import Flask

import model_service
from model_service.access.gate import Gate, make_gate
from model_service.backends.loop import ServiceLoop
from model_service.config import ServiceConfig
from model_service.home import METRICS_FOLDER, name_control
from model_service.jobs.places import JobAccess
from model_service.manager import ModelManager
from model_service.metrics import families
from model_service.metrics.meters import Meters
from model_service.prediction import PredictionService
from model_service.prediction_log.writer import open_log
from model_service.records import ModelStatus
from model_service.registry.health_watch import HealthWatch
from model_service.request_log import RequestLog
from model_service.threads import count_cores
from model_service.tracing.tracer import open_tracer
from model_service.transports.http.app import build_app


class Service:
    """Built once in a process, because the `ModelManager` is; it starts nothing before `start`.

    Args:
        config: What to serve.
        loop: The event loop of this process; without one, a thread runs one.
        home: The folder that the processes of one generation of a service share, in the folder of the service.
        number: Which of its workers this process is.
    """

    def __init__(
        self, config: ServiceConfig, *, loop: ServiceLoop | None = None, home: Path | None = None, number: int = 0
    ) -> None:
        self.config = config
        self.manager = ModelManager()
        self.predictions = PredictionService(self.manager, max_rows=config.server.max_request_rows)
        self.meters = _make_meters(config, home)
        self.tracer = open_tracer(config.tracing)
        self.log = RequestLog(config.logging, meters=self.meters)
        # Files travel in the loop of a server; there is none in a notebook, or behind another server.
        self.jobs = JobAccess(config.jobs) if loop is not None else None
        self._health = HealthWatch(lambda: self.manager.generation.list_served(), config.health.self_test_interval_s)
        self._loop = loop
        self._home = home
        self._number = number

    @cached_property
    def gate(self) -> Gate | None:
        """Who may call; not needed where nobody does, as on the command line."""
        workers = self.config.server.workers or count_cores() if self._loop is not None else 1
        return make_gate(self.config.access, workers=workers, tells_changes=self._number == 0)

    @cached_property
    def app(self) -> Flask:
        """The WSGI application over the models."""
        control = None
        if self._home is not None and self.config.server.allow_management:
            control = name_control(self._home.parent)
        return build_app(
            self.manager,
            self.predictions,
            self.config,
            self.log,
            self.jobs,
            self.gate,
            control=control,
            meters=self.meters,
            tracer=self.tracer,
        )

    def announce(self) -> None:
        """List the models as ``loading``, so that the doors can say so before `start` has ended."""
        self.manager.announce_models(self.config)

    def describe(self) -> list[ModelStatus]:
        """Return what the models say of themselves, in the order of the configuration; no weights are read."""
        self.manager.load_models(self.config, describe_only=True)
        return self.manager.get_models()

    def start(self) -> Self:
        """Load the models; errors as `ModelManager.load_models`."""
        self.manager.load_models(self.config, loop=self._loop, home=self._home, meters=self.meters)
        return self

    def watch_predictions(self) -> None:
        """Log and copy predictions as the configuration says: for what serves, and nothing else."""
        self.predictions.log = open_log(self.config)
        if any(model.traffic.shadow for model in self.config.models):
            self.predictions.copy_for_shadows()

    def end_watch(self) -> None:
        """Write what waits to be logged, and log and copy nothing more."""
        if self.predictions.shadows is not None:
            self.predictions.shadows.close()
        if self.predictions.log is not None:
            self.predictions.log.close()

    def end_traces(self) -> None:
        """Send the traces that wait, for a short while, and trace nothing more."""
        if self.tracer is not None:
            self.tracer.close()

    def watch_health(self) -> None:
        """Ask the models their own examples now and then, from now until the end."""
        if self.config.health.self_test_interval_s:
            self._health.start()

    def drain(self, timeout_s: float) -> bool:
        """Wait until nothing is under way any more; return whether that came to be in time."""
        return self.manager.drain(time.monotonic() + timeout_s)

    def close(self) -> None:
        """Close the models and write out the logs; calling it twice is fine."""
        self._health.close()
        self.manager.close()
        if self.jobs is not None:
            self.jobs.close()
        self.end_watch()
        self.end_traces()
        self.log.flush()
        if self.meters is not None:
            self.meters.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _make_meters(config: ServiceConfig, home: Path | None) -> Meters | None:
    if not config.metrics.enabled:
        return None
    # All generations count in one place: what one has counted is not lost with it.
    meters = Meters(home.parent / METRICS_FOLDER if home is not None else None)
    labels = model_service.__version__, platform.python_version()
    meters.set_gauge(families.BUILD, *labels, value=1)
    if home is None:  # else the parent of the service knows
        meters.set_gauge(families.GENERATION, value=1)
    return meters
