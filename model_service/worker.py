"""What one web worker of `serve` runs: ``python -m model_service.worker``. Started by `model_service.parent` only.

It inherits the listening sockets and a pipe of which the parent holds the other end. SIGTERM, SIGINT and the end
of that pipe mean the same: answer what has been accepted, and go. SIGUSR1 says that another generation has come: leave
the sockets to it, and go when nobody is connected any more.
"""

import argparse
import asyncio
import faulthandler
import gc
import importlib
import logging
import logging.config
import math
import os
import signal
import socket
import sys
import threading
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import uvloop

from model_service.backends.loop import ServiceLoop
from model_service.config import ServiceConfig
from model_service.config_file import load_config
from model_service.errors import PackageError, ServiceError
from model_service.home import (
    CONFIG_FILE,
    EXIT_CONFIG_WRONG,
    EXIT_PACKAGE_WRONG,
    Home,
    name_generation,
    name_grpc_presence,
    name_permission,
    name_readiness,
    name_report,
)
from model_service.memory import keep_no_large_blocks
from model_service.observability import build_logging_settings
from model_service.registry.measuring import measure_worker
from model_service.reporting import Reporter
from model_service.service import Service
from model_service.transports.http.front import Front
from model_service.transports.http.server import LATEST_START_S, HttpServer

logger = logging.getLogger(__name__)

#: Seconds after which a thread that computes gives way to the loop, which others than its own request wait for.
#: Python's own choice, ten times as long, is felt as soon as a few threads compute.
_SWITCH_INTERVAL_S = 0.0005
_GRPC_SERVER = "model_service.transports.grpc.server"
#: How often one looks who waits for another.
_LOOK_S = 0.02
#: Time that the models have to close, beside what the requests have.
_CLOSE_S = 5.0
#: Time that the last lines of requests have to be read.
_FLUSH_S = 0.5
#: Time that the last traces have to be sent.
_TRACES_S = 2.5
#: Time that the last predictions have to be logged.
_LOG_S = 5.0


@dataclass(frozen=True, slots=True)
class Post:
    """Where a worker stands.

    Attributes:
        folder: What the processes of its generation share.
        number: Which of the workers it is.
        is_replacement: Whether there was another in its place before.
        is_staged: Whether it waits for the parent's word before it accepts.
    """

    folder: Path
    number: int
    is_replacement: bool = False
    is_staged: bool = False


