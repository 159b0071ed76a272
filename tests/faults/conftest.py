"""Fixtures of the attacks: one server for each file of them, and a watch on its worker."""

from collections.abc import Callable, Iterator

import httpx
import pytest
from attacking import Watch, ask
from serving import Server

CONFIG = """
models:
  - class: models.DoubleModel
  - class: models.EchoModel
  - class: fault_models.DistinctModel
  - class: fault_models.LoudModel
server: {workers: 1}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the bounds that it has by default; in the end, it must be as well as in the beginning."""
    server = Server(CONFIG, tmp_path_factory.mktemp("faults")).wait_until_ready()
    for path in ("/", "/api/models", "/nothing"):  # what the first request of its kind loads is no growth
        httpx.get(f"{server.url}{path}")
    yield server
    assert ask(server.port, "POST", "/api/models/double_model/predict", b'{"x": 1}') == (200, {"y": 2})
    assert server.stop() == 0


@pytest.fixture
def watch(server: Server, request: pytest.FixtureRequest) -> Callable[[str], Watch]:
    """Return a function that watches the server for the length of a block, and has a row of it in the table."""
    return lambda name: Watch(server, name, request)
