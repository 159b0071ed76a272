"""The command that looks at the environment, the configuration and the machine, and says what to mend."""

from dataclasses import asdict

import click

from model_service.cli.source import ConfigSource, config_option
from model_service.doctor import Level, examine
from model_service.doctor.finding import read_case
from model_service.strict_json import encode_json


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@config_option
@click.pass_context
def doctor(context: click.Context, as_json: bool) -> None:
    """Look for what is wrong with the environment, the configuration and the machine.

    Each finding has a remedy. No model is loaded. The exit code is 1 when there is an error, 0 otherwise.
    """
    source: ConfigSource = context.obj
    findings = examine(read_case(source.path, source.environment))
    errors, warnings = (sum(each.level is level for each in findings) for level in (Level.ERROR, Level.WARNING))
    if as_json:
        document = {"findings": [asdict(each) for each in findings], "errors": errors, "warnings": warnings}
        click.echo(encode_json(document).decode())
    else:
        for each in findings:
            click.echo(f"{each.level:<8} {each.check}: {each.evidence}")
            if each.remedy:
                click.echo(f"         remedy: {each.remedy}")
        click.echo(f"{errors} errors, {warnings} warnings")
    context.exit(1 if errors else 0)
