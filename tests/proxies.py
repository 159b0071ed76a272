"""Reverse proxies that serve a service below ``/pre``: a small one of our own, nginx and Caddy as in `deploy/`."""

import http.client
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
from serving import START_TIMEOUT_S, TESTS, find_free_port

PREFIX = "/pre"
DEPLOY = TESTS.parent / "deploy"
#: Headers of one connection, not of the request.
_HOP = ("connection", "keep-alive", "transfer-encoding", "host")


class PrefixProxy(ThreadingHTTPServer):
    """Passes on what lies below the prefix, without it.

    Attributes:
        strays: What was asked for outside of the prefix: links that forget it.
    """

    def __init__(self, service_port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.service_port = service_port
        self.strays: list[str] = []


class _Handler(BaseHTTPRequestHandler):
    server: PrefixProxy

    def _pass_on(self) -> None:
        self.close_connection = True
        if self.path == PREFIX:
            self.send_response_only(308)
            self.send_header("Location", f"{PREFIX}/")
            self.end_headers()
            return
        if not self.path.startswith(f"{PREFIX}/"):
            self.server.strays.append(self.path)
            self.send_error(404)
            return
        body = self.rfile.read(int(self.headers.get("content-length") or 0)) or None
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
        headers |= {"X-Forwarded-Prefix": PREFIX}
        service = http.client.HTTPConnection("127.0.0.1", self.server.service_port, timeout=60)
        try:
            service.request(self.command, self.path.removeprefix(PREFIX), body, headers)
            answer = service.getresponse()
            self.send_response_only(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in _HOP:
                    self.send_header(name, value)
            self.end_headers()
            while piece := answer.read1(65536):
                self.wfile.write(piece)
        except (BrokenPipeError, ConnectionResetError):
            return  # the browser has left
        finally:
            service.close()

    do_GET = do_HEAD = do_POST = do_DELETE = do_OPTIONS = _pass_on

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def run_ours(service_port: int) -> Iterator[tuple[str, list[str]]]:
    """Give the address below which a service is reached, and the list of strays."""
    proxy = PrefixProxy(service_port)
    threading.Thread(target=proxy.serve_forever, args=[0.05], daemon=True).start()
    try:
        yield f"http://127.0.0.1:{proxy.server_port}{PREFIX}", proxy.strays
    finally:
        proxy.shutdown()
        proxy.server_close()


def find_tool(name: str) -> str | None:
    """Return the path of a proxy's program, if it is installed."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")


def write_nginx(folder: Path, port: int, service_port: int) -> list[str]:
    """Write nginx's configuration of `deploy/` for these ports; return the command that runs it."""
    text = (DEPLOY / "nginx.conf").read_text()
    text = text.replace("127.0.0.1:8000", f"127.0.0.1:{service_port}").replace(
        "listen 80;", f"listen 127.0.0.1:{port};"
    )
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = "\n".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    whole = f"daemon off; pid {folder}/pid; events {{}}\nhttp {{ access_log off;\n{places}\n{text}\n}}\n"
    (folder / "nginx.conf").write_text(whole)
    return [find_tool("nginx") or "nginx", "-e", f"{folder}/error.log", "-c", f"{folder}/nginx.conf"]


def write_caddy(folder: Path, port: int, service_port: int) -> list[str]:
    """Write Caddy's configuration of `deploy/` for these ports; return the command that runs it."""
    text = (DEPLOY / "Caddyfile").read_text().replace("127.0.0.1:8000", f"127.0.0.1:{service_port}")
    text = text.replace("models.example {", f"http://127.0.0.1:{port} {{")
    (folder / "Caddyfile").write_text(f"{{\n\tadmin off\n}}\n{text}")
    return [find_tool("caddy") or "caddy", "run", "--adapter", "caddyfile", "--config", f"{folder}/Caddyfile"]


@contextmanager
def run_tool(name: str, folder: Path, service_port: int) -> Iterator[str]:
    """Give the address below which nginx or Caddy serves a service."""
    port = find_free_port()
    command = {"nginx": write_nginx, "caddy": write_caddy}[name](folder, port, service_port)
    environment = {**os.environ, "HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        url, deadline = f"http://127.0.0.1:{port}{PREFIX}", time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                httpx.get(f"{url}/health/live")
                break
            except httpx.TransportError:
                assert process.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < deadline, (folder / "log").read_text()
                time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=30)
