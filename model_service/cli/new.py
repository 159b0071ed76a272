"""`new`: a model package, written, proved and, with ``--install``, listed in the configuration."""

import shlex
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType

import click

from model_service.cli.source import ConfigSource, config_option
from model_service.errors import ConfigInvalid
from model_service.scaffold.building import Built, build_package
from model_service.scaffold.card import list_commands, write_entry
from model_service.scaffold.config_entry import add_entry
from model_service.scaffold.converting import CONVERTED, convert_model
from model_service.scaffold.installing import install_editable
from model_service.scaffold.layouts import CHOICES, LAYOUTS
from model_service.scaffold.names import check_name, name_for_people
from model_service.scaffold.plan import Plan
from model_service.scaffold.planning import GRAPHS, PICKLES, Wish, make_plan
from model_service.scaffold.sample import read_sample

RISK = (
    "opening a pickle runs the code that its maker put into it, in a process of its own, which is no sandbox: do so "
    "only with a file that you trust like your own code"
)
_MAX_TEXT = 300
_path = click.Path(path_type=Path)


@click.command()
@click.argument("name")
@click.option("--template", type=click.Choice(CHOICES), help="What the model is made of.  [default: python]")
@click.option("--from-sample", "sample", type=_path, help="A CSV file of rows, from which the schema is drafted.")
@click.option("--target", help="The column of the sample that is predicted.")
@click.option("--task", type=click.Choice(["classification", "regression"]), help="Told by the target when left out.")
@click.option("--drop", "dropped", multiple=True, metavar="COLUMN", help="A column that is no field; repeat it.")
@click.option("--from", "model", type=_path, help="A trained model: .joblib, .pkl, .onnx, .keras or .pt2.")
@click.option("--trust-pickle", "is_trusted", is_flag=True, help="Open the file of --from, which runs the code in it.")
@click.option("--serve-pickle", "is_pickle_served", is_flag=True, help="Serve it as it is, in a process of its own.")
@click.option("--display-name", help="The model's name for people.")
@click.option("--description", help="One sentence: what goes in, what comes out.")
@click.option("--out", "folder", type=_path, default=Path(), help="Where the package's folder goes.  [default: here]")
@click.option("--install", "is_installed", is_flag=True, help="Install it, editable, and list it in the configuration.")
@click.option("--yes", "is_silent", is_flag=True, help="Ask nothing; what is not given has its default.")
@config_option
@click.pass_obj
def new(
    source: ConfigSource, /, folder: Path, is_installed: bool, is_trusted: bool, is_silent: bool, **given: object
) -> None:
    """Write a model package NAME that can be served at once.

    It begins with made-up rows, with a sample of yours, or around a trained model. What was guessed stands in comments.
    Nothing is overwritten, and what fails leaves nothing. On a terminal, what is not given is asked for.
    """
    asks = not is_silent and sys.stdin.isatty()
    wish = _read_wish(given, asks)
    check_name(wish.name, folder)
    wish = _ask(wish) if asks else wish
    if wish.sample is not None and not wish.target:
        columns = ", ".join(read_sample(wish.sample).columns)
        raise click.UsageError(f"--target is missing: which column is predicted? The sample has {columns}")
    is_pickle = wish.model is not None and wish.model.suffix.lower() in (*PICKLES, ".pt2")  # which may hold pickles
    if is_pickle and not is_trusted and not (asks and click.confirm(f"{RISK}.\nOpen it?", err=True)):
        raise click.UsageError(f"--from needs --trust-pickle here: {RISK}")
    with _leave_on_sigterm(), convert_model(wish) as (converted, compared):
        planned = make_plan(converted)
        for sentence in filter(None, (compared, *planned.told)):
            click.echo(f"note: {sentence}", err=True)
        built = build_package(planned.plan, folder, rows=planned.rows)
    _tell(planned.plan, built)
    if is_installed and built.is_ready:
        install_editable(built.path)
        is_added = add_entry(source.path, write_entry(planned.plan), planned.plan.class_path)
        click.echo(f"installed, and {'added to' if is_added else 'listed already in'} {source.path}")
    _tell_next(planned.plan, built, source.path, is_installed=is_installed)


