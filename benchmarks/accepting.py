"""One listening socket for all workers, or one each (SO_REUSEPORT): how connections spread; a lost worker.

python benchmarks/accepting.py

Two processes with an event loop accept. 64 connections are opened, one after the other and all at once, and each
is asked who answers it. Then one process is killed, 200 new connections are opened during half a second, and the
process is started again, as a parent would: how many are answered, and how many of them must wait for it. The
sockets stay open in this process, as they do in the parent of `serve`.
"""

import asyncio
import os
import signal
import socket
import statistics
import time
from collections import Counter
from typing import Any

import uvloop

WORKERS, CONNECTIONS, TRIALS = 2, 64, 10
#: New connections while a worker is missing, and how long it is.
ARRIVALS, MISSING_S = 200, 0.5


class Answering(asyncio.Protocol):
    """Answers every byte with the process it runs in."""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(b"%d\n" % os.getpid())


def listen(way: str) -> list[socket.socket]:
    """Return the listening socket of each worker: the same one, or one each on the same port."""
    sockets, port = [], 0
    for _ in range(1 if way != "reuseport" else WORKERS):
        listener = socket.socket()
        if way == "reuseport":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(("127.0.0.1", port))
        port = listener.getsockname()[1]
        listener.listen(2048)
        sockets.append(listener)
    return sockets * (WORKERS if way != "reuseport" else 1)


def start(listener: socket.socket, way: str) -> int:
    """Return a process that accepts from a socket."""
    child = os.fork()
    if child == 0:
        listener.setblocking(False)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            loop = runner.get_loop()
            if way == "one at a time":
                loop.add_reader(listener.fileno(), accept_one, loop, listener)
            else:
                loop.run_until_complete(loop.create_server(Answering, sock=listener))
            loop.run_forever()
    return child


def accept_one(loop: asyncio.AbstractEventLoop, listener: socket.socket) -> None:
    """Take one connection, and give the other workers time to take the next."""
    try:
        connection, _ = listener.accept()
    except OSError:  # another one was faster
        return
    task = loop.create_task(loop.connect_accepted_socket(Answering, connection))
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)


_tasks: set[asyncio.Task[Any]] = set()


def ask(connections: list[socket.socket]) -> Counter[bytes]:
    """Return how many connections each worker answers."""
    for connection in connections:
        connection.sendall(b"?")
    return Counter(connection.recv(100) for connection in connections)


def connect(port: int) -> socket.socket:
    """Return a new connection."""
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def measure_spread(port: int, *, is_burst: bool) -> list[int]:
    """Return, for each trial, how many connections the busier worker got."""
    most = []
    for _ in range(TRIALS):
        connections = []
        for _ in range(CONNECTIONS):
            connections.append(connect(port))
            if not is_burst:
                ask(connections[-1:])
        most.append(max(ask(connections).values()))
        for connection in connections:
            connection.close()
        time.sleep(0.05)
    return most


async def arrive(port: int, waits: list[float]) -> None:
    """Open a connection, ask, and note how long the answer took."""
    began = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"?")
    if await reader.read(100):
        waits.append(time.monotonic() - began)
    writer.close()


async def measure_loss(port: int, children: list[int], sockets: list[socket.socket], way: str) -> list[float]:
    """Return how long each connection waited that came while a worker was missing and was answered."""
    os.kill(children[0], signal.SIGKILL)
    os.waitpid(children[0], 0)
    waits: list[float] = []
    tasks = []
    for _ in range(ARRIVALS):
        tasks.append(asyncio.create_task(arrive(port, waits)))
        await asyncio.sleep(MISSING_S / ARRIVALS)
    children[0] = await asyncio.to_thread(start, sockets[0], way)
    await asyncio.wait(tasks, timeout=10)
    return waits


def main() -> None:
    """Print one row for each way."""
    print("| way | busier of two, in turn | at once | answered of 200 | of those after 50 ms | longest, s |")
    print("|---|--:|--:|--:|--:|--:|")
    for way in ("shared", "one at a time", "reuseport"):
        sockets = listen(way)
        port = sockets[0].getsockname()[1]
        children = [start(listener, way) for listener in sockets]
        time.sleep(0.5)
        cells = []
        for is_burst in (False, True):
            most = measure_spread(port, is_burst=is_burst)
            cells.append(f"{statistics.median(most):.0f} ({min(most)} to {max(most)})")
        waits = asyncio.run(measure_loss(port, children, sockets, way))
        slow = sum(wait > 0.05 for wait in waits)
        print(f"| {way} | {cells[0]} | {cells[1]} | {len(waits)} | {slow} | {max(waits):.2f} |")
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


if __name__ == "__main__":
    main()
