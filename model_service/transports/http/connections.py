"""Who holds a connection without using it: looked at now and then, all together; no request has a timer of its own."""

import errno
import logging
import os

from model_service.transports.http.front import Front
from model_service.transports.http.protocol import PredictProtocol
from model_service.transports.http.short_way import Phase

logger = logging.getLogger(__name__)

#: How often all connections are looked at.
LOOK_S = 0.5
#: A body has so long to arrive at any rate.
_GRACE_S = 5.0
#: With nearly as many connections as may be, those that wait for a request wait no longer than this.
_CROWDED, _CROWDED_S = 0.9, 1.0
#: While the worker ends, a connection has so long to send the request that it may have begun to send.
_LINGER_S = 0.2
#: A worker without file descriptors says so no more often.
_WARN_S = 10.0


class ConnectionWatch:
    """Ends connections that take too long over their headers, a body, an answer, or doing nothing."""

    def __init__(self, front: Front, connections: set[PredictProtocol]) -> None:
        self._front = front
        self._connections = connections
        self._looked = 0.0
        self._warned = -_WARN_S

    def look(self) -> None:
        """Look at all connections if it is time; for every tick of the loop."""
        now = self._front.loop.now
        if now - self._looked < LOOK_S:
            return
        self._looked = now
        self._front.refusals.look(now)
        if now - self._warned >= _WARN_S and not _has_descriptors():
            self._warned = now
            logger.warning(
                "the worker has no file descriptors left, and connections are closed unanswered; allow more open files "
                "(ulimit -n), or lower server.max_connections"
            )
        idle_s = self._front.config.keep_alive_timeout_s
        if len(self._connections) > _CROWDED * self._front.max_connections:
            idle_s = min(idle_s, _CROWDED_S)
        if self._front.is_ending:
            idle_s = _LINGER_S
        for connection in list(self._connections):
            self._look_at(connection, now, idle_s)

    def _look_at(self, connection: PredictProtocol, now: float, idle_s: float) -> None:
        config, took_s = self._front.config, now - connection.since
        if connection.paused_since is not None and now - connection.paused_since > config.body_timeout_s:
            connection.transport.abort()  # its reader has stopped reading
        elif connection.phase is Phase.IDLE:
            if took_s > idle_s:
                connection.transport.close()
        elif connection.phase is Phase.HEAD:
            if self._front.is_ending and took_s > _LINGER_S:
                connection.transport.close()  # it is not a request yet
            elif took_s > config.header_timeout_s:
                connection.reject(408, f"the headers did not arrive within {config.header_timeout_s:g} s")
        elif connection.phase is Phase.BODY:
            least = (took_s - _GRACE_S) * config.min_body_bytes_per_s
            is_late = took_s > config.body_timeout_s and not connection.is_upload
            if is_late or connection.received < least:
                connection.reject(
                    408,
                    f"the body did not arrive within {config.body_timeout_s:g} s, at "
                    f"{config.min_body_bytes_per_s} bytes per second or more",
                )


def _has_descriptors() -> bool:
    """Whether another file can be opened: the kernel's answer to accepting stays inside the loop."""
    try:
        os.close(os.dup(0))
    except OSError as error:
        return error.errno not in (errno.EMFILE, errno.ENFILE)
    return True