def _read_wish(given: dict[str, object], asks: bool) -> Wish:
    values = {name: value for name, value in given.items() if value is not None}
    name = str(values["name"])
    if "model" in values and "template" in values:
        raise click.UsageError("--from makes the package around a model, so give no --template")
    kind = Path(str(values.get("model", ""))).suffix.lower()
    if "model" in values and kind not in (*PICKLES, *GRAPHS, *CONVERTED):
        raise click.UsageError(f"--from takes {', '.join((*PICKLES, *GRAPHS, *CONVERTED))}, by the end of the name")
    if "model" in values and not Path(str(values["model"])).is_file():
        raise ConfigInvalid(f"there is no file '{values['model']}'; --from names a trained pipeline")
    if kind in PICKLES and "sample" not in values:
        raise click.UsageError("--from needs rows that the model was trained on: give --from-sample and --target")
    if kind not in PICKLES and values["is_pickle_served"]:
        raise click.UsageError("--serve-pickle needs --from with a pickle")
    if "sample" not in values and ("target" in values or values["dropped"]):
        raise click.UsageError("--target and --drop name columns of a sample: give --from-sample")
    for option in ("display_name", "description"):
        text = str(values.get(option, "-"))
        if not text.isprintable() or not text.strip() or len(text) > _MAX_TEXT:
            raise click.UsageError(f"--{option.replace('_', '-')} takes one line of 1 to {_MAX_TEXT} characters")
    values["template"] = values.get("template") or ("" if asks else CHOICES[0])
    display_name = values.pop("display_name", None) or name_for_people(name)
    description = values.pop("description", None)
    if description is None:
        description = "" if asks else f"TODO: what goes into {display_name} and what comes out, in one sentence."
    return Wish(display_name=str(display_name), description=str(description), **values)  # type: ignore[arg-type]


def _ask(wish: Wish) -> Wish:
    """Ask for what no flag has given; each question has a default."""
    changes: dict[str, str] = {}
    if not wish.description:
        question = f"What goes into {wish.display_name} and what comes out, in one sentence"
        changes["description"] = click.prompt(question, default="TODO: describe it.", err=True)
    if wish.sample is not None and not wish.target:
        columns = list(read_sample(wish.sample).columns)
        changes["target"] = click.prompt(
            "Which column is predicted", default=columns[-1], type=click.Choice(columns), err=True
        )
    if wish.template == "" and wish.model is None:
        for name in CHOICES:
            click.echo(f"  {name:<8} {LAYOUTS[name].summary}", err=True)
        changes["template"] = click.prompt("Template", default="python", type=click.Choice(CHOICES), err=True)
    return replace(wish, **changes)  # type: ignore[arg-type]


def _tell(plan: Plan, built: Built) -> None:
    if built.told:
        click.echo(built.told, nl=False)
    for name, reason in plan.left_out:
        click.echo(f"note: the column {name!r} is left out, because {reason}", err=True)
    if plan.sample is not None:
        click.echo("note: real rows of the sample are among the examples, which everybody sees", err=True)
    state = "keeps its promises" if built.is_ready else "is written, and not trained yet"
    click.echo(f"{built.path}: {plan.class_path} {state}")
    click.echo(f"Questions to you are marked TODO in {built.path / plan.name / 'schema.py'} and README.md.")


def _tell_next(plan: Plan, built: Built, config: Path, *, is_installed: bool) -> None:
    """Print the commands that are left to do."""
    install, fill = list_commands(plan)
    path = shlex.quote(str(built.path))
    click.echo("Next:")
    if not built.is_ready:
        lacks = f"  # needs {', '.join(built.missing)}" if built.missing else "  # too few rows, or many"
        click.echo(f"  cd {path} && {install} && {fill}{lacks}")
    elif not is_installed:
        click.echo(f"  pip install --no-deps -e {path}")
    if not (is_installed and built.is_ready):
        click.echo(f"  # in {config}:\n  models:\n  {write_entry(plan).replace(chr(10), chr(10) + '  ')}")
    click.echo(f"  model-service --config {shlex.quote(str(config))} serve")


@contextmanager
def _leave_on_sigterm() -> Iterator[None]:
    """Make SIGTERM an exit, so that what is half made is removed."""

    def leave(number: int, frame: FrameType | None) -> None:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
