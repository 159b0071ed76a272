"""The log behind the doors, and feedback about what stands in it."""

import time

import pytest
from prediction_logs import read

from model_service.config import ModelConfig, ServiceConfig
from model_service.config_predictions import ModelLogConfig, PredictionLogConfig
from model_service.service import Service

ALL = ModelLogConfig(sample=1.0)


@pytest.fixture
def serve(manager, tmp_path):
    services = []

    def start(class_path="models.DoubleModel", **log):
        config = ServiceConfig(
            models=(ModelConfig(class_path=class_path, prediction_log=ModelLogConfig(**{"sample": 1.0, **log})),),
            prediction_log=PredictionLogConfig(folder=tmp_path / "log", flush_s=600),
        )
        services.append(Service(config).start())
        services[-1].watch_predictions()
        return services[-1], services[-1].app.test_client()

    yield start
    for service in services:
        service.close()


def predict(service, client, payload, request_id="r-1", name="double_model"):
    answer = client.post(f"/api/models/{name}/predict", json=payload, headers={"X-Request-ID": request_id})
    assert answer.status_code == 200
    service.predictions.log.flush()


def give(client, body, request_id="r-1"):
    return client.post(f"/api/predictions/{request_id}/feedback", json=body)


# What is logged


def test_every_road_of_flask_logs_its_rows_under_the_id_of_the_request(serve, tmp_path):
    service, client = serve()
    predict(service, client, {"x": 1}, "one")
    predict(service, client, [{"x": 2}, {"x": 3}], "many")
    lenient = {"Prefer": "handling=lenient", "X-Request-ID": "lenient"}
    client.post("/api/models/double_model/predict", json=[{"x": "no"}, {"x": 4}], headers=lenient)
    file = {"content-type": "text/csv", "X-Request-ID": "file"}
    client.post("/api/models/double_model/predict", data="x\n5\nno\n6\n", headers=file)
    tensor = {"inputs": [{"name": "x", "shape": [2, 1], "datatype": "FP64", "data": [7, 8]}]}
    answer = client.post("/v2/models/double_model/infer", json=tensor, headers={"X-Request-ID": "tensors"})
    assert answer.status_code == 200, answer.text
    client.post("/invocations", json={"instances": [{"x": 9}]}, headers={"X-Request-ID": "platform"})
    service.predictions.log.flush()
    assert read(tmp_path / "log", "id, request_id, \"row\", json_extract(input, '$.x')") == [
        (1, "one", 0, 1),
        (2, "many", 0, 2),
        (3, "many", 1, 3),
        (4, "lenient", 1, 4),
        (5, "file", 0, 5),
        (6, "file", 2, 6),
        (7, "tensors", 0, 7),
        (8, "tensors", 1, 8),
        (9, "platform", 0, 9),
    ]


def test_what_is_refused_or_fails_is_not_logged(serve, tmp_path):
    service, client = serve("models.RaisingModel")
    for payload in ({"x": "no"}, {"x": -1}):
        assert client.post("/api/models/raising_model/predict", json=payload).status_code in (422, 500)
    service.predictions.log.flush()
    assert not (tmp_path / "log").exists()


def test_a_service_whose_models_log_nothing_has_no_log(manager):
    service = Service(ServiceConfig(models=(ModelConfig(class_path="models.DoubleModel"),)))
    service.watch_predictions()
    assert service.predictions.log is None


def test_a_log_that_cannot_be_written_changes_no_answer(serve, tmp_path):
    (tmp_path / "log").write_text("in the way")
    service, client = serve()
    predict(service, client, {"x": 1})
    assert service.predictions.log.dropped == 1


# Feedback


def test_feedback_stands_beside_its_prediction_and_a_second_one_replaces_it(serve, tmp_path):
    service, client = serve()
    predict(service, client, {"x": 1})
    answer = give(client, {"outcome": {"y": 3}})
    assert answer.status_code == 200
    assert answer.json == {
        "request_id": "r-1",
        "feedback": [{"model": "double_model", "version": "1.0.0", "row": 0}],
    }
    assert give(client, {"outcome": {"y": 4}, "row": 0}).status_code == 200
    assert read(tmp_path / "log", "prediction, outcome", "feedback") == [(1, '{"y":4}')]


