"""Jobs over the wire, with a real service and its worker."""

import gzip
import hashlib
import json
import os
import signal
import socket
import sqlite3
import threading
import time
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from jobs_workers import write_rows
from receiving import receive
from serving import Server, list_children

ROWS = 3000
CONTENT = write_rows(ROWS)
PATH = "/api/models/double_model/jobs"
CSV = {"content-type": "text/csv"}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("jobs")
    config = {
        "models": [{"class": "models.DoubleModel"}, {"class": "models.SleepingModel"}],
        "jobs": {
            **{"chunk_rows": 100, "lease_s": 1, "max_input_bytes": 500_000},
            **{"callback_secret": f"whsec_{'k' * 32}", "callback_networks": ["127.0.0.2"]},
        },
        "server": {"max_body_bytes": 10_000, "workers": 1},
    }
    server = Server(json.dumps(config), folder).wait_until_ready()
    yield server
    assert server.stop() == 0


@pytest.fixture
def client(server):
    with httpx.Client(base_url=server.url, timeout=30) as client:
        yield client


def wait(client, job, *states):
    """Return the job in one of the states; a busy machine may take its time, as long as the job gets on."""
    rows, deadline = -1, time.monotonic() + 60
    while job["state"] not in (states or ("succeeded", "failed", "cancelled")):
        if job["rows_done"] != rows:
            rows, deadline = job["rows_done"], time.monotonic() + 60
        assert time.monotonic() < deadline, job
        time.sleep(0.02)
        job = client.get(job["links"]["self"]).json()
    return job


def wait_until(holds):
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def submit(client, content=CONTENT, headers=CSV, path=PATH, **options):
    answer = client.post(path, content=content, headers=headers, params=options)
    assert answer.status_code == 202, answer.text
    return answer.json()


def problem(answer, status, code):
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.json()["detail"]


def test_a_service_without_jobs_keeps_nothing_on_the_disk(tmp_path):
    server = Server('{"models": [{"class": "models.DoubleModel"}]}', tmp_path).wait_until_ready()
    with httpx.Client(base_url=server.url) as client:
        assert client.get("/api/jobs").json() == {"jobs": [], "next": None}
        problem(client.get("/api/jobs/abc"), 404, "job_not_found")
        problem(client.get("/api/jobs/abc/output"), 404, "job_not_found")
    assert server.stop() == 0
    assert not (tmp_path / "model-service-data").exists()


def test_a_file_goes_in_and_comes_out(client):
    answer = client.post(PATH, content=CONTENT, headers={**CSV, "X-Request-ID": "mine"})
    assert answer.status_code == 202
    assert answer.headers["x-request-id"] == "mine"
    job = answer.json()
    assert answer.headers["location"] == job["links"]["self"] == f"/api/jobs/{job['id']}"
    assert (job["qualified_name"], job["version"], job["input_bytes"]) == ("double_model", "1.0.0", len(CONTENT))
    assert job["input_sha256"] == hashlib.sha256(CONTENT).hexdigest()
    job = wait(client, job)
    assert (job["state"], job["rows_done"], job["rows_total"], job["progress"]) == ("succeeded", ROWS, ROWS, 1.0)
    assert job["rows_failed"] == len(range(0, ROWS, 37))
    assert job["started_at"] <= job["ended_at"]
    output = client.get(job["links"]["output"])
    assert output.headers["content-type"].startswith("text/csv")
    lines = output.text.splitlines()
    assert lines[0] == "id,x,note,y,error.code,error.column,error.message"
    assert lines[2] == "1,1,note 1,2,,,"
    assert lines[1].startswith("0,x,note 0,,payload_invalid,")
    assert len(lines) == ROWS + 1


