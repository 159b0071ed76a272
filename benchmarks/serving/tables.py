"""The Markdown of a results file: what was compared, the ratios, the growth. Every figure comes from the file."""

from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks.serving.entry import CONNECTIONS, LIKE_FOR_LIKE_TITLE, MANY, NATIVE, Kind
from benchmarks.serving.figures import fit_line
from benchmarks.serving.plots import show
from benchmarks.serving.recorded import BY_NAME, LIKE_FOR_LIKE, Recorded
from benchmarks.serving.targets import judge, show_ratio
from benchmarks.serving.workloads import WORKLOADS

_LOADS = (*CONNECTIONS, MANY)
_LOAD_TITLES = {"1": "1 connection", "16": "16", "64": "64", MANY: "10,000 rows"}
_RATIO_TITLES = {
    "1": "1 connection",
    "16": "16 connections",
    "64": "64 connections",
    MANY: "10,000 rows in one request",
}


def write_table(head: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> list[str]:
    """Return the lines of a Markdown table; the first columns stand left, the others right."""
    rule = ["---" if place < left else "--:" for place in range(len(head))]
    return [f"| {' | '.join(head)} |", f"|{'|'.join(rule)}|", *(f"| {' | '.join(row)} |" for row in rows), ""]


def write_machine(recorded: Recorded) -> list[str]:
    """Return when, on what and with which versions the run was made."""
    document = recorded.document
    machine, options = document["machine"], document["options"]
    lines = [
        f"Measured on {document['date'][:10]} on {machine['cores']} cores of {machine['processor']}, "
        f"{machine['memory_gb']} GB, {machine['system']}, Python {machine['python']}. Rounds: {options['rounds']}; "
        f"slices of each load in a round: {options['slices']}, of {options['seconds']} s; "
        f"{document['took_s'] // 60} minutes in all.",
        "",
    ]
    for environment, versions in document["versions"].items():
        name = "this project" if environment == "own" else environment
        lines.append(f"- {name}: " + ", ".join(f"{library} {version}" for library, version in versions.items()))
    return [*lines, ""]


def write_headline(recorded: Recorded) -> list[str]:
    """Return how many times each peer's requests per CPU second this project answers, the strongest peer first."""
    models = [model for model in NATIVE if model in recorded.models]
    groups: dict[tuple[str, bool], dict[tuple[str, str], str]] = {}
    for model in models:
        for load in CONNECTIONS:
            for name in recorded.rank_peers(model, load):
                group = groups.setdefault((BY_NAME[name].environment, BY_NAME[name].is_checking), {})
                group[model, load] = name
    head = ("peer", "like for like", *(f"{model}, {load}" for model in models for load in CONNECTIONS))
    rows = []
    for (_, is_checking), names in sorted(groups.items(), key=lambda pair: _rank_group(recorded, pair[1])):
        ratios = [recorded.compare(model, load, names.get((model, load))) for model in models for load in CONNECTIONS]
        cells = [f"{ratio.value:.1f}" if ratio else "-" for ratio in ratios]
        title = min((BY_NAME[name].title for name in names.values()), key=len)
        rows.append((title.removesuffix(LIKE_FOR_LIKE_TITLE), "yes" if is_checking else "no", *cells))
    lines = [
        "Requests per CPU second of this project over those of each peer, by model and connections; the strongest peer "
        "under 64 connections first. Like for like: it checks each field and answers in full.",
        "",
        *write_table(head, rows, left=2),
    ]
    missing = [BY_NAME[name].title for name in recorded.list_unmeasured() if BY_NAME[name].kind is Kind.PEER]
    return [*lines, f"**Not yet measured**, and so not among them: {'; '.join(missing)}.", ""] if missing else lines


def write_targets(recorded: Recorded) -> list[str]:
    """Return the table of targets, met or not."""
    words = {True: "met", False: "**not met**", None: "-"}
    rows = [(verdict.what, verdict.target, verdict.measured, words[verdict.is_met]) for verdict in judge(recorded)]
    return write_table(("what", "target", "measured (spread over the rounds)", ""), rows, left=4)


def write_model(recorded: Recorded, model: str) -> list[str]:
    """Return the tables of one model: throughput, latency and memory, ratios."""
    servers = sorted(recorded.list_servers(model), key=lambda name: _sort_key(recorded, name, model))
    lines = [f"### {WORKLOADS[model].title}", "", f"![Requests per CPU second, {model}](images/bench-{model}.svg)", ""]
    lines += ["Requests per CPU second, the best tenth of the slices (their median):", ""]
    rates = [[BY_NAME[name].title, *(_show_rate(recorded, name, model, load) for load in _LOADS)] for name in servers]
    lines += write_table(("server", *(_LOAD_TITLES[load] for load in _LOADS)), rates)
    lines += ["Latency in ms, memory of all processes in MB, and what went wrong:", ""]
    head = ("server", "p50, 1", "p99, 1", "p50, 64", "p99, 64", "p50, 10,000 rows", "MB", "errors", "slowed slices")
    lines += write_table(head, [_describe(recorded, name, model) for name in servers])
    floor = recorded.document["in_process"][model]
    lines += [
        f"In one process without a server: {show(floor['rows_per_cpu_s_one_by_one'])} rows per CPU second one by one "
        f"(p50 {show(floor['one_p50_ms'])} ms), {show(floor['rows_per_cpu_s_in_batches'])} in batches of 64; "
        f"10,000 rows parsed and predicted {show(floor['many_per_cpu_s'])} times per CPU second.",
        "",
    ]
    return lines + write_ratios(recorded, model)


def write_ratios(recorded: Recorded, model: str) -> list[str]:
    """Return this project's requests per CPU second over others'; where the other wins, the cell says so."""
    rows = []
    for load in _LOADS:
        others = {
            "peer": recorded.find_best_peer(model, load),
            "peer like for like": recorded.find_best_peer(model, load, LIKE_FOR_LIKE),
            "graph": "fastapi-graph",
            "floor": "floor-granian",
        }
        cells = [_RATIO_TITLES[load]]
        for role, other in others.items():
            ratio = recorded.compare(model, load, other)
            name = f" {BY_NAME[other].title}" if role.startswith("peer") and other else ""
            wins = " **(it wins)**" if ratio and ratio.value < 1 and role != "floor" else ""
            cells.append(f"{show_ratio(ratio)}{name}{wins}" if ratio else "-")
        if set(cells[1:]) != {"-"}:
            rows.append(cells)
    if not rows:
        return []
    head = ("this project over", "the best peer", "the best peer like for like", "FastAPI given our graph")
    head += ("constant answer on Granian",)
    return ["Ratios (lowest to highest round):", "", *write_table(head, rows)]


def write_growth(recorded: Recorded) -> list[str]:
    """Return how this project's server grows."""
    growth = recorded.document["growth"]
    writers = {"models": _write_models, "rows": _write_rows, "connections": _write_connections}
    lines: list[str] = []
    for name, write in writers.items():
        found = growth.get(name)
        if isinstance(found, dict):
            lines += [f"{name.capitalize()}: not measured: {found['problem']}", ""]
        elif found:
            lines += write(found)
    if not lines:
        return ["No growth was measured.", ""]
    if date := recorded.document.get("growth_date"):
        lines = [f"Measured on {date}, with {recorded.document['growth_of']}.", "", *lines]
    slices = recorded.find_growth_slices()
    slowed = f"Slowed slices of the growth: {recorded.count_slowed(slices)} of {len(slices)}."
    return [*lines, f"What broke first: {find_break(growth)}", "", slowed, ""]


def find_break(growth: dict[str, Any]) -> str:
    """Return the first load of each kind that had errors, as a sentence."""
    broken, highest = [], []
    for name in ("models", "rows", "connections"):
        points = growth.get(name)
        if isinstance(points, dict):
            broken.append(f"the measurement of {name} ({points['problem']})")
        elif points:
            highest.append(f"{points[-1][name]:,} {name}")
            first = next((point for point in points if point["errors"]), None)
            if first:
                problem = first.get("problem") or f"{first['errors']} of {first['requests']} requests failed"
                broken.append(f"{first[name]:,} {name} ({problem})")
    return f"{'; '.join(broken)}." if broken else f"nothing up to {', '.join(highest)}."


def write_failures(recorded: Recorded) -> list[str]:
    """Return the servers whose rows are missing, and why."""
    failures, unmeasured = recorded.document["failures"], recorded.list_unmeasured()
    lines = []
    for failure in failures:
        model = f", {failure['model']}" if failure["model"] else ""
        lines.append(f"- {BY_NAME[failure['server']].title}{model}: {failure['why']}")
    if unmeasured:
        lines.append(f"- not measured in this run: {'; '.join(BY_NAME[name].title for name in unmeasured)}")
    if not lines:
        return ["Every server installed, started and gave the right answers.", ""]
    return ["Missing from the tables, whole or in part:", "", *lines, ""]


def _write_models(points: list[dict[str, Any]]) -> Iterator[str]:
    yield from ("### Models", "", "![Start and memory by models](images/bench-growth-models.svg)", "")
    head = ("models", "start to first prediction s", "memory MB", "p50 of one ms", "requests per CPU second", "errors")
    keys = ("models", "start_s", "memory_mb", "p50_ms", "per_cpu_s", "errors")
    yield from write_table(head, [[show(point[key]) for key in keys] for point in points], left=0)
    if len(points) > 1:
        start = fit_line([(point["models"], point["start_s"]) for point in points])
        memory = fit_line([(point["models"], point["memory_mb"]) for point in points])
        yield (
            f"Start: {show(start.intercept)} s and {show(start.slope * 1000)} ms per model (r2 {start.r2:.3f}). "
            f"Memory: {show(memory.intercept)} MB and {show(memory.slope * 1024)} kB per model (r2 {memory.r2:.3f})."
        )
        yield ""


def _write_rows(points: list[dict[str, Any]]) -> Iterator[str]:
    yield from ("### Rows in one request", "", "![Time and rate by rows](images/bench-growth-rows.svg)", "")
    sound = [point for point in points if not point["errors"]]
    head = ("rows", "body kB", "p50 ms", "rows per CPU second", "memory MB", "errors")
    cells = [
        [f"{point['rows']:,}", show(point["body_bytes"] / 1000), *(show(point[key]) for key in _ROW_KEYS)]
        for point in sound
    ]
    yield from write_table(head, cells, left=0)
    if len(sound) > 1:
        line = fit_line([(point["rows"], point["p50_ms"]) for point in sound])
        yield f"One request: {show(line.intercept)} ms and {show(line.slope * 1000)} us a row (r2 {line.r2:.3f})."
        yield ""


_ROW_KEYS = ("p50_ms", "rows_per_cpu_s", "memory_mb", "errors")


def _write_connections(points: list[dict[str, Any]]) -> Iterator[str]:
    yield from ("### Connections", "", "![Rate and latency by connections](images/bench-growth-connections.svg)", "")
    head = ("connections", "requests per CPU second", "p50 ms", "p99 ms", "memory MB", "errors")
    keys = ("connections", "per_cpu_s", "p50_ms", "p99_ms", "load_memory_mb", "errors")
    yield from write_table(head, [[show(point[key]) for key in keys] for point in points], left=0)
    if len(points) > 1:
        line = fit_line([(point["connections"], point["p50_ms"]) for point in points])
        memory = fit_line([(point["connections"], point["load_memory_mb"]) for point in points])
        yield (
            f"p50: {show(line.intercept)} ms and {show(line.slope * 1000)} us per connection (r2 {line.r2:.3f}). "
            f"Memory: {show(memory.intercept)} MB and {show(memory.slope * 1024)} kB per connection "
            f"(r2 {memory.r2:.3f})."
        )
        yield ""


def _sort_key(recorded: Recorded, name: str, model: str) -> tuple[bool, float]:
    best = max(recorded.find_best(name, model, load) or 0.0 for load in CONNECTIONS)
    return BY_NAME[name].kind is Kind.FLOOR, -best


def _show_rate(recorded: Recorded, name: str, model: str, load: str) -> str:
    best, median = recorded.find_best(name, model, load), recorded.find_median(name, model, load)
    return "-" if best is None or median is None else f"{show(best)} ({show(median)})"


def _describe(recorded: Recorded, name: str, model: str) -> list[str]:
    slices = recorded.find_slices(name, model)
    p50 = {load: recorded.find_best(name, model, load, "p50_ms") for load in ("1", "64", MANY)}
    p99 = {load: recorded.find_median(name, model, load, "p99_ms") for load in ("1", "64")}
    latencies = (p50["1"], p99["1"], p50["64"], p99["64"], p50[MANY])
    cells = ["-" if value is None else show(value) for value in latencies]
    memory, errors = max(slice_["memory_mb"] for slice_ in slices), recorded.count_errors(name, model)
    return [
        BY_NAME[name].title,
        *cells,
        show(round(memory)),
        show(errors),
        f"{recorded.count_slowed(slices)} of {len(slices)}",
    ]


def _rank_group(recorded: Recorded, names: dict[tuple[str, str], str]) -> float:
    """Return what sorts a peer: the lower, the stronger it is under most connections, as far as it was measured."""
    places = sorted(names, key=lambda place: (place[0] != "iris", -int(place[1])))
    return -(recorded.find_best(names[places[0]], *places[0]) or 0.0)
