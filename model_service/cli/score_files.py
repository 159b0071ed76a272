"""Files of `model-service score`: which is read, which is written, and how far a run came that was interrupted."""

import gzip
import hashlib
import io
import json
import os
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import click

from model_service.cli import locations
from model_service.cli.scorers import Described
from model_service.errors import FileUnreadable
from model_service.files.converting import finish_part
from model_service.files.formats import FORMATS, WRITTEN, Format, find_format, list_names

STANDARD = "-"


@dataclass(frozen=True, slots=True)
class Task:
    """One file to read and one to write; `STANDARD` is standard input, or output."""

    source: str
    target: str
    source_format: Format
    target_format: Format

    @property
    def part(self) -> Path:
        """What is written until it is whole."""
        return Path(f"{self._here}.part")

    @property
    def record(self) -> Path:
        """Says how far the part is."""
        return Path(f"{self._here}.progress")

    @property
    def _here(self) -> str:
        """The target; of one that is elsewhere, a name for it in the working directory."""
        if not locations.is_remote(self.target):
            return self.target
        digest = hashlib.sha256(self.target.encode()).hexdigest()[:8]
        return f"{PurePosixPath(self.target).name}.{digest}"


@dataclass(frozen=True, slots=True)
class Reached:
    """How far a run came.

    Attributes:
        of: What it was a run of: the file as it was, the model, the size of its chunks.
        rows: Rows that are in the part.
        failed: Those of them with an error.
        size_bytes: The size of the part.
    """

    of: list[object]
    rows: int = 0
    failed: int = 0
    size_bytes: int = 0


def plan(inputs: tuple[str, ...], output: str, input_format: str | None, output_format: str | None) -> list[Task]:
    """Return what is to be done.

    Raises:
        click.UsageError: It cannot be told, or would overwrite what is read.
    """
    sources = [
        source
        for each in map(locations.normalize, inputs)
        for source in ([each] if each == STANDARD else locations.expand(each))
    ]
    output = locations.normalize(output)
    is_remote = locations.is_remote(output)
    is_here_a_folder = not is_remote and Path(output).is_dir()
    is_folder = output != STANDARD and (len(sources) > 1 or output.endswith("/") or is_here_a_folder)
    if len(sources) > 1 and output == STANDARD:
        raise click.UsageError("several files cannot go to standard output; name a folder with --output")
    if is_folder and STANDARD in sources:
        raise click.UsageError("standard input has no name in a folder; name a file with --output")
    if is_folder and not is_remote:
        Path(output).mkdir(parents=True, exist_ok=True)
    tasks = []
    for source in sources:
        read = _choose(source, input_format, "--input-format", tuple(FORMATS.values()))
        natural = read if read.writer else FORMATS["csv"]
        if is_folder:
            written = FORMATS[output_format] if output_format else natural
            name = f"{_stem(source)}{written.suffixes[0]}"
            target = f"{output.rstrip('/')}/{name}" if is_remote else str(Path(output) / name)
        else:
            target = output
            same = natural.name if output == STANDARD else None
            written = _choose(output, output_format or same, "--output-format", WRITTEN)
        tasks.append(Task(source, target, read, written))
    _check(tasks)
    return tasks


@contextmanager
def open_source(task: Task) -> Iterator[tuple[BinaryIO, "Meter"]]:
    """Open the file to read, inflated where its name ends with ``.gz``, and what knows how much of it is read."""
    if task.source == STANDARD:
        meter = Meter(sys.stdin.buffer, None)
        yield io.BufferedReader(meter, 256 * 1024), meter
        return
    with locations.open_file(task.source) as (file, size_bytes):
        if task.source.endswith(".gz"):
            meter = Meter(file, size_bytes)
            try:
                with gzip.open(io.BufferedReader(meter, 256 * 1024)) as inflated:
                    yield inflated, meter  # type: ignore[misc]  # it reads as any file does
            except (gzip.BadGzipFile, EOFError, zlib.error):
                raise FileUnreadable(f"'{task.source}' is cut off, or not gzip; write it again") from None
        else:
            meter = Meter(file, size_bytes)
            # Parquet is not read from its start to its end.
            yield (file if task.source_format.name == "parquet" else io.BufferedReader(meter, 256 * 1024)), meter


