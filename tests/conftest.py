"""Fixtures of every test: a fresh manager, services of toy models, a client of the app."""

import importlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

import pytest
from attacking import write_table
from configurations import make_config
from flask.testing import FlaskClient
from serving import TESTS, Server

from model_service.manager import ModelManager
from model_service.service import Service

#: The folders of tests that are skipped where something is not installed, and what their skipping is told as.
_NEEDY = {
    "tests/browser/": ("the pages", "there is no browser; `make browser` installs one"),
    "tests/typescript/": ("a client in TypeScript", "its packages are not there; `make typescript` installs them"),
}


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Iterator[None]:
    """Say what the attacks did, and just above the last line what was not tested: else it is overlooked."""
    yield
    write_table(terminalreporter)
    skipped = [report.nodeid for report in terminalreporter.stats.get("skipped", [])]
    for folder, (what, reason) in _NEEDY.items():
        count = sum(node.startswith(folder) for node in skipped)
        if count:
            terminalreporter.write_line(f"not tested: {what} ({count} tests), for {reason}", yellow=True)


@pytest.fixture
def manager() -> Iterator[ModelManager]:
    """The one manager, empty before and after the test."""
    only = ModelManager()
    only.close()
    yield only
    only.close()


@pytest.fixture
def make_client(manager: ModelManager) -> Callable[..., FlaskClient]:
    """Return a function that serves models in this process and returns a client."""

    def make(*class_paths: str, **server: object) -> FlaskClient:
        app = Service(make_config(*class_paths, **server)).start().app
        return app.test_client()

    return make


@pytest.fixture
def make_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, dict[str, str]], Path]]:
    """Return a function that writes an importable package, texts by file name, and returns its folder."""
    root = tmp_path / "packages"
    root.mkdir()
    monkeypatch.syspath_prepend(str(root))
    before = set(sys.modules)

    def make(name: str, files: dict[str, str]) -> Path:
        for file, text in files.items():
            path = root / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        importlib.invalidate_caches()
        return root / name

    yield make
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", None) or "").startswith(str(root)):
            del sys.modules[name]


@pytest.fixture
def pipe() -> Iterator[tuple[int, TextIO]]:
    """Return both ends of a pipe: the number to read from, and a file to write to."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as output:
        yield reading, output
    os.close(reading)


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A temporary directory for a service: its path is short, as those of Unix sockets in it must be."""
    with tempfile.TemporaryDirectory(prefix="t-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The configuration that ships, served as `make serve` serves it."""
    config = (TESTS.parent / "config.yaml").read_text()
    server = Server(config, tmp_path_factory.mktemp("shipped")).wait_until_ready()
    yield server
    assert server.stop() == 0
