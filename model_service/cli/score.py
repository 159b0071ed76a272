"""The command that scores files: each row with its prediction, or its error."""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import BinaryIO

import click

from model_service.cli import locations
from model_service.cli.commands import echo_problem, only_model, quiet
from model_service.cli.errors import EXIT_CODES, ROWS_FAILED
from model_service.cli.progress import Progress
from model_service.cli.remote_scorer import RemoteScorer
from model_service.cli.score_files import (
    STANDARD,
    Meter,
    Reached,
    Task,
    find_reached,
    fingerprint,
    finish,
    open_source,
    plan,
    save_reached,
)
from model_service.cli.scorers import Described, LocalScorer, Scorer
from model_service.cli.source import ConfigSource, config_option
from model_service.cli.tracebacks import show_tracebacks
from model_service.errors import PackageError, ServiceError
from model_service.files.converting import format_of_part
from model_service.files.formats import FORMATS, WRITTEN
from model_service.files.opening import open_rows, open_writer
from model_service.files.rows import Bounds, Outcome, Row
from model_service.scoring import rare_collections
from model_service.service import Service
from model_service.threads import count_cores

#: Holds the key of a server: arguments can be read by everybody on a machine.
_KEY_VARIABLE = "MODEL_SERVICE_API_KEY"


@click.command()
@click.argument("qualified_name")
@click.option(
    "--input", "inputs", multiple=True, required=True, metavar="FILE", help="A file, a URL, a pattern, or -; repeat it."
)
@click.option("--output", required=True, metavar="FILE", help="A file, a folder for several, a URL, or -.")
@click.option("--input-format", type=click.Choice([*FORMATS]), help="Instead of what the name says.")
@click.option(
    "--output-format", type=click.Choice([each.name for each in WRITTEN]), help="Instead of what the name says."
)
@click.option("--version", help="PEP 440 version; the default version when left out.")
@click.option("--local", is_flag=True, help="Load the model here; the default.")
@click.option(
    "--url", help="Ask a server instead, such as http://127.0.0.1:8000; the variable MODEL_SERVICE_API_KEY has its key."
)
@click.option("--workers", type=click.IntRange(1, 256), help="Processes that score here; one per core.")
@click.option("--concurrency", type=click.IntRange(1, 64), default=4, show_default=True, help="Requests at a time.")
@click.option("--resume", is_flag=True, help="Go on where a run with the same files was interrupted.")
@config_option
@click.pass_context
def score(
    context: click.Context,
    qualified_name: str,
    inputs: tuple[str, ...],
    output: str,
    input_format: str | None,
    output_format: str | None,
    version: str | None,
    local: bool,
    url: str | None,
    workers: int | None,
    concurrency: int,
    resume: bool,
) -> None:
    """Score files of rows: CSV, JSON lines, FASTA, Parquet, Arrow.

    The output is each row as it was, with the columns of its prediction, or of its error. A row that is wrong stops
    nothing. The exit code is 8 when rows have failed.
    """
    if local and url:
        raise click.UsageError("give --local or --url, not both")
    tasks = plan(inputs, output, input_format, output_format)
    if resume and any(STANDARD in (task.source, task.target) for task in tasks):
        raise click.UsageError("standard input and output cannot be resumed")
    quiet()
    failed = 0
    with rare_collections(), ExitStack() as stack:
        if url:
            scorer: Scorer = stack.enter_context(
                closing(_ask_server(context.obj, url, qualified_name, version, concurrency))
            )
        else:
            scorer = stack.enter_context(_open_local(context, qualified_name, version, workers or count_cores()))
        for task in tasks:
            failed += _score_file(task, scorer, resume=resume)
    context.exit(ROWS_FAILED if failed else 0)


@contextmanager
def _open_local(
    context: click.Context, qualified_name: str, version: str | None, workers: int
) -> Iterator[LocalScorer]:
    source: ConfigSource = context.obj
    with Service(only_model(source.load(), qualified_name, version)) as service, show_tracebacks():
        status = service.start().manager.get_model_metadata(qualified_name, version)
        if status.problem is not None:
            click.echo(f"Error: {qualified_name} cannot be loaded", err=True)
            echo_problem(status, err=True)
            context.exit(EXIT_CODES[PackageError])
        info = service.predictions.find_target(qualified_name, version).info
        described = Described(info.qualified_name, info.version, info.input_schema, info.output_schema)
        yield LocalScorer(service, described, workers)


def _score_file(task: Task, scorer: Scorer, *, resume: bool) -> int:
    """Score one file; return how many of its rows have failed."""
    if resume and locations.exists(task.target) and not task.part.exists():
        click.echo(f"{task.source}: '{task.target}' is there already", err=True)
        return 0
    model = scorer.model
    of = [] if task.source == STANDARD else fingerprint(task, model, scorer.chunk_rows)
    reached = find_reached(task, of) if resume else Reached(of)
    with open_source(task) as (stream, meter):
        reader = open_rows(task.source_format, stream, model.input_schema, bounds=Bounds(chunk_rows=scorer.chunk_rows))
        written = format_of_part(task.target_format)
        writer = open_writer(written, reader.head, model.input_schema, model.output_schema)
        progress = Progress(task.source)
        progress.skip(reached.rows, reached.failed)
        with _open_part(task, reached) as part:
            if not reached.size_bytes:
                part.write(writer.begin())
            for rows, outcomes in scorer.score(_skip(reader, reached.rows)):
                part.write(writer.write(rows, outcomes))
                _count(task, part, progress, outcomes, of, len(rows), meter)
            part.write(writer.end())
    if task.target != STANDARD:
        finish(task)
    progress.close()
    return progress.failed


def _count(
    task: Task, part: BinaryIO, progress: Progress, outcomes: list[Outcome], of: list[object], rows: int, meter: Meter
) -> None:
    failed = sum(isinstance(outcome, ServiceError) for outcome in outcomes)
    progress.add(rows, failed, meter.share)
    part.flush()
    if STANDARD not in (task.source, task.target):
        save_reached(task, Reached(of, progress.rows, progress.failed, part.tell()))


@contextmanager
def _open_part(task: Task, reached: Reached) -> Iterator[BinaryIO]:
    if task.target == STANDARD:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    with open(task.part, "r+b" if reached.size_bytes else "wb") as part:
        part.truncate(reached.size_bytes)
        part.seek(0, os.SEEK_END)
        yield part


def _skip(chunks: Iterable[list[Row]], rows: int) -> Iterator[list[Row]]:
    """Yield the chunks whose rows are not done yet."""
    return (chunk for chunk in chunks if chunk[0].number > rows)


def _ask_server(source: ConfigSource, url: str, name: str, version: str | None, concurrency: int) -> RemoteScorer:
    return RemoteScorer(url, name, version, concurrency, api_key=source.environment.get(_KEY_VARIABLE))
