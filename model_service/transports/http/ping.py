"""Which model a request without a name means, and whether it answers. It knows no framework.

SageMaker asks `/ping` before it sends anything, and takes a container out that does not answer 200: so 200 means that
`/invocations` works now.
"""

from model_service.config import InvocationsConfig
from model_service.errors import ModelNotFound, ServiceError
from model_service.manager import ModelManager
from model_service.records import ModelState
from model_service.transports.http.health import LIVE, READY

PING, INVOCATIONS = "/ping", "/invocations"
#: The header that names a model of several.
TARGET_MODEL = "X-Amzn-SageMaker-Target-Model"
_ARCHIVE = ".tar.gz"
_HEADERS = (("Cache-Control", "no-cache"), ("X-Content-Type-Options", "nosniff"))


def list_paths(config: InvocationsConfig) -> tuple[list[str], list[str]]:
    """Return the paths that answer as `/ping`, and those that answer as `/invocations`; no health of our own."""
    pings, invocations = [PING], [INVOCATIONS]
    if config.health_route not in (None, PING, LIVE, READY):
        pings.append(str(config.health_route))
    if config.predict_route not in (None, INVOCATIONS):
        invocations.append(str(config.predict_route))
    return pings, invocations


def name_target(
    manager: ModelManager, config: InvocationsConfig, path: str = INVOCATIONS, header: str = ""
) -> tuple[str, str | None]:
    """Return the name and the version of the model that a request means.

    Its path counts where it names a model of a container; the header counts more than the name of an endpoint, in
    which hyphens stand for underscores.

    Args:
        manager: Knows the models.
        config: Names the default one.
        path: Of the request: any that answers as `/invocations`.
        header: `TARGET_MODEL` of the request: ``name``, ``name/version``, either with the ``.tar.gz`` that multi-model
            endpoints know it by; empty where it says nothing.

    Raises:
        ModelNotFound: It names none, and there is no default.
    """
    match path.split("/"):
        case ["", "models", named, "invoke", *_]:
            asked = named
        case ["", "endpoints", named, "invocations", *_]:
            asked = header or named.replace("-", "_")
        case _:
            asked = header
    if asked:
        name, _, version = asked.strip().removeprefix("/").removesuffix(_ARCHIVE).partition("/")
        return name, version or None
    if config.default_model is not None:
        return config.default_model, None
    names = {status.qualified_name for status in manager.get_models()}
    if len(names) == 1:
        return names.pop(), None
    listed = f"configured: {', '.join(sorted(names))}" if names else "none is configured"
    raise ModelNotFound(
        "the request names no model, and no default is set; send the header 'X-Amzn-SageMaker-Target-Model', or set "
        f"'invocations.default_model'; {listed}"
    )


def answer_ping(manager: ModelManager, config: InvocationsConfig) -> tuple[int, list[tuple[str, str]], bytes]:
    """Return status, headers and body of the answer at `/ping`: 200 and nothing, or 503 and why."""
    problem = None if config.multi_model else _find_problem(manager, config)
    headers = [("Content-Type", "text/plain; charset=utf-8"), *_HEADERS]
    if problem is None:
        return 200, headers, b""
    return 503, [*headers, ("Retry-After", "5")], f"{problem}\n".encode()


def _find_problem(manager: ModelManager, config: InvocationsConfig) -> str | None:
    models = manager.get_models()
    if config.default_model is None and len({status.qualified_name for status in models}) > 1:
        return None if manager.is_ready() else "models are loading, or failed; GET /health/ready lists them"
    try:
        status = manager.get_model_metadata(*name_target(manager, config))
    except ServiceError as error:
        return error.message
    if status.state is ModelState.READY:
        return None
    return f"model '{status.qualified_name}' is {status.state}; GET /api/models says why"
