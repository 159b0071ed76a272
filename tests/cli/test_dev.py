"""`dev` serves a package while it is written: saves are served, what is broken is not."""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from commanding import invoke, misuse
from serving import START_TIMEOUT_S, Server, find_free_port

from model_service.saves import SaveWatch

MODEL = """
from model_service import MLModel

class EchoModel(MLModel):
    qualified_name, display_name, description, version = "echo_model", "Echo", "Says one word.", "1.0.0"
    input_schema = {{"type": "object", "examples": [{{}}]}}
    output_schema = {{"type": "object"}}

    def predict(self, payload):
        return {{"word": {word}}}
"""


class DevServer(Server):
    """``model-service dev`` in a folder."""

    def __init__(self, folder: Path, package: str) -> None:
        self.port = find_free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder.parent / "dev.log"
        command = [sys.executable, "-P", "-m", "model_service", "dev", package, "--port", str(self.port)]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env={**os.environ})

    def wait_for_word(self, word: str) -> None:
        """Return when the model says a word."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while (said := self.ask()) != word:
            assert time.monotonic() < deadline, f"it says {said!r}, not {word!r}:\n{self.log.read_text()}"
            time.sleep(0.05)

    def ask(self) -> str:
        """Return what the model says."""
        answer = httpx.post(f"{self.url}/api/models/echo_model/predict", json={}, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()["word"]


@pytest.fixture
def write(tmp_path):
    """Return a function that saves the package's module, and returns the folder that the package lies in."""

    def write(word="'one'", text=MODEL, package="echo_package", file="__init__.py"):
        path = tmp_path / "work" / package / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.format(word=word))
        return tmp_path / "work"

    return write


@contextmanager
def serving(folder, package):
    server = DevServer(folder, package)
    try:
        yield server.wait_until_ready()
    finally:
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(timeout=60)


def test_a_save_is_served_and_a_broken_one_is_not(write):
    folder = write()
    with serving(folder, "echo_package") as server:
        server.wait_for_word("one")
        write("'two'")
        server.wait_for_word("two")
        write("nowhere(")
        log = server.wait_for_log("the service has not been reloaded")
        assert "SyntaxError" in log
        assert server.ask() == "two"
        write("'three'")
        server.wait_for_word("three")
        assert "saved: __init__.py" in server.log.read_text()
    assert server.process.returncode == 0
    assert [path.name for path in folder.iterdir()] == ["echo_package"]  # it leaves nothing behind


def test_a_package_that_is_broken_at_the_start_is_served_once_it_is_mended(write):
    folder = write("", "raise ValueError('broken')")
    with serving(folder, "echo_package.EchoModel") as server:
        server.wait_for_log("broken")
        write("'mended'")
        deadline = time.monotonic() + START_TIMEOUT_S
        while httpx.get(f"{server.url}/health/ready").status_code != 200:
            assert time.monotonic() < deadline, server.log.read_text()
            time.sleep(0.05)
        server.wait_for_word("mended")


@pytest.mark.parametrize(
    ("package", "code", "words"),
    [
        ("echo_package", 4, "cause: ValueError: broken"),
        ("absent_package", 4, "there is no package 'absent_package' here"),
        ("json", 4, "the package 'json' shows no MLModel subclass"),
    ],
)
def test_what_cannot_be_served_is_said(write, package, code, words):
    folder = write("", "raise ValueError('broken')")
    command = [sys.executable, "-P", "-m", "model_service", "dev", package, "--port", str(find_free_port())]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_package_must_be_named(tmp_path):
    assert "Missing argument 'PACKAGE'" in misuse(tmp_path / "none.yaml", "dev")
    assert "reload it whenever" in invoke(tmp_path / "none.yaml", "dev", "--help").output


def test_a_watch_tells_once_of_files_that_were_made_changed_and_removed(tmp_path):
    (tmp_path / "old.py").write_text("")
    (tmp_path / "kept.py").write_text("")
    told, heard = [], threading.Event()
    watch = SaveWatch(tmp_path, lambda changed: (told.append(changed), heard.set()), poll_s=0.01)
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__/kept.pyc").write_text("ignored")
    (tmp_path / ".kept.py.swp").write_text("ignored")
    (tmp_path / "old.py").unlink()
    (tmp_path / "artifacts").mkdir()
    (tmp_path / "artifacts/new.json").write_text("{}")
    (tmp_path / "kept.py").write_text("changed")
    watch.start()
    assert heard.wait(30)
    watch.close()
    assert told == [["artifacts/new.json", "kept.py", "old.py"]]
