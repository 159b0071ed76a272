"""What Flask knows of callers: whom our server has let in; and the same guard under a server that has none.

Behind our own event loop `guard.py` has decided. Under another server, of WSGI or of ASGI, the same is decided here.
There limits are counted in memory, per process.
"""

from flask import Flask, Response, g, request

from model_service.access.caller import bind_caller, name_caller
from model_service.access.gate import Gate
from model_service.access.key import MANAGE, Key
from model_service.config import ServiceConfig
from model_service.errors import Forbidden, ServiceError
from model_service.transports.http.cors import CrossOrigin
from model_service.transports.http.credentials import Credential, check_origin, read_credential
from model_service.transports.http.handing import CALLER, REFUSAL
from model_service.transports.http.problems import STATUS
from model_service.transports.http.scopes import Need, Needs, check_need

_NONE = Credential()


def add_guard(app: Flask, gate: Gate, config: ServiceConfig) -> None:
    """Let nothing through to an application that its gate does not let through."""
    guard = _WsgiGuard(gate, config)
    app.before_request(guard.check)
    app.after_request(guard.note)


def list_headers() -> list[tuple[bytes, bytes]]:
    """Return the headers of the current request as a server of ASGI has them."""
    return [(name.lower().encode(), value.encode("latin-1", "replace")) for name, value in request.headers]


class _WsgiGuard:
    def __init__(self, gate: Gate, config: ServiceConfig) -> None:
        self._gate = gate
        self._needs = Needs(config.invocations)
        self._cors = CrossOrigin(config.server, config.invocations)

    def check(self) -> None:
        """Find whose request it is, or raise why it is not answered."""
        state = (request.environ.get("asgi.scope") or {}).get("state") or {}
        if CALLER in state:  # nobody but our own guard writes that
            bind_caller(state[CALLER])
            if REFUSAL in state:
                raise state[REFUSAL]
            return
        bind_caller(None)
        self._gate.look()
        address = request.remote_addr
        key: Key | None = None
        need = self._needs.find(request.method, request.path)
        try:
            is_open = need is Need.NOTHING or self._is_preflight()
            if not is_open:
                credential = _NONE if self._gate.keyring is None else read_credential(list_headers())
                key = self._gate.admit(credential.sent)
                check_need(key, need)
                if credential.is_cookie:
                    check_origin(request.method, list_headers())
            if self._gate.rates is not None and (not is_open or request.method == "POST"):  # who signs in, too
                self._gate.rates.count(key, address)
        except ServiceError as error:
            self._gate.audit.tell_refusal(error.code, key.name if key else None, request.method, request.path, address)
            raise
        bind_caller(key)
        g.noted = need

    def note(self, response: Response) -> Response:
        """Tell the audit log of a call that manages, or a model that is refused."""
        need, name, address = g.pop("noted", None), name_caller(), request.remote_addr
        if need is None or name is None:
            return response
        if response.status_code == STATUS[Forbidden]:
            self._gate.audit.tell_refusal(Forbidden.code, name, request.method, request.path, address)
        elif need == MANAGE and request.method not in ("GET", "HEAD"):
            self._gate.audit.tell_call(name, request.method, request.path, response.status_code, address)
        return response

    def _is_preflight(self) -> bool:
        headers = request.headers
        wanted, origin = headers.get("Access-Control-Request-Method"), headers.get("Origin")
        return self._cors.answer_preflight(request.method, request.path, origin, wanted) is not None
