"""Orders to a running service: a Unix socket in its folder, on which its parent listens, and the asking side of it.

Only the user of the service can connect (mode 0600, in a folder of mode 0700), so there is no other proof of who asks.
One connection is one order: a line of JSON there, then lines of JSON back, of which the last one holds the outcome.

    {"op": "reload", "is_dry": false}
                               {"said": "+ iris_model 1.3.0"}
                               {"result": {"generation": 2}}      or {"error": {"code": ..., "message": ...}}
"""

import json
import logging
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_service.errors import ConfigInvalid, ReloadFailed, ReloadUnderWay, ServiceError, ServiceNotRunning
from model_service.home import list_controls

logger = logging.getLogger(__name__)

#: What is told on the way to an outcome.
Say = Callable[[str], object]
_BACKLOG = 16
_MOST_BYTES = 64 * 1024
#: Who connects sends its order at once, or is sent away.
_ORDER_S = 5.0
_KINDS: tuple[type[ServiceError], ...] = (ConfigInvalid, ReloadFailed, ReloadUnderWay)


class ControlServer:
    """Takes orders, each in a thread of its own.

    Args:
        path: Of the socket.
        answer: Carries out an order and returns its outcome; told how to say something on the way.
    """

    def __init__(self, path: Path, answer: Callable[[dict[str, Any], Say], dict[str, Any]]) -> None:
        self._answer = answer
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        path.chmod(0o600)
        self._listener.listen(_BACKLOG)
        self._thread = threading.Thread(target=self._accept, name="control", daemon=True)

    def start(self) -> None:
        """Take orders from now on."""
        self._thread.start()

    def close(self) -> None:
        """Take no more; those under way get their outcome."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # it has been closed
                return
            threading.Thread(target=self._serve, args=[connection], name="order", daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        def write(line: dict[str, Any]) -> None:
            with suppress(OSError):  # who asked has left; what was begun goes on
                connection.sendall(json.dumps(line).encode() + b"\n")

        with connection:
            connection.settimeout(_ORDER_S)
            try:
                with connection.makefile("rb") as lines:
                    order = json.loads(lines.readline(_MOST_BYTES))
            except (OSError, ValueError):
                return
            try:
                write({"result": self._answer(order, lambda text: write({"said": text}))})
            except ServiceError as error:
                write({"error": {"code": error.code, "message": error.message}})
            except Exception:
                logger.exception("an order could not be carried out")
                write({"error": {"code": ReloadFailed.code, "message": "the service failed; its log says why"}})


def give_order(path: Path, order: dict[str, Any], say: Say | None = None) -> dict[str, Any]:
    """Give an order to the service that listens at a path, and return the outcome.

    Args:
        path: Of its control socket.
        order: With ``op``, and what that needs.
        say: Given what is told on the way.

    Raises:
        ReloadUnderWay, ReloadFailed, ConfigInvalid: As the service says.
        ServiceNotRunning: Nobody listens, or the service ended before the outcome.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.connect(str(path))
            connection.sendall(json.dumps(order).encode() + b"\n")
            with connection.makefile("rb") as lines:
                for raw in lines:
                    line = json.loads(raw)
                    if "result" in line:
                        result: dict[str, Any] = line["result"]
                        return result
                    if "error" in line:
                        raise _restore(line["error"])
                    if say is not None:
                        say(line["said"])
    except OSError as error:
        raise ServiceNotRunning(f"the service does not take orders: {error}; look whether it runs") from error
    raise ServiceNotRunning("the service ended before it had done that")


@dataclass(frozen=True, slots=True)
class RunningService:
    """A service that takes orders.

    Attributes:
        control: The path of its socket.
        status: What it says of itself.
    """

    control: Path
    status: dict[str, Any]


def find_service(config: Path, pid: int | None = None) -> RunningService:
    """Return the running service of a configuration.

    Args:
        config: Its file.
        pid: Of the parent, where several services have the same configuration.

    Raises:
        ServiceNotRunning: There is none, or more than one.
    """
    running: list[RunningService] = []
    for path in list_controls():
        with suppress(ServiceError):  # it has ended, or another user's
            running.append(RunningService(path, give_order(path, {"op": "status"})))
    wanted = [
        each
        for each in running
        if (each.status["pid"] == pid if pid is not None else each.status["config"] == str(config.absolute()))
    ]
    if len(wanted) == 1:
        return wanted[0]
    listed = ", ".join(f"{each.status['pid']} ({each.status['config']})" for each in wanted or running) or "none"
    if wanted:
        raise ServiceNotRunning(f"several services run with '{config}'; name one with --pid: {listed}")
    raise ServiceNotRunning(
        f"no service of this user runs {f'as process {pid}' if pid is not None else f'with {config}'}; those that run, "
        f"with this TMPDIR: {listed}; name one with --config or --pid"
    )


def _restore(fields: dict[str, str]) -> ServiceError:
    kind = next((kind for kind in _KINDS if kind.code == fields["code"]), ReloadFailed)
    return kind(fields["message"])
