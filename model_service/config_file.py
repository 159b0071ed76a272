"""``config.yaml`` and the environment, read once into the dataclasses of `model_service.config`.

The only reader of both. Every key can be overridden by an environment variable named
after its path: ``MODEL_SERVICE__SERVER__PORT=9000``, ``MODEL_SERVICE__MODELS__0__REQUIRED=true``.
Nothing is merged silently: an unknown key or variable stops the start. What a hosting platform
says in variables of its own comes last (`model_service.config_platforms`).
"""

import base64
import dataclasses
import ipaddress
import os
import re
import typing
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml

from model_service.config import PATH_PREFIX, Batching, InvocationsConfig, ModelConfig, ServerConfig, ServiceConfig
from model_service.config_jobs import SECRET_PREFIX, JobsConfig
from model_service.config_keys import describe_type, find_scalar, list_keys
from model_service.config_platforms import translate_platform
from model_service.errors import ConfigInvalid
from model_service.files.formats import find_format

ENVIRONMENT_PREFIX = "MODEL_SERVICE__"
DEFAULT_FILE = Path("config.yaml")
#: What PyYAML raises beside its own errors for a scalar that only looks like a number or a date: 2020-13-45.
_YAML_SURPRISES = (ValueError, KeyError, AttributeError)
#: A path of plain letters, so that it is the same in an address and out of it.
#: As Vertex AI makes them: /v1/endpoints/1/deployedModels/2:predict
_ROUTE = re.compile(r"(?:/[A-Za-z0-9._~:-]+)+")
#: Paths with a meaning of their own.
_TAKEN = ("/api/", "/docs", "/endpoints/", "/jobs", "/models", "/openapi", "/static/")
#: Formats that `/invocations` answers in.
ANSWERED = ("json", "csv", "ndjson")
#: What a browser calls an origin: scheme, host and perhaps a port, and nothing behind them.
_ORIGIN = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://(?:\[[0-9A-Fa-f:.]+\]|[^\s/?#@,*:\[\]]+)(?::[0-9]+)?")
_KINDS = {dict: "a mapping", yaml.MappingNode: "a mapping", list: "a list", yaml.SequenceNode: "a list"}


@dataclass(frozen=True, slots=True)
class _Located:
    """A YAML or environment value and where it was read, for error messages.

    `value` is a scalar, a list of `_Located` or a dict of `_Located` by key.
    """

    value: Any
    where: str
    is_text: bool = False


