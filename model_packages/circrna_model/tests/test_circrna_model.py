"""The served model: its contract, its rules, and that nothing beside a row changes the row's answer."""

import jsonschema
import numpy as np
import pytest

from circrna_model import CircRnaModel
from circrna_model.features import (
    MAX_CHUNK_NT,
    MAX_LENGTH,
    PAD_TOKEN,
    PATCH,
    SUMMARY_SIZE,
    UNKNOWN_TOKEN,
    VOCABULARY,
    WINDOW_PATCHES,
    build_vocabulary,
    count_windows,
    encode_letters,
    locate_parts,
    plan_chunks,
    stack_windows,
    summarize,
    tokenize,
)
from circrna_model.sequences import clean_sequence
from model_service.artifacts import read_metrics, verify_artifacts

TOLERANCE = 1e-5
#: Probabilities of the examples, in their order.
GOLDEN = [0.98376, 0.27659]


@pytest.fixture(scope="module")
def model():
    return CircRnaModel()


def make_sequence(length, *, seed=0, letters="ACGT"):
    return "".join(np.random.default_rng(seed).choice(list(letters), size=length))


def ask(model, sequences):
    return [output["probability"] for output in model.predict_batch([{"rna_sequence": text} for text in sequences])]


def find_rules(text):
    return [violation.rule for violation in CircRnaModel.find_violations({"rna_sequence": text})]


def find_message(text):
    (violation,) = CircRnaModel.find_violations({"rna_sequence": text})
    assert violation.pointer == "/rna_sequence"
    return violation.message


def test_the_artifacts_match_their_manifest():
    verify_artifacts(CircRnaModel)


def test_the_metrics_hold_an_evaluation_by_group():
    assert any("by group" in evaluation["split"] for evaluation in read_metrics(CircRnaModel)["evaluations"])


def test_the_examples_are_accepted_and_their_outputs_match_the_output_schema(model):
    for example in CircRnaModel.input_schema["examples"]:
        jsonschema.validate(example, CircRnaModel.input_schema)
        assert CircRnaModel.find_violations(example) == []
        jsonschema.validate(model.predict(example), CircRnaModel.output_schema)


def test_a_coding_exon_is_called_circular_and_its_other_strand_is_not(model):
    labels = [model.predict(example)["label"] for example in CircRnaModel.input_schema["examples"]]
    assert labels == ["circRNA", "lncRNA"]


def test_the_answers_to_the_examples_are_the_released_ones(model):
    answers = ask(model, [example["rna_sequence"] for example in CircRnaModel.input_schema["examples"]])
    assert answers == pytest.approx(GOLDEN, abs=1e-4)


def test_label_number_and_probability_agree(model):
    for seed in range(30):
        output = model.predict({"rna_sequence": make_sequence(300, seed=seed)})
        assert output["is_circrna"] == (output["probability"] >= 0.5)
        assert output["label"] == ("circRNA" if output["is_circrna"] else "lncRNA")
        assert type(output["is_circrna"]) is int
        assert type(output["probability"]) is float


def test_a_sequence_alone_and_among_63_others_gets_the_same_answer(model):
    lengths = np.random.default_rng(1).integers(200, 4000, size=64)
    sequences = [make_sequence(int(length), seed=seed) for seed, length in enumerate(lengths)]
    together = ask(model, sequences)
    alone = [ask(model, [sequence])[0] for sequence in sequences]
    assert together == pytest.approx(alone, abs=TOLERANCE)


def test_answers_come_in_the_order_of_the_payloads(model):
    sequences = [make_sequence(length, seed=length) for length in (5000, 200, 7000, 333, 3072, 3073)]
    assert ask(model, sequences[::-1]) == pytest.approx(ask(model, sequences)[::-1], abs=TOLERANCE)


