"""`ModelManager`: which models this process serves, and in what state. It predicts nothing.

A package that fails is quarantined: it stays in the list as ``failed``, with problem,
cause and remedy, and the others serve. Only mistakes that would make it unclear *which*
model answers stop `ModelManager.load_models`: the same name and version twice, or two
defaults of one name.
"""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from model_service.backends.base import Host
from model_service.backends.loop import ServiceLoop
from model_service.config import ReadyRule, ServiceConfig, name_entry
from model_service.errors import ServiceError
from model_service.metrics.meters import Meters
from model_service.observability import bind_target
from model_service.prediction_log.redaction import check_paths
from model_service.records import ModelState, ModelStatus
from model_service.registry import bring_up
from model_service.registry.entry import Entry, ServedModel
from model_service.registry.generation import Generation, check_unambiguous
from model_service.registry.routing import FindHeader, split_alias

#: Loading is waiting for disks and processes as much as computing.
_LOADERS = 8
#: Seconds that models which have been replaced have for what they have begun.
DRAIN_S = 30.0


class ModelManager:
    """The models of this process. ``ModelManager()`` is always the same object.

    Thread-safe: `load_models` and `close` take turns; the questions may be asked at any
    time, also while models load.
    """

    _instance: Self | None = None
    _instance_lock = threading.Lock()
    _entries: list[Entry]
    #: What answers now; another object whenever that changes.
    generation: Generation
    _loading_lock: threading.Lock
    _publish_lock: threading.Lock
    _own_loop: ServiceLoop | None
    _ready_rule: ReadyRule

    def __new__(cls) -> Self:
        with cls._instance_lock:
            if cls._instance is None:
                instance = super().__new__(cls)
                instance._entries = []
                instance.generation = Generation([])
                instance._loading_lock = threading.Lock()
                instance._publish_lock = threading.Lock()
                instance._own_loop = None
                instance._ready_rule = ReadyRule.ANY
                cls._instance = instance
            return cls._instance

    def announce_models(self, configuration: ServiceConfig) -> None:
        """List the models of a configuration as ``loading``, for `load_models` to load; replaces what was loaded."""
        with self._loading_lock:
            self._close()
            self._ready_rule = configuration.health.ready
            self._entries = _announce(configuration, ServiceLoop())
            self._publish()

    def load_models(
        self,
        configuration: ServiceConfig,
        *,
        describe_only: bool = False,
        loop: ServiceLoop | None = None,
        home: Path | None = None,
        meters: Meters | None = None,
    ) -> None:
        """Import, check, build and self-test every model of a configuration; replaces what was loaded.

        Several at the same time; each answers as soon as it is ready. Where models answer already, they do so until all
        of the new ones are ready; then they finish what they have begun, and are stopped.

        Args:
            configuration: Its ``models`` are listed in their order.
            describe_only: Stop before any weights are read; the models stay ``loading``.
            loop: The event loop of this process; without one, the manager runs one in a thread until `close`.
            home: The folder that the workers of one service share, with a folder for each entry (`name_entry`):
                sockets of model processes, and what the workers have agreed on.
            meters: Counts; ticks with the loop.

        Raises:
            DuplicateModel: Two entries have the same name and version. What was loaded goes on answering.
            ConfigInvalid: Two entries of one name are marked ``default``, or a field that is to be left out of the log
                of predictions is none of the model's. Likewise.
        """
        with self._loading_lock:
            loop = loop or (ServiceLoop() if describe_only else self._start_own_loop())
            if meters is not None and not describe_only:
                _tick_with(loop, meters)
            before, entries = self._entries, _announce(configuration, loop, home, meters)
            is_swap = any(entry.served is not None for entry in before)
            if not is_swap:
                self._entries = entries
            try:
                self._bring(bring_up.peek if describe_only else bring_up.describe, entries)
                check_unambiguous(entries)
                _check_redaction(entries)
                if not describe_only:
                    self._bring(bring_up.start, entries)
            except ServiceError:
                self._stop(entries)
                self._entries = before if is_swap else []
                self._publish()
                raise
            self._entries, self._ready_rule = entries, configuration.health.ready
            self._publish()
            _drain(before, time.monotonic() + DRAIN_S)
            self._stop(before)

    def get_models(self) -> list[ModelStatus]:
        """Return every configured model, in the order of the configuration."""
        return self.generation.get_statuses()

    def is_ready(self) -> bool:
        """Whether the service should get requests."""
        return is_ready(self.get_models(), self._ready_rule)

    def get_model_metadata(self, qualified_name: str, version: str | None = None) -> ModelStatus:
        """Return one model's status and description, whatever its state.

        Raises:
            ModelNotFound: Lists what is configured.
        """
        return self.generation.get_status(qualified_name, version)

    def get_versions(self, qualified_name: str) -> list[ModelStatus]:
        """Return every version of a model, whatever its state, in the order of the configuration.

        Raises:
            ModelNotFound: Lists what is configured.
        """
        self.generation.get_status(qualified_name, None)
        name, _ = split_alias(qualified_name)
        return [status for status in self.get_models() if status.qualified_name == name]

    def get_model(
        self, qualified_name: str, version: str | None = None, find_header: FindHeader | None = None
    ) -> ServedModel:
        """Return a model that can predict.

        Args:
            qualified_name: The model's name, perhaps with an alias: ``loan_model@stable``.
            version: Any spelling of its PEP 440 version; the default version, or one by weight, when ``None``.
            find_header: Looks up a header of the request, for versions that keep their callers.

        Raises:
            ModelNotFound: Lists what is configured.
            ModelNotReady: It is loading or quarantined; the message says which.
        """
        return self.generation.get_served(qualified_name, version, find_header)

    @contextmanager
    def lease(
        self, qualified_name: str, version: str | None = None, find_header: FindHeader | None = None
    ) -> Iterator[ServedModel]:
        """Find a model as `get_model` does, and keep it from being stopped for the length of a block."""
        while True:
            target = self.get_model(qualified_name, version, find_header)
            with target.leases.hold():
                if self.generation.serves(target):  # else it may be stopped already
                    bind_target(target.info)
                    yield target
                    return

    def drain(self, deadline: float) -> bool:
        """Wait until no model has anything under way; return whether that came to be before the deadline."""
        return _drain(self._entries, deadline)

    def close(self) -> None:
        """Stop every backend and forget the models; the object can load again."""
        with self._loading_lock:
            self._close()

    def _bring(self, step: Callable[[Entry], None], entries: list[Entry]) -> None:
        """Take entries one step on their way; everybody sees at once what became of each."""

        def bring(entry: Entry) -> None:
            step(entry)
            self._publish()

        with ThreadPoolExecutor(_LOADERS, "loader") as loaders:
            list(loaders.map(bring, entries))

    def _publish(self) -> None:
        """Swap the generation that answers for what the entries are now."""
        with self._publish_lock:  # several are brought up at once: an older view must not come last
            self.generation = Generation(self._entries)

    def _close(self) -> None:
        entries, self._entries = self._entries, []
        self._publish()
        self._stop(entries)
        loop, self._own_loop = self._own_loop, None
        if loop is not None:
            loop.close()

    def _stop(self, entries: list[Entry]) -> None:
        for entry in entries:
            bring_up.stop(entry)

    def _start_own_loop(self) -> ServiceLoop:
        if self._own_loop is None:
            self._own_loop = ServiceLoop()
            self._own_loop.start_thread()
        return self._own_loop