def load_config(
    path: str | os.PathLike[str] = DEFAULT_FILE, environment: Mapping[str, str] | None = None
) -> ServiceConfig:
    """Read a configuration file and the environment's overrides.

    Args:
        path: The YAML file; relative paths inside it resolve against its folder.
        environment: Environment variables; only those with the prefix are looked at.

    Raises:
        ConfigInvalid: Names the key, where it stands, and what was expected.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigInvalid(f"no configuration file '{path}'; create it or name another one with --config") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigInvalid(f"the configuration file '{path}' cannot be read: {error}") from error
    root = _Located({}, str(path))
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        root = _locate(node, path) if node is not None else root
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise ConfigInvalid(f"{path}{line}: not valid YAML: {getattr(error, 'problem', error)}") from error
    except RecursionError:
        raise ConfigInvalid(f"{path}: nested too deeply, or an alias that contains itself") from None
    for name, value in sorted((environment or {}).items(), key=_in_order):
        if name.startswith(ENVIRONMENT_PREFIX):
            root = _override(root, _split(name), _environment(name, value))
    for name, key, value in translate_platform(environment or {}):
        root = _override(root, key, _environment(name, value))
    config: ServiceConfig = _build(ServiceConfig, root, "", path.parent)
    # Its default, too, starts at the folder of the file.
    config = replace(config, jobs=replace(config.jobs, folder=(path.parent / config.jobs.folder).absolute()))
    _check_tls(config.server)
    _check_root_path(config.server)
    _check_networks("server.trusted_proxies", config.server.trusted_proxies, others=("*",))
    _check_callbacks(config.jobs)
    _check_invocations(config.invocations)
    _check_origins(config.server)
    for place, model in enumerate(config.models):
        _check_backend(model, f"models[{place}]")
    return config


def write_config(config: ServiceConfig, path: Path) -> None:
    """Write a configuration, overrides and all, for `load_config` to read the same from anywhere."""
    path.write_text(yaml.safe_dump(_dump(config), allow_unicode=True), encoding="utf-8")


def _dump(value: Any) -> Any:
    """Return a dataclass as a mapping of what differs from its defaults, and other values as YAML has them."""
    if dataclasses.is_dataclass(value):
        pairs = [(key, field, getattr(value, field.name)) for key, field, _ in list_keys(type(value))]
        return {key: _dump(each) for key, field, each in pairs if each != field.default}
    if isinstance(value, tuple):
        return [_dump(each) for each in value]
    if isinstance(value, StrEnum):
        return value.value
    return str(value.absolute()) if isinstance(value, Path) else value


def _locate(node: yaml.Node, path: Path) -> _Located:
    where = f"{path}, line {node.start_mark.line + 1}"
    if isinstance(node, yaml.MappingNode):
        entries: dict[str, _Located] = {}
        for key_node, value_node in node.value:
            key, line = key_node.value, key_node.start_mark.line + 1
            if not isinstance(key, str):
                raise ConfigInvalid(f"{path}, line {line}: a key must be text, not {_KINDS[type(key_node)]}")
            if key in entries:
                raise ConfigInvalid(f"{path}, line {line}: '{key}' is given twice; keep one")
            # A long value may begin on a later line; what is wrong with an entry is looked for at its key.
            entries[key] = replace(_locate(value_node, path), where=f"{path}, line {line}")
        return _Located(entries, where)
    if isinstance(node, yaml.SequenceNode):
        return _Located([_locate(child, path) for child in node.value], where)
    try:
        return _Located(yaml.SafeLoader("").construct_object(node), where)
    except _YAML_SURPRISES:
        return _Located(node.value, where)


def _split(name: str) -> list[str]:
    return name.removeprefix(ENVIRONMENT_PREFIX).lower().split("__")


def _in_order(variable: tuple[str, str]) -> list[tuple[int, str]]:
    """Sort ``MODELS__2`` before ``MODELS__10``: an entry is added only after those before it."""
    return [(int(part) if part.isdecimal() else -1, part) for part in _split(variable[0])]


def _environment(name: str, value: str) -> _Located:
    return _Located(value, f"environment variable {name}", is_text=True)


def _override(tree: _Located, path: list[str], value: _Located) -> _Located:
    """Return the tree with one value replaced; a number in the path is a place in a list."""
    if not path:
        return value
    head, rest = path[0], path[1:]
    if head.isdecimal() and (tree.value is None or isinstance(tree.value, list)):
        entries = list(tree.value or [])
        if int(head) > len(entries):
            raise ConfigInvalid(f"{value.where}: there are {len(entries)} entries; the next one is {len(entries)}")
        old = entries[int(head)] if int(head) < len(entries) else _Located({}, value.where)
        entries[int(head) : int(head) + 1] = [_override(old, rest, value)]
        return _Located(entries, tree.where)
    known = tree.value if isinstance(tree.value, dict) else {}
    missing = _Located(None if rest[:1] and rest[0].isdecimal() else {}, value.where)
    return _Located({**known, head: _override(known.get(head, missing), rest, value)}, tree.where)


def _build(kind: Any, located: _Located, path: str, folder: Path) -> Any:
    """Build a dataclass from a mapping, checking every key, type and bound."""
    entries = {} if located.value is None else located.value
    if not isinstance(entries, dict):
        name = f"'{path.removesuffix('.')}'" if path else "the file"
        raise ConfigInvalid(f"{located.where}: {name} must be a mapping of keys to values")
    fields = {key: (field, annotation) for key, field, annotation in list_keys(kind)}
    for key, value in entries.items():
        if key not in fields:
            close = get_close_matches(key, fields, n=1)
            hint = f"did you mean '{close[0]}'? " if close else ""
            raise ConfigInvalid(f"{value.where}: unknown key '{path}{key}'; {hint}known keys: {', '.join(fields)}")
    arguments = {}
    for key, (field, annotation) in fields.items():
        if key in entries:
            arguments[field.name] = _convert(annotation, field, entries[key], path + key, folder)
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise ConfigInvalid(f"{located.where}: '{path}{key}' is missing; {field.metadata['help']}")
    return kind(**arguments)


def _convert(annotation: Any, field: "dataclasses.Field[Any]", located: _Located, path: str, folder: Path) -> Any:
    if dataclasses.is_dataclass(annotation):
        return _build(annotation, located, f"{path}.", folder)
    if typing.get_origin(annotation) is tuple:
        if located.is_text and isinstance(located.value, str) and typing.get_args(annotation)[0] is str:
            names = [name.strip() for name in located.value.split(",")]
            located = replace(located, value=[replace(located, value=name) for name in names if name])
        if not isinstance(located.value, list | None):
            raise ConfigInvalid(f"{located.where}: '{path}' must be a list")
        kind = typing.get_args(annotation)[0]
        return tuple(_convert(kind, field, each, f"{path}[{i}]", folder) for i, each in enumerate(located.value or []))
    value = _parse(located.value, annotation) if located.is_text else located.value
    scalar = find_scalar(annotation)
    if scalar is Batching and isinstance(value, bool):  # YAML reads `on` and `off` as booleans
        value = Batching.ON if value else Batching.OFF
    if value is None and annotation != scalar:
        return None
    if issubclass(scalar, StrEnum) and isinstance(value, str) and value in set(scalar):
        return scalar(value)
    if scalar is Path and isinstance(value, str) and value:
        return folder / value
    kinds = (int, float) if scalar is float else (scalar,)
    if scalar in (str, int, float, bool) and type(value) in kinds and value != "":
        bounds = field.metadata["bounds"]
        if bounds is None or bounds[0] <= value <= bounds[1]:
            return scalar(value)
    found = _KINDS.get(type(located.value)) or repr(located.value)
    raise ConfigInvalid(f"{located.where}: '{path}' must be {describe_type(annotation, field)}, not {found}")


def _parse(text: str, annotation: Any) -> Any:
    """Read the text of an environment variable as YAML would, but for strings, which it may hold as they are."""
    if find_scalar(annotation) in (int, float, bool) or find_scalar(annotation) != annotation:
        try:
            value = yaml.safe_load(text)
        except (yaml.YAMLError, RecursionError, *_YAML_SURPRISES):
            return text
        return text if find_scalar(annotation) is Path and value is not None else value
    return text


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


def _check_backend(model: ModelConfig, path: str) -> None:
    for key, field, _ in list_keys(ModelConfig):
        only = field.metadata["only"]
        if only not in (None, model.backend) and getattr(model, field.name) != field.default:
            raise ConfigInvalid(f"'{path}.{key}' works with backend: {only} only; remove it, or set backend: {only}")
