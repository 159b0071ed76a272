"""That training exports what it trained, explains it exactly, and measures honestly. Uses a generated table."""

import csv
import json
from copy import copy
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from loan_model import evaluation, train
from loan_model.candidates import RULE, SHIPPED, Candidate, CreditRule, build_forest, list_candidates
from loan_model.features import CATEGORIES, COLUMNS, FILLED, NUMBERS, UNUSED
from loan_model.reasons import Reasons
from model_service.onnx import open_session

ROWS = 300
QUICK = ["--folds", "2", "--repeats", "1", "--seed", "7"]


def generate_rows(count: int, *, seed: int) -> list[dict[str, Any]]:
    """Return rows shaped like the real ones: the credit history decides most, the loan against the income some."""
    chance = np.random.default_rng(seed)
    rows = []
    for _ in range(count):
        row: dict[str, Any] = {name: str(chance.choice(values)) for name, values in (CATEGORIES | UNUSED).items()}
        income, second = int(chance.lognormal(8.4, 0.5)), int(chance.choice([0, 0, 1500, 2250]))
        loan = max(1, int((income + second) * chance.lognormal(3.2, 0.4) / 1000))
        credit = int(chance.random() < 0.85)
        chances = 0.1 if credit == 0 else 0.4 if loan * 1000 > 34 * (income + second) else 0.85
        row |= {"Credit_History": credit, "ApplicantIncome": income, "CoapplicantIncome": second, "LoanAmount": loan}
        row |= {"Loan_Amount_Term": int(chance.choice([360, 360, 360, 180]))}
        row["Loan_Status"] = "Y" if chance.random() < chances else "N"
        row |= {name: None for name in (*FILLED, *UNUSED) if chance.random() < 0.05}
        rows.append(row)
    return rows


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("table") / "table.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=[*UNUSED, *CATEGORIES, *NUMBERS, "Loan_Status"])
        writer.writeheader()
        writer.writerows(generate_rows(ROWS, seed=3))  # None becomes an empty cell, as in the real file
    return path


