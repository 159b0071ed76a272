"""Configuration to a service in this process, for `create_app` and the command line.

    ServiceConfig -> ModelManager -> PredictionService -> Flask app

`serve` runs the same in processes: `model_service.parent` and, in each worker, `model_service.worker`.
Importing this module does nothing.
"""

import logging.config
import os
from pathlib import Path

from flask import Flask

from model_service.config import ServiceConfig
from model_service.config_file import DEFAULT_FILE, load_config
from model_service.manager import ModelManager
from model_service.observability import build_logging_settings
from model_service.prediction import PredictionService
from model_service.request_log import RequestLog
from model_service.threads import limit_threads
from model_service.transports.http.app import build_app


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


def build_manager(config: ServiceConfig, *, describe_only: bool = False) -> ModelManager:
    """Return the process's manager with the models of a configuration; arguments as `ModelManager.load_models`."""
    manager = ModelManager()
    manager.load_models(config, describe_only=describe_only)
    return manager


def build_service(config: ServiceConfig) -> tuple[PredictionService, Flask]:
    """Load the models and return the road and the HTTP door over it."""
    manager = build_manager(config)
    service = PredictionService(manager, max_rows=config.server.max_request_rows)
    return service, build_app(manager, service, config.server, RequestLog(config.logging))
