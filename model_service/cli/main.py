"""The ``model-service`` command."""

import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

import model_service
from model_service.cli.errors import find_exit_code, format_error
from model_service.cli.source import ConfigSource
from model_service.config_file import DEFAULT_FILE
from model_service.errors import ServiceError

#: Name to ``module:command``; a module is imported when its command is asked for.
COMMANDS = {
    "new": "model_service.cli.new:new",
    "serve": "model_service.cli.serve:serve",
    "dev": "model_service.cli.dev:dev",
    "reload": "model_service.cli.manage:reload_service",
    "rollback": "model_service.cli.manage:rollback",
    "status": "model_service.cli.manage:status",
    "sagemaker": "model_service.cli.sagemaker:sagemaker",
    "work": "model_service.cli.jobs:work",
    "database": "model_service.cli.jobs:database",
    "keys": "model_service.cli.keys:keys",
    "models": "model_service.cli.commands:models",
    "predict": "model_service.cli.commands:predict",
    "score": "model_service.cli.score:score",
    "drift": "model_service.cli.drift:drift",
    "doctor": "model_service.cli.doctor:doctor",
    "audit": "model_service.cli.audit:audit",
    "openapi": "model_service.cli.commands:openapi",
    "check": "model_service.cli.check:check",
    "check-config": "model_service.cli.commands:check_config",
    "settings": "model_service.cli.commands:list_settings",
}


class _LazyGroup(click.Group):
    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        module, _, attribute = COMMANDS.get(name, "").partition(":")
        command: click.Command | None = getattr(importlib.import_module(module), attribute) if module else None
        return command


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(model_service.__version__, prog_name="model-service")
@click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    default=DEFAULT_FILE,
    show_default=True,
    help="The configuration file.",
)
@click.pass_context
def cli(context: click.Context, config_path: Path) -> None:
    """Serve trained models: REST, OpenAPI, health and more from one MLModel class.

    \b
    Exit codes: 0 done, 1 unexpected, a rule of `check` is broken, or `doctor` found an error,
    2 wrong command line, 3 configuration or environment, 4 model package, 5 payload, file or name, 6 model,
    7 try again later, 8 done, and rows of a file failed, 9 done, and drift or something wrong with a package was found.
    """
    context.obj = ConfigSource(config_path, os.environ)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit; our own errors become one message and their exit code."""
    try:
        cli.main(arguments, prog_name="model-service", standalone_mode=True)
    except ServiceError as error:
        click.echo(format_error(error), err=True)
        sys.exit(find_exit_code(error))
