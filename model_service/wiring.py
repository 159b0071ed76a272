"""Configuration to a running service, top to bottom; the only module that knows everyone.

    ServiceConfig -> ModelManager -> PredictionService -> Flask app -> Granian

The parent process of `serve` binds the port, watches the workers, and runs the model
processes that all workers share; each worker loads the other models and builds its own
application. Importing this module does nothing.
"""

import ctypes
import functools
import gc
import logging
import logging.config
import os
import signal
import socket
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from flask import Flask
from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels

from model_service.backends.supervisor import Supervisor
from model_service.config import BackendName, ServerConfig, ServiceConfig
from model_service.config_file import DEFAULT_FILE, load_config
from model_service.errors import ConfigInvalid, PackageError, ServiceError
from model_service.manager import ModelManager
from model_service.observability import build_logging_settings
from model_service.prediction import PredictionService
from model_service.request_log import RequestLog
from model_service.threads import limit_threads
from model_service.transports.http.app import build_app

logger = logging.getLogger(__name__)

#: From linux/prctl.h: the signal that the kernel sends to this process when its parent ends.
_PR_SET_PDEATHSIG = 1


def create_app(config_path: str | Path = DEFAULT_FILE) -> Flask:
    """Return the WSGI application of a configuration file, its models loaded.

    For any WSGI server, and for ``flask --app 'model_service.wiring:create_app' run``.
    """
    config = load_config(Path(config_path), os.environ)
    configure_logging(config)
    limit_threads(config.server.model_threads, os.environ)
    return build_service(config)[1]


def configure_logging(config: ServiceConfig) -> None:
    """Make this process log as its configuration says."""
    logging.config.dictConfig(build_logging_settings(config.logging))


def build_manager(
    config: ServiceConfig, *, describe_only: bool = False, process_folders: Mapping[int, Path] | None = None
) -> ModelManager:
    """Return the process's manager with the models of a configuration; arguments as `ModelManager.load_models`."""
    manager = ModelManager()
    manager.load_models(config, describe_only=describe_only, process_folders=process_folders)
    return manager


def build_service(config: ServiceConfig) -> tuple[PredictionService, Flask]:
    """Load the models and return the road and the HTTP door over it."""
    return connect(build_manager(config), config)


def connect(manager: ModelManager, config: ServiceConfig) -> tuple[PredictionService, Flask]:
    """Return the road over a manager's models, loaded or not, and the HTTP door over the road."""
    service = PredictionService(manager, max_rows=config.server.max_request_rows)
    return service, build_app(manager, service, config.server, RequestLog(config.logging))


def serve(config: ServiceConfig) -> None:
    """Run the HTTP server until SIGTERM or SIGINT; running requests are finished first.

    Raises:
        ConfigInvalid: The address cannot be listened on, or the TLS files do not fit.
        SystemExit: With status 1, when the workers cannot be kept alive.
    """
    server = config.server
    _check_address(server)
    limit_threads(server.model_threads, os.environ)  # workers and model processes inherit it
    try:
        granian = Granian(
            "model_service.wiring:build_service",
            address=server.host,
            port=server.port,
            interface=Interfaces.WSGI,
            workers=server.workers or count_cores(),
            blocking_threads=server.threads,
            workers_kill_timeout=server.shutdown_timeout_s,
            respawn_failed_workers=True,
            websockets=False,
            # Without TLS nobody agrees on HTTP/2, and looking for it costs every connection.
            http=HTTPModes.auto if server.tls_certificate else HTTPModes.http1,
            log_level=LogLevels(config.logging.level.value),
            log_dictconfig=build_logging_settings(config.logging),
            ssl_cert=server.tls_certificate,
            ssl_key=server.tls_key,
        )
    except OSError as error:  # ssl.SSLError is one
        raise ConfigInvalid(f"'server.tls_certificate' and 'server.tls_key' cannot be used: {error}") from error
    supervisors = {
        place: Supervisor(model) for place, model in enumerate(config.models) if model.backend is BackendName.PROCESS
    }
    try:
        for supervisor in supervisors.values():
            supervisor.start()
        folders = {place: supervisor.folder for place, supervisor in supervisors.items()}
        granian.serve(target_loader=functools.partial(_load_worker, config, folders, os.getpid()), wrap_loader=False)
    finally:
        for supervisor in supervisors.values():
            supervisor.stop()


def _load_worker(config: ServiceConfig, process_folders: Mapping[int, Path], parent: int) -> Flask:
    """Build the application in a worker process, which answers at once; its models load meanwhile."""
    _end_with_parent(parent)
    manager = ModelManager()
    manager.announce_models(config)
    arguments = (manager, config, process_folders)
    threading.Thread(target=_load_models, args=arguments, name="loading", daemon=True).start()
    return connect(manager, config)[1]


def _load_models(manager: ModelManager, config: ServiceConfig, process_folders: Mapping[int, Path]) -> None:
    """Load the models of a worker, or end it with one clear line."""
    try:
        manager.load_models(config, process_folders=process_folders)
    except ServiceError as error:
        why = f"{error.message} ({error.cause}); {error.remedy}" if isinstance(error, PackageError) else error.message
        logger.error("the worker cannot start: %s", why, extra={"code": error.code})
        os._exit(1)  # from this thread nothing else ends the worker
    # What has been loaded stays, so the collector need not look at it again; and a large request makes
    # ten thousands of objects that die young, for which the default asks the collector a hundred times.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def _end_with_parent(parent: int) -> None:
    """Have the kernel end this worker when the parent dies without a word; else it would keep the port."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died before the kernel was told
            sys.exit(1)


def count_cores(quota: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """Return how many cores this process may use: those it may run on, or fewer where its control group has a quota."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        share, period = quota.read_text().split()
        return max(1, min(cores, -(-int(share) // int(period))))
    except (OSError, ValueError):  # no control group, or "max": no quota
        return cores


def _check_address(server: ServerConfig) -> None:
    """Try the address before any process is started, so that the mistake is one sentence."""
    family = socket.AF_INET6 if ":" in server.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((server.host, server.port))
        except OSError as error:
            raise ConfigInvalid(
                f"cannot listen on {server.host}:{server.port}: {error.strerror}; "
                "set server.host or server.port, or stop what listens there"
            ) from error
