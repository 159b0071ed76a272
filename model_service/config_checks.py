"""What the keys of a configuration must not say together, or beyond their types; each check names the key."""

import base64
import ipaddress
import re
from collections.abc import Collection, Iterable

from model_service.config import PATH_PREFIX, BackendName, InvocationsConfig, ModelConfig, ServerConfig, ServiceConfig
from model_service.config_jobs import SECRET_PREFIX, JobsConfig
from model_service.config_keys import list_keys
from model_service.config_tracing import TracingConfig
from model_service.errors import ConfigInvalid
from model_service.files.formats import find_format

#: As Vertex AI makes them: /v1/endpoints/1/deployedModels/2:predict
_ROUTE = re.compile(r"(?:/[A-Za-z0-9._~:-]+)+")
#: Paths with a meaning of their own.
_TAKEN = ("/api/", "/docs", "/endpoints/", "/jobs", "/models", "/openapi", "/static/")
#: Formats that `/invocations` answers in.
ANSWERED = ("json", "csv", "ndjson")
#: What a browser calls an origin: scheme, host and perhaps a port, and nothing behind them.
_ORIGIN = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://(?:\[[0-9A-Fa-f:.]+\]|[^\s/?#@,*:\[\]]+)(?::[0-9]+)?")
#: Where spans are sent. What lets the service in belongs into the environment: OTEL_EXPORTER_OTLP_HEADERS.
_COLLECTOR = re.compile(r"https?://(?:\[[0-9A-Fa-f:.]+\]|[^\s/?#@:\[\]]+)(?::[0-9]{1,5})?(?:/[^\s?#]*)?")
#: As the part of a name behind the at sign.
_ALIAS = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}")


def check_config(config: ServiceConfig) -> None:
    """Make sure that a configuration whose keys all have the right types makes sense.

    Raises:
        ConfigInvalid: Names the key, and what was expected.
    """
    _check_tls(config.server)
    _check_root_path(config.server)
    _check_networks("server.trusted_proxies", config.server.trusted_proxies, others=("*",))
    _check_callbacks(config.jobs)
    _check_invocations(config.invocations)
    _check_origins(config.server)
    _check_collector(config.tracing)
    for place, model in enumerate(config.models):
        _check_backend(model, f"models[{place}]")
        _check_traffic(model, f"models[{place}]")


def _check_tls(server: ServerConfig) -> None:
    if (server.tls_certificate is None) != (server.tls_key is None):
        raise ConfigInvalid("'server.tls_certificate' and 'server.tls_key' go together: give both or neither")
    for key, path in (("tls_certificate", server.tls_certificate), ("tls_key", server.tls_key)):
        if path is not None and not path.is_file():
            raise ConfigInvalid(f"'server.{key}': there is no file '{path}'")


def _check_root_path(server: ServerConfig) -> None:
    if server.root_path is not None and not PATH_PREFIX.fullmatch(server.root_path):
        raise ConfigInvalid("'server.root_path' must begin with a slash, not end with one, and be plain: '/ml'")


def _check_callbacks(jobs: JobsConfig) -> None:
    if jobs.callback_secret is not None:
        try:
            size = len(base64.b64decode(jobs.callback_secret.removeprefix(SECRET_PREFIX), validate=True))
        except ValueError:
            size = 0
        if not jobs.callback_secret.startswith(SECRET_PREFIX) or not 24 <= size <= 64:
            raise ConfigInvalid(
                f"'jobs.callback_secret' must be {SECRET_PREFIX} and 24 to 64 bytes in Base64; make one with: "
                f'echo "{SECRET_PREFIX}$(openssl rand -base64 32)"'
            )
    _check_networks("jobs.callback_networks", jobs.callback_networks)


