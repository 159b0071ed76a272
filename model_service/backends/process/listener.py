"""The Unix socket of a replica: its processes inherit it one after another, so that callers can wait in between."""

import socket
from contextlib import suppress
from pathlib import Path

#: Connections that may wait to be accepted.
_BACKLOG = 1024


def open_listener(path: Path) -> socket.socket:
    """Return a socket that listens at a path."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    listener.listen(_BACKLOG)
    return listener


def close_listener(listener: socket.socket) -> None:
    """Send away whoever waits on a socket, and let nobody connect again: they look at the status then.

    Closing alone would not do: a model process that is ending holds the same socket. Closing twice is fine.
    """
    with suppress(OSError):  # it may be closed already
        listener.setblocking(False)
        listener.shutdown(socket.SHUT_RDWR)
        while True:
            listener.accept()[0].close()
    listener.close()
