"""Measure: ``python -m benchmarks.serving [--quick]``. Writes JSON; `benchmarks.serving.report` makes the document.

Servers take turns: each round starts every one of them anew, checks its answers and times it, and the next
round goes the other way round, so that a machine that grows slower is slower for all of them.
"""

import argparse
import datetime
import json
import os
import random
import shutil
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.serving import environments, growth, places
from benchmarks.serving.answers import check_server
from benchmarks.serving.doors import Door
from benchmarks.serving.entry import CONNECTIONS, MANY, MANY_ROWS, Kind, Peer
from benchmarks.serving.launching import Running, ServerFailed, encode, launch_peer
from benchmarks.serving.load import send_in_turn, send_with_wrk, time_slice
from benchmarks.serving.peers import PEERS
from benchmarks.serving.processes import LOAD_CORE, SERVER_CORE, adopt_orphans
from benchmarks.serving.workloads import WORKLOADS, Reference, draw_reference

BODIES = 256
#: Large requests in rotation: the same rows, each beginning elsewhere.
LARGE_BODIES = 4
QUICK_PEERS = ("ours", "fastapi", "fastapi-graph", "mlserver-batching", "torchserve-batching", "floor-granian")
QUICK_MODELS = ("iris", "forest")

Results = dict[str, Any]


def main() -> None:
    """Read the options, set up, measure, save after every server."""
    options = read_options(sys.argv[1:])
    for program in ("wrk", "taskset"):
        if shutil.which(program) is None:
            sys.exit(f"'{program}' is missing; install the Debian packages wrk and util-linux")
    if len(os.sched_getaffinity(0) & {SERVER_CORE, LOAD_CORE}) < 2:
        sys.exit(f"the benchmark needs the cores {SERVER_CORE} and {LOAD_CORE}: one for the server, one for the load")
    places.LOGS.mkdir(parents=True, exist_ok=True)
    adopt_orphans()
    environments.prepare_own()
    peers, failures = prepare_peers([peer for peer in PEERS if peer.name in options.servers])
    # This process sends the large requests; servers are put on their own core as they start.
    os.sched_setaffinity(0, {LOAD_CORE})
    names = sorted({peer.environment for peer in peers if peer.environment})
    results: Results = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": environments.describe_machine(),
        "versions": environments.describe_versions(names),
        "options": {"rounds": options.rounds, "slices": options.slices, "seconds": options.seconds},
        "failures": failures,
        "starts": [],
        "slices": [],
        "in_process": {},
        "growth": {},
    }
    started = time.monotonic()

    def save() -> None:
        results["took_s"] = round(time.monotonic() - started)
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(results, indent=1) + "\n")

    def save_growth(name: str, found: Any) -> None:
        results["growth"][name] = found
        save()

    if not options.only_growth:
        compare(peers, options, results, save)
    if not options.no_growth:
        steps = growth.QUICK if options.quick else growth.Steps()
        growth.measure_growth(steps, save_growth)
    save()
    print(f"results: {options.out}")


