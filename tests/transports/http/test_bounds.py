"""Who is slow, idle, many or gone: what it costs the server, and what the others notice of it."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace

import front_models
import httpx
import pytest
from fronts import FrontServer, read_answers, request_of, wait_until
from serving import TESTS

from model_service.config import ExecutionChoice, ModelConfig

PREDICT = "/api/models/double_model/predict"
SLOW = "/api/models/slow_model/predict"
#: Its example takes no time, and then it waits: the loop must not run it.
HELD = ModelConfig(class_path="front_models.SlowModel", execution=ExecutionChoice.DISPATCHED)


@pytest.fixture
def start():
    running = []
    front_models.SlowModel.entered.clear()
    front_models.SlowModel.release.clear()

    def start_front(*class_paths: str | ModelConfig, **server: object) -> FrontServer:
        running.append(FrontServer(*(class_paths or ("models.DoubleModel",)), **server))
        return running[-1]

    yield start_front
    front_models.SlowModel.release.set()
    for front in running:
        front.stop()


def assert_answers(front: FrontServer) -> None:
    """Make sure that a new caller is served by each part of the server."""
    assert front.ask("POST", PREDICT, b'{"x": 1}', content_type="application/json")[0] == 200
    assert front.ask("GET", "/health/live")[0] == 200
    assert front.ask("GET", "/api/models")[0] == 200


def end_of(connection: socket.socket) -> bytes:
    """Return what a connection still says before the server ends it."""
    said = b""
    with contextlib.suppress(ConnectionError):
        while more := connection.recv(65536):
            said += more
    return said


# Slow


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        pytest.param(b"", b"", id="nothing"),
        pytest.param(b"POST /api/mod", b"408", id="half an address"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: localhost\r\nA: ", b"408", id="half the headers"),
        pytest.param(request_of(b"", Content_Length="10") + b"{", b"408", id="one byte of a body"),
        pytest.param(request_of(b"", "/nothing", Content_Length="10") + b"{", b"408", id="of a body for Flask"),
        pytest.param(
            request_of(b"", Content_Length=None, Transfer_Encoding="chunked") + b"1\r\n{\r\n", b"408", id="one chunk"
        ),
        pytest.param(request_of(b"", Content_Length="999999") + b" " * 70_000, b"408", id="a part of a large body"),
        pytest.param(request_of(b'{"x": 1}'), b"200", id="a request and nothing more"),
    ],
)
def test_a_connection_without_progress_is_told_so_and_ended(start, sent, said):
    front = start(header_timeout_s=0.3, body_timeout_s=0.3, keep_alive_timeout_s=0.3)
    with front.connect() as connection:
        connection.sendall(sent)
        answer = end_of(connection)
    assert answer[9:12] == said
    if said == b"408":
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "request_timeout"
    assert_answers(front)
    wait_until(lambda: not front.server.server_state.connections)
    assert front.front._held_bytes == 0


def test_a_body_that_trickles_is_ended_though_each_byte_is_progress(start):
    front = start(min_body_bytes_per_s=1_000_000)
    with front.connect() as connection:
        connection.sendall(request_of(b"", Content_Length="1000"))
        with contextlib.suppress(ConnectionError):
            for _ in range(600):
                connection.sendall(b" ")
                time.sleep(0.02)
                if not front.server.server_state.connections:
                    break
        assert end_of(connection)[9:12] in (b"408", b"")  # nothing, where the answer met a byte on its way
    assert front.log.lines[-1][2] == 408


def test_hundreds_of_bodies_that_never_end_take_nothing_from_the_others(start):
    front = start(threads=2)
    with contextlib.ExitStack() as stack:
        for number in range(300):
            connection = stack.enter_context(front.connect())
            path = PREDICT if number % 2 else "/nothing"
            connection.sendall(request_of(b"", path, Content_Length="75") + b"{")
        wait_until(lambda: len(front.server.server_state.connections) == 300)
        for _ in range(10):
            assert_answers(front)


@pytest.mark.parametrize(
    "sent",
    [b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n", request_of(b'{"x": 1}') * 100],
    ids=["pages", "predictions"],
)
def test_who_does_not_read_its_answers_is_ended(start, sent):
    front = start(body_timeout_s=0.3)
    with front.connect() as connection:
        for _ in range(2000):
            try:
                connection.sendall(sent)
            except OSError:
                break
            if not front.server.server_state.connections:
                break
            time.sleep(0.005)
        wait_until(lambda: not front.server.server_state.connections)
    assert_answers(front)


# Many


def test_beyond_the_bound_connections_get_health_only_and_are_closed_where_there_are_far_too_many(start, caplog):
    front = start(max_connections=5)
    with contextlib.ExitStack() as stack:
        busy = [stack.enter_context(front.connect()) for _ in range(5)]
        for connection in busy:
            connection.sendall(b"POST ")  # it is doing something
        wait_until(lambda: len(front.server.server_state.connections) == 5)
        status, headers, raw = front.ask("POST", PREDICT, b'{"x": 1}', content_type="application/json")
        assert (status, headers["retry-after"], json.loads(raw)["code"]) == (503, "1", "server_busy")
        assert front.ask("GET", "/api/models")[0] == 503
        status, headers, raw = front.ask("GET", "/v2/health/ready")
        assert (status, headers["content-type"]) == (503, "application/json")
        assert json.loads(raw)["error"] == "as many connections are open as may be"
        assert front.ask("GET", "/health/live")[0] == 200
        more = [stack.enter_context(front.connect()) for _ in range(30)]
        more[-1].sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert end_of(more[-1]) == b""
        wait_until(lambda: "refused: " in caplog.text)
    wait_until(lambda: not front.server.server_state.connections)
    assert_answers(front)
    assert caplog.text.count("as many connections are open as may be, refused: ") == 1


def test_idle_connections_make_room_when_there_are_many(start):
    front = start(max_connections=10)
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(front.connect()) for _ in range(10)]
        wait_until(lambda: len(front.server.server_state.connections) == 10)
        assert [end_of(connection) for connection in idle] == [b""] * 10
        assert_answers(front)


def test_large_bodies_are_held_up_to_a_bound_and_one_model_may_have_half_of_it(start):
    front = start("models.DoubleModel", "models.EchoModel", max_pending_bytes=400_000, max_body_bytes=150_000)
    part = 90_000
    with contextlib.ExitStack() as stack:

        def send_a_part(path: str) -> socket.socket:
            connection = stack.enter_context(front.connect())
            connection.sendall(request_of(b"", path, Content_Length="100000") + b" " * part)
            return connection

        held = [send_a_part(PREDICT) for _ in range(2)]
        wait_until(lambda: front.front._held_bytes == 2 * part)
        refused = send_a_part(PREDICT)
        status, headers, raw = read_answers(refused, 1)[0]
        assert (status, headers["retry-after"], json.loads(raw)["code"]) == (503, "2", "server_busy")
        others = [send_a_part("/api/models/echo_model/predict") for _ in range(2)]
        wait_until(lambda: front.front._held_bytes == 4 * part)
        fifth = send_a_part("/nothing")
        assert read_answers(fifth, 1)[0][0] == 503
        assert_answers(front)
        for connection, body in [*zip(held, [b'{"x": 1}'] * 2, strict=True), *zip(others, [b"{}"] * 2, strict=True)]:
            connection.sendall(body + b" " * (100_000 - part - len(body)))
            assert read_answers(connection, 1)[0][0] == 200
        refused.sendall(b" " * (100_000 - part) + request_of(b'{"x": 1}'))
        assert read_answers(refused, 1)[0][0] == 200  # what was refused has been read and thrown away
    wait_until(lambda: front.front._held_bytes == 0)


def test_what_waits_for_a_thread_is_bounded(start):
    front = start(HELD, "models.DoubleModel", threads=1)
    statuses = []

    def ask() -> None:
        # Not plain: it waits for the model in a thread.
        statuses.append(
            front.ask("POST", SLOW, b'{"x": 5}', content_type="application/json", accept="application/*")[0]
        )

    callers = [threading.Thread(target=ask) for _ in range(20)]
    for caller in callers:
        caller.start()
    wait_until(lambda: len(statuses) >= 10)
    assert set(statuses) == {503}
    assert front.ask("POST", PREDICT, b'{"x": 1}', content_type="application/json")[0] == 200
    assert front.ask("GET", "/health/live")[0] == 200
    front_models.SlowModel.release.set()
    for caller in callers:
        caller.join()
    assert statuses.count(200) >= 2


TENSOR = b'{"inputs": [{"name": "x", "datatype": "FP64", "shape": [1], "data": [5]}]}'


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (SLOW, b'{"x": 5}'),
        ("/v2/models/slow_model/infer", TENSOR),
        ("/v2/models/slow_model/versions/1.0.0/infer", TENSOR),
        ("/v1/models/slow_model:predict", b'{"instances": [{"x": 5}]}'),
    ],
)
def test_one_slow_model_does_not_take_all_threads(start, path, body):
    front = start(HELD, "models.DoubleModel", threads=8)
    callers = [
        threading.Thread(
            target=front.ask,
            args=("POST", path, body),
            kwargs={"content_type": "application/json", "accept": "application/*"},
        )
        for _ in range(20)
    ]
    for caller in callers:
        caller.start()
    assert front_models.SlowModel.entered.wait(timeout=30)
    for _ in range(10):
        assert_answers(front)
    front_models.SlowModel.release.set()
    for caller in callers:
        caller.join()


# Gone


def test_what_a_caller_that_left_has_asked_for_is_not_computed(start):
    front = start(HELD)
    backend = front.service.find_target("slow_model").backend
    with front.connect() as held:
        held.sendall(request_of(b'{"x": 5}', SLOW))
        assert front_models.SlowModel.entered.wait(timeout=30)
        leaving = [front.connect() for _ in range(20)]
        for connection in leaving:
            connection.sendall(request_of(b'[{"x": 6}, {"x": 7}]', SLOW))
        wait_until(lambda: backend.queue.rows == 40)
        for connection in leaving:
            connection.close()
        wait_until(lambda: backend.queue.rows == 0)
        front_models.SlowModel.release.set()
        assert read_answers(held, 1)[0][0] == 200


def test_a_full_queue_is_told_from_the_loop_with_the_time_to_come_back(start):
    front = start(replace(HELD, max_queue_rows=3), threads=1)
    with contextlib.ExitStack() as stack:
        callers = [stack.enter_context(front.connect()) for _ in range(8)]
        callers[0].sendall(request_of(b'{"x": 5}', SLOW))
        assert front_models.SlowModel.entered.wait(timeout=30)
        for caller in callers[1:]:
            caller.sendall(request_of(b'{"x": 5}', SLOW))
        answers = [read_answers(caller, 1)[0] for caller in callers[4:]]
        assert [(status, headers["retry-after"]) for status, headers, _ in answers] == [(429, "1")] * 4
        assert {json.loads(raw)["code"] for _, _, raw in answers} == {"queue_full"}
        assert front.flask_requests == 0
        front_models.SlowModel.release.set()
        assert [read_answers(caller, 1)[0][0] for caller in callers[:4]] == [200] * 4


# The loop


@pytest.fixture
def apart():
    """A server in a process of its own, whose loop shares nothing with the callers: its pipes and its port."""
    with subprocess.Popen(
        [sys.executable, str(TESTS / "fronts.py")],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process, int(process.stdout.readline())
        process.stdin.close()


def test_the_loop_is_never_held_up_under_mixed_load(apart):
    process, port = apart
    many = json.dumps([{"x": i % 1000} for i in range(10_000)])
    wrong = json.dumps([{"x": "1"} for _ in range(2000)])
    long = json.dumps({"text": "y" * 1_000_000})
    kinds = [("double", many), ("double", wrong), ("echo", long), ("double", '{"x": 1}'), ("sleepy", '{"x": 1}')]

    def load(model: str, body: str) -> None:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            for _ in range(10):
                client.post(
                    f"/api/models/{model}_model/predict", content=body, headers={"content-type": "application/json"}
                )

    def measure() -> float:
        process.stdin.write("what happened before does not count\n")
        process.stdin.flush()
        process.stdout.readline()
        callers = [threading.Thread(target=load, args=kind) for kind in kinds * 2]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
        process.stdin.write("now\n")
        process.stdin.flush()
        return float(process.stdout.readline())

    # A machine that others use, too, and be it for other tests, has hiccups: once in twenty tries it has none.
    lags = []
    while len(lags) < 20 and min(lags, default=1) > 0.05:
        lags.append(measure())
    assert min(lags) <= 0.05, lags
