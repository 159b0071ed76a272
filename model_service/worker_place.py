"""`WorkerPlace`: one worker after another, as the parent keeps it: spawn, wait, spawn again or give up."""

import logging
import signal
import subprocess
import threading
import time
from collections import deque
from contextlib import suppress
from typing import Protocol

from model_service.home import EXIT_CONFIG_WRONG, EXIT_PACKAGE_WRONG, name_signal

logger = logging.getLogger(__name__)

#: Workers of one place that die so often within so long are not replaced any more: the service ends.
MOST_DEATHS, DEATHS_WINDOW_S = 5, 30.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0
#: How often one looks whether a new worker accepts.
_LOOK_S = 0.2
#: Tells a worker to retire.
RETIRE_SIGNAL = signal.SIGUSR1


class Crew(Protocol):
    """What a place asks of the processes that it is one of."""

    def may_spawn(self, *, is_replacement: bool) -> bool:
        """Whether a worker may be started: also in the place of one that was lost."""

    def spawn(self, number: int, *, is_replacement: bool) -> "subprocess.Popen[bytes]":
        """Start a worker."""

    def is_present(self, number: int) -> bool:
        """Whether a worker accepts connections."""

    def miss(self, number: int) -> None:
        """Tell the others that a worker has ended."""

    def note_loss(self, code: int) -> bool:
        """Note that a worker has ended; return whether none may follow it."""

    def fail(self, code: int) -> None:
        """End the service: its workers cannot be kept alive."""

    def pause(self, seconds: float) -> None:
        """Sleep, or until the service ends."""


class WorkerPlace:
    """One worker after another, in a thread of its own.

    Args:
        fleet: What it is a place of.
        number: Which of the places it is, from 0.
    """

    def __init__(self, fleet: Crew, number: int) -> None:
        self.number = number
        self._fleet = fleet
        self._spawning = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._deaths: deque[float] = deque()
        self._thread = threading.Thread(target=self._keep_alive, name=f"worker {number}", daemon=True)

    @property
    def pid(self) -> int | None:
        """Its process, where there is one."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def start(self) -> None:
        """Start the first worker; returns at once."""
        self._thread.start()

    def retire(self, *, is_accepting: bool) -> None:
        """Tell the worker; one that accepts nothing yet has nothing to finish."""
        self._send(RETIRE_SIGNAL if is_accepting else signal.SIGTERM)

    def begin_end(self) -> None:
        """Ask the worker to end."""
        self._send(signal.SIGTERM)

    def wait(self, seconds: float) -> bool:
        """Return whether the worker has ended, after so long at most."""
        if self._thread.ident is not None:
            self._thread.join(seconds)
        return not self._thread.is_alive()

    def kill(self) -> None:
        """End the worker."""
        if self._process is not None:
            self._process.kill()

    def _send(self, number: int) -> None:
        with self._spawning:  # from here on no worker is started
            if self._process is not None and self._process.poll() is None:
                self._process.send_signal(number)

    def _keep_alive(self) -> None:
        fleet, is_replacement = self._fleet, False
        while True:
            with self._spawning:
                if not fleet.may_spawn(is_replacement=is_replacement):
                    return
                self._process = fleet.spawn(self.number, is_replacement=is_replacement)
            code = self._watch(self._process, is_replacement=is_replacement)
            fleet.miss(self.number)
            if fleet.note_loss(code) or not fleet.may_spawn(is_replacement=True):
                return
            logger.error("worker %d (pid %d) ended by itself: %s", self.number, self._process.pid, name_end(code))
            if code in (EXIT_CONFIG_WRONG, EXIT_PACKAGE_WRONG):
                fleet.fail(code)
                return
            if self._dies_too_often():
                window = f"{DEATHS_WINDOW_S:.0f} s"
                logger.error(
                    "worker %d ended %d times within %s: the service ends", self.number, MOST_DEATHS + 1, window
                )
                fleet.fail(1)
                return
            is_replacement = True
            fleet.pause(min(FIRST_PAUSE_S * 2 ** (len(self._deaths) - 1), LONGEST_PAUSE_S))

    def _watch(self, process: "subprocess.Popen[bytes]", *, is_replacement: bool) -> int:
        """Return the status with which a worker ends; say meanwhile when one that took another's place accepts."""
        while is_replacement:
            with suppress(subprocess.TimeoutExpired):
                return process.wait(_LOOK_S)
            if self._fleet.is_present(self.number):
                logger.info("worker %d is back: pid %d", self.number, process.pid)
                break
        return process.wait()

    def _dies_too_often(self) -> bool:
        now = time.monotonic()
        self._deaths.append(now)
        while self._deaths[0] < now - DEATHS_WINDOW_S:
            self._deaths.popleft()
        return len(self._deaths) > MOST_DEATHS


def name_end(code: int) -> str:
    """Return how a process has ended, in words."""
    return f"status {code}" if code >= 0 else name_signal(-code)
