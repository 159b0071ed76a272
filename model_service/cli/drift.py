"""The command that compares what came with what training saw."""

from collections.abc import Iterator
from pathlib import Path

import click

from model_service.cli.commands import only_model, quiet
from model_service.cli.errors import DRIFTED, EXIT_CODES
from model_service.cli.score_files import open_source, plan
from model_service.cli.source import ConfigSource, config_option
from model_service.drift.document import make_document, write_lines
from model_service.drift.report import DriftReport, Thresholds, judge_log, judge_rows
from model_service.errors import CapacityError, ServiceError
from model_service.files.opening import open_rows
from model_service.files.rows import Bounds
from model_service.prediction_log.reading import LoggedRow, Window
from model_service.records import ModelInfo
from model_service.scoring import score_chunk
from model_service.service import Service
from model_service.strict_json import encode_json

_DEFAULT = Thresholds()


@click.command()
@click.argument("qualified_name")
@click.option("--input", "source", metavar="FILE", help="A file of rows instead of the log, as `score` takes them.")
@click.option("--log", type=click.Path(path_type=Path), help="Folder of the log; the configuration's when left out.")
@click.option("--since", metavar="TIME", help="Only what was answered from then on: 2026-11-22 or 2026-11-22T07:15.")
@click.option("--until", metavar="TIME", help="Only what was answered before.")
@click.option("--version", help="PEP 440 version; the default version when left out.")
@click.option("--most-rows", type=click.IntRange(1), default=100_000, show_default=True, help="The newest so many.")
@click.option("--psi", type=click.FloatRange(0), default=_DEFAULT.psi, show_default=True, help="Stability index.")
@click.option("--ks", type=click.FloatRange(0, 1), default=_DEFAULT.ks, show_default=True, help="Largest distance.")
@click.option("--unseen", type=click.FloatRange(0, 1), default=_DEFAULT.unseen, show_default=True, help="New values.")
@click.option(
    "--missing", type=click.FloatRange(0, 1), default=_DEFAULT.missing, show_default=True, help="Change of it."
)
@click.option("--accuracy", type=click.FloatRange(0, 1), help="Least share of right answers, by feedback.")
@click.option("--min-rows", type=click.IntRange(1), default=_DEFAULT.min_rows, show_default=True, help="To judge by.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@config_option
@click.pass_context
def drift(
    context: click.Context,
    /,
    qualified_name: str,
    source: str | None,
    log: Path | None,
    version: str | None,
    as_json: bool,
    since: str | None,
    until: str | None,
    most_rows: int,
    **limits: float,
) -> None:
    """Compare the rows of a model with those of its training.

    They come from the log of predictions, or from a file. The exit code is 9 when a threshold is passed, and 7 when
    there are too few rows to judge by.
    """
    if source is not None and any(value is not None for value in (log, since, until)):
        raise click.UsageError("give --input, or the log with --log, --since and --until")
    quiet()
    config = only_model(context.obj.load(), qualified_name, version)
    thresholds = Thresholds(**limits)  # type: ignore[arg-type]  # each option is of the type of its threshold
    if source is None:
        info = _describe(context.obj, qualified_name, version)
        window = Window(version=info.version, since=since, until=until, most_rows=most_rows)
        report = judge_log(log or config.prediction_log.folder, info, window, thresholds)
    else:
        with Service(config) as service:
            service.start()
            info = service.predictions.find_target(qualified_name, version).info
            rows = list(_score(service, info, source, most_rows))
        report = judge_rows(info, rows, thresholds)
    _print(report, as_json=as_json)
    if report.problem:
        context.exit(EXIT_CODES[CapacityError])
    context.exit(DRIFTED if report.is_drifted else 0)


def _describe(source: ConfigSource, qualified_name: str, version: str | None) -> ModelInfo:
    service = Service(source.load())
    service.describe()
    status = service.manager.get_model_metadata(qualified_name, version)
    if status.info is None:
        raise click.ClickException(
            f"{qualified_name} cannot be read: {status.problem.problem if status.problem else ''}"
        )
    return status.info


def _score(service: Service, info: ModelInfo, source: str, most_rows: int) -> Iterator[LoggedRow]:
    """Yield the rows of a file with what the model answers to them now; of those that it refuses, the input alone."""
    (task,) = plan((source,), "-", None, "ndjson")
    target = service.predictions.find_target(info.qualified_name, info.version)
    bounds = Bounds(chunk_rows=1000, max_rows=None)
    count = 0
    with open_source(task) as (stream, _):
        for rows in open_rows(task.source_format, stream, info.input_schema, bounds=bounds):
            for row, outcome in zip(rows, score_chunk(service.predictions, target, rows), strict=True):
                if row.document is not None and count < most_rows:
                    count += 1
                    output = {} if isinstance(outcome, ServiceError) else outcome
                    yield LoggedRow("", info.version, row.document, output)


def _print(report: DriftReport, *, as_json: bool) -> None:
    if as_json:
        click.echo(encode_json(make_document(report)).decode())
        return
    for line in write_lines(report):
        click.echo(line)
