"""`TrustedProxies`: what a reverse proxy says of itself, and whom to believe it. It knows no framework.

Of the headers that proxies add, `X-Forwarded-Prefix` alone changes an answer: links are paths, so scheme, host and
address of the caller stand in none, and the log has no addresses.
"""

from ipaddress import ip_address, ip_network

from model_service.config import PATH_PREFIX, ServerConfig

#: In the list, it stands for every peer.
ANY = "*"
FORWARDED_PREFIX = "X-Forwarded-Prefix"
_MOST_CHARACTERS = 200


class TrustedProxies:
    """The proxies of one service.

    Args:
        config: With their addresses and networks.

    Attributes:
        is_on: Whether there are any.
    """

    def __init__(self, config: ServerConfig) -> None:
        listed = config.trusted_proxies
        self.is_on = bool(listed)
        self._takes_all = ANY in listed
        self._networks = [ip_network(each) for each in listed if each != ANY]

    def find_prefix(self, peer: str | None, claimed: str | None) -> str | None:
        """Return the path prefix that a proxy has removed; ``None`` where none is claimed, or not to be believed.

        Args:
            peer: The address from which the request came; ``None`` on a Unix socket.
            claimed: `FORWARDED_PREFIX` of the request; of several, the last is that of the nearest proxy.
        """
        if not claimed or not self._trusts(peer):
            return None
        prefix = claimed.rpartition(",")[2].strip().removesuffix("/")
        return prefix if len(prefix) <= _MOST_CHARACTERS and PATH_PREFIX.fullmatch(prefix) else None

    def _trusts(self, peer: str | None) -> bool:
        if self._takes_all:
            return True
        try:
            address = ip_address((peer or "").partition("%")[0])
        except ValueError:
            return False
        # A socket of IPv6 that takes IPv4, too, has such peers.
        address = getattr(address, "ipv4_mapped", None) or address
        return any(address in network for network in self._networks)
