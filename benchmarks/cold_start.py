"""How long the function of `deploy/aws_lambda` takes from the start of its process to its first answer.

    python -m benchmarks.cold_start

Each start is a new process, on this machine; Lambda has to fetch the code and start the process before that.
"""

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
STEPS = ("import", "models", "first answer", "cold start", "next answer")
#: What a process prints: milliseconds of each step. It begins before Python reads anything of ours.
_PROGRAM = """
import time; started = time.perf_counter()
import json, sys
import model_service.wiring, apig_wsgi
imported = time.perf_counter()
sys.path.insert(0, "deploy/aws_lambda")
import handler
loaded = time.perf_counter()
event = json.loads(sys.argv[1])
def answer():
    began = time.perf_counter()
    assert handler.handler(event, None)["statusCode"] == 200
    return time.perf_counter() - began
first = answer()
after = [answer() for _ in range(5)]
times = [imported - started, loaded - imported, first, loaded - started + first, min(after)]
print(json.dumps([round(1000 * each, 1) for each in times]), flush=True)
import os; os._exit(0)
"""


def make_event() -> dict[str, object]:
    """Return the event of a function URL that asks the circRNA model with its first example."""
    # The package is asked here only, so that the process which is measured finds nothing loaded.
    asked = "import circrna_model, json; print(json.dumps(circrna_model.CircRnaModel.input_schema['examples'][0]))"
    payload = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True).stdout  # noqa: S603
    path = "/api/models/circrna_model/predict"
    return {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"content-type": "application/json", "host": "function"},
        "requestContext": {"http": {"method": "POST", "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1"}},
        "body": payload,
        "isBase64Encoded": False,
    }


def measure(starts: int) -> list[list[float]]:
    """Return the milliseconds of each step, one list per start."""
    event = json.dumps(make_event())
    command = [sys.executable, "-c", _PROGRAM, event]
    done = [subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True) for _ in range(starts)]  # noqa: S603
    return [json.loads(each.stdout.splitlines()[-1]) for each in done]


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=7, help="how many processes are started")
    starts = parser.parse_args().starts
    rows = measure(starts)
    print(f"|  | median of {starts} | least | most |")
    print("|---|---|---|---|")
    for step, times in zip(STEPS, zip(*rows, strict=True), strict=True):
        print(f"| {step} | {statistics.median(times):.0f} ms | {min(times):.0f} ms | {max(times):.0f} ms |")


if __name__ == "__main__":
    main()