def test_a_form_is_read_as_a_browser_sends_it(client):
    form = {"output": "ndjson", "max_failed_rows": "5000"}
    files = {"file": ('C:\\my\\ro"ws é.csv', CONTENT, "application/vnd.ms-excel")}
    answer = client.post(PATH, data=form, files=files)
    assert answer.status_code == 202, answer.text
    job = wait(client, answer.json())
    assert (job["input_format"], job["output_format"], job["max_failed_rows"]) == ("csv", "ndjson", 5000)
    assert job["input_sha256"] == hashlib.sha256(CONTENT).hexdigest()
    output = client.get(job["links"]["output"])
    assert len(output.text.splitlines()) == ROWS
    assert "predictions.ndjson" in output.headers["content-disposition"]


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_a_form_that_arrives_in_pieces_of_any_size_is_the_same_file(server, client, size):
    content = b"x\r\n1\r\n2\r\n--b\r\n--boundary-\r\n" if size == 1 else CONTENT[:5000].rpartition(b"\n")[0] + b"\n"
    if size == 1:
        content = b"x,note\r\n1,--b\r\n2,\r\n3,--boundar\r\n"
    body = (
        b'--boundary\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
        + content
        + b"\r\n--boundary--\r\n"
    )
    pieces = (body[at : at + size] for at in range(0, len(body), size))
    answer = client.post(PATH, content=pieces, headers={"content-type": "multipart/form-data; boundary=boundary"})
    assert answer.status_code == 202, answer.text
    assert answer.json()["input_sha256"] == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", "multipart/form-data"),
        (b"", "multipart/form-data; boundary=b"),
        (b"--b\r\n", "multipart/form-data; boundary=b"),
        (b"--b--\r\n", "multipart/form-data; boundary=b"),
        (b'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n1\r\n--b--\r\n', "multipart/form-data; boundary=b"),
        (b"--b\r\n\r\n1\r\n--b--\r\n", "multipart/form-data; boundary=b"),
        (
            b'--b\r\nContent-Disposition: form-data; name="f"; filename="a.csv"\r\n\r\nx\n1',
            "multipart/form-data; boundary=b",
        ),
    ],
)
def test_a_broken_form_is_told(client, body, content_type):
    problem(client.post(PATH, content=body, headers={"content-type": content_type}), 400, "payload_malformed")


def test_a_compressed_file_is_read(client):
    packed = gzip.compress(CONTENT)
    for headers, options in (({**CSV, "content-encoding": "gzip"}, {}), ({}, {"file_name": "a.csv.gz"})):
        job = wait(client, submit(client, packed, headers, **options))
        assert (job["state"], job["rows_done"], job["input_bytes"]) == ("succeeded", ROWS, len(packed))


def test_a_bomb_is_stopped_while_it_inflates(client):
    bomb = gzip.compress(b"x\n" + b"1\n" * 5_000_000)
    assert len(bomb) < 100_000
    job = wait(client, submit(client, bomb, {**CSV, "content-encoding": "gzip"}))
    assert (job["state"], job["problem"]["code"]) == ("failed", "payload_too_large")


def test_what_is_no_gzip_is_told(client):
    answer = client.post(PATH, content=CONTENT, headers={**CSV, "content-encoding": "gzip"})
    problem(answer, 400, "payload_malformed")
    cut = gzip.compress(write_rows(20_000))[:-2000]
    job = wait(client, submit(client, cut, {**CSV, "content-encoding": "gzip"}))
    assert (job["state"], job["problem"]["code"]) == ("failed", "payload_malformed")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"id,x\n",
        b"1,2\n3,4\n",
        b"a,b\n1,2\n",
        b"x,x\n1,2\n",
        b"\xff\xfex\x001\x00",
        b"x\n\x00\xff\n",
        b",".join(b"c%d" % number for number in range(20_000)) + b"\n",
    ],
    ids=["empty", "header-only", "no-header", "foreign", "twice", "utf-16", "no-text", "columns"],
)
def test_a_file_that_cannot_be_read_is_told_at_once(client, content):
    before = len(client.get("/api/jobs?limit=500").json()["jobs"])
    answer = client.post(PATH, content=content, headers=CSV)
    problem(answer, 400, "file_unreadable")
    assert len(client.get("/api/jobs?limit=500").json()["jobs"]) == before


def test_a_document_without_rows_is_told_at_once(client):
    answer = client.post(PATH, content=b'""', headers={"content-type": "application/json"})
    problem(answer, 400, "file_unreadable")


def test_a_file_that_breaks_in_the_middle_fails_with_what_came_before(client):
    job = wait(client, submit(client, write_rows(15_000) + b"\xff\xff,1,a\n"))
    assert (job["state"], job["problem"]["code"]) == ("failed", "file_unreadable")
    assert client.get(job["links"]["output"]).headers["content-disposition"].endswith(".part")


