"""`Refusals`: who was sent away before there was a request to log; said once a minute, with how many there were."""

import logging
import ssl
from collections import Counter

logger = logging.getLogger(__name__)

#: Each kind is said no more often.
_SAY_S = 60.0
_CROWD = "as many connections are open as may be, refused: %d; raise server.max_connections, or add workers"
_PLAIN = "plain HTTP on the port of TLS, connections: %d; callers must say https://"


class Refusals:
    """Counts them. For the loop's thread."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._said: dict[str, float] = {}

    def note_crowd(self) -> None:
        """Count who came when as many connections were open as may be."""
        self._counts[_CROWD] += 1

    def notice_plain_http(self, context: ssl.SSLContext) -> None:
        """Count the handshakes of a context that begin with a request of plain HTTP, which nobody else would tell."""
        counts = self._counts

        class Noticing(ssl.SSLObject):
            def do_handshake(self) -> None:
                try:
                    super().do_handshake()
                except ssl.SSLError as error:
                    counts[_PLAIN] += error.reason == "HTTP_REQUEST"
                    raise

        context.sslobject_class = Noticing

    def look(self, now: float) -> None:
        """Say what has not been said, if it is time."""
        for message, count in list(self._counts.items()):
            if count and now - self._said.get(message, -_SAY_S) >= _SAY_S:
                self._said[message] = now
                self._counts[message] = 0
                logger.warning(message, count)
