"""The route of explanations: what it answers, what it refuses, and what it costs others."""

import json
import threading

import httpx
import pytest
from doors import RestDoor
from serving import Server

from model_service.explaining import MOST_AT_ONCE

CONFIG = """
server: {max_explain_rows: 2, max_body_bytes: 100000, threads: 16}
models:
  - class: explain_models.WeighedModel
  - {class: explain_models.MuteModel, timeout_s: 2}
  - {class: models.DoubleModel}
"""
PAYLOAD = {"a": 3, "b": 2, "idle": 5}


@pytest.fixture(scope="module", params=["local", "process"])
def server(request, tmp_path_factory):
    text = CONFIG.replace(
        "class: explain_models.WeighedModel", f"{{class: explain_models.WeighedModel, backend: {request.param}}}"
    )
    text = text.replace("timeout_s: 2", f"timeout_s: 2, backend: {request.param}")
    running = Server(text, tmp_path_factory.mktemp("explain")).wait_until_ready()
    with httpx.Client(base_url=running.url, timeout=30) as running.client:
        yield running
    assert running.stop() == 0


@pytest.fixture
def ask(server):
    def ask(body, model="weighed_model", **headers):
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"content-type": "application/json", **headers}
        return server.client.post(f"/api/models/{model}/explain", content=content, headers=headers)

    return ask


def test_an_answer_is_the_output_and_what_led_to_it(ask):
    for model in ("weighed_model", "weighed_model/versions/1.0.0"):
        response = ask(PAYLOAD, model)
        assert response.status_code == 200
        assert response.headers["x-model-version"] == "1.0.0"
        answer = response.json()
        assert answer["output"] == {"y": 34.0}
        explanation = answer["explanation"]
        total = explanation["base"] + sum(each["contribution"] for each in explanation["contributions"])
        assert total == pytest.approx(34)
        assert 100 < answer["rows"] <= 256


def test_an_array_is_answered_by_an_array(ask):
    answers = ask([PAYLOAD, {"a": 1, "b": 0}]).json()
    assert [answer["output"]["y"] for answer in answers] == [34, 10]
    assert answers[0] == ask(PAYLOAD).json()


def test_it_refuses_what_predict_refuses_in_the_same_words(server, ask):
    for body in (b"{", {"a": "three", "b": 2}, {"a": 7, "b": 7}, [], [PAYLOAD, {"a": 3}], {"a": 3, "b": 200}):
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        told = server.client.post(
            "/api/models/weighed_model/predict", content=content, headers={"content-type": "application/json"}
        )
        found = ask(body)
        assert found.status_code == told.status_code >= 400
        for member in ("code", "detail", "errors"):
            assert found.json()[member] == told.json()[member]


def test_more_rows_than_the_bound_are_too_large(ask):
    response = ask([PAYLOAD] * 3)
    assert (response.status_code, response.json()["code"]) == (413, "payload_too_large")
    assert "at most 2" in response.json()["detail"]


@pytest.mark.parametrize("body", [PAYLOAD, b"no json at all"])
def test_a_model_without_explanations_says_so(ask, body):
    response = ask(body, "double_model")
    assert (response.status_code, response.json()["code"]) == (501, "explanation_not_offered")
    assert "'double_model' 1.0.0" in response.json()["detail"]
    assert ask(PAYLOAD, "no_model").status_code == 404


def test_a_fault_of_the_model_is_told_without_its_words(ask):
    response = ask({"a": 1, "b": 2}, "mute_model")
    assert (response.status_code, response.json()["code"]) == (500, "prediction_failed")
    assert "secret" not in response.text


def test_what_is_no_explanation_does_not_leave(ask):
    response = ask({"a": 3, "b": 2}, "mute_model")
    assert (response.status_code, response.json()["code"]) == (500, "output_invalid")


def test_one_too_many_is_told_to_come_later_while_predictions_go_on(server, ask):
    answers = []

    def explain():
        answers.append(ask({"a": 2, "b": 2}, "mute_model"))  # until its deadline

    threads = [threading.Thread(target=explain) for _ in range(MOST_AT_ONCE + 1)]
    for thread in threads:
        thread.start()
    predicted = 0
    while any(thread.is_alive() for thread in threads):
        response = server.client.post("/api/models/mute_model/predict", json=PAYLOAD)
        assert (response.status_code, response.json()) == (200, {"y": 34.0})
        predicted += 1
    for thread in threads:
        thread.join()
    assert predicted > 3
    by_code = sorted(answer.json()["code"] for answer in answers)
    assert by_code == ["prediction_timeout"] * MOST_AT_ONCE + ["queue_full"]
    assert next(answer for answer in answers if answer.status_code == 429).headers["retry-after"]
    assert ask(PAYLOAD).status_code == 200


def test_metadata_and_the_openapi_document_say_who_offers_them(server):
    def offers(model):
        return server.client.get(f"/api/models/{model}/metadata").json()["has_explanations"]

    assert (offers("weighed_model"), offers("double_model")) == (True, False)
    paths = server.client.get("/openapi.json").json()["paths"]
    explained = sorted(path for path in paths if path.endswith("/explain") and "versions" not in path)
    assert explained == ["/api/models/mute_model/explain", "/api/models/weighed_model/explain"]


def test_the_output_is_that_of_the_door_of_predictions(server, ask):
    door = RestDoor(server, None)
    assert ask(PAYLOAD).json()["output"] == door.predict("weighed_model", [PAYLOAD]).outputs[0]
    door.close()
