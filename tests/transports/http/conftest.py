"""One real server for every test on the wire, and a client of it."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from serving import MAX_BODY_BYTES, MAX_ROWS, GunicornServer, Server

CONFIG = f"""
server: {{max_body_bytes: {MAX_BODY_BYTES}, max_request_rows: {MAX_ROWS}, threads: 4}}
models:
  - class: models.DoubleModel
  - class: models:DoubleModelTwo
  - class: models.EchoModel
  - class: models.FussyModel
  - class: models.RaisingModel
  - class: models.WrongOutputModel
  - class: models.MiscountingModel
  - class: models.UnloadableModel
  - class: missing_package.Model
"""


@pytest.fixture(scope="session", params=[Server, GunicornServer], ids=["serve", "gunicorn"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Our own server, and the same application under another: whatever holds for one holds for the other."""
    running = request.param(CONFIG, Path(tmp_path_factory.mktemp("server"))).wait_until_ready()
    yield running
    assert running.stop() == 0


@pytest.fixture(scope="session")
def client(server: Server) -> Iterator[httpx.Client]:
    # gunicorn closes a kept connection of which it would have to read much, and the next request learns it too late.
    kept = 0 if isinstance(server, GunicornServer) else None
    with httpx.Client(base_url=server.url, timeout=30, limits=httpx.Limits(max_keepalive_connections=kept)) as client:
        yield client
