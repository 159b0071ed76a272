"""`Suspects`: the requests that have ended a model's process, so that sending one again does not end another."""

import hashlib
import json
import time
from collections import OrderedDict
from collections.abc import Callable

from model_service.records import Payload

#: So many are remembered, and for so long: the model may have been mended, or the machine may have had a bad day.
MOST_KNOWN, KNOWN_S = 1000, 600.0


class Suspects:
    """Remembers digests of payloads, never the payloads. Used under the lock of its owner.

    Args:
        clock: Seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: OrderedDict[bytes, float] = OrderedDict()

    def add(self, payloads: list[Payload]) -> None:
        """Remember a request."""
        digest = _digest(payloads)
        self._until[digest] = self._clock() + KNOWN_S
        self._until.move_to_end(digest)
        if len(self._until) > MOST_KNOWN:
            self._until.popitem(last=False)

    def knows(self, payloads: list[Payload]) -> bool:
        """Whether the very same request has ended a process lately. It costs next to nothing while none has."""
        if not self._until:
            return False
        return self._until.get(_digest(payloads), float("-inf")) > self._clock()


def _digest(payloads: list[Payload]) -> bytes:
    return hashlib.blake2b(json.dumps(payloads, sort_keys=True).encode(), digest_size=16).digest()
