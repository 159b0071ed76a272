"""A client of the models that ship, and servers that answer what they are told to."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from serving import Server

from model_service_client import ModelServiceClient


@pytest.fixture(scope="session")
def client(shipped: Server) -> Iterator[ModelServiceClient]:
    """A client of the five models."""
    with ModelServiceClient(shipped.url) as client:
        yield client


#: What a scripted server answers: status, headers and body; or nothing, and the connection breaks.
Answer = tuple[int, dict[str, str], bytes] | None


class ScriptedServer(ThreadingHTTPServer):
    """Answers one request after the other as a list says.

    Attributes:
        url: Its address.
        requests: Method, path, headers and body of what was asked.
    """

    def __init__(self, answers: list[Answer]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers = answers
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: ScriptedServer

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.requests.append((self.command, self.path, headers, body))
        answer = self.server.answers.pop(0)
        self.close_connection = True
        if answer is None:
            return
        status, extra, content = answer
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **extra}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_DELETE = _answer

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def script() -> Iterator[Callable[..., ScriptedServer]]:
    """Return a function that starts a server of answers."""
    servers: list[ScriptedServer] = []

    def start(*answers: Answer) -> ScriptedServer:
        servers.append(ScriptedServer(list(answers)))
        threading.Thread(target=servers[-1].serve_forever, args=[0.01], daemon=True).start()
        return servers[-1]

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()
