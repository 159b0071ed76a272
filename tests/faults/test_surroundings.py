"""What is wrong around the service: folders, streams, a log that nobody reads, file descriptors."""

import os
import resource
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from attacking import ask
from fronts import request_of
from serving import TESTS, find_free_port, list_children, starting

TOYS = "models:\n  - class: models.DoubleModel\n  - class: fault_models.LoudModel\nserver: {workers: 1}\n"
DOUBLE, LOUD = "/api/models/double_model/predict", "/api/models/loud_model/predict"


class Shelled:
    """`model-service serve` as a shell starts it, after some words of the shell's own."""

    def __init__(self, shell: str, folder: Path, *, after: str = "", **streams: object) -> None:
        (folder / "config.yaml").write_text(TOYS)
        self.port = find_free_port()
        self.process = subprocess.Popen(
            [
                *("sh", "-c", f'{shell}; exec "$@" {after}', "sh", sys.executable, "-m", "model_service"),
                *("--config", str(folder / "config.yaml"), "serve", "--port", str(self.port)),
            ],
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent)])},
            **streams,
        )

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + 60
        while True:
            assert time.monotonic() < deadline
            assert self.process.poll() is None
            try:
                if ask(self.port, "POST", LOUD, b'{"x": 1}')[0] == 200:
                    return
            except OSError:
                pass
            time.sleep(0.05)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)


@pytest.mark.parametrize(
    ("shell", "said"),
    [
        pytest.param("mkdir gone; cd gone; rmdir ../gone", "the working directory has been removed", id="no folder"),
        # As root, too, no file can be written beyond its bound, which is none.
        pytest.param("ulimit -f 0", "no temporary directory can be written to; set TMPDIR", id="no temporary folder"),
    ],
)
def test_a_folder_that_is_missing_is_one_sentence_and_exit_code_3(tmp_path, shell, said):
    started = Shelled(f"cd {tmp_path}; {shell}", tmp_path, stderr=subprocess.PIPE)
    _, written = started.process.communicate(timeout=60)
    assert started.process.returncode == 3
    (line,) = written.decode().splitlines()
    assert said in line


@pytest.mark.parametrize("closed", ["2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_reason_not_to_serve(tmp_path, closed):
    started = Shelled("true", tmp_path, after=closed)
    started.wait_until_ready()
    (worker,) = list_children(started.process.pid)
    for process in (started.process.pid, worker):
        assert os.readlink(f"/proc/{process}/fd/2") == os.devnull
    assert ask(started.port, "POST", LOUD, b'{"x": -1}')[0] == 500
    assert started.stop() == 0


def test_a_log_that_nobody_reads_holds_neither_requests_up_nor_the_end(tmp_path):
    reading, writing = os.pipe()
    started = Shelled("true", tmp_path, stderr=writing)
    os.close(writing)
    started.wait_until_ready()
    for body, path, status, count in ((b'{"x": 1}', DOUBLE, b"200", 40_000), (b'{"x": -1}', LOUD, b"500", 200)):
        with socket.create_connection(("127.0.0.1", started.port), timeout=60) as connection:
            for _ in range(count // 100):
                connection.sendall(request_of(body, path) * 100)
                said = b""
                while said.count(b"HTTP/1.1 " + status) < 100 or not said.endswith(b"}"):
                    part = connection.recv(2**20)
                    assert part, said[-500:]
                    said += part
    assert ask(started.port, "GET", "/health/live")[0] == 200
    assert started.stop() == 0
    os.close(reading)


@pytest.fixture
def start(tmp_path):
    with starting(tmp_path) as start_server:
        yield start_server


def test_without_file_descriptors_a_worker_waits_says_so_and_goes_on_when_there_are_some(start):
    server = start(TOYS)
    (worker,) = list_children(server.process.pid)
    resource.prlimit(worker, resource.RLIMIT_NOFILE, (64, 64))
    connections = [socket.create_connection(("127.0.0.1", server.port), timeout=20) for _ in range(200)]
    server.wait_for_log("no file descriptors left")
    before = measure_cpu_s(worker)
    time.sleep(2)
    assert measure_cpu_s(worker) - before < 1  # a loop that is busy takes all of it
    assert server.log.read_text().count("no file descriptors left") == 1
    for connection in connections:
        connection.close()
    deadline = time.monotonic() + 30
    while True:
        try:
            assert ask(server.port, "POST", DOUBLE, b'{"x": 1}') == (200, {"y": 2})
            break
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    assert server.stop() == 0


def measure_cpu_s(process: int) -> float:
    user, system = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def test_beyond_the_connections_that_it_may_have_a_worker_answers_health(start):
    server = start(TOYS.replace("workers: 1", "workers: 1, max_connections: 8"))
    busy = [socket.create_connection(("127.0.0.1", server.port), timeout=20) for _ in range(8)]
    for connection in busy:
        connection.sendall(b"POST ")
    deadline = time.monotonic() + 30
    while (answer := ask(server.port, "POST", DOUBLE, b'{"x": 1}'))[0] == 200:  # until it has taken all of them
        assert time.monotonic() < deadline
    assert (answer[0], answer[1]["code"]) == (503, "server_busy")
    assert ask(server.port, "GET", "/health/live")[0] == 200
    for connection in busy:
        connection.close()
    deadline = time.monotonic() + 30
    while ask(server.port, "POST", DOUBLE, b'{"x": 1}')[0] != 200:
        assert time.monotonic() < deadline
    assert server.stop() == 0
