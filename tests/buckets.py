"""A real server that speaks S3, on this machine, for tests."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from serving import find_free_port

START_S = 30


@contextmanager
def serve_buckets() -> Iterator[dict[str, str]]:
    """Run a server for the length of a block; yield the environment that leads S3 clients to it."""
    port = find_free_port()
    url = f"http://127.0.0.1:{port}"
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "us-east-1"}
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    quiet = subprocess.DEVNULL
    server = subprocess.Popen(command, stdout=quiet, stderr=quiet, env={**os.environ, **keys})
    try:
        deadline = time.monotonic() + START_S
        while True:
            try:
                httpx.get(url)
                break
            except httpx.TransportError:
                assert time.monotonic() < deadline, "the server of buckets did not start"
                time.sleep(0.1)
        yield {**keys, "AWS_ENDPOINT_URL": url}
    finally:
        server.kill()
        server.wait()
