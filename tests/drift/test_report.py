"""Reports: what is judged, what is not, and why."""

import json
from dataclasses import replace

import pytest
from prediction_logs import INFO

from model_service.drift.document import list_figures, make_document, write_lines
from model_service.drift.report import Thresholds, judge_rows
from model_service.prediction_log.reading import LoggedRow
from model_service.training.reference import describe_rows

TRAINED = [
    {"size": float(number), "kind": "ab"[number % 2], "text": "ACGT"[number % 4] * (1 + number), "rare": None}
    for number in range(200)
]
REFERENCE = describe_rows(TRAINED) | {"outputs": describe_rows([{"y": number % 7} for number in range(200)])["fields"]}
MODEL = replace(INFO, reference=REFERENCE)


def make_rows(payloads, outputs=None, feedback=None, redacted=()):
    outputs = outputs or [{"y": number % 7} for number in range(len(payloads))]
    feedback = feedback or [None] * len(payloads)
    return [
        LoggedRow(f"2026-11-{1 + number % 28:02d}", "1.0.0", payload, output, outcome, redacted)
        for number, (payload, output, outcome) in enumerate(zip(payloads, outputs, feedback, strict=True))
    ]


def find(report, name):
    (found,) = [each for each in report.fields if each.name == name]
    return found


def test_rows_like_those_of_training_have_not_drifted():
    report = judge_rows(MODEL, make_rows(TRAINED[::3]))
    assert not report.is_drifted
    assert (report.rows, report.reference_rows, report.since, report.until) == (
        67,
        200,
        "2026-11-01",
        "2026-11-28",
    )
    assert [each.name for each in report.fields] == ["size", "kind", "text", "rare", "y"]


@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        ("size", lambda row: row["size"] + 100, "psi"),
        ("size", lambda row: None, "100% missing, 0% in training"),
        ("kind", lambda row: "a", "psi"),
        ("kind", lambda row: "new", "not seen"),
        ("text", lambda row: "A" * 500, "ks"),
        ("text", lambda row: "C" * len(row["text"]), "letters_psi"),
        ("text", lambda row: "N" * len(row["text"]), "letters that training has not seen"),
    ],
)
def test_the_field_that_was_changed_is_named_with_the_reason_and_no_other(name, change, reason):
    report = judge_rows(MODEL, make_rows([{**row, name: change(row)} for row in TRAINED]))
    assert [each.name for each in report.fields if each.is_drifted] == [name]
    assert reason in "; ".join(find(report, name).reasons)


def test_a_shift_of_the_output_is_found():
    report = judge_rows(MODEL, make_rows(TRAINED, [{"y": 6}] * 200))
    assert [(each.place, each.name) for each in report.fields if each.is_drifted] == [("output", "y")]


def test_fields_that_are_left_out_of_the_log_and_those_training_never_had_are_not_judged():
    rows = make_rows([{key: row[key] for key in ("size", "kind", "text")} for row in TRAINED], redacted=("size",))
    report = judge_rows(MODEL, rows)
    assert (find(report, "size").note, find(report, "rare").note) == (
        "left out of the log",
        "training had no value of it",
    )
    assert not report.is_drifted


def test_too_few_rows_none_and_no_reference_are_said_and_judged_by_nobody():
    for info, payloads, said in (
        (MODEL, TRAINED[:49], "49 rows are too few to judge by; at least 50 are needed"),
        (MODEL, [], "there are no rows"),
        (INFO, TRAINED, "the package has no artifacts/reference.json"),
    ):
        report = judge_rows(info, make_rows(payloads))
        assert said in report.problem
        assert not report.is_drifted
        assert list(list_figures(report)) == []
        assert said in "\n".join(write_lines(report))


def test_feedback_tells_how_many_were_right_and_how_far_numbers_were_off():
    outputs = [{"y": number % 7, "name": "a"} for number in range(200)]
    feedback = [{"y": number % 7 + 0.5, "name": "ab"[number % 4 == 0]} for number in range(100)] + [None] * 100
    rows = make_rows(TRAINED, outputs, feedback)
    report = judge_rows(MODEL, rows)
    assert [(each.name, each.rows, each.share_right, each.mean_error) for each in report.accuracy] == [
        ("y", 100, None, 0.5),
        ("name", 100, 0.75, None),
    ]
    assert not report.is_drifted
    assert judge_rows(MODEL, rows, Thresholds(accuracy=0.8)).is_drifted


def test_thresholds_can_be_moved():
    rows = make_rows([{**row, "size": row["size"] + 100} for row in TRAINED])
    assert not judge_rows(MODEL, rows, Thresholds(psi=50, ks=1)).is_drifted


def test_a_report_is_json_and_lists_its_figures():
    report = judge_rows(MODEL, make_rows(TRAINED))
    document = json.loads(json.dumps(make_document(report)))
    assert (document["model"], document["drifted"], document["problem"]) == ("double_model", False, None)
    assert {each["field"] for each in document["fields"]} == {"size", "kind", "text", "rare", "y"}
    figures = {(figure.place, figure.field, figure.name): figure.value for figure in list_figures(report)}
    assert figures["input", "size", "psi"] < 0.01
    assert figures["output", "y", "missing"] == 0
