"""A training run: its command line, its reports, and that a failed one changes nothing."""

import hashlib
import json
import math

import pytest

from model_service import MLModel
from model_service.artifacts import verify_artifacts
from model_service.training import run

ROWS = [{"size": 1.0, "kind": "a"}, {"size": 3.0, "kind": None}, {"size": None, "kind": "b"}]
#: The same as tables write them.
TABLE_ROWS = [{"size": 1.0, "kind": "a"}, {"size": 3.0, "kind": ""}, {"size": math.nan, "kind": "b"}]


class Trained(MLModel):
    def predict(self, payload):
        return {}


def fit(training):
    """Train nothing."""
    training.describe_data(ROWS, labels=[0, 1, 0])
    training.report("mean", "two folds, seed 0", accuracy=[0.5, 1.0], log_loss=0.123456, gain=(0.1, 0.05), rows=3)
    (training.out / "weights").mkdir()
    (training.out / "weights/a.bin").write_bytes(bytes([training.seed]))


def train(*arguments, fit=fit, **others):
    options = {"task": "regression", "made_with": ("pytest",), "needs_data": False, **others}
    run(fit, Trained, arguments=list(map(str, arguments)), **options)


def read(folder, name):
    return json.loads((folder / name).read_text(encoding="utf-8"))


def test_a_run_leaves_metrics_reference_and_a_manifest_over_everything(tmp_path, monkeypatch, capsys):
    train("--out", tmp_path, "--seed", 7)
    metrics = read(tmp_path, "metrics.json")
    assert metrics["task"] == "regression"
    assert (metrics["data"]["name"], metrics["data"]["rows"]) == ("built in", 3)
    named = {"model": "mean", "split": "two folds, seed 0"}
    assert metrics["results"] == [
        {**named, "metric": "accuracy", "value": 0.75, "spread": 0.25},
        {**named, "metric": "log_loss", "value": 0.1235, "spread": None},
        {**named, "metric": "gain", "value": 0.1, "spread": 0.05},
        {**named, "metric": "rows", "value": 3, "spread": None},
    ]
    assert '"value": 3,' in (tmp_path / "metrics.json").read_text()
    assert set(read(tmp_path, "manifest.json")["artifacts"]) == {"metrics.json", "reference.json", "weights/a.bin"}
    assert (tmp_path / "weights/a.bin").read_bytes() == b"\7"
    monkeypatch.setattr(Trained, "artifact_path", lambda name: tmp_path / name)
    verify_artifacts(Trained)
    assert "mean: accuracy 0.75 ± 0.25" in capsys.readouterr().out


def test_the_digest_is_of_the_file_or_else_of_rows_and_labels(tmp_path):
    (tmp_path / "table.csv").write_text("size\n1\n")
    train("--data", tmp_path / "table.csv", "--out", tmp_path / "out")
    digest = hashlib.sha256((tmp_path / "table.csv").read_bytes()).hexdigest()
    assert read(tmp_path / "out", "metrics.json")["data"] == {"name": "table.csv", "sha256": digest, "rows": 3}
    digests = set()
    for labels in ([0, 1], [0, 1], [1, 1]):
        train("--out", tmp_path / "out", fit=lambda training, labels=labels: training.describe_data([], labels=labels))
        digests.add(read(tmp_path / "out", "metrics.json")["data"]["sha256"])
    assert len(digests) == 2


def test_the_reference_keeps_quantiles_shares_and_what_was_missing(tmp_path):
    train("--out", tmp_path)
    reference = read(tmp_path, "reference.json")
    train("--out", tmp_path, fit=lambda training: training.describe_data(TABLE_ROWS))
    assert read(tmp_path, "reference.json") == reference
    assert reference["rows"] == 3
    size, kind = reference["fields"]["size"], reference["fields"]["kind"]
    assert (size["kind"], size["missing"], kind["kind"], kind["missing"]) == ("number", 0.3333, "category", 0.3333)
    assert (size["quantiles"]["0.0"], size["quantiles"]["0.25"], size["quantiles"]["1.0"]) == (1, 1.5, 3)
    assert kind["shares"] == {"a": 0.5, "b": 0.5}


def test_long_texts_are_described_by_their_lengths(tmp_path):
    rows = [{"dna": "A" * length} for length in range(1, 102)]
    train("--out", tmp_path, fit=lambda training: training.describe_data(rows))
    described = read(tmp_path, "reference.json")["fields"]["dna"]
    assert (described["kind"], described["length_quantiles"]["0.5"]) == ("text", 51)
    assert described["letters"] == {"A": 1.0}


def test_texts_of_many_letters_are_no_sequences(tmp_path):
    rows = [{"note": f"{number} {chr(200 + number)}"} for number in range(101)]
    train("--out", tmp_path, fit=lambda training: training.describe_data(rows))
    assert "letters" not in read(tmp_path, "reference.json")["fields"]["note"]


def test_the_reference_keeps_what_the_trained_model_answers_to_the_rows_of_its_training(tmp_path):
    class Scaled(Trained):
        def __init__(self):
            self.factor = json.loads(self.artifact_path("factor.json").read_text())

        def predict(self, payload):
            return {"y": self.factor * payload["x"]}

    def fit_factor(training):
        training.describe_data([{"x": number} for number in range(5001)])
        (training.out / "factor.json").write_text("3")

    run(fit_factor, Scaled, arguments=["--out", str(tmp_path)], task="regression", made_with=(), needs_data=False)
    outputs = read(tmp_path, "reference.json")["outputs"]
    assert outputs["y"]["quantiles"]["0.5"] == 7500
    assert outputs["y"]["quantiles"]["1.0"] == 15000


def test_a_new_run_removes_what_the_last_one_wrote_and_nothing_else(tmp_path):
    train("--out", tmp_path)
    (tmp_path / "note.txt").write_text("mine")
    train("--out", tmp_path, fit=lambda training: training.describe_data(ROWS))
    assert not (tmp_path / "weights/a.bin").exists()
    assert (tmp_path / "note.txt").read_text() == "mine"
    assert set(read(tmp_path, "manifest.json")["artifacts"]) == {"metrics.json", "reference.json"}


def test_a_training_that_fails_leaves_the_old_artifacts(tmp_path):
    train("--out", tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    def fail(training):
        (training.out / "weights.bin").write_bytes(b"half")
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        train("--out", tmp_path, fit=fail)
    with pytest.raises(RuntimeError, match="describe_data"):
        train("--out", tmp_path, fit=lambda training: None)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_manifest_that_cannot_be_read_does_not_stop_the_training_that_mends_it(tmp_path):
    (tmp_path / "manifest.json").write_text("{")
    train("--out", tmp_path)
    assert "artifacts" in read(tmp_path, "manifest.json")


def test_a_metric_that_is_no_number_is_refused(tmp_path):
    def fit_nan(training):
        training.describe_data(ROWS)
        training.report("mean", "all", r2=float("nan"))

    with pytest.raises(ValueError, match="finite"):
        train("--out", tmp_path, fit=fit_nan)


def test_data_may_be_required_and_options_added(tmp_path, capsys):
    with pytest.raises(SystemExit):
        train("--out", tmp_path, needs_data=True)
    assert "--data" in capsys.readouterr().err
    found = []

    def fit_options(training):
        found.append(training.options.folds)
        training.describe_data(ROWS)

    train("--out", tmp_path, "--folds", 3, fit=fit_options, add_options=lambda p: p.add_argument("--folds", type=int))
    assert found == [3]
