"""How many cores there are, and how many threads one call of a model may use.

That is one number, told to every framework by the variable it reads.

Workers already run predictions side by side, one per core. A framework that takes all cores
for each call makes them wait for each other.
"""

import os
from collections.abc import Mapping, MutableMapping
from pathlib import Path

_OPENMP = "OMP_NUM_THREADS"
#: OpenMP (torch, scikit-learn), the BLAS libraries of NumPy and torch, and TensorFlow, all read when they are imported.
VARIABLES = (
    _OPENMP,
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)


def limit_threads(threads: int | None, environment: MutableMapping[str, str]) -> None:
    """Tell the frameworks, before they are imported, how many threads a call may use.

    Args:
        threads: ``None`` leaves what the environment says already, and says 1 where it says nothing.
        environment: Changed in place.
    """
    for variable in VARIABLES:
        if threads is not None:
            environment[variable] = str(threads)
        else:
            environment.setdefault(variable, "1")


def count_threads(environment: Mapping[str, str]) -> int:
    """Return what the environment says; 1 where it says nothing that is a number."""
    text = environment.get(_OPENMP, "").split(",")[0]  # OpenMP takes a list, one per level of nesting
    return max(1, int(text)) if text.isdecimal() else 1


def count_cores(quota: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """Return how many cores this process may use: those it may run on, or fewer where its control group has a quota."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        share, period = quota.read_text().split()
        return max(1, min(cores, -(-int(share) // int(period))))
    except (OSError, ValueError):  # no control group, or "max": no quota
        return cores