def _check_networks(key: str, networks: Iterable[str], others: Collection[str] = ()) -> None:
    for place, network in enumerate(networks):
        try:
            if network not in others:
                ipaddress.ip_network(network)
        except ValueError as error:
            raise ConfigInvalid(f"'{key}[{place}]' must be a network like 10.1.0.0/16: {error}") from None


def _check_invocations(invocations: InvocationsConfig) -> None:
    answer = find_format(media_type=invocations.default_accept)
    if answer is None or answer.name not in ANSWERED:
        raise ConfigInvalid(
            f"'invocations.default_accept' must be the media type of one of {', '.join(ANSWERED)}, "
            f"not {invocations.default_accept!r}"
        )
    for key in ("predict_route", "health_route"):
        route: str | None = getattr(invocations, key)
        if route is not None and not (_ROUTE.fullmatch(route) and not route.startswith(_TAKEN)):
            raise ConfigInvalid(
                f"'invocations.{key}' must be a plain path of its own, such as '/{key.partition('_')[0]}', "
                f"that begins with none of {', '.join(_TAKEN)}; not {route!r}"
            )


def _check_origins(server: ServerConfig) -> None:
    for place, origin in enumerate(server.cors_origins):
        if origin != "*" and not _ORIGIN.fullmatch(origin):
            raise ConfigInvalid(
                f"'server.cors_origins[{place}]' must be '*' or an origin, without a slash at its end: "
                "'https://app.example', 'http://localhost:3000'"
            )
    if server.cors_credentials and (not server.cors_origins or "*" in server.cors_origins):
        raise ConfigInvalid("'server.cors_credentials' needs 'server.cors_origins' that are listed one by one")


def _check_collector(tracing: TracingConfig) -> None:
    endpoint = tracing.endpoint
    if endpoint is not None and not _COLLECTOR.fullmatch(endpoint):
        raise ConfigInvalid(
            "'tracing.endpoint' must be an address of http or https without a user or a query, such as "
            "'http://localhost:4318'"
        )


def _check_backend(model: ModelConfig, path: str) -> None:
    for key, field, _ in list_keys(ModelConfig):
        only = field.metadata["only"]
        if only not in (None, model.backend) and getattr(model, field.name) != field.default:
            raise ConfigInvalid(f"'{path}.{key}' works with backend: {only} only; remove it, or set backend: {only}")


def _check_traffic(model: ModelConfig, path: str) -> None:
    traffic = model.traffic
    for place, alias in enumerate(traffic.aliases):
        if not _ALIAS.fullmatch(alias):
            raise ConfigInvalid(
                f"'{path}.traffic.aliases[{place}]' must be small letters, digits, - and _, such as 'stable'; "
                f"not {alias!r}"
            )
    if traffic.shadow is not None:
        if model.backend is not BackendName.PROCESS:
            raise ConfigInvalid(
                f"'{path}.traffic.shadow' needs backend: process, so that what goes wrong there touches nothing else"
            )
        if traffic.weight or model.default:
            raise ConfigInvalid(f"'{path}': a shadow answers nobody; remove 'shadow', or 'weight' and 'default'")
    if traffic.deprecated and traffic.sunset and traffic.sunset < traffic.deprecated:
        raise ConfigInvalid(f"'{path}.traffic.sunset' must not be before 'deprecated'")
    link = traffic.deprecation_link
    if link is not None and not (link.isascii() and link.isprintable() and not set(link) & set(' <>"')):
        raise ConfigInvalid(f"'{path}.traffic.deprecation_link' must be the address of a page, not {link!r}")
    if traffic.sticky_header is not None and not _HEADER.fullmatch(traffic.sticky_header):
        raise ConfigInvalid(
            f"'{path}.traffic.sticky_header' must be the name of a header, such as 'X-User'; "
            f"not {traffic.sticky_header!r}"
        )
    if traffic.sticky_header is not None and traffic.sticky_field is not None:
        raise ConfigInvalid(f"'{path}.traffic': 'sticky_header' and 'sticky_field' exclude each other; keep one")
