"""What a row of a job costs, beside what it costs to parse, predict and write it in one process without a service.

python -m benchmarks.job_rate [rows] [--rounds 3]

Both read the same CSV file of iris flowers and write the same columns. The job goes through the database, the store
and the model's queue of a worker as `model-service work` runs it; the other is the csv module around
`IrisModel.predict_batch`, and checks nothing. Compared is the processor time (user and system) of the two processes
once each has its model: other work on the machine disturbs that little.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from benchmarks.jobs import write_rows
from iris_model import IrisModel
from model_service.config_file import load_config
from model_service.config_jobs import JobsConfig
from model_service.jobs.desk import JobDesk
from model_service.jobs.records import JobRequest

_CHUNK_ROWS = 1000


def main() -> None:
    """Measure both in turns, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=int, nargs="?", default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--alone", type=Path, nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.alone:
        score_alone(*arguments.alone)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = folder / "rows.csv"
        rows.write_bytes(b"".join(write_rows(arguments.rows)))
        found = [(measure_alone(rows), measure_job(rows, folder)) for _ in range(arguments.rounds)]
    for what, took in (
        ("in one process", min(alone for alone, _ in found)),
        ("as a job", min(job for _, job in found)),
    ):
        rate = arguments.rows / took
        print(f"{what}: {took:.1f} s of processor time, {rate:,.0f} rows/s, {60 * rate:,.0f} rows a minute and core")
    ratios = sorted(alone / job for alone, job in found)
    print("ratio:", " ".join(f"{ratio:.2f}" for ratio in ratios), "(0.7 is asked for)")


def score_alone(source: Path, target: Path) -> None:
    """Parse, predict and write in this process, without the service; print the seconds of processor time."""
    model = IrisModel()
    began = time.process_time()
    with source.open(newline="") as file, target.open("w", newline="") as sink:
        reader, writer = csv.reader(file), csv.writer(sink, lineterminator="\n")
        header = next(reader)
        writer.writerow([*header, "species", "setosa", "versicolor", "virginica"])
        for rows in iter(lambda: list(islice(reader, _CHUNK_ROWS)), []):
            outputs = model.predict_batch([dict(zip(header, map(float, row), strict=True)) for row in rows])
            writer.writerows(
                [*row, output["species"], *output["probabilities"].values()]
                for row, output in zip(rows, outputs, strict=True)
            )
    print(time.process_time() - began)


def measure_alone(rows: Path) -> float:
    """Return the seconds of processor time of one process."""
    command = [sys.executable, "-m", "benchmarks.job_rate", "--alone", str(rows), str(rows.with_suffix(".out"))]
    return float(subprocess.run(command, check=True, capture_output=True).stdout)  # noqa: S603 - our own command


def measure_job(rows: Path, folder: Path) -> float:
    """Return the seconds of processor time that a job takes of its worker, which has had one before."""
    config = folder / "config.yaml"
    config.write_text(json.dumps({"models": [{"class": "iris_model.IrisModel"}], "jobs": {"folder": f"{folder}/data"}}))
    desk = JobDesk(load_config(config).jobs)
    command = [sys.executable, "-m", "model_service", "--config", str(config), "work"]
    worker = subprocess.Popen(command, stderr=subprocess.DEVNULL)  # noqa: S603 - our own command
    try:
        run_job(desk, write_rows(1))
        began = find_cost(worker.pid)
        run_job(desk, read_parts(rows))
        return find_cost(worker.pid) - began
    finally:
        worker.terminate()
        worker.wait()
        desk.close()


def run_job(desk: JobDesk, parts: Iterable[bytes]) -> None:
    """Make a job of a file, and wait for its end."""
    request = JobRequest(
        qualified_name=IrisModel.qualified_name,
        version=IrisModel.version,
        input_format="csv",
        output_format="csv",
        chunk_rows=JobsConfig().chunk_rows,
    )
    upload = desk.begin_upload()
    for part in parts:
        upload.write(part)
    job = desk.submit(upload, request, wanted_version=None)
    while not (job := desk.get(job.id)).state.is_over:
        time.sleep(0.5)
    if job.state != "succeeded" or job.rows_failed:
        raise SystemExit(f"the job ended as {job.state}: {job.problem or f'{job.rows_failed} rows failed'}")
    desk.end(job.id)


def read_parts(path: Path) -> Iterator[bytes]:
    """Yield the bytes of a file."""
    with path.open("rb") as file:
        yield from iter(lambda: file.read(2**20), b"")


def find_cost(pid: int) -> float:
    """Return the seconds of processor time that a process has taken."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
