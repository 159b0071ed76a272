"""Whether others than this machine reach a service, and whether that is meant."""

from ipaddress import ip_address

from model_service.access.key_file import KeyFile
from model_service.access.rates import Rates
from model_service.config import ServerConfig, ServiceConfig
from model_service.errors import ConfigInvalid

_LOOPBACK_NAME = "localhost"


def is_loopback(name: str) -> bool:
    """Whether a name or an address is this machine's own, which no other machine reaches."""
    try:
        return name == _LOOPBACK_NAME or ip_address(name).is_loopback
    except ValueError:
        return False


def check_access(config: ServiceConfig) -> None:
    """Look at all that keeps a service from being called as it is meant to be, before it listens.

    Raises:
        ConfigInvalid: Others reach it, and nothing says that they may; the keys cannot be read; a limit is none.
        MissingDependency: Limits are to be counted in a store, and its library is not installed.
    """
    access = config.access
    if access.keys_file is not None:
        KeyFile(access.keys_file).read()
    elif not access.allow_anonymous and reaches_others(config.server):
        raise ConfigInvalid(
            f"everybody who reaches {config.server.host} could use this service. Either set 'access.keys_file' and "
            "make a key, `model-service keys add NAME`; or listen on 127.0.0.1 ('server.host'); or set "
            "'access.allow_anonymous: true', where something else asks callers who they are"
        )
    Rates(access, workers=1)


def reaches_others(server: ServerConfig) -> bool:
    """Whether other machines reach a service; who reaches a Unix socket, the system's permissions say."""
    has_port = server.unix_socket is None or server.grpc_port is not None
    return has_port and not is_loopback(server.host.strip().lower().strip("[]"))
