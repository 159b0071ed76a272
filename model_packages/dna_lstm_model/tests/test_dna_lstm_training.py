"""That training finds the site by itself, exports what it trained, and measures honestly. Uses generated rows."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from dna_lstm_model import cases, evaluation, sequences, train
from dna_lstm_model.features import LENGTH, SITE_LENGTH, STARTS, Codes

# Keras 3.15 hands TensorFlow's variables to NumPy 2 in the old way.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
ROWS = 400
#: Not the word of the real data: training must find whatever is there.
WORD = "TTGACAGGCATA"
SITE = cases.encode_site(WORD)
SETTINGS = ["--epochs=3", "--rounds=2", "--drawn=512", "--repeats=1", f"--measured-site={WORD}"]


def generate_rows(count: int, *, word: str = WORD, seed: int) -> train.Rows:
    """Return rows as the simulation makes them: random letters, and the word in every second one."""
    rng = np.random.default_rng(seed)
    codes, site = cases.draw_letters(count, rng), cases.encode_site(word)
    half = codes[::2]
    codes[::2] = sequences.place_words(half, np.tile(site, (len(half), 1)), rng.integers(0, STARTS, len(half)))
    return train.Rows(codes, sequences.mark_starts(codes, site).any(axis=1).astype(np.uint8))


def test_training_again_makes_the_same_and_other_seeds_only_add_their_spread(tmp_path: Path) -> None:
    with (tmp_path / "table.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["dna_sequence", "dna_class"])
        rows = generate_rows(ROWS, seed=3)
        writer.writerows([sequences.spell(codes), label] for codes, label in zip(*rows, strict=True))
    made = [tmp_path / "one", tmp_path / "two"]
    for seeds, folder in enumerate(made, start=1):
        # It compares the graph with the network that it was made from.
        train.main(["--data", str(tmp_path / "table.csv"), "--out", str(folder), f"--seeds={seeds}", *SETTINGS])
    names = {path.name for path in made[0].iterdir()}
    assert names == {"manifest.json", "metrics.json", "model.keras", "model.onnx", "reference.json"}
    for name in ("model.keras", "model.onnx", "reference.json"):
        assert (made[0] / name).read_bytes() == (made[1] / name).read_bytes(), name
    once, results = (json.loads((folder / "metrics.json").read_text(encoding="utf-8"))["results"] for folder in made)
    assert [result["value"] for result in once] == [result["value"] for result in results]
    assert all(result["spread"] is None for result in once)
    assert max(result["spread"] for result in results) > 0
    splits: dict[str, set[str]] = {}
    for result in results:
        splits.setdefault(result["model"], set()).add(result["split"])
    assert [*splits] == ["LSTM", "LSTM, rows alone", "convolution of 12", "convolution of 12, rows alone"]
    assert len({*map(frozenset, splits.values())}) == 1


def test_the_site_is_found_in_rows_alone() -> None:
    assert sequences.spell(train.find_site_of(generate_rows(200, seed=5))) == WORD
    with pytest.raises(ValueError, match="the site in the data is 9 letters long; the network is built for 12"):
        train.find_site_of(generate_rows(200, word=WORD[:9], seed=5))


def test_rows_that_share_no_one_word_have_no_site() -> None:
    rows = generate_rows(200, seed=5)
    with pytest.raises(ValueError, match="no word is in every sequence of class 1"):
        sequences.find_site(rows.sequences, 1 - rows.labels)
    with pytest.raises(ValueError, match="no sequence of class 1"):
        sequences.find_site(rows.sequences, np.zeros_like(rows.labels))
    mixed = [cases.encode_site(text) for text in ("G" * 22 + "AAA" + "T" * 22 + "CAC", "AAA" + "C" * 44 + "CAC")]
    with pytest.raises(ValueError, match="share 2 words of 3 letters"):
        sequences.find_site(np.array(mixed), np.ones(2, dtype=np.uint8))


def test_what_is_drawn_to_train_holds_the_site_and_near_misses() -> None:
    rows = generate_rows(100, seed=6)
    drawn = sequences.draw_training(rows.sequences[rows.labels == 0], SITE, 3000, np.random.default_rng(1))
    marks = sequences.mark_starts(drawn, SITE)
    assert [WORD in sequences.spell(codes) for codes in drawn] == marks.any(axis=1).tolist()
    assert 0.35 < marks.any(axis=1).mean() < 0.45
    assert marks.any(axis=0).all()
    assert (sequences.count_letters_off(drawn[~marks.any(axis=1)], SITE) == 1).mean() > 0.4


def test_every_variant_is_measured_at_every_start() -> None:
    drawn = {name: (codes, places) for name, codes, places in cases.draw_cases(SITE, 1, np.random.default_rng(2))}
    for words, letters in ((36, "one letter"), (66 * 9, "two letters")):
        codes, places = drawn[f"{letters} off (each variant), at every start"]
        assert places is not None
        found = {(place, row[place : place + SITE_LENGTH].tobytes()) for place, row in zip(places, codes, strict=True)}
        assert len(found) == words * STARTS


def test_unseen_kinds_are_what_they_are_called() -> None:
    kinds = [codes for _, codes, _ in cases.draw_unseen(SITE, 400, np.random.default_rng(3))]
    split, deleted, rotated, skewed, soups = ([*map(sequences.spell, codes)] for codes in kinds)
    shares = [sequences.mark_starts(codes, SITE).any(axis=1).mean() for codes in kinds]
    assert max(shares[:3]) < 0.15  # where chance completes the site
    assert min(shares[3:]) >= 0.5
    halves = [(WORD[:place], WORD[place:]) for place in range(1, SITE_LENGTH)]
    for text in split:
        assert any(first in text and last in text[text.index(first) + len(first) :] for first, last in halves)
    shorter = {WORD[:start] + WORD[start + lost :] for lost in range(2, 7) for start in range(1, SITE_LENGTH - lost)}
    assert all(any(word in text for word in shorter) for text in deleted)
    assert all(any(last + first in text for first, last in halves) for text in rotated)
    assert np.mean([max(map(text.count, "ACGT")) for text in skewed[1::2]]) > LENGTH / 2
    assert all(text[:3] in WORD for text in soups[1::2])


def test_a_substring_search_measures_as_perfect_and_a_constant_does_not() -> None:
    def search(codes: Codes) -> np.ndarray:
        return sequences.mark_starts(codes, SITE).astype(np.float32)

    def never(codes: Codes) -> np.ndarray:
        return np.zeros((len(codes), STARTS))

    measured = [*evaluation.measure_drawn(search, SITE, repeats=1, seed=1)]
    measured += [*evaluation.measure_attribution(search, SITE, repeats=1, seed=1)]
    assert {value for _, metric, value in measured if metric not in ("sequences", "answers_changed_outside_site")} == {
        1
    }
    assert [value for _, metric, value in measured if metric == "answers_changed_outside_site"] == [0]
    kept = evaluation.measure_rows(never, *generate_rows(100, seed=8), "kept")
    assert [*kept] == [("kept", "sequences", 100), ("kept", "accuracy", 0.5)]
    assert [value for _, _, value in evaluation.measure_attribution(never, SITE, repeats=1, seed=1)] == [0]


def test_the_rows_kept_out_are_a_fifth_of_each_class_and_not_trained_on() -> None:
    training, held_out = train.split_rows(generate_rows(200, seed=9), np.random.default_rng(0))
    assert (len(training.labels), len(held_out.labels), held_out.labels.mean()) == (160, 40, 0.5)
    assert not {row.tobytes() for row in training.sequences} & {row.tobytes() for row in held_out.sequences}


@pytest.mark.parametrize(("sequence", "said"), [("A" * 49 + "N", "line 3 of bad.csv: expected"), ("A" * 51, "than 50")])
def test_a_row_that_cannot_be_learnt_from_is_refused(tmp_path: Path, sequence: str, said: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(f"dna_sequence,dna_class\n{'A' * 50},0\n{sequence},1\n", encoding="utf-8")
    with pytest.raises(ValueError, match=said):
        train.read_rows(path)
