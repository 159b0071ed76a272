"""Names of components and operations that stay apart in every generator of clients.

Generators turn ``predict_iris_model__1_0_0`` into ``predictIrisModel100``: separators and capitals are lost. So names
are compared without both, and versions are spelt with words for their separators.
"""

from collections.abc import Iterable

from model_service.records import ModelInfo

_WORDS = str.maketrans({".": "dot", "+": "plus", "!": "epoch"})


def name_components(infos: Iterable[tuple[ModelInfo, bool]]) -> list[str]:
    """Return a component prefix per model, ``IrisModel`` for the default version of ``iris_model``.

    Args:
        infos: Each model and whether it is the default version of its name.
    """
    names = _Names()
    return [
        names.take(_pascal_case(info.qualified_name) + ("" if is_default else f"V{_spell_version(info)}"))
        for info, is_default in infos
    ]


def name_operations(infos: Iterable[tuple[ModelInfo, bool]]) -> list[tuple[str, str]]:
    """Return what ends the operation ids of each model: below its name, and below its version.

    Args:
        infos: As for `name_components`. Of the first names, only those of default versions are used.
    """
    names, taken = _Names(), list(infos)
    plain = [names.take(info.qualified_name) if is_default else "" for info, is_default in taken]
    versioned = [names.take(f"{info.qualified_name}_v{_spell_version(info)}") for info, _ in taken]
    return list(zip(plain, versioned, strict=True))


class _Names:
    """Hands out names, each with a number behind it if another one is too much like it."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def take(self, name: str) -> str:
        free, number = name, 1
        while _squeeze(free) in self._taken:
            number += 1
            free = f"{name}_{number}"
        self._taken.add(_squeeze(free))
        return free


def _squeeze(name: str) -> str:
    return name.replace("_", "").lower()


def _pascal_case(qualified_name: str) -> str:
    return "".join(part.capitalize() for part in qualified_name.split("_"))


def _spell_version(info: ModelInfo) -> str:
    return "".join(c if c.isalnum() else "_" for c in info.version.translate(_WORDS))
