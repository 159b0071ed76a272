"""`Supervisor`: the processes of one model, in the parent of the workers, or, outside `serve`, in the backend itself.

Each process inherits a listening Unix socket that the supervisor keeps open, so callers can connect, and send, while
a dead process is replaced. It sends no predictions.

    <folder, mode 0700>/0.sock  0.json      socket and status of the first process
                        1.sock  1.json      ... of the second, with ``replicas: 2``
"""

import shutil
import time
from pathlib import Path

from model_service.backends.process.replica import Replica
from model_service.config import ModelConfig
from model_service.home import make_home
from model_service.metrics.meters import Meters

STOP_TIMEOUT_S = 5.0


class Supervisor:
    """The processes of one model. `start` and `stop` are called once, by one thread.

    Args:
        config: The model's entry.
        folder: Where sockets and status files are kept, and removed with; one of its own when ``None``.
        linger_s: Seconds that the processes go on for those who are connected, when this process is killed.
        meters: Of this process.
    """

    def __init__(
        self, config: ModelConfig, folder: Path | None = None, *, linger_s: float = 0.0, meters: Meters | None = None
    ) -> None:
        self._home = make_home() if folder is None else None
        self.folder = folder or self._home.path  # type: ignore[union-attr]  # one of the two is there
        self._replicas = [Replica(config, self.folder, number, linger_s, meters) for number in range(config.replicas)]
        self._stop_by: float | None = None

    def start(self) -> None:
        """Start every process; returns at once, the status files tell when they are ready."""
        for replica in self._replicas:
            replica.start()

    def list_pids(self) -> list[int]:
        """Return the processes that there are."""
        return [pid for replica in self._replicas if (pid := replica.pid) is not None]

    def begin_stop(self) -> None:
        """Ask every process to end; `stop` waits for it, `STOP_TIMEOUT_S` from now."""
        if self._stop_by is None:
            self._stop_by = time.monotonic() + STOP_TIMEOUT_S
        for replica in self._replicas:
            replica.begin_stop()

    def stop(self) -> None:
        """End every process and remove the folder."""
        self.begin_stop()
        assert self._stop_by is not None
        for replica in self._replicas:
            replica.finish_stop(max(0.0, self._stop_by - time.monotonic()))
        shutil.rmtree(self.folder, ignore_errors=True)
        if self._home is not None:
            self._home.leave()
