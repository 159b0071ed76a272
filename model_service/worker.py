"""What one web worker of `serve` runs: ``python -m model_service.worker``. Started by `model_service.parent` only.

It inherits the listening sockets and a pipe of which the parent holds the other end. SIGTERM, SIGINT and the end
of that pipe mean the same: answer what has been accepted, and go.
"""

import argparse
import asyncio
import ctypes
import faulthandler
import gc
import importlib
import logging
import logging.config
import os
import signal
import socket
import sys
import threading
import time
from functools import partial
from pathlib import Path

import uvloop

from model_service.backends.loop import ServiceLoop
from model_service.config import ServiceConfig
from model_service.config_file import load_config
from model_service.errors import PackageError, ServiceError
from model_service.home import CONFIG_FILE, EXIT_CONFIG_WRONG, EXIT_PACKAGE_WRONG, Home, name_readiness
from model_service.observability import build_logging_settings
from model_service.registry.measuring import measure_worker
from model_service.service import Service
from model_service.transports.http.front import Front
from model_service.transports.http.server import LATEST_START_S, HttpServer

logger = logging.getLogger(__name__)

#: Seconds after which a thread that computes gives way to the loop, which others than its own request wait for.
#: Python's own choice, ten times as long, is felt as soon as a few threads compute.
_SWITCH_INTERVAL_S = 0.0005
#: Blocks of memory of that size go back to the system as soon as they are free. By default the C library keeps what
#: will be needed again, for each thread apart: after a few large bodies, hundreds of megabytes.
_LARGE_BLOCK_BYTES = 2**20
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_GRPC_SERVER = "model_service.transports.grpc.server"
#: How often one looks who waits for another.
_LOOK_S = 0.02
#: Time that the models have to close, beside what the requests have.
_CLOSE_S = 5.0
#: Time that the last lines of requests have to be read.
_FLUSH_S = 0.5


