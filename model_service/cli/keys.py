"""The commands that make, list and revoke API keys.

A running service sees a change within a second, and tells it in its log; the file keeps who made and revoked a key.
"""

import getpass
import json
import re
import socket
from datetime import datetime, timedelta
from pathlib import Path

import click

from model_service.access.key import SCOPES, Key, tell_now
from model_service.access.key_file import KeyFile
from model_service.cli.source import ConfigSource, config_option
from model_service.errors import ConfigInvalid

_DURATION = re.compile(r"([1-9][0-9]{0,4})([dhm])")
_UNITS = {"d": "days", "h": "hours", "m": "minutes"}

file_option = click.option(
    "--file", "file", type=click.Path(path_type=Path), help="The file of keys, instead of access.keys_file."
)


@click.group()
def keys() -> None:
    """Make, list and revoke the API keys of a service."""


@keys.command()
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    metavar="SCOPE",
    help=f"What the key allows: {', '.join(SCOPES)}, or predict:<model>; repeat it.  [default: predict]",
)
@click.option("--expires", metavar="WHEN", help="90d, 12h, 30m, or a date such as 2027-01-31; never when left out.")
@file_option
@config_option
@click.pass_obj
def add(source: ConfigSource, name: str, scopes: tuple[str, ...], expires: str | None, file: Path | None) -> None:
    """Make a key for NAME, a person or a program, and print it: it is shown this once.

    Every key may read what models there are, their documents and pages.
    """
    moment = _read_expiry(expires) if expires is not None else None
    path = _find_file(source, file)
    key, text = KeyFile(path).add(name, list(scopes) or [SCOPES[0]], expires=moment, by=_name_user())
    until = f"until {key.expires:%Y-%m-%d %H:%M} UTC" if key.expires else "without an end"
    click.echo(f"{key.name}: {', '.join(sorted(key.scopes))}; valid {until}. Only now shown:", err=True)
    click.echo(text)


@keys.command("list")
@click.option("--all", "is_all", is_flag=True, help="Those that are revoked or expired, too.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@file_option
@config_option
@click.pass_obj
def list_keys(source: ConfigSource, is_all: bool, as_json: bool, file: Path | None) -> None:
    """List the keys; no command can show one again."""
    now = tell_now()
    held = KeyFile(_find_file(source, file)).read().keys
    listed = [key for key in held if is_all or key.is_valid(now)]
    if as_json:
        click.echo(json.dumps([_describe(key, now) for key in listed], indent=1))
        return
    for key in listed:
        end = f"{key.expires:%Y-%m-%d %H:%M}" if key.expires else "-"
        state = _describe(key, now)["state"]
        click.echo(f"{key.name:<24} {key.id}  {state:<8} expires {end:<16}  {' '.join(sorted(key.scopes))}")
    if not listed:
        click.echo("there are no keys" if not held else "no key is valid; --all lists the others", err=True)


@keys.command()
@click.argument("name")
@file_option
@config_option
@click.pass_obj
def revoke(source: ConfigSource, name: str, file: Path | None) -> None:
    """Revoke the key of a NAME, or of an id that `list` shows: no worker takes it a second later."""
    key = KeyFile(_find_file(source, file)).revoke(name, by=_name_user())
    click.echo(f"{key.name} ({key.id}) is revoked", err=True)


def _find_file(source: ConfigSource, file: Path | None) -> Path:
    if file is not None:
        return file
    path = source.load().access.keys_file
    if path is None:
        raise ConfigInvalid(
            "the configuration names no file of keys: set access.keys_file, such as 'access: {keys_file: keys.json}', "
            "or give --file"
        )
    return path


def _read_expiry(text: str) -> datetime:
    now = tell_now()
    if found := _DURATION.fullmatch(text):
        return now + timedelta(**{_UNITS[found[2]]: int(found[1])})
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise click.UsageError(f"--expires takes 90d, 12h, 30m, or a date such as 2027-01-31, not '{text}'") from None
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=now.tzinfo)
    if moment <= now:
        raise click.UsageError("--expires lies in the past")
    return moment.astimezone(now.tzinfo)


def _name_user() -> str:
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a number without a name, as in a container
        user = "somebody"
    return f"{user}@{socket.gethostname()}"


def _describe(key: Key, now: datetime) -> dict[str, object]:
    state = "revoked" if key.revoked else "expired" if key.has_expired(now) else "valid"
    times = {"created": key.created, "expires": key.expires, "revoked": key.revoked}
    return {
        "name": key.name,
        "id": key.id,
        "state": state,
        "scopes": sorted(key.scopes),
        **{name: moment.isoformat() if moment else None for name, moment in times.items()},
        "created_by": key.created_by,
        "revoked_by": key.revoked_by,
    }
