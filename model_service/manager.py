"""`ModelManager`: which models this process serves, and in what state. It predicts nothing.

A package that fails is quarantined: it stays in the list as ``failed``, with problem,
cause and remedy, and the others serve. Only mistakes that would make it unclear *which*
model answers stop `ModelManager.load_models`: the same name and version twice, or two
defaults of one name.
"""

import importlib
import logging
import threading
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from packaging.version import InvalidVersion, Version

from model_service.backends import BACKENDS
from model_service.backends.base import Backend
from model_service.backends.choice import line_up
from model_service.backends.self_test import run_self_test
from model_service.config import BackendName, ModelConfig, ServiceConfig
from model_service.errors import (
    ConfigInvalid,
    DuplicateModel,
    ModelContractBroken,
    ModelNotFound,
    ModelNotReady,
    PackageError,
    ServiceError,
    quote_name,
)
from model_service.records import ModelInfo, ModelState, ModelStatus, Problem
from model_service.schema.validation import SchemaValidator

logger = logging.getLogger(__name__)

#: Loading is waiting for disks and processes as much as computing.
_LOADERS = 8


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model that can predict: its description, its validators, its backend."""

    info: ModelInfo
    input_validator: SchemaValidator
    output_validator: SchemaValidator
    backend: Backend


@dataclass(slots=True)
class _Entry:
    """One line of the configuration and what became of it."""

    config: ModelConfig
    status: ModelStatus
    backend: Backend | None = None
    served: ServedModel | None = None

    @property
    def version(self) -> Version:
        return Version(self.status.version or "0")

    def current_status(self) -> ModelStatus:
        """Return the status; a model that was ready fails when its backend has given up."""
        served = self.served
        problem = served.backend.find_problem() if served is not None else None
        return self.status if problem is None else replace(self.status, state=ModelState.FAILED, problem=problem)


class ModelManager:
    """The models of this process. ``ModelManager()`` is always the same object.

    Thread-safe: `load_models` and `close` take turns; the questions may be asked at any
    time, also while models load.
    """

    _instance: Self | None = None
    _instance_lock = threading.Lock()
    _entries: list[_Entry]
    _answering: dict[str, ServedModel]
    _loading_lock: threading.Lock

    def __new__(cls) -> Self:
        with cls._instance_lock:
            if cls._instance is None:
                instance = super().__new__(cls)
                instance._entries = []
                instance._answering = {}
                instance._loading_lock = threading.Lock()
                cls._instance = instance
            return cls._instance

    def announce_models(self, configuration: ServiceConfig) -> None:
        """List the models of a configuration as ``loading``, for `load_models` to load; replaces what was loaded."""
        with self._loading_lock:
            self._announce(configuration)

    def _announce(self, configuration: ServiceConfig) -> list[_Entry]:
        self._stop_all()
        self._entries = [_Entry(config, _first_status(config)) for config in configuration.models]
        return self._entries

    def load_models(
        self,
        configuration: ServiceConfig,
        *,
        describe_only: bool = False,
        process_folders: Mapping[int, Path] | None = None,
    ) -> None:
        """Import, check, build and self-test every model of a configuration; replaces what was loaded.

        Several at the same time; each answers as soon as it is ready.

        Args:
            configuration: Its ``models`` are listed in their order.
            describe_only: Stop before any weights are read; the models stay ``loading``. For
                documents and lists that need no prediction.
            process_folders: Where the parent of this worker keeps the sockets of the model processes it
                runs, by place in the configuration; without it, a backend starts its own.

        Raises:
            DuplicateModel: Two entries have the same name and version.
            ConfigInvalid: Two entries of one name are marked ``default``.
        """
        with self._loading_lock:
            entries = self._announce(configuration)
            folders = process_folders or {}
            with ThreadPoolExecutor(_LOADERS, "loader") as loaders:
                places = [folders.get(place) for place in range(len(entries))]
                list(loaders.map(_peek if describe_only else _describe, entries, places))
                try:
                    _check_unambiguous(entries)
                except ServiceError:
                    self._stop_all()
                    raise
                _mark_defaults(entries)
                if describe_only:
                    return
                list(loaders.map(_start, entries))
            _mark_defaults(entries)  # a version that failed gives its place to the next
            self._answering = {
                entry.status.qualified_name: entry.served
                for entry in entries
                if entry.status.is_default and entry.served is not None
            }

    def get_models(self) -> list[ModelStatus]:
        """Return every configured model, in the order of the configuration."""
        return [entry.current_status() for entry in self._entries]

    def get_model_metadata(self, qualified_name: str, version: str | None = None) -> ModelStatus:
        """Return one model's status and description, whatever its state.

        Raises:
            ModelNotFound: Lists what is configured.
        """
        return self._find(qualified_name, version).current_status()

    def get_model(self, qualified_name: str, version: str | None = None) -> ServedModel:
        """Return a model that can predict.

        Args:
            qualified_name: The model's name.
            version: Any spelling of its PEP 440 version; the default version when ``None``.

        Raises:
            ModelNotFound: Lists what is configured.
            ModelNotReady: It is loading or quarantined; the message says which.
        """
        if version is None and (answering := self._answering.get(qualified_name)) is not None:
            return answering
        entry = self._find(qualified_name, version)
        if entry.served is None:
            status = entry.status
            label = f"model '{status.qualified_name}'" + (f" {status.version}" if status.version else "")
            if status.state is ModelState.FAILED:
                raise ModelNotReady(f"{label} could not be loaded; GET /api/models says why", retry_after_s=60)
            raise ModelNotReady(f"{label} is still loading", retry_after_s=5)
        return entry.served

    def close(self) -> None:
        """Stop every backend and forget the models; the object can load again."""
        with self._loading_lock:
            self._stop_all()

    def _stop_all(self) -> None:
        self._answering = {}
        entries, self._entries = self._entries, []
        for entry in entries:
            _stop(entry)

    def _find(self, qualified_name: str, version: str | None) -> _Entry:
        entries = self._entries
        named = [entry for entry in entries if entry.status.qualified_name == qualified_name]
        if not named:
            loaded = sorted({entry.status.qualified_name for entry in entries})
            raise ModelNotFound(f"no model {quote_name(qualified_name)}; loaded: {', '.join(loaded) or 'none'}")
        if version is None:
            return next((entry for entry in named if entry.status.is_default), named[0])
        try:
            wanted = Version(version)
        except InvalidVersion:
            wanted = None
        for entry in named:
            if entry.status.version is not None and entry.version == wanted:
                return entry
        versions = ", ".join(entry.status.version for entry in named if entry.status.version)
        raise ModelNotFound(
            f"no version {quote_name(version)} of model '{qualified_name}'; loaded: {versions or 'none'}"
        )


def _first_status(config: ModelConfig) -> ModelStatus:
    return ModelStatus(
        # Until the class speaks for itself, its package's name is the best that is known.
        qualified_name=config.class_path.replace(":", ".").split(".")[0],
        version=None,
        class_path=config.class_path,
        state=ModelState.LOADING,
        is_default=False,
        is_required=config.required,
        info=None,
        problem=None,
    )


def _describe(entry: _Entry, folder: Path | None) -> None:
    module_path, _, class_name = BACKENDS[entry.config.backend].partition(":")
    entry.backend = getattr(importlib.import_module(module_path), class_name)(entry.config, folder)
    try:
        with _surprises_as_package_errors():
            assert entry.backend is not None
            info = entry.backend.describe()
    except PackageError as error:
        _quarantine(entry, error)
    else:
        entry.status = replace(entry.status, qualified_name=info.qualified_name, version=info.version, info=info)


def _peek(entry: _Entry, folder: Path | None) -> None:
    """Describe an entry and stop: in this process, where its class can be imported here."""
    if entry.config.python is None:
        entry.config = replace(entry.config, backend=BackendName.LOCAL)
    _describe(entry, folder)
    _stop(entry)


def _start(entry: _Entry) -> None:
    info, backend = entry.status.info, entry.backend
    if info is None or backend is None:
        return
    output_validator = SchemaValidator(info.output_schema)
    try:
        with _surprises_as_package_errors():
            backend.start()
            run_self_test(info, backend, output_validator)
            entry.backend = backend = line_up(backend, entry.config, info.examples)
    except PackageError as error:
        _quarantine(entry, error)
    else:
        entry.served = ServedModel(info, SchemaValidator(info.input_schema), output_validator, backend)
        entry.status = replace(entry.status, state=ModelState.READY, batching=backend.describe_batching())
        names = {"model": info.qualified_name, "version": info.version}
        logger.info("model is ready, %s", entry.status.batching, extra=names)


@contextmanager
def _surprises_as_package_errors() -> Iterator[None]:
    """Quarantine a model also for what nobody foresaw: it must not keep the others from serving."""
    try:
        yield
    except ServiceError:
        raise
    except Exception as error:
        raise ModelContractBroken(
            "the model's code raised where the platform did not expect it",
            cause=type(error).__name__,
            remedy="mend the package (the log has the traceback)",
        ) from error


def _quarantine(entry: _Entry, error: PackageError) -> None:
    problem = Problem(error.code, error.message, error.cause, error.remedy)
    entry.status = replace(entry.status, state=ModelState.FAILED, problem=problem)
    logger.error(
        "model is quarantined: %s (%s); %s",
        problem.problem,
        problem.cause,
        problem.remedy,
        extra={"model": entry.status.qualified_name, "version": entry.status.version, "code": error.code},
        exc_info=error.__cause__ or None,
    )
    _stop(entry)


def _stop(entry: _Entry) -> None:
    """Stop an entry's backend, started or not; calling it twice is fine."""
    backend, entry.backend, entry.served = entry.backend, None, None
    try:
        if backend is not None:
            backend.stop()
    except (Exception, SystemExit):  # one model's broken close must not keep the others from closing
        logger.exception("closing the model failed", extra={"model": entry.config.class_path})


