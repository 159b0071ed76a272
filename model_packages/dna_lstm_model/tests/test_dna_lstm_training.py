"""That training finds the site by itself, exports what it trained, and measures honestly. Uses generated rows."""

import csv
import json
from pathlib import Path

import keras
import numpy as np
import pytest

from dna_lstm_model import evaluation, sequences, train
from dna_lstm_model.features import LENGTH, SITE_LENGTH, STARTS, make_one_hot
from model_service.onnx import open_session

pytestmark = [
    # Keras 3.15 hands TensorFlow's variables to NumPy 2 in the old way.
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"),
    # Keras' exporter looks for a name that NumPy removed.
    pytest.mark.filterwarnings("ignore:In the future `np.object` will be defined:FutureWarning"),
]
ROWS = 400
#: Not the word of the real data: training must find whatever is there.
WORD = "TTGACAGGCATA"
SETTINGS = [
    "--epochs",
    "3",
    "--rounds",
    "2",
    "--drawn",
    "512",
    "--repeats",
    "1",
    "--seed",
    "7",
    "--measured-site",
    WORD,
]


def generate_rows(count: int, *, word: str, seed: int) -> train.Rows:
    """Return rows as the simulation makes them: random letters, and the word in every second one."""
    rng = np.random.default_rng(seed)
    codes = evaluation.draw_letters(count, rng)
    site = train.encode_site(word)
    bound = sequences.place_words(codes, np.tile(site, (count, 1)), rng.integers(0, LENGTH - len(word) + 1, count))
    codes[::2] = bound[::2]
    return train.Rows(codes, (sequences.find_word(codes, site) >= 0).astype(np.uint8))


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("table") / "table.csv"
    rows = generate_rows(ROWS, word=WORD, seed=3)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["dna_sequence", "dna_class"])
        writer.writerows(
            [sequences.spell(codes), label] for codes, label in zip(rows.sequences, rows.labels, strict=True)
        )
    return path


