"""`/metrics` of a whole service: right across workers and model processes, those included that were killed."""

import os
import signal
import threading
import time
from pathlib import Path

import httpx
import pytest
from scraping import PATIENCE_S, scrape, wait_for
from serving import Server, list_children, starting

PREDICT = "/api/models/{qualified_name}/predict"
TWO_WORKERS = "server: {workers: 2}\nmodels: [{class: models.DoubleModel}]"


@pytest.fixture
def start(tmp_path):
    with starting(tmp_path) as start_server:
        yield start_server


def predict(server: Server, model: str = "double_model", payload: object = None, **options: object) -> httpx.Response:
    body = {"x": 1} if payload is None else payload
    return httpx.post(f"{server.url}/api/models/{model}/predict", json=body, timeout=60, **options)


def list_workers(server: Server) -> list[int]:
    return [
        pid
        for pid in list_children(server.process.pid)
        if b"model_service.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]


def wait_for_workers(server: Server, count: int) -> None:
    wait_for(server.url, lambda found: found.total("model_ready", model="double_model") == count)


def test_a_scrape_says_what_every_worker_has_answered(start):
    server = start(TWO_WORKERS)
    wait_for_workers(server, 2)
    for _ in range(20):
        assert predict(server).status_code == 200
    assert predict(server, payload={"x": "no"}).status_code == 422
    assert predict(server, payload=[{"x": 1}] * 7).status_code == 200
    assert predict(server, "made_up").status_code == 404
    names = {"model": "double_model", "version": "1.0.0"}
    found = wait_for(server.url, lambda found: found.total("requests_total", route=PREDICT) == 23)
    assert found.total("requests_total", method="POST", route=PREDICT, status="200", **names) == 21
    assert found.total("requests_total", route=PREDICT, status="422", **names) == 1
    assert found.total("requests_total", route=PREDICT, status="404", model="none", version="none") == 1
    assert found.total("errors_total", code="payload_invalid", **names) == 1
    assert found.total("errors_total", code="model_not_found", model="none") == 1
    assert found.total("request_seconds_count", route=PREDICT, **names) == 22
    assert found.total("stage_seconds_count", stage="queue", **names) == 21
    assert found.total("stage_seconds_count", stage="predict", **names) == 21
    assert found.total("stage_seconds_count", stage="validate", **names) >= 22
    assert (found.total("rows_total", **names), found.total("batch_rows_count", **names)) == (27, 21)
    assert (found.total("queue_rows", **names), found.total("requests_in_flight", **names)) == (0, 0)
    assert (found.total("workers"), found.total("generation")) == (2, 1)
    assert found.total("model_load_seconds", **names) > 0
    assert found.total("worker_memory_bytes", worker="0") > 10_000_000
    assert found.total("build_info") == 1
    assert "made_up" not in found.text


def test_a_killed_worker_takes_no_count_with_it(start):
    server = start(TWO_WORKERS)
    wait_for_workers(server, 2)
    for _ in range(40):
        assert predict(server).status_code == 200
    wait_for(server.url, lambda found: found.total("requests_total", route=PREDICT) == 40)
    victim = list_workers(server)[0]
    os.kill(victim, signal.SIGKILL)
    found = scrape(server.url)
    assert found.total("requests_total", route=PREDICT) == 40
    assert found.total("request_seconds_count", route=PREDICT) == 40
    wait_for(server.url, lambda found: found.total("worker_restarts_total") == 1)
    wait_for_workers(server, 2)
    for _ in range(10):
        assert predict(server).status_code == 200
    found = wait_for(server.url, lambda found: found.total("requests_total", route=PREDICT) >= 50)
    assert found.total("requests_total", route=PREDICT) == 50
    assert found.total("workers") == 2


def test_counters_only_grow_while_workers_are_killed_under_load(start):
    server = start(TWO_WORKERS)
    wait_for_workers(server, 2)
    is_over, answered = threading.Event(), []

    def ask() -> None:
        while not is_over.is_set():
            try:
                answered.append(predict(server).status_code)
            except httpx.TransportError:  # the worker has been killed
                time.sleep(0.01)

    callers = [threading.Thread(target=ask) for _ in range(2)]
    for caller in callers:
        caller.start()
    try:
        seen: dict[object, float] = {}
        found = scrape(server.url)
        killed, deadline = 0, time.monotonic() + 4 * PATIENCE_S
        while not (killed == 2 and found.total("worker_restarts_total") == 2):
            assert time.monotonic() < deadline
            try:
                found = scrape(server.url)
            except httpx.TransportError:
                continue
            counters = {key: value for key, value in found.samples.items() if key[0].endswith(("_total", "_count"))}
            assert {key: value for key, value in seen.items() if counters.get(key, 0) < value} == {}
            seen = counters
            if killed < 2 and found.total("model_ready") == 2 and found.total("worker_restarts_total") == killed:
                os.kill(list_workers(server)[0], signal.SIGKILL)
                killed += 1
    finally:
        is_over.set()
        for caller in callers:
            caller.join()
    # What a killed worker had not written, and what was answered on connections that it took along.
    found = wait_for(server.url, lambda found: found.total("requests_in_flight") == 0)
    counted = found.total("requests_total", route=PREDICT, status="200")
    assert 0 < counted <= answered.count(200) + 2 * len(callers)


def test_models_in_processes_are_measured_there(start):
    server = start(
        "server: {workers: 2}\nmodels: [{class: unruly_models.UnrulyModel, backend: process, timeout_s: 30}]"
    )
    wait_for(server.url, lambda found: found.total("model_ready", model="unruly_model") == 2)
    for rows in (1, 3, 5):
        assert predict(server, "unruly_model", [{"x": 1}] * rows).status_code == 200
    names = {"model": "unruly_model"}
    found = wait_for(server.url, lambda found: found.total("stage_seconds_count", stage="predict", **names) == 3)
    assert found.total("stage_seconds_count", stage="queue", **names) == 3
    assert (found.total("batch_rows_count", **names), found.total("rows_total", **names)) == (3, 9)
    assert found.total("model_memory_bytes", replica="0", **names) > 10_000_000
    pid = predict(server, "unruly_model", {"x": 0}).json()["pid"]
    os.kill(pid, signal.SIGKILL)
    found = wait_for(server.url, lambda found: found.total("model_restarts_total", **names) == 1)
    assert found.total("rows_total", **names) == 10


def test_a_model_that_failed_is_shown_as_one_that_is_not_ready(start):
    server = start("models: [{class: models.DoubleModel}, {class: models.UnloadableModel}]")
    found = scrape(server.url)
    assert found.has("model_ready", model="unloadable_model")
    assert found.total("model_ready", model="unloadable_model") == 0
    assert found.total("model_ready", model="double_model") == 1


def test_a_scrape_needs_no_thread_and_no_free_connection(start):
    server = start("server: {threads: 1, max_connections: 2}\nmodels: [{class: models.SleepingModel}]")
    with httpx.Client() as first, httpx.Client() as second:
        for client in (first, second):
            assert client.get(f"{server.url}/health/live").status_code == 200
        assert scrape(server.url).total("workers") == 1


def test_a_scrape_may_be_switched_off(start):
    server = start("metrics: {enabled: false}\nmodels: [{class: models.DoubleModel}]")
    assert httpx.get(f"{server.url}/metrics").status_code == 404
    assert predict(server).status_code == 200


def test_only_reading_is_a_scrape(start):
    server = start("models: [{class: models.DoubleModel}]")
    assert httpx.post(f"{server.url}/metrics").status_code == 405
    assert httpx.head(f"{server.url}/metrics").content == b""
    headers = {"Accept": "application/openmetrics-text; version=1.0.0"}
    assert httpx.get(f"{server.url}/metrics", headers=headers).text.endswith("# EOF\n")


def test_under_another_server_a_process_tells_of_itself(make_client):
    client = make_client("models.DoubleModel")
    assert client.post("/api/models/double_model/predict", json={"x": 1}).status_code == 200
    assert client.get("/no/such/page").status_code == 404
    text = client.get("/metrics").text
    names = 'model="double_model",route="/api/models/{qualified_name}/predict",status="200",version="1.0.0"'
    assert f'model_service_requests_total{{method="POST",{names}}} 1.0' in text
    assert (
        'model_service_requests_total{method="GET",model="none",route="none",status="404",version="none"} 1.0' in text
    )
    assert "/no/such/page" not in text
