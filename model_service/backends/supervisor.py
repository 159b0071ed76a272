"""Keeps the processes of one model alive: start, watch, start again, give up. It sends no predictions.

The parent of the web workers owns one supervisor a model; outside `serve` the backend
that needs the processes owns it. Each process inherits a listening Unix socket that the
supervisor keeps open, so callers can connect, and send, while a dead process is replaced.

    <folder, mode 0700>/0.sock  0.json      socket and status of the first process
                        1.sock  1.json      ... of the second, with ``replicas: 2``
"""

import logging
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from pathlib import Path

from model_service.backends.status import EXIT_PACKAGE_BROKEN, STOP_SIGNAL, ProcessStatus, read_status, write_status
from model_service.config import ModelConfig
from model_service.home import make_home
from model_service.records import ModelState, Problem

logger = logging.getLogger(__name__)

#: This many crashes within the window, and the model is failed.
MAX_CRASHES = 5
CRASH_WINDOW_S = 60.0
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0
#: How often a process's memory and start are looked at.
POLL_S = 0.1
STOP_TIMEOUT_S = 5.0
OUTPUT_TIMEOUT_S = 1.0
_STDERR_LINES = 20
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def name_socket(folder: Path, number: int) -> Path:
    """Return the path of a process's socket."""
    return folder / f"{number}.sock"


def name_status(folder: Path, number: int) -> Path:
    """Return the path of a process's status file."""
    return folder / f"{number}.json"


class Supervisor:
    """The processes of one model. `start` and `stop` are called once, by one thread.

    Args:
        config: The model's entry.
        folder: Where sockets and status files are kept, and removed with; one of its own when ``None``.
        linger_s: Seconds that the processes go on for those who are connected, when this process is killed.
    """

    def __init__(self, config: ModelConfig, folder: Path | None = None, *, linger_s: float = 0.0) -> None:
        self._config = config
        self._home = make_home() if folder is None else None
        self.folder = folder or self._home.path  # type: ignore[union-attr]  # one of the two is there
        self._replicas = [_Replica(config, self.folder, i, linger_s) for i in range(config.replicas)]

    def start(self) -> None:
        """Start every process; returns at once, the status files tell when they are ready."""
        for replica in self._replicas:
            replica.start()

    def begin_stop(self) -> None:
        """Ask every process to end; `stop` waits for it."""
        for replica in self._replicas:
            replica.begin_stop()

    def stop(self) -> None:
        """End every process and remove the folder."""
        self.begin_stop()
        for replica in self._replicas:
            replica.finish_stop()
        shutil.rmtree(self.folder, ignore_errors=True)
        if self._home is not None:
            self._home.leave()


