"""`Guard`: lets requests through to the application, or answers them: the one place before everything else.

It stands around the ASGI application. The plain predict of `protocol.py` asks the same gate, and what it does not let
through plainly comes here, to be told why. A request that was plain, and was counted, is not asked again.
"""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

from model_service.access.caller import bind_caller
from model_service.access.gate import Gate
from model_service.access.key import JOBS, MANAGE, PREDICT, Key
from model_service.errors import Forbidden, ServiceError, Unauthenticated
from model_service.observability import bind_request_id
from model_service.transports.http.accept import rate
from model_service.transports.http.asgi import (
    Message,
    Receive,
    Send,
    choose_id,
    find_header,
    find_path,
    send_answer,
    send_problem,
)
from model_service.transports.http.credentials import Credential, check_origin, read_credential
from model_service.transports.http.front import Front
from model_service.transports.http.handing import CALLER, HANDED_ON, REFUSAL
from model_service.transports.http.problems import STATUS
from model_service.transports.http.scopes import SIGN_IN, Need, Needs, check_need
from model_service.transports.http.urls import API_PREFIXES

_LONGEST_RETURN = 500
_NONE = Credential()
#: Answers to these are looked at: the road may refuse a model.
_TOLD = frozenset({PREDICT, JOBS, MANAGE})
_Application = Callable[[Message, Receive, Send], Awaitable[None]]


class Guard:
    """The application, and what stands before it. For the loop's thread.

    Args:
        inner: The application.
        front: What all connections share.
        gate: Knows the keys and the limits.
    """

    def __init__(self, inner: _Application, front: Front, gate: Gate) -> None:
        self._inner = inner
        self._front = front
        self._gate = gate
        self._needs = Needs(front.invocations)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or HANDED_ON in scope["state"]:
            await self._inner(scope, receive, send)
            return
        key: Key | None = None
        state, need = scope["state"], self._needs.find(scope["method"], find_path(scope))
        try:
            is_open = need is Need.NOTHING or self._is_preflight(scope)
            if not is_open:
                credential = read_credential(scope["headers"]) if self._gate.keyring is not None else _NONE
                key = self._gate.admit(credential.sent)
                check_need(key, need)
                if credential.is_cookie:
                    check_origin(scope["method"], scope["headers"])
            if self._gate.rates is not None and (not is_open or scope["method"] == "POST"):  # who signs in, too
                await self._gate.rates.wait(key, _address(scope))
        except Forbidden as error:
            if not _is_person(scope):
                await self._refuse(scope, send, error.with_traceback(None), key)
                return
            self._tell_refusal(scope, error, key)
            state[REFUSAL] = error.with_traceback(None)  # a person gets a page
        except ServiceError as error:
            await self._refuse(scope, send, error.with_traceback(None), key)
            return
        state[CALLER] = key
        bind_caller(key)  # of this task, which answers nothing else
        if key is not None and need in _TOLD:
            send = self._note(scope, send, key, is_managing=need == MANAGE)
        await self._inner(scope, receive, send)

    def _is_preflight(self, scope: Message) -> bool:
        """Whether a browser asks what a page of an allowed origin may send: it never has a key for that."""
        wanted, origin = find_header(scope, b"access-control-request-method"), find_header(scope, b"origin")
        cors = self._front.cors
        return cors.answer_preflight(scope["method"], find_path(scope), origin or None, wanted or None) is not None

    async def _refuse(self, scope: Message, send: Send, error: ServiceError, key: Key | None) -> None:
        request_id = choose_id(scope)
        bind_request_id(request_id)  # of this task
        self._tell_refusal(scope, error, key)
        if isinstance(error, Unauthenticated) and _is_person(scope):
            await self._send_to_sign_in(scope, send, error, request_id)
            return
        origin = find_header(scope, b"origin") or None
        await send_problem(
            self._front, scope, self._front.cors.dress(find_path(scope), origin, send), error, request_id
        )

    def _tell_refusal(self, scope: Message, error: ServiceError, key: Key | None) -> None:
        name = key.name if key is not None else None
        self._gate.audit.tell_refusal(error.code, name, scope["method"], find_path(scope), _address(scope))

    async def _send_to_sign_in(self, scope: Message, send: Send, error: Unauthenticated, request_id: str) -> None:
        query = scope["query_string"].decode("latin-1")
        back = find_path(scope) + (f"?{query}" if query else "")
        place = f"{scope['root_path']}{SIGN_IN}?next={quote(back[:_LONGEST_RETURN], safe='/')}"
        if error.has_key:
            place += "&ended=1"
        headers = [("Location", place), ("Cache-Control", "no-store")]
        await send_answer(self._front, scope, send, (303, headers, b""), request_id)

    def _note(self, scope: Message, send: Send, key: Key, *, is_managing: bool) -> Send:
        """Return what sends an answer, and tells the audit log of a call that manages, or a model that is refused."""
        method, path, address = scope["method"], find_path(scope), _address(scope)

        async def send_noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                status: int = message["status"]
                if status == STATUS[Forbidden]:
                    self._gate.audit.tell_refusal(Forbidden.code, key.name, method, path, address)
                elif is_managing and method not in ("GET", "HEAD"):
                    self._gate.audit.tell_call(key.name, method, path, status, address)
            await send(message)

        return send_noted


def _address(scope: Message) -> str | None:
    client: tuple[Any, ...] | None = scope.get("client")
    return str(client[0]) if client else None


def _is_person(scope: Message) -> bool:
    """Whether a person opens a page, to be sent on to where people sign in."""
    if scope["method"] not in ("GET", "HEAD") or find_path(scope).startswith(API_PREFIXES):
        return False
    accept = find_header(scope, b"accept")
    return rate(accept, "text/html") > rate(accept, "application/json")


def stand_before(inner: _Application, front: Front) -> _Application:
    """Return an application with a guard before it, where not everybody may do everything."""
    return inner if front.gate is None else Guard(inner, front, front.gate)
