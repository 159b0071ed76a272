"""The Flask application: its parts, its request ids and its one log line per request."""

import re
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from flask import Flask, Response, g, request
from flask_bootstrap import Bootstrap5

import model_service
from model_service.access.caller import bind_caller, name_caller
from model_service.access.gate import Gate
from model_service.config import ServerConfig, ServiceConfig
from model_service.errors import ModelNotFound
from model_service.jobs.places import JobAccess
from model_service.manager import ModelManager
from model_service.metrics.families import NONE
from model_service.metrics.meters import Meters
from model_service.observability import (
    bind_request_id,
    bind_target,
    bind_trace,
    choose_request_id,
    get_request_id,
    get_target,
    get_trace,
)
from model_service.prediction import PredictionService
from model_service.registry.routing import split_alias
from model_service.request_log import RequestLog
from model_service.tracing.context import Trace
from model_service.tracing.tracer import Tracer
from model_service.transports.http import (
    docs,
    drift_page,
    endpoints,
    explain,
    feedback,
    health,
    inference_protocol,
    manage,
    metrics,
    pages,
    platforms,
    rest,
)
from model_service.transports.http import jobs as job_routes
from model_service.transports.http.cors import CrossOrigin
from model_service.transports.http.errors import HostNotAllowed, register_error_handlers
from model_service.transports.http.handing import TRACE, find_handed_on
from model_service.transports.http.headers import add_headers, digest_files
from model_service.transports.http.hosts import AllowedHosts
from model_service.transports.http.ping import list_paths
from model_service.transports.http.proxies import TrustedProxies
from model_service.transports.http.sign_in import build_blueprint as build_sign_in
from model_service.transports.http.wsgi_guard import add_guard, list_headers
from model_service.transports.notices import list_notices

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_STATIC = Path(__file__).parent / "static"
#: What routes have in place of a part of the address.
_PARAMETER = re.compile(r"<(?:[^:<>]+:)?([^<>]+)>")
#: Blueprints whose answers say nothing of how long a request takes.
_UNTIMED = ("health", "metrics")


def build_app(
    manager: ModelManager,
    service: PredictionService,
    config: ServiceConfig,
    log: RequestLog,
    jobs: JobAccess | None = None,
    gate: Gate | None = None,
    *,
    control: Path | None = None,
    meters: Meters | None = None,
    tracer: Tracer | None = None,
) -> Flask:
    """Return the WSGI application of a configured service; it loads no model and starts nothing."""
    server = config.server
    digest = digest_files(_STATIC, "bootstrap-flask", "flask-swagger-ui")
    app = Flask(__name__, static_url_path=f"/static/{digest}")
    if server.root_path is not None or server.trusted_proxies:
        app.wsgi_app = _Mounted(app.wsgi_app, server)  # type: ignore[method-assign]  # how Flask is wrapped
    app.url_map.merge_slashes = False  # a redirect would hide the mistake from a program
    app.url_map.strict_slashes = False  # and few clients follow one with a POST: a slash at the end changes nothing
    app.config["BOOTSTRAP_SERVE_LOCAL"] = True
    app.jinja_env.globals["service_version"] = model_service.__version__
    has_jobs = jobs is not None and jobs.are_offered()
    has_keys = gate is not None and gate.keyring is not None
    Bootstrap5(app)
    _add_frame(app, manager, config, log, gate, tracer)
    register_error_handlers(app)
    app.register_blueprint(rest.build_blueprint(manager, service, server))
    app.register_blueprint(explain.build_blueprint(service, server))
    app.register_blueprint(platforms.build_blueprint(manager, service, config))
    app.register_blueprint(endpoints.build_blueprint(manager, service, config))
    app.register_blueprint(inference_protocol.build_blueprint(manager, service, server))
    if jobs is not None:
        app.register_blueprint(job_routes.build_blueprint(jobs))
    app.register_blueprint(feedback.build_blueprint(manager, config))
    if control is not None:
        app.register_blueprint(manage.build_blueprint(control, server))
    app.register_blueprint(health.build_blueprint(manager))
    offers = {"has_jobs": has_jobs, "has_management": control is not None, "has_keys": has_keys}
    app.register_blueprint(docs.build_blueprint(manager, config, digest=digest, **offers))
    app.register_blueprint(drift_page.build_blueprint(manager, config))
    if meters is not None:
        app.register_blueprint(metrics.build_blueprint(meters, jobs))
    app.register_blueprint(pages.build_blueprint(manager, server, has_jobs=has_jobs, meters=meters))
    app.jinja_env.globals.update(has_jobs=has_jobs, has_keys=has_keys, name_caller=name_caller)
    if gate is not None and has_keys:
        app.register_blueprint(build_sign_in(gate, server))
    return app


