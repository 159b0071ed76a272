"""What hosting platforms say in the environment: which keys it sets, and in which order."""

import pytest

from model_service.config import LogLevel
from model_service.config_file import load_config
from model_service.errors import ConfigInvalid


@pytest.fixture
def load(tmp_path):
    def load(text: str = "models: []", **environment: str):
        path = tmp_path / "config.yaml"
        path.write_text(text)
        return load_config(path, environment)

    return load


def test_sagemaker_sets_port_workers_bounds_and_answers(load):
    config = load(
        "server: {port: 9000, workers: 7}",
        MODEL_SERVICE__SERVER__PORT="9001",
        SAGEMAKER_BIND_TO_PORT="8081",
        SAGEMAKER_MODEL_SERVER_WORKERS="2",
        SAGEMAKER_MAX_PAYLOAD_IN_MB="6",
        SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT="text/csv",
        SAGEMAKER_BATCH="true",
        SAGEMAKER_MULTI_MODEL="true",
        SAGEMAKER_CONTAINER_LOG_LEVEL="30",
        SAGEMAKER_PROGRAM="inference.py",
    )
    assert (config.server.port, config.server.workers, config.server.max_body_bytes) == (8081, 2, 6 * 2**20)
    answers = config.invocations
    assert (answers.default_accept, answers.lenient, answers.multi_model) == ("text/csv", True, True)
    assert config.logging.level is LogLevel.WARNING


def test_vertex_ai_sets_port_and_routes(load):
    routes = {"AIP_HEALTH_ROUTE": "/v1/endpoints/1", "AIP_PREDICT_ROUTE": "/v1/endpoints/1/deployedModels/2:predict"}
    config = load(AIP_HTTP_PORT="8082", AIP_MODE="PREDICTION", **routes)
    assert config.server.port == 8082
    answers = config.invocations
    assert {"AIP_HEALTH_ROUTE": answers.health_route, "AIP_PREDICT_ROUTE": answers.predict_route} == routes


def test_empty_variables_and_an_unlimited_payload_change_nothing(load):
    config = load(SAGEMAKER_BIND_TO_PORT="", AIP_HTTP_PORT=" ", SAGEMAKER_MAX_PAYLOAD_IN_MB="0")
    assert config == load()


@pytest.mark.parametrize(
    ("number", "level"),
    [("10", "debug"), ("20", "info"), ("40", "error"), ("50", "error"), ("5", "debug"), ("INFO", "info")],
)
def test_a_level_is_a_number_or_a_name(load, number, level):
    assert load(SAGEMAKER_CONTAINER_LOG_LEVEL=number).logging.level == level


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        (
            "SAGEMAKER_BIND_TO_PORT",
            "http",
            "environment variable SAGEMAKER_BIND_TO_PORT: 'server.port' must be an integer",
        ),
        ("AIP_HTTP_PORT", "70000", "environment variable AIP_HTTP_PORT: 'server.port'"),
        ("SAGEMAKER_MODEL_SERVER_WORKERS", "0", "SAGEMAKER_MODEL_SERVER_WORKERS: 'server.workers'"),
        ("SAGEMAKER_MAX_PAYLOAD_IN_MB", "many", "SAGEMAKER_MAX_PAYLOAD_IN_MB: 'server.max_body_bytes'"),
        ("SAGEMAKER_BATCH", "perhaps", "SAGEMAKER_BATCH: 'invocations.lenient' must be true or false"),
        ("SAGEMAKER_CONTAINER_LOG_LEVEL", "loud", "SAGEMAKER_CONTAINER_LOG_LEVEL: 'logging.level'"),
        ("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", "application/x-npy", "'invocations.default_accept' must be"),
        ("AIP_PREDICT_ROUTE", "predict", "'invocations.predict_route' must be a plain path"),
        ("AIP_PREDICT_ROUTE", "/<name>", "'invocations.predict_route' must be a plain path"),
        ("AIP_PREDICT_ROUTE", "/", "'invocations.predict_route' must be a plain path"),
        ("AIP_PREDICT_ROUTE", "/api/models/iris_model/predict", "that begins with none of /api/"),
        ("AIP_HEALTH_ROUTE", "/models", "'invocations.health_route' must be"),
    ],
)
def test_what_is_wrong_names_the_variable_or_the_key(load, variable, value, words):
    with pytest.raises(ConfigInvalid, match=words):
        load(**{variable: value})
