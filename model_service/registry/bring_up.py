"""One entry of the configuration on its way: announced, described, started, tested, ready, stopped; or quarantined.

Nothing here raises for one model's sake: it is quarantined, with problem, cause and remedy, and the others go on.
"""

import hashlib
import importlib
import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from model_service.backends import find_backend
from model_service.backends.base import Backend, Host
from model_service.backends.choice import make_queued
from model_service.backends.self_test import run_self_test
from model_service.config import ModelConfig
from model_service.config_traffic import TrafficConfig
from model_service.errors import ModelChanged, ModelContractBroken, PackageError, ServiceError
from model_service.home import agree, is_first, name_loaded
from model_service.records import ModelInfo, ModelState, ModelStatus, Traffic
from model_service.registry.entry import Entry, ServedModel
from model_service.registry.measuring import Measuring, note_failure
from model_service.schema.validation import SchemaValidator

if TYPE_CHECKING:
    from model_service.schema.table_validation import TableSchemas

logger = logging.getLogger(__name__)

#: For models that predict columns; it needs NumPy, which they do, too.
_TABLES = "model_service.schema.table_validation"


def announce(config: ModelConfig, host: Host) -> Entry:
    """Return the entry of a model of which nothing is known yet but its line in the configuration."""
    status = ModelStatus(
        # Until the class speaks for itself, its package's name is the best that is known.
        qualified_name=config.class_path.replace(":", ".").split(".")[0],
        version=None,
        class_path=config.class_path,
        state=ModelState.LOADING,
        is_default=False,
        is_required=config.required,
        info=None,
        problem=None,
        timeout_s=config.timeout_s,
        max_queue_rows=config.max_queue_rows,
    )
    return Entry(config, status, host)


def describe(entry: Entry) -> None:
    """Find out what the model says of itself; no weights are read."""
    entry.backend = backend = find_backend(entry.config.backend)(entry.config, entry.host)
    _note_info(entry, backend.describe)


def peek(entry: Entry) -> None:
    """Describe an entry, and leave nothing running."""
    _note_info(entry, lambda: find_backend(entry.config.backend).peek(entry.config, entry.host))


def start(entry: Entry) -> None:
    """Load a described model, test it on its own examples, and let it answer."""
    info, backend = entry.status.info, entry.backend
    if info is None or backend is None:
        return
    output_validator, began = SchemaValidator(info.output_schema), time.monotonic()
    try:
        with _surprises_as_faults():
            backend.start()
            tables = _find_tables(info, backend)
            warnings = run_self_test(info, backend, output_validator, tables)
            entry.backend = queued = make_queued(backend, entry.config, entry.host, info.examples)
    except PackageError as error:
        _quarantine(entry, error)
        return
    if warnings:
        info = replace(info, warnings=(*info.warnings, *warnings))
        entry.status = replace(entry.status, info=info)
        _log(entry, logging.WARNING, "; ".join(warnings))
    if info.examples:
        queued.vitals.note_success()
    if entry.host.meters is not None:
        entry.measuring = Measuring(entry.host.meters, info, queued, time.monotonic() - began)
    input_validator = SchemaValidator(info.input_schema)
    entry.served = ServedModel(
        info,
        input_validator,
        output_validator,
        queued,
        is_fast=input_validator.is_fast and output_validator.is_fast,
        timeout_s=entry.config.timeout_s,
        notice=_make_notice(entry.config.traffic),
        log=entry.config.prediction_log,
        tables=tables,
        meter=entry.measuring.meter if entry.measuring is not None else None,
    )
    entry.status = replace(entry.status, state=ModelState.READY)
    _log(entry, logging.INFO, f"model is ready, {queued.execution}")


def drain(entry: Entry, deadline: float) -> bool:
    """Wait until nobody needs an entry any more, or until a deadline on the clock of `time.monotonic`; tell which."""
    served = entry.served
    if served is None:
        return True
    return served.leases.wait(max(0.0, deadline - time.monotonic())) and served.backend.drain(deadline)