class Worker:
    """One event loop, its server and its models.

    Args:
        config: Of the service.
        home: The folder that it shares with the others.
        number: Which of the workers it is.
        is_replacement: Whether there was another in its place before.

    One worker, the first, accepts at once, for all of them, and says that models are loading. Each of the others
    accepts when both have loaded theirs: nobody is told that models are loading who was told that all are ready.
    """

    def __init__(self, config: ServiceConfig, home: Home, *, number: int, is_replacement: bool) -> None:
        self._config = config
        self._home = home
        self._loop = ServiceLoop()
        self._service = service = Service(config, loop=self._loop, home=home.path)
        service.announce()
        self._number = number
        self._may_accept = threading.Event()
        if number == 0 and not is_replacement:
            self._may_accept.set()
        front = Front(
            self._loop, service.manager, service.predictions, service.log, config, service.jobs, service.meters
        )
        if service.meters is not None:
            service.meters.watch(partial(measure_worker, self._loop, number))
        self._server = HttpServer(front, service.app, self._may_accept, home.path, number=number)
        self._exit_code = 0

    def run(self, sockets: list[socket.socket], parent_pipe: int) -> int:
        """Serve until told to end; return the exit code."""
        for number in (signal.SIGTERM, signal.SIGINT):  # until uvicorn listens to them, and after
            signal.signal(number, self._note_signal)
        threading.Thread(target=self._watch_parent, args=[parent_pipe], name="parent", daemon=True).start()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            self._loop.adopt(runner.get_loop())
            threading.Thread(target=self._load_models, name="loading", daemon=True).start()
            runner.run(self._serve(sockets))
            self._close()
        self._home.leave()
        return self._exit_code

    async def _serve(self, sockets: list[socket.socket]) -> None:
        beside = asyncio.create_task(self._serve_grpc()) if self._config.server.grpc_port is not None else None
        await self._server.serve(sockets)
        if beside is not None:
            await beside

    async def _serve_grpc(self) -> None:
        """Serve gRPC from when HTTP is served until that ends."""
        while not self._server.started and not self._server.should_exit:
            await asyncio.sleep(_LOOK_S)
        service = self._service
        build_server = importlib.import_module(_GRPC_SERVER).build_server  # which most services have no use for
        try:
            server = build_server(self._loop, service.manager, service.predictions, service.log, self._config.server)
        except ServiceError as error:
            logger.error("the worker cannot start: %s", error.message, extra={"code": error.code})
            self._end(EXIT_CONFIG_WRONG)
            return
        await server.start()
        while not self._server.should_exit:
            await asyncio.sleep(_LOOK_S)
        await server.stop()

    def _note_signal(self, number: int, frame: object) -> None:
        self._server.should_exit = True

    def _watch_parent(self, pipe: int) -> None:
        os.read(pipe, 1)  # nothing is ever written: it returns when the parent has ended
        self._server.should_exit = True
        # Whatever may be holding the loop up, this is not held up by it.
        threading.Event().wait(self._config.server.shutdown_timeout_s + _CLOSE_S)
        os._exit(1)

    def _load_models(self) -> None:
        """Load the models, or end the worker with one clear line."""
        try:
            self._service.start()
        except ServiceError as error:
            why = (
                f"{error.message} ({error.cause}); {error.remedy}" if isinstance(error, PackageError) else error.message
            )
            logger.error("the worker cannot start: %s", why, extra={"code": error.code})
            self._end(EXIT_PACKAGE_WRONG if isinstance(error, PackageError) else EXIT_CONFIG_WRONG)
            return
        except Exception:  # a fault of ours: a worker that loads for ever would be worse than none
            logger.exception("the worker cannot load its models")
            self._end(1)
            return
        tune_interpreter()
        self._meet_first()
        self._may_accept.set()
        self._watch_loop()

    def _meet_first(self) -> None:
        """Say that the first worker is ready, if this is it; else wait until it is, but not for ever."""
        readiness = name_readiness(self._home.path)
        if self._number == 0:
            readiness.touch()
        latest = time.monotonic() + LATEST_START_S
        while not readiness.exists() and not self._server.should_exit and time.monotonic() < latest:
            time.sleep(_LOOK_S)

    def _watch_loop(self) -> None:
        """End the worker when its loop is held up for good: another one serves, this one does not."""
        longest_s = self._config.server.loop_timeout_s
        while time.monotonic() - self._loop.now < longest_s:
            time.sleep(longest_s / 10)
            if self._server.should_exit:
                return
        logger.error("the loop has been held up for %g s, so the worker ends: what ran is said below", longest_s)
        faulthandler.dump_traceback(all_threads=True)
        os._exit(1)

    def _end(self, exit_code: int) -> None:
        self._exit_code = exit_code
        self._server.should_exit = True

    def _close(self) -> None:
        """Close what is served with; neither a model that hangs in it nor a log that nobody reads keeps the worker."""
        if self._service.meters is not None:
            self._service.meters.close()
        for end, most_s in ((self._service.manager.close, _CLOSE_S), (self._service.log.flush, _FLUSH_S)):
            ending = threading.Thread(target=end, name="ending", daemon=True)
            ending.start()
            ending.join(most_s)


def tune_interpreter() -> None:
    """Set up collector, memory and threads of a process whose loop must not be held up, once its models are loaded."""
    # What has been loaded stays, so the collector need not look at it again; and a large request makes
    # ten thousands of objects that die young, for which the default asks the collector a hundred times.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc has it
    if mallopt is not None:
        for parameter in (_M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD):
            mallopt(parameter, _LARGE_BLOCK_BYTES)
    sys.setswitchinterval(_SWITCH_INTERVAL_S)


def main() -> None:
    """Run the worker that the arguments describe."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="folder that the service shares")
    parser.add_argument("--sockets", required=True, help="file descriptors of the listening sockets")
    parser.add_argument("--number", type=int, required=True, help="which of the workers it is, from 0")
    parser.add_argument("--pipe", type=int, required=True, help="file descriptor that ends with the parent")
    parser.add_argument("--replacement", action="store_true", help="others answer already")
    arguments = parser.parse_args()
    config = load_config(arguments.home / CONFIG_FILE, {})
    logging.config.dictConfig(build_logging_settings(config.logging))
    worker = Worker(config, Home(arguments.home), number=arguments.number, is_replacement=arguments.replacement)
    sockets = [socket.socket(fileno=int(number)) for number in arguments.sockets.split(",")]
    code = worker.run(sockets, arguments.pipe)
    logging.shutdown()
    os._exit(code)  # a thread of a model that hangs must not keep the process


if __name__ == "__main__":
    main()
