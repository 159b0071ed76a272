"""The rules of the house as functions of a source tree, so that planted violations can test the rules."""

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = "model_service"

#: Lowest first. A module imports only from lower rows, or from inside its own place.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("errors", "records", "naming", "tracing.context"),
    ("model", "strict_json", "artifacts", "threads", "fields", "types", "columns", "tables", "memory"),
    ("arrays", "explain", "onnx", "training"),
    ("schema",),
    ("files", "frames"),
    (
        "config_setting",
        "config_access",
        "config_jobs",
        "config_traffic",
        "config_predictions",
        "config_metrics",
        "config_tracing",
        "config",
        "config_keys",
        "config_platforms",
        "config_checks",
        "config_file",
        "observability",
        "metrics",
        "request_log",
        "tracing",
    ),
    ("access", "loading", "home", "listening", "last_call", "testing", "audit", "conformance"),
    ("control", "worker_place", "scaffold"),
    ("backends", "doctor"),
    ("prediction_log",),
    ("drift",),
    ("registry",),
    ("manager",),
    ("reporting", "reload_plan"),
    ("outcomes",),
    ("shadows",),
    ("prediction",),
    ("scoring", "explaining"),
    ("jobs",),
    ("transports.inference", "transports.notices"),
    ("transports.http", "transports.grpc", "transports"),
    ("service",),
    ("wiring", "worker", "describing", "fleet", "notebook"),
    ("reloading", "service_status", "drift_watch", "saves"),
    ("parent",),
    ("cli", "__main__"),
)
#: Places of one row that may import each other, because they are parts of one thing.
SIBLINGS = {
    ("errors", "records"),
    ("records", "tracing.context"),
    ("artifacts", "model"),
    ("types", "fields"),
    ("onnx", "arrays"),
    ("training", "arrays"),
    ("training", "onnx"),
    ("testing", "loading"),
    ("testing", "conformance"),
    ("conformance", "loading"),
    ("conformance", "audit"),
    ("conformance", "home"),
    ("audit", "loading"),
    ("observability", "config"),
    ("request_log", "config"),
    ("request_log", "observability"),
    ("config_access", "config_setting"),
    ("config_jobs", "config_setting"),
    ("config_traffic", "config_setting"),
    ("config", "config_traffic"),
    ("config_checks", "config"),
    ("config_checks", "config_jobs"),
    ("config_checks", "config_keys"),
    ("config_file", "config_checks"),
    ("config_predictions", "config_setting"),
    ("config", "config_predictions"),
    ("config", "config_access"),
    ("request_log", "metrics"),
    ("request_log", "tracing"),
    ("tracing", "config_tracing"),
    ("config_tracing", "config_setting"),
    ("config", "config_tracing"),
    ("config_checks", "config_tracing"),
    ("config_jobs", "config_setting"),
    ("config_metrics", "config_setting"),
    ("config", "config_metrics"),
    ("config", "config_jobs"),
    ("config", "config_setting"),
    ("config_file", "config"),
    ("config_file", "config_keys"),
    ("config_file", "config_platforms"),
    ("config_keys", "config"),
    ("reload_plan", "reporting"),
    ("listening", "last_call"),
    ("__main__", "cli"),
}
#: Of `model-service new`, what runs as a process of its own and has the libraries of the training.
PROGRAMS = ("scaffold.pickled", "scaffold.graphs", "scaffold.conversion")
#: Who may import a library: module prefixes below the package.
ONLY_IN = {
    "flask": ("transports.http", "service", "wiring"),
    "werkzeug": ("transports.http",),
    "apispec": ("transports.http",),
    "marshmallow": ("transports.http",),
    "flask_swagger_ui": ("transports.http",),
    "flask_bootstrap": ("transports.http",),
    "flask_compress": ("transports.http",),
    "markdown_it": ("transports.http",),
    "uvicorn": ("transports.http",),
    "httptools": ("transports.http.protocol",),
    "a2wsgi": ("transports.http.application",),
    "uvloop": ("worker",),
    "jsonschema": ("schema.validation", "schema.messages"),
    "jsonschema_rs": ("schema.verdict",),
    "orjson": ("strict_json",),
    "pyarrow": ("files.arrow_rows", "files.arrow_writing"),
    "onnxruntime": ("onnx",),
    "numpy": ("arrays", "columns", "explain", "tables", "schema.table_validation", "training", *PROGRAMS),
    "sklearn": ("training.sklearn", "training.pipelines", "training.doubles", "scaffold.pickled"),
    "joblib": ("scaffold.pickled",),
    "torch": ("training.torch",),
    "click": ("cli",),
    "pytest": ("conformance.pytest_plugin",),
    "prometheus_client": ("metrics.exposition",),
    "sqlalchemy": ("jobs",),
    "alembic": ("jobs.database", "jobs.migrations"),
    "fsspec": ("jobs.objects", "cli.locations"),
    "grpc": ("transports.grpc",),
    "grpc_health": ("transports.grpc",),
    "grpc_reflection": ("transports.grpc",),
    "google": ("transports.grpc",),
    "opentelemetry": ("tracing.export",),
    "ray": ("backends.ray_serve",),
}
#: Calls that read YAML or the environment; `os.environ` may also be handed on by those who call `load_config`.
READERS = {"yaml.safe_load", "yaml.load", "yaml.compose", "os.getenv", "os.environ.get"}
MAX_MODULE_LINES = 350
MAX_FUNCTION_LINES = 50


