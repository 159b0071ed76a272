"""What the command line can do; each command is decode, one call, encode."""

import logging
import os
import sys
from dataclasses import replace
from typing import Any

import click

from model_service.access.reach import check_access
from model_service.cli.errors import EXIT_CODES
from model_service.cli.source import ConfigSource, config_option
from model_service.cli.tracebacks import show_tracebacks
from model_service.config import NO_MODELS, ServiceConfig
from model_service.config_file import ENVIRONMENT_PREFIX
from model_service.config_keys import describe_settings
from model_service.errors import ConfigInvalid, PackageError
from model_service.listening import check_listening
from model_service.records import ModelState, ModelStatus
from model_service.registry.routing import split_alias
from model_service.schema.columns import parse_columns
from model_service.service import Service
from model_service.strict_json import decode_json, encode_json
from model_service.tracing.tracer import check_tracing
from model_service.transports.http.docs import build_document, write_yaml

_SETTINGS_HEAD = f"""# Configuration

Written by `model-service settings` from `model_service/config.py`; `make docs` writes it again.

These are the keys of `config.yaml`, or of the file that `--config` names. If a key is unknown or a type is wrong, the
service does not start, and names the place. Relative paths start at the folder of the file. An environment variable
named after the path of a key overrides it, as in
`{ENVIRONMENT_PREFIX}SERVER__PORT=9000`, `{ENVIRONMENT_PREFIX}MODELS__0__REQUIRED=true`.

| key | type | default | meaning |
|---|---|---|---|"""
_STATE_WORDS = {ModelState.LOADING: "configured", ModelState.READY: "ready", ModelState.FAILED: "FAILED"}


@click.command()
@config_option
@click.pass_obj
def models(source: ConfigSource) -> None:
    """List the configured models, without loading their weights."""
    quiet()
    config = source.load()
    with show_tracebacks():
        listed = Service(config).describe()
    for status in listed:
        name = status.info.display_name if status.info else status.class_path
        default = " (default)" if status.is_default and _has_twins(status, listed) else ""
        click.echo(
            f"{status.qualified_name:<24} {status.version or '-':<10} {_STATE_WORDS[status.state]}  {name}{default}"
        )
        echo_problem(status)
    if not listed:
        click.echo(NO_MODELS)


@click.command()
@click.argument("qualified_name")
@click.option("--version", help="PEP 440 version; the default version when left out.")
@click.option("--json", "json_text", help="One payload, or an array of payloads, as JSON.")
@click.option(
    "--set",
    "columns",
    multiple=True,
    metavar="FIELD=VALUE",
    help="One field of the payload; repeat it. Typed by the schema.",
)
@config_option
@click.pass_obj
def predict(
    source: ConfigSource, qualified_name: str, version: str | None, json_text: str | None, columns: tuple[str, ...]
) -> None:
    """Predict with one model and print its output as JSON.

    The payload comes from --json, from --set, or as JSON from standard input.
    """
    if json_text is not None and columns:
        raise click.UsageError("give --json or --set, not both")
    quiet()
    with Service(only_model(source.load(), qualified_name, version)) as service, show_tracebacks():
        status = service.start().manager.get_model_metadata(qualified_name, version)
        if status.problem is not None:
            click.echo(f"Error: {qualified_name} cannot be loaded", err=True)
            echo_problem(status, err=True)
            click.get_current_context().exit(EXIT_CODES[PackageError])
        target = service.predictions.find_target(qualified_name, version)
        if columns:
            document: Any = parse_columns(target.info.input_schema, _split(columns))
        else:
            document = decode_json(os.fsencode(json_text) if json_text is not None else _read_stdin())
        if isinstance(document, list):
            answer: Any = service.predictions.predict_many(target, document).outputs
        else:
            answer = service.predictions.predict(target, document).outputs[0]
        click.echo(encode_json(answer).decode())


