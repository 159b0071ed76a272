"""Where people sign in on the pages: a key becomes a cookie that only the browser and the service see.

The cookie holds the key itself, so there is no session that a worker would have to know: it is valid as long as the
key is, in every worker, and after a restart. No script reads it (HttpOnly), and no page of another site sends it
(SameSite).
"""

from urllib.parse import urlsplit

from flask import Blueprint, Response, redirect, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from model_service.access.caller import bind_caller
from model_service.access.gate import Gate
from model_service.access.key import MOST_CHARACTERS
from model_service.config import ServerConfig
from model_service.errors import ServiceError
from model_service.transports.http.credentials import COOKIE, check_origin
from model_service.transports.http.scopes import SIGN_IN, SIGN_OUT
from model_service.transports.http.wsgi_guard import list_headers


def build_blueprint(gate: Gate, config: ServerConfig) -> Blueprint:
    """Return the routes for signing in and out."""
    blueprint = Blueprint("sign_in", __name__)

    @blueprint.get(SIGN_IN)
    def show() -> Response:
        return _show(_find_next(request.args.get("next", "")), has_ended="ended" in request.args)

    @blueprint.post(SIGN_IN)
    def sign_in() -> BaseResponse:
        check_origin(request.method, list_headers())
        place = _find_next(request.form.get("next", ""))
        try:
            key = gate.admit(request.form.get("key", "").strip()[: MOST_CHARACTERS + 1].encode())
        except ServiceError as error:
            gate.audit.tell_refusal(error.code, None, request.method, request.path, request.remote_addr)
            return _show(place, problem=error.message)
        bind_caller(key)  # for the line of the log
        response = _go(place)
        response.set_cookie(
            COOKIE,
            request.form["key"].strip(),
            expires=key.expires if key is not None else None,
            path=request.root_path or "/",
            secure=_is_secure(config),
            httponly=True,
            samesite="Strict",
        )
        return response

    @blueprint.post(SIGN_OUT)
    def sign_out() -> BaseResponse:
        check_origin(request.method, list_headers())
        response = _go(SIGN_IN)
        response.delete_cookie(
            COOKIE, path=request.root_path or "/", secure=_is_secure(config), httponly=True, samesite="Strict"
        )
        return response

    return blueprint


def _show(place: str, *, has_ended: bool = False, problem: str | None = None) -> Response:
    page = render_template("sign_in.html", next=place, has_ended=has_ended, problem=problem)
    response = Response(page, 401 if problem is not None else 200)
    response.cache_control.no_store = True
    return response


def _go(place: str) -> BaseResponse:
    response = redirect(request.root_path + place, 303)
    response.cache_control.no_store = True
    return response


def _find_next(wanted: str) -> str:
    """Return where to go from here: a path of this service, whatever an address says."""
    is_own = wanted[:1] == "/" and wanted[1:2] not in ("/", "\\") and wanted.isprintable() and "\\" not in wanted
    return wanted if is_own and not wanted.startswith((SIGN_IN, SIGN_OUT)) else "/"


def _is_secure(config: ServerConfig) -> bool:
    """Whether the browser reaches the service over TLS, its own or that of a proxy: a browser says so in ``Origin``."""
    return config.tls_certificate is not None or urlsplit(request.headers.get("Origin", "")).scheme == "https"