def find_violations(root: Path) -> list[str]:
    """Return every broken rule of the package below ``root``, as ``module: what is wrong``."""
    found: list[str] = []
    for path in sorted((root / PACKAGE).rglob("*.py")):
        module = ".".join(path.relative_to(root / PACKAGE).with_suffix("").parts).removesuffix(".__init__")
        source = path.read_text(encoding="utf-8")
        tree = ast.parse(source)
        for rule in (_layers, _libraries, _readers, _local_imports, _sizes):
            found.extend(f"{module}: {fault}" for fault in rule(module, tree))
        if source.count("\n") > MAX_MODULE_LINES:
            found.append(f"{module}: {source.count(chr(10))} lines, more than {MAX_MODULE_LINES}")
    return found


def find_layer(module: str) -> tuple[int, str] | None:
    """Return the row and the place of a module, or ``None`` when it has none."""
    for row, places in enumerate(LAYERS):
        for place in places:
            if module == place or module.startswith(place + "."):
                return row, place
    return None


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            # `from package import submodule` imports the submodule.
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _layers(module: str, tree: ast.AST) -> Iterator[str]:
    if module in ("", "__init__"):
        return
    own = find_layer(module)
    if own is None:
        yield "has no layer; give it a row in LAYERS"
        return
    for name in _imports(tree):
        if not name.startswith(PACKAGE + "."):
            continue
        target = find_layer(name.removeprefix(PACKAGE + "."))
        if target is None or target == own or target[0] < own[0]:
            continue
        if (own[1], target[1]) not in SIBLINGS:
            yield f"imports {name} from its own layer or above"


def _libraries(module: str, tree: ast.AST) -> Iterator[str]:
    for name in _imports(tree):
        allowed = ONLY_IN.get(name.partition(".")[0])
        if allowed is not None and not any(module == place or module.startswith(place + ".") for place in allowed):
            yield f"imports {name.partition('.')[0]}, which belongs to {', '.join(allowed)}"


def _readers(module: str, tree: ast.AST) -> Iterator[str]:
    if module == "config_file":
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in READERS:
            yield f"calls {ast.unparse(node.func)}, which belongs to config_file"
        elif isinstance(node, ast.Subscript) and ast.unparse(node.value) == "os.environ":
            yield "reads os.environ, which belongs to config_file"


def _local_imports(module: str, tree: ast.AST) -> Iterator[str]:
    if module == "wiring":
        return
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.Import | ast.ImportFrom):
                    yield f"imports inside the function {function.name}"


def _sizes(module: str, tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > MAX_FUNCTION_LINES:
                yield f"the function {node.name} has {lines} lines, more than {MAX_FUNCTION_LINES}"
