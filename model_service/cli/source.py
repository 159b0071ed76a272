"""What every command reads its configuration from."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import click

from model_service.config import ServiceConfig
from model_service.config_file import DEFAULT_FILE, load_config


@dataclass(frozen=True, slots=True)
class ConfigSource:
    """A configuration file and the environment that overrides it."""

    path: Path
    environment: Mapping[str, str]

    def load(self) -> ServiceConfig:
        """Return the configuration."""
        return load_config(self.path, self.environment)


def _use_path(context: click.Context, parameter: click.Parameter, path: Path | None) -> None:
    if path is not None:
        context.obj = replace(context.obj, path=path)


#: Lets ``--config`` stand behind a command as well as before it.
config_option = click.option(
    "--config",
    type=click.Path(path_type=Path),
    expose_value=False,
    callback=_use_path,
    show_default=DEFAULT_FILE,
    help="The configuration file; it may also stand before the command.",
)