class _Replica:
    """One process after another on one socket."""

    def __init__(self, config: ModelConfig, folder: Path, number: int, linger_s: float) -> None:
        self._config = config
        self._linger_s = linger_s
        self._name = config.class_path
        self._status_path = name_status(folder, number)
        self._deadline_path = folder / f"{number}.deadline"
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(name_socket(folder, number)))
        self._listener.listen(1024)
        self._stopping = threading.Event()
        self._spawning = threading.Lock()
        self._spawned = threading.Event()
        self._process: subprocess.Popen[str] | None = None
        self._stderr: deque[str] = deque(maxlen=_STDERR_LINES)
        self._crashes: deque[float] = deque()
        self._killed_for: str | None = None
        self._thread = threading.Thread(target=self._keep_alive, name=f"supervisor of {self._name}", daemon=True)

    def start(self) -> None:
        self._thread.start()
        # Whoever starts several of them wants to know that each has begun.
        self._spawned.wait()

    def begin_stop(self) -> None:
        with self._spawning:  # from here on no process is started that would not get the signal
            self._stopping.set()
        if self._process is not None:
            self._process.send_signal(STOP_SIGNAL)

    def finish_stop(self) -> None:
        if self._spawned.is_set():
            self._thread.join(STOP_TIMEOUT_S)
            if self._process is not None:
                self._process.kill()
            self._thread.join()
        self._close_listener()

    def _keep_alive(self) -> None:
        while True:
            with self._spawning:
                if self._stopping.is_set():
                    return
                try:
                    process = self._spawn()
                except OSError as error:
                    self._give_up(_no_interpreter(self._name, error))
                    return
                finally:
                    self._spawned.set()
            started = time.monotonic()
            output = threading.Thread(target=self._log_output, args=(process,), daemon=True)
            output.start()
            self._watch(process, started)
            # Not for ever: a process that the model has started may hold the other end of the pipe open.
            output.join(OUTPUT_TIMEOUT_S)
            if self._stopping.is_set():
                return
            if process.returncode == EXIT_PACKAGE_BROKEN:
                self._close_listener()  # it has written why
                return
            is_overdue = self._was_overdue(process.pid)
            reason = self._describe_end(process.returncode, is_overdue=is_overdue)
            if not is_overdue and self._is_last_crash(reason):
                return
            self._stopping.wait(self._pause())

    def _spawn(self) -> "subprocess.Popen[str]":
        self._killed_for = None
        self._stderr.clear()
        # The same interpreter finds what this process finds; another one has its own packages.
        environment = {**os.environ} if self._config.python else {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        python = str(self._config.python or sys.executable)
        listener = self._listener.fileno()
        self._process = subprocess.Popen(  # noqa: S603 - the operator's own interpreter and class
            [
                *(python, "-P", "-m", "model_service.backends.worker", self._config.class_path),
                *("--socket", str(listener), "--status", str(self._status_path), "--parent", str(os.getpid())),
                *("--timeout-s", str(self._config.timeout_s), "--linger-s", str(self._linger_s)),
            ],
            pass_fds=[listener],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        return self._process

    def _log_output(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        with process.stdout as lines:
            for line in lines:
                self._stderr.append(line.rstrip()[:500])
                logger.info("%s", line.rstrip(), extra={"model": self._name})

    def _watch(self, process: "subprocess.Popen[str]", started: float) -> None:
        """Return when the process has ended; end it when it starts too slowly or grows too large."""
        is_ready = False
        while process.poll() is None:
            if not is_ready:
                status = read_status(self._status_path)
                is_ready = status is not None and status.pid == process.pid and status.state is ModelState.READY
                if not is_ready and time.monotonic() - started > self._config.start_timeout_s:
                    self._kill(process, f"it did not start within {self._config.start_timeout_s} s")
            limit = self._config.max_memory_bytes
            if limit is not None and _resident_bytes(process.pid) > limit:
                self._kill(process, f"it used more than {limit} bytes of memory")
            try:
                process.wait(POLL_S)
            except subprocess.TimeoutExpired:
                continue

    def _kill(self, process: "subprocess.Popen[str]", reason: str) -> None:
        self._killed_for = reason
        process.kill()

    def _was_overdue(self, pid: int) -> bool:
        """Whether a web process killed it for a prediction past its deadline, which is no crash."""
        try:
            return self._deadline_path.read_text() == str(pid)
        except FileNotFoundError:
            return False

    def _describe_end(self, returncode: int, *, is_overdue: bool) -> str:
        if self._killed_for is not None:
            reason = f"it was ended because {self._killed_for}"
        elif is_overdue:
            reason = "it was ended because a prediction was past its deadline"
        elif returncode < 0:
            reason = f"it was ended by {_name_signal(-returncode)}"
        else:
            reason = f"it ended by itself with status {returncode}"
        logger.error("model process ended: %s", reason, extra={"model": self._name})
        return reason

    def _is_last_crash(self, reason: str) -> bool:
        now = time.monotonic()
        self._crashes.append(now)
        while self._crashes[0] < now - CRASH_WINDOW_S:
            self._crashes.popleft()
        status = read_status(self._status_path)
        never_ready = status is None or status.state is ModelState.LOADING
        if len(self._crashes) < MAX_CRASHES and not (never_ready and self._killed_for):
            return False
        last_lines = " | ".join(self._stderr)
        self._give_up(
            Problem(
                "model_load_failed" if never_ready else "model_crashed",
                f"the process of '{self._name}' ended {len(self._crashes)} times within {CRASH_WINDOW_S:.0f} s",
                f"the last time {reason}; it last wrote: {last_lines or 'nothing'}",
                "mend the model, raise start_timeout_s or max_memory_bytes, or install model-service and the package "
                "for the interpreter that 'python' names; then start the service again",
            )
        )
        return True

    def _give_up(self, problem: Problem) -> None:
        """Publish why, then close the socket."""
        status = read_status(self._status_path) or ProcessStatus(ModelState.FAILED)
        write_status(self._status_path, ProcessStatus(ModelState.FAILED, 0, status.info, status.has_rules, problem))
        self._close_listener()

    def _close_listener(self) -> None:
        """Send away whoever waits on the socket, and let nobody connect again: they look at the status then.

        Closing alone would not do: a model process that is ending holds the same socket.
        """
        with suppress(OSError):  # it may be closed already
            self._listener.setblocking(False)
            self._listener.shutdown(socket.SHUT_RDWR)
            while True:
                self._listener.accept()[0].close()
        self._listener.close()

    def _pause(self) -> float:
        """Return seconds before the next start: twice as long after each crash, and never in step with others."""
        longest = min(FIRST_PAUSE_S * 2 ** len(self._crashes), LONGEST_PAUSE_S)
        return random.uniform(longest / 2, longest)  # noqa: S311 - no secret depends on it


def _name_signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # most real-time signals have no name
        return f"signal {number}"


def _no_interpreter(name: str, error: OSError) -> Problem:
    return Problem(
        "model_load_failed",
        f"the process of '{name}' cannot be started",
        f"{error.filename}: {error.strerror}",
        "set 'python' of the model to the interpreter of an environment, such as envs/old/bin/python",
    )


def _resident_bytes(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES
    except (OSError, IndexError, ValueError):  # it has just ended, or there is no /proc
        return 0
