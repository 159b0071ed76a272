"""That training exports what it trained, and measures honestly. Uses a generated table."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from loan_model import LoanModel, train
from loan_model.features import CATEGORIES, COLUMNS, NUMBERS, encode_applications
from model_service.onnx import open_session

ROWS = 400
REPEATS = 1
MISSING_SHARE = {"Gender": 0.02, "Married": 0.02, "Dependents": 0.03, "Self_Employed": 0.06, "LoanAmount": 0.05}
MISSING_SHARE |= {"Loan_Amount_Term": 0.03, "Credit_History": 0.08}


def generate_rows(count: int, *, seed: int, missing_share: dict[str, float] = MISSING_SHARE) -> list[dict[str, Any]]:
    """Return rows shaped like the real ones: the credit history decides most, the loan against the income some."""
    chance = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        row: dict[str, Any] = {name: str(chance.choice(values)) for name, values in CATEGORIES.items()}
        income, second = int(chance.lognormal(8.4, 0.5)), int(chance.choice([0, 0, 1500, 2250]))
        loan = max(1, int((income + second) * chance.lognormal(3.2, 0.4) / 1000))
        credit = int(chance.random() < 0.85)
        chances = 0.1 if credit == 0 else 0.4 if loan * 1000 > 34 * (income + second) else 0.85
        row |= {"Credit_History": credit, "ApplicantIncome": income, "CoapplicantIncome": second, "LoanAmount": loan}
        row |= {"Loan_Amount_Term": int(chance.choice([360, 360, 360, 180])), "Loan_ID": f"row-{number}"}
        row["Loan_Status"] = "Y" if chance.random() < chances else "N"
        row |= {name: None for name, share in missing_share.items() if chance.random() < share}
        rows.append(row)
    return rows


def write_table(path: Path, rows: list[dict[str, Any]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=["Loan_ID", *CATEGORIES, *NUMBERS, "Loan_Status"])
        writer.writeheader()
        writer.writerows(rows)  # None becomes an empty cell, as in the real file
    return path


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_table(tmp_path_factory.mktemp("table") / "table.csv", generate_rows(ROWS, seed=3))


@pytest.fixture(scope="module")
def artifacts(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained") / "artifacts"
    train.main(["--data", str(table), "--out", str(folder), "--repeats", str(REPEATS), "--seed", "7"])
    return folder


@pytest.fixture(scope="module")
def pipeline(table: Path) -> Any:
    payloads, labels = train.read_applications(table)
    return train.build_forest(7).fit(encode_applications(payloads), labels)


def run_graph(artifacts: Path, features: np.ndarray) -> np.ndarray:
    (probabilities,) = open_session(artifacts / "model.onnx").run(["probabilities"], {"features": features})
    return np.asarray(probabilities)


def find_neighbours_of_thresholds(pipeline: Any) -> np.ndarray:
    """Return rows whose ratio is a split of a tree, or the next float32 on either side."""
    last = pipeline[:-1].transform(encode_applications([generate_rows(1, seed=1, missing_share={})[0]])).shape[1] - 1
    trees = [tree.tree_ for tree in pipeline[-1].estimators_]
    splits = np.unique(np.concatenate([tree.threshold[tree.feature == last] for tree in trees])).astype(np.float32)
    ratios = np.concatenate([splits, np.nextafter(splits, np.float32(0)), np.nextafter(splits, np.float32(np.inf))])
    features = np.repeat(encode_applications([generate_rows(1, seed=1, missing_share={})[0]]), len(ratios), axis=0)
    features[:, COLUMNS.index("loan_to_income")] = ratios
    return features


@pytest.mark.parametrize("share", [0.0, 0.1, 0.9, 1.0])
def test_the_graph_answers_what_the_pipeline_answers(artifacts: Path, pipeline: Any, share: float) -> None:
    rows = generate_rows(2000, seed=11, missing_share=dict.fromkeys(MISSING_SHARE, share))
    features = encode_applications(rows)
    expected, found = pipeline.predict_proba(features), run_graph(artifacts, features)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    assert ((found[:, 1] >= 0.5) == (expected[:, 1] >= 0.5)).all()


def test_the_graph_splits_where_the_pipeline_splits(artifacts: Path, pipeline: Any) -> None:
    features = find_neighbours_of_thresholds(pipeline)
    assert len(features) > 100
    np.testing.assert_allclose(run_graph(artifacts, features), pipeline.predict_proba(features), rtol=0, atol=1e-5)


def test_missing_values_take_what_training_learnt(artifacts: Path, table: Path) -> None:
    payloads, _ = train.read_applications(table)
    terms = [payload["Loan_Amount_Term"] for payload in payloads if payload["Loan_Amount_Term"] is not None]
    row = generate_rows(1, seed=5, missing_share={})[0]
    filled = row | {"Loan_Amount_Term": max(set(terms), key=terms.count)}
    features = encode_applications([row | {"Loan_Amount_Term": None}, filled])
    assert run_graph(artifacts, features)[0].tolist() == run_graph(artifacts, features)[1].tolist()


def test_training_twice_writes_the_same_files(artifacts: Path, table: Path, tmp_path: Path) -> None:
    train.main(["--data", str(table), "--out", str(tmp_path), "--repeats", str(REPEATS), "--seed", "7"])
    for name in ("model.onnx", "metrics.json", "manifest.json"):
        assert (tmp_path / name).read_bytes() == (artifacts / name).read_bytes()


def test_metrics_compare_every_candidate_on_the_same_split(artifacts: Path) -> None:
    metrics = json.loads((artifacts / "metrics.json").read_text(encoding="utf-8"))
    *compared, gender = metrics["evaluations"]
    assert (metrics["task"], metrics["data"], metrics["rows"]) == ("classification", "table.csv", ROWS)
    assert {evaluation["candidate"] for evaluation in compared} == set(train.list_candidates(0))
    assert compared[0]["candidate"] == train.SHIPPED
    assert len({evaluation["split"] for evaluation in compared}) == 1
    assert gender["answers_changed"] >= 0


def test_the_manifest_lists_what_was_written(artifacts: Path) -> None:
    manifest = json.loads((artifacts / "manifest.json").read_text(encoding="utf-8"))
    assert set(manifest["artifacts"]) == {"metrics.json", "model.onnx"}


def test_the_rule_refuses_unpaid_debts_alone() -> None:
    rows = generate_rows(300, seed=9)
    labels = np.array([int(row["Loan_Status"] == "Y") for row in rows])
    features = encode_applications(rows)
    is_approved = train.CreditRule().fit(features, labels).predict_proba(features)[:, 1] >= 0.5
    assert is_approved.tolist() == [row["Credit_History"] != 0 for row in rows]


def test_the_rule_gains_nothing_over_itself() -> None:
    labels, probabilities = np.array([0, 1, 1, 0]), np.array([[0.2, 0.7, 0.6, 0.9]])
    measured = train.measure(probabilities, labels, rule=probabilities)
    assert measured["accuracy"] == 0.75
    assert measured["accuracy_gain_over_rule"] == 0
    assert measured["log_loss_gain_over_rule"] == 0


def test_the_table_is_required(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        train.main([])
    assert "--data" in capsys.readouterr().err


def test_training_reads_what_a_caller_would_send(table: Path) -> None:
    payloads, labels = train.read_applications(table)
    assert len(payloads) == len(labels) == ROWS
    assert set(payloads[0]) == set(LoanModel.input_schema["properties"]) - {"Loan_ID"}
