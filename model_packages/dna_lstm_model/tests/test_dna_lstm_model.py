"""What the shipped DNA model answers, accepts and refuses. Needs no TensorFlow."""

import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from dna_lstm_model import DnaLstmModel
from dna_lstm_model.cases import SIMULATED_SITE, encode_site
from dna_lstm_model.evaluation import measure_attribution, measure_drawn
from dna_lstm_model.features import LENGTH, MAX_LENGTH, SITE_LENGTH, Codes, number_words, read_words
from model_service.conformance.pytest_plugin import conformance
from model_service.explain import explain_directly

ACCEPTS = Draft202012Validator(DnaLstmModel.input_schema)
UNBOUND = "ACTCGCTGTCCACGTCTATTCCTAGGGGTTTTATTTCGCAAGGTGATACT"
BOUND = "TGCAAAGGGGCGACCGAACTCCCTTTACCGCGGAGTTATTCATAATTGAA"
SITE = encode_site(SIMULATED_SITE)


@pytest.fixture(scope="module")
def model() -> DnaLstmModel:
    return DnaLstmModel()


def put_site(text: str, start: int) -> str:
    return text[:start] + SIMULATED_SITE + text[start + SITE_LENGTH :]


def draw_payloads(count: int, *, seed: int) -> list[dict[str, Any]]:
    """Return sequences of several lengths, half of them with a site, in both cases and with white space around."""
    chooser = random.Random(seed)
    payloads = []
    for number in range(count):
        length = chooser.choice([LENGTH, LENGTH, 51, 88, 89, 90, 1000])
        text = "".join(chooser.choices("ACGT", k=length))
        text = put_site(text, chooser.randrange(length - SITE_LENGTH + 1)) if number % 2 else text
        payloads.append({"dna_sequence": chooser.choice([text, text.lower(), f"\t{text.title()}\r\n"])})
    return payloads


def find_positions(text: str) -> list[int]:
    return [start + 1 for start in range(len(text)) if text.startswith(SIMULATED_SITE, start)]


def find_messages(sequence: str) -> list[tuple[str, str]]:
    payload = {"dna_sequence": sequence}
    ACCEPTS.validate(payload)
    violations = DnaLstmModel.find_violations(payload)
    assert all(violation.pointer == "/dna_sequence" for violation in violations)
    return [(violation.rule, violation.message) for violation in violations]


test_conformance = conformance(DnaLstmModel, payloads=draw_payloads(200, seed=1), calls=200)


def test_the_two_known_sequences_are_answered_as_they_always_were(model: DnaLstmModel) -> None:
    unbound, bound = model.predict_batch([{"dna_sequence": UNBOUND}, {"dna_sequence": f" {BOUND.lower()}\n"}])
    assert unbound.pop("probability") < 0.01
    assert bound.pop("probability") > 0.99
    assert unbound == {"dna_class": 0, "motif_position": None}
    assert bound == {"dna_class": 1, "motif_position": 11}


def test_the_network_is_right_in_every_case_and_by_the_whole_site(model: DnaLstmModel) -> None:
    def run(codes: Codes) -> Any:
        return model.run({"words": number_words(codes)})["probabilities"]

    results = [(metric, value) for _, metric, value in measure_drawn(run, SITE, repeats=1, seed=5)]
    assert min(value for metric, value in results if metric in ("accuracy", "worst_start")) >= 0.995
    assert min(value for metric, value in results if metric == "places") >= 0.99
    # The convolution sees half of the site at once: that each letter decides is the LSTM's work.
    changed = {metric: value for _, metric, value in measure_attribution(run, SITE, repeats=1, seed=5)}
    assert changed["answers_changed_inside_site"] >= 0.995
    assert changed["answers_changed_outside_site"] <= 0.005


@pytest.mark.parametrize("length", [51, 62, 88, 89, 90, 128, 500])
def test_a_site_is_found_wherever_it_starts_in_a_longer_sequence(model: DnaLstmModel, length: int) -> None:
    chooser = random.Random(length)
    starts = range(length - SITE_LENGTH + 1)
    texts = [put_site("".join(chooser.choices("ACGT", k=length)), start) for start in starts]
    outputs = model.predict_batch([{"dna_sequence": text} for text in texts])
    found = [[site["position"] for site in output["sites"]] for output in outputs]
    wrong = [text for text, positions in zip(texts, found, strict=True) if positions != find_positions(text)]
    assert len(wrong) <= 0.005 * len(texts), wrong


