"""The line of a request: what it says, that none is lost, and that writing it harms nobody."""

import io
import json
import logging
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from queue import SimpleQueue

import pytest

from model_service.config import LogFormat, LoggingConfig
from model_service.observability import JsonFormatter, TextFormatter, bind_request_id, bind_trace, get_request_id
from model_service.request_log import RequestLog
from model_service.tracing.context import Parent, Trace

REQUEST = ("POST", "/api/models/iris_model/predict", 200, "iris_model", "1.0.0", 0.0015, "r-1")


@pytest.fixture(autouse=True)
def _logging_requests(monkeypatch):
    monkeypatch.setattr(logging.getLogger("model_service"), "level", logging.INFO)
    monkeypatch.setattr(logging.getLogger("model_service.requests"), "_cache", {})
    yield
    bind_request_id(None)


def make_log(output) -> RequestLog:
    return RequestLog(LoggingConfig(format=LogFormat.JSON), output)


def read_lines(output: io.StringIO) -> list[dict]:
    return [json.loads(line) for line in output.getvalue().splitlines()]


def write_lines(*requests: tuple) -> list[dict]:
    """Return the lines of requests."""
    output = io.StringIO()
    log = make_log(output)
    for request in requests:
        log.write(*request)
    log.flush()
    return read_lines(output)


def test_a_line_says_what_happened():
    bind_request_id("another")  # of the thread; the request's own id is told
    (line,) = write_lines(REQUEST)
    moment = datetime.fromisoformat(line.pop("time"))
    assert moment.utcoffset().total_seconds() == 0
    assert abs(moment.timestamp() - datetime.now().timestamp()) < 60
    assert line == {
        "level": "info",
        "logger": "model_service.requests",
        "message": "request",
        "request_id": "r-1",
        "method": "POST",
        "path": "/api/models/iris_model/predict",
        "status": 200,
        "model": "iris_model",
        "version": "1.0.0",
        "duration_ms": 1.5,
    }


def test_a_line_has_the_fields_of_every_other_in_their_order():
    bind_request_id("r-1")
    (line,) = write_lines(REQUEST)
    names = ("method", "path", "status", "model", "version", "duration_ms")
    extra = dict(zip(names, REQUEST[:-1], strict=True))
    record = logging.getLogger("model_service.requests").makeRecord("n", logging.INFO, "", 1, "request", (), None)
    record.__dict__.update(extra)
    assert list(line) == list(json.loads(JsonFormatter().format(record)))


def test_a_line_of_a_request_with_a_trace_has_its_id_as_every_other_line_has():
    trace = Trace(Parent("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"), 1.0, None)
    output = io.StringIO()
    log = make_log(output)
    log.write(*REQUEST, trace=trace)
    log.flush()
    (line,) = read_lines(output)
    assert line["trace_id"] == trace.trace_id
    bind_request_id("r-1")
    bind_trace(trace)
    try:
        record = logging.getLogger("n").makeRecord("n", logging.INFO, "", 1, "request", (), None)
        names = list(json.loads(JsonFormatter().format(record)))
    finally:
        bind_trace(None)
    assert list(line)[: len(names)] == names


@pytest.mark.parametrize("model", [None, "iris_model"])
def test_what_is_not_known_is_left_out(model):
    (line,) = write_lines(("GET", "/health/live", 404, model, None, 0.0, "r-1"))
    expected = {"method", "path", "status", "duration_ms"} | ({"model"} if model else set())
    assert set(line) - {"time", "level", "logger", "message", "request_id"} == expected


def test_half_a_character_stops_nothing():
    lines = write_lines(("GET", "/\ud800", 404, None, None, 0.0, "r-1"), REQUEST)
    assert [line["path"] for line in lines] == ["/\ud800", REQUEST[1]]


def test_the_level_of_the_logger_decides(monkeypatch):
    monkeypatch.setattr(logging.getLogger("model_service"), "level", logging.WARNING)
    assert write_lines(REQUEST) == []


def test_text_for_people_goes_the_way_of_every_other_line(caplog):
    caplog.handler.setFormatter(TextFormatter())
    with caplog.at_level(logging.INFO, "model_service"):
        log = RequestLog(LoggingConfig(format=LogFormat.TEXT), io.StringIO())
        log.write(*REQUEST)
        log.flush()
    (record,) = caplog.records
    assert (record.message, record.method, record.status, record.duration_ms) == ("request", "POST", 200, 1.5)
    assert "request_id=r-1 method=POST" in caplog.text


