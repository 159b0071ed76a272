"""Fixtures of every test: a fresh manager, services of toy models, a client of the app."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from model_service.config import ModelConfig, ServerConfig, ServiceConfig
from model_service.manager import ModelManager
from model_service.wiring import build_service

# The toy models are a module that configurations name, as a model package is.
sys.path.insert(0, str(Path(__file__).parent))

#: The packages that ship with the service, as config.yaml lists them.
SHIPPED = ("iris_model.IrisModel", "loan_model.LoanModel", "bike_model.BikeModel")


def make_config(*class_paths: str, **server: object) -> ServiceConfig:
    """Return a configuration of models, with server settings."""
    return ServiceConfig(
        models=tuple(ModelConfig(class_path=path) for path in class_paths),
        server=ServerConfig(**server),  # type: ignore[arg-type] - each test passes what the field takes
    )


@pytest.fixture
def manager() -> Iterator[ModelManager]:
    """The one manager, empty before and after the test."""
    only = ModelManager()
    only.close()
    yield only
    only.close()


@pytest.fixture
def make_client(manager: ModelManager) -> Callable[..., FlaskClient]:
    """Return a function that serves models in this process and returns a client."""

    def make(*class_paths: str, **server: object) -> FlaskClient:
        _, app = build_service(make_config(*class_paths, **server))
        return app.test_client()

    return make
