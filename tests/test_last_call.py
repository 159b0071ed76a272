"""A listening socket that takes nobody new: who has come is accepted, who comes is not even connected."""

import socket
import sys

import pytest

from model_service.last_call import let_in, turn_away

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the queue is made short instead")


@pytest.fixture(params=[(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")], ids=["IPv4", "IPv6"])
def listener(request):
    family, host = request.param
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        try:
            listener.bind((host, 0))
        except OSError:
            pytest.skip(f"there is no {host}")
        listener.listen(16)
        listener.settimeout(10)
        yield listener


def connect(listener, timeout_s=10.0):
    return socket.create_connection(listener.getsockname()[:2], timeout=timeout_s)


def test_who_has_come_is_accepted_and_who_comes_is_not_connected(listener):
    callers = [connect(listener) for _ in range(5)]
    turn_away(listener)
    with pytest.raises(TimeoutError):
        connect(listener, 0.3)
    for caller in callers:
        accepted, _ = listener.accept()
        caller.sendall(b"here")
        assert accepted.recv(4) == b"here"
        accepted.close()
        caller.close()
    listener.settimeout(0.1)
    with pytest.raises(TimeoutError):
        listener.accept()


def test_the_next_worker_lets_them_in_again(listener):
    let_in(listener)  # there was no end before
    turn_away(listener)
    let_in(listener)
    with connect(listener), listener.accept()[0] as accepted:
        assert accepted.fileno() > 0
