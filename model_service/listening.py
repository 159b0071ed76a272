"""`Listener`: the listening sockets of a service, on a port or a path, with or without TLS.

On Linux each worker gets a socket of its own on the same port, over which the kernel spreads connections evenly;
elsewhere, and on a path, all share one. `benchmarks/accepting.py` compares the two.
"""

import os
import socket
import ssl
import stat
import sys
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from model_service.config import ServerConfig
from model_service.errors import ConfigInvalid, MissingDependency
from model_service.last_call import let_in

#: Connections that the kernel holds until a worker takes them.
BACKLOG = 2048
#: Who may connect to a Unix socket: its user and group, as a proxy's is.
_SOCKET_MODE = 0o660


class Listener:
    """Listens from its construction on; the workers accept.

    Args:
        config: The address.
        workers: How many there will be.

    Attributes:
        name: Where it listens, gRPC included, as the log says it.

    Raises:
        ConfigInvalid: The address cannot be listened on, or the TLS files do not fit.
        MissingDependency: gRPC is to be served, and is not installed.
    """

    def __init__(self, config: ServerConfig, workers: int) -> None:
        check_listening(config)
        self._path = config.unix_socket
        if self._path is not None:
            self._sockets = [_bind_path(self._path)]
        else:
            self._sockets = _bind_port(config.host, config.port, workers if sys.platform == "linux" else 1)
        for each in self._sockets:
            each.listen(BACKLOG)
            each.setblocking(False)
        _check_grpc_port(config)
        self.name = _name_address(config)

    def filenos(self) -> list[int]:
        """Return the file descriptors, to be inherited: one for each worker, or one for all."""
        return [each.fileno() for each in self._sockets]

    def restore(self) -> None:
        """Let connections wait again: a worker that ends lets nobody queue any more, in a socket that others share."""
        with suppress(OSError):  # the service ends meanwhile
            for each in self._sockets:
                let_in(each)
                each.listen(BACKLOG)

    def close(self) -> None:
        """Let go of the sockets; those who inherited them still have them."""
        for each in self._sockets:
            each.close()

    def remove(self) -> None:
        """Remove the path of a Unix socket."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)


def check_listening(config: ServerConfig) -> None:
    """Look at all that keeps a service from listening and can be told without a port.

    Raises:
        ConfigInvalid: The TLS files do not fit, or gRPC has the port of HTTP.
        MissingDependency: gRPC is to be served, and is not installed.
    """
    _check_tls(config)
    if config.grpc_port is None:
        return
    if any(find_spec(name) is None for name in ("grpc", "grpc_health", "grpc_reflection")):
        raise MissingDependency("'server.grpc_port' needs more libraries: pip install 'model-service[grpc]'")
    if config.grpc_port == config.port and config.unix_socket is None:
        raise ConfigInvalid(
            f"'server.port' and 'server.grpc_port' are both {config.port}; set server.grpc_port to another port"
        )


def check_ports(config: ServerConfig) -> None:
    """Look whether the ports are free, without listening on them.

    Raises:
        ConfigInvalid: One is taken, or is no address of this machine.
    """
    if config.unix_socket is None:
        for each in _bind_port(config.host, config.port, 1):
            each.close()
    _check_grpc_port(config)


def join_address(host: str, port: int | None) -> str:
    """Return a host and a port as one text, in which an address of IPv6 stands in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _name_address(config: ServerConfig) -> str:
    scheme = "https" if config.tls_certificate else "http"
    name = str(config.unix_socket) if config.unix_socket else f"{scheme}://{join_address(config.host, config.port)}"
    return name if config.grpc_port is None else f"{name} and gRPC at {join_address(config.host, config.grpc_port)}"


def _bind_port(host: str, port: int, count: int) -> list[socket.socket]:
    try:
        # Alone first: sockets that share a port would also share it with another service of the same user.
        first = _bind(host, port, is_shared=False)
        if count == 1:
            return [first]
        first.close()
        return [_bind(host, port, is_shared=True) for _ in range(count)]
    except OSError as error:
        raise ConfigInvalid(
            f"cannot listen on {join_address(host, port)}: {error.strerror}; "
            "set server.host or server.port, or stop what listens there"
        ) from error


def _bind(host: str, port: int, *, is_shared: bool) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener


def _check_grpc_port(config: ServerConfig) -> None:
    """Look whether the port of gRPC is free; the workers listen on it by themselves."""
    if config.grpc_port is None:
        return
    try:
        _bind(config.host, config.grpc_port, is_shared=False).close()
    except OSError as error:
        raise ConfigInvalid(
            f"cannot listen on {join_address(config.host, config.grpc_port)}: {error.strerror}; set server.grpc_port"
        ) from error


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
