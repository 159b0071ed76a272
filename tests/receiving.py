"""A real HTTP server that notes what it is sent, for tests."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Receiver:
    """It answers as `answers` say, one after the other, then with 204.

    Attributes:
        got: Path, headers in small letters, and body of each POST.
        answers: Status and headers; or a function that gets the stream to write to.
        url: Where it listens.
    """

    def __init__(self, host: str) -> None:
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        self.answers: list[Any] = []
        self._server = ThreadingHTTPServer((host, 0), self._make_handler())
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self.url = f"http://{host}:{self.port}/told?by=me"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def stop(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _make_handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.got.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
                answer = receiver.answers.pop(0) if receiver.answers else (204, {})
                if callable(answer):
                    answer(self.wfile)
                    return
                self.send_response(answer[0])
                for name, value in answer[1].items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                pass

        return Handler


@contextmanager
def receive(host: str = "127.0.0.1") -> Iterator[Receiver]:
    """Run a receiver for the length of a block."""
    receiver = Receiver(host)
    try:
        yield receiver
    finally:
        receiver.stop()
