"""``config.yaml`` and the environment, read once into frozen dataclasses.

The only reader of both. A key is one `setting` below: its name, type, default,
bounds and sentence serve the loader, the error messages and
``docs/configuration.md`` (`describe_settings`).

Every key can be overridden by an environment variable named after its path:
``MODEL_SERVICE__SERVER__PORT=9000``, ``MODEL_SERVICE__MODELS__0__REQUIRED=true``.
Nothing is merged silently: an unknown key or variable refuses to start.
"""

import dataclasses
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml

from model_service.errors import ConfigInvalid

ENVIRONMENT_PREFIX = "MODEL_SERVICE__"
DEFAULT_FILE = Path("config.yaml")
#: What PyYAML raises beside its own errors for a scalar that only looks like a number or a date: 2020-13-45.
_YAML_SURPRISES = (ValueError, KeyError, AttributeError)
_KINDS = {dict: "a mapping", yaml.MappingNode: "a mapping", list: "a list", yaml.SequenceNode: "a list"}
MIB = 1024 * 1024


class LogFormat(StrEnum):
    """How log lines are written."""

    AUTO = "auto"
    JSON = "json"
    TEXT = "text"


class LogLevel(StrEnum):
    """The least severe lines that are written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class BackendName(StrEnum):
    """Where a model's code runs."""

    LOCAL = "local"
    PROCESS = "process"


