"""`JobProcesses`: the processes of `serve` that work on jobs, as the parent knows them. It imports no library.

They are started when there is a database, which the first job makes: a service without jobs has none of them. One that
ends is started again, after longer and longer: it takes no request with it, so the service never ends for that.
"""

import logging
import subprocess
import sys
import threading
import time
from pathlib import Path

from model_service.config_jobs import JobsConfig
from model_service.home import make_environment
from model_service.jobs import places

logger = logging.getLogger(__name__)

_POLL_S = 0.5
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 60.0
#: A process that has lived as long was all right.
_SOUND_S = 60.0


class JobProcesses:
    """Keeps them alive.

    Args:
        config: How many there are, and where the database is.
        home: The folder that the processes of the service share.
        generation: Which generation of the service they belong to.
        pipe: File descriptor whose other end ends with the parent.
    """

    def __init__(self, config: JobsConfig, home: Path, generation: int, pipe: int) -> None:
        self._config = config
        self._home = home
        self._generation = generation
        self._pipe = pipe
        self._ending = threading.Event()
        self._spawning = threading.Lock()
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self._threads = [
            threading.Thread(target=self._keep_alive, args=[number], name=f"jobs {number}", daemon=True)
            for number in range(config.workers if places.are_installed() else 0)
        ]

    def start(self) -> None:
        """Start them, now or when there is something for them to do."""
        for thread in self._threads:
            thread.start()

    def list_pids(self) -> list[int]:
        """Return the processes that there are."""
        return [process.pid for process in self._processes.values() if process.poll() is None]

    def begin_stop(self) -> None:
        """Tell them to give their jobs back and to end."""
        with self._spawning:  # from here on none is started
            self._ending.set()
            for process in self._processes.values():
                if process.poll() is None:
                    process.terminate()

    def stop(self, deadline: float) -> None:
        """Wait for their end until a moment of `time.monotonic`; what is left then is killed."""
        for number, thread in enumerate(self._threads):
            if thread.ident is None:
                continue
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive() and number in self._processes:
                self._processes[number].kill()
                thread.join()

    def _keep_alive(self, number: int) -> None:
        pause_s = _FIRST_PAUSE_S
        while not places.have_begun(self._config):
            if self._ending.wait(_POLL_S):
                return
        while True:
            with self._spawning:
                if self._ending.is_set():
                    return
                process = self._processes[number] = self._spawn()
            started = time.monotonic()
            code = process.wait()
            if self._ending.is_set():
                return
            if time.monotonic() - started > _SOUND_S:
                pause_s = _FIRST_PAUSE_S
            logger.error("the process of jobs (pid %d) ended by itself, with status %d", process.pid, code)
            self._ending.wait(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _spawn(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(  # noqa: S603 - our own module
            [
                *(sys.executable, "-P", "-m", "model_service.jobs.process"),
                *("--home", str(self._home), "--generation", str(self._generation), "--pipe", str(self._pipe)),
            ],
            pass_fds=[self._pipe],
            env=make_environment(),
            stdin=subprocess.DEVNULL,
        )
