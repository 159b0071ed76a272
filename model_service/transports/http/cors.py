"""`CrossOrigin`: which pages of other origins a browser lets call the API (CORS). It knows no framework.

A browser sends the origin of a page along, and shows the page only answers that allow it. Before anything but a plain
GET it asks first, by a preflight: OPTIONS with the method and the headers that it is going to send. Pages and their
files are not for others; where no origin is configured nothing here does anything.
"""

import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from model_service.config import InvocationsConfig, ServerConfig
from model_service.transports.http.ping import TARGET_MODEL, list_paths
from model_service.transports.http.urls import API_PREFIXES

Headers = list[tuple[str, str]]

#: In the list of origins, it allows every one.
ANY = "*"
_METHODS = "GET, HEAD, POST, DELETE"
#: Headers of requests that a page may set beside those that any page may.
_SENT = (
    *("Accept", "Authorization", "Cache-Control", "Content-Encoding", "Content-Type", "Idempotency-Key"),
    *("If-None-Match", "If-Range", "Inference-Header-Content-Length", "Last-Event-ID", "Prefer", "Range"),
    *("X-Amzn-SageMaker-Custom-Attributes", TARGET_MODEL, "X-Amzn-SageMaker-Target-Variant", "X-Request-ID"),
    *("X-API-Key", "X-Request-ID"),
)
#: Headers of answers that a page gets to see beside those that every page does.
EXPOSED = (
    *("Accept", "Accept-Encoding", "Accept-Ranges", "Allow", "Content-Disposition", "Content-Range", "ETag"),
    *(
        "Inference-Header-Content-Length",
        "Location",
        "Preference-Applied",
        "Retry-After",
        "X-Amzn-ErrorType",
        "X-Amzn-Invoked-Production-Variant",
        "X-Amzn-SageMaker-Custom-Attributes",
        "WWW-Authenticate",
        "X-Failed-Rows",
        "X-Job-State",
        "X-Model-Version",
    ),
    "X-Request-ID",
)
#: A browser asks again after so long, so a change of the configuration is seen soon.
_MAX_AGE_S = 600
#: A model of a container for several; below `/models/` lie pages, too.
_INVOKE = re.compile("/models/[^/]+/invoke")
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


class CrossOrigin:
    """The origins of one service.

    Args:
        config: Its list of origins, and whether their pages may send credentials.
        invocations: With the paths that it has for hosting platforms.

    Attributes:
        is_on: Whether there are any.
    """

    def __init__(self, config: ServerConfig, invocations: InvocationsConfig) -> None:
        pings, invocable = list_paths(invocations)
        self._paths = frozenset((*pings, *invocable))
        self._origins = frozenset(_normalise(origin) for origin in config.cors_origins)
        self.is_on = bool(self._origins)
        self._takes_all = ANY in self._origins
        exposed = ("Access-Control-Expose-Headers", ", ".join(EXPOSED))
        credentials = [("Access-Control-Allow-Credentials", "true")] if config.cors_credentials else []
        self._allowed: Headers = [exposed, *credentials]
        self._always: Headers = [] if self._takes_all or not self.is_on else [("Vary", "Origin")]

    def covers(self, path: str) -> bool:
        """Whether answers at a path are for pages of other origins: those of the API are, pages are not."""
        bare = path.removesuffix("/")  # which changes nothing at the end of an address
        return path.startswith(API_PREFIXES) or bare in self._paths or _INVOKE.fullmatch(bare) is not None

    def make_headers(self, origin: str | None) -> Headers:
        """Return what an answer of the API has more, for a request with this header ``Origin`` or without one."""
        if not self.is_on:
            return []
        if self._takes_all:  # the same for everybody, so that a shared cache may keep it
            return [("Access-Control-Allow-Origin", ANY), *self._allowed]
        if origin is None or origin not in self._origins:
            return self._always
        return [("Access-Control-Allow-Origin", origin), *self._allowed, *self._always]

    def write_lines(self, origin: bytes | None) -> bytes:
        """Return the same as lines of HTTP/1.1; nothing where no origin is configured."""
        if not self.is_on:
            return b""
        headers = self.make_headers(origin.decode("latin-1") if origin is not None else None)
        return "".join(f"{name.lower()}: {value}\r\n" for name, value in headers).encode("latin-1")

    def answer_preflight(self, method: str, path: str, origin: str | None, wanted: str | None) -> Headers | None:
        """Return the headers of the answer, 204, to a preflight that is allowed; any other request is not for here.

        Args:
            method: Of the request.
            path: What it asks for.
            origin: Its header ``Origin``.
            wanted: Its header ``Access-Control-Request-Method``.
        """
        if not self.is_on or method != "OPTIONS" or not origin or not wanted or not self.covers(path):
            return None
        headers = self.make_headers(origin)
        if not headers or headers is self._always:
            return None
        return [
            *headers,
            ("Access-Control-Allow-Methods", _METHODS),
            ("Access-Control-Allow-Headers", ", ".join(_SENT)),
            ("Access-Control-Max-Age", str(_MAX_AGE_S)),
        ]

    def dress(
        self, path: str, origin: str | None, send: Callable[[MutableMapping[str, Any]], Awaitable[None]]
    ) -> Callable[[MutableMapping[str, Any]], Awaitable[None]]:
        """Return what sends an answer of the ASGI side with its headers."""
        if not self.is_on or not self.covers(path):
            return send
        more = [(name.lower().encode(), value.encode("latin-1")) for name, value in self.make_headers(origin)]

        async def send_dressed(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *more]
            await send(message)

        return send_dressed


def _normalise(origin: str) -> str:
    """Return an origin as browsers write it: in small letters, without the port that its scheme has anyway."""
    origin = origin.strip().lower()
    return origin.removesuffix(_DEFAULT_PORTS.get(origin.partition(":")[0], "?"))
