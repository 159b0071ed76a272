"""What ``/proc`` tells: the processes of a server, their CPU seconds and memory, and how fast the core is. Linux only.

Servers fork, and some leave orphans behind. This process adopts those (`adopt_orphans`), so that every
process of a server is a descendant of this one, and its CPU time is counted whoever started it.
"""

import ctypes
import os
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

SERVER_CORE = 0
LOAD_CORE = 1
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
_SET_CHILD_SUBREAPER = 36
_MIB = 2**20
#: Additions of the fixed work; some 3 ms.
_LOOP_ROUNDS = 60_000
_LOOP_REPEATS = 5


@dataclass(frozen=True, slots=True)
class Usage:
    """One process at one moment; `started` tells a number that was given again."""

    parent: int
    started: int
    cpu_s: float


def adopt_orphans() -> None:
    """Make this process the parent of every orphan among its descendants (``prctl(2)``)."""
    ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def read_usage(pid: int) -> Usage | None:
    """Return what a process used, its finished children included; ``None`` when it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The name of the program may hold spaces and parentheses; after the last one come the numbers (proc(5)).
    fields = text[text.rindex(")") + 2 :].split()
    if fields[0] in "ZX":
        return None
    return Usage(int(fields[1]), int(fields[19]), sum(map(int, fields[11:15])) / _TICKS_A_SECOND)


def find_descendants(root: int, *, skip: frozenset[int] = frozenset()) -> dict[int, Usage]:
    """Return every living process below one, but for some and what they started."""
    everyone = {int(path.name): read_usage(int(path.name)) for path in Path("/proc").iterdir() if path.name.isdecimal()}
    children: dict[int, list[int]] = {}
    for pid, usage in everyone.items():
        if usage is not None and pid not in skip:
            children.setdefault(usage.parent, []).append(pid)
    found: dict[int, Usage] = {}
    waiting = [root]
    while waiting:
        for pid in children.get(waiting.pop(), ()):
            usage = everyone[pid]
            if usage is not None:
                found[pid] = usage
                waiting.append(pid)
    return found


def count_cpu_seconds(before: dict[int, Usage], after: dict[int, Usage]) -> float:
    """Return the CPU seconds between two looks at the same processes; one that is new counts whole."""
    spent = 0.0
    for pid, usage in after.items():
        earlier = before.get(pid)
        is_same = earlier is not None and earlier.started == usage.started
        spent += usage.cpu_s - (earlier.cpu_s if is_same and earlier is not None else 0.0)
    return spent


def read_memory_mb(pids: list[int]) -> float:
    """Return the resident memory in MiB, of what is shared each process's part (PSS)."""
    total = 0
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return total / _MIB


def read_busy_seconds(core: int) -> float:
    """Return how long a core has worked since the machine started, for whomever."""
    for line in Path("/proc/stat").read_text().splitlines():
        name, *numbers = line.split()
        if name == f"cpu{core}":
            user, nice, system, _, _, interrupts, soft_interrupts, stolen, *_ = map(int, numbers)
            return (user + nice + system + interrupts + soft_interrupts + stolen) / _TICKS_A_SECOND
    raise LookupError(f"this machine has no core {core}; the benchmark needs two")


def measure_core_ms() -> float:
    """Return the CPU time of a fixed piece of Python on the servers' core, in ms: the median of a few.

    Neighbours of a virtual machine can halve the speed of a core without a trace in its own figures; this shows it.
    """
    own = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {SERVER_CORE})
    try:
        return statistics.median(_time_loop() for _ in range(_LOOP_REPEATS))
    finally:
        os.sched_setaffinity(0, own)


def _time_loop() -> float:
    started = time.process_time()
    total = 0
    for number in range(_LOOP_ROUNDS):
        total += number * 3 % 7
    return (time.process_time() - started) * 1000
