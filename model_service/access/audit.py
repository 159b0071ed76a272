"""`Audit`: the lines of who did what: keys that come and go, what was refused, calls that manage.

They go the way of the log, under the logger ``model_service.audit``. No line holds a key, or anything else of a
caller's but a name that is known, an address and a path. Refusals are bounded, because anybody can cause them.
"""

import logging
import time

from model_service.access.key import Key

_logger = logging.getLogger("model_service.audit")

#: As many refusals are written per worker in each second; the others are counted.
MOST_REFUSALS_PER_S = 10


class Audit:
    """Writes the lines of one process."""

    def __init__(self) -> None:
        self._second = 0
        self._written = self._left_out = 0

    def tell_keys(self, come: list[Key], gone: list[Key]) -> None:
        """Say that keys were added, revoked or have expired."""
        for key in come:
            _logger.info(
                "key added", extra={"action": "key_added", "key": key.name, "key_id": key.id, "by": key.created_by}
            )
        for key in gone:
            action = "key_revoked" if key.revoked is not None else "key_gone"
            said = {"action": action, "key": key.name, "key_id": key.id, "by": key.revoked_by}
            _logger.info("key revoked" if key.revoked is not None else "key is in the file no more", extra=said)

    def tell_call(self, key: str | None, method: str, path: str, status: int | None, address: str | None) -> None:
        """Say that somebody has made a call that manages the service."""
        said = {"action": "managed", "key": key, "method": method, "path": path[:200], "status": status}
        _logger.info("managing call", extra={**said, "address": address})

    def tell_refusal(self, code: str, key: str | None, method: str, path: str, address: str | None) -> None:
        """Say that a request was refused, unless many were in this second."""
        second = int(time.monotonic())
        if second != self._second:
            left_out, self._second, self._written, self._left_out = self._left_out, second, 0, 0
            if left_out:
                _logger.warning("%d more requests were refused", left_out, extra={"action": "refused"})
        if self._written >= MOST_REFUSALS_PER_S:
            self._left_out += 1
            return
        self._written += 1
        said = {"action": "refused", "code": code, "key": key, "method": method[:20], "path": path[:200]}
        _logger.warning("request refused", extra={**said, "address": address})