def _check_unambiguous(entries: Iterable[_Entry]) -> None:
    seen: dict[tuple[str, Version], _Entry] = {}
    defaults: dict[str, _Entry] = {}
    for entry in entries:
        name = entry.status.qualified_name
        if entry.status.version is None:
            continue  # its name is only its package's: it says nothing about which model is meant
        if entry.config.default:
            if name in defaults:
                raise ConfigInvalid(f"two entries of '{name}' are marked default: keep one")
            defaults[name] = entry
        first = seen.setdefault((name, entry.version), entry)
        if first is not entry:
            raise DuplicateModel(
                f"model '{name}' {entry.status.version} is configured twice",
                cause=f"both '{first.config.class_path}' and '{entry.config.class_path}' provide it",
                remedy="remove one of the entries, or give one of the models another version or name",
            )


def _mark_defaults(entries: list[_Entry]) -> None:
    """Choose the entry of each name that answers requests without a version.

    The one marked ``default``; else the highest version (PEP 440) that has not failed,
    so that a broken new version leaves the old one in its place.
    """
    by_name: dict[str, list[_Entry]] = {}
    for entry in entries:
        by_name.setdefault(entry.status.qualified_name, []).append(entry)
    for named in by_name.values():
        chosen = max(
            named,
            key=lambda entry: (entry.config.default, entry.status.state is not ModelState.FAILED, entry.version),
        )
        for entry in named:
            entry.status = replace(entry.status, is_default=entry is chosen)