@click.command()
@click.option("--format", "format_name", type=click.Choice(["yaml", "json"]), default="yaml", show_default=True)
@config_option
@click.pass_obj
def openapi(source: ConfigSource, format_name: str) -> None:
    """Print the OpenAPI document of the configured models, without loading their weights."""
    quiet()
    config = source.load()
    document = build_document(
        Service(config).describe(),
        max_rows=config.server.max_request_rows,
        max_explain_rows=config.server.max_explain_rows,
        invocations=config.invocations,
    )
    click.echo(write_yaml(document) if format_name == "yaml" else encode_json(document).decode(), nl=False)


@click.command("check-config")
@config_option
@click.pass_context
def check_config(context: click.Context) -> None:
    """Read the configuration, load every model, run every self-test; serve nothing.

    What keeps `serve` from listening is told first, but for a port that is taken.

    What a model that failed has raised, or its process has written, goes to standard error.
    """
    quiet()
    source: ConfigSource = context.obj
    config = source.load()
    check_listening(config.server)
    check_tracing(config.tracing)
    if not config.models:
        raise ConfigInvalid(NO_MODELS)
    check_access(config)
    with Service(config) as service, show_tracebacks():
        listed = service.start().manager.get_models()
    for status in listed:
        click.echo(f"{_name_model(status)}: {_STATE_WORDS[status.state]}")
        echo_problem(status)
        for warning in status.info.warnings if status.info else ():
            click.echo(f"    warning: {warning}")
    failed = sum(status.state is ModelState.FAILED for status in listed)
    click.echo(f"{source.path}: {len(listed) - failed} of {len(listed)} models are ready")
    context.exit(4 if failed else 0)


@click.command("settings")
def list_settings() -> None:
    """Print every key of the configuration as Markdown."""
    click.echo(_SETTINGS_HEAD)
    for path, kind, default, sentence in describe_settings():
        click.echo(f"| `{path}` | {kind} | `{default}` | {sentence} |")


def quiet() -> None:
    """Keep standard error to what a person must see: each command prints its own result."""
    logging.basicConfig(level=logging.CRITICAL, format="%(message)s")


def only_model(config: ServiceConfig, qualified_name: str, version: str | None) -> ServiceConfig:
    """Return the configuration with the entries of one model, so that no other one is loaded.

    Raises:
        ModelNotFound: Lists what is configured.
    """
    service = Service(config)
    name, _ = split_alias(qualified_name)
    pairs = zip(config.models, service.describe(), strict=True)
    service.manager.get_model_metadata(qualified_name, version)
    return replace(config, models=tuple(entry for entry, status in pairs if status.qualified_name == name))


def _name_model(status: ModelStatus) -> str:
    """Return name and version; the class as the configuration spells it, where nobody knows its name."""
    if status.info is None and status.problem is not None and status.problem.qualified_name is None:
        return status.class_path
    return f"{status.qualified_name} {status.version or '-'}"


def _split(columns: tuple[str, ...]) -> dict[str, str]:
    pairs = [column.partition("=") for column in columns]
    wrong = [column for column, (_, sign, _) in zip(columns, pairs, strict=True) if not sign]
    if wrong:
        raise click.UsageError(f"--set takes FIELD=VALUE, not '{wrong[0]}'")
    if any("\udc80" <= character <= "\udcff" for character in "".join(columns)):  # bytes that Python could not decode
        raise click.UsageError("--set takes UTF-8 text")
    return {name: value for name, _, value in pairs}


def _read_stdin() -> bytes:
    if sys.stdin.isatty():
        raise click.UsageError("no payload: give --json, --set, or JSON on standard input")
    return sys.stdin.buffer.read()


def _has_twins(status: ModelStatus, listed: list[ModelStatus]) -> bool:
    return sum(other.qualified_name == status.qualified_name for other in listed) > 1


def echo_problem(status: ModelStatus, *, err: bool = False) -> None:
    """Print why a model is quarantined, if it is."""
    if status.problem is not None:
        for label in ("problem", "cause", "remedy"):
            click.echo(f"    {label}: {getattr(status.problem, label)}", err=err)
