"""What a model process runs: ``python -m model_service.backends.process.worker``. Started by a `Replica` only."""

import argparse
import logging
import os
import signal
import socket
import sys
import threading
import time
import traceback
from pathlib import Path

from model_service.backends.base import Host
from model_service.backends.local import LocalBackend
from model_service.backends.loop import ServiceLoop
from model_service.backends.process.server import ModelServer
from model_service.backends.process.status import EXIT_PACKAGE_BROKEN, STOP_SIGNAL, ProcessStatus, write_status
from model_service.config import ModelConfig
from model_service.errors import PackageError
from model_service.observability import get_request_id
from model_service.records import ModelInfo, ModelState, Problem
from model_service.tracing.calls import CallSpans

#: How often the process looks whether its parent still lives.
PARENT_POLL_S = 0.5
#: The workers bound what waits; here everything they send is taken.
_MAX_QUEUE_ROWS = 10**9


class ModelProcess:
    """Loads one model and serves it until it is told to end, or until nobody is left.

    Args:
        config: What of the model's entry matters here.
        status_path: File to keep the state in.
    """

    def __init__(self, config: ModelConfig, status_path: Path) -> None:
        self._config = config
        self._status_path = status_path
        self._backend = LocalBackend(config, Host(ServiceLoop()))
        self._server: ModelServer | None = None

    def run(self, listener: socket.socket) -> None:
        """Serve on a listening socket; ends the process when the package is at fault."""
        signal.signal(STOP_SIGNAL, self._note_stop)
        info: ModelInfo | None = None
        try:
            info = self._backend.describe()
            self._publish(ModelState.LOADING, info)
            self._backend.start()
        except PackageError as error:
            if error.__cause__ is not None:
                traceback.print_exception(error.__cause__)
            self._publish(ModelState.FAILED, info, error.describe())
            sys.exit(EXIT_PACKAGE_BROKEN)
        spans = CallSpans(info)
        try:
            self._server = ModelServer(self._backend, self._config, listener, spans)
            self._publish(ModelState.READY, info)
            self._server.serve()
        finally:
            signal.signal(STOP_SIGNAL, signal.SIG_IGN)  # it may be sent twice
            self._backend.stop()
            spans.close()

    def watch_parent(self, parent: int, linger_s: float) -> None:
        """End when the parent has ended and nobody is connected any more, or a while after it."""
        while os.getppid() == parent:
            time.sleep(PARENT_POLL_S)
        ends_at = time.monotonic() + linger_s
        while time.monotonic() < ends_at and self._server is not None and self._server.has_callers:
            time.sleep(PARENT_POLL_S / 5)
        os._exit(0)  # whatever the model is doing: nobody is left to answer

    def _publish(self, state: ModelState, info: ModelInfo | None, problem: Problem | None = None) -> None:
        has_rules = self._backend.has_rules
        write_status(self._status_path, ProcessStatus(state, os.getpid(), info, has_rules, problem))

    def _note_stop(self, number: int, frame: object) -> None:
        # Never an exception into the model's code, which might take it for one of its own.
        if self._server is None:
            os._exit(0)  # it was still loading: there is nothing to close
        self._server.is_ending = True
        if not self._server.is_busy:
            sys.exit(0)


def main() -> None:
    """Load the model that the arguments name and serve it on the socket that was handed down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("class_path")
    parser.add_argument("--socket", type=int, required=True, help="file descriptor of the listening socket")
    parser.add_argument("--status", type=Path, required=True, help="file to keep the state in")
    parser.add_argument("--timeout-s", type=float, required=True, help="seconds that a request may take")
    parser.add_argument("--max-batch-rows", type=int, required=True, help="rows of different requests in one batch")
    parser.add_argument("--linger-s", type=float, default=0.0, help="seconds to go on for callers without a parent")
    parser.add_argument("--parent", type=int, required=True, help="process without which this one ends")
    arguments = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    threading.excepthook = _end_with_thread
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s%(requests)s")
    logging.getLogger().handlers[0].addFilter(_name_requests)
    config = ModelConfig(
        class_path=arguments.class_path,
        max_batch_rows=arguments.max_batch_rows,
        max_queue_rows=_MAX_QUEUE_ROWS,
        timeout_s=arguments.timeout_s,
    )
    process = ModelProcess(config, arguments.status)
    watch = threading.Thread(target=process.watch_parent, args=(arguments.parent, arguments.linger_s), daemon=True)
    watch.start()
    process.run(socket.socket(fileno=arguments.socket))


def _name_requests(record: logging.LogRecord) -> bool:
    """Let a line say which requests it is about."""
    request_ids = get_request_id()
    record.requests = f" request_id={request_ids}" if request_ids else ""
    return True


def _end_with_thread(fault: threading.ExceptHookArgs) -> None:
    """End the process when a thread of the model dies: nobody knows what it was needed for."""
    traceback.print_exception(fault.exc_type, fault.exc_value, fault.exc_traceback)
    os._exit(1)


if __name__ == "__main__":
    main()
