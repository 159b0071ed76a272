"""`Rates`: how many requests a key, and an address, may send.

A limit such as ``100/second`` is a bucket (GCRA): as many at once, and one more with every hundredth of a second. In
memory each worker has buckets of its own, with its share of the limit, because the kernel spreads connections over
them: together they never let more through than the limit, and a caller with one connection gets one share.

With a store, all workers on all machines count in it, and the library `limits` does. It is asked in the event loop,
with no thread held. While it does not answer, each worker counts in memory.
"""

import asyncio
import importlib
import logging
import math
import re
import time
from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Any

from model_service.access.key import Key
from model_service.config_access import AccessConfig
from model_service.errors import ConfigInvalid, MissingDependency, RateLimited

logger = logging.getLogger(__name__)

PERIODS_S = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
_LIMIT = re.compile(rf"\s*([1-9][0-9]{{0,8}})\s*/\s*({'|'.join(PERIODS_S)})\s*")
STORE_SCHEMES = ("redis://", "rediss://", "valkey://", "valkeys://")
#: Buckets of one worker. Where there are more callers, the oldest buckets are forgotten.
_MOST_BUCKETS = 50_000
#: A store that takes longer is taken for gone, and asked again after so long.
_STORE_TIMEOUT_S, _STORE_PAUSE_S = 0.25, 1.0

Limit = tuple[int, str]


def parse_limits(text: str | None, name: str) -> tuple[Limit, ...]:
    """Return the limits of a text such as ``100/second; 5000/minute``: how many, and the period.

    Raises:
        ConfigInvalid: It is no such text.
    """
    found = [_LIMIT.fullmatch(part) for part in text.split(";")] if text is not None else []
    if not all(found):
        raise ConfigInvalid(
            f"'{name}' must be a number per second, minute, hour or day, or several with semicolons: "
            f"'100/second; 5000/minute'; not {text!r}"
        )
    return tuple((int(each[1]), each[2]) for each in found if each)


