"""The whole trip of a large file: upload, job, progress and download, with the memory of every process over time.

python -m benchmarks.trip [rows] [--score]

It serves the iris model, sends a CSV file of so many rows (1,000,000 by default) as a stream, listens to the events of
its job, downloads the output and counts its lines. With ``--score`` it is `model-service score --local` on a file
instead. Every process of the tree is printed: its resident memory in MB at twelve moments, and the most it had.
"""

import argparse
import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from pathlib import Path

from benchmarks.jobs import CONFIG, PORT, ask, submit, wait_until_ready, write_rows

_EVERY_S = 0.5
_MOMENTS = 12
_SCORE = "score"


class Watch:
    """The memory of a process and of all below it over time, sampled in a thread for the length of a block."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        #: By process and name: the sample's number and the MB.
        self._found: dict[tuple[int, str], list[tuple[int, float]]] = defaultdict(list)
        self._samples = 0

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def report(self) -> None:
        """Print a line per process."""
        step = max(1, self._samples // _MOMENTS)
        print(f"memory in MB every {step * _EVERY_S:g} s, and the most:")
        for (_, name), sizes in self._found.items():
            if len(sizes) > 1:
                told = " ".join(f"{size:.0f}" for number, size in sizes if number % step == 0)
                print(f"  {name}: {told}; {max(size for _, size in sizes):.0f}")

    def _run(self) -> None:
        while not self._over.wait(_EVERY_S):
            for pid in list_tree(self._pid):
                try:
                    size = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
                    command = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
                except (OSError, IndexError):  # it has just ended
                    continue
                self._found[pid, name_process(command)].append((self._samples, size))
            self._samples += 1


def name_process(command: list[str]) -> str:
    """Return what a process of the service is called in the table."""
    words = [word for word in command if word in ("serve", _SCORE) or word.startswith(("model_service.", "from multi"))]
    return words[0].partition(" import ")[0].removeprefix("from ") if words else Path(command[0]).name


def list_tree(pid: int) -> list[int]:
    """Return a process and all below it."""
    found = [pid]
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            below = tasks.read_text().split()
        except OSError:
            continue
        found += [each for child in below for each in list_tree(int(child))]
    return found


def main() -> None:
    """Make the trip, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=int, nargs="?", default=1_000_000)
    parser.add_argument("--score", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "config.yaml").write_text(json.dumps({**CONFIG, "jobs": {"folder": str(folder / "data")}}))
        (run_score if arguments.score else run_job)(folder, arguments.rows)


def run_score(folder: Path, rows: int) -> None:
    """Score a file on the command line."""
    with (folder / "rows.csv").open("wb") as file:
        file.writelines(write_rows(rows))
    files = ["--input", str(folder / "rows.csv"), "--output", str(folder / "out.csv")]
    began = time.monotonic()
    process = subprocess.Popen([*_command(folder), _SCORE, "iris_model", "--local", *files], stderr=subprocess.DEVNULL)  # noqa: S603
    with Watch(process.pid) as watch:
        code = process.wait()
    with (folder / "out.csv").open("rb") as file:
        lines = sum(1 for _ in file)
    print(f"score: exit code {code}, {lines} lines, {time.monotonic() - began:.0f} s")
    watch.report()


def run_job(folder: Path, rows: int) -> None:
    """Send a file to a service, and wait for its output."""
    server = subprocess.Popen([*_command(folder), "serve"], stderr=subprocess.DEVNULL)  # noqa: S603 - our own command
    try:
        wait_until_ready()
        with Watch(server.pid) as watch:
            began = time.monotonic()
            path = submit(rows)
            sent = time.monotonic()
            events = count_events(path)
            done = time.monotonic()
            lines = count_lines(f"{path}/output")
            ended = time.monotonic()
        job = ask("GET", path)
        print(
            f"{job['state']}: {job['rows_done']} rows, {job['rows_failed']} failed, {events} events, {lines} lines",
            f"upload {sent - began:.0f} s, job {done - sent:.0f} s, download {ended - done:.0f} s",
            sep="\n",
        )
        watch.report()
    finally:
        server.terminate()
        server.wait()


def count_events(path: str) -> int:
    """Listen until the job is over; return how often it was told of."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT)
    connection.request("GET", f"{path}/events")
    return sum(line.startswith(b"data:") for line in connection.getresponse())


def count_lines(path: str) -> int:
    """Download a file, and return how many lines it has."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT)
    connection.request("GET", path)
    response = connection.getresponse()
    return sum(part.count(b"\n") for part in iter(lambda: response.read(2**20), b""))


def _command(folder: Path) -> list[str]:
    return [sys.executable, "-m", "model_service", "--config", str(folder / "config.yaml")]


if __name__ == "__main__":
    main()