def test_too_many_failed_rows_end_a_job_when_that_is_asked_for(client):
    job = wait(client, submit(client, max_failed_rows=3))
    assert (job["state"], job["problem"]["code"]) == ("failed", "too_many_failed_rows")
    assert job["rows_done"] < ROWS


@pytest.mark.parametrize(
    ("options", "headers", "status", "code"),
    [
        ({"max_failed_rows": "-1"}, CSV, 400, "job_invalid"),
        ({"max_failed_rows": "1e3"}, CSV, 400, "job_invalid"),
        ({"output": "xlsx"}, CSV, 400, "job_invalid"),
        ({"outptu": "csv"}, CSV, 400, "job_invalid"),
        ({"callback_url": "http://127.0.0.1/"}, CSV, 400, "job_invalid"),
        ({"callback_url": "ftp://8.8.8.8/"}, CSV, 400, "job_invalid"),
        ({}, {**CSV, "idempotency-key": "k" * 201}, 400, "job_invalid"),
        ({}, {"content-type": "application/pdf"}, 415, "media_type_unsupported"),
        ({}, {}, 415, "media_type_unsupported"),
        ({}, {**CSV, "content-encoding": "br"}, 415, "media_type_unsupported"),
    ],
)
def test_what_cannot_be_meant_is_refused(client, options, headers, status, code):
    problem(client.post(PATH, content=CONTENT, headers=headers, params=options), status, code)


def test_the_end_of_a_job_is_told_to_who_asked_for_it(client):
    with receive("127.0.0.2") as receiver:
        job = submit(client, callback_url=receiver.url)
        assert job["callback"] == {"state": "waiting", "attempts": 0, "problem": None}
        deadline = time.monotonic() + 60
        while (told := client.get(job["links"]["self"]).json())["callback"]["state"] != "delivered":
            assert time.monotonic() < deadline, told
            time.sleep(0.02)
    [(_, headers, body)] = receiver.got
    assert headers["webhook-id"] == job["id"]
    assert json.loads(body) == {name: value for name, value in told.items() if name not in ("callback", "links")}
    assert submit(client)["callback"] is None


def test_a_model_that_is_not_there_is_told(client):
    problem(client.post("/api/models/none/jobs", content=CONTENT, headers=CSV), 404, "model_not_found")
    problem(
        client.post("/api/models/double_model/versions/9/jobs", content=CONTENT, headers=CSV), 404, "model_not_found"
    )


