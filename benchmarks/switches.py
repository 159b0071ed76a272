"""What it costs a plain prediction that the service counts, asks for keys, logs and traces.

python -m benchmarks.switches [--rounds 20] [--connections 64]

One service per line below, all of iris alone with one worker on the first core, are loaded in turns by wrk on the
second, a second each. A round compares each with the service of the same round that has everything switched off, per
second of the workers' processor time; printed is the median of the rounds, with their quartiles.
"""

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from benchmarks.serving.launching import find_free_ports
from benchmarks.serving.processes import LOAD_CORE, SERVER_CORE, count_cpu_seconds, find_descendants
from model_service.access.key import PREDICT
from model_service.access.key_file import KeyFile

BODY = '{"sepal_length":5.1,"sepal_width":3.5,"petal_length":1.4,"petal_width":0.2}'
_OFF = {"METRICS__ENABLED": "false", "LOGGING__LEVEL": "warning"}
_METRICS = {"LOGGING__LEVEL": "warning"}
_READY_S = 60


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--connections", type=int, default=64)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        (folder / "config.yaml").write_text("models: [{class: iris_model.IrisModel}]\n")
        _, key = KeyFile(folder / "keys.json").add("benchmark", [PREDICT], expires=None, by="benchmark")
        keyed = {"ACCESS__KEYS_FILE": str(folder / "keys.json")}
        variants = {
            "nothing": (_OFF, None),
            "metrics": (_METRICS, None),
            "metrics and keys": (_METRICS | keyed, key),
            "metrics, keys and the request log": (keyed, key),
        }
        servers = {
            title: (stack.enter_context(serve(folder, settings)), key) for title, (settings, key) in variants.items()
        }
        rounds = [
            {title: load(server, key, arguments.connections) for title, (server, key) in servers.items()}
            for _ in range(arguments.rounds)
        ]
    print(f"{arguments.connections} connections, {arguments.rounds} rounds: predictions per CPU second, of 'nothing'")
    for title in rounds[0]:
        rates = [each[title] for each in rounds]
        shares = [each[title] / each["nothing"] for each in rounds]
        low, middle, high = statistics.quantiles(shares, n=4)
        print(f"  {title:36}{statistics.median(rates):9,.0f}   {middle:.3f} ({low:.3f} to {high:.3f})")


@contextlib.contextmanager
def serve(folder: Path, settings: dict[str, str]) -> Iterator[tuple[int, int]]:
    """Run a service for the length of a block; yield its process and its port."""
    (port,) = find_free_ports(1)
    variables = {f"MODEL_SERVICE__{name}": value for name, value in settings.items()}
    with subprocess.Popen(  # noqa: S603 - our own words
        [
            *("taskset", "-c", str(SERVER_CORE), sys.executable, "-m", "model_service"),
            *("--config", str(folder / "config.yaml"), "serve", "--port", str(port)),
        ],
        env={**os.environ, "MODEL_SERVICE__SERVER__WORKERS": "1", **variables},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            _wait(port)
            yield process.pid, port
        finally:
            process.terminate()


def load(server: tuple[int, int], key: str | None, connections: int) -> float:
    """Return predictions per second of processor time."""
    pid, port = server
    script = Path(__file__).parent / "plain.lua"
    headers = ["-H", "content-type: application/json", *(["-H", f"x-api-key: {key}"] if key else [])]
    before = find_descendants(pid)
    done = subprocess.run(  # noqa: S603 - our own words
        [
            *("taskset", "-c", str(LOAD_CORE), "wrk", "-t1", f"-c{connections}", "-d1s", *headers, "-s", str(script)),
            f"http://127.0.0.1:{port}/api/models/iris_model/predict",
        ],
        env={**os.environ, "BODY": BODY},
        capture_output=True,
        text=True,
        check=True,
    )
    took_s = count_cpu_seconds(before, find_descendants(pid))
    assert "Non-2xx" not in done.stdout, done.stdout
    requests = next(line for line in done.stdout.splitlines() if "requests in" in line)
    return int(requests.split()[0]) / took_s


def _wait(port: int) -> None:
    for _ in range(_READY_S * 10):
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"http://127.0.0.1:{port}/health/ready").status_code == httpx.codes.OK:
                return
        time.sleep(0.1)
    raise TimeoutError("the service did not become ready")


if __name__ == "__main__":
    main()
