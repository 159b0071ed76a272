"""What `model-service serve` itself is: the parent that holds the listening sockets and keeps everyone else alive.

    parent ─ listening sockets, home folder, one supervisor per model in a process
      ├─ worker 1..n        model_service.worker                    accept, each from its own socket
      ├─ model process ...  model_service.backends.process.worker   shared by all workers
      └─ jobs process ...   model_service.jobs.process              works on files

It answers nothing itself, so nothing can hold it up. A worker that is lost is replaced; what waits in its socket
meanwhile is taken by the others (`model_service.transports.http.accepting`). When the parent is told to end, its
workers answer what they have accepted; when it is killed, they see the end of a pipe and do the same.
"""

import logging
import logging.config
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from model_service.backends import find_backend
from model_service.backends.base import ParentPart
from model_service.config import NO_MODELS, ModelConfig, ServiceConfig, name_entry
from model_service.config_file import write_config
from model_service.errors import ConfigInvalid
from model_service.home import (
    CONFIG_FILE,
    EXIT_CONFIG_WRONG,
    EXIT_PACKAGE_WRONG,
    METRICS_FOLDER,
    make_home,
    name_presence,
    name_signal,
)
from model_service.jobs.parent_part import JobProcesses
from model_service.listening import Listener
from model_service.metrics import families
from model_service.metrics.meters import Meters
from model_service.observability import build_logging_settings
from model_service.threads import count_cores, limit_threads

logger = logging.getLogger(__name__)

#: Workers of one place that die so often within so long are not replaced any more: the service ends.
MOST_DEATHS, DEATHS_WINDOW_S = 5, 30.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0
_STDERR = 2
_END_SIGNALS = (signal.SIGTERM, signal.SIGINT)
#: Time that a worker has to close its models, beside what its requests have.
_CLOSE_S = 6.0
#: How often what it counts is written for the workers, who answer scrapes.
_FLUSH_S = 0.5


def serve(config: ServiceConfig) -> None:
    """Run the HTTP server until SIGTERM or SIGINT; running requests are finished first.

    Raises:
        ConfigInvalid: The address cannot be listened on, the TLS files do not fit, or a folder is missing.
        SystemExit: With status 3 or 4, when configuration or packages leave it unclear what to serve; with 1, when
            the workers cannot be kept alive.
    """
    _open_streams()
    _check_working_directory()
    logging.config.dictConfig(build_logging_settings(config.logging))
    limit_threads(config.server.model_threads, os.environ)  # workers and model processes inherit it
    workers = config.server.workers or count_cores()
    with _signals_held():  # from the moment somebody can connect, a signal is an end in good order
        listener = Listener(config.server, workers)
        parent = Parent(config, listener, workers)
        parent.heed_signals()
    logger.info("serving at %s with %d %s", listener.name, workers, "worker" if workers == 1 else "workers")
    if not config.models:
        logger.warning(NO_MODELS)
    parent.run()


