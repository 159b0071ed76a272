"""When a call is made again, and when it must not be: on the wire, against servers that answer as they are told to."""

import asyncio
import json
import socket

import httpx
import pytest

from model_service_client import AsyncModelServiceClient, ModelServiceClient, Retry
from model_service_client.errors import (
    KINDS,
    AnswerInvalid,
    ConnectionFailed,
    ModelServiceError,
    NoAnswerInTime,
    QueueFull,
    ServerBusy,
)

#: Quick to try again.
QUICK = Retry(attempts=3, first_wait_s=0.01, max_wait_s=1.0)
OUTPUT = (200, {"Content-Type": "application/json"}, b'{"y": 2}')
JOB = {
    **{"id": "7", "state": "queued", "rows_done": 0, "rows_failed": 0, "rows_total": None, "progress": 0.0},
    **{"output_format": "csv", "problem": None},
}


def problem(status: int, code: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    return status, headers, json.dumps({"code": code, "detail": "as told", "errors": [], "request_id": "r"}).encode()


BUSY, FULL = problem(503, "server_busy"), problem(429, "queue_full")
PROXY = (502, {"Content-Type": "text/html"}, b"<h1>Bad Gateway</h1>")


@pytest.mark.parametrize("first", [BUSY, FULL, PROXY, None], ids=["503", "429", "502", "broken"])
def test_a_prediction_is_asked_for_again(script, first):
    server = script(first, first, OUTPUT)
    with ModelServiceClient(server.url, retry=QUICK) as client:
        assert client.model("m").predict(x=1) == {"y": 2}
    assert [request[:2] for request in server.requests] == [("POST", "/api/models/m/predict")] * 3
    assert {request[3] for request in server.requests} == {b'{"x":1}'}


def test_the_twin_asks_again_too(script):
    server = script(BUSY, None, OUTPUT)

    async def ask() -> object:
        async with AsyncModelServiceClient(server.url, retry=QUICK) as client:
            return await client.model("m").predict(x=1)

    assert asyncio.run(ask()) == {"y": 2}


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (problem(500, "prediction_failed"), "PredictionFailed"),
        (problem(504, "prediction_timeout"), "PredictionTimeout"),
        (problem(413, "payload_too_large"), "PayloadTooLarge"),
        (problem(507, "storage_full"), "StorageFull"),
        (problem(421, "host_not_allowed"), "CallerError"),
        (problem(418, "new_code"), "CallerError"),
        (problem(500, "internal_error"), "ModelServiceError"),
        ((404, {}, b"<h1>Not here</h1>"), "AnswerInvalid"),
        ((400, {}, b'{"code": "theirs", "errors": ["odd", {}]}'), "CallerError"),
        ((308, {"Location": "https://models.example/"}, b""), "AnswerInvalid"),
    ],
)
def test_what_another_try_does_not_mend_is_asked_once(script, answer, kind):
    server = script(answer)
    with ModelServiceClient(server.url, retry=QUICK) as client, pytest.raises(ModelServiceError) as caught:
        client.model("m").predict(x=1)
    assert (type(caught.value).__name__, caught.value.status) == (kind, answer[0])
    assert len(server.requests) == 1


def test_the_last_failure_is_raised_after_the_last_attempt(script):
    server = script(BUSY, BUSY, FULL)
    with ModelServiceClient(server.url, retry=QUICK) as client, pytest.raises(QueueFull) as caught:
        client.model("m").predict(x=1)
    assert (caught.value.request_id, len(server.requests)) == ("r", 3)


def test_retry_after_is_waited_for_and_one_that_is_too_long_is_told_at_once(script):
    waits = [QUICK.choose_wait(1, after) for after in (None, 0.5, 1.0, 1.5)]
    assert waits[0] is not None
    assert waits[0] <= 0.01
    assert waits[1:] == [0.5, 1.0, None]
    server = script(problem(503, "server_busy", **{"Retry-After": "30"}))
    with ModelServiceClient(server.url, retry=QUICK) as client, pytest.raises(ServerBusy) as caught:
        client.model("m").predict(x=1)
    assert caught.value.retry_after_s == 30


def test_waits_grow_and_are_left_to_chance_in_part():
    retry = Retry(attempts=10, first_wait_s=0.2, max_wait_s=2.0)
    waits = [[retry.choose_wait(made, None) or 0 for _ in range(50)] for made in range(1, 9)]
    for made, found in enumerate(waits):
        longest = min(2.0, 0.2 * 2**made)
        assert longest / 2 <= min(found) < max(found) <= longest
    assert retry.choose_wait(10, None) is None


