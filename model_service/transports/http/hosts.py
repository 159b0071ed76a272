"""`AllowedHosts`: for which hosts requests are answered. It knows no framework.

A page from anywhere can have its own name point to the loopback address (DNS rebinding), and then a browser takes a
service there for the page's own. The header ``Host`` tells: it holds the name that the browser believes in.
"""

from model_service.access.reach import is_loopback
from model_service.config import ServerConfig

#: In the list, it allows every host.
ANY = "*"


class AllowedHosts:
    """The hosts of one service.

    Args:
        config: With a list of hosts, they are allowed. Without one, a service on a loopback address allows that, and
            every other service allows all.

    Attributes:
        is_listed: Whether the configuration lists the hosts.
    """

    def __init__(self, config: ServerConfig) -> None:
        listed = frozenset(_normalise(name) for name in config.allowed_hosts)
        self.is_listed = bool(listed)
        self._takes_loopback = not listed
        self._names = listed or {_normalise(config.host)}
        reaches_others = config.unix_socket is not None or not is_loopback(_normalise(config.host))
        self._takes_all = ANY in listed or (not listed and reaches_others)

    def allow(self, host: str) -> bool:
        """Whether a request may have this value of ``Host``: a name or an address, with or without a port."""
        if self._takes_all:
            return True
        name = _normalise(_without_port(host))
        return name in self._names or (self._takes_loopback and is_loopback(name))


def _without_port(host: str) -> str:
    name, separator, port = host.rpartition(":")
    return name if separator and (not port or port.isdecimal()) and (":" not in name or name.endswith("]")) else host


def _normalise(name: str) -> str:
    return name.strip().lower().removesuffix(".").removeprefix("[").removesuffix("]")
