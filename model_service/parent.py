"""What `model-service serve` itself is: the parent that holds the listening sockets and keeps everyone else alive.

    parent ─ listening sockets, home folder, control socket
      └─ generation ...       fleet.py; reloading.py brings up the next one
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
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import model_service
from model_service.access.reach import check_access
from model_service.config import NO_MODELS, ServiceConfig
from model_service.control import ControlServer, Say
from model_service.drift_watch import DriftWatch
from model_service.errors import ConfigInvalid
from model_service.fleet import CLOSE_S, Fleet, Standing
from model_service.home import METRICS_FOLDER, make_home, name_control
from model_service.listening import Listener
from model_service.metrics import families
from model_service.metrics.meters import Meters
from model_service.observability import build_logging_settings
from model_service.reloading import Reloader
from model_service.service_status import describe_fleet
from model_service.threads import count_cores, limit_threads
from model_service.tracing.tracer import check_tracing

logger = logging.getLogger(__name__)

_STDERR = 2
_END_SIGNALS = (signal.SIGTERM, signal.SIGINT)
#: A reload that is under way is given up when the service ends, in no time but for what hangs.
_GIVE_UP_S = 15.0
#: How often what it counts is written for the workers, who answer scrapes.
_FLUSH_S = 0.5


def serve(read: Callable[[], ServiceConfig], path: Path) -> None:
    """Run the HTTP server until SIGTERM or SIGINT; running requests are finished first.

    Args:
        read: Reads the configuration, now and for each reload.
        path: The file that it is read from.

    Raises:
        ConfigInvalid: The address cannot be listened on, nobody has said that others may use it, the TLS files do not
            fit, or a folder is missing.
        SystemExit: With status 3 or 4, when configuration or packages leave it unclear what to serve; with 1, when
            the workers cannot be kept alive.
    """
    config = read()
    _open_streams()
    _check_working_directory()
    logging.config.dictConfig(build_logging_settings(config.logging))
    limit_threads(config.server.model_threads, os.environ)  # workers and model processes inherit it
    check_access(config)
    check_tracing(config.tracing)
    workers = config.server.workers or count_cores()
    with _signals_held():  # from the moment somebody can connect, a signal is an end in good order
        listener = Listener(config.server, workers)
        parent = Parent(config, read, path.absolute(), listener, workers)
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
        read: Reads the configuration again.
        path: The file that it is read from.
        listener: Its listening sockets.
        workers: How many workers it has.
    """

    def __init__(
        self, config: ServiceConfig, read: Callable[[], ServiceConfig], path: Path, listener: Listener, workers: int
    ) -> None:
        self._path = path
        self._listener = listener
        self._wake = threading.Event()
        self._signals = 0
        self._exit_code = 0
        self._home = make_home()
        # Workers see the end of this pipe when this process ends, however it does.
        pipe, self._own_end = os.pipe()
        self._meters = Meters(self._home.path / METRICS_FOLDER) if config.metrics.enabled else None
        self._standing = Standing(listener, self._home, pipe, workers, self._fail, self._meters)
        self._reloader = Reloader(self._standing, read, Fleet(self._standing, 1, config))
        self._control = ControlServer(name_control(self._home.path), self._carry_out)
        self._has_terminal = os.isatty(_STDERR)

    def heed_signals(self) -> None:
        """Let SIGTERM and SIGINT end the service, and SIGHUP reload it, from now on."""
        for number in _END_SIGNALS:
            signal.signal(number, self._note_signal)
        signal.signal(signal.SIGHUP, self._note_hangup)

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT; a second one ends at once.

        Raises:
            SystemExit: With status 3 or 4, when configuration or packages leave it unclear what to serve; with 1, when
            the workers cannot be kept alive.
        """
        try:
            self._reloader.serving.start()
            self._reloader.start()
            self._control.start()
            if self._meters is not None:
                self._start_counting(self._meters)
            self._wake.wait()
        finally:
            self._end()
        logger.info("the service has ended")
        if self._exit_code:
            sys.exit(self._exit_code)

    def _fail(self, exit_code: int) -> None:
        """End the service, because its workers cannot be kept alive, with a status that says why."""
        self._exit_code = exit_code
        self._wake.set()

    def _note_signal(self, number: int, frame: object) -> None:
        self._signals += 1
        self._wake.set()

    def _start_counting(self, meters: Meters) -> None:
        ending = self._standing.ending
        watch = DriftWatch(lambda: self._reloader.serving, self._path, meters, ending)
        threading.Thread(target=self._flush_meters, args=[meters], name="meters", daemon=True).start()
        threading.Thread(target=watch.run, name="drift-watch", daemon=True).start()

    def _flush_meters(self, meters: Meters) -> None:
        while not self._standing.ending.wait(_FLUSH_S):
            meters.set_gauge(families.GENERATION, value=self._reloader.serving.number)
            meters.flush()

    def _note_hangup(self, number: int, frame: object) -> None:
        """Reload; or end, where the terminal is gone that the service was started in."""
        try:
            if self._has_terminal:
                os.tcgetpgrp(_STDERR)
        except OSError:
            self._note_signal(number, frame)
        else:
            self._reloader.ask()

    def _carry_out(self, order: dict[str, Any], say: Say) -> dict[str, Any]:
        """Carry out what came over the control socket.

        Raises:
            ServiceError: From `Reloader`.
        """
        operation = order.get("op")
        if operation == "status":
            return self._describe()

        def say_and_log(line: str) -> None:
            logger.info("%s: %s", operation, line)
            say(line)

        if operation == "reload":
            return self._reloader.reload(say_and_log, is_dry=bool(order.get("is_dry")))
        if operation == "rollback":
            return self._reloader.rollback(say_and_log)
        raise ConfigInvalid("a running service knows 'reload', 'rollback' and 'status'; is it of another version?")

    def _describe(self) -> dict[str, Any]:
        return {
            "pid": os.getpid(),
            "version": model_service.__version__,
            "config": str(self._path),
            "address": self._listener.name,
            "rollback_to": self._reloader.rollback_number,
            "generations": [describe_fleet(fleet) for fleet in self._reloader.list_fleets()],
        }

    def _end(self) -> None:
        """End the workers, which finish their requests, then the models, then what is left of either."""
        timeout_s = self._reloader.serving.config.server.shutdown_timeout_s
        logger.info("the service ends: running requests are finished, within %d s", timeout_s)
        ends_at = time.monotonic() + timeout_s + CLOSE_S
        self._standing.ending.set()
        self._listener.close()
        self._control.close()
        self._reloader.finish(_GIVE_UP_S)
        self._reloader.serving.end(ends_at, lambda: self._signals > 1)
        self._reloader.join()
        self._listener.remove()
        self._home.leave()
