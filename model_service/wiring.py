"""Configuration to a service in this process, for `create_app` and the command line.

    ServiceConfig -> Service: ModelManager -> PredictionService -> Flask app

`serve` runs the same in processes: `model_service.parent` and, in each worker, `model_service.worker`.
Importing this module does nothing.
"""

import atexit
import logging.config
import os

from flask import Flask

from model_service.config import ServiceConfig
from model_service.config_file import DEFAULT_FILE, load_config
from model_service.observability import build_logging_settings
from model_service.service import Service
from model_service.threads import limit_threads
from model_service.tracing.tracer import check_tracing


def create_app(config_path: str | os.PathLike[str] = DEFAULT_FILE) -> Flask:
    """Return the WSGI application of a configuration file, its models loaded.

    For any WSGI server, and for ``flask --app 'model_service.wiring:create_app' run``.
    """
    config = load_config(config_path, os.environ)
    configure_logging(config)
    check_tracing(config.tracing)
    limit_threads(config.server.model_threads, os.environ)
    service = Service(config).start()
    service.watch_predictions()
    service.watch_health()
    atexit.register(service.close)
    return service.app


def configure_logging(config: ServiceConfig) -> None:
    """Make this process log as its configuration says."""
    logging.config.dictConfig(build_logging_settings(config.logging))
