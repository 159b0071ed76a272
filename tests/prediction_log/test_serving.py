"""The log of a real server: the plain request, gRPC, several workers, and what survives each kind of end."""

import json
import os
import signal
import sqlite3
from contextlib import closing

import httpx
import pytest
from grpc_client import GrpcClient
from prediction_logs import read, wait_for_rows
from serving import Server, find_free_port, list_children

LOGGED = {"class": "models.DoubleModel", "prediction_log": {"sample": 1.0}}


@pytest.fixture
def serve(tmp_path):
    servers = []

    def start(*models, workers=1, log=None, **sections):
        config = {
            "server": {"workers": workers, **sections.pop("server", {})},
            "models": list(models) or [LOGGED],
            "prediction_log": {"folder": str(tmp_path / "log"), "flush_s": 600, **(log or {})},
            **sections,
        }
        servers.append(Server(json.dumps(config), tmp_path).wait_until_ready())
        return servers[-1]

    yield start
    for server in servers:
        server.kill()


def predict(client, payload, request_id):
    answer = client.post("/api/models/double_model/predict", json=payload, headers={"X-Request-ID": request_id})
    assert answer.status_code == 200


def test_what_waits_is_written_at_the_end_and_every_door_of_the_loop_logs(serve, tmp_path):
    port = find_free_port()
    server = serve(server={"grpc_port": port})
    with httpx.Client(base_url=server.url) as client:
        predict(client, {"x": 1}, "plain")
        predict(client, [{"x": 2}, {"x": 3}], "many")
        predict(client, [{"x": 4}] * 2000, "large")  # decoded and written in the pool
        assert client.post("/api/models/double_model/predict", json={"x": "no"}).status_code == 422
    grpc = GrpcClient(port)
    tensor = [{"name": "x", "datatype": "FP64", "shape": [1, 1], "contents": {"fp64_contents": [5.0]}}]
    grpc.call("ModelInfer", model_name="double_model", inputs=tensor, metadata=(("x-request-id", "grpc"),))
    grpc.close()
    assert read(tmp_path / "log") == []
    assert server.stop() == 0
    rows = read(tmp_path / "log", 'id, request_id, "row", input, output')
    assert [row[1:] for row in rows[:3]] == [
        ("plain", 0, '{"x":1}', '{"y":2}'),
        ("many", 0, '{"x":2}', '{"y":4}'),
        ("many", 1, '{"x":3}', '{"y":6}'),
    ]
    assert [row[2] for row in rows if row[1] == "large"] == list(range(2000))
    assert rows[-1][1:] == ("grpc", 0, '{"x":5.0}', '{"y":10.0}')


def test_a_killed_worker_loses_what_gathered_since_the_last_write_and_nothing_before(serve, tmp_path):
    server = serve(workers=1, log={"flush_s": 0.2})
    with httpx.Client(base_url=server.url) as client:
        for number in range(5):
            predict(client, {"x": number}, f"r{number}")
    wait_for_rows(tmp_path / "log", 5)
    for child in list_children(server.process.pid):
        os.kill(child, signal.SIGKILL)
    server.kill()
    assert [row[1] for row in wait_for_rows(tmp_path / "log", 5)] == [f"r{number}" for number in range(5)]
    for path in (tmp_path / "log").glob("*.sqlite"):
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_several_workers_share_the_log_and_any_of_them_takes_feedback(serve, tmp_path):
    server = serve(workers=3, log={"flush_s": 0.05})
    for number in range(40):  # a connection each, so that all workers get some
        with httpx.Client(base_url=server.url) as client:
            predict(client, {"x": number}, f"r{number}")
    wait_for_rows(tmp_path / "log", 40)
    for number in range(40):
        path = f"{server.url}/api/predictions/r{number}/feedback"
        assert httpx.post(path, json={"outcome": {"y": number}}).status_code == 200
    assert server.stop() == 0
    assert len(read(tmp_path / "log", "outcome", "feedback")) == 40


@pytest.mark.parametrize(("keys", "logged"), [({}, 0), ({"jobs": True}, 300)])
def test_rows_of_jobs_are_logged_only_where_that_is_said(serve, tmp_path, keys, logged):
    model = {"class": "models.DoubleModel", "prediction_log": {"sample": 1.0, **keys}}
    server = serve(model, log={"flush_s": 0.05}, jobs={"folder": str(tmp_path / "jobs"), "chunk_rows": 100})
    rows = "x\n" + "".join("no\n" if number == 150 else f"{number}\n" for number in range(301))
    with httpx.Client(base_url=server.url, timeout=60) as client:
        sent = client.post("/api/models/double_model/jobs", content=rows, headers={"content-type": "text/csv"})
        job = sent.json()["id"]
        client.get(f"/api/jobs/{job}/events")  # it ends when the job is over
    assert server.stop() == 0
    found = read(tmp_path / "log", "\"row\", request_id, json_extract(input, '$.x')")
    assert len(found) == logged
    assert all(row == x and request_id == job for row, request_id, x in found)


def test_a_slip_in_a_path_keeps_the_service_from_starting(tmp_path):
    model = {"class": "models.DoubleModel", "prediction_log": {"sample": 1.0, "redact": ["xx"]}}
    server = Server(json.dumps({"models": [model]}), tmp_path)
    assert server.process.wait(60) == 3
    assert "names 'xx', which is no field of its schema" in server.log.read_text()
