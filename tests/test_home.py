"""The folder that the processes of a service share: the last one out removes it, whatever its end."""

import multiprocessing
import os
import signal
import stat
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from model_service.home import Home, agree, is_first, make_home

_HOLD = """
import sys, tempfile, time
from pathlib import Path
from model_service.home import Home, make_home
tempfile.tempdir = sys.argv[1]
home = Home(Path(sys.argv[2])) if len(sys.argv) > 2 else make_home()
print(home.path, flush=True)
sys.stdin.read()
home.leave()
"""


@pytest.fixture(autouse=True)
def tmp_path(temporary, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    return temporary


@pytest.fixture
def hold(tmp_path):
    """Return a function that starts a process which uses a folder, and returns it with the folder's path."""
    started = []

    def start(*arguments):
        command = [sys.executable, "-c", _HOLD, str(tmp_path), *arguments]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(process)
        return process, process.stdout.readline().strip()

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_only_this_user_can_look_into_a_home(tmp_path):
    home = make_home()
    assert stat.S_IMODE(home.path.stat().st_mode) == 0o700
    assert home.path.parent == tmp_path
    assert [path.name for path in tmp_path.iterdir()] == [home.path.name]
    home.leave()


def test_the_last_one_out_removes_the_folder():
    first = make_home()
    (first.path / "0").mkdir()
    (first.path / "0" / "0.sock").touch()
    second, third = Home(first.path), Home(first.path)
    for home in (first, third):
        home.leave()
        assert (second.path / "0" / "0.sock").exists()
    second.leave()
    assert not second.path.exists()


def test_what_another_process_uses_stays(hold):
    home = make_home()
    process, path = hold(str(home.path))
    assert path == str(home.path)
    home.leave()
    assert home.path.exists()
    process.communicate("")
    assert not home.path.exists()


def test_what_a_killed_service_left_is_removed_by_the_next(hold):
    process, path = hold()
    os.kill(process.pid, signal.SIGKILL)
    process.wait(timeout=60)
    assert os.path.exists(path)
    home = make_home()
    assert not os.path.exists(path)
    assert home.path.exists()
    home.leave()


def test_what_a_running_service_uses_is_not_removed_by_the_next(hold):
    _, path = hold()
    home = make_home()
    assert os.path.exists(path)
    home.leave()
    assert os.path.exists(path)


def test_what_only_has_such_a_name_stays(tmp_path):
    for name in ("model-service-notes", "another-folder"):
        (tmp_path / name).mkdir()
    (tmp_path / "model-service-file").touch()
    make_home().leave()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "another-folder",
        "model-service-file",
        "model-service-notes",
    ]


def test_services_that_start_at_the_same_time_leave_each_other_alone():
    lost = []

    def start_again_and_again():
        for _ in range(100):
            home = make_home()
            if not (home.path / "lock").exists():
                lost.append(home.path)
            home.leave()

    threads = [threading.Thread(target=start_again_and_again) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lost == []


# What the processes agree on


def test_the_first_word_is_the_word_of_all(tmp_path):
    path = tmp_path / "word"
    assert agree(path, "first") == "first"
    assert agree(path, "other") == "first"
    assert [file.name for file in tmp_path.iterdir()] == ["word"]


def _agree(path, text, start, answers):
    start.wait()
    answers.put(agree(path, text))


def test_processes_that_ask_at_the_same_time_come_to_one_answer(tmp_path):
    context = multiprocessing.get_context("spawn")
    for attempt in range(2):
        start, answers = context.Barrier(4), context.Queue()
        path = tmp_path / f"word-{attempt}"
        asking = [context.Process(target=_agree, args=(path, str(number), start, answers)) for number in range(4)]
        for process in asking:
            process.start()
        found = {answers.get(timeout=60) for _ in asking}
        for process in asking:
            process.join(timeout=60)
        assert found == {agree(path, "late")}


def test_one_of_many_is_the_first(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(is_first, [tmp_path / "said"] * 50))
    assert sorted(found) == [False] * 49 + [True]
