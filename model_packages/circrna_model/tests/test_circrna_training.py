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
from circrna_model.dataset import read_dataset  # noqa: E402
from circrna_model.evaluation import fit_calibration, measure_calibration, split_groups, teach  # noqa: E402
from circrna_model.features import PATCH, WINDOW_PATCHES, encode_letters, number_kmers  # noqa: E402
from circrna_model.frames import IS_STOP, measure_frames  # noqa: E402
from circrna_model.native import WEIGHTS_NAME, load_ensemble  # noqa: E402
from circrna_model.summary import SUMMARY_SIZE, locate_parts, summarize  # noqa: E402
from circrna_model.training import (  # noqa: E402
    PLANS,
    Job,
    fit_network,
    fit_networks,
    mutate,
    predict_rows,
    view_row,
)


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


class _Served:
    """A graph in the place of an ensemble."""

    def __init__(self, session):
        self._session = session

    def __call__(self, tokens):
        return torch.from_numpy(self._session.run(["probability"], {"tokens": tokens.numpy()})[0])


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
    assert sorted(manifest["artifacts"]) == ["metrics.json", "model.onnx", "reference.json", WEIGHTS_NAME]
    assert "torch" in manifest["made_with"]


def test_the_metrics_compare_the_transformer_with_baselines_and_with_changed_letters(trained):
    _, out = trained
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["data"]["rows"] == 60
    assert {"transformer", "gradient boosting: all features"} <= {result["model"] for result in metrics["results"]}
    splits = {result["split"] for result in metrics["results"]}
    for words in ("letters of other rows", "a stop codon every 100 nt", "rotated at random", "probability 0."):
        assert any(words in split for split in splits), words


def test_what_was_measured_on_one_fold_has_no_spread(trained):
    _, out = trained
    results = json.loads((out / "metrics.json").read_text())["results"]
    single = [result["spread"] for result in results if "first fold" in result["split"]]
    assert single
    assert set(single) == {None}


def test_the_graph_answers_as_the_saved_weights_do(trained):
    data, out = trained
    dataset = read_dataset(data)
    rows = np.arange(len(dataset.classes))
    served = _Served(open_session(out / "model.onnx"))
    expected = predict_rows(load_ensemble(out / WEIGHTS_NAME), dataset, rows)
    assert predict_rows(served, dataset, rows) == pytest.approx(expected, abs=1e-5)


def test_the_graph_carries_no_path_of_the_machine_it_was_made_on(trained):
    _, out = trained
    content = (out / "model.onnx").read_bytes()
    assert b"site-packages" not in content
    assert b".py" not in content


def test_the_same_seed_gives_the_same_network_in_this_process_or_in_others_and_kept_ones_are_read(trained, tmp_path):
    dataset = read_dataset(trained[0])
    targets = dataset.classes.astype(np.float32)
    job = Job("test", dataset, np.arange(40), targets, PLANS["tiny"].with_epochs(1), 7, print)
    first = fit_network(job)
    second, other = fit_networks([job, replace(job, title="other", seed=8)], workers=2, keep=tmp_path)
    for name, tensor in first.state_dict().items():
        assert torch.equal(tensor, second.state_dict()[name])
    (kept,) = fit_networks([replace(job, title="other")], workers=1, keep=tmp_path)
    assert torch.equal(kept.codons.weight, other.codons.weight)


def test_a_group_is_never_on_both_sides_of_a_split(trained):
    dataset = read_dataset(trained[0])
    for train_rows, test_rows in split_groups(dataset, folds=3, seed=0):
        assert not set(dataset.groups[train_rows]) & set(dataset.groups[test_rows])


def test_trees_that_teach_have_not_seen_the_row_they_judge_nor_any_row_outside(trained):
    dataset = read_dataset(trained[0])
    rows = np.arange(40)
    said = teach(dataset, rows, seed=0)
    assert np.isnan(said[40:]).all()
    assert ((said[:40] >= 0) & (said[:40] <= 1)).all()
    flipped = replace(dataset, classes=np.where(np.arange(60) < 40, dataset.classes, 1 - dataset.classes))
    assert teach(flipped, rows, seed=0)[:40] == pytest.approx(said[:40])


def test_a_view_is_at_most_one_window_and_keeps_most_letters():
    rng = np.random.default_rng(0)
    plan = PLANS["full"]
    for length in (200, 478, WINDOW_PATCHES * PATCH, 9_000):
        codes = rng.integers(0, 4, length).astype(np.uint8)
        for _ in range(50):
            join, view = view_row(codes, plan, rng, is_circle=True)
            assert len(join) == PATCH
            assert min(length, WINDOW_PATCHES * PATCH) * plan.min_part - PATCH <= len(view)
            assert len(view) <= WINDOW_PATCHES * PATCH


def test_changed_letters_neither_make_nor_break_a_stop_codon():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 5, 3_000).astype(np.uint8)
    changed = mutate(codes, 0.1, rng)
    assert 0.03 < np.mean(changed != codes) < 0.1
    # Two changes beside each other may, rarely, undo what one of them alone keeps.
    assert np.mean(IS_STOP[number_kmers(changed)] != IS_STOP[number_kmers(codes)]) < 0.001


def test_frames_are_measured_along_the_sequence_and_round_the_circle():
    opened = encode_letters("GCC" * 80 + "AG")
    rotated = np.roll(opened, 100)
    along, around = measure_frames(number_kmers(rotated))[:3, 0], measure_frames(number_kmers(rotated))[3, 0]
    assert max(along) <= 1
    assert around == pytest.approx(measure_frames(number_kmers(opened))[3, 0])


def test_a_summary_measures_the_longest_open_frame():
    sequence = "TAATTAGTTGA" + "ATG" + "GCC" * 70 + "TAA"
    summary = summarize(encode_letters(sequence))
    assert summary.shape == (SUMMARY_SIZE,)
    shares = summary[locate_parts("open_frame_shares")]
    total = (len(sequence) - 2) / 3
    assert shares[3] * total == pytest.approx(71, abs=1e-3)
    assert shares[0] >= shares[1] >= shares[2]
    assert summary[locate_parts("log_length")] == pytest.approx(np.log(len(sequence)))


def test_the_frequencies_of_each_k_add_up_to_one():
    codes = np.random.default_rng(0).integers(0, 5, 500).astype(np.uint8)
    assert summarize(codes)[locate_parts("frequencies")].sum() == pytest.approx(4, abs=1e-5)


def test_calibration_is_the_mean_distance_of_what_was_said_from_what_was_true():
    said = np.array([0.05, 0.05, 0.95, 0.95])
    error, bins = measure_calibration(np.array([0, 1, 1, 1]), said)
    assert error == pytest.approx(0.5 * 0.45 + 0.5 * 0.05)
    assert [numbers["rows"] for numbers in bins.values()] == [2, 2]
    assert measure_calibration(np.array([0, 1]), np.array([0.0, 1.0]))[0] == 0


def test_calibration_finds_by_how_much_logits_are_too_small_and_moved():
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, 20_000)
    classes = (rng.random(20_000) < 1 / (1 + np.exp(-logits))).astype(int)
    scale, offset = fit_calibration(classes, 1 / (1 + np.exp(-(logits / 2 + 0.5))))
    assert scale == pytest.approx(2, abs=0.1)
    assert offset == pytest.approx(-1, abs=0.1)


def test_the_shipped_ensemble_is_calibrated(trained):
    _, out = trained
    ensemble = load_ensemble(out / WEIGHTS_NAME)
    assert (float(ensemble.scale), float(ensemble.offset)) != (1.0, 0.0)
