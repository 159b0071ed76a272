"""What hosting platforms tell a container in its environment, as keys of the configuration. It reads nothing.

SageMaker: the variables of its inference toolkit and of batch transform. Vertex AI: those of custom containers.
They come after everything else in a configuration, because they say where the platform calls.
"""

from collections.abc import Callable, Iterator, Mapping

_MIB = 1024 * 1024


def _read_megabytes(text: str) -> str | None:
    """Return bytes; ``None`` for 0, which means any number: then the bound of the configuration stays."""
    if not text.isdecimal():
        return text
    return str(int(text) * _MIB) if int(text) else None


def _read_level(text: str) -> str | None:
    """Return the name of a level of logging, which the platform gives as a number."""
    if not text.isdecimal():
        return text.lower()
    names = ("debug", "info", "warning", "error")
    return names[min(max(int(text) // 10, 1), len(names)) - 1]


def _read_text(text: str) -> str | None:
    return text


#: Variable -> the key that it sets, and what its text becomes there.
VARIABLES: dict[str, tuple[str, Callable[[str], str | None]]] = {
    "SAGEMAKER_BIND_TO_PORT": ("server.port", _read_text),
    "SAGEMAKER_MODEL_SERVER_WORKERS": ("server.workers", _read_text),
    "SAGEMAKER_MAX_PAYLOAD_IN_MB": ("server.max_body_bytes", _read_megabytes),
    "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": ("invocations.default_accept", _read_text),
    "SAGEMAKER_BATCH": ("invocations.lenient", _read_text),
    "SAGEMAKER_MULTI_MODEL": ("invocations.multi_model", _read_text),
    "SAGEMAKER_CONTAINER_LOG_LEVEL": ("logging.level", _read_level),
    # Nobody but Vertex AI reaches the container, and it has asked its callers who they are (IAM).
    "AIP_MODE": ("access.allow_anonymous", lambda text: "true"),
    "AIP_HTTP_PORT": ("server.port", _read_text),
    "AIP_PREDICT_ROUTE": ("invocations.predict_route", _read_text),
    "AIP_HEALTH_ROUTE": ("invocations.health_route", _read_text),
}


def translate_platform(environment: Mapping[str, str]) -> Iterator[tuple[str, list[str], str]]:
    """Yield ``(variable, path of the key, text)`` of every variable of a platform that says something."""
    for variable, (key, read) in VARIABLES.items():
        text = environment.get(variable, "").strip()
        value = read(text) if text else None
        if value is not None:
            yield variable, key.split("."), value
