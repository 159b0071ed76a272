"""Whether code asks for the network: an audit hook of Python (PEP 578), which sees what goes through its sockets.

A library that opens connections in C is not seen.
"""

import errno
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_EVENTS = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto")


class NetworkWatch:
    """Notes every attempt, and refuses it, as if the machine had no network.

    Attributes:
        attempts: Where code wanted to go.
    """

    def __init__(self) -> None:
        self.attempts: list[str] = []
        self._is_closed = False
        self._is_installed = False

    @contextmanager
    def closed(self) -> Iterator[None]:
        """Refuse the network while the block runs."""
        if not self._is_installed:  # a hook stays for as long as the process
            sys.addaudithook(self._see)
            self._is_installed = True
        self._is_closed = True
        try:
            yield
        finally:
            self._is_closed = False

    def _see(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._is_closed or event not in _EVENTS:
            return
        where = arguments[-1] if event in ("socket.connect", "socket.sendto") else arguments[:2]
        if isinstance(arguments[0], socket.socket) and arguments[0].family not in (socket.AF_INET, socket.AF_INET6):
            return
        if event == "socket.getaddrinfo" and not arguments[0]:
            return  # an address of this machine to listen on
        self.attempts.append(":".join(str(part) for part in where[:2]) if isinstance(where, tuple) else str(where))
        raise OSError(errno.ENETUNREACH, "the network is closed while the model is loaded")
