"""Where the benchmark reads and writes."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "benchmarks"
REQUIREMENTS = BENCHMARKS / "requirements"
SERVERS = BENCHMARKS / "servers"
PACKAGES = BENCHMARKS / "packages"
RESULTS = BENCHMARKS / "results"
#: Everything that can be made anew; git ignores it.
WORK = BENCHMARKS / ".work"
ENVIRONMENTS = WORK / "environments"
FITTED = WORK / "fitted"
LOGS = WORK / "logs"
