"""What every command reads its configuration from."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from model_service.config import ServiceConfig
from model_service.config_file import load_config


@dataclass(frozen=True, slots=True)
class ConfigSource:
    """A configuration file and the environment that overrides it."""

    path: Path
    environment: Mapping[str, str]

    def load(self) -> ServiceConfig:
        """Return the configuration."""
        return load_config(self.path, self.environment)
