"""How far something is: a bar of tqdm on a terminal, a line now and then elsewhere, or the caller's own function."""

import importlib
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

#: ``True`` shows it on standard error; a function is called with the rows that are done, and how many there are.
Progress = bool | Callable[[int, int | None], object]
_EVERY_S = 5.0


class Display:
    """Shows rows that are done.

    Args:
        progress: Whether, or to whom.
        name: Of the model or the job.
        total: Rows in all, where that is known.
    """

    def __init__(self, progress: Progress, name: str, total: int | None) -> None:
        self._report = progress if callable(progress) else None
        self._is_shown = progress is True
        self._name = name
        self._total = total
        self._told = time.monotonic()
        self._bar: Any = None
        if self._is_shown and sys.stderr.isatty() and find_spec("tqdm") is not None:
            tqdm = importlib.import_module("tqdm").tqdm
            self._bar = tqdm(desc=name, total=total, unit=" rows", unit_scale=True, dynamic_ncols=True)
        self.rows = 0

    def show(self, rows: int, total: int | None = None) -> None:
        """Show that so many rows are done."""
        self._total = total if total is not None else self._total
        if self._report is not None and rows != self.rows:
            self._report(rows, self._total)
        if self._bar is not None:
            self._bar.total = self._total
            self._bar.update(rows - self.rows)
        elif self._is_shown and time.monotonic() - self._told >= _EVERY_S:
            self._told = time.monotonic()
            self._write(rows)
        self.rows = rows

    def close(self) -> None:
        """Say how far it came."""
        if self._bar is not None:
            self._bar.close()
        elif self._is_shown:
            self._write(self.rows)

    def _write(self, rows: int) -> None:
        of = "" if self._total is None else f" of {self._total}"
        sys.stderr.write(f"{self._name}: {rows}{of} rows\n")
