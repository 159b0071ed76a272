"""The training script, on a small generated table and a tiny network."""

import csv
import gzip
import json
from dataclasses import replace

import numpy as np
import pytest

from model_service.onnx import open_session

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")
from circrna_model import train  # noqa: E402
from circrna_model.dataset import build_dataset, read_table  # noqa: E402
from circrna_model.evaluation import split_groups  # noqa: E402
from circrna_model.features import PAD_TOKEN, PATCH, plan_chunks, stack_windows  # noqa: E402
from circrna_model.native import WEIGHTS_NAME, load_ensemble  # noqa: E402
from circrna_model.training import PLANS, Job, _cut_middle, _disturb, fit_network, fit_networks  # noqa: E402


def write_table(path, *, rows=60, seed=0):
    rng = np.random.default_rng(seed)
    with gzip.open(path, "wt", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["rna_sequence", "is_circrna", "group"])
        for number in range(rows):
            weights = [0.2, 0.3, 0.3, 0.2] if number % 2 else [0.3, 0.2, 0.2, 0.3]
            length = int(rng.integers(200, 700)) if number else 4_000
            sequence = "".join(rng.choice(list("ACGT"), size=length, p=weights))
            writer.writerow([sequence, number % 2, number // 2 if number < 20 else number])
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("circrna")
    data = write_table(folder / "train.csv.gz")
    out = folder / "artifacts"
    train.main(
        ["--data", str(data), "--out", str(out), "--size", "tiny", "--epochs", "1", "--folds", "2", "--workers", "1"]
    )
    return data, out


def test_training_writes_every_artifact_and_lists_it_in_the_manifest(trained):
    _, out = trained
    manifest = json.loads((out / "manifest.json").read_text())
    assert sorted(manifest["artifacts"]) == ["metrics.json", "model.onnx", WEIGHTS_NAME]
    assert "torch" in manifest["made_with"]


def test_the_metrics_compare_the_transformer_with_baselines_and_ablations(trained):
    _, out = trained
    metrics = json.loads((out / "metrics.json").read_text())
    names = {evaluation["model"] for evaluation in metrics["evaluations"]}
    assert metrics["rows"] == 60
    assert "transformer" in names
    assert any("open frame" in name for name in names)
    assert any("no length, no ends" in name for name in names)


def test_the_graph_answers_as_the_saved_weights_do(trained):
    data, out = trained
    dataset = build_dataset(read_table(data))
    session, ensemble = open_session(out / "model.onnx"), load_ensemble(out / WEIGHTS_NAME)
    for chunk in plan_chunks(dataset.shapes):
        tokens = stack_windows([dataset.tokens[row] for row in chunk], [dataset.shapes[row] for row in chunk])
        summaries = dataset.summaries[chunk]
        (served,) = session.run(["probability"], {"tokens": tokens, "summary": summaries})
        with torch.inference_mode():
            native = ensemble(torch.from_numpy(tokens), torch.from_numpy(summaries)).numpy()
        assert served == pytest.approx(native, abs=1e-5)


def test_the_graph_carries_no_path_of_the_machine_it_was_made_on(trained):
    _, out = trained
    content = (out / "model.onnx").read_bytes()
    assert b"site-packages" not in content
    assert b".py" not in content


def test_the_same_seed_gives_the_same_network_in_this_process_or_in_others(trained):
    dataset = build_dataset(read_table(trained[0]))
    job = Job("test", dataset, np.arange(40), PLANS["tiny"].with_epochs(1), 7, print)
    first = fit_network(job)
    second, _ = fit_networks([job, replace(job, seed=8)], workers=2)
    for name, tensor in first.state_dict().items():
        assert torch.equal(tensor, second.state_dict()[name])


def test_a_group_is_never_on_both_sides_of_a_split(trained):
    dataset = build_dataset(read_table(trained[0]))
    for train_rows, test_rows in split_groups(dataset, folds=3, seed=0):
        assert not set(dataset.groups[train_rows]) & set(dataset.groups[test_rows])


def test_hidden_parts_of_the_summary_are_zero(trained):
    dataset = build_dataset(read_table(trained[0]), hidden_parts=("log_length",))
    assert (dataset.summaries == 0).all(axis=0).sum() >= 1


def test_a_disturbed_row_keeps_at_least_four_fifths_in_whole_patches():
    rng = np.random.default_rng(0)
    tokens = np.concatenate([np.full(478, 5, dtype=np.uint8), np.zeros(2, dtype=np.uint8)])
    for _ in range(50):
        view = _disturb(tokens, rng)
        assert len(view) % PATCH == 0
        assert (view != PAD_TOKEN).sum() >= 0.8 * 478 - 3
        assert view[-PATCH] != PAD_TOKEN


def test_a_long_row_is_shortened_to_one_window_with_both_ends():
    tokens = np.full(100 * PATCH, 5, dtype=np.uint8)
    tokens[0], tokens[-1] = 6, 7
    shortened = _cut_middle(tokens, np.random.default_rng(0))
    assert len(shortened) == 64 * PATCH
    assert (shortened[0], shortened[-1]) == (6, 7)
