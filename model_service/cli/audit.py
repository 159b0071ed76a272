"""The command that checks what is served: digests, licences, files of a pickling kind."""

from dataclasses import asdict

import click

from model_service.audit import audit_model
from model_service.cli.commands import quiet
from model_service.cli.errors import FOUND
from model_service.cli.source import ConfigSource, config_option
from model_service.strict_json import encode_json


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
@config_option
@click.pass_context
def audit(context: click.Context, as_json: bool) -> None:
    """Check the packages of the configured models, without building one.

    Every artifact is compared with its digest, and every file looked at: none may be a pickle, or of another kind that
    runs code when it is opened. The exit code is 9 when something is wrong.
    """
    quiet()
    source: ConfigSource = context.obj
    found = [audit_model(config) for config in source.load().models]
    if as_json:
        packages = [{**asdict(each), "artifacts": dict(each.artifacts)} for each in found]
        click.echo(encode_json({"packages": packages, "sound": not any(each.faults for each in found)}).decode())
    else:
        for each in found:
            state = "WRONG" if each.faults else "sound"
            click.echo(f"{each.qualified_name} {each.version or '-'}: {state}, {each.licence or 'no licence'}")
            click.echo(f"    {each.distribution or 'not installed as a distribution'}, code sha256 {each.code_digest}")
            for name, digest in each.artifacts:
                click.echo(f"    {digest}  artifacts/{name}")
            for fault in each.faults:
                click.echo(f"    WRONG: {fault}")
        wrong = sum(bool(each.faults) for each in found)
        click.echo(f"{len(found) - wrong} of {len(found)} packages are sound")
    context.exit(FOUND if any(each.faults for each in found) else 0)
