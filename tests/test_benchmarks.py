"""The benchmark's own arithmetic, checker, tables and plots. It times nothing."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parent.parent
if str(ROOT) not in sys.path:
    sys.path.append(str(ROOT))  # the benchmarks are no installed package

from benchmarks.serving import figures, places, plots, processes, report, tables, targets, workloads  # noqa: E402
from benchmarks.serving.answers import find_difference  # noqa: E402
from benchmarks.serving.doors import MEASUREMENTS, read_rows_of  # noqa: E402
from benchmarks.serving.entry import CONNECTIONS, MANY, Kind, Start  # noqa: E402
from benchmarks.serving.growth import Steps  # noqa: E402
from benchmarks.serving.peers import PEERS  # noqa: E402
from benchmarks.serving.recorded import Recorded  # noqa: E402

FLOWER = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}


def make_slice(server="ours", *, load="64", rate=100.0, number=0, model="iris", **others):
    return {
        "server": server,
        "model": model,
        "load": load,
        "round": number,
        "per_cpu_s": rate,
        "p50_ms": 1.0,
        "p99_ms": 2.0,
        "memory_mb": 50.0,
        "errors": 0,
        "core_ms": 3.0,
        "others_share": 0.0,
        **others,
    }


def make_recorded(*slices, growth=None, failures=()):
    floor = {
        "one_p50_ms": 0.01,
        "rows_per_cpu_s_one_by_one": 100_000.0,
        "rows_per_cpu_s_in_batches": 900_000.0,
        "many_per_cpu_s": 40.0,
    }
    return Recorded(
        {
            "date": "2026-01-02T03:04:05+00:00",
            "machine": {"cores": 2, "processor": "A", "memory_gb": 8, "system": "Linux 6", "python": "3.11.7"},
            "versions": {"own": {"numpy": "2.4.6"}},
            "options": {"rounds": 2, "slices": 1, "seconds": 2},
            "took_s": 120,
            "failures": list(failures),
            "slices": list(slices),
            "in_process": dict.fromkeys(dict.fromkeys(slice_["model"] for slice_ in slices), floor),
            "growth": growth or {},
        }
    )


#: Whoever is not timed in a test of few servers; a run that left one out says so.
ABSENT = [
    {"server": peer.name, "model": None, "round": None, "why": "not installed: no space left"}
    for peer in PEERS
    if peer.name not in ("ours", "fastapi")
]


def test_the_best_tenth_is_the_high_end_of_rates_and_the_low_end_of_times():
    values = [float(value) for value in range(11)]
    assert figures.find_best_tenth(values) == 9.0
    assert figures.find_best_tenth(values, is_low_best=True) == 1.0
    assert figures.find_best_tenth([7.0]) == 7.0


def test_a_line_through_points_of_a_line_explains_them_all():
    line = figures.fit_line([(1, 5.0), (10, 23.0), (50, 103.0), (200, 403.0)])
    assert line.slope == pytest.approx(2)
    assert line.intercept == pytest.approx(3)
    assert line.r2 == pytest.approx(1)
    assert figures.fit_line([(0, 0.0), (1, 1.0), (2, 0.0)]).r2 == pytest.approx(0)


def test_a_line_through_equal_values_is_flat_and_explains_them_all():
    assert figures.fit_line([(1, 4.0), (2, 4.0)]) == figures.Line(slope=0, intercept=4, r2=1)


def test_a_ratio_carries_its_lowest_and_highest_round():
    ratio = figures.find_ratio({0: [100.0], 1: [300.0]}, {0: [50.0], 1: [100.0]})
    assert (ratio.lowest, ratio.highest) == (2.0, 3.0)
    assert ratio.value == pytest.approx(280 / 95)


def test_a_round_that_only_one_of_both_had_is_no_round_of_the_spread():
    ratio = figures.find_ratio({0: [100.0], 1: [900.0]}, {0: [100.0]})
    assert (ratio.lowest, ratio.highest) == (1.0, pytest.approx(8.2))


def test_a_slice_is_slowed_by_a_slow_core_and_by_others_on_it():
    assert not figures.is_slowed(make_slice(core_ms=3.3), fastest_core_ms=3.0)
    assert figures.is_slowed(make_slice(core_ms=3.6), fastest_core_ms=3.0)
    assert figures.is_slowed(make_slice(others_share=0.2), fastest_core_ms=3.0)


@pytest.mark.parametrize(
    ("expected", "found", "place"),
    [
        ({"a": 1.0}, {"a": 1.0001}, "/a"),
        ({"a": 1.0}, {"a": 1.0, "b": 2}, "/"),
        ([{"a": "x"}], [{"a": "y"}], "/0/a"),
        ([1, 2], [1], "/"),
        ({"a": None}, {"a": 0}, "/a"),
        ({"a": 1}, {"a": True}, "/a"),
        ({"a": 0.5}, {"a": float("nan")}, "/a"),
    ],
)
def test_the_checker_names_where_a_wrong_answer_differs(expected, found, place):
    assert find_difference(expected, found).startswith(f"{place}: ")


@pytest.mark.parametrize(
    ("expected", "found"),
    [({"a": [0.5, "x", None]}, {"a": [0.500001, "x", None]}), ({"n": 123456.0}, {"n": 123456.5}), ([], [])],
)
def test_the_checker_accepts_what_rounding_may_change(expected, found):
    assert find_difference(expected, found) is None


def test_rows_of_probabilities_are_read_as_outputs():
    (output,) = read_rows_of([[0.1, 0.7, 0.2]])
    assert output == {
        "species": "versicolor",
        "probabilities": {"setosa": 0.1, "versicolor": 0.7, "virginica": 0.2},
    }


def test_an_output_between_two_labels_is_a_close_call():
    assert workloads.is_close_call({"probabilities": {"a": 0.4999, "b": 0.5001, "c": 0.0}})
    assert workloads.is_close_call({"probability": 0.5002})
    assert not workloads.is_close_call({"probability": 0.52})
    assert not workloads.is_close_call({"probabilities": {"a": 0.4, "b": 0.6}})


@pytest.mark.parametrize("name", ["iris", "loan", "dna"])
def test_payloads_are_the_same_each_time_and_valid_and_many(name):
    workload = workloads.WORKLOADS[name]
    short, long = workloads.draw_reference(workload, 5), workloads.draw_reference(workload, 40)
    assert long.payloads[:5] == short.payloads
    assert find_difference(short.outputs, long.outputs[:5]) is None
    assert len({str(payload) for payload in long.payloads}) == 40
    assert all(workload.load().find_violations(payload) == [] for payload in long.payloads)


def test_every_peer_has_its_pinned_list_and_every_list_its_peer():
    lists = {path.stem for path in places.REQUIREMENTS.glob("*.txt")}
    assert lists == {peer.environment for peer in PEERS if peer.environment}
    for name in lists:
        lines = (places.REQUIREMENTS / f"{name}.txt").read_text().split()
        assert [line for line in lines if not re.fullmatch(r"[\w.-]+(\[\w+\])?==[\w.]+", line)] == []


def test_every_peer_has_each_load_in_one_of_its_forms():
    loads: dict[tuple[str, bool], list[str]] = {}
    for peer in PEERS:
        if peer.kind is Kind.PEER:
            loads.setdefault((peer.environment, peer.is_checking), []).extend(peer.loads)
    assert {name: sorted(found) for name, found in loads.items()} == {
        name: sorted([*CONNECTIONS, MANY]) for name in loads
    }


def test_peers_like_for_like_are_sent_named_fields_and_their_answers_are_the_outputs():
    found = {peer.environment for peer in PEERS if peer.kind is Kind.PEER and peer.is_checking}
    assert found >= {"torchserve", "kserve", "mlflow", "rayserve", "fastapi", "flask"}
    for peer in PEERS:
        if peer.kind is Kind.PEER:
            names = [name for name in MEASUREMENTS if name in str(peer.many("iris").write([FLOWER]))]
            assert bool(names) == peer.is_checking


def test_a_server_of_several_addresses_is_given_a_port_for_each_and_writes_no_line_per_request(tmp_path):
    (peer,) = [peer for peer in PEERS if peer.name == "torchserve-batching"]
    (tmp_path / "torchserve_handler.py").write_text("")
    peer.prepare(Start(tmp_path, 1001, (1002, 1003, 1004, 1005), tmp_path, tmp_path, "iris"))
    text = (tmp_path / "config.properties").read_text()
    assert sorted(re.findall(r"\b100\d\b", text)) == ["1001", "1002", "1003", "1004", "1005"]
    assert ElementTree.parse(tmp_path / "log4j2.xml").find(".//Root").get("level") == "error"
    settings = json.loads((tmp_path / "store/classifier/model.yaml").read_text())
    assert (settings["batchSize"], settings["handler"]) == (64, {"is_checking": False})


def test_the_requests_of_a_peer_carry_every_measurement():
    for peer in PEERS:
        if "iris" in peer.models:
            document = str(peer.one("iris").write([FLOWER]))
            assert [value for value in FLOWER.values() if str(value) not in document] == []


def test_cpu_seconds_of_children_are_counted_and_a_number_given_again_counts_anew():
    before = {1: processes.Usage(parent=0, started=5, cpu_s=3.0), 2: processes.Usage(0, 5, 1.0)}
    after = {1: processes.Usage(parent=0, started=9, cpu_s=0.5), 2: processes.Usage(0, 5, 1.25)}
    assert processes.count_cpu_seconds(before, after) == pytest.approx(0.75)


def test_a_child_of_a_child_is_a_descendant_until_it_ends():
    command = f"{sys.executable} -c 'print(1, flush=True); input()' & wait"
    shell = subprocess.Popen(["sh", "-c", f"exec 3<&0; {command.replace('&', '<&3 &')}"], stdin=-1, stdout=-1)
    assert shell.stdout.readline() == b"1\n"
    found = processes.find_descendants(os.getpid())
    (child,) = [pid for pid, usage in found.items() if usage.parent == shell.pid]
    assert processes.read_memory_mb([child]) > 1
    assert child not in processes.find_descendants(os.getpid(), skip=frozenset({shell.pid}))
    shell.communicate(b"\n")
    assert child not in processes.find_descendants(os.getpid())


def test_the_table_says_where_a_peer_wins():
    recorded = make_recorded(make_slice(rate=100.0), make_slice("fastapi", rate=200.0), make_slice("flask", rate=50.0))
    assert recorded.find_best_peer("iris", "64") == "fastapi"
    assert "0.50 (0.50 to 0.50) FastAPI + uvicorn **(it wins)**" in "\n".join(tables.write_ratios(recorded, "iris"))


def test_a_peer_given_our_graph_is_not_the_best_peer():
    recorded = make_recorded(make_slice(), make_slice("fastapi-graph", rate=900.0), make_slice("flask", rate=50.0))
    assert recorded.find_best_peer("iris", "64") == "flask"


def test_the_report_begins_with_the_strongest_peer():
    recorded = make_recorded(
        make_slice(rate=1000.0),
        make_slice("flask", rate=50.0),
        make_slice("torchserve-batching", rate=400.0),
        make_slice("torchserve-batching-checking", rate=100.0),
        make_slice("torchserve", load="1", rate=9000.0),
        make_slice(load="1", rate=900.0),
        make_slice("fastapi-graph", rate=900.0),
    )
    lines = [line for line in tables.write_headline(recorded) if line.startswith("|")][2:]
    assert lines == [
        "| TorchServe | no | 0.1 | - | 2.5 |",
        "| TorchServe, batching | yes | - | - | 10.0 |",
        "| Flask + gunicorn, `jsonschema.validate` | yes | - | - | 20.0 |",
    ]


def test_the_best_peer_like_for_like_is_named_beside_the_best_peer():
    slices = [make_slice(rate=1000.0), make_slice("torchserve-batching", rate=500.0), make_slice("fastapi", rate=100.0)]
    text = "\n".join(tables.write_ratios(make_recorded(*slices), "iris"))
    assert "| 2.00 (2.00 to 2.00) TorchServe, batching | 10.0 (10.0 to 10.0) FastAPI + uvicorn |" in text


def test_targets_are_met_not_met_or_not_measured():
    recorded = make_recorded(make_slice(rate=1000.0), make_slice("fastapi", rate=100.0), failures=ABSENT)
    verdicts = {(verdict.what, verdict.target): verdict for verdict in targets.judge(recorded)}
    assert verdicts["iris, 64 connections", "6 x the best peer (FastAPI + uvicorn)"].is_met is True
    assert verdicts["iris, 1 connection", "5 x FastAPI"].is_met is None
    partial = targets.judge(make_recorded(make_slice(rate=1000.0), make_slice("fastapi", rate=100.0)))
    assert "6 x the best peer (FastAPI + uvicorn; not all were measured)" in {verdict.target for verdict in partial}
    slower = make_recorded(make_slice(rate=400.0), make_slice("fastapi", rate=100.0))
    assert [verdict.is_met for verdict in targets.judge(slower) if "the best peer (" in verdict.target] == [False]


def test_an_error_or_a_wrong_answer_of_ours_misses_the_target():
    failure = {"server": "ours", "model": "iris", "round": 0, "why": "wrong answer to row 3"}
    assert targets.judge(make_recorded(make_slice()))[-1].is_met is True
    assert targets.judge(make_recorded(make_slice(errors=1)))[-1].is_met is False
    assert targets.judge(make_recorded(make_slice(), failures=[failure]))[-1].is_met is False


def test_what_breaks_first_is_the_first_step_with_errors():
    sound = {"rows": 1, "errors": 0, "requests": 9}
    assert tables.find_break({"rows": [sound]}) == "nothing up to 1 rows."
    broken = tables.find_break({"rows": [sound, {"rows": 1000, "errors": 2, "requests": 8}]})
    assert broken == "1,000 rows (2 of 8 requests failed)."
    assert "no answer" in tables.find_break({"models": {"problem": "no answer"}})


def test_a_server_that_failed_is_named_with_its_reason():
    failure = {"server": "bentoml", "model": None, "round": None, "why": "not installed: no space left"}
    assert "- BentoML: not installed: no space left" in tables.write_failures(make_recorded(failures=[failure]))


def test_a_server_that_a_run_left_out_is_named_and_a_full_run_names_none():
    everyone = [make_slice(peer.name) for peer in PEERS]
    assert "Every server installed" in tables.write_failures(make_recorded(*everyone))[0]
    short = make_recorded(*(slice_ for slice_ in everyone if slice_["server"] != "kserve"))
    assert "- not measured in this run: KServe" in tables.write_failures(short)
    assert "**Not yet measured**, and so not among them: KServe." in tables.write_headline(short)


def test_the_report_says_which_slices_ran_on_a_slowed_core():
    recorded = make_recorded(make_slice(), make_slice(core_ms=9.0), make_slice("floor-granian", rate=500.0))
    text = report.write_report(recorded)
    assert re.search(r"\*\*model_service\*\* .* 1 of 2 \|", text)
    assert "0.20 (0.20 to 0.20)" in text


def test_the_growth_states_its_slope():
    points = [
        {"models": n, "start_s": 1 + n / 100, "memory_mb": 60 + n, "p50_ms": 0.3, "per_cpu_s": 3000.0, "errors": 0}
        for n in Steps().models
    ]
    text = "\n".join(tables.write_growth(make_recorded(growth={"models": points})))
    assert "10 ms per model (r2 1.000)" in text
    assert "1,024 kB per model (r2 1.000)" in text
    assert "nothing up to 200 models" in text


def test_the_document_keeps_what_stands_outside_the_marks():
    document = f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n"
    filled = report.fill_in(document, None)
    assert filled.startswith("before\n")
    assert filled.endswith("\nafter\n")
    assert "old" not in filled
    assert report.fill_in(filled, None) == filled
    with pytest.raises(ValueError, match="lacks one of the marks"):
        report.fill_in("no marks", None)


def test_the_generated_part_of_the_document_is_that_of_the_newest_results():
    document = (ROOT / "docs/benchmarks.md").read_text()
    newest = report.find_newest()
    recorded = None if newest is None else Recorded.read(newest)
    assert report.fill_in(document, recorded) == document, "run `python -m benchmarks.serving.report`"
    if recorded is not None:
        for name, text in report.draw_plots(recorded).items():
            assert (ROOT / "docs/images" / name).read_text() == text


def test_plots_are_well_formed_and_their_bars_are_as_long_as_their_values():
    text = plots.draw_bars("a < b", ["one", "two"], [("x & y", [50.0, 100.0]), ("z", [None, 25.0])])
    root = ElementTree.fromstring(text)
    bars = [bar for bar in root.iter("{http://www.w3.org/2000/svg}rect") if float(bar.get("y")) > plots._TOP - 1]
    widths = [float(bar.get("width")) for bar in bars]
    assert widths == [pytest.approx(widths[1] / 2), widths[1], pytest.approx(widths[1] / 4, abs=0.1)]
    assert "a < b" in [element.text for element in root.iter("{http://www.w3.org/2000/svg}title")]


def test_a_line_runs_from_the_first_point_to_the_last():
    panel = plots.Panel("ms", "rows", {"p50": [(1, 1.0), (10, 10.0), (100, 100.0)]}, True, True)
    root = ElementTree.fromstring(plots.draw_panels("rows", [panel]))
    (path,) = root.iter("{http://www.w3.org/2000/svg}path")
    places_ = [tuple(map(float, point.split())) for point in path.get("d").removeprefix("M").split(" L")]
    (left, bottom), middle, (right, top) = places_
    assert middle == (pytest.approx((left + right) / 2, abs=0.1), pytest.approx((bottom + top) / 2, abs=0.1))
    assert left < right
    assert top < bottom


def test_ticks_cover_the_range_with_round_values():
    assert plots.choose_ticks(1, 200, is_log=False) == [0, 50, 100, 150, 200]
    assert plots.choose_ticks(1, 512, is_log=True) == [1, 10, 100, 1000]
    assert plots.choose_ticks(5, 5, is_log=True) == [1, 10]
    assert plots.choose_ticks(0, 0, is_log=False) == [0, 0.25]


def test_a_plot_of_equal_or_no_points_is_still_a_plot():
    flat = plots.draw_panels("flat", [plots.Panel("ms", "models", {"p50": [(1, 0.0), (1, 0.0)]})])
    assert ElementTree.fromstring(flat) is not None
    assert "<path" not in plots.draw_panels("none", [plots.Panel("ms", "models", {"p50": []})])
