"""`post`: an HTTP POST to an address that a caller has named, which may lead to the public Internet only.

A name is resolved once, all of its addresses are checked, and the connection goes to an address that was checked. So a
name that leads elsewhere a moment later (DNS rebinding) leads nowhere. Redirects are followed here, each one checked
like the first. Proxies of the environment are not used: they would resolve the name again.
"""

import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from urllib.parse import SplitResult, urljoin, urlsplit

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

MOST_URL_CHARACTERS = 2000
_MOST_REDIRECTS = 3
#: Of the addresses of a name so many are tried.
_MOST_ADDRESSES = 3
#: What some versions of Python take for global; of IPv6 nothing else has been given out.
_NOT_PUBLIC = tuple(map(ipaddress.ip_network, ("192.0.0.0/24", "192.88.99.0/24")))
_UNICAST = ipaddress.ip_network("2000::/3")
#: Redirects that keep method and body; the others would make it a GET of nothing.
_KEEPING = (307, 308)


class UrlRefused(Exception):
    """The address is none, or leads where callbacks must not go; in words that name no internal address."""


class PostFailed(Exception):
    """The receiver could not be reached, or did not take it; in words."""


def check_url(url: str, networks: Sequence[Network]) -> None:
    """Make sure that one may post to an address, as it is resolved at this moment.

    Raises:
        UrlRefused: One may not.
    """
    _resolve(_split(url), networks)


def post(url: str, body: bytes, headers: Mapping[str, str], *, networks: Sequence[Network], within_s: float) -> None:
    """Post something, and see that it is taken: a status of 2xx.

    Args:
        url: Where to.
        body: What.
        headers: With it.
        networks: Those that may be reached although they are not public.
        within_s: Seconds after which it has failed, whatever trickles in; the name of a host may take longer.

    Raises:
        UrlRefused, PostFailed: It was not taken.
    """
    ends = time.monotonic() + within_s
    for _ in range(_MOST_REDIRECTS + 1):
        parts = _split(url)
        status, location = _post_once(parts, _resolve(parts, networks), body, headers, ends)
        if 200 <= status < 300:
            return
        if status not in _KEEPING:
            moved = "; of the redirects only 307 and 308 keep a POST" if 300 <= status < 400 else ""
            raise PostFailed(f"the receiver answered {status}{moved}")
        url = urljoin(url, location)
    raise PostFailed(f"the receiver redirects more than {_MOST_REDIRECTS} times")


def _split(url: str) -> SplitResult:
    if len(url) > MOST_URL_CHARACTERS or not (url.isascii() and url.isprintable()) or " " in url:
        raise UrlRefused(f"must be an address of at most {MOST_URL_CHARACTERS} printable ASCII characters")
    try:
        parts = urlsplit(url)
        has_port = parts.port != 0
    except ValueError:
        raise UrlRefused("must be an address like https://host/path") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or not has_port:
        raise UrlRefused("must begin with https:// or http://, and name a host")
    if "@" in parts.netloc:
        raise UrlRefused("must not hold a user or a password: the signature says who sends it")
    return parts


def _resolve(parts: SplitResult, networks: Sequence[Network]) -> list[str]:
    """Return the addresses of a host, all of them checked."""
    try:
        found = socket.getaddrinfo(parts.hostname, _find_port(parts), type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise UrlRefused("names a host that cannot be found") from None
    addresses = [str(each[4][0]) for each in found]
    if not all(_may_reach(ipaddress.ip_address(address), networks) for address in addresses):
        raise UrlRefused("leads to an address that is not public; 'jobs.callback_networks' can allow it")
    return addresses[:_MOST_ADDRESSES]


def _may_reach(address: _Address, networks: Sequence[Network]) -> bool:
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if any(address in network for network in networks):
        return True
    if isinstance(address, ipaddress.IPv6Address):
        # Addresses that wrap one of IPv4 could lead anywhere.
        return address.is_global and address in _UNICAST and not (address.sixtofour or address.teredo)
    special = address.is_multicast or address.is_reserved or any(address in network for network in _NOT_PUBLIC)
    return address.is_global and not special


def _find_port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def _post_once(
    parts: SplitResult, addresses: list[str], body: bytes, headers: Mapping[str, str], ends: float
) -> tuple[int, str]:
    """Return the status and where it redirects to."""
    connection = _CheckedConnection(parts, addresses, max(0.01, ends - time.monotonic()))
    timer = threading.Timer(max(0.0, ends - time.monotonic()), connection.abort)
    timer.daemon = True
    timer.start()
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request("POST", target, body, dict(headers))
        response = connection.getresponse()
        if time.monotonic() >= ends:  # of an answer that was cut off, what there is may look whole
            raise TimeoutError
        return response.status, response.getheader("location", "")
    except (OSError, http.client.HTTPException) as error:
        is_late = isinstance(error, TimeoutError) or time.monotonic() >= ends
        raise PostFailed("the receiver did not answer in time" if is_late else _word(error)) from None
    finally:
        timer.cancel()
        connection.close()


def _word(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return f"the receiver's TLS cannot be trusted: {error.reason or 'it failed'}"
    if isinstance(error, http.client.RemoteDisconnected):
        return "the receiver ended the connection without an answer"
    if isinstance(error, OSError):
        return f"the receiver cannot be reached: {error.strerror or type(error).__name__}"
    return "the receiver did not answer in HTTP"


class _CheckedConnection(http.client.HTTPConnection):
    """A connection to addresses that were checked, by the name that they were found under."""

    def __init__(self, parts: SplitResult, addresses: list[str], timeout_s: float) -> None:
        self._addresses = addresses
        self._is_secure = parts.scheme == "https"
        self.default_port = 443 if self._is_secure else 80  # which the header `host` leaves out
        super().__init__(str(parts.hostname), _find_port(parts), timeout=timeout_s)

    def connect(self) -> None:
        """Connect to the first address that answers."""
        self.sock = self._reach()
        if self._is_secure:
            context = ssl.create_default_context()
            self.sock = context.wrap_socket(self.sock, server_hostname=self.host, do_handshake_on_connect=False)
            self.sock.do_handshake()

    def abort(self) -> None:
        """End it from another thread, whatever it waits for."""
        if self.sock is not None:
            with suppress(OSError):
                socket.socket.shutdown(self.sock, socket.SHUT_RDWR)

    def _reach(self) -> socket.socket:
        timeout_s = float(self.timeout or 0) / len(self._addresses)
        for address in self._addresses[:-1]:
            with suppress(OSError):
                return socket.create_connection((address, self.port), timeout_s)
        return socket.create_connection((self._addresses[-1], self.port), timeout_s)