@pytest.mark.parametrize("is_chunked", [True, False])
def test_a_file_that_is_too_large_is_refused_and_leaves_nothing(server, client, is_chunked):
    content = write_rows(30_000)
    assert len(content) > 500_000
    body = (content[at : at + 10_000] for at in range(0, len(content), 10_000)) if is_chunked else content
    problem(client.post(PATH, content=body, headers=CSV), 413, "payload_too_large")
    uploads = server.log.parent / "model-service-data" / "uploads"
    deadline = time.monotonic() + 10
    while list(uploads.iterdir()):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_who_leaves_in_the_middle_of_an_upload_leaves_nothing(server, client):
    before = len(client.get("/api/jobs?limit=500").json()["jobs"])
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        head = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\nContent-Length: 100000\r\n\r\n"
        connection.sendall(head.encode() + CONTENT[:50_000])
        time.sleep(0.2)
    uploads = server.log.parent / "model-service-data" / "uploads"
    deadline = time.monotonic() + 10
    while list(uploads.iterdir()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert len(client.get("/api/jobs?limit=500").json()["jobs"]) == before


def test_a_key_makes_the_same_request_the_same_job(client):
    headers = {**CSV, "idempotency-key": "once"}
    first = submit(client, headers=headers)
    assert submit(client, headers=headers)["id"] == first["id"]
    problem(client.post(PATH, content=CONTENT + b"1,1,1\n", headers=headers), 422, "idempotency_key_reused")
    answer = client.post(PATH, content=CONTENT, headers=headers, params={"output": "ndjson"})
    problem(answer, 422, "idempotency_key_reused")


def test_one_key_sent_by_many_at_once_is_one_job(client):
    found, headers = [], {**CSV, "idempotency-key": "race"}
    callers = [threading.Thread(target=lambda: found.append(submit(client, headers=headers)["id"])) for _ in range(8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert len(found) == 8
    assert len(set(found)) == 1


def test_ranges_of_an_output(client):
    job = wait(client, submit(client))
    path = job["links"]["output"]
    whole = client.get(path)
    assert whole.headers["accept-ranges"] == "bytes"
    size = len(whole.content)

    def get(value, **more):
        return client.get(path, headers={"range": value, **more})

    for value, expected in (
        ("bytes=0-0", whole.content[:1]),
        ("bytes=100-299", whole.content[100:300]),
        (f"bytes={size - 5}-", whole.content[-5:]),
        ("bytes=-7", whole.content[-7:]),
        (f"bytes=5-{size * 2}", whole.content[5:]),
        (f"bytes=-{size * 2}", whole.content),
    ):
        part = get(value)
        assert (part.status_code, part.content) == (206, expected), value
        start = whole.content.index(expected) if len(expected) > 50 else None
        if start is not None:
            assert part.headers["content-range"] == f"bytes {start}-{start + len(expected) - 1}/{size}"
    beyond = get(f"bytes={size}-")
    problem(beyond, 416, "range_not_satisfiable")
    assert beyond.headers["content-range"] == f"bytes */{size}"
    for value in ("bytes=1-2,5-6", "rows=1-2", "bytes=-"):
        assert get(value).status_code == 200
    assert get("bytes=0-1", **{"if-range": whole.headers["etag"]}).status_code == 206
    assert get("bytes=0-1", **{"if-range": '"another"'}).status_code == 200
    head = client.head(path)
    assert (head.status_code, head.content, int(head.headers["content-length"])) == (200, b"", size)


def test_the_parts_that_are_there_while_a_job_runs_make_up_its_output(client):
    job = submit(client, write_rows(6000))
    got = b""
    while True:
        state = client.get(job["links"]["self"]).json()["state"]
        part = client.get(job["links"]["output"], headers={"range": f"bytes={len(got)}-"} if got else {})
        if part.status_code in (200, 206):
            got += part.content
        else:
            problem(part, 416, "range_not_satisfiable")
        if state == "succeeded":
            break
        time.sleep(0.02)
    assert got == client.get(job["links"]["output"]).content
    assert got.count(b"\n") == 6001


def test_a_job_is_cancelled_at_any_stage_and_removed_when_it_is_over(client):
    slow = "x\n" + "".join(f"{number % 100}\n" for number in range(100_000))
    running, queued = submit(client, slow), submit(client, slow)
    wait(client, running, "running")
    for job in (queued, running):
        answer = client.delete(job["links"]["self"])
        assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
        assert client.get(job["links"]["output"]).status_code == 200
        assert client.delete(job["links"]["self"]).status_code == 204
        for method in ("get", "delete"):
            problem(getattr(client, method)(job["links"]["self"]), 404, "job_not_found")
        problem(client.get(job["links"]["output"]), 404, "job_not_found")
    assert wait(client, submit(client))["state"] == "succeeded"  # the worker goes on


def test_jobs_are_listed_in_pages(client):
    made = [submit(client, b"x\n1\n")["id"] for _ in range(5)]
    page, seen = client.get("/api/jobs?limit=2&model=double_model").json(), []
    seen += [job["id"] for job in page["jobs"]]
    while page["next"]:
        page = client.get(page["next"]).json()
        seen += [job["id"] for job in page["jobs"]]
    assert [job for job in seen if job in made] == made[::-1]
    assert len(seen) == len(set(seen))
    assert client.get("/api/jobs?model=none").json()["jobs"] == []
    for query in ("limit=0", "limit=x", "limit=1000", "state=done", "page=2"):
        problem(client.get(f"/api/jobs?{query}"), 400, "job_invalid")
    problem(client.get("/api/jobs?before=none"), 404, "job_not_found")


def read_events(response):
    event = {}
    for line in response.iter_lines():
        if not line:
            if event:
                yield event
            event = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(": ")
            event[name] = value


def test_progress_comes_as_events_until_the_end(client):
    job = submit(client, write_rows(6000))
    with client.stream("GET", job["links"]["events"]) as response:
        assert response.headers["content-type"] == "text/event-stream"
        events = list(read_events(response))
    told = [json.loads(event["data"]) for event in events]
    assert [each["rows_done"] for each in told] == sorted(each["rows_done"] for each in told)
    assert told[-1]["state"] == "succeeded"
    assert len({event["id"] for event in events}) == len(events)
    again = client.get(job["links"]["events"], headers={"last-event-id": events[-1]["id"]})
    assert again.status_code == 204
    problem(client.get("/api/jobs/none/events"), 404, "job_not_found")


def test_a_watcher_is_told_that_a_job_is_removed(client):
    slow = "x\n" + "".join(f"{number % 100}\n" for number in range(100_000))
    job = submit(client, slow)
    with client.stream("GET", job["links"]["events"]) as response:
        events = read_events(response)
        next(events)
        client.delete(job["links"]["self"])
        assert json.loads([event["data"] for event in events][-1])["state"] == "cancelled"


def test_another_host_is_refused(server, client):
    for method, path in (("POST", PATH), ("GET", "/api/jobs/x/output")):
        answer = client.request(method, path, headers={**CSV, "host": "evil.example"}, content=b"x\n1\n")
        problem(answer, 421, "host_not_allowed")


def test_a_thousand_watchers_are_told_and_predictions_are_answered_beside_them(tmp_path):
    config = {"models": [{"class": "models.DoubleModel"}], "jobs": {"workers": 0}, "server": {"workers": 1}}
    server = Server(json.dumps(config), tmp_path).wait_until_ready()
    with httpx.Client(base_url=server.url, timeout=60) as client:
        job = submit(client)
        watchers = []
        for _ in range(1000):
            watchers.append(socket.create_connection(("127.0.0.1", server.port), timeout=60))
            watchers[-1].sendall(f"GET {job['links']['events']} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        streams = [watcher.makefile("rb") for watcher in watchers]
        for stream in streams:
            while not stream.readline().startswith(b"data:"):
                pass
        for number in range(200):
            answer = client.post("/api/models/double_model/predict", json={"x": number})
            assert answer.json() == {"y": 2 * number}
        assert client.delete(job["links"]["self"]).status_code == 200
        for stream in streams:
            while not (line := stream.readline()).startswith(b"data:"):
                assert line
            assert b'"cancelled"' in line
        for watcher in watchers:
            watcher.close()
    assert server.stop() == 0


def test_more_watchers_than_may_be_are_refused(tmp_path):
    config = {"models": [{"class": "models.DoubleModel"}], "jobs": {"workers": 0, "max_event_streams": 1}}
    server = Server(json.dumps({**config, "server": {"workers": 1}}), tmp_path).wait_until_ready()
    with httpx.Client(base_url=server.url, timeout=60) as client:
        job = submit(client)
        with client.stream("GET", job["links"]["events"]) as response:
            events = read_events(response)  # which would end the stream if it were let go
            next(events)
            problem(client.get(job["links"]["events"]), 429, "too_many_jobs")
    assert server.stop() == 0


def test_a_service_that_is_stopped_and_started_goes_on_with_its_jobs(tmp_path):
    config = json.dumps(
        {"models": [{"class": "models.DoubleModel"}], "jobs": {"chunk_rows": 100}, "server": {"workers": 1}}
    )
    server = Server(config, tmp_path).wait_until_ready()
    with httpx.Client(base_url=server.url, timeout=60) as client:
        job = submit(client, write_rows(40_000))
        while client.get(job["links"]["self"]).json()["rows_done"] < 500:
            time.sleep(0.01)

        def watch():
            with httpx.stream("GET", server.url + job["links"]["events"], timeout=60) as response:
                list(response.iter_lines())

        watching = threading.Thread(target=watch)
        watching.start()
        assert server.stop() == 0
        watching.join(30)
        assert not watching.is_alive()
    server = Server(config, tmp_path).wait_until_ready()
    with httpx.Client(base_url=server.url, timeout=60) as client:
        begun = client.get(job["links"]["self"]).json()
        assert 500 <= begun["rows_done"] < 40_000
        done = wait(client, begun)
        assert (done["state"], done["rows_done"]) == ("succeeded", 40_000)
        lines = client.get(job["links"]["output"]).text.splitlines()
        assert [int(line.split(",")[0]) for line in lines[1:]] == list(range(40_000))
    assert server.stop() == 0


def test_a_service_that_is_restarted_during_an_upload_has_no_job_of_it_and_takes_it_again(tmp_path):
    config = json.dumps({"models": [{"class": "models.DoubleModel"}], "server": {"shutdown_timeout_s": 1}})
    key = {**CSV, "idempotency-key": "again"}
    server = Server(config, tmp_path).wait_until_ready()
    with socket.create_connection(("127.0.0.1", server.port)) as sender:
        head = f"POST {PATH} HTTP/1.1\r\nhost: 127.0.0.1:{server.port}\r\ncontent-type: text/csv\r\n"
        head += f"idempotency-key: again\r\ncontent-length: {len(CONTENT)}\r\n\r\n"
        sender.sendall(head.encode() + CONTENT[:1000])
        uploads = tmp_path / "model-service-data" / "uploads"
        wait_until(lambda: uploads.exists() and list(uploads.iterdir()))
        assert server.stop() == 0
        assert sender.recv(1000).startswith(b"HTTP/1.1 503 ")
    assert list(uploads.iterdir()) == []
    server = Server(config, tmp_path).wait_until_ready()
    with httpx.Client(base_url=server.url, timeout=30) as client:
        assert client.get("/api/jobs").json()["jobs"] == []
        assert wait(client, submit(client, headers=key))["rows_done"] == ROWS
    assert server.stop() == 0


def test_a_download_that_a_restart_cuts_off_goes_on_where_it_was(tmp_path):
    config = json.dumps({"models": [{"class": "models.DoubleModel"}], "server": {"shutdown_timeout_s": 1}})
    server = Server(config, tmp_path).wait_until_ready()
    narrow = httpx.HTTPTransport(socket_options=[(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)])
    with httpx.Client(base_url=server.url, timeout=30, transport=narrow) as client:
        job = wait(client, submit(client, write_rows(300_000)))
        output = client.get(job["links"]["output"]).content
        with client.stream("GET", job["links"]["output"]) as answer:
            pieces, got = answer.iter_raw(), b""
            while len(got) < 100_000:
                got += next(pieces)
            assert server.stop() == 0  # with most of it unread, and too much to wait in any buffer
            with suppress(httpx.TransportError):
                for piece in pieces:
                    got += piece
    assert len(got) < len(output)
    server = Server(config, tmp_path).wait_until_ready()
    with httpx.Client(base_url=server.url, timeout=30) as client:
        rest = client.get(job["links"]["output"], headers={"range": f"bytes={len(got)}-"})
        assert rest.status_code == 206
        assert got + rest.content == output
    assert server.stop() == 0


def test_a_database_that_needs_an_upgrade_stops_jobs_and_not_predictions(tmp_path):
    config = json.dumps({"models": [{"class": "models.DoubleModel"}], "server": {"workers": 1}})
    server = Server(config, tmp_path).wait_until_ready()
    with httpx.Client(base_url=server.url, timeout=60) as client:
        wait(client, submit(client))
    assert server.stop() == 0
    with sqlite3.connect(tmp_path / "model-service-data" / "jobs.sqlite") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    server = Server(config, tmp_path).wait_until_ready()
    with httpx.Client(base_url=server.url, timeout=60) as client:
        problem(client.get("/api/jobs"), 500, "database_outdated")
        assert client.post("/api/models/double_model/predict", json={"x": 1}).json() == {"y": 2}
    assert server.stop() == 0


def test_a_process_of_jobs_that_is_killed_is_replaced_and_the_job_goes_on(server, client):
    job = submit(client, write_rows(20_000))
    wait(client, job, "running")
    [worker] = [pid for pid in list_children(server.process.pid) if b"jobs.process" in read_command(pid)]
    os.kill(worker, signal.SIGKILL)
    done = wait(client, job)
    assert (done["state"], done["rows_done"]) == ("succeeded", 20_000)


def read_command(pid):
    return Path(f"/proc/{pid}/cmdline").read_bytes()