def setting(
    default: Any = dataclasses.MISSING,
    *,
    help: str,
    key: str | None = None,
    bounds: tuple[float, float] | None = None,
    factory: Callable[[], Any] | None = None,
) -> Any:
    """Declare one key: a dataclass field with its sentence, its name in YAML and its inclusive bounds."""
    metadata = {"help": help, "key": key, "bounds": bounds}
    if factory is not None:
        return dataclasses.field(default_factory=factory, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfig:
    """How the HTTP server listens and what it refuses."""

    host: str = setting("127.0.0.1", help="Address to listen on; `0.0.0.0` for every interface.")
    port: int = setting(8000, bounds=(1, 65535), help="Port to listen on.")
    workers: int = setting(1, bounds=(1, 256), help="Worker processes; each loads the models that run `local`.")
    threads: int = setting(4, bounds=(1, 512), help="Requests that one worker answers at the same time.")
    max_body_bytes: int = setting(
        16 * MIB,
        bounds=(1, 4096 * MIB),
        help="Largest request body, in bytes; a larger one is refused while it is read.",
    )
    max_request_rows: int = setting(
        10_000, bounds=(1, 10_000_000), help="Most payloads in one JSON array of a predict request."
    )
    shutdown_timeout_s: int = setting(
        30, bounds=(1, 3600), help="Seconds that running requests have to finish after SIGTERM."
    )
    tls_certificate: Path | None = setting(
        None, help="PEM file with the certificate chain; with `tls_key`, serves HTTPS."
    )
    tls_key: Path | None = setting(None, help="PEM file with the private key of `tls_certificate`.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """One model to serve."""

    class_path: str = setting(
        key="class",
        help="The `MLModel` subclass as `package.Class` or `package.module:Class`; its package is installed.",
    )
    default: bool = setting(
        False, help="Requests that name no version go to this entry instead of the highest version of the name."
    )
    required: bool = setting(False, help="`/health/ready` answers 503 while this model is not ready.")
    backend: BackendName = setting(BackendName.LOCAL, help="`local`: inside each worker; `process`: on its own.")
    replicas: int = setting(1, bounds=(1, 64), help="`process`: how many processes, shared by all workers.")
    python: Path | None = setting(None, help="`process`: interpreter of another environment that has the package.")
    timeout_s: float = setting(60.0, bounds=(0.01, 86400), help="`process`: seconds a prediction may take.")
    start_timeout_s: float = setting(120.0, bounds=(0.1, 86400), help="`process`: seconds a process may take to load.")
    max_memory_bytes: int | None = setting(
        None, bounds=(MIB, 2**50), help="`process`: resident memory above which a process is killed and replaced."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggingConfig:
    """What is logged to standard error, and how."""

    level: LogLevel = setting(LogLevel.INFO, help="The least severe lines that are written.")
    format: LogFormat = setting(
        LogFormat.AUTO, help="`json`: one object a line; `text`: for people; `auto`: text on a terminal, else JSON."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceConfig:
    """The whole configuration."""

    server: ServerConfig = setting(factory=ServerConfig, help="How the HTTP server listens and what it refuses.")
    models: tuple[ModelConfig, ...] = setting((), help="The models to serve, in the order they are listed.")
    logging: LoggingConfig = setting(factory=LoggingConfig, help="What is logged to standard error, and how.")


@dataclass(frozen=True, slots=True)
class _Located:
    """A YAML or environment value and where it was read, for error messages.

    `value` is a scalar, a list of `_Located` or a dict of `_Located` by key.
    """

    value: Any
    where: str
    is_text: bool = False


def load_config(path: Path = DEFAULT_FILE, environment: Mapping[str, str] | None = None) -> ServiceConfig:
    """Read a configuration file and the environment's overrides.

    Args:
        path: The YAML file; relative paths inside it resolve against its folder.
        environment: Environment variables; only those with the prefix are looked at.

    Raises:
        ConfigInvalid: Names the key, where it stands, and what was expected.
    """
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
    config = _build(ServiceConfig, root, "", path.parent)
    _check_tls(config.server)
    return typing.cast(ServiceConfig, config)


def describe_settings() -> Iterator[tuple[str, str, str, str]]:
    """Yield ``(path, type, default, sentence)`` of every key, in the order of the dataclasses."""
    yield from _describe(ServiceConfig, "")


def _describe(kind: type, prefix: str) -> Iterator[tuple[str, str, str, str]]:
    for field, annotation in _fields(kind):
        path = prefix + _key(field)
        if dataclasses.is_dataclass(annotation):
            yield from _describe(typing.cast(type, annotation), f"{path}.")
        elif typing.get_origin(annotation) is tuple:
            yield from _describe(typing.get_args(annotation)[0], f"{path}[].")
        else:
            default = "(required)" if field.default is dataclasses.MISSING else yaml.safe_dump(_plain(field.default))
            yield path, _expected(annotation, field), default.removesuffix("...\n").strip(), field.metadata["help"]


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, StrEnum) else value


def _fields(kind: type) -> list[tuple["dataclasses.Field[Any]", Any]]:
    hints = typing.get_type_hints(kind)
    return [(field, hints[field.name]) for field in dataclasses.fields(kind)]


def _key(field: "dataclasses.Field[Any]") -> str:
    return field.metadata["key"] or field.name


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
    fields = {_key(field): (field, annotation) for field, annotation in _fields(kind)}
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
        if not isinstance(located.value, list | None):
            raise ConfigInvalid(f"{located.where}: '{path}' must be a list")
        kind = typing.get_args(annotation)[0]
        return tuple(_build(kind, entry, f"{path}[{i}].", folder) for i, entry in enumerate(located.value or []))
    value = _parse(located.value, annotation) if located.is_text else located.value
    scalar = _scalar(annotation)
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
    raise ConfigInvalid(f"{located.where}: '{path}' must be {_expected(annotation, field)}, not {found}")


def _parse(text: str, annotation: Any) -> Any:
    """Read the text of an environment variable as YAML would, but for strings, which it may hold as they are."""
    if _scalar(annotation) in (int, float, bool) or _scalar(annotation) != annotation:
        try:
            value = yaml.safe_load(text)
        except (yaml.YAMLError, RecursionError, *_YAML_SURPRISES):
            return text
        return text if _scalar(annotation) is Path and value is not None else value
    return text


def _scalar(annotation: Any) -> type:
    """Return ``X`` of ``X`` and of ``X | None``."""
    if isinstance(annotation, types.UnionType):
        annotation = next(kind for kind in typing.get_args(annotation) if kind is not types.NoneType)
    return typing.cast(type, annotation)


def _expected(annotation: Any, field: "dataclasses.Field[Any]") -> str:
    scalar = _scalar(annotation)
    bounds = field.metadata["bounds"]
    if issubclass(scalar, StrEnum):
        text = "one of " + ", ".join(scalar)
    elif bounds is not None:
        text = f"{'an integer' if scalar is int else 'a number'} from {bounds[0]} to {bounds[1]}"
    else:
        text = {str: "a string", bool: "true or false", Path: "a path"}[scalar]
    return text if scalar is annotation else f"{text}, or null"


def _check_tls(server: ServerConfig) -> None:
    if (server.tls_certificate is None) != (server.tls_key is None):
        raise ConfigInvalid("'server.tls_certificate' and 'server.tls_key' go together: give both or neither")
    for key, path in (("tls_certificate", server.tls_certificate), ("tls_key", server.tls_key)):
        if path is not None and not path.is_file():
            raise ConfigInvalid(f"'server.{key}': there is no file '{path}'")