class Buckets:
    """The buckets of one limit, in memory."""

    def __init__(self, amount: int, period_s: float) -> None:
        self._step_s = period_s / amount
        self._room_s = period_s - self._step_s * 0.999  # sums of floats are a little more or less
        self._full: dict[str, float] = {}

    def take(self, name: str, now: float) -> float:
        """Return 0 where a request may pass, which counts it; else the seconds until one may."""
        at = max(self._full.get(name, now), now)
        if at - now > self._room_s:
            return at - now - self._room_s
        if name not in self._full and len(self._full) >= _MOST_BUCKETS:
            self._forget(now)
        self._full[name] = at + self._step_s
        return 0.0

    def _forget(self, now: float) -> None:
        self._full = {name: at for name, at in self._full.items() if at > now}
        for name in list(self._full)[: len(self._full) - _MOST_BUCKETS // 2]:
            del self._full[name]


class Rates:
    """The limits of one worker.

    Args:
        config: The limits.
        workers: How many workers share them.
        clock: Seconds that only grow.

    Raises:
        ConfigInvalid: A limit, or the address of the store, cannot be meant.
        MissingDependency: The store needs a library that is not installed.
    """

    def __init__(self, config: AccessConfig, *, workers: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._per_key = parse_limits(config.limit_per_key, "access.limit_per_key")
        self._per_address = parse_limits(config.limit_per_address, "access.limit_per_address")
        self._buckets = {
            limit: Buckets(math.ceil(limit[0] / workers), PERIODS_S[limit[1]])
            for limit in {*self._per_key, *self._per_address}
        }
        self._store = _Store(config.limit_store) if config.limit_store is not None else None

    def count(self, key: Key | None, address: str | None) -> None:
        """Count a request in memory.

        Raises:
            RateLimited: It is one too many.
        """
        now = self._clock()
        for name, limits in self._list(key, address):
            for limit in limits:
                wait_s = self._buckets[limit].take(name, now)
                if wait_s > 0:
                    raise _refuse(name, limit, wait_s)

    async def wait(self, key: Key | None, address: str | None) -> None:
        """Count a request where the service counts; for the loop.

        Raises:
            RateLimited: It is one too many.
        """
        store = self._store
        if store is None or not store.is_up():
            self.count(key, address)
            return
        try:
            for name, limits in self._list(key, address):
                for limit in limits:
                    wait_s = await store.take(name, limit)
                    if wait_s > 0:
                        raise _refuse(name, limit, wait_s)
        except RateLimited:
            raise
        except Exception as error:  # of the client's library, the network, the store
            store.miss(error)
            self.count(key, address)

    def ask(self, key: Key | None, address: str | None, done: Callable[[RateLimited | None], object]) -> None:
        """Count a request, and call a function with what came of it: at once, or when the store has answered."""
        if self._store is not None:
            task = asyncio.get_running_loop().create_task(self._ask(key, address, done))
            _tasks.add(task)
            task.add_done_callback(_tasks.discard)
            return
        try:
            self.count(key, address)
        except RateLimited as error:
            done(error.with_traceback(None))
        else:
            done(None)

    async def _ask(self, key: Key | None, address: str | None, done: Callable[[RateLimited | None], object]) -> None:
        try:
            await self.wait(key, address)
        except RateLimited as error:
            done(error.with_traceback(None))
        else:
            done(None)

    def _list(self, key: Key | None, address: str | None) -> list[tuple[str, tuple[Limit, ...]]]:
        found = []
        if self._per_address and address is not None:
            found.append((f"address:{group_address(address)}", self._per_address))
        if self._per_key and key is not None:
            found.append((f"key:{key.id}", self._per_key))
        return found


#: A task that nobody else holds may be collected before it has ended.
_tasks: set["asyncio.Task[None]"] = set()


class _Store:
    """Counts in Redis or Valkey, by a window that slides."""

    def __init__(self, url: str) -> None:
        if not url.startswith(STORE_SCHEMES):
            raise ConfigInvalid(f"'access.limit_store' must begin with one of {', '.join(STORE_SCHEMES)}")
        try:
            limits, storages, strategies = map(
                importlib.import_module, ("limits", "limits.aio.storage", "limits.aio.strategies")
            )
            importlib.import_module("valkey")
        except ImportError:
            raise MissingDependency(
                "'access.limit_store' needs more libraries: pip install 'model-service[limits]'"
            ) from None
        scheme, _, rest = url.partition("://")
        options: dict[str, Any] = {"socket_timeout": _STORE_TIMEOUT_S, "socket_connect_timeout": _STORE_TIMEOUT_S}
        scheme = scheme.replace("redis", "valkey")
        storage = storages.RedisStorage(f"async+{scheme}://{rest}", implementation="valkey", **options)
        self._limiter = strategies.SlidingWindowCounterRateLimiter(storage)
        self._parse = limits.parse
        self._items: dict[Limit, Any] = {}
        self._down_until = 0.0

    def is_up(self) -> bool:
        return time.monotonic() >= self._down_until

    async def take(self, name: str, limit: Limit) -> float:
        """Return 0 where a request may pass, which counts it; else the seconds until one may."""
        item = self._items.get(limit)
        if item is None:
            item = self._items[limit] = self._parse(f"{limit[0]}/{limit[1]}")
        async with asyncio.timeout(_STORE_TIMEOUT_S):
            if await self._limiter.hit(item, "model-service", name):
                return 0.0
            stats = await self._limiter.get_window_stats(item, "model-service", name)
        return max(float(stats.reset_time) - time.time(), 0.01)

    def miss(self, error: Exception) -> None:
        self._down_until = time.monotonic() + _STORE_PAUSE_S
        # Neither its text nor the URL: either may hold a password.
        logger.warning("'access.limit_store' does not answer (%s): each worker counts for itself", type(error).__name__)


@lru_cache(maxsize=4096)  # reading one takes longer than the rest of the count
def group_address(address: str) -> str:
    """Return what counts as one address: of IPv6 the network of 64 bits, which one caller has to himself."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, IPv6Address):
        return str(found.ipv4_mapped) if found.ipv4_mapped else found.exploded[:19]
    return str(found)


def _refuse(name: str, limit: Limit, wait_s: float) -> RateLimited:
    kind = name.partition(":")[0]
    return RateLimited(
        f"this {kind} may send {limit[0]} requests per {limit[1]}, and has; send fewer, or ask the operator for more",
        retry_after_s=max(1, math.ceil(wait_s)),
    )
