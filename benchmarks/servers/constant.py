"""The floor of HTTP: read the body, answer constant bytes. No model, no JSON, no framework."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

BODY = b'{"species":"setosa","probabilities":{"setosa":0.99,"versicolor":0.01,"virginica":0.0}}'
HEADERS = [("content-type", "application/json"), ("content-length", str(len(BODY)))]


def wsgi(environment: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer one request of a WSGI server."""
    environment["wsgi.input"].read()
    start_response("200 OK", HEADERS)
    return [BODY]


async def asgi(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    """Answer one request of an ASGI server that was told to leave lifespans alone."""
    while (await receive()).get("more_body"):
        pass
    headers = [(name.encode(), value.encode()) for name, value in HEADERS]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": BODY})
