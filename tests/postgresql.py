"""A real server of PostgreSQL in a temporary folder, for tests; `make postgresql` installs its programs."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psycopg
import pytest
from serving import find_free_port

#: Where Debian keeps them, beside the path.
_FOLDERS = [*map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True))]


class PostgreSQL:
    """One server.

    Attributes:
        port: Where it listens, on the loopback address.
        folder: Its data.
    """

    def __init__(self, folder: Path, port: int) -> None:
        self.port = port
        self.folder = folder
        self._numbers = count()

    @classmethod
    @contextmanager
    def start(cls) -> "Iterator[PostgreSQL]":
        """Run a server for the length of a block; without its programs the tests are skipped, but not in CI."""
        if _find_program("initdb") is None:
            if os.environ.get("CI"):
                pytest.fail("there is no PostgreSQL; `make postgresql` installs it")
            pytest.skip("there is no PostgreSQL; `make postgresql` installs it")
        with tempfile.TemporaryDirectory(prefix="pg-", dir="/tmp") as name:
            folder = Path(name)
            _give_away(folder)
            server = cls(folder / "data", find_free_port())
            _run("initdb", "-D", str(server.folder), "-U", "jobs", "--auth=trust", "--no-sync", "--encoding=UTF8")
            server.resume()
            try:
                yield server
            finally:
                server.pause()

    def resume(self) -> None:
        """Start it, or start it again."""
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
        _run("pg_ctl", "start", "-D", str(self.folder), "-w", "-l", f"{self.folder}.log", "-o", options)

    def pause(self) -> None:
        """Stop it at once, with everybody's connections."""
        _run("pg_ctl", "stop", "-D", str(self.folder), "-m", "immediate", "-w")

    def make_database(self) -> str:
        """Return the URL of a new, empty database."""
        name = f"jobs_{next(self._numbers)}"
        with psycopg.connect(f"postgresql://jobs@127.0.0.1:{self.port}/postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"postgresql://jobs@127.0.0.1:{self.port}/{name}"


def _find_program(name: str) -> str | None:
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *_FOLDERS]))


def _run(program: str, *arguments: str) -> None:
    path = _find_program(program)
    assert path is not None
    # It refuses to run as root.
    demote = {"user": "nobody", "group": _find_group(), "extra_groups": []} if os.geteuid() == 0 else {}
    subprocess.run(
        [path, *arguments],
        check=True,
        stdout=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        cwd="/",
        env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"},
        **demote,
    )


def _find_group() -> int:
    return pwd.getpwnam("nobody").pw_gid


def _give_away(folder: Path) -> None:
    if os.geteuid() == 0:
        os.chown(folder, pwd.getpwnam("nobody").pw_uid, _find_group())
