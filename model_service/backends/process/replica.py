"""`Replica`: one process of a model after another, on one socket: spawn, watch, start again or give up."""

import logging
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from pathlib import Path

from model_service.backends.process.restart_policy import Decision, End, RestartPolicy, Step
from model_service.backends.process.status import (
    EXIT_PACKAGE_BROKEN,
    STOP_SIGNAL,
    ProcessStatus,
    name_overdue,
    name_socket,
    name_status,
    read_status,
    write_status,
)
from model_service.config import ModelConfig
from model_service.records import ModelInfo, ModelState, Problem

logger = logging.getLogger(__name__)

#: How often a process's memory and start are looked at.
POLL_S = 0.1
OUTPUT_TIMEOUT_S = 1.0
_LAST_LINES = 50
#: What Python says of `-m` and of `import`.
_MISSING_MODULE = re.compile(r"No module named '?([\w.]+)")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Replica:
    """Keeps one process of a model alive; in a thread of its own.

    Args:
        config: The model's entry.
        folder: Where its socket and its status are.
        number: Which of the model's processes it is.
        linger_s: Seconds that a process goes on for its callers when this one is killed.
    """

    def __init__(self, config: ModelConfig, folder: Path, number: int, linger_s: float) -> None:
        self._config = config
        self._linger_s = linger_s
        self._name = config.class_path
        self._status_path = name_status(folder, number)
        self._overdue_path = name_overdue(folder, number)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(name_socket(folder, number)))
        self._listener.listen(1024)
        self._stopping = threading.Event()
        self._spawning = threading.Lock()
        self._spawned = threading.Event()
        self._process: subprocess.Popen[str] | None = None
        self._last_lines: deque[str] = deque(maxlen=_LAST_LINES)
        self._policy = RestartPolicy()
        self._loaded: ModelInfo | None = None
        self._has_changed = False
        self._ready_at: float | None = None
        self._killed_for: str | None = None
        self._thread = threading.Thread(target=self._keep_alive, name=f"supervisor of {self._name}", daemon=True)

    def start(self) -> None:
        """Start the first process; returns when there is one."""
        self._thread.start()
        self._spawned.wait()

    def begin_stop(self) -> None:
        """Ask the process to end, and start no other."""
        with self._spawning:  # from here on no process is started that would not get the signal
            self._stopping.set()
        if self._process is not None:
            self._process.send_signal(STOP_SIGNAL)

    def finish_stop(self, timeout_s: float) -> None:
        """Wait for the end of the process, and kill it when that takes too long."""
        if self._spawned.is_set():
            self._thread.join(timeout_s)
            if self._process is not None:
                self._process.kill()
            self._thread.join()
        self._close_listener()

    @property
    def _label(self) -> str:
        """What log lines call the model: its own name, once that is known."""
        return self._loaded.qualified_name if self._loaded is not None else self._name

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
            output = threading.Thread(target=self._log_output, args=(process,), daemon=True)
            output.start()
            self._watch(process)
            # Not for ever: a process that the model has started may hold the other end of the pipe open.
            output.join(OUTPUT_TIMEOUT_S)
            self._tell_last_lines(process)
            if self._stopping.is_set():
                return
            if process.returncode == EXIT_PACKAGE_BROKEN:
                self._close_listener()  # it has written why
                return
            if not self._prepare_next(process):
                return

    def _spawn(self) -> "subprocess.Popen[str]":
        self._killed_for = self._ready_at = None
        self._last_lines.clear()
        # The same interpreter finds what this process finds; another one has its own packages.
        environment = {**os.environ} if self._config.python else {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        python = str(self._config.python or sys.executable)
        listener = self._listener.fileno()
        self._process = subprocess.Popen(  # noqa: S603 - the operator's own interpreter and class
            [
                *(python, "-P", "-m", "model_service.backends.process.worker", self._config.class_path),
                *("--socket", str(listener), "--status", str(self._status_path), "--parent", str(os.getpid())),
                *("--timeout-s", str(self._config.timeout_s), "--linger-s", str(self._linger_s)),
                *("--max-batch-rows", str(self._config.max_batch_rows)),
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
                self._last_lines.append(line.rstrip()[:500])
                logger.info("%s", line.rstrip(), extra={"model": self._label})

    def _tell_last_lines(self, process: "subprocess.Popen[str]") -> None:
        """Log what a process that failed wrote last, where the level of the log has kept it back."""
        status = read_status(self._status_path)
        has_failed = status is not None and status.pid == process.pid and status.problem is not None
        if logger.isEnabledFor(logging.INFO) or (self._stopping.is_set() and not has_failed):
            return
        for line in self._last_lines:
            logger.error("%s", line, extra={"model": self._label})

    def _watch(self, process: "subprocess.Popen[str]") -> None:
        """Return when the process has ended; end it when it is not fit to serve."""
        started = time.monotonic()
        is_ready = False
        while process.poll() is None:
            if not is_ready:
                is_ready = self._look_at_status(process)
                if not is_ready and time.monotonic() - started > self._config.start_timeout_s:
                    self._kill(process, f"it did not start within {self._config.start_timeout_s} s")
            limit = self._config.max_memory_bytes
            if limit is not None and _resident_bytes(process.pid) > limit:
                self._kill(process, f"it used more than {limit} bytes of memory")
            try:
                process.wait(POLL_S)
            except subprocess.TimeoutExpired:
                continue

    def _look_at_status(self, process: "subprocess.Popen[str]") -> bool:
        """Return whether the process is ready; end it when it is about to load something else than the one before."""
        status = read_status(self._status_path)
        if status is None or status.pid != process.pid:
            return False
        is_ready = status.state is ModelState.READY
        if is_ready and self._ready_at is None:
            self._ready_at = time.monotonic()
        if self._loaded is None:
            self._loaded = status.info if is_ready else None
        elif status.info is not None and status.info != self._loaded:
            self._has_changed = True
            process.kill()
        return is_ready

    def _kill(self, process: "subprocess.Popen[str]", reason: str) -> None:
        self._killed_for = reason
        process.kill()

    def _prepare_next(self, process: "subprocess.Popen[str]") -> bool:
        """Wait until another process may be started; return whether one may ever."""
        self._look_at_status(process)  # it may have ended before it was looked at
        if self._has_changed:
            self._give_up(_describe_change(self._name))
            return False
        missing = self._find_missing_module()
        if self._loaded is None and missing is not None:
            self._give_up(_describe_lack(self._name, str(self._config.python), missing))
            return False
        end, reason = self._describe_end(process)
        lived_s = time.monotonic() - self._ready_at if self._ready_at is not None else 0.0
        decision = self._policy.decide(end, was_ready=self._loaded is not None, lived_s=lived_s)
        if decision.step is Step.GIVE_UP:
            self._give_up(self._describe_failure(reason))
            return False
        if decision.step is Step.OPEN:
            self._open_circuit(decision, reason)
        self._stopping.wait(decision.pause_s)
        return True

    def _find_missing_module(self) -> str | None:
        """Return what another interpreter lacks of the platform: without it, no process gets as far as the package."""
        if self._config.python is None:
            return None
        found = (_MISSING_MODULE.search(line) for line in self._last_lines)
        return next((match[1] for match in found if match is not None), None)

    def _describe_end(self, process: "subprocess.Popen[str]") -> tuple[End, str]:
        end = End.CRASH
        if self._killed_for is not None:
            end, reason = End.UNFIT, f"it was ended because {self._killed_for}"
        elif self._was_overdue(process.pid):
            end, reason = End.OVERDUE, "it was ended because a prediction was past its deadline"
        elif process.returncode < 0:
            reason = f"it was ended by {_name_signal(-process.returncode)}"
        else:
            reason = f"it ended by itself with status {process.returncode}"
        logger.error("model process ended: %s", reason, extra={"model": self._label})
        return end, reason

    def _was_overdue(self, pid: int) -> bool:
        """Whether a web process killed it for a prediction past its deadline, which is no crash."""
        try:
            return self._overdue_path.read_text() == str(pid)
        except FileNotFoundError:
            return False

    def _describe_failure(self, reason: str) -> Problem:
        # What the process wrote may hold anything, a payload too: it stands in the log, and nowhere else.
        return Problem(
            "model_load_failed",
            f"the process of '{self._name}' could not be started",
            f"{reason}; the log has what it wrote",
            "mend the model, or raise start_timeout_s or max_memory_bytes; then start the service again",
        )

    def _open_circuit(self, decision: Decision, reason: str) -> None:
        """Publish that the model is stopped, and until when."""
        pause = f"{decision.pause_s:.0f} s"
        problem = Problem(
            "model_crashed",
            f"'{self._name}' is stopped after crashes",
            f"the last time {reason}; the log has what it wrote",
            f"it is started again {pause} after its last crash; mend the model, or the rows that end it",
        )
        logger.error("model is stopped for %s after crashes", pause, extra={"model": self._label})
        self._publish(problem, retry_at=time.monotonic() + decision.pause_s)

    def _give_up(self, problem: Problem) -> None:
        """Publish why, then close the socket."""
        self._publish(problem)
        self._close_listener()

    def _publish(self, problem: Problem, retry_at: float | None = None) -> None:
        info = self._loaded
        known = read_status(self._status_path)
        has_rules = known is not None and known.has_rules
        if info is None and known is not None:
            info = known.info
        status = ProcessStatus(ModelState.FAILED, 0, info, has_rules, problem, retry_at)
        write_status(self._status_path, status)

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


def _name_signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # most real-time signals have no name
        return f"signal {number}"


def _describe_change(name: str) -> Problem:
    return Problem(
        "model_changed",
        f"the package of '{name}' has changed since the service was started",
        "its process had ended, and another one would load other code, artifacts or descriptions than before",
        "restart the service to serve what is installed, or install what it was started with and restart it",
    )


def _describe_lack(name: str, python: str, module: str) -> Problem:
    return Problem(
        "model_load_failed",
        f"the process of '{name}' cannot be started",
        f"{python} has no module '{module}'",
        "install model-service with its extra 'serve', and the model's package, for that interpreter: "
        f"{python} -m pip install 'PATH_OF_THE_WHEEL_OF_MODEL_SERVICE[serve]' PATH_OF_THE_PACKAGE",
    )


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