def read_options(arguments: list[str]) -> argparse.Namespace:
    """Return the options, complete with what --quick means."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__)
    names = [peer.name for peer in PEERS]
    parser.add_argument("--quick", action="store_true", help="one round, few servers, two models: some five minutes")
    parser.add_argument("--servers", type=_names(names), help=f"comma-separated; of {', '.join(names)}")
    parser.add_argument("--models", type=_names(list(WORKLOADS)), help=f"comma-separated; of {', '.join(WORKLOADS)}")
    loads = [*CONNECTIONS, MANY]
    parser.add_argument("--loads", type=_names(loads), default=loads, help=f"comma-separated; of {', '.join(loads)}")
    parser.add_argument("--rounds", type=int, help="starts of every server")
    parser.add_argument("--slices", type=int, default=1, help="slices of each load a round")
    parser.add_argument("--seconds", type=int, default=2, help="length of a slice")
    parser.add_argument("--no-growth", action="store_true", help="only compare servers")
    parser.add_argument("--only-growth", action="store_true", help="only measure how this project's server grows")
    parser.add_argument("--out", type=Path, help="results file; default: results/DATE.json, quick: .work/quick.json")
    options = parser.parse_args(arguments)
    today = datetime.datetime.now(datetime.UTC).date()
    options.servers = options.servers or (QUICK_PEERS if options.quick else names)
    options.models = options.models or (QUICK_MODELS if options.quick else list(WORKLOADS))
    options.rounds = options.rounds or (1 if options.quick else 3)
    options.out = options.out or (
        places.WORK / "quick.json" if options.quick else places.RESULTS / f"{today.isoformat()}.json"
    )
    return options


def prepare_peers(peers: list[Peer]) -> tuple[list[Peer], list[dict[str, Any]]]:
    """Make every environment; return the peers that have theirs, and a failure for each that has not."""
    problems: dict[str, str] = {}
    for name in dict.fromkeys(peer.environment for peer in peers if peer.environment):
        try:
            environments.prepare_peer(name)
        except environments.SetUpFailed as error:
            problems[name] = str(error)
    failures = [
        {"server": peer.name, "model": None, "round": None, "why": f"not installed: {problems[peer.environment]}"}
        for peer in peers
        if peer.environment in problems
    ]
    return [peer for peer in peers if peer.environment not in problems], failures


def compare(peers: list[Peer], options: argparse.Namespace, results: Results, save: Any) -> None:
    """Run every round of every server; one that fails once is left out of the later rounds."""
    references = {name: draw_reference(WORKLOADS[name], MANY_ROWS) for name in options.models}
    for name in options.models:
        results["in_process"][name] = measure_in_process(name)
        save()
    pairs = [(peer, model) for model in options.models for peer in peers if model in peer.models]
    dead: set[tuple[str, str]] = set()
    for number in range(options.rounds):
        for peer, model in pairs if number % 2 == 0 else reversed(pairs):
            if (peer.name, model) in dead or not set(peer.loads) & set(options.loads):
                continue
            where = {"server": peer.name, "model": model, "round": number}
            try:
                with launch_peer(peer, model, references[model].payloads[0]) as running:
                    results["starts"].append(
                        where | {"start_s": running.start_s, "memory_mb": running.read_memory_mb()}
                    )
                    if peer.kind is not Kind.FLOOR:
                        check_server(running.port, peer, model, references[model], is_short=number > 0)
                    found = time_loads(running, peer, model, references[model], options)
            except ServerFailed as error:
                dead.add((peer.name, model))
                results["failures"].append(where | {"why": str(error)})
                print(f"round {number + 1}: {peer.name}, {model}: FAILED: {error}", flush=True)
            else:
                results["slices"] += [where | slice_ for slice_ in found]
                rates = ", ".join(f"{slice_['load']}: {slice_['per_cpu_s']:,.0f}" for slice_ in found)
                print(f"round {number + 1}: {peer.name}, {model}: per CPU second {rates}", flush=True)
            save()


def time_loads(
    running: Running, peer: Peer, model: str, reference: Reference, options: argparse.Namespace
) -> list[dict[str, Any]]:
    """Return the slices of every load that both the peer and the options name."""
    found = []
    with TemporaryDirectory(prefix="bench-") as folder:
        for load in (load for load in peer.loads if load in options.loads):
            send = prepare_load(running, peer.many(model) if load == MANY else peer.one(model), reference, load, folder)
            if load != MANY:
                send(seconds=peer.warm_up_s)
            timed = partial(send, seconds=options.seconds)
            found += [{"load": load, **time_slice(running, timed)} for _ in range(options.slices)]
    return found


def prepare_load(running: Running, door: Door, reference: Reference, load: str, folder: str) -> partial[dict[str, Any]]:
    """Return what sends a load, once it is told the seconds."""
    rows = reference.payloads
    if load == MANY:
        starts = range(0, MANY_ROWS, MANY_ROWS // LARGE_BODIES)
        large = [encode(door.write(rows[start:] + rows[:start])) for start in starts]
        return partial(send_in_turn, running.port, door.path, large)
    bodies = Path(folder, "bodies.txt")
    chosen = random.Random(0).sample(rows, BODIES)
    bodies.write_bytes(b"\n".join(encode(door.write([payload])) for payload in chosen) + b"\n")
    return partial(send_with_wrk, running.port, door.path, bodies, connections=int(load))


def measure_in_process(model: str) -> dict[str, float]:
    """Return the figures of `benchmarks.serving.in_process`, from a process on the servers' core."""
    command = ["taskset", "-c", str(SERVER_CORE), sys.executable, "-m", "benchmarks.serving.in_process", model]
    done = subprocess.run(command, cwd=places.ROOT, capture_output=True, text=True, check=True)  # noqa: S603 - our own words
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def _names(known: list[str]) -> Any:
    def read(text: str) -> list[str]:
        chosen = text.split(",")
        if unknown := sorted(set(chosen) - set(known)):
            raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}; known: {', '.join(known)}")
        return chosen

    return read


if __name__ == "__main__":
    main()
