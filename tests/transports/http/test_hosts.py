"""For which hosts a service answers, by rule and on the wire."""

import json
from pathlib import Path

import pytest
from fronts import FrontServer, read_answers, request_of

from model_service.config import ServerConfig
from model_service.transports.http.hosts import AllowedHosts

LOOPBACK = (
    "localhost",
    "LOCALHOST.",
    "localhost:8000",
    "127.0.0.1",
    "127.0.0.1:80",
    "127.8.9.1",
    "[::1]:8000",
    "[::1]",
)
FOREIGN = ("evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.evil.example", "", "x:y:z")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.0.0.5"])
def test_on_a_loopback_address_only_that_is_answered(host):
    hosts = AllowedHosts(ServerConfig(host=host))
    assert [name for name in LOOPBACK if not hosts.allow(name)] == []
    assert [name for name in FOREIGN if hosts.allow(name)] == []


@pytest.mark.parametrize(
    "config",
    [
        ServerConfig(host="0.0.0.0"),
        ServerConfig(host="::"),
        ServerConfig(host="10.1.2.3"),
        ServerConfig(host="models.example"),
        ServerConfig(unix_socket=Path("x.sock")),
        ServerConfig(allowed_hosts=("*",)),
    ],
)
def test_elsewhere_every_host_is_answered(config):
    hosts = AllowedHosts(config)
    assert all(hosts.allow(name) for name in (*LOOPBACK, *FOREIGN))


def test_of_a_list_its_names_are_answered_and_no_others():
    hosts = AllowedHosts(ServerConfig(host="0.0.0.0", allowed_hosts=("Models.example.", "10.0.0.7", "[fd00::1]")))
    names = ("models.example", "MODELS.EXAMPLE:443", "models.example.", "10.0.0.7:8000", "[fd00::1]:8000")
    assert [name for name in names if not hosts.allow(name)] == []
    assert [name for name in (*LOOPBACK, *FOREIGN, "a.models.example") if hosts.allow(name)] == []


@pytest.fixture(scope="module")
def front():
    running = FrontServer("models.DoubleModel")
    yield running
    running.stop()


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(request_of(b'{"x": 1}', Host="evil.example"), id="plain"),
        pytest.param(request_of(b"{}", "/nothing", Host="evil.example:8000"), id="nowhere"),
        pytest.param(b"GET /api/models HTTP/1.1\r\nHost: evil.example\r\n\r\n", id="list"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: evil.example\r\nAccept: application/json\r\n\r\n", id="page"),
    ],
)
def test_a_request_for_another_host_is_421_with_the_way_out_and_the_next_is_answered(front, sent):
    with front.connect() as connection:
        connection.sendall(request_of(b'{"x": 1}') + sent + request_of(b'{"x": 1}'))
        answers = read_answers(connection, 3)
    assert [status for status, _, _ in answers] == [200, 421, 200]
    problem = json.loads(answers[1][2])
    assert problem["code"] == "host_not_allowed"
    assert "'server.allowed_hosts'" in problem["detail"]
    assert b"evil" not in answers[1][2]


def test_a_plain_request_for_an_allowed_host_stays_in_the_loop(front):
    before = front.flask_requests
    with front.connect() as connection:
        connection.sendall(
            b"".join(request_of(b'{"x": 1}', Host=host) for host in ("127.0.0.1:1", "[::1]", "localhost"))
        )
        assert [status for status, _, _ in read_answers(connection, 3)] == [200] * 3
    assert front.flask_requests == before


def test_probes_are_answered_for_every_host(front):
    with front.connect() as connection:
        connection.sendall(b"GET /health/ready HTTP/1.1\r\nHost: 10.0.0.9:8000\r\n\r\n")
        assert read_answers(connection, 1)[0][0] == 200


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(request_of(b'{"x": 1}', Host=None), id="plain"),
        pytest.param(b"GET /health/live HTTP/1.1\r\n\r\n", id="health"),
        pytest.param(b"GET /api/models HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", id="twice"),
    ],
)
def test_a_request_of_http_1_1_has_one_host(front, sent):
    with front.connect() as connection:
        connection.sendall(sent)
        status, headers, raw = read_answers(connection, 1)[0]
        assert (status, headers["connection"]) == (400, "close")
        assert "'Host'" in json.loads(raw)["detail"]
        assert connection.recv(1) == b""


def test_a_caller_of_http_1_0_may_leave_the_host_out(front):
    with front.connect() as connection:
        connection.sendall(request_of(b'{"x": 1}', Host=None).replace(b"HTTP/1.1", b"HTTP/1.0"))
        assert read_answers(connection, 1)[0][0] == 200
