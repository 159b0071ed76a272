"""What a job costs those who wait: how long single rows take without one and beside one; and how fast a job is.

python -m benchmarks.jobs [rows]

It serves the iris model, sends single rows one after the other on a few connections, then does the same while a job
of so many rows runs (1,000,000 by default), and prints the percentiles of both, the rate of the job, and the memory of
its worker over time.
"""

import argparse
import http.client
import json
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PORT = 8917
CONNECTIONS = 4
SECONDS = 10.0
NAMES = ("sepal_length", "sepal_width", "petal_length", "petal_width")
ROW = json.dumps(dict(zip(NAMES, (5.1, 3.5, 1.4, 0.2), strict=True))).encode()
CONFIG = {"server": {"port": PORT, "workers": 1}, "models": [{"class": "iris_model.IrisModel"}]}


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=int, nargs="?", default=1_000_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as name:
        config = Path(name) / "config.yaml"
        config.write_text(json.dumps(CONFIG))
        command = [sys.executable, "-m", "model_service", "--config", str(config), "serve"]
        server = subprocess.Popen(command, stderr=subprocess.DEVNULL)  # noqa: S603 - our own command
        try:
            wait_until_ready()
            measure(1.0)
            report("without a job", measure(SECONDS))
            path = submit(rows)
            memory: list[int] = []
            watcher = threading.Thread(target=watch, args=[server.pid, path, memory])
            watcher.start()
            report("beside a job", measure(SECONDS))
            watcher.join()
            job = ask("GET", path)
            rate = job["rows_per_s"]
            print(f"job: {job['state']}, {job['rows_done']} rows, {rate:,.0f} rows/s, {60 * rate:,.0f} rows/min")
            print(
                "memory of its worker, MB over time:", *[size // 2**20 for size in memory[:: max(1, len(memory) // 12)]]
            )
        finally:
            server.terminate()
            server.wait()


def measure(seconds: float) -> list[float]:
    """Return how long single rows took, in ms."""
    took: list[float] = []

    def send() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", PORT)
        ends = time.perf_counter() + seconds
        while (began := time.perf_counter()) < ends:
            connection.request("POST", "/api/models/iris_model/predict", ROW, {"Content-Type": "application/json"})
            connection.getresponse().read()
            took.append(1000 * (time.perf_counter() - began))
            time.sleep(0.002)

    threads = [threading.Thread(target=send) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return took


def report(name: str, took: list[float]) -> None:
    """Print the percentiles of some measurements."""
    cuts = statistics.quantiles(took, n=1000)
    print(f"{name}: {len(took)} rows, p50 {cuts[499]:.2f} ms, p99 {cuts[989]:.2f} ms, p99.9 {cuts[998]:.2f} ms")


def write_rows(rows: int) -> Iterator[bytes]:
    """Yield a CSV file."""
    yield ",".join(NAMES).encode() + b"\n"
    some = [",".join(f"{random.uniform(0.1, 7):.1f}" for _ in NAMES) + "\n" for _ in range(1000)]
    for begun in range(0, rows, 1000):
        yield "".join(some[: rows - begun]).encode()


def submit(rows: int) -> str:
    """Send a file; return the path of its job."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT)
    headers = {"Content-Type": "text/csv"}
    connection.request("POST", "/api/models/iris_model/jobs", write_rows(rows), headers, encode_chunked=True)
    answer = connection.getresponse()
    path = answer.getheader("Location")
    if path is None:
        raise SystemExit(answer.read().decode())
    return path


def watch(pid: int, path: str, memory: list[int]) -> None:
    """Note the memory of the process of jobs until the job is over."""
    while ask("GET", path)["state"] in ("queued", "running"):
        for child in Path(f"/proc/{pid}/task/").glob("*/children"):
            for each in child.read_text().split():
                if "jobs.process" in Path(f"/proc/{each}/cmdline").read_text():
                    memory.append(4096 * int(Path(f"/proc/{each}/statm").read_text().split()[1]))
        time.sleep(0.5)


def wait_until_ready() -> None:
    """Return when the service answers."""
    for _ in range(300):
        try:
            if ask("GET", "/health/ready")["status"] == "ok":
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise SystemExit("the service did not start")


def ask(method: str, path: str) -> Any:
    """Return a document."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT)
    connection.request(method, path)
    return json.load(connection.getresponse())


if __name__ == "__main__":
    main()
