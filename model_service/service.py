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
from model_service.backends.loop import ServiceLoop
from model_service.config import ServiceConfig
from model_service.home import METRICS_FOLDER
from model_service.jobs.places import JobAccess
from model_service.manager import ModelManager
from model_service.metrics import families
from model_service.metrics.meters import Meters
from model_service.prediction import PredictionService
from model_service.records import ModelStatus
from model_service.request_log import RequestLog
from model_service.transports.http.app import build_app


class Service:
    """Built once in a process, because the `ModelManager` is; it starts nothing before `start`.

    Args:
        config: What to serve.
        loop: The event loop of this process; without one, a thread runs one.
        home: The folder that the processes of one service share.
    """

    def __init__(self, config: ServiceConfig, *, loop: ServiceLoop | None = None, home: Path | None = None) -> None:
        self.config = config
        self.manager = ModelManager()
        self.predictions = PredictionService(self.manager, max_rows=config.server.max_request_rows)
        self.meters = _make_meters(config, home)
        self.log = RequestLog(config.logging, meters=self.meters)
        # Files travel in the loop of a server; there is none in a notebook, or behind another server.
        self.jobs = JobAccess(config.jobs) if loop is not None else None
        self._loop = loop
        self._home = home

    @cached_property
    def app(self) -> Flask:
        """The WSGI application over the models."""
        return build_app(self.manager, self.predictions, self.config, self.log, self.jobs, self.meters)

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

    def drain(self, timeout_s: float) -> bool:
        """Wait until nothing is under way any more; return whether that came to be in time."""
        return self.manager.drain(time.monotonic() + timeout_s)

    def close(self) -> None:
        """Close the models and write out the log; calling it twice is fine."""
        self.manager.close()
        if self.jobs is not None:
            self.jobs.close()
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
    meters = Meters(home / METRICS_FOLDER if home is not None else None)
    labels = model_service.__version__, platform.python_version()
    meters.set_gauge(families.BUILD, *labels, value=1)
    meters.set_gauge(families.GENERATION, value=1)
    return meters
