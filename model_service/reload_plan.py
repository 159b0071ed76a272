"""What a reload changes, in lines for people. Pure: two configurations and two lists of models in, lines out.

+ iris_model 1.3.0              it is new
- dna 0.9                       it is gone
~ loan_model 2.0.0 replicas 1 -> 2
! server.port 8000 -> 9000 needs a restart
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any

from model_service.config import ModelConfig, ServerConfig, ServiceConfig
from model_service.config_keys import list_keys
from model_service.records import ModelState
from model_service.reporting import ModelReport

#: What all generations of a service share.
FIXED = ("host", "port", "grpc_port", "unix_socket", "workers", "model_threads")
#: What is said when nothing differs.
SAME = "nothing has changed; every process is a new one all the same"


@dataclass(frozen=True, slots=True)
class Served:
    """What a generation serves.

    Attributes:
        models: One per entry of the configuration; empty where nothing is known of them.
    """

    config: ServiceConfig
    models: Sequence[ModelReport]


def keep_fixed(running: ServerConfig, wanted: ServerConfig) -> tuple[ServerConfig, list[str]]:
    """Return what a reload can make of the wanted settings, and lines about what needs a restart."""
    kept = {name: getattr(running, name) for name in FIXED}
    lines = [
        f"! server.{name} {_word(kept[name])} -> {_word(getattr(wanted, name))} needs a restart"
        for name in FIXED
        if kept[name] != getattr(wanted, name)
    ]
    return replace(wanted, **kept), lines


def make_plan(before: Served, after: Served) -> list[str]:
    """Return one line for each model and each section that differs; empty when nothing does."""
    old, new = _by_name(before), _by_name(after)
    lines = [f"+ {label}" for label in new if label not in old]
    lines += [f"- {label}" for label in old if label not in new]
    for label in new.keys() & old.keys():
        changes = _find_changes(*old[label], *new[label])
        lines += [f"~ {label} {', '.join(changes)}"] if changes else []
    lines += [f"~ server.{text}" for text in _compare(ServerConfig, before.config.server, after.config.server)]
    for field in fields(ServiceConfig):
        name = field.name
        if name not in ("server", "models") and getattr(before.config, name) != getattr(after.config, name):
            lines.append(f"~ {name}")  # its values may be secret
    return lines


def find_refusal(known: Iterable[str], models: Iterable[ModelReport]) -> str | None:
    """Return why models are not fit to follow others, if they are not: those that fail, unless they did so before.

    Args:
        known: The classes of models that failed before, which is no reason as long as they are not required.
        models: Of the new generation.
    """
    failed = [
        model
        for model in models
        if model.state is ModelState.FAILED and (model.is_required or model.class_path not in set(known))
    ]
    if not failed:
        return None
    return "; ".join(dict.fromkeys(_word_failure(model) for model in failed))


def _by_name(served: Served) -> dict[str, tuple[ModelConfig, ModelReport]]:
    return {model.label: (entry, model) for entry, model in zip(served.config.models, served.models, strict=False)}


def _find_changes(old: ModelConfig, was: ModelReport, new: ModelConfig, now: ModelReport) -> list[str]:
    changes = list(_compare(ModelConfig, old, new))
    if was.digest is not None and now.digest is not None and was.digest != now.digest:
        changes.append("other code, artifacts or descriptions in the same version")
    if was.state is not now.state and ModelState.LOADING not in (was.state, now.state):
        changes.append(f"{was.state} -> {now.state}")
    return changes


def _compare(kind: type, old: Any, new: Any) -> list[str]:
    pairs = [(key, getattr(old, field.name), getattr(new, field.name)) for key, field, _ in list_keys(kind)]
    return [f"{key} {_word(before)} -> {_word(after)}" for key, before, after in pairs if before != after]


def _word(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_word, value)) + "]"
    return "null" if value is None else value.value if isinstance(value, StrEnum) else str(value)


def _word_failure(model: ModelReport) -> str:
    problem = model.problem
    assert problem is not None  # it has failed
    return f"{model.label} failed: {problem.problem} ({problem.cause}); {problem.remedy}"
