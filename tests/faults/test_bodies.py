"""Bodies that are refused: what they cost while they are looked at, and that nothing of them is kept."""

import threading

import pytest
from attacking import ask

PREDICT = "/api/models/double_model/predict"
DISTINCT = "/api/models/distinct_model/predict"
MOST_BYTES = 16 * 1024 * 1024
#: As many empty arrays as a body may have, nearly: each has two marks by which values are counted from the text.
MANY = 245_000
AT_ONCE = 4
TIMES = 3


def deep_and_wide(count: int) -> bytes:
    """Return so many empty arrays below sixty others."""
    return b"[" * 60 + b",".join([b"[]"] * count) + b"]" * 60


def fill(start: bytes, byte: bytes, end: bytes, size: int = MOST_BYTES) -> bytes:
    return start + byte * (size - len(start) - len(end)) + end


@pytest.mark.parametrize(
    ("count", "path", "body", "status"),
    [
        pytest.param(30, PREDICT, b" " * MOST_BYTES, 400, id="blanks of 16 MB"),
        pytest.param(200, PREDICT, b" " * 2**20, 400, id="blanks of 1 MB"),
        pytest.param(12, PREDICT, fill(b'{"x": ', b"1", b"}"), 400, id="digits of 16 MB"),
        pytest.param(12, PREDICT, fill(b'{"x": "', b"a", b'"}'), 422, id="a text of 16 MB"),
        pytest.param(12, PREDICT, fill(b'{"', b"k", b'": 1}'), 422, id="a name of 16 MB"),
        pytest.param(12, PREDICT, b"[" * MOST_BYTES, 413, id="brackets of 16 MB"),
        pytest.param(60, PREDICT, b"[" + b",".join([b'{"x": 1}'] * 10_001) + b"]", 413, id="10,001 rows"),
        pytest.param(40, PREDICT, b"[" + b",".join([b'{"x": 1, "y": 1}'] * 10_000) + b"]", 422, id="10,000 wrong rows"),
        pytest.param(200, "/nothing", b" " * 2**20, 404, id="1 MB to nowhere"),
        pytest.param(200, "/api/models", b" " * 2**20, 405, id="1 MB to a list"),
    ],
)
def test_nothing_of_a_body_that_was_refused_is_kept(server, watch, request, count, path, body, status):
    with watch(f"{count} x {request.node.callspec.id}") as attack:
        for _ in range(count):
            attack.answers[ask(server.port, "POST", path, body)[0]] += 1
    assert attack.answers == {status: count}


def many_names(count: int) -> bytes:
    return b"{" + b",".join(b'"k%07d":1' % number for number in range(count)) + b"}"


def mixed(count: int) -> bytes:
    entries = (b"%d" % number if number % 2 else b'"%d"' % number for number in range(count))
    return b'{"entries": [' + b",".join(entries) + b"]}"


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        pytest.param(PREDICT, deep_and_wide((MOST_BYTES - 200) // 3), 413, id="16 MB of arrays 60 deep"),
        pytest.param(PREDICT, deep_and_wide(MANY), 422, id="245,000 arrays 60 deep"),
        pytest.param(PREDICT, b'{"x": ' + deep_and_wide(MANY) + b"}", 422, id="245,000 arrays in a field"),
        pytest.param(PREDICT, many_names(1_150_000), 413, id="1.15 million unknown names"),
        pytest.param(PREDICT, many_names(490_000), 422, id="490,000 unknown names"),
        pytest.param(DISTINCT, mixed(300_000), 422, id="300,000 mixed entries that must differ"),
    ],
)
def test_a_body_that_is_more_than_it_weighs_is_answered_and_holds_nobody_up(server, watch, request, path, body, status):
    with watch(f"{TIMES} x {AT_ONCE} x {request.node.callspec.id}") as attack:

        def send() -> None:
            for _ in range(TIMES):
                attack.answers[ask(server.port, "POST", path, body)[0]] += 1  # within the time that `ask` waits

        senders = [threading.Thread(target=send) for _ in range(AT_ONCE)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
    assert attack.answers == {status: TIMES * AT_ONCE}