def test_text_is_written_by_the_thread_and_not_by_the_request():
    written = SimpleQueue()

    class NotingHandler(logging.Handler):
        def emit(self, record):
            written.put((threading.current_thread().name, get_request_id(), record.path))

    handler = NotingHandler()
    logging.getLogger("model_service").addHandler(handler)
    try:
        log = RequestLog(LoggingConfig(format=LogFormat.TEXT), io.StringIO())
        for number in (1, 2):
            log.write("GET", f"/{number}", 200, None, None, 0.0, f"r-{number}")
        assert [written.get(timeout=30) for _ in range(2)] == [
            ("request-log", "r-1", "/1"),
            ("request-log", "r-2", "/2"),
        ]
    finally:
        logging.getLogger("model_service").removeHandler(handler)


def test_lines_appear_without_being_asked_for(pipe):
    reading, output = pipe
    log = make_log(output)
    for number in (1, 2):  # the thread that writes is asleep before each
        log.write("GET", f"/{number}", 200, None, None, 0.0, None)
        assert json.loads(os.read(reading, 10_000))["path"] == f"/{number}"


def test_of_many_threads_every_line_is_written_once(pipe):
    reading, output = pipe
    log = make_log(output)
    received = bytearray()

    def read() -> None:
        while part := os.read(reading, 999):
            received.extend(part)

    reader = threading.Thread(target=read)
    reader.start()

    def write(thread: int) -> None:
        for number in range(500):
            log.write("GET", f"/{thread}/{number}", 200, None, None, 0.0, None)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    log.flush()
    output.close()
    reader.join()
    paths = [json.loads(line)["path"] for line in received.splitlines()]
    for thread in range(8):  # in order, too
        assert [path for path in paths if path.startswith(f"/{thread}/")] == [f"/{thread}/{n}" for n in range(500)]


def test_a_reader_that_left_stops_nothing(pipe):
    reading, output = pipe
    log = make_log(output)
    os.close(os.dup(reading))
    with open(os.devnull) as nothing:  # the reading end is gone, its number is not
        os.dup2(nothing.fileno(), reading)
    for _ in range(2):
        log.write(*REQUEST)
        log.flush()


def test_a_log_that_nobody_reads_holds_no_request_up_and_tells_what_it_dropped(pipe, caplog):
    reading, output = pipe
    log = make_log(output)
    for number in range(60_000):  # a pipe holds some hundreds of lines, and 20,000 more may wait
        log.write("GET", f"/{number}", 200, None, None, 0.0, None)
    received = bytearray()
    reader = threading.Thread(target=lambda: received.extend(b"".join(iter(lambda: os.read(reading, 65536), b""))))
    reader.start()
    log.flush()
    log.write("GET", "/60000", 200, None, None, 0.0, None)  # there is room again
    log.flush()
    output.close()
    reader.join()
    numbers = [int(json.loads(line)["path"][1:]) for line in received.splitlines()]
    assert numbers == sorted(set(numbers))
    assert (numbers[0], numbers[-1]) == (0, 60_000)
    dropped = 60_001 - len(numbers)
    assert 0 < dropped <= 40_000
    (record,) = caplog.records  # once: what was told is not told again
    assert record.getMessage() == f"{dropped} lines of requests were dropped: the log is read too slowly"


_SCRIPT = """
import logging, sys
from model_service import request_log
from model_service.config import LogFormat, LoggingConfig
request_log.GATHER_S = 3600
logging.getLogger("model_service").setLevel(logging.INFO)
log = request_log.RequestLog(LoggingConfig(format=LogFormat.JSON), sys.stderr)
log.write("GET", "/last", 200, None, None, 0.0, None)
"""


def test_the_last_line_of_a_process_is_written():
    ended = subprocess.run([sys.executable, "-c", _SCRIPT], capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(ended.stderr)["path"] == "/last"


def test_the_last_line_of_a_forked_worker_is_written():
    # As the servers that fork their workers do: the child ends in the way of every program, and its parent waits.
    fork = "import os, sys\nif os.fork():\n    os.wait()\n    os._exit(0)\n"
    ended = subprocess.run(
        [sys.executable, "-c", fork + _SCRIPT], capture_output=True, text=True, timeout=60, check=True
    )
    assert json.loads(ended.stderr)["path"] == "/last"
