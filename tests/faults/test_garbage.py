"""No request leaves anything of ours for the collector, which comes rarely: what is over is gone at once."""

import gc
import logging
import types
from collections import Counter
from collections.abc import Callable

import pytest
from fronts import FrontServer, read_answers, request_of

PREDICT = "/api/models/double_model/predict"
RAISING = "/api/models/raising_model/predict"
ROW = b'{"x": 1}'


def get(path: str, **headers: str) -> bytes:
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n".encode()


def rows(count: int, row: bytes = ROW) -> bytes:
    return b"[" + b",".join([row] * count) + b"]"


# Not here: pages whose template has macros (Jinja makes a cycle of each) and the OpenAPI document (apispec and
# marshmallow). They hold a request without a body.
REQUESTS = {
    "a row": (200, request_of(ROW)),
    "rows": (200, request_of(rows(250))),
    "a large body": (200, request_of(ROW + b" " * 100_000)),
    "by Flask": (200, request_of(ROW, Accept="application/*")),
    "no JSON": (400, request_of(b'{"x": ')),
    "large blanks": (400, request_of(b" " * 100_000)),
    "no model": (404, request_of(b" " * 100_000, "/api/models/nothing/predict")),
    "no address": (404, request_of(b" " * 100_000, "/nothing")),
    "no page": (404, get("/nothing", Accept="text/html")),
    "no such method": (405, request_of(b" " * 100_000, "/api/models")),
    "not acceptable": (406, request_of(ROW, Accept="text/html")),
    "too many rows": (413, request_of(rows(301))),
    "too many values": (413, request_of(rows(6000, b"1"))),
    "another media type": (415, request_of(b" " * 100_000, Content_Type="text/plain")),
    "a wrong value": (422, request_of(b'{"x": "1"}')),
    "many wrong values": (422, request_of(rows(250, b'{"x": "1"}'))),
    "a large wrong value": (422, request_of(b'{"x": "' + b"1" * 100_000 + b'"}')),
    "a rule of the model": (422, request_of(ROW, "/api/models/fussy_model/predict")),
    "a model that raises": (500, request_of(b'{"x": -1}', RAISING)),
    "a model that raises for a row": (500, request_of(b'[{"x": -1}, {"x": 1}]', RAISING)),
    "a wrong output": (500, request_of(b'{"x": -1}', "/api/models/wrong_output_model/predict")),
    "the index": (200, get("/")),
    "the index, compressed": (200, get("/", Accept_Encoding="gzip")),
    "a form": (200, get("/models/double_model/predict")),
    "documents": (200, get("/docs")),
    "the list": (200, get("/api/models")),
    "metadata": (200, get("/api/models/double_model/metadata")),
    "health": (200, get("/health/ready")),
}


@pytest.fixture(scope="module")
def front():
    names = ("DoubleModel", "RaisingModel", "WrongOutputModel", "FussyModel")
    bounds = {"max_body_bytes": 200_000, "max_request_rows": 300, "max_body_values": 5000}
    front = FrontServer(*(f"models.{name}" for name in names), **bounds)
    logging.disable(logging.CRITICAL)
    for _, sent in REQUESTS.values():
        send(front, sent, 2)
    yield front
    logging.disable(logging.NOTSET)
    front.stop()


@pytest.fixture
def garbage():
    """Return a function that counts, by kind, what only the collector finds after a call of another."""
    gc.disable()

    def count(call: Callable[[], None]) -> Counter[str]:
        gc.collect()
        gc.set_debug(gc.DEBUG_SAVEALL)
        call()
        gc.collect()
        kinds = Counter(map(describe, gc.garbage))
        gc.set_debug(0)
        gc.garbage.clear()
        return kinds

    yield count
    gc.set_debug(0)
    gc.garbage.clear()
    gc.enable()


def send(front: FrontServer, sent: bytes, count: int) -> list[int]:
    statuses = []
    for _ in range(count):  # each on a connection of its own, which is to leave nothing, either
        with front.connect() as connection:
            connection.sendall(sent)
            statuses.append(read_answers(connection, 1)[0][0])
    return statuses


def describe(thing: object) -> str:
    if isinstance(thing, types.FrameType):
        return f"a frame of {thing.f_code.co_filename}:{thing.f_code.co_name}"
    return f"{type(thing).__module__}.{type(thing).__qualname__}"


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_leaves_nothing_for_the_collector(front, garbage, name):
    status, sent = REQUESTS[name]

    def send_some() -> None:
        assert send(front, sent, 20) == [status] * 20

    # Threads of other tests may end meanwhile, and leave much once; a request that leaves something always does.
    for _ in range(3):
        kinds = garbage(send_some)
        # What werkzeug's routing leaves: each search for an address has an inner function that knows itself.
        for kind in ("cell", "set", "tuple", "function"):
            kinds.pop(f"builtins.{kind}", None)
        if sum(kinds.values()) < 20:  # less than one object per request
            return
    pytest.fail(f"20 requests left {kinds}")