def test_every_site_of_a_long_sequence_is_told_beside_short_ones(model: DnaLstmModel) -> None:
    text = (BOUND + UNBOUND) * (MAX_LENGTH // (2 * LENGTH))
    texts = [text, BOUND, text[:-1], UNBOUND * 3]
    long, short, shorter, none = model.predict_batch([{"dna_sequence": letters} for letters in texts])
    assert [site["position"] for site in long["sites"]] == find_positions(text) == list(range(11, MAX_LENGTH, 100))
    assert (long["dna_class"], long["motif_position"]) == (1, 11)
    assert long["probability"] == max(site["probability"] for site in long["sites"])
    assert "sites" not in short
    assert shorter["sites"] == long["sites"]
    assert (none["dna_class"], none["motif_position"], none["sites"]) == (0, None, [])


def test_threads_that_predict_at_once_get_their_own_answers(model: DnaLstmModel) -> None:
    batches = [draw_payloads(20, seed=seed) for seed in range(40)]
    expected = [model.predict_batch(batch) for batch in batches]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(model.predict_batch, batches)) == expected


def test_words_are_read_back_as_the_letters_they_were_made_of() -> None:
    codes = np.random.default_rng(1).integers(0, 4, (100, LENGTH), dtype=np.uint8)
    words = number_words(codes)
    assert (read_words(words) == codes).all()
    assert words[0, 1] == sum(int(code) * 4 ** (5 - place) for place, code in enumerate(codes[0, 2:8]))


@pytest.mark.parametrize(
    ("payload", "rule", "sentence"),
    [
        ({}, "required", "The DNA sequence is missing: give 50 nucleotides or more"),
        ({"dna_sequence": ""}, "minLength", "The DNA sequence is empty: give 50 nucleotides or more"),
        ({"dna_sequence": "A" * 10_001}, "maxLength", "this text has more than 10000 characters"),
        ({"dna_sequence": ["A"] * 50}, "type", "one string of 50 letters A, C, G and T"),
    ],
)
def test_what_the_schema_refuses_has_a_sentence_of_its_own(payload: Any, rule: str, sentence: str) -> None:
    (error,) = ACCEPTS.iter_errors(payload)
    assert error.validator == rule
    assert sentence in error.schema["x-error-messages"][rule]


@pytest.mark.parametrize(
    ("sequence", "found"),
    [
        (BOUND[:49] + "u", "found 'u' at position 50 (counted"),
        ("NYx" + BOUND[3:], "found 'N' at position 1, 'Y' at position 2 and 'x' at position 3 (counted"),
        ("N" * 500, "'N' at position 3 and 497 more (counted"),
        (f"  {BOUND[:10]} {BOUND[11:]}", "found white space at position 11 (counted"),
        ("\u00a0" + BOUND[1:], "found white space at position 1 (counted"),
        (BOUND[:10] + "7" + BOUND[11:], "found a digit at position 11 (counted"),
        (BOUND[:10] + "А" + BOUND[11:], "no letter of the alphabet at position 11 (counted"),  # noqa: RUF001 - Cyrillic
        ("\ufb05" + BOUND[1:], "no letter of the alphabet at position 1 (counted"),  # its upper case is two letters
    ],
)
def test_letters_that_are_not_dna_are_named_with_their_places(sequence: str, found: str) -> None:
    ((rule, message),) = find_messages(sequence)
    assert rule == "pattern"
    assert message.startswith("expected the letters A, C, G and T alone; found ")
    assert found in message


@pytest.mark.parametrize(
    ("sequence", "said"),
    [
        (" \t\r\n\f\v", [("minLength", "The DNA sequence is empty")]),
        (f" {BOUND[:48]} ", [("minLength", "expected 50 nucleotides or more; this sequence is 48 long, 2 too few")]),
        ("A" * 5001, [("maxLength", "expected at most 5000 nucleotides; this sequence is 5001 long, 1 too many")]),
        (f"{BOUND[:40]}N", [("pattern", "expected the letters"), ("minLength", "expected 50")]),
    ],
)
def test_a_sequence_of_a_wrong_length_is_told_how_long_it_is(sequence: str, said: list[tuple[str, str]]) -> None:
    for (rule, message), (expected, begin) in zip(find_messages(sequence), said, strict=True):
        assert rule == expected
        assert message.startswith(begin)


@pytest.mark.parametrize(("length", "start"), [(50, 0), (50, 20), (50, 38), (200, 77), (1000, 988)])
def test_an_explanation_points_at_the_planted_site(model: DnaLstmModel, length: int, start: int) -> None:
    chooser = random.Random(length + start)
    text = put_site("".join(chooser.choices("ACGT", k=length)), start)
    found = explain_directly(model, {"dna_sequence": f" {text.lower()}\n"})
    (track,) = found["sequences"]
    falls = np.array(track["contributions"])
    assert track["letters"] == text
    assert found["is_complete"]
    assert start <= falls.argmax() < start + SITE_LENGTH
    assert falls[start : start + SITE_LENGTH].sum() > 0.7 * np.abs(falls).sum()


def test_where_nothing_is_bound_an_explanation_points_nowhere(model: DnaLstmModel) -> None:
    (track,) = explain_directly(model, {"dna_sequence": UNBOUND})["sequences"]
    assert max(map(abs, track["contributions"])) < 0.1