@pytest.fixture(scope="module")
def artifacts(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained") / "artifacts"
    train.main(["--data", str(table), "--out", str(folder), *QUICK])
    return folder


@pytest.fixture(scope="module")
def shipped(table: Path) -> Candidate:
    return Candidate(build_forest(7)).fit(*train.read_applications(table))


def find_neighbours_of_thresholds(shipped: Candidate) -> np.ndarray:
    """Return rows in which a column is a split of a tree, or the next float32 on either side."""
    trees = [tree.tree_ for tree in shipped.classifier.estimators_]
    start = shipped.encode(generate_rows(1, seed=1))[0]
    rows = []
    for column in range(len(COLUMNS)):
        splits = np.unique(np.concatenate([tree.threshold[tree.feature == column] for tree in trees])).astype(
            np.float32
        )
        for value in (splits, np.nextafter(splits, np.float32(-np.inf)), np.nextafter(splits, np.float32(np.inf))):
            near = np.repeat(start[np.newaxis], len(value), axis=0)
            near[:, column] = value
            rows.append(near)
    return np.concatenate(rows)


def test_graph_and_reasons_answer_what_the_forest_answers_up_to_its_very_splits(artifacts, shipped) -> None:
    rows = np.concatenate([find_neighbours_of_thresholds(shipped), shipped.encode(generate_rows(2000, seed=11))])
    assert len(rows) > 2200
    expected = shipped.classifier.predict_proba(rows)[:, 1]
    (found,) = open_session(artifacts / "model.onnx").run(["probabilities"], {"features": rows})
    np.testing.assert_allclose(found[:, 1], expected, rtol=0, atol=1e-5)
    reasons = Reasons.load(artifacts / "reasons.npz")
    np.testing.assert_allclose(reasons.base + reasons.explain(rows).sum(axis=1), expected, rtol=0, atol=1e-5)
    assert json.loads((artifacts / "usual.json").read_text()) == shipped.usual


def find_value(tree: Any, row: np.ndarray, known: set[int], node: int = 0) -> float:
    """What a tree says when only some columns are known."""
    left, right = tree.children_left[node], tree.children_right[node]
    if left < 0:
        return float(tree.value[node][0][1] / tree.value[node][0].sum())
    if tree.feature[node] in known:
        return find_value(tree, row, known, left if row[tree.feature[node]] <= tree.threshold[node] else right)
    rows = tree.weighted_n_node_samples
    sides = [find_value(tree, row, known, side) * rows[side] / rows[node] for side in (left, right)]
    return sum(sides)


def test_a_reason_is_the_mean_addition_over_all_orders_of_learning_the_columns(shipped) -> None:
    rows = shipped.encode(generate_rows(3, seed=4))
    forest = copy(shipped.classifier)
    forest.estimators_ = forest.estimators_[:4]
    found = Reasons.of(forest, len(COLUMNS)).explain(rows)
    for row, reasons in zip(rows, found, strict=True):
        expected = np.zeros(len(COLUMNS))
        for tree in (one.tree_ for one in forest.estimators_):
            asked = sorted(set(tree.feature[tree.feature >= 0].tolist()))
            orders = list(permutations(asked))
            for order in orders:
                for place, column in enumerate(order):
                    gain = find_value(tree, row, set(order[: place + 1])) - find_value(tree, row, set(order[:place]))
                    expected[column] += gain / len(orders) / len(forest.estimators_)
        np.testing.assert_allclose(reasons, expected, atol=1e-6)


def test_training_twice_writes_the_same_files(artifacts, table, tmp_path) -> None:
    train.main(["--data", str(table), "--out", str(tmp_path), *QUICK])
    names = {path.name for path in artifacts.iterdir()}
    assert names == {"model.onnx", "reasons.npz", "usual.json", "metrics.json", "reference.json", "manifest.json"}
    assert [name for name in names if (tmp_path / name).read_bytes() != (artifacts / name).read_bytes()] == []


def test_metrics_compare_every_candidate_on_the_same_split_and_every_group(artifacts) -> None:
    metrics = json.loads((artifacts / "metrics.json").read_text(encoding="utf-8"))
    assert (metrics["task"], metrics["data"]["name"], metrics["data"]["rows"]) == ("classification", "table.csv", ROWS)
    splits: dict[str, set[str]] = {}
    for result in metrics["results"]:
        splits.setdefault(result["split"], set()).add(result["model"])
    compared, nested, calibration, groups = splits.values()
    assert compared == set(list_candidates(0))
    assert nested == {train.NESTED}
    assert all(name.startswith("probability ") for name in calibration)
    assert {"Gender Female", "Married Yes", "Dependents 3+"} <= groups


def test_the_rule_refuses_unpaid_debts_alone_and_gains_nothing_over_itself() -> None:
    rows = generate_rows(300, seed=9)
    labels = np.array([int(row["Loan_Status"] == "Y") for row in rows])
    said = CreditRule().fit(rows, labels).predict(rows)
    assert (said >= 0.5).tolist() == [row["Credit_History"] != 0 for row in rows]
    measured = evaluation.measure(said[np.newaxis], labels, rule=said[np.newaxis])
    assert (measured["accuracy_gain"], measured["log_loss_gain"]) == ((0, 0), (0, 0))
    assert list(list_candidates(0))[:2] == [RULE, SHIPPED]


def test_calibration_compares_what_was_said_with_what_was() -> None:
    said, were = np.array([0.1, 0.1, 0.8, 0.8]), np.array([0, 1, 1, 1])
    bins = dict(evaluation.list_bins(said, were))
    assert bins["0.0 to 0.4"] == {"rows": 2, "mean_probability": pytest.approx(0.1), "approved": 0.5}
    assert evaluation.find_calibration_error(said, were) == pytest.approx((2 * 0.4 + 2 * 0.2) / 4)
    assert sum(numbers["rows"] for numbers in dict(evaluation.list_bins(np.array([0.0, 1.0]), were[:2])).values()) == 2


def test_training_reads_what_a_caller_would_send_and_needs_a_table(table, capsys) -> None:
    payloads, labels = train.read_applications(table)
    assert len(payloads) == len(labels) == ROWS
    assert set(payloads[0]) == {*UNUSED, *CATEGORIES, *NUMBERS}
    with pytest.raises(SystemExit):
        train.main([])
    assert "--data" in capsys.readouterr().err
