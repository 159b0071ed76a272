"""What a model process costs: start, one row, memory, for every shipped model in this process and in its own.

python benchmarks/backends.py
"""

import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from model_service.config import BackendName, ModelConfig, ServiceConfig
from model_service.config_file import load_config
from model_service.manager import ModelManager
from model_service.prediction import PredictionService

ROWS = 300
ROOT = Path(__file__).parent.parent
LENGTHS = (400, 4_000, 38_000, 100_000)


def main() -> None:
    """Print one row per model and backend, then the circRNA model by length of the sequence."""
    print("| model | backend | start s | one row ms | its process MB |\n|---|---|--:|--:|--:|")
    for entry in load_config(ROOT / "config.yaml").models:
        for backend in (BackendName.LOCAL, BackendName.PROCESS):
            with_backend = ModelConfig(class_path=entry.class_path, backend=backend)
            print_row(with_backend, backend)
    print("\n| nucleotides | one row ms |\n|--:|--:|")
    manager = ModelManager()
    manager.load_models(ServiceConfig(models=(ModelConfig(class_path="circrna_model.CircRnaModel"),)))
    service = PredictionService(manager, max_rows=1)
    target = service.find_target("circrna_model")
    letters = random.Random(0)
    for length in LENGTHS:
        payload = {"rna_sequence": "".join(letters.choice("ACGT") for _ in range(length))}
        print(f"| {length} | {median_ms(lambda p=payload: service.predict(target, p), 5):.1f} |")
    manager.close()


def print_row(config: ModelConfig, backend: BackendName) -> None:
    """Load one model, time it, print it."""
    manager = ModelManager()
    started = time.perf_counter()
    manager.load_models(ServiceConfig(models=(config,)))
    start_s = time.perf_counter() - started
    service = PredictionService(manager, max_rows=1)
    (status,) = manager.get_models()
    assert status.info is not None
    target, payload = service.find_target(status.qualified_name), status.info.examples[0]
    median_ms(lambda: service.predict(target, payload), 20)
    row_ms = median_ms(lambda: service.predict(target, payload), ROWS)
    memory = f"{sum(map(read_pss_mb, find_children()))}" if backend is BackendName.PROCESS else ""
    print(f"| {status.qualified_name} | {backend} | {start_s:.2f} | {row_ms:.2f} | {memory} |", flush=True)
    manager.close()


def median_ms(call: Callable[[], object], count: int) -> float:
    """Return the median of so many calls, in milliseconds."""
    seconds = []
    for _ in range(count):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds) * 1000


def find_children() -> list[int]:
    """Return the processes that this one started."""
    return [int(pid) for path in Path("/proc/self/task").glob("*/children") for pid in path.read_text().split()]


def read_pss_mb(pid: int) -> int:
    """Return the memory of a process in MB, what it shares counted in parts."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) // 1024


if __name__ == "__main__":
    main()
