"""How far a file is: a bar on a terminal, a line now and then elsewhere."""

import importlib
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import click

_EVERY_S = 5.0


class Progress:
    """Shows rows, failed rows, rate and time left, on standard error.

    Args:
        name: Of the file.
        clock: Seconds that only grow.
    """

    def __init__(self, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._clock = clock
        self._started = self._told = clock()
        self._skipped = self.rows = self.failed = 0
        self._bar: Any = None
        if sys.stderr.isatty() and find_spec("tqdm") is not None:
            tqdm = importlib.import_module("tqdm").tqdm
            self._bar = tqdm(desc=name, unit=" rows", unit_scale=True, dynamic_ncols=True, mininterval=0.2)

    def skip(self, rows: int, failed: int) -> None:
        """Count rows that were done before."""
        self._skipped, self.rows, self.failed = rows, rows, failed
        if self._bar is not None:
            self._bar.initial = self._bar.n = rows

    def add(self, rows: int, failed: int, share: float | None) -> None:
        """Count rows that are done.

        Args:
            rows: How many more.
            failed: How many of them have an error.
            share: How much of the file has been read, from 0 to 1; ``None`` where its size is not known.
        """
        self.rows += rows
        self.failed += failed
        total = int(self.rows / share) if share else None
        if self._bar is not None:
            self._bar.total = total
            self._bar.set_postfix(failed=self.failed, refresh=False)
            self._bar.update(rows)
        elif self._clock() - self._told >= _EVERY_S:
            self._told = self._clock()
            left = f", about {(total - self.rows) / max(1.0, self._rate()):.0f} s left" if total else ""
            click.echo(f"{self._describe()}{left}", err=True)

    def close(self) -> None:
        """Say how it ended."""
        if self._bar is not None:
            self._bar.close()
        click.echo(f"{self._describe()}, {self._clock() - self._started:.1f} s", err=True)

    def _rate(self) -> float:
        return (self.rows - self._skipped) / max(0.001, self._clock() - self._started)

    def _describe(self) -> str:
        return f"{self._name}: {self.rows} rows, {self.failed} failed, {self._rate():.0f} rows/s"
