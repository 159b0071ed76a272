"""Where a request has its key: in a header, or in the cookie of who has signed in on the pages. Never in its address.

A browser sends the cookie along by itself, so with it a request that changes something must come from a page of this
very service: the cookie is for the same site only (SameSite), and ``Sec-Fetch-Site`` or ``Origin`` says the rest.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from model_service.access.gate import HEADER
from model_service.errors import Forbidden, Unauthenticated

COOKIE = "model_service_key"
API_KEY = HEADER.encode()
AUTHORIZATION = b"authorization"
_BEARER = b"bearer "
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_COOKIE = f"{COOKIE}=".encode()
_SAME_SITE = frozenset({b"same-origin", b"none"})


@dataclass(frozen=True, slots=True)
class Credential:
    """What a request has for a key.

    Attributes:
        sent: The key; ``None`` where there is none.
        is_cookie: Whether a browser has sent it by itself.
    """

    sent: bytes | None = None
    is_cookie: bool = False


def read_bearer(value: bytes) -> bytes | None:
    """Return the key of a header ``Authorization``; ``None`` where it has another scheme."""
    return value[len(_BEARER) :].strip(b" ") if value[: len(_BEARER)].lower() == _BEARER else None


def read_credential(headers: Iterable[tuple[bytes, bytes]]) -> Credential:
    """Return what a request has for a key; names of headers are in small letters.

    Raises:
        Unauthenticated: There are several, or another scheme and no key.
    """
    found: list[bytes] = []
    cookies: list[bytes] = []
    has_other_scheme = False
    for name, value in headers:
        if name == AUTHORIZATION:
            bearer = read_bearer(value)
            has_other_scheme = has_other_scheme or bearer is None
            found += [bearer] if bearer is not None else []
        elif name == API_KEY:
            found.append(value.strip(b" "))
        elif name == b"cookie":
            pairs = (pair.strip() for pair in value.split(b";"))
            cookies += [pair[len(_COOKIE) :] for pair in pairs if pair.startswith(_COOKIE)]
    if len(found) > 1:
        raise Unauthenticated("the request has several keys; send one, in one header", has_key=True)
    if found:
        return Credential(found[0])
    if has_other_scheme and not cookies:  # of a proxy it does not matter where the key comes otherwise
        raise Unauthenticated("send the key as 'Authorization: Bearer <key>', or as 'X-API-Key: <key>'", has_key=True)
    return Credential(cookies[0], is_cookie=True) if cookies else Credential()


def check_origin(method: str, headers: Iterable[tuple[bytes, bytes]]) -> None:
    """Let a request that a browser has signed by itself go on.

    Raises:
        Forbidden: It would change something, and does not come from a page of this service.
    """
    if method in _SAFE:
        return
    found = dict(headers)
    site, origin = found.get(b"sec-fetch-site"), found.get(b"origin")
    if site is not None:
        is_own = site in _SAME_SITE
    else:
        host = found.get(b"host", b"").decode("latin-1").lower()
        is_own = origin is not None and urlsplit(origin.decode("latin-1").lower()).netloc == host != ""
    if not is_own:
        raise Forbidden(
            "a page of another site has sent this with the cookie of a person who is signed in here; programs send the "
            "key in a header"
        )
