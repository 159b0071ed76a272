"""What this project wants of its own speed, and whether a run shows it."""

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.serving.entry import MANY, Kind
from benchmarks.serving.figures import Ratio, find_ratio
from benchmarks.serving.recorded import BY_NAME, LIKE_FOR_LIKE, Recorded

#: What "does not move" allows the latency of one model beside many.
STILL = 1.1


@dataclass(frozen=True, slots=True)
class Verdict:
    """One target; `is_met` is ``None`` when the run did not measure it."""

    what: str
    target: str
    measured: str
    is_met: bool | None


def judge(recorded: Recorded) -> list[Verdict]:
    """Return every target with what was measured."""
    return [
        *_judge_peers(recorded),
        *_judge_floors(recorded),
        *_judge_shipped(recorded),
        _judge_models(recorded),
        _judge_errors(recorded),
    ]


def show_ratio(ratio: Ratio) -> str:
    """Return a ratio with its spread over the rounds."""
    return f"{_show(ratio.value)} ({_show(ratio.lowest)} to {_show(ratio.highest)})"


def _judge_peers(recorded: Recorded) -> Iterator[Verdict]:
    best = recorded.find_best_peer
    rows: list[tuple[str, str, str, str | None, float, str]] = [
        ("iris, 1 connection", "iris", "1", "fastapi", 5, "FastAPI"),
        ("iris, 64 connections", "iris", "64", best("iris", "64"), 6, "the best peer"),
        ("iris, 64 connections", "iris", "64", "floor-granian", 0.8, "the constant answer on Granian"),
        ("forest, 64 connections", "forest", "64", best("forest", "64"), 8, "the best peer"),
        ("forest, 64 connections", "forest", "64", "fastapi-graph", 5, "FastAPI given our graph"),
        ("10,000 rows of iris", "iris", MANY, best("iris", MANY, LIKE_FOR_LIKE), 10, "the best peer like for like"),
    ]
    is_partial = any(BY_NAME[name].kind is Kind.PEER for name in recorded.list_unmeasured())
    note = "; not all were measured" if is_partial else ""
    for what, model, load, other, least, text in rows:
        ratio = recorded.compare(model, load, other)
        whom = f" ({BY_NAME[other].title}{note})" if other and text.startswith("the best") else ""
        yield _at_least(what, f"{least} x {text}{whom}", ratio, least)


def _judge_floors(recorded: Recorded) -> Iterator[Verdict]:
    in_process = recorded.document["in_process"]
    many = _over(recorded, "iris", MANY, in_process.get("iris", {}).get("many_per_cpu_s"))
    yield _at_least("10,000 rows of iris", "0.7 x parse and predict in one process", many, 0.7)
    batched = _over(recorded, "dna", "64", in_process.get("dna", {}).get("rows_per_cpu_s_in_batches"))
    yield _at_least("DNA, 64 connections", "0.8 x batches of 64 in one process", batched, 0.8)
    p99, call = recorded.find_median("ours", "dna", "1", "p99_ms"), in_process.get("dna", {}).get("one_p50_ms")
    factor = p99 / call if p99 and call else None
    yield _at_most("DNA, 1 connection", "p99 below 2 x the call in one process", factor, 2, " x")


def _judge_shipped(recorded: Recorded) -> Iterator[Verdict]:
    shipped = recorded.document["growth"].get("shipped", {})
    start = shipped["start_s"] / shipped["import_s"] if "start_s" in shipped else None
    what = "start to first prediction, as shipped"
    yield _at_most(what, "1.5 x importing the same libraries", start, 1.5, " x")
    yield _at_most("memory of the five models, as shipped", "250 MB", shipped.get("memory_mb"), 250, " MB")


def _judge_models(recorded: Recorded) -> Verdict:
    points = recorded.document["growth"].get("models", [])
    has_points = isinstance(points, list) and len(points) > 1
    factor = points[-1]["p50_ms"] / points[0]["p50_ms"] if has_points else None
    what = (
        f"p50 of one model beside {points[-1]['models'] - 1} others" if has_points else "p50 of one model beside many"
    )
    return _at_most(what, f"at most {STILL} x alone", factor, STILL, " x")


def _judge_errors(recorded: Recorded) -> Verdict:
    errors = sum(recorded.count_errors("ours", model) for model in recorded.models)
    wrong = [failure for failure in recorded.document["failures"] if failure["server"] == "ours"]
    measured = f"{errors} errors, {len(wrong)} failed checks or starts"
    is_met = not errors and not wrong if recorded.models else None
    return Verdict("answers of this project in every run", "no error, none wrong", measured, is_met)


def _over(recorded: Recorded, model: str, load: str, floor: float | None) -> Ratio | None:
    ours = recorded.collect("ours", model, load)
    return find_ratio(ours, {number: [floor] for number in ours}) if ours and floor else None


def _at_least(what: str, target: str, ratio: Ratio | None, least: float) -> Verdict:
    if ratio is None:
        return Verdict(what, target, "not measured", None)
    return Verdict(what, target, show_ratio(ratio), ratio.value >= least)


def _at_most(what: str, target: str, value: float | None, most: float, unit: str) -> Verdict:
    if value is None:
        return Verdict(what, target, "not measured", None)
    return Verdict(what, target, f"{_show(value)}{unit}", value <= most)


def _show(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