def test_the_rows_of_a_request_get_their_feedback_together(serve, tmp_path):
    service, client = serve()
    predict(service, client, [{"x": 1}, {"x": 2}, {"x": 3}])
    assert give(client, [{"outcome": {"y": 7}, "row": 2}, {"outcome": {"y": 5}, "row": 0}]).status_code == 200
    assert read(tmp_path / "log", "prediction, outcome", "feedback") == [(1, '{"y":5}'), (3, '{"y":7}')]
    answer = give(client, {"outcome": {"y": 1}})
    assert (answer.status_code, answer.json["code"]) == (422, "feedback_invalid")
    assert answer.json["errors"][0]["pointer"] == "/row"


def test_of_two_requests_with_one_id_the_newer_is_meant(serve, tmp_path):
    service, client = serve()
    predict(service, client, {"x": 1}, "same")
    predict(service, client, {"x": 2}, "same")
    assert give(client, {"outcome": {"y": 0}}, "same").status_code == 200
    assert read(tmp_path / "log", "prediction", "feedback") == [(2,)]


@pytest.mark.parametrize("request_id", ["order/17", "100%25", "a b", "ä"])
def test_an_id_of_the_callers_own_is_found_however_it_is_spelt(serve, request_id):
    service, client = serve()
    sent = request_id.replace("%25", "%")
    if not sent.isascii():  # no header may have it, so there is no such request
        assert give(client, {"outcome": {"y": 1}}, request_id).status_code == 404
        return
    predict(service, client, {"x": 1}, sent)
    answer = give(client, {"outcome": {"y": 1}}, request_id)
    assert (answer.status_code, answer.json["request_id"]) == (200, sent)


def test_an_unknown_request_is_404_with_and_without_a_log(serve, tmp_path):
    service, client = serve()
    answer = give(client, {"outcome": {"y": 1}}, "none")
    assert (answer.status_code, answer.json["code"]) == (404, "prediction_not_found")
    predict(service, client, {"x": 1})
    assert give(client, {"outcome": {"y": 1}}, "none").status_code == 404
    assert give(client, {"outcome": {"y": 1}, "row": 1}).status_code == 404
    assert read(tmp_path / "log", table="feedback") == []


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"outcome": {"y": "no"}}, "/outcome/y"),
        ({"outcome": {"z": 1}}, "/outcome/z"),
        ({"outcome": {}}, "/outcome"),
        ({"outcome": 3}, "/outcome"),
        ({"outcome": None}, "/outcome"),
        ({}, "/outcome"),
        ({"outcome": {"y": 1}, "row": -1}, "/row"),
        ({"outcome": {"y": 1}, "row": True}, "/row"),
        ({"outcome": {"y": 1}, "row": "0"}, "/row"),
        ({"outcome": {"y": 1}, "more": 0}, ""),
        ([], ""),
        ([{"outcome": {"y": 1}}, 3], "/1"),
        ([{"outcome": {"y": "no"}}], "/0/outcome/y"),
        (7, ""),
    ],
)
def test_feedback_of_another_form_is_refused_with_its_place_and_nothing_is_saved(serve, tmp_path, body, pointer):
    service, client = serve()
    predict(service, client, {"x": 1})
    answer = give(client, body)
    assert (answer.status_code, answer.json["code"]) == (422, "feedback_invalid")
    assert answer.json["errors"][0]["pointer"] == pointer
    assert read(tmp_path / "log", table="feedback") == []


def test_feedback_is_bounded(serve):
    _, client = serve()
    assert give(client, [{"outcome": {"y": 1}}] * 1001).status_code == 413
    assert client.post("/api/predictions/r/feedback", data="{}").status_code == 415
    assert client.get("/api/predictions/r/feedback").status_code == 405


def test_a_field_of_the_output_that_is_left_out_of_the_log_is_left_out_of_feedback(serve, tmp_path):
    service, client = serve(redact_outputs=("y",))
    predict(service, client, {"x": 1})
    assert give(client, {"outcome": {"y": 2}}).status_code == 200
    assert read(tmp_path / "log", "output") == read(tmp_path / "log", "outcome", "feedback") == [("{}",)]


def test_feedback_finds_what_another_day_has(serve, tmp_path):
    service, client = serve()
    predict(service, client, {"x": 1})
    service.end_watch()
    (path,) = (tmp_path / "log").glob("*.sqlite")
    path.rename(path.with_name("2020-01-31.sqlite"))
    assert give(client, {"outcome": {"y": 2}}).status_code == 200


def test_a_file_that_is_no_database_is_told_as_unavailable(serve, tmp_path):
    _, client = serve()
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / f"{time.strftime('%Y-%m-%d', time.gmtime())}.sqlite").write_text("rubbish, and much of it" * 99)
    answer = give(client, {"outcome": {"y": 1}})
    assert (answer.status_code, answer.json["code"]) == (503, "prediction_log_unavailable")
