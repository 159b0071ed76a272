"""A model package that tests write anew between reloads, and the load that they put on a service meanwhile."""

import asyncio
import json
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from serving import TESTS, Server

from model_service.control import find_service, give_order

#: Models of every way to run; each answers the version that its own code was written with.
NAMES = ("near_toy", "thread_toy", "far_toy")
CONFIG = """
server: {workers: 2}
models:
  - class: reload_toy.NearToy
  - {class: reload_toy.ThreadToy, execution: dispatched}
  - {class: reload_toy.FarToy, backend: process}
"""
_PACKAGE = """
import time
from model_service import MLModel

WRITTEN = "{version}"
#{padding}

class Toy(MLModel):
    description = "A toy."
    version = "{stated}"
    input_schema = {{
        "type": "object",
        "properties": {{"x": {{"type": "number"}}, "sleep_s": {{"type": "number"}}}},
        "required": ["x"],
        "examples": [{{"x": 1}}],
    }}
    output_schema = {{"type": "object", "properties": {{"x": {{"type": "number"}}, "written": {{"type": "string"}}}}}}

    def __init__(self):
        {loading}

    def predict(self, payload):
        {predicting}
        time.sleep(payload.get("sleep_s", 0))
        return {{"x": payload["x"], "written": WRITTEN}}

class NearToy(Toy):
    qualified_name, display_name = "near_toy", "Near"

class ThreadToy(Toy):
    qualified_name, display_name = "thread_toy", "Thread"

class FarToy(Toy):
    qualified_name, display_name = "far_toy", "Far"
"""
_LOADERS = 16
#: Between two requests of one client: the load shall find lost requests, not measure the machine.
_PAUSE_S = 0.1


def write_package(
    folder: Path, version: str, *, stated: str | None = None, loading: str = "pass", predicting: str = "pass"
) -> None:
    """Install a version of the package; what it states as its version may be another one."""
    # Python knows a compiled file by the length and the second of its source.
    padding = "." * (time.monotonic_ns() % 100_000)
    text = _PACKAGE.format(
        version=version, stated=stated or version, loading=loading, predicting=predicting, padding=padding
    )
    temporary = folder / "reload_toy.tmp"
    temporary.write_text(text)
    temporary.replace(folder / "reload_toy.py")


def search_path(folder: Path) -> str:
    """Return what the service needs as PYTHONPATH."""
    return os.pathsep.join((str(TESTS), str(folder)))


def order(server: Server, operation: str, said: list[str] | None = None, **options: object) -> dict[str, Any]:
    """Give an order to a server of the tests; errors as `give_order`."""
    service = find_service(Path("config.yaml"), server.process.pid)
    return give_order(service.control, {"op": operation, **options}, said.append if said is not None else None)


def describe(server: Server) -> dict[str, Any]:
    """Return the status of a server of the tests."""
    return find_service(Path("config.yaml"), server.process.pid).status


class Load:
    """Clients that never stop: half of them keep their connections, half open one for each request.

    Attributes:
        errors: Everything that was not as it must be.
        answers: How many there were of each version.
    """

    def __init__(self, port: int) -> None:
        self.errors: list[str] = []
        self.answers: Counter[str] = Counter()
        self._port = port
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, and look at the last answers."""
        self._stopping.set()
        self._thread.join()

    async def _run(self) -> None:
        clients = [self._keep_alive(number) for number in range(_LOADERS)]
        clients += [self._one_shot(number) for number in range(_LOADERS)]
        await asyncio.gather(*clients)

    async def _keep_alive(self, number: int) -> None:
        connection, version = None, ""
        while not self._stopping.is_set():
            try:
                if connection is None:
                    connection, version = await asyncio.open_connection("127.0.0.1", self._port), ""
                found, is_last = await self._ask(connection, number, b"")
                if version not in ("", found):
                    self.errors.append(f"one connection was answered by {version} and by {found}")
                version = found
                if is_last:
                    connection[1].close()
                    connection = None
            except (OSError, EOFError, ValueError) as error:
                self.errors.append(f"kept connection: {error!r}")
                connection = None
            await asyncio.sleep(_PAUSE_S)
        if connection is not None:
            connection[1].close()

    async def _one_shot(self, number: int) -> None:
        while not self._stopping.is_set():
            try:
                connection = await asyncio.open_connection("127.0.0.1", self._port)
                await self._ask(connection, number, b"Connection: close\r\n")
                connection[1].close()
            except (OSError, EOFError, ValueError) as error:
                self.errors.append(f"new connection: {error!r}")
            await asyncio.sleep(_PAUSE_S)

    async def _ask(self, connection: Any, number: int, header: bytes) -> tuple[str, bool]:
        """Return the version that answered, and whether the connection ends with it."""
        reader, writer = connection
        name, rows = NAMES[number % len(NAMES)], [{"x": number + row} for row in range(3)]
        body = json.dumps(rows).encode()
        writer.write(
            b"POST /api/models/%b/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"%bContent-Length: %d\r\n\r\n%b" % (name.encode(), header, len(body), body)
        )
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        headers = dict(line.split(": ", 1) for line in head.splitlines()[1:] if line)
        answer = json.loads(await reader.readexactly(int(headers["content-length"])))
        if " 200 " not in head.splitlines()[0]:
            raise ValueError(f"{head.splitlines()[0]} {answer}")
        version = headers["x-model-version"]
        if [row["x"] for row in answer] != [row["x"] for row in rows]:
            self.errors.append(f"the rows of another request: {answer}")
        if {row["written"] for row in answer} != {version}:
            self.errors.append(f"version {version} is answered by the code of {answer}")
        self.answers[version] += 1
        return version, headers.get("connection") == "close"


@contextmanager
def loading(server: Server) -> Iterator[Load]:
    """Put load on a server for the length of a block."""
    load = Load(server.port)
    load.start()
    try:
        yield load
    finally:
        load.stop()
