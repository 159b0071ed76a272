"""The configuration: what keeps the service from starting with it, and what it needs that is not installed."""

import socket
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from model_service.access.reach import check_access
from model_service.config import NO_MODELS, ServiceConfig
from model_service.config_jobs import JobsConfig
from model_service.control import find_service
from model_service.doctor.finding import Case, Finding, Level
from model_service.errors import ServiceError
from model_service.listening import check_listening, check_ports

_MEND = "mend the configuration; `model-service settings` describes every key"
#: Sockets on this machine answer at once.
_ASK_S = 1.0


def check_configuration(case: Case) -> Iterator[Finding]:
    """Look at what `check-config` finds without loading a model."""
    if case.config is None:
        yield Finding("configuration", Level.ERROR, case.fault.message if case.fault else "it cannot be read", _MEND)
        return
    faults = []
    for check in (lambda config: check_listening(config.server), check_access):
        try:
            check(case.config)
        except ServiceError as error:
            faults.append(error.message)
    if not case.config.models:
        faults.append(NO_MODELS)
    for fault in faults:
        yield Finding("configuration", Level.ERROR, fault, _MEND)
    if not faults:
        yield Finding("configuration", Level.OK, f"{case.path}: {len(case.config.models)} models")


def check_libraries(case: Case) -> Iterator[Finding]:
    """Look whether the extras are installed that the configuration needs."""
    for extra, key, modules in _list_needs(case.config) if case.config else ():
        missing = [name for name in modules if find_spec(name) is None]
        if missing:
            remedy = f"pip install 'model-service[{extra}]', or remove {key}"
            yield Finding("libraries", Level.ERROR, f"{key} needs {', '.join(missing)}, not installed", remedy)
        else:
            yield Finding("libraries", Level.OK, f"{key}: the extra {extra} is installed")


def _list_needs(config: ServiceConfig) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield extra, key and modules of what is configured; gRPC and limits, `check_configuration` finds."""
    jobs = config.jobs
    if any(getattr(jobs, name) != getattr(JobsConfig(), name) for name in ("database", "store", "workers")):
        yield "jobs", "jobs", ("alembic", "fsspec", "sqlalchemy")
    if (jobs.database or "").startswith("postgresql"):
        yield "postgresql", "jobs.database", ("psycopg",)
    if (jobs.store or "").startswith("s3:"):
        yield "s3", "jobs.store", ("s3fs",)


def check_addresses(case: Case) -> Iterator[Finding]:
    """Look whether somebody listens already where the service shall."""
    if case.config is None:
        return
    server = case.config.server
    with suppress(ServiceError):
        running = find_service(case.path)
        yield Finding("addresses", Level.OK, f"the service runs at {running.status['address']}")
        return
    if server.unix_socket is not None and _is_heard(server.unix_socket):
        remedy = "stop what listens there, or set server.unix_socket"
        yield Finding("addresses", Level.ERROR, f"somebody listens on {server.unix_socket}", remedy)
        return
    try:
        check_ports(server)
    except ServiceError as error:
        evidence, _, remedy = error.message.partition("; ")
        yield Finding("addresses", Level.ERROR, evidence, remedy)
    else:
        where = server.unix_socket or f"port {server.port} of {server.host}"
        yield Finding("addresses", Level.OK, f"{where} is free")


def _is_heard(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_ASK_S)
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True
