"""The ``model-service`` command."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

import model_service
from model_service.cli import commands
from model_service.cli.errors import find_exit_code, format_error
from model_service.config_file import DEFAULT_FILE
from model_service.errors import ServiceError


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
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
    Exit codes: 0 done, 1 unexpected, 2 wrong command line, 3 configuration or environment,
    4 model package, 5 payload or name, 6 model, 7 try again later.
    """
    context.obj = commands.ConfigSource(config_path, os.environ)


for command in commands.COMMANDS:
    cli.add_command(command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit; our own errors become one message and their exit code."""
    try:
        cli.main(arguments, prog_name="model-service", standalone_mode=True)
    except ServiceError as error:
        click.echo(format_error(error), err=True)
        sys.exit(find_exit_code(error))