def stop(entry: Entry) -> None:
    """Stop an entry's backend, started or not; calling it twice is fine."""
    backend, entry.backend, entry.served = entry.backend, None, None
    measuring, entry.measuring = entry.measuring, None
    if measuring is not None:
        measuring.end()
    try:
        if backend is not None:
            backend.stop()
    except (Exception, SystemExit):  # one model's broken close must not keep the others from closing
        logger.exception("closing the model failed", extra={"model": entry.config.class_path})


def _make_notice(traffic: TrafficConfig) -> Traffic | None:
    if traffic.deprecated is None and traffic.sunset is None:
        return None
    return Traffic(deprecated=traffic.deprecated, sunset=traffic.sunset, link=traffic.deprecation_link)


def _find_tables(info: ModelInfo, backend: Backend) -> "TableSchemas | None":
    """Return the validators of columns of a model that predicts them and whose schemas they can judge."""
    if not backend.has_columns:
        return None
    tables: TableSchemas = importlib.import_module(_TABLES).TableSchemas(info)
    return tables if tables.are_able else None


def _note_info(entry: Entry, describe: Callable[[], ModelInfo]) -> None:
    try:
        with _surprises_as_faults():
            info = describe()
            if entry.host.folder is not None:
                _check_unchanged(info, entry.host.folder)
    except PackageError as error:
        _quarantine(entry, error)
    else:
        entry.status = replace(entry.status, qualified_name=info.qualified_name, version=info.version, info=info)
        if entry.host.meters is not None:
            entry.host.meters.note_name(info.qualified_name)
        if info.warnings:
            _log(entry, logging.WARNING, f"the package serves, but looks mistaken: {'; '.join(info.warnings)}")


def digest_info(info: ModelInfo) -> str:
    """Return a digest that two descriptions share only if they are the same, code and artifacts included."""
    return hashlib.sha256(json.dumps(asdict(info), sort_keys=True, default=str).encode()).hexdigest()


def _check_unchanged(info: ModelInfo, folder: Path) -> None:
    """Make sure that every worker of a generation, later ones too, loads what the first one has found.

    Raises:
        ModelChanged: The package has been installed anew meanwhile.
    """
    found = digest_info(info)
    if agree(name_loaded(folder), found) != found:
        raise ModelChanged(
            f"the package of '{info.class_path}' has changed since the service was started",
            cause=f"version {info.version} is installed now, with other code, artifacts or descriptions than before",
            remedy="reload the service to serve what is installed, or install what it was started with",
            qualified_name=info.qualified_name,
            version=info.version,
        )


@contextmanager
def _surprises_as_faults() -> Iterator[None]:
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


def _quarantine(entry: Entry, error: PackageError) -> None:
    problem = error.describe()
    entry.status = replace(
        entry.status,
        qualified_name=problem.qualified_name or entry.status.qualified_name,
        version=problem.version or entry.status.version,
        state=ModelState.FAILED,
        problem=problem,
    )
    if entry.host.meters is not None:
        note_failure(entry.host.meters, entry.status)
    text = f"model is quarantined: {problem.problem} ({problem.cause}); {problem.remedy}"
    _log(entry, logging.ERROR, text, code=error.code, cause=error.__cause__)
    stop(entry)


def _log(entry: Entry, level: int, text: str, *, code: str | None = None, cause: BaseException | None = None) -> None:
    """Log what happened to an entry; where workers share a folder, the first says it, and the others for debugging."""
    folder = entry.host.folder
    if folder is not None and not is_first(folder / f"said-{hashlib.sha256(text.encode()).hexdigest()[:16]}"):
        level = logging.DEBUG
    names = {"model": entry.status.qualified_name, "version": entry.status.version, "code": code}
    logger.log(level, "%s", text, extra=names, exc_info=cause)
