"""What goes along when a request changes hands: from the protocol, or the ASGI side, to the Flask application."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from model_service.backends.ticket import Ticket
from model_service.records import RequestContext
from model_service.registry.entry import ServedModel

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

#: Key of the ASGI state, which a2wsgi's environment leads to.
HANDED_ON = "model_service.handed_on"


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


def find_handed_on(environ: "WSGIEnvironment") -> HandedOn | None:
    """Return what came along with a WSGI request, if anything did."""
    scope = environ.get("asgi.scope")
    found: HandedOn | None = scope["state"].get(HANDED_ON) if scope else None
    return found
