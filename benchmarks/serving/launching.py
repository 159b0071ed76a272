"""Start a server on its core, wait for its first prediction, and leave nothing of it behind."""

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.serving import places
from benchmarks.serving.entry import Kind, Peer, Start
from benchmarks.serving.processes import SERVER_CORE, find_descendants, read_memory_mb
from benchmarks.serving.workloads import WORKLOADS, Payload

START_TIMEOUT_S = 90
_STOP_TIMEOUT_S = 6
_ASK_TIMEOUT_S = 120
_PAUSE_S = 0.02
#: One thread everywhere: the server has one core.
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


class ServerFailed(Exception):
    """A server did not start, or did not answer as it must."""


@dataclass(frozen=True, slots=True)
class Launch:
    """A start command and the request whose answer says that the server is up."""

    command: tuple[str, ...]
    folder: Path
    log: Path
    port: int
    path: str
    body: bytes
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Running:
    """A server that has answered.

    Attributes:
        start_s: Seconds from the start command to the first prediction.
    """

    port: int
    start_s: float

    def read_memory_mb(self) -> float:
        """Return the memory of all its processes, in MiB."""
        return read_memory_mb(list(find_descendants(os.getpid())))


def ask(connection: http.client.HTTPConnection, path: str, body: bytes) -> Any:
    """Send one request and return its document.

    Raises:
        ServerFailed: The answer is not 200.
    """
    connection.request("POST", path, body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    text = answer.read()
    if answer.status != http.HTTPStatus.OK:
        raise ServerFailed(f"{path} answered {answer.status}: {text[:200].decode(errors='replace')}")
    return json.loads(text)


def connect(port: int) -> contextlib.closing[http.client.HTTPConnection]:
    """Return a connection that closes itself."""
    return contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=_ASK_TIMEOUT_S))


def encode(document: Any) -> bytes:
    """Return a body on one line."""
    return json.dumps(document, separators=(",", ":")).encode()


def find_free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on at the moment."""
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


@contextlib.contextmanager
def launch(what: Launch) -> Iterator[Running]:
    """Run a server until the end of the block.

    Raises:
        ServerFailed: It ended, or did not answer in time; the message has the end of its log.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "MODEL_SERVICE__"))}
    started = time.monotonic()
    with what.log.open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 - our own words
            ["taskset", "-c", str(SERVER_CORE), *what.command],  # noqa: S607 - whichever is on the path
            cwd=what.folder,
            env=kept | _ONE_THREAD | {"PYTHONDONTWRITEBYTECODE": "1"} | dict(what.variables),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        _wait_for_answer(what, process, started)
        yield Running(what.port, time.monotonic() - started)
    finally:
        _stop(process)


@contextlib.contextmanager
def launch_peer(peer: Peer, model: str, payload: Payload) -> Iterator[Running]:
    """Run one of the compared servers with one model, in a fresh folder."""
    port, *others = find_free_ports(5)
    own_bin = Path(sys.executable).parent
    with TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        start = Start(
            bin=places.ENVIRONMENTS / peer.environment / "bin" if peer.environment else own_bin,
            port=port,
            other_ports=tuple(others),
            folder=folder,
            fitted=places.FITTED / (peer.environment or "own"),
            model=model,
        )
        # A copy, because some servers write into the folder they are started in.
        shutil.copytree(places.SERVERS, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
        try:
            peer.prepare(start)
        except subprocess.CalledProcessError as error:
            raise ServerFailed(
                f"could not be prepared: {error.stderr.decode(errors='replace').strip()[-300:]}"
            ) from error
        words = {"bin": start.bin, "port": port, "folder": folder}
        door = peer.one(model)
        what = Launch(
            command=tuple(word.format(**words) for word in peer.command),
            folder=folder,
            log=places.LOGS / f"{peer.name}-{model}.log",
            port=port,
            path=door.path,
            body=encode(door.write([payload])),
            variables=_list_variables(peer, start) | {k: v.format(**words) for k, v in peer.variables.items()},
        )
        with launch(what) as running:
            yield running


def _list_variables(peer: Peer, start: Start) -> dict[str, str]:
    variables = {"BENCH_MODEL": start.model, "BENCH_FITTED": str(start.fitted), "TMPDIR": str(start.folder)}
    paths = [start.folder]
    if peer.uses_graph:
        variables["BENCH_CLASS"] = WORKLOADS[start.model].class_path
        paths += [places.ROOT, *sorted((places.ROOT / "model_packages").iterdir())]
    if peer.uses_graph or peer.kind is Kind.OURS:
        paths.append(places.PACKAGES)
    return variables | {
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "PATH": os.pathsep.join([str(start.bin), os.environ["PATH"]]),
    }


def _wait_for_answer(what: Launch, process: subprocess.Popen[bytes], started: float) -> None:
    while True:
        with (
            contextlib.suppress(OSError, http.client.HTTPException, ValueError, ServerFailed),
            connect(what.port) as connection,
        ):
            ask(connection, what.path, what.body)
            return
        if process.poll() is not None:
            raise ServerFailed(f"ended with status {process.returncode} before it answered: {_read_end(what.log)}")
        if time.monotonic() - started > START_TIMEOUT_S:
            raise ServerFailed(f"gave no prediction in {START_TIMEOUT_S} s: {_read_end(what.log)}")
        time.sleep(_PAUSE_S)


def _read_end(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return " | ".join(lines[-2:])[-300:]


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask the server to end, then end whatever is left of it, orphans included."""
    process.terminate()
    deadline = time.monotonic() + _STOP_TIMEOUT_S
    while find_descendants(os.getpid()) and time.monotonic() < deadline:
        time.sleep(_PAUSE_S)
    while left := find_descendants(os.getpid()):
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_PAUSE_S)
    process.wait()
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
