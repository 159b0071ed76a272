"""Limits, by a clock that stands still; in a store, with a real server."""

import asyncio
import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager

import pytest
from serving import find_free_port

from model_service.access import rates as module
from model_service.access.key import Key, tell_now
from model_service.access.rates import Buckets, Rates, group_address, parse_limits
from model_service.config import AccessConfig
from model_service.errors import ConfigInvalid, RateLimited

ADA, BOB = (Key(name, name, frozenset(), "", tell_now(), "me") for name in ("ada", "bob"))


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def count(rates, key=None, address=None, times=1):
    """Return how many of so many requests pass."""
    passed = 0
    for _ in range(times):
        try:
            rates.count(key, address)
            passed += 1
        except RateLimited:
            pass
    return passed


def test_a_limit_lets_so_many_through_and_then_one_with_each_share_of_the_period():
    clock = Clock()
    rates = Rates(AccessConfig(limit_per_key="10/second"), workers=1, clock=clock)
    assert count(rates, ADA, times=15) == 10
    assert count(rates, BOB, times=15) == 10
    clock.now += 0.1001
    assert count(rates, ADA, times=5) == 1
    clock.now += 3600
    assert count(rates, ADA, times=15) == 10


def test_a_refusal_says_when_to_try_again():
    clock = Clock()
    rates = Rates(AccessConfig(limit_per_address="2/minute"), workers=1, clock=clock)
    count(rates, address="10.0.0.1", times=2)
    with pytest.raises(RateLimited, match="this address may send 2 requests per minute") as raised:
        rates.count(None, "10.0.0.1")
    assert raised.value.retry_after_s == 30
    clock.now += 30.001
    rates.count(None, "10.0.0.1")


def test_of_several_limits_each_holds():
    clock = Clock()
    rates = Rates(AccessConfig(limit_per_key="5/second; 8/hour"), workers=1, clock=clock)
    assert count(rates, ADA, times=9) == 5
    clock.now += 2
    assert count(rates, ADA, times=9) == 3


def test_workers_share_a_limit():
    clock = Clock()
    workers = [Rates(AccessConfig(limit_per_key="10/minute"), workers=4, clock=clock) for _ in range(4)]
    assert [count(rates, ADA, times=20) for rates in workers] == [3] * 4  # a share is rounded up


def test_who_has_neither_key_nor_address_is_not_counted():
    rates = Rates(AccessConfig(limit_per_key="1/day", limit_per_address="1/day"), workers=1)
    assert count(rates, times=5) == 5


def test_addresses_of_one_network_of_ipv6_count_as_one():
    assert group_address("2001:db8::1") == group_address("2001:db8:0:0:ffff::9") != group_address("2001:db8:0:1::1")
    assert group_address("::ffff:10.0.0.1") == group_address("10.0.0.1") == "10.0.0.1"


def test_memory_is_bounded_however_many_call(monkeypatch):
    monkeypatch.setattr(module, "_MOST_BUCKETS", 100)
    buckets = Buckets(1, 3600)
    for number in range(1000):
        assert buckets.take(str(number), 0.0) == 0.0
    assert len(buckets._full) <= 100
    assert buckets.take("999", 0.0) > 0


@pytest.mark.parametrize(
    "text", ["", "0/second", "10", "10/week", "10 per second", "-1/second", "1/second;", "1e3/day"]
)
def test_what_is_no_limit_is_refused(text):
    with pytest.raises(ConfigInvalid, match="'access.limit_per_key' must be"):
        parse_limits(text, "access.limit_per_key")


def test_limits_may_be_written_with_blanks():
    assert parse_limits(" 10 / second ;5/day", "x") == ((10, "second"), (5, "day"))


@contextmanager
def running_store(port):
    program = shutil.which("valkey-server") or shutil.which("redis-server")
    assert program is not None, "install redis-server or valkey-server"
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    with subprocess.Popen([program, *options], stdout=subprocess.DEVNULL) as server:
        try:
            yield server
        finally:
            server.kill()


needs_store = pytest.mark.skipif(
    not os.environ.get("CI") and shutil.which("valkey-server") is None and shutil.which("redis-server") is None,
    reason="there is no redis-server or valkey-server",
)


def wait_until_listening(port):
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        else:
            return


async def wait(rates, key, times):
    """Return how many of so many requests pass, and how long the others are to wait."""
    passed, waits = 0, []
    for _ in range(times):
        try:
            await rates.wait(key, None)
        except RateLimited as error:
            waits.append(error.retry_after_s)
        else:
            passed += 1
    return passed, waits


@needs_store
@pytest.mark.parametrize("scheme", ["redis", "valkey"])
def test_workers_count_together_in_a_store_and_each_for_itself_while_it_is_gone(scheme, caplog):
    port = find_free_port()
    config = AccessConfig(limit_per_key="10/minute", limit_store=f"{scheme}://127.0.0.1:{port}/0")

    async def use():
        workers = [Rates(config, workers=2) for _ in range(2)]
        with running_store(port):
            wait_until_listening(port)
            together = [await wait(rates, ADA, 8) for rates in workers]
        alone = [await wait(rates, ADA, 8) for rates in workers]
        return together, alone

    together, alone = asyncio.run(use())
    assert sum(passed for passed, _ in together) == 10
    assert [passed for passed, _ in alone] == [5, 5]
    assert all(1 <= seconds <= 60 for _, waits in (*together, *alone) for seconds in waits)
    assert "each worker counts for itself" in caplog.text
    assert "127.0.0.1" not in caplog.text  # a URL may hold a password
