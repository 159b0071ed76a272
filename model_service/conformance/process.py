"""A child process that answers lines of JSON, each within a time, or is ended; and what is known of one that died."""

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

_MODULE = "model_service.conformance.child"
_BLOCK = 65536
#: What is read of the end of what a process has written before it died.
_TAIL_BYTES = 2000


class ProcessLost(Exception):
    """The process has not answered: it hung and was ended, or died; the message says which, and what it said last."""


class Process:
    """A Python process beside this one, with the same path of modules, in a group of its own.

    Args:
        arguments: Behind the descriptor that it answers on.
        first_path: Where it looks for modules first.
        hash_seed: Of its hashes: sets are in another order with another seed.
    """

    def __init__(self, arguments: Sequence[str] = (), *, first_path: Path | None = None, hash_seed: int = 0) -> None:
        reader, writer = os.pipe()
        self._reader, self._rest = reader, b""
        self._poll = select.poll()
        self._poll.register(reader, select.POLLIN)
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        paths = [*([str(first_path)] if first_path else []), *(path or os.getcwd() for path in sys.path)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONHASHSEED": str(hash_seed)}
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter
                [sys.executable, "-m", _MODULE, str(writer), *arguments],
                stdin=subprocess.PIPE,
                stdout=self._said,
                stderr=self._said,
                env=environment,
                pass_fds=[writer],
                start_new_session=True,
            )
        finally:
            os.close(writer)

    def tell(self, document: Any) -> None:
        """Send a line that has no answer of its own; a process that is gone is found when it is asked."""
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.write(json.dumps(document).encode() + b"\n")
                self._process.stdin.flush()

    def ask(self, document: Any, *, deadline_s: float) -> Any:
        """Send a line and return its answer.

        Raises:
            ProcessLost: There is none.
        """
        self.tell(document)
        end = time.monotonic() + deadline_s
        while b"\n" not in self._rest:
            if not self._poll.poll(max(0.0, end - time.monotonic()) * 1000):
                self.close()
                raise ProcessLost(
                    f"it did not come back within {deadline_s:g} s, and was ended; --deadline gives it longer"
                )
            block = os.read(self._reader, _BLOCK)
            if not block:
                raise ProcessLost(self._describe_end())
            self._rest += block
        line, _, self._rest = self._rest.partition(b"\n")
        return json.loads(line)

    def close(self) -> None:
        """End the process, with what it has started."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.close()
        self._process.wait()
        if self._reader >= 0:
            os.close(self._reader)
            self._reader = -1
        self._said.close()

    def _describe_end(self) -> str:
        code = self._process.wait()
        size = self._said.seek(0, os.SEEK_END)
        self._said.seek(max(0, size - _TAIL_BYTES))
        lines = self._said.read().decode(errors="replace").strip().splitlines()
        self.close()
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        return f"the process {how}{f': {lines[-1]}' if lines else ''}"
