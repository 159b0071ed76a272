"""A real server in a process of its own, for tests on the wire."""

import os
import random
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from model_service.wiring import create_app

TESTS = Path(__file__).parent
START_TIMEOUT_S = 60
#: Bounds of the server that the tests of ``transports/http`` share: small, so that they are easily crossed.
MAX_BODY_BYTES = 100_000
MAX_ROWS = 50
_PORTS = random.SystemRandom()  # not the generator that tests seed alike in every process


class Server:
    """``model-service serve`` with a configuration; stop it with `stop`.

    Attributes:
        url: Base address.
        log: File that receives standard output and error.
    """

    def __init__(
        self,
        config: str,
        folder: Path,
        *,
        environment: dict[str, str] | None = None,
        scheme: str = "http",
        options: list[str] | None = None,
        new_group: bool = False,
    ) -> None:
        self.port = find_free_port()
        self._options = ["--port", str(self.port)] if options is None else options
        self.url = f"{scheme}://127.0.0.1:{self.port}"
        self.log = folder / "server.log"
        path = folder / "config.yaml"
        path.write_text(config)
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                self._command(path),
                env={**os.environ, "PYTHONPATH": str(TESTS), **_one_worker(config), **(environment or {})},
                stdout=log,
                stderr=log,
                start_new_session=new_group,
            )

    def _command(self, config: Path) -> list[str]:
        return [sys.executable, "-m", "model_service", "--config", str(config), "serve", *self._options]

    def wait_until_ready(self, *, verify: ssl.SSLContext | bool = True) -> "Server":
        """Return when the server answers and loads no model any more, or fail with its log."""
        deadline = time.monotonic() + START_TIMEOUT_S
        with httpx.Client(verify=verify) as client:
            while time.monotonic() < deadline and self.process.poll() is None:
                try:
                    models = client.get(f"{self.url}/health/ready").json()["models"]
                except httpx.TransportError:
                    time.sleep(0.05)
                    continue
                if all(model["state"] != "loading" for model in models):
                    return self
                time.sleep(0.02)
        self.process.kill()
        raise AssertionError(f"the server did not start:\n{self.log.read_text()}")

    def wait_for_log(self, text: str) -> str:
        """Return the log once it holds a text; lines of requests gather before they are written."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while text not in (log := self.log.read_text()):
            assert time.monotonic() < deadline, f"no line of the log holds {text!r}:\n{log}"
            time.sleep(0.02)
        return log

    def stop(self, signal_number: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal_number)
        return self.process.wait(timeout=60)

    def kill(self) -> None:
        """End the process whatever it does, and wait for its end."""
        self.process.kill()
        self.process.wait()


class GunicornServer(Server):
    """The application of a configuration under gunicorn, as any WSGI server would run it."""

    def _command(self, config: Path) -> list[str]:
        return [
            *(sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{self.port}", "--worker-class", "gthread"),
            *("--threads", "4", "--limit-request-line", "8190"),
            f"model_service.wiring:create_app({str(config)!r})",
        ]


@contextmanager
def starting(folder: Path, *, end: Callable[[Server], object] = Server.kill) -> Iterator[Callable[..., Server]]:
    """Give a function that starts a server of a configuration, with variables of its environment; end them all."""
    servers: list[Server] = []

    def start(config: str, **environment: str) -> Server:
        servers.append(Server(config, folder, environment=environment).wait_until_ready())
        return servers[-1]

    try:
        yield start
    finally:
        for server in servers:
            end(server)


def _one_worker(config: str) -> dict[str, str]:
    """Return the setting of a single worker, which is what most tests need, unless the configuration says otherwise."""
    return {} if "workers:" in config else {"MODEL_SERVICE__SERVER__WORKERS": "1"}


def list_children(pid: int) -> list[int]:
    """Return the processes that any thread of a process has started."""
    lists = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    return sorted(int(child) for text in lists for child in text.split())


def find_free_port() -> int:
    """Return a port that nobody listens on at the moment, and that the system gives to nobody who asks for any."""
    while True:
        port = _PORTS.randrange(10_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def make_toys():
    """Return the application of the configuration that the environment names, for servers that take a name only."""
    return create_app(os.environ["TOYS"])
