"""`SpawnedProcess`: one model process: how it is started, what it writes, how much memory it takes."""

import logging
import os
import re
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path

from model_service.backends.process.status import STOP_SIGNAL
from model_service.config import ModelConfig
from model_service.home import make_environment, measure_memory

logger = logging.getLogger(__name__)

#: A process that the model has started may hold the other end of the pipe open; it is not waited for longer.
OUTPUT_TIMEOUT_S = 1.0
_LAST_LINES = 50
#: What Python says of `-m` and of `import`.
_MISSING_MODULE = re.compile(r"No module named '?([\w.]+)")


class SpawnedProcess:
    """A running model process, and what is left of it when it has ended.

    Args:
        config: The model's entry.
        listener: File descriptor of the listening socket, which it inherits.
        status_path: The file that it keeps its state in.
        linger_s: Seconds that it goes on for its callers when this process is killed.
        label: Returns what log lines call the model.

    Raises:
        OSError: The interpreter is not there.
    """

    def __init__(
        self, config: ModelConfig, listener: int, status_path: Path, *, linger_s: float, label: Callable[[], str]
    ) -> None:
        self._label = label
        self._last_lines: deque[str] = deque(maxlen=_LAST_LINES)
        # The same interpreter finds what this process finds; another one has its own packages.
        environment = {**os.environ} if config.python else make_environment()
        self._process = subprocess.Popen(  # noqa: S603 - the operator's own interpreter and class
            [
                *(str(config.python or sys.executable), "-P", "-m", "model_service.backends.process.worker"),
                *(config.class_path, "--socket", str(listener), "--status", str(status_path)),
                *("--parent", str(os.getpid()), "--timeout-s", str(config.timeout_s), "--linger-s", str(linger_s)),
                *("--max-batch-rows", str(config.max_batch_rows)),
            ],
            pass_fds=[listener],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        self._output = threading.Thread(target=self._log_output, daemon=True)
        self._output.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def returncode(self) -> int:
        """How it ended, once it has: as `subprocess.Popen.returncode`."""
        return self._process.returncode

    def has_ended(self, within_s: float = 0.0) -> bool:
        """Return whether it has ended, after so long at most."""
        try:
            self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def stop(self) -> None:
        """Ask it to end."""
        self._process.send_signal(STOP_SIGNAL)

    def kill(self) -> None:
        """End it."""
        self._process.kill()

    def measure_memory(self) -> int:
        """Return its resident memory in bytes; 0 where that is not known."""
        return measure_memory(self.pid)

    def finish_output(self, *, has_failed: bool) -> None:
        """Wait until what it wrote has been read; log the last lines where the level of the log has kept them back."""
        self._output.join(OUTPUT_TIMEOUT_S)
        if has_failed and not logger.isEnabledFor(logging.INFO):
            for line in list(self._last_lines):
                logger.error("%s", line, extra={"model": self._label()})

    def find_missing_module(self) -> str | None:
        """Return what its interpreter lacks, by what it wrote last."""
        found = (_MISSING_MODULE.search(line) for line in list(self._last_lines))
        return next((match[1] for match in found if match is not None), None)

    def _log_output(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self._last_lines.append(line.rstrip()[:500])
                logger.info("%s", line.rstrip(), extra={"model": self._label()})
