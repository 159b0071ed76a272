"""`Listener`: the listening socket of a service, a port or a path, with or without TLS."""

import os
import socket
import ssl
import stat
from contextlib import suppress
from pathlib import Path

from model_service.config import ServerConfig
from model_service.errors import ConfigInvalid

#: Connections that the kernel holds until a worker takes them.
BACKLOG = 2048
#: Who may connect to a Unix socket: its user and group, as a proxy's is.
_SOCKET_MODE = 0o660


class Listener:
    """Listens from its construction on; the workers accept.

    Raises:
        ConfigInvalid: The address cannot be listened on, or the TLS files do not fit.
    """

    def __init__(self, config: ServerConfig) -> None:
        _check_tls(config)
        self._path = config.unix_socket
        self._socket = _bind_path(self._path) if self._path else _bind_port(config.host, config.port)
        self._socket.listen(BACKLOG)
        self._socket.setblocking(False)
        if self._path is not None:
            self.name = str(self._path)
        else:
            host = f"[{config.host}]" if ":" in config.host else config.host
            self.name = f"{'https' if config.tls_certificate else 'http'}://{host}:{config.port}"

    def fileno(self) -> int:
        """Return the file descriptor, to be inherited."""
        return self._socket.fileno()

    def close(self) -> None:
        """Let go of the socket; those who inherited it still have it."""
        self._socket.close()

    def remove(self) -> None:
        """Remove the path of a Unix socket."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)


def _bind_port(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise ConfigInvalid(
            f"cannot listen on {host}:{port}: {error.strerror}; "
            "set server.host or server.port, or stop what listens there"
        ) from error
    return listener


def _bind_path(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _remove_stale(path)
        listener.bind(str(path))
        path.chmod(_SOCKET_MODE)
    except OSError as error:
        listener.close()
        reason = error.strerror or error
        raise ConfigInvalid(f"cannot listen on the Unix socket '{path}': {reason}; set server.unix_socket") from error
    return listener


def _remove_stale(path: Path) -> None:
    """Remove the socket that a killed service left, and nothing else."""
    with suppress(FileNotFoundError):
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            raise OSError("there is a file of that name")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            if probe.connect_ex(str(path)) == 0:
                raise OSError("another service listens there")
        path.unlink()


def _check_tls(config: ServerConfig) -> None:
    if config.tls_certificate is None:
        return
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(config.tls_certificate, config.tls_key)
    except OSError as error:  # ssl.SSLError is one
        raise ConfigInvalid(f"'server.tls_certificate' and 'server.tls_key' cannot be used: {error}") from error