@pytest.mark.parametrize("length", [200, 577, 3072, 3073, 9000])
def test_padding_changes_nothing(model, length):
    codes = encode_letters(make_sequence(length, seed=length))
    tokens, summary = tokenize(codes), summarize(codes)[None]
    shape = count_windows(tokens)
    plain = model._run_network(stack_windows([tokens], [shape]), summary)
    padded = model._run_network(stack_windows([tokens], [shape], patches=shape[1] + 37), summary)
    assert padded == pytest.approx(plain, abs=TOLERANCE)


def test_what_another_row_of_the_same_chunk_holds_changes_nothing(model):
    codes = [encode_letters(make_sequence(400, seed=seed)) for seed in range(3)]
    tokens = [tokenize(row) for row in codes]
    shapes = [count_windows(row) for row in tokens]
    summaries = np.stack([summarize(row) for row in codes])
    first = model._run_network(stack_windows(tokens[:2], shapes[:2]), summaries[:2])
    second = model._run_network(stack_windows(tokens[::2], shapes[::2]), summaries[::2])
    assert first[0] == pytest.approx(second[0], abs=TOLERANCE)


def test_the_middle_of_a_long_sequence_is_read(model):
    sequence = make_sequence(12_000, seed=5)
    codes = encode_letters(sequence)
    changed = tokenize(encode_letters(sequence[:5000] + "GCC" * 600 + sequence[6800:]))
    summary = summarize(codes)[None]
    shape = count_windows(changed)
    plain, other = (
        model._run_network(stack_windows([tokens], [shape]), summary)[0] for tokens in (tokenize(codes), changed)
    )
    assert abs(plain - other) > TOLERANCE


def test_rna_lower_case_and_fasta_are_the_same_sequence(model):
    sequence = make_sequence(300, seed=2)
    rna = sequence.replace("T", "U")
    pasted = ">name | anything: ÄÖ 123\r\n" + "\r\n".join(rna[i : i + 70] for i in range(0, 300, 70)) + "\r\n\r\n"
    assert clean_sequence(pasted) == rna
    assert find_rules(pasted) == []
    answers = ask(model, [sequence, rna, sequence.lower(), pasted])
    assert answers == pytest.approx([answers[0]] * 4, abs=TOLERANCE)


@pytest.mark.parametrize("letters", ["N", "A", "ACGTN", "TAA"])
def test_odd_compositions_are_answered(model, letters):
    output = model.predict({"rna_sequence": make_sequence(250, seed=3, letters=letters)})
    jsonschema.validate(output, CircRnaModel.output_schema)


@pytest.mark.parametrize("length", [200, 201, 202, 239, 240, 241, 3071, 3072, 3073, 3120, 100_000])
def test_every_length_at_an_edge_is_answered(model, length):
    text = make_sequence(length, seed=length)
    assert find_rules(text) == []
    jsonschema.validate({"rna_sequence": text}, CircRnaModel.input_schema)
    jsonschema.validate(model.predict({"rna_sequence": text}), CircRnaModel.output_schema)


def test_predicting_does_not_change_the_payload(model):
    payload = {"rna_sequence": ">x\n" + make_sequence(220)}
    copy = dict(payload)
    model.predict(payload)
    assert payload == copy


@pytest.mark.parametrize("value", [None, 5, ["A" * 300], "A" * 199, "", "A" * 110_001])
def test_the_schema_refuses_what_is_no_sequence(value):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"rna_sequence": value}, CircRnaModel.input_schema)