@pytest.fixture(scope="module")
def artifacts(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained") / "artifacts"
    train.main(["--data", str(table), "--out", str(folder), *SETTINGS])
    return folder


def test_training_writes_artifacts_that_agree_with_each_other(artifacts: Path) -> None:
    manifest = json.loads((artifacts / "manifest.json").read_text(encoding="utf-8"))
    assert set(manifest["artifacts"]) == {"metrics.json", "model.keras", "model.onnx"}
    one_hot = make_one_hot(evaluation.draw_letters(2500, np.random.default_rng(1)))
    network = keras.saving.load_model(artifacts / "model.keras", compile=False, safe_mode=True)
    (served,) = open_session(artifacts / "model.onnx").run(["probabilities"], {"sequences": one_hot})
    assert served.shape == (2500, STARTS)
    np.testing.assert_allclose(served, network(one_hot).numpy(), rtol=0, atol=1e-4)
    metrics = json.loads((artifacts / "metrics.json").read_text(encoding="utf-8"))
    assert (metrics["task"], metrics["data"], metrics["rows"]) == ("classification", "table.csv", ROWS)
    assert metrics["site_found_in_training_rows"] == WORD
    splits = {
        name: [e["split"] for e in metrics["evaluations"] if e["network"] == name]
        for name in ("shipped", "trained on the rows alone")
    }
    assert splits["shipped"] == splits["trained on the rows alone"]
    assert metrics["evaluations"][0]["network"] == "shipped"


def test_training_twice_writes_the_same_files(artifacts: Path, table: Path, tmp_path: Path) -> None:
    train.main(["--data", str(table), "--out", str(tmp_path), *SETTINGS])
    for name in ("model.onnx", "model.keras", "metrics.json", "manifest.json"):
        assert (tmp_path / name).read_bytes() == (artifacts / name).read_bytes(), name


def test_the_site_is_found_in_rows_alone() -> None:
    rows = generate_rows(200, word=WORD, seed=5)
    assert sequences.spell(sequences.find_site(rows.sequences, rows.labels)) == WORD


def test_a_site_of_another_length_stops_training() -> None:
    rows = generate_rows(200, word=WORD[:9], seed=5)
    with pytest.raises(ValueError, match="the site in the data is 9 letters long; the network is built for 12"):
        train.fit_drawn(None, rows, train.TrainingPlan(), np.random.default_rng(0))


def test_rows_without_a_common_word_have_no_site() -> None:
    rows = generate_rows(200, word=WORD, seed=5)
    with pytest.raises(ValueError, match="no word is in every sequence of class 1"):
        sequences.find_site(rows.sequences, 1 - rows.labels)
    with pytest.raises(ValueError, match="no sequence of class 1"):
        sequences.find_site(rows.sequences, np.zeros_like(rows.labels))


def test_a_network_that_finds_nothing_points_at_nothing() -> None:
    found = evaluation.measure_attribution(
        lambda one_hot: np.zeros((len(one_hot), STARTS)), train.encode_site(WORD), repeats=1, seed=1
    )
    assert found["sequences"] == 0


def test_two_words_in_every_bound_row_are_no_site() -> None:
    mixed = np.array(
        [train.encode_site(text) for text in ("G" * 22 + "AAA" + "T" * 22 + "CAC", "AAA" + "C" * 44 + "CAC")]
    )
    with pytest.raises(ValueError, match="share 2 words of 3 letters"):
        sequences.find_site(mixed, np.ones(2, dtype=np.uint8))


def test_drawn_sequences_are_labelled_by_the_site_in_them() -> None:
    rows, site = generate_rows(100, word=WORD, seed=6), train.encode_site(WORD)
    drawn, labels = sequences.draw_training(rows.sequences[rows.labels == 0], site, 3000, np.random.default_rng(1))
    assert drawn.shape == (3000, LENGTH)
    assert [WORD in sequences.spell(codes) for codes in drawn] == (labels == 1).tolist()
    assert 0.35 < labels.mean() < 0.45
    assert (sequences.count_letters_off(drawn[labels == 0], site) == 1).mean() > 0.4
    assert (sequences.count_letters_off(drawn[labels == 1], site) == 0).all()
    assert set(sequences.find_word(drawn[labels == 1], site)) == set(range(STARTS))


def test_every_variant_is_measured_at_every_start() -> None:
    site = train.encode_site(WORD)
    assert len(np.unique(evaluation.change_everywhere(site, 1), axis=0)) == 36
    assert len(np.unique(evaluation.change_everywhere(site, 2), axis=0)) == 66 * 9
    cases = {name: (codes, places) for name, codes, places in evaluation.draw_cases(site, 1, np.random.default_rng(2))}
    near, places = cases["one letter off (each variant), at every start"]
    assert places is not None
    found = {
        (int(place), codes[place : place + SITE_LENGTH].tobytes()) for codes, place in zip(near, places, strict=True)
    }
    assert len(found) == 36 * STARTS
    assert not (sequences.find_word(near, site) >= 0).any()
    whole, places = cases["site at every start"]
    assert places is not None
    assert sequences.find_word(whole, site).tolist() == places.tolist()
    both, _ = cases["one letter off, and the site elsewhere"]
    assert (sequences.find_word(both, site) >= 0).all()


def test_a_substring_search_measures_as_perfect_and_a_constant_does_not() -> None:
    site = train.encode_site(WORD)

    def search(one_hot: np.ndarray) -> np.ndarray:
        codes = one_hot.argmax(axis=2).astype(np.uint8)
        windows = np.lib.stride_tricks.sliding_window_view(codes, SITE_LENGTH, axis=1)
        return (windows == site).all(axis=2).astype(np.float32)

    for found in evaluation.measure_fresh(search, site, repeats=1, seed=1):
        assert (found["accuracy"], found["wrong"]) == (1, 0)
        assert found.get("motif_position_right", 1) == 1
    attribution = evaluation.measure_attribution(search, site, repeats=1, seed=1)
    assert (attribution["answers_changed_inside_motif"], attribution["answers_changed_outside_motif"]) == (1, 0)
    rows = generate_rows(100, word=WORD, seed=8)
    never = evaluation.measure(lambda one_hot: np.zeros((len(one_hot), STARTS)), rows.sequences, rows.labels, site=site)
    assert (never["accuracy"], never["wrong"]) == (0.5, 50)


def test_the_rows_kept_out_are_a_fifth_of_each_class_and_not_trained_on() -> None:
    rows = generate_rows(200, word=WORD, seed=9)
    training, held_out = train.split_rows(rows, np.random.default_rng(0))
    assert (len(training.labels), len(held_out.labels)) == (160, 40)
    assert held_out.labels.mean() == 0.5
    assert not {row.tobytes() for row in training.sequences} & {row.tobytes() for row in held_out.sequences}


def test_a_row_that_no_caller_could_send_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(f"dna_sequence,dna_class\n{'A' * 50},0\n{'A' * 49}N,1\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"line 3 of bad\.csv: expected the letters A, C, G and T alone"):
        train.read_rows(path)


def test_the_table_is_required(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        train.main([])
    assert "--data" in capsys.readouterr().err