def _add_frame(
    app: Flask,
    manager: ModelManager,
    config: ServiceConfig,
    log: RequestLog,
    gate: Gate | None,
    tracer: Tracer | None,
) -> None:
    """Add what goes before and after every view."""
    hosts, cors = AllowedHosts(config.server), CrossOrigin(config.server, config.invocations)
    probes = frozenset((health.LIVE, health.READY, *list_paths(config.invocations)[0]))
    app.before_request(lambda: _start_request(hosts, probes, tracer))
    if gate is not None:
        add_guard(app, gate, config)
    if cors.is_on:
        app.before_request(lambda: _answer_preflight(cors))
        app.after_request(lambda response: _allow_origin(response, cors))
    app.after_request(lambda response: _add_notices(response, manager))
    app.after_request(lambda response: _finish_request(response, log))
    app.teardown_request(_release_request)
    add_headers(app)


class _Mounted:
    """The application below a prefix that a proxy has removed; links begin with it.

    Args:
        inner: The application.
        config: The prefix, and whose word counts more. What the server itself calls it counts most: ours does, and
            others that are told so.
    """

    def __init__(self, inner: "WSGIApplication", config: ServerConfig) -> None:
        self._inner = inner
        self._root = config.root_path or ""
        self._proxies = TrustedProxies(config)

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        environ["SCRIPT_NAME"] = environ.get("SCRIPT_NAME") or self._find_prefix(environ) or self._root
        return self._inner(environ, start_response)

    def _find_prefix(self, environ: "WSGIEnvironment") -> str | None:
        return self._proxies.find_prefix(environ.get("REMOTE_ADDR"), environ.get("HTTP_X_FORWARDED_PREFIX"))


def _start_request(hosts: AllowedHosts, probes: frozenset[str], tracer: Tracer | None) -> None:
    handed = find_handed_on(request.environ)
    g.started = handed.context.arrived if handed else time.monotonic()
    bind_request_id(handed.context.request_id if handed else choose_request_id(request.headers.get("X-Request-ID")))
    bind_trace(_find_trace(tracer, probes) if tracer is not None else None)
    # Where another server listens is not known here, so it is only held to hosts that are listed. Probes go to
    # addresses, and what they are told is no secret.
    if hosts.is_listed or "asgi.scope" in request.environ:
        host = request.headers.get("Host")  # only HTTP/1.0 may leave it out, and no browser does
        if host is not None and not hosts.allow(host) and request.path not in probes:
            raise HostNotAllowed


def _find_trace(tracer: Tracer, probes: frozenset[str]) -> Trace | None:
    """Return the trace of the current request: of our own server, or begun here under another one."""
    if request.path in probes or request.blueprint in _UNTIMED or (request.endpoint or "").endswith("static"):
        return None
    state = (request.environ.get("asgi.scope") or {}).get("state") or {}
    trace: Trace | None = state[TRACE] if TRACE in state else tracer.begin(list_headers(), g.started)
    return trace


def _answer_preflight(cors: CrossOrigin) -> Response | None:
    """Answer a preflight of a browser under another server; ours answers it in the loop."""
    wanted = request.headers.get("Access-Control-Request-Method")
    headers = cors.answer_preflight(request.method, request.path, request.headers.get("Origin"), wanted)
    return None if headers is None else Response(status=204, headers=headers)


def _allow_origin(response: Response, cors: CrossOrigin) -> Response:
    if cors.covers(request.path):
        for name, value in cors.make_headers(request.headers.get("Origin")):
            if name == "Vary":
                response.vary.add(value)
            else:
                response.headers[name] = value
    return response


def _finish_request(response: Response, log: RequestLog) -> Response:
    response.headers["X-Request-ID"] = get_request_id() or ""
    handed, found = find_handed_on(request.environ), get_target()
    info = handed.target.info if handed is not None else found
    model = info.qualified_name if info is not None else (request.view_args or {}).get("qualified_name", "")[:64]
    log.write(
        request.method[:20],
        request.path[:200],
        response.status_code,
        model or None,
        info.version if info is not None else None,
        0.0 if request.blueprint in _UNTIMED else time.monotonic() - g.started,
        get_request_id(),
        name_caller(),
        route=_name_route(),
        code=g.get("code"),
        trace=get_trace(),
    )
    return response


def _add_notices(response: Response, manager: ModelManager) -> Response:
    """Say with the answer of a version that it is not to be used any more, or goes away."""
    names = request.view_args or {}
    name, version = names.get("qualified_name"), response.headers.get("X-Model-Version")
    if name is None or response.status_code >= 400:
        return response
    plain_name, _ = split_alias(name)
    with suppress(ModelNotFound):  # an answer to OPTIONS asks for none
        status = manager.get_model_metadata(plain_name if version else name, version or names.get("version"))
        for header, value in list_notices(status.traffic):
            response.headers.add(header, value)
    return response


def _name_route() -> str:
    """Return the template of the address, which no caller can make up."""
    if request.url_rule is None:
        return NONE
    if request.endpoint is not None and request.endpoint.endswith("static"):
        return "/static/{filename}"  # behind a digest that every release has anew
    return _PARAMETER.sub(r"{\1}", request.url_rule.rule)


def _release_request(error: BaseException | None) -> None:
    bind_request_id(None)
    bind_caller(None)
    bind_target(None)
    bind_trace(None)
    wrong_address = request.routing_exception
    if wrong_address is not None:  # its frames hold the request, and the request holds it
        wrong_address.__traceback__ = wrong_address.__context__ = None