def _tick_with(loop: ServiceLoop, meters: Meters) -> None:
    loop.no_tick(meters.tick)  # of an earlier time
    loop.every_tick(meters.tick)


def _announce(
    configuration: ServiceConfig, loop: ServiceLoop, home: Path | None = None, meters: Meters | None = None
) -> list[Entry]:
    return [
        bring_up.announce(config, Host(loop, home / name_entry(config) if home is not None else None, meters))
        for config in configuration.models
    ]


def _check_redaction(entries: list[Entry]) -> None:
    for entry in entries:
        if entry.status.info is not None:
            check_paths(entry.config.prediction_log, entry.status.info)


def _drain(entries: list[Entry], deadline: float) -> bool:
    drained = [bring_up.drain(entry, deadline) for entry in entries]
    return all(drained)


def is_ready(models: list[ModelStatus], rule: ReadyRule = ReadyRule.ANY) -> bool:
    """Whether a service of such models should get requests.

    By `ReadyRule.ANY`, nothing is loading, every ``required`` model is ready, and at least one model is, if
    any is configured: a quarantined model alone does not take the others out of service.
    """
    states = [model.state for model in models]
    if any(model.is_required and model.state is not ModelState.READY for model in models):
        return False
    if rule is ReadyRule.REQUIRED:
        return True
    if rule is ReadyRule.ALL:
        return all(state is ModelState.READY for state in states)
    return ModelState.LOADING not in states and (not models or ModelState.READY in states)
