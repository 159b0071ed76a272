"""What goes along when a request changes hands: from the protocol, or the ASGI side, to the Flask application."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from model_service.backends.ticket import Ticket
from model_service.records import RequestContext
from model_service.registry.entry import ServedModel
from model_service.transports.http.plain import PlainRequest

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

#: Key of the ASGI state, which a2wsgi's environment leads to.
HANDED_ON = "model_service.handed_on"
#: The trace of a request, where requests are traced.
TRACE = "model_service.trace"
#: Whose key a request has that was let through; and what is to be told to a person who is not let through.
CALLER, REFUSAL = "model_service.caller", "model_service.refusal"


@dataclass(frozen=True, slots=True)
class HandedOn:
    """A predict request that was plain until something was wrong with it.

    Attributes:
        context: Of the request.
        target: The model that answers it.
        ticket: What has become of it, if it was submitted.
        is_many: Whether it holds an array of payloads.
    """

    context: RequestContext
    target: ServedModel
    ticket: Ticket | None
    is_many: bool


def make_scope(connection: HttpToolsProtocol, request: PlainRequest) -> dict[str, Any]:
    """Return the ASGI scope of a plain request that the application answers."""
    path, root = request.head.path, connection.root_path
    ticket = request if request.is_submitted else None
    return {
        "type": "http",
        "asgi": {"version": connection.asgi_version, "spec_version": "2.3"},
        "http_version": "1.1",
        "server": connection.server,
        "client": connection.client,
        "scheme": connection.scheme,
        "root_path": root,
        "method": "POST",
        "path": f"{root}{path}",
        "raw_path": f"{root}{path}".encode("ascii"),
        "query_string": b"",
        "headers": [(name.lower(), value) for name, value in request.headers],
        "state": {
            HANDED_ON: HandedOn(request.context, request.target, ticket, is_many=request.is_many),
            CALLER: request.key,
            TRACE: request.trace,
        },
    }


def find_handed_on(environ: "WSGIEnvironment") -> HandedOn | None:
    """Return what came along with a WSGI request, if anything did."""
    scope = environ.get("asgi.scope")
    found: HandedOn | None = scope["state"].get(HANDED_ON) if scope else None
    return found