def test_an_upload_is_sent_again_under_the_same_key_and_another_upload_has_another_one(script, tmp_path):
    (tmp_path / "rows.csv").write_bytes(b"x\n1\n")
    made = (202, {}, json.dumps(JOB).encode())
    server = script(None, BUSY, made, made)
    with ModelServiceClient(server.url, retry=QUICK) as client:
        job = client.model("m").submit_job(tmp_path / "rows.csv", output="ndjson", max_failed_rows=3)
        assert job.id == "7"
        client.model("m").submit_job(tmp_path / "rows.csv")
    keys = [headers["idempotency-key"] for _, _, headers, _ in server.requests]
    assert len(set(keys[:3])) == 1
    assert keys[3] not in keys[:3]
    assert [body for *_, body in server.requests] == [b"x\n1\n"] * 4
    assert server.requests[0][1] == "/api/models/m/jobs?output=ndjson&max_failed_rows=3&file_name=rows.csv"


def test_what_can_be_read_once_is_sent_once(script):
    class Pipe:
        def seekable(self) -> bool:
            return False

        def read(self, _: int) -> bytes:
            return pieces.pop() if pieces else b""

    pieces = [b"1\n", b"x\n"]
    server = script((503, {}, b"{}"))
    with ModelServiceClient(server.url, retry=QUICK) as client, pytest.raises(ConnectionFailed):
        client.model("m").submit_job(Pipe(), content_type="csv")
    assert len(server.requests) == 1


def test_a_job_is_not_removed_twice(script):
    over = (200, {}, json.dumps(JOB | {"state": "succeeded"}).encode())
    server = script(over, BUSY)
    with ModelServiceClient(server.url, retry=QUICK) as client, pytest.raises(ServerBusy):
        client.job("7").remove()
    assert [request[0] for request in server.requests] == ["GET", "DELETE"]


def test_a_download_goes_on_where_it_broke_off(script, tmp_path):
    over = (200, {}, json.dumps(JOB | {"state": "succeeded"}).encode())
    cut = (200, {"Content-Length": "10"}, b"first")
    server = script(over, cut, BUSY, (206, {}, b" last"))
    with ModelServiceClient(server.url, retry=QUICK) as client:
        client.job("7").download(tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_bytes() == b"first last"
    assert [request[2].get("range") for request in server.requests] == [None, None, "bytes=5-", "bytes=5-"]
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]


def test_a_download_that_fails_leaves_nothing(script, tmp_path):
    over = (200, {}, json.dumps(JOB | {"state": "succeeded"}).encode())
    server = script(over, problem(404, "job_not_found"))
    with ModelServiceClient(server.url, retry=QUICK) as client, pytest.raises(KINDS["job_not_found"]):
        client.job("7").download(tmp_path / "out.csv")
    assert list(tmp_path.iterdir()) == []


def test_where_nobody_listens_is_told_after_the_attempts():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    told = pytest.raises(ConnectionFailed, match=rf"nobody answers at http://127\.0\.0\.1:{port}:")
    with ModelServiceClient(f"http://me:secret@127.0.0.1:{port}", retry=QUICK) as client, told:
        client.models()


def test_a_timeout_is_not_asked_again():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with ModelServiceClient(url, timeout_s=0.2, retry=QUICK) as client, pytest.raises(NoAnswerInTime):
            client.models()
        silent.settimeout(0.2)
        silent.accept()[0].close()
        with pytest.raises(TimeoutError):
            silent.accept()


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}"])
def test_another_service_at_the_address_is_told(script, body):
    server = script((200, {}, body), (200, {}, body), (200, {}, body))
    with ModelServiceClient(server.url, retry=QUICK) as client:
        for call in (client.models, client.model("m").metadata, client.jobs):
            with pytest.raises(AnswerInvalid, match="address"):
                call()


def test_connections_of_your_own_are_used_and_left_open(script):
    server = script(OUTPUT)
    with httpx.Client(auth=("me", "secret")) as http:
        with ModelServiceClient(f"{server.url}/pre/", headers={"x-team": "a"}, http=http) as client:
            client.model("m", "1.0/2").predict({})
        assert not http.is_closed
    _, path, headers, _ = server.requests[0]
    assert path == "/pre/api/models/m/versions/1.0%2F2/predict"
    assert headers["authorization"].startswith("Basic ")
    assert headers["x-team"] == "a"


@pytest.mark.parametrize("url", ["ftp://localhost", "http://"])
def test_what_is_no_address_is_told(url):
    with ModelServiceClient(url, retry=QUICK) as client, pytest.raises(ConnectionFailed):
        client.models()
