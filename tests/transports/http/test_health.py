"""Health: alive, and able to work, with the state of each model."""

from dataclasses import replace

import pytest

from model_service.config import ModelConfig, ServiceConfig
from model_service.manager import is_ready
from model_service.records import ModelState, ModelStatus
from model_service.service import Service

READY = ModelStatus("m", "1.0", "m.M", ModelState.READY, is_default=True, is_required=False, info=None, problem=None)
FAILED = replace(READY, state=ModelState.FAILED)
LOADING = replace(READY, state=ModelState.LOADING)


def test_live_is_200_and_names_the_state_of_each_model(client):
    response = client.get("/health/live")
    assert response.status_code == 200
    states = {model["qualified_name"]: model["state"] for model in response.json()["models"]}
    assert states["double_model"] == "ready"
    assert states["unloadable_model"] == "failed"


def test_ready_is_200_although_a_model_is_quarantined(client):
    response = client.get("/health/ready")
    assert response.status_code == 200
    assert response.json()["status"] == "ok"


def test_ready_is_503_with_retry_after_when_a_required_model_is_quarantined(manager):
    models = (ModelConfig(class_path="models.DoubleModel"), ModelConfig(class_path="nobody.Model", required=True))
    app = Service(ServiceConfig(models=models)).start().app
    response = app.test_client().get("/health/ready")
    assert response.status_code == 503
    assert response.json["status"] == "unavailable"
    assert [(model["state"], model["is_required"]) for model in response.json["models"]] == [
        ("ready", False),
        ("failed", True),
    ]
    assert int(response.headers["Retry-After"]) > 0
    assert app.test_client().get("/health/live").status_code == 200


@pytest.mark.parametrize(
    ("models", "expected"),
    [
        pytest.param([], True, id="nothing configured"),
        pytest.param([READY, FAILED], True, id="one of two failed"),
        pytest.param([FAILED, FAILED], False, id="all failed"),
        pytest.param([READY, LOADING], False, id="one is loading"),
        pytest.param([READY, replace(FAILED, is_required=True)], False, id="a required one failed"),
        pytest.param([replace(READY, is_required=True), FAILED], True, id="the required one is ready"),
    ],
)
def test_readiness_is_decided_from_the_states(models, expected):
    assert is_ready(models) is expected
