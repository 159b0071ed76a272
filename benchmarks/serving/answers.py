"""The checker: every server answers as the model in this process does, or it is not timed."""

import random
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks.serving.doors import Door
from benchmarks.serving.entry import MANY, Peer
from benchmarks.serving.launching import ServerFailed, ask, connect, encode
from benchmarks.serving.workloads import Reference

ROWS_ONE_BY_ONE = 150
ROWS_A_THREAD = 50
THREADS = 16
#: Of a number, and of numbers beyond 1 relative to them: what float32 and another order of adding may change.
TOLERANCE = 1e-5


def find_difference(expected: Any, found: Any, place: str = "") -> str | None:
    """Return where two documents differ, or ``None``; numbers may differ by `TOLERANCE`."""
    if isinstance(expected, dict) and isinstance(found, dict) and expected.keys() == found.keys():
        pairs = [(expected[key], found[key], f"{place}/{key}") for key in expected]
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        pairs = [(one, other, f"{place}/{row}") for row, (one, other) in enumerate(zip(expected, found, strict=True))]
    elif _is_number(expected) and _is_number(found):
        is_near = abs(expected - found) <= TOLERANCE * max(1.0, abs(expected))
        return None if is_near else f"{place or '/'}: {found} for {expected}"
    else:
        # To Python, true is 1.
        is_same = expected == found and isinstance(expected, bool) == isinstance(found, bool)
        return None if is_same else f"{place or '/'}: {str(found)[:80]} for {str(expected)[:80]}"
    return next((fault for pair in pairs if (fault := find_difference(*pair)) is not None), None)


def check_server(port: int, peer: Peer, model: str, reference: Reference, *, is_short: bool) -> None:
    """Compare a server's answers with the reference: rows one by one, rows of many threads at once, one request of all.

    Args:
        is_short: Whether a tenth of the rows one by one will do: the server passed the whole check in an earlier round.

    Raises:
        ServerFailed: Names the first row that differs.
    """
    door = peer.one(model)
    _check_rows(port, door, reference, range(0, ROWS_ONE_BY_ONE, 10 if is_short else 1))
    if is_short:
        return
    orders = [random.Random(thread).sample(range(1000), ROWS_A_THREAD) for thread in range(THREADS)]
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda order: _check_rows(port, door, reference, order), orders))
    if MANY in peer.loads:
        door = peer.many(model)
        with connect(port) as connection:
            outputs = door.read(ask(connection, door.path, encode(door.write(reference.payloads))))
        if fault := find_difference(reference.outputs, outputs):
            raise ServerFailed(f"wrong answer to {len(reference.payloads)} rows in one request: {fault}")


def _check_rows(port: int, door: Door, reference: Reference, order: Iterable[int]) -> None:
    with connect(port) as connection:
        for row in order:
            (output,) = door.read(ask(connection, door.path, encode(door.write([reference.payloads[row]]))))
            if fault := find_difference(reference.outputs[row], output):
                raise ServerFailed(f"wrong answer to row {row}: {fault}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