class Meter(io.RawIOBase):
    """A file that is read from start to end, and how much of it has been."""

    def __init__(self, file: BinaryIO, size_bytes: int | None) -> None:
        self._file = file
        self._size = size_bytes
        self._taken = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        """Read into a buffer, and count."""
        count: int = self._file.readinto(buffer)  # type: ignore[attr-defined]
        self._taken += count
        return count

    @property
    def share(self) -> float | None:
        """How much of the file has been read; ``None`` where that is not known."""
        return min(1.0, self._taken / self._size) if self._size and self._taken else None


def fingerprint(task: Task, model: Described, chunk_rows: int) -> list[object]:
    """Return what must be the same for a run to be resumed."""
    names = [model.qualified_name, model.version, task.source_format.name, task.target_format.name]
    return [*locations.identify(task.source), *names, chunk_rows]


def find_reached(task: Task, of: list[object]) -> Reached:
    """Return how far a run came that was interrupted.

    Raises:
        FileUnreadable: It was a run of something else.
    """
    try:
        reached = Reached(**json.loads(task.record.read_text(encoding="utf-8")))
        size = task.part.stat().st_size
    except (OSError, ValueError, TypeError):
        return Reached(of)
    if reached.of != of:
        raise FileUnreadable(
            f"'{task.source}', the model or a format has changed since '{task.part}' was begun; "
            "start again without --resume"
        )
    return reached if size >= reached.size_bytes else Reached(of)


def save_reached(task: Task, reached: Reached) -> None:
    """Write down how far a run came, all of it or nothing."""
    new = Path(f"{task.record}.new")
    new.write_text(json.dumps(asdict(reached)), encoding="utf-8")
    new.replace(task.record)


def finish(task: Task) -> None:
    """Make the target of a part that is whole.

    Raises:
        ConfigInvalid: It is elsewhere and cannot be written there.
    """
    if locations.is_remote(task.target):
        whole = task.part.with_suffix(task.target_format.suffixes[0])
        finish_part(task.part, whole, task.target_format)
        locations.send(whole, task.target)
    else:
        finish_part(task.part, task.target, task.target_format)
    task.record.unlink(missing_ok=True)


def _choose(name: str, chosen: str | None, option: str, formats: tuple[Format, ...]) -> Format:
    if chosen is not None:
        return FORMATS[chosen]
    found = find_format(file_name=name) if name != STANDARD else None
    if found is None or found not in formats:
        what = "standard input has no name" if name == STANDARD else f"the name '{name}' does not"
        told = f"{what} that tells its format" if name == STANDARD else f"{what} tell a format that can be used here"
        raise click.UsageError(f"{told}; give {option}: {list_names(formats)}")
    return found


def _stem(source: str) -> str:
    name = Path(source).name.removesuffix(".gz")
    return name.rpartition(".")[0] or name


def _check(tasks: list[Task]) -> None:
    targets = [task.target for task in tasks if task.target != STANDARD]
    if len({*targets}) < len(targets):
        raise click.UsageError("two of the files have the same name; score them into different folders")
    for task in tasks:
        if task.target.endswith(".gz"):
            raise click.UsageError("what is written is not compressed; leave '.gz' out of --output")
        if task.source != STANDARD and _find_place(task.source) == _find_place(task.target):
            raise click.UsageError(f"'{task.source}' would be overwritten by its own output; name another --output")
        if task.source == STANDARD and task.source_format.name == "parquet":
            raise click.UsageError("Parquet cannot be read from standard input; name a file")


def _find_place(name: str) -> str:
    return name if name == STANDARD or locations.is_remote(name) else os.path.realpath(name)
