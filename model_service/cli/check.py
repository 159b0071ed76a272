"""The command that judges a model by the conformance kit, and prints its score card."""

from pathlib import Path
from typing import Any

import click

from model_service.cli.commands import quiet
from model_service.cli.source import ConfigSource, config_option
from model_service.conformance.catalogue import RULES, find_rule
from model_service.conformance.examination import Examination
from model_service.conformance.html import write_page
from model_service.conformance.options import Options
from model_service.conformance.rule import Rule, State, Verdict
from model_service.conformance.score_card import ScoreCard, write_verdict
from model_service.loading import find_only_model
from model_service.records import Payload
from model_service.service import Service
from model_service.strict_json import decode_json, encode_json

_COLOURS = {State.PASSED: "green", State.FAILED: "red", State.TOLD: "cyan", State.SKIPPED: "yellow"}
_DEFAULTS = Options()


@click.command()
@click.argument("name_or_class")
@click.option("--json", "as_json", is_flag=True, help="Print the score card as JSON.")
@click.option("--html", type=click.Path(path_type=Path), help="Write the score card as a page, too.")
@click.option("--rule", "rule_ids", multiple=True, metavar="ID", help="Judge this rule alone; repeat it.")
@click.option("--payloads", type=click.Path(path_type=Path), help="JSON array of valid payloads to ask about, too.")
@click.option("--seconds", default=_DEFAULTS.seconds, show_default=True, help="What one rule may take for its cases.")
@click.option("--deadline", default=_DEFAULTS.deadline_s, show_default=True, help="Seconds until a rule is ended.")
@click.option("--cases", default=_DEFAULTS.cases, show_default=True, help="Payloads that are generated.")
@click.option("--calls", default=_DEFAULTS.calls, show_default=True, help="Predictions without growing memory.")
@click.option("--seed", default=_DEFAULTS.seed, show_default=True, help="Of what is drawn.")
@click.option("--tolerance", default=_DEFAULTS.tolerance, show_default=True, help="Between floats of one row.")
@click.option("--wheel", is_flag=True, help="Build and install the wheel, and ask what was installed.")
@config_option
@click.pass_context
def check(context: click.Context, /, name_or_class: str, as_json: bool, html: Path | None, **options: Any) -> None:
    """Judge whether a model is fit to serve, and print its score card.

    NAME_OR_CLASS is a model of the configuration, an installed package with one model, or package.Class. Nothing is
    served. Each rule is judged in a child process with a deadline. The exit code is 1 when a rule is broken.
    """
    quiet()
    class_path = find_class_path(context.obj, name_or_class)
    rules = _choose(options.pop("rule_ids"))
    if not as_json:
        click.echo(class_path)
    judged: list[Verdict] = []
    with Examination(class_path, _make_options(**options)) as examination:
        for verdict in examination.judge_all(rules):
            judged.append(verdict)
            if not as_json:
                _echo(verdict)
        card = ScoreCard(class_path, tuple(judged), examination.options)
    if html is not None:
        html.write_text(write_page(card), encoding="utf-8")
    click.echo(encode_json(card.as_dict()).decode() if as_json else card.summary)
    context.exit(0 if card.is_fit else 1)


def find_class_path(source: ConfigSource, name: str) -> str:
    """Return the path of the class that a name of the configuration, a package or a path leads to.

    Raises:
        ModelImportFailed: Nothing is so called.
    """
    if "." in name or ":" in name:
        return name
    if source.path.is_file():
        for status in Service(source.load()).describe():
            if name == status.qualified_name:
                return status.class_path
    return find_only_model(name)


def _choose(rule_ids: tuple[str, ...]) -> tuple[Rule, ...]:
    try:
        return tuple(map(find_rule, rule_ids)) or RULES
    except KeyError as error:
        raise click.UsageError(error.args[0]) from None


def _make_options(*, payloads: Path | None, deadline: float, wheel: bool, **bounds: Any) -> Options:
    rows: list[Payload] = []
    if payloads is not None:
        document = decode_json(payloads.read_bytes())
        rows = document if isinstance(document, list) else [document]
    return Options(payloads=tuple(rows), deadline_s=deadline, builds_wheel=wheel, **bounds)


def _echo(verdict: Verdict) -> None:
    first, *rest = write_verdict(verdict)
    click.echo(click.style(first[:4], fg=_COLOURS[verdict.state]) + first[4:])
    for line in rest:
        click.echo(line)
