"""A worker's HTTP server in this process, over the loop in a thread, for tests of the protocol."""

import asyncio
import http.client
import socket
import sys
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import uvloop
from configurations import make_config

from model_service.access.gate import make_gate
from model_service.backends.loop import ServiceLoop
from model_service.config import LoggingConfig, ModelConfig
from model_service.config_jobs import JobsConfig
from model_service.jobs.places import JobAccess
from model_service.manager import ModelManager
from model_service.prediction import PredictionService
from model_service.request_log import RequestLog
from model_service.transports.http.app import build_app
from model_service.transports.http.front import Front
from model_service.transports.http.server import HttpServer
from model_service.worker import tune_interpreter


class NotedLog(RequestLog):
    """Keeps what it is told in place of writing it."""

    def __init__(self) -> None:
        super().__init__(LoggingConfig())
        self.lines: list[tuple[Any, ...]] = []
        self.keys: list[str | None] = []

    def write(self, method, path, status, model, version, duration_s, request_id, key=None, **_):
        self.lines.append((method, path, status, model, version))
        self.keys.append(key)


class FrontServer:
    """A running server; stop it with `stop`.

    Attributes:
        port: Where it listens.
        app: The Flask application behind it, of which another test client may be made.
        flask_requests: How many requests have reached that application over the server.
    """

    def __init__(self, *model_configs: str | ModelConfig, has_jobs: bool = False, **server: object) -> None:
        config = make_config(*model_configs, **server)
        self.loop = ServiceLoop()
        self.manager = ModelManager()
        self.log = NotedLog()
        self.service = PredictionService(self.manager, max_rows=config.server.max_request_rows)
        self.gate = make_gate(config.access)
        self._home = TemporaryDirectory()
        self.jobs = JobAccess(JobsConfig(folder=Path(self._home.name, "jobs"))) if has_jobs else None
        self.app = build_app(self.manager, self.service, config, self.log, self.jobs, self.gate)
        self.flask_requests = 0
        self._inner = self.app.wsgi_app
        self.app.wsgi_app = self._count  # type: ignore[method-assign]  # how Flask is wrapped
        self.front = Front(self.loop, self.manager, self.service, self.log, config, self.jobs, self.gate)
        if self.gate is not None:
            self.gate.look_with(self.loop.every_tick)
        may_accept = threading.Event()
        may_accept.set()
        self.server = HttpServer(self.front, self.app, may_accept, Path(self._home.name))
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=2048)
        self.port: int = self._socket.getsockname()[1]
        is_running = threading.Event()
        self._thread = threading.Thread(target=self._run, args=[is_running], daemon=True)
        self._thread.start()
        is_running.wait()
        self.manager.load_models(config, loop=self.loop)

    def _run(self, is_running: threading.Event) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            self.loop.adopt(runner.get_loop())
            self.loop.loop.call_soon(is_running.set)
            runner.run(self.server.serve([self._socket]))
            self.loop.close()

    def _count(self, environ, start_response):
        if "asgi.scope" in environ:
            self.flask_requests += 1
        return self._inner(environ, start_response)

    def connect(self, timeout_s: float = 20) -> socket.socket:
        """Return a new connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=timeout_s)

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, dict, bytes]:
        """Return status, headers in lower case and body of the answer on a new connection."""
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            client.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            answer = client.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            client.close()

    def stop(self) -> None:
        self.server.should_exit = True
        self._thread.join(timeout=60)
        assert not self._thread.is_alive()
        self.manager.close()
        self._home.cleanup()


def request_of(body: bytes, path: str = "/api/models/double_model/predict", **headers: str) -> bytes:
    """Return the bytes of a predict request; a header of None is left out."""
    fields = {
        "Host": "localhost",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    lines = [f"{name}: {value}" for name, value in fields.items() if value is not None]
    return "\r\n".join([f"POST {path} HTTP/1.1", *lines, "", ""]).encode("latin-1") + body


def read_answers(connection: socket.socket, count: int) -> list[tuple[int, dict[str, str], bytes]]:
    """Return so many answers of a connection: status, headers in lower case, body."""
    stream = connection.makefile("rb")
    answers = []
    while len(answers) < count:
        line = stream.readline()
        assert line, f"the connection ended after {len(answers)} of {count} answers"
        status = int(line.split()[1])
        headers = {}
        while (line := stream.readline()) != b"\r\n":
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        if status != 100:
            answers.append((status, headers, stream.read(int(headers["content-length"]))))
    return answers


def wait_until(condition, timeout_s: float = 30) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def main() -> None:
    """Serve toys until a line comes in, then print the longest lag of the loop since the line before."""
    front = FrontServer("models.DoubleModel", "models.EchoModel", "front_models.SleepyModel", threads=8)
    tune_interpreter()
    print(front.port, flush=True)
    for _ in sys.stdin:
        print(front.loop.longest_lag_s, flush=True)
        front.loop.longest_lag_s = 0.0
    front.stop()


if __name__ == "__main__":
    main()