def test_the_schema_refuses_missing_and_unknown_fields():
    for payload in ({}, {"rna_sequence": "A" * 200, "name": "x"}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(payload, CircRnaModel.input_schema)


def test_wrong_letters_are_named_with_their_positions_and_at_most_three():
    message = find_message(">h\nACXT\nR" + "A" * 250 + "QZ!")
    assert "'X' at position 3, 'R' at position 5, 'Q' at position 256 and 2 more" in message
    assert "'Z'" not in message


def test_wrong_letters_that_cannot_be_printed_are_named_by_code_point():
    assert "U+0000 at position 1, U+0020 at position 3, U+00C4 at position 5;" in find_message("\0A AÄ" + "A" * 250)


def test_letters_other_than_line_ends_are_not_taken_for_line_ends():
    assert find_rules("A" * 200 + "\x0b" + "A") == ["letters"]


def test_the_length_counts_after_header_and_line_ends_are_removed():
    assert "got 199" in find_message(">" + "A" * 50 + "\n" + "ACGTA\n" * 39 + "ACGT")
    assert find_rules(">" + "A" * 50 + "\n" + "ACGTA\n" * 40) == []
    assert "got 100,001" in find_message("A" * (MAX_LENGTH + 1))


def test_two_records_are_refused_and_batch_is_named():
    message = find_message(">a\n" + "A" * 250 + "\n>b\n" + "C" * 250)
    assert "expected one FASTA record, got 2" in message
    assert "batch" in message


def test_a_header_after_letters_is_refused():
    assert find_rules("A" * 250 + "\n>b\n" + "C" * 250) == ["records"]


def test_a_header_alone_is_too_short():
    assert find_rules(">" + "A" * 250) == ["length"]


def test_the_vocabulary_holds_every_3_mer_once_after_padding_and_unknown():
    assert build_vocabulary() == VOCABULARY
    assert len(VOCABULARY) == 66
    assert (VOCABULARY["<pad>"], VOCABULARY["<unknown>"]) == (PAD_TOKEN, UNKNOWN_TOKEN)


def test_tokens_are_overlapping_3_mers():
    words = {number: word for word, number in VOCABULARY.items()}
    tokens = tokenize(encode_letters("ACGTuNA"))
    assert [words[token] for token in tokens[:5].tolist()] == ["ACG", "CGT", "GTT", "<unknown>", "<unknown>"]
    assert len(tokens) == PATCH
    assert not tokens[5:].any()


def test_a_summary_measures_the_longest_open_frame():
    sequence = "TAATTAGTTGA" + "ATG" + "GCC" * 70 + "TAA"
    codes = encode_letters(sequence)
    summary = summarize(codes)
    assert summary.shape == (SUMMARY_SIZE,)
    shares = summary[locate_parts("open_frame_shares")]
    total = (len(sequence) - 2) / 3
    assert shares[3] * total == pytest.approx(71, abs=1e-3)
    assert shares[0] >= shares[1] >= shares[2]
    assert summary[locate_parts("log_length")] == pytest.approx(np.log(len(sequence)))


def test_the_frequencies_of_each_k_add_up_to_one():
    summary = summarize(encode_letters(make_sequence(500, letters="ACGTN")))
    assert summary[locate_parts("frequencies")].sum() == pytest.approx(4, abs=1e-5)


def test_windows_cover_a_sequence_and_none_is_empty():
    for length in (200, 3072, 3073, 6144, 6145, 38_154, MAX_LENGTH):
        tokens = tokenize(np.ones(length, dtype=np.uint8))
        windows, patches = count_windows(tokens)
        assert patches <= WINDOW_PATCHES
        stacked = stack_windows([tokens], [(windows, patches)])
        assert (stacked != PAD_TOKEN).sum() == length - 2
        assert stacked.any(axis=2).all()


def test_a_chunk_is_bounded_and_every_row_is_in_one():
    shapes = [(1, patches) for patches in range(5, 65)] * 20 + [(2, 40)] * 3 + [(33, 64)] * 2
    chunks = list(plan_chunks(shapes))
    assert sorted(row for chunk in chunks for row in chunk) == list(range(len(shapes)))
    for chunk in chunks:
        assert len({shapes[row][0] for row in chunk}) == 1
        padded = len(chunk) * shapes[chunk[0]][0] * max(shapes[row][1] for row in chunk) * PATCH
        assert padded <= MAX_CHUNK_NT
