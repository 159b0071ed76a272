"""What the shipped DNA model answers, accepts and refuses. Needs no TensorFlow."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from dna_lstm_model import DnaLstmModel
from dna_lstm_model.features import LENGTH, SITE_LENGTH, STARTS, encode_sequences, make_one_hot
from model_service.artifacts import read_artifacts, read_metrics, verify_artifacts

ACCEPTS = Draft202012Validator(DnaLstmModel.input_schema)
ANSWERS = Draft202012Validator(DnaLstmModel.output_schema)
UNBOUND = "ACTCGCTGTCCACGTCTATTCCTAGGGGTTTTATTTCGCAAGGTGATACT"
BOUND = "TGCAAAGGGGCGACCGAACTCCCTTTACCGCGGAGTTATTCATAATTGAA"
#: What the simulation implants (README of the data).
SITE = "CGACCGAACTCC"


@pytest.fixture(scope="module")
def model() -> DnaLstmModel:
    return DnaLstmModel()


def generate_sequence(chooser: random.Random) -> str:
    return "".join(chooser.choices("ACGT", k=LENGTH))


def generate_payloads(count: int, *, seed: int) -> list[dict[str, Any]]:
    """Return sequences with and without the site or one letter off it, in both cases and with white space around."""
    chooser = random.Random(seed)
    payloads = []
    for number in range(count):
        sequence = generate_sequence(chooser)
        if number % 3:
            near = list(SITE)
            near[chooser.randrange(SITE_LENGTH)] = chooser.choice("ACGT")
            word, start = chooser.choice([SITE, "".join(near)]), chooser.randrange(STARTS)
            sequence = sequence[:start] + word + sequence[start + SITE_LENGTH :]
        sequence = chooser.choice([sequence, sequence.lower(), f"\t{sequence.title()}\r\n"])
        payloads.append({"dna_sequence": sequence})
    return payloads


def find_messages(sequence: str) -> list[tuple[str, str]]:
    payload = {"dna_sequence": sequence}
    ACCEPTS.validate(payload)
    violations = DnaLstmModel.find_violations(payload)
    assert all(violation.pointer == "/dna_sequence" for violation in violations)
    return [(violation.rule, violation.message) for violation in violations]


def count_wrong(model: DnaLstmModel, sequences: list[str]) -> int:
    outputs = model.predict_batch([{"dna_sequence": sequence} for sequence in sequences])
    return sum(output["dna_class"] != (SITE in sequence) for sequence, output in zip(sequences, outputs, strict=True))


def put_site(word: str, start: int, background: str) -> str:
    return background[:start] + word + background[start + len(word) :]


def test_the_two_known_sequences_get_their_classes(model: DnaLstmModel) -> None:
    unbound, bound = model.predict_batch([{"dna_sequence": UNBOUND}, {"dna_sequence": BOUND}])
    assert (unbound["dna_class"], unbound["motif_position"]) == (0, None)
    assert unbound["probability"] < 0.01
    assert (bound["dna_class"], bound["motif_position"]) == (1, BOUND.index(SITE) + 1)
    assert bound["probability"] > 0.99


def test_the_site_is_found_wherever_it_starts(model: DnaLstmModel) -> None:
    chooser = random.Random(4)
    starts = list(range(STARTS)) * 20
    payloads = [{"dna_sequence": put_site(SITE, start, generate_sequence(chooser))} for start in starts]
    outputs = model.predict_batch(payloads)
    assert sum(output["dna_class"] for output in outputs) >= 0.995 * len(outputs)
    right = sum(output["motif_position"] == start + 1 for start, output in zip(starts, outputs, strict=True))
    assert right >= 0.995 * len(outputs)


def test_sequences_without_the_site_are_not_bound(model: DnaLstmModel) -> None:
    chooser = random.Random(5)
    assert count_wrong(model, [generate_sequence(chooser) for _ in range(4000)]) <= 20


def test_one_letter_off_is_not_bound(model: DnaLstmModel) -> None:
    chooser = random.Random(6)
    variants = {put_site(letter, place, SITE) for place in range(SITE_LENGTH) for letter in "ACGT"} - {SITE}
    assert len(variants) == 36
    near = [put_site(word, start, generate_sequence(chooser)) for word in variants for start in range(STARTS)]
    assert count_wrong(model, near) <= 0.005 * len(near)


def test_the_other_strand_of_the_site_is_not_bound(model: DnaLstmModel) -> None:
    chooser = random.Random(7)
    turned = SITE[::-1].translate(str.maketrans("ACGT", "TGCA"))
    words = [turned] + [put_site(letter, place, turned) for place in range(SITE_LENGTH) for letter in "ACGT"]
    sequences = [put_site(word, start, generate_sequence(chooser)) for word in words for start in range(STARTS)]
    assert count_wrong(model, sequences) <= 0.005 * len(sequences)


@pytest.mark.parametrize("unit", ["A", "C", "G", "T", "CG", "ACGT", "CCG", "GAACTCC", SITE])
def test_a_repeated_unit_is_bound_only_with_the_site_in_it(model: DnaLstmModel, unit: str) -> None:
    assert count_wrong(model, [(unit * LENGTH)[:LENGTH]]) == 0


def test_both_schemas_are_schemas() -> None:
    Draft202012Validator.check_schema(DnaLstmModel.input_schema)
    Draft202012Validator.check_schema(DnaLstmModel.output_schema)


def test_every_example_is_accepted_and_answered_by_the_schemas(model: DnaLstmModel) -> None:
    examples = DnaLstmModel.input_schema["examples"]
    assert 2 <= len(examples) <= 4
    for example in examples:
        ACCEPTS.validate(example)
        assert DnaLstmModel.find_violations(example) == []
        ANSWERS.validate(model.predict(example))


def test_the_last_example_is_one_letter_off_and_not_bound(model: DnaLstmModel) -> None:
    example = DnaLstmModel.input_schema["examples"][-1]
    assert sum(a != b for a, b in zip(example["dna_sequence"].strip().upper(), BOUND, strict=True)) == 1
    assert model.predict(example)["dna_class"] == 0


def test_a_batch_answers_what_single_rows_answer(model: DnaLstmModel) -> None:
    payloads = generate_payloads(1500, seed=1)  # more than one chunk
    single = [model.predict(payload) for payload in payloads]
    for batch, expected in ((payloads, single), (payloads[::-1], single[::-1]), (payloads[:7], single[:7])):
        for output, alone in zip(model.predict_batch(batch), expected, strict=True):
            assert output["probability"] == pytest.approx(alone["probability"], abs=1e-5)
            assert output["dna_class"] == alone["dna_class"]
            assert output["motif_position"] == alone["motif_position"]


def test_every_accepted_payload_gets_an_answer_of_plain_types(model: DnaLstmModel) -> None:
    payloads = generate_payloads(1500, seed=2)
    for payload, output in zip(payloads, model.predict_batch(payloads), strict=True):
        ACCEPTS.validate(payload)
        assert DnaLstmModel.find_violations(payload) == []
        ANSWERS.validate(output)
        assert type(output["probability"]) is float
        assert type(output["dna_class"]) is int
        assert output["dna_class"] == int(output["probability"] >= 0.5)
        assert (output["motif_position"] is None) == (output["dna_class"] == 0)


def test_case_and_white_space_around_play_no_part(model: DnaLstmModel) -> None:
    for text in (BOUND.lower(), BOUND.title(), f"  {BOUND}\n", f"\r\n\t{BOUND.lower()}\f\v"):
        assert DnaLstmModel.find_violations({"dna_sequence": text}) == []
        assert model.predict({"dna_sequence": text}) == model.predict({"dna_sequence": BOUND})


def test_prediction_does_not_change_the_payload(model: DnaLstmModel) -> None:
    payload = {"dna_sequence": f" {BOUND.lower()}"}
    model.predict(payload)
    assert payload == {"dna_sequence": f" {BOUND.lower()}"}


@pytest.mark.parametrize(
    ("payload", "rule", "sentence"),
    [
        ({}, "required", "The DNA sequence is missing: give the 50 nucleotides"),
        ({"dna_sequence": ""}, "minLength", "The DNA sequence is empty: give the 50 nucleotides"),
        ({"dna_sequence": "A" * 1001}, "maxLength", "this text has more than 1000 characters"),
        ({"dna_sequence": None}, "type", "one string of 50 letters A, C, G and T"),
        ({"dna_sequence": 5}, "type", "one string"),
        ({"dna_sequence": ["A"] * 50}, "type", "one string"),
    ],
)
def test_what_the_schema_refuses_has_a_sentence_of_its_own(payload: Any, rule: str, sentence: str) -> None:
    (error,) = ACCEPTS.iter_errors(payload)
    assert error.validator == rule
    assert sentence in error.schema["x-error-messages"][rule]


def test_other_fields_are_refused() -> None:
    assert not ACCEPTS.is_valid({"dna_sequence": BOUND, "rna_sequence": BOUND})


@pytest.mark.parametrize("blank", [" ", "\n", " \t\r\n\f\v"])
def test_white_space_alone_is_empty(blank: str) -> None:
    ((rule, message),) = find_messages(blank)
    assert rule == "minLength"
    assert message == DnaLstmModel.input_schema["properties"]["dna_sequence"]["x-error-messages"]["minLength"]


@pytest.mark.parametrize(
    ("sequence", "found"),
    [
        ("N" + BOUND[1:], "found 'N' at position 1 (counted"),
        (BOUND[:49] + "u", "found 'u' at position 50 (counted"),
        ("  R" + BOUND[1:], "found 'R' at position 1 (counted"),
        ("NN" + BOUND[2:], "found 'N' at position 1 and 'N' at position 2 (counted"),
        ("NYx" + BOUND[3:], "found 'N' at position 1, 'Y' at position 2 and 'x' at position 3 (counted"),
        ("NNNN" + BOUND[4:], "found 'N' at position 1, 'N' at position 2, 'N' at position 3 and 1 more (counted"),
        ("N" * 50, "and 47 more (counted"),
        (BOUND[:10] + " " + BOUND[11:], "found white space at position 11 (counted"),
        (BOUND[:10] + "\u00a0" + BOUND[11:], "found white space at position 11 (counted"),
        (BOUND[:10] + "7" + BOUND[11:], "found a digit at position 11 (counted"),
        (BOUND[:10] + "-" + BOUND[11:], "found a character that is no letter of the alphabet at position 11 (counted"),
        (BOUND[:10] + "А" + BOUND[11:], "no letter of the alphabet at position 11 (counted"),  # noqa: RUF001 - Cyrillic
        ("\u00a0" + BOUND[1:], "found white space at position 1 (counted"),
        ("\U0001f9ec" + BOUND[1:], "no letter of the alphabet at position 1 (counted"),
        ("\ufb05" + BOUND[1:], "no letter of the alphabet at position 1 (counted"),  # its upper case is two letters
    ],
)
def test_letters_that_are_not_dna_are_named_with_their_places(sequence: str, found: str) -> None:
    ((rule, message),) = find_messages(sequence)
    assert rule == "pattern"
    assert message.startswith("expected the letters A, C, G and T alone; found ")
    assert found in message


@pytest.mark.parametrize(
    ("sequence", "rule", "found"),
    [
        ("A", "minLength", "this sequence is 1 long, 49 too few"),
        (BOUND[:49], "minLength", "this sequence is 49 long, 1 too few"),
        (f" {BOUND[:48]} ", "minLength", "this sequence is 48 long, 2 too few"),
        (BOUND + "a", "maxLength", "this sequence is 51 long, 1 too many"),
        ("ACGT" * 250, "maxLength", "this sequence is 1000 long, 950 too many"),
    ],
)
def test_a_sequence_of_another_length_is_told_how_long_it_is(sequence: str, rule: str, found: str) -> None:
    ((broken, message),) = find_messages(sequence)
    assert broken == rule
    assert message == f"expected exactly 50 nucleotides; {found}"


def test_wrong_letters_and_a_wrong_length_are_both_told() -> None:
    assert [rule for rule, _ in find_messages(f"{BOUND}N")] == ["pattern", "maxLength"]


def test_letters_become_their_channel() -> None:
    one_hot = make_one_hot(encode_sequences(["ACGT" * 12 + "TA", f" {'t' * 50}"]))
    assert one_hot.shape == (2, LENGTH, 4)
    assert one_hot.dtype == np.float32
    assert one_hot[0].argmax(axis=1).tolist() == [0, 1, 2, 3] * 12 + [3, 0]
    assert (one_hot.sum(axis=2) == 1).all()
    assert (one_hot[1, :, 3] == 1).all()


def test_the_artifacts_are_those_of_the_manifest() -> None:
    verify_artifacts(DnaLstmModel)
    assert {artifact.name for artifact in read_artifacts(DnaLstmModel)} == {
        "metrics.json",
        "model.keras",
        "model.onnx",
    }


def test_the_shipped_network_is_right_in_every_case() -> None:
    shipped = [e for e in read_metrics(DnaLstmModel)["evaluations"] if e["network"] == "shipped"]
    assert min(evaluation["accuracy"] for evaluation in shipped if "accuracy" in evaluation) >= 0.995


def test_the_model_card_states_the_shipped_metrics() -> None:
    card = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8").replace("`", "").replace("*", "")
    evaluations = read_metrics(DnaLstmModel)["evaluations"]
    for split in {evaluation["split"] for evaluation in evaluations}:
        (row,) = (line for line in card.splitlines() if line.startswith(f"| {split.removeprefix('drawn: ')} |"))
        shipped, alone = (
            next(e for e in evaluations if e["split"] == split and e["network"] == network)
            for network in ("shipped", "trained on the rows alone")
        )
        cells = [cell.strip() for cell in row.split("|")[2:-1]]
        names = ("accuracy",) if "accuracy" in shipped else ("answers_changed_inside_motif",)
        assert cells[:3] == [
            f"{shipped['sequences']:,}",
            *(f"{evaluation[name]:.5f}" for evaluation in (shipped, alone) for name in names),
        ]
