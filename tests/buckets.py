"""A real server that speaks S3, on this machine, for tests."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from s3fs import S3FileSystem

#: It takes a free port itself: one that was found for it could be taken by another test's server meanwhile.
_SERVER = """
import threading
from moto.server import ThreadedMotoServer

server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
threading.Event().wait()
"""


def make_bucket(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Make a bucket on a server, and have this process's clients ask that server."""
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    # Clients are kept for those who ask with the same words: they would ask another server, or without keys.
    S3FileSystem.clear_instance_cache()
    S3FileSystem(skip_instance_cache=True).mkdir(name)


@contextmanager
def serve_buckets() -> Iterator[dict[str, str]]:
    """Run a server for the length of a block; yield the environment that leads S3 clients to it."""
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "us-east-1"}
    with subprocess.Popen(
        [sys.executable, "-c", _SERVER],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **keys},
    ) as server:
        try:
            port = server.stdout.readline().strip()
            assert port, "the server of buckets did not start"
            yield {**keys, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}
        finally:
            server.kill()