def _open_streams() -> None:
    """Open closed standard streams onto nothing: else a socket gets the number of one, and with it the log."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= _STDERR:
        os.set_inheritable(descriptor, True)
        if descriptor == _STDERR:
            sys.stderr = os.fdopen(_STDERR, "w", encoding="utf-8", closefd=False)
    os.close(descriptor)


def _check_working_directory() -> None:
    """Make sure that there is one, without which no Python starts.

    Raises:
        ConfigInvalid: It has been removed.
    """
    try:
        os.getcwd()
    except OSError:
        raise ConfigInvalid("the working directory has been removed; start the service in one that exists") from None


@contextmanager
def _signals_held() -> Iterator[None]:
    """Keep the signals that end a service until the end of a block."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _END_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Parent:
    """A running service.

    Args:
        config: What to serve.
        listener: Its listening sockets.
        workers: How many workers it has.
    """

    def __init__(self, config: ServiceConfig, listener: Listener, workers: int) -> None:
        self._config = config
        self._listener = listener
        self._ending = threading.Event()
        self._wake = threading.Event()
        self._signals = 0
        self._exit_code = 0
        self._home = make_home()
        self._meters = Meters(self._home.path / METRICS_FOLDER) if config.metrics.enabled else None
        write_config(config, self._home.path / CONFIG_FILE)
        # Workers see the end of this pipe when this process ends, however it does.
        self._pipe, self._own_end = os.pipe()
        entries = {name_entry(model): model for model in config.models}
        parts = [self._make_parent_part(name, model) for name, model in entries.items()]
        self._parts = [part for part in parts if part is not None]
        self._jobs = JobProcesses(config.jobs, self._home.path, self._pipe)
        self._places = [_Place(self, number) for number in range(workers)]

    def heed_signals(self) -> None:
        """Let SIGTERM and SIGINT end the service, from now on."""
        for number in _END_SIGNALS:
            signal.signal(number, self._note_signal)

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT; a second one ends at once.

        Raises:
            SystemExit: With status 3 or 4, when configuration or packages leave it unclear what to serve; with 1, when
            the workers cannot be kept alive.
        """
        try:
            for part in self._parts:
                part.start()
            self._jobs.start()
            for place in self._places:
                place.start()
            if self._meters is not None:
                threading.Thread(target=self._flush_meters, args=[self._meters], name="meters", daemon=True).start()
            self._wake.wait()
        finally:
            self._end()
        logger.info("the service has ended")
        if self._exit_code:
            sys.exit(self._exit_code)

    def fail(self, exit_code: int) -> None:
        """End the service, because its workers cannot be kept alive, with a status that says why."""
        self._exit_code = exit_code
        self._wake.set()

    def is_ending(self) -> bool:
        """Return whether nothing is to be replaced any more."""
        return self._ending.is_set()

    def spawn(self, number: int, *, is_replacement: bool) -> "subprocess.Popen[bytes]":
        """Start a worker."""
        sockets = self._listener.filenos()
        if is_replacement and self._meters is not None:
            self._meters.count(families.WORKER_RESTARTS)
        return subprocess.Popen(  # noqa: S603 - our own module
            [
                *(sys.executable, "-P", "-m", "model_service.worker", "--home", str(self._home.path)),
                *("--sockets", ",".join(map(str, sockets)), "--pipe", str(self._pipe)),
                *("--number", str(number)),
                *(["--replacement"] if is_replacement else []),
            ],
            pass_fds=[*sockets, self._pipe],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdin=subprocess.DEVNULL,
        )

    def miss(self, number: int) -> None:
        """Tell the others that a worker has ended: they accept from its socket until there is another."""
        name_presence(self._home.path, number).unlink(missing_ok=True)

    def pause(self, seconds: float) -> None:
        """Sleep, or until the service ends."""
        self._ending.wait(seconds)

    def _flush_meters(self, meters: Meters) -> None:
        while not self._ending.wait(_FLUSH_S):
            meters.flush()

    def _make_parent_part(self, name: str, model: ModelConfig) -> ParentPart | None:
        folder = self._home.path / name
        folder.mkdir()
        linger_s = self._config.server.shutdown_timeout_s + _CLOSE_S
        return find_backend(model.backend).make_parent_part(model, folder, linger_s=linger_s, meters=self._meters)

    def _note_signal(self, number: int, frame: object) -> None:
        self._signals += 1
        self._wake.set()

    def _end(self) -> None:
        """End the workers, which finish their requests, then the models, then what is left of either."""
        logger.info(
            "the service ends: running requests are finished, within %d s", self._config.server.shutdown_timeout_s
        )
        self._ending.set()
        self._listener.close()
        self._jobs.begin_stop()
        for place in self._places:
            place.begin_end()
        ends_at = time.monotonic() + self._config.server.shutdown_timeout_s + _CLOSE_S
        for place in self._places:
            while not place.wait(0.1):
                if time.monotonic() > ends_at or self._signals > 1:
                    place.kill()
        self._jobs.stop(time.monotonic() + _CLOSE_S)
        for part in self._parts:
            part.begin_stop()
        for part in self._parts:
            part.stop()
        self._listener.remove()
        self._home.leave()


class _Place:
    """One worker after another."""

    def __init__(self, parent: Parent, number: int) -> None:
        self._parent = parent
        self._number = number
        self._spawning = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._deaths: deque[float] = deque()
        self._thread = threading.Thread(target=self._keep_alive, name=f"worker {number}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def begin_end(self) -> None:
        with self._spawning:  # from here on no worker is started
            if self._process is not None and self._process.poll() is None:
                self._process.terminate()

    def wait(self, seconds: float) -> bool:
        """Return whether the worker has ended, after so long at most."""
        if self._thread.ident is not None:
            self._thread.join(seconds)
        return not self._thread.is_alive()

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()

    def _keep_alive(self) -> None:
        is_replacement = False
        while True:
            with self._spawning:
                if self._parent.is_ending():
                    return
                self._process = self._parent.spawn(self._number, is_replacement=is_replacement)
            code = self._process.wait()
            self._parent.miss(self._number)
            if self._parent.is_ending():  # meanwhile
                return
            logger.error("worker %d (pid %d) ended by itself: %s", self._number, self._process.pid, _name_end(code))
            if code in (EXIT_CONFIG_WRONG, EXIT_PACKAGE_WRONG):
                self._parent.fail(code)
                return
            if self._dies_too_often():
                window = f"{DEATHS_WINDOW_S:.0f} s"
                logger.error(
                    "worker %d ended %d times within %s: the service ends", self._number, MOST_DEATHS + 1, window
                )
                self._parent.fail(1)
                return
            is_replacement = True
            self._parent.pause(min(FIRST_PAUSE_S * 2 ** (len(self._deaths) - 1), LONGEST_PAUSE_S))

    def _dies_too_often(self) -> bool:
        now = time.monotonic()
        self._deaths.append(now)
        while self._deaths[0] < now - DEATHS_WINDOW_S:
            self._deaths.popleft()
        return len(self._deaths) > MOST_DEATHS


def _name_end(code: int) -> str:
    return f"status {code}" if code >= 0 else name_signal(-code)
