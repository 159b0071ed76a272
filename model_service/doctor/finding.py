"""What a check is told, and what it finds."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from model_service.config import ServiceConfig
from model_service.config_file import load_config
from model_service.errors import ServiceError


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a check has found.

    Attributes:
        check: The name of the check.
        evidence: What was seen, in one line.
        remedy: What to do; empty where nothing is wrong.
    """

    check: str
    level: Level
    evidence: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """What is examined.

    Attributes:
        path: The configuration file.
        environment: Environment variables.
        config: What they say together; ``None`` where that cannot be read.
        fault: Why it cannot.
    """

    path: Path
    environment: Mapping[str, str]
    config: ServiceConfig | None
    fault: ServiceError | None = None


def read_case(path: Path, environment: Mapping[str, str]) -> Case:
    """Return the case of a configuration file, also of one that cannot be read."""
    try:
        return Case(path, environment, load_config(path, environment))
    except ServiceError as error:
        return Case(path, environment, None, error)
