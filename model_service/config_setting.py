"""`setting`: how a key of the configuration is declared."""

import dataclasses
from collections.abc import Callable
from typing import Any

MIB = 1024 * 1024


def setting(
    default: Any = dataclasses.MISSING,
    *,
    help: str,
    key: str | None = None,
    bounds: tuple[float, float] | None = None,
    only: str | None = None,
    factory: Callable[[], Any] | None = None,
) -> Any:
    """Declare one key: a dataclass field with its sentence, its name in YAML, its bounds, the one backend it is for."""
    metadata = {"help": help if only is None else f"`{only}`: {help}", "key": key, "bounds": bounds, "only": only}
    if factory is not None:
        return dataclasses.field(default_factory=factory, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)