class Worker:
    """One event loop, its server and its models.

    Args:
        config: Of the service.
        home: The folder of the service.
        post: Where it stands.

    In the first generation, one worker accepts at once, for all of them, and says that models are loading. Each of the
    others accepts when both have loaded theirs: nobody is told that models are loading who was told that all are ready.
    """

    def __init__(self, config: ServiceConfig, home: Home, post: Post) -> None:
        self._config = config
        self._home = home
        self._post = post
        self._loop = ServiceLoop()
        self._service = service = Service(config, loop=self._loop, home=post.folder, number=post.number)
        service.announce()
        service.watch_predictions()
        self._reporter = Reporter(service.manager, name_report(post.folder, post.number))
        self._may_accept = threading.Event()
        if post.number == 0 and not post.is_replacement and not post.is_staged:
            self._may_accept.set()
        front = Front(
            self._loop,
            service.manager,
            service.predictions,
            service.log,
            config,
            service.jobs,
            service.gate,
            service.meters,
            service.tracer,
        )
        if service.meters is not None:
            service.meters.watch(partial(measure_worker, self._loop, post.number))
        if service.gate is not None:
            service.gate.look_with(self._loop.every_tick)
        latest_s = math.inf if post.is_staged else LATEST_START_S
        self._server = HttpServer(
            front, service.app, self._may_accept, post.folder, number=post.number, latest_start_s=latest_s
        )
        self._exit_code = 0

    def run(self, sockets: list[socket.socket], parent_pipe: int) -> int:
        """Serve until told to end; return the exit code."""
        for number in (signal.SIGTERM, signal.SIGINT):  # until uvicorn listens to them, and after
            signal.signal(number, self._note_signal)
        signal.signal(signal.SIGUSR1, self._note_retirement)
        threading.Thread(target=self._watch_parent, args=[parent_pipe], name="parent", daemon=True).start()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            self._loop.adopt(runner.get_loop())
            self._reporter.start()
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
            server = build_server(
                self._loop,
                service.manager,
                service.predictions,
                service.log,
                self._config.server,
                service.gate,
                service.tracer,
            )
        except ServiceError as error:
            logger.error("the worker cannot start: %s", error.message, extra={"code": error.code})
            self._end(EXIT_CONFIG_WRONG)
            return
        await server.start()
        name_grpc_presence(self._post.folder, self._post.number).touch()
        while not self._server.should_exit and not self._server.is_retiring:
            await asyncio.sleep(_LOOK_S)
        await server.stop(self._config.server.drain_timeout_s if self._server.is_retiring else None)
        self._server.is_alone = True

    def _note_signal(self, number: int, frame: object) -> None:
        self._server.should_exit = True

    def _note_retirement(self, number: int, frame: object) -> None:
        self._server.is_retiring = True

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
            self._reporter.note_fault(why)
            self._end(EXIT_PACKAGE_WRONG if isinstance(error, PackageError) else EXIT_CONFIG_WRONG)
            return
        except Exception:  # a fault of ours: a worker that loads for ever would be worse than none
            logger.exception("the worker cannot load its models")
            self._end(1)
            return
        if self._service.tracer is not None:
            self._service.tracer.open()
        tune_interpreter()
        self._service.watch_health()
        self._reporter.note_loaded()
        self._meet_first()
        self._may_accept.set()
        self._watch_loop()

    def _meet_first(self) -> None:
        """Wait for the word of the parent if staged; else say that the first worker is ready, if this is it, or wait
        until it is, but not for ever."""
        folder = self._post.folder
        readiness, latest = name_readiness(folder), time.monotonic() + LATEST_START_S
        if self._post.number == 0:
            readiness.touch()
        if self._post.is_staged:
            readiness, latest = name_permission(folder), math.inf
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
        service = self._service
        ends = (
            *((service.manager.close, _CLOSE_S), (service.end_watch, _LOG_S)),
            *((service.end_traces, _TRACES_S), (service.log.flush, _FLUSH_S)),
        )
        if service.meters is not None:
            service.meters.close()
        for end, most_s in ends:
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
    keep_no_large_blocks()
    sys.setswitchinterval(_SWITCH_INTERVAL_S)


def main() -> None:
    """Run the worker that the arguments describe."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="folder that the service shares")
    parser.add_argument("--generation", type=int, required=True, help="which generation of the service it is of")
    parser.add_argument("--sockets", required=True, help="file descriptors of the listening sockets")
    parser.add_argument("--number", type=int, required=True, help="which of the workers it is, from 0")
    parser.add_argument("--pipe", type=int, required=True, help="file descriptor that ends with the parent")
    parser.add_argument("--replacement", action="store_true", help="others answer already")
    parser.add_argument("--staged", action="store_true", help="it waits before it accepts")
    arguments = parser.parse_args()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # it may reach the whole group, and is for the parent
    folder = name_generation(arguments.home, arguments.generation)
    config = load_config(folder / CONFIG_FILE, {})
    logging.config.dictConfig(build_logging_settings(config.logging))
    post = Post(folder, arguments.number, is_replacement=arguments.replacement, is_staged=arguments.staged)
    worker = Worker(config, Home(arguments.home), post)
    sockets = [socket.socket(fileno=int(number)) for number in arguments.sockets.split(",")]
    code = worker.run(sockets, arguments.pipe)
    logging.shutdown()
    os._exit(code)  # a thread of a model that hangs must not keep the process


if __name__ == "__main__":
    main()
