"""The commands that speak with a running service: reload, rollback, status."""

import json
import time
from typing import Any

import click

from model_service.cli.source import ConfigSource, config_option
from model_service.control import RunningService, find_service, give_order

_MIB = 1024 * 1024
_pid_option = click.option("--pid", type=int, help="Process id of the service, if several have this configuration.")


@click.command("reload")
@click.option("--dry-run", is_flag=True, help="Only print what would change.")
@_pid_option
@config_option
@click.pass_obj
def reload_service(source: ConfigSource, dry_run: bool, pid: int | None) -> None:
    """Have the running service read its configuration again.

    New processes load the models and take over when all are ready. No request is dropped. If anything fails, the
    service goes on as it is, and the command says why.
    """
    _order(find_service(source.path, pid), {"op": "reload", "is_dry": dry_run})


@click.command()
@_pid_option
@config_option
@click.pass_obj
def rollback(source: ConfigSource, pid: int | None) -> None:
    """Have the running service serve again what it served before its latest reload."""
    _order(find_service(source.path, pid), {"op": "rollback"})


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@_pid_option
@config_option
@click.pass_obj
def status(source: ConfigSource, as_json: bool, pid: int | None) -> None:
    """Print the generations of the running service, their models and their processes."""
    found = find_service(source.path, pid).status
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    click.echo(f"{found['config']} at {found['address']}, process {found['pid']}, version {found['version']}")
    for generation in found["generations"]:
        _print_generation(generation)
    if found["rollback_to"] is not None:
        click.echo(f"rollback goes back to generation {found['rollback_to']}")


def _order(service: RunningService, order: dict[str, Any]) -> None:
    give_order(service.control, order, click.echo)


def _print_generation(generation: dict[str, Any]) -> None:
    age_s = max(0.0, time.time() - generation["started"])
    click.echo(f"generation {generation['generation']}: {generation['state']}, started {age_s:.0f} s ago")
    for model in generation["models"]:
        notes = [word for word in ("default", "required") if model[f"is_{word}"]]
        runs = model["execution"] or "-"
        click.echo(
            f"  {model['qualified_name']:<24} {model['version'] or '-':<10} {model['state']:<8} {runs:<10} "
            f"{model['queued_rows']} rows wait{''.join(f', {note}' for note in notes)}"
        )
        if model["problem"] is not None:
            click.echo(f"    {model['problem']}")
    for process in generation["processes"]:
        click.echo(f"  {process['for']:<36} pid {process['pid']:<8} {process['memory_bytes'] / _MIB:.0f} MiB")
