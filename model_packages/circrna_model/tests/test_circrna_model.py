"""The served model: its contract, its rules, and that nothing beside a row changes the row's answer."""

import random
from concurrent.futures import ThreadPoolExecutor

import jsonschema
import numpy as np
import pytest

from circrna_model import CircRnaModel
from circrna_model.damage import plant_stops, rotate, shuffle_codons
from circrna_model.decision import TRAINING_PRIOR
from circrna_model.features import (
    JOIN_LETTERS,
    MAX_CHUNK_NT,
    MAX_LENGTH,
    PAD_TOKEN,
    PATCH,
    UNKNOWN_TOKEN,
    VOCABULARY,
    WINDOW_PATCHES,
    build_vocabulary,
    count_windows,
    decode_letters,
    encode_letters,
    join_ends,
    lay_patches,
    number_kmers,
    plan_chunks,
    stack_windows,
)
from circrna_model.sequences import clean_sequence
from model_service.artifacts import read_metrics
from model_service.conformance.pytest_plugin import conformance
from model_service.explain import explain_directly
from model_service.schema.validation import SchemaValidator

TOLERANCE = 1e-5
EXON = CircRnaModel.input_schema["examples"][0]["rna_sequence"]
#: Probabilities of the examples, in their order.
GOLDEN = [0.99057, 0.00024, 0.92113]


@pytest.fixture(scope="module")
def model():
    return CircRnaModel()


def make_sequence(length, *, seed=0, letters="ACGT"):
    return "".join(np.random.default_rng(seed).choice(list(letters), size=length))


def ask(model, sequences):
    return [output["probability"] for output in model.predict_batch([{"rna_sequence": text} for text in sequences])]


def read_tokens(text):
    codes = encode_letters(text)
    return lay_patches(join_ends(codes), number_kmers(codes))


def make_kinds(count):
    """Return sequences of one length that are open in one frame and end like an exon, or drawn letters; and which."""
    rng = np.random.default_rng(4)
    codons = ["GCC", "GAG", "AAG", "CTG", "GAA", "ATG", "GTG", "AAC", "TTC", "CAG", "GAC", "ATC", "CCT", "AGC", "GGA"]
    kinds = np.arange(count) % 2
    texts = [
        "".join(rng.choice(codons, size=199)) + "CAG" if kind else make_sequence(600, seed=number + 1000)
        for number, kind in enumerate(kinds)
    ]
    return texts, kinds


def is_whole(result):
    return result["split"] == "4-fold cross-validation by group, seed 0"


def measure_hits(model, tokens, kinds):
    return np.mean((model._run_network(tokens) >= 0.5) == kinds)


def find_rules(text):
    return [violation.rule for violation in CircRnaModel.find_violations({"rna_sequence": text})]


def find_message(text):
    (violation,) = CircRnaModel.find_violations({"rna_sequence": text})
    assert violation.pointer == "/rna_sequence"
    return violation.message


#: Every edge of length, and odd compositions.
LENGTHS = [
    *np.random.default_rng(1).integers(200, 4000, size=20).tolist(),
    *(200, 201, 202, 239, 240, 241, 3071, 3072, 3073, 3120, 7000),
]
TEXTS = [
    *(make_sequence(length, seed=length) for length in LENGTHS),
    *(make_sequence(250, seed=3, letters=letters) for letters in ("N", "A", "ACGTN", "TAA")),
]
test_conformance = conformance(CircRnaModel, payloads=[{"rna_sequence": text} for text in TEXTS], calls=200)


def test_the_longest_sequence_is_answered_as_the_schema_promises(model):
    output = model.predict({"rna_sequence": make_sequence(MAX_LENGTH)})
    assert SchemaValidator(model.output_schema).find_violations(output) == []


def test_the_metrics_hold_an_evaluation_by_group(model):
    results = read_metrics(CircRnaModel)["results"]
    whole = {
        result["metric"]: result["value"] for result in results if result["model"] == "transformer" and is_whole(result)
    }
    assert whole["accuracy"] >= 0.94
    assert whole["auc"] >= 0.975


def test_the_prior_of_the_network_is_that_of_the_data():
    (share,) = (result["value"] for result in read_metrics(CircRnaModel)["results"] if result["model"] == "the data")
    assert pytest.approx(share, abs=1e-9) == TRAINING_PRIOR


def test_a_coding_exon_is_called_circular_and_drawn_letters_are_not(model):
    exon, drawn, _ = CircRnaModel.input_schema["examples"]
    assert model.predict(exon)["label"] == "circRNA"
    assert model.predict(drawn | {"prior": None})["label"] == "lncRNA"


def test_the_answers_to_the_examples_are_the_released_ones(model):
    outputs = model.predict_batch(CircRnaModel.input_schema["examples"])
    assert [output["probability"] for output in outputs] == pytest.approx(GOLDEN, abs=1e-4)


def test_label_number_and_probability_agree(model):
    for seed in range(30):
        output = model.predict({"rna_sequence": make_sequence(300, seed=seed)})
        assert output["is_circrna"] == (output["probability"] >= 0.5)
        assert output["label"] == ("circRNA" if output["is_circrna"] else "lncRNA")


def test_threads_that_predict_at_once_get_the_answers_of_one(model):
    sequences = [make_sequence(200 + 150 * number, seed=number) for number in range(24)]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda text: ask(model, [text])[0], sequences * 3))
    assert together == pytest.approx([ask(model, [text])[0] for text in sequences] * 3, abs=TOLERANCE)


@pytest.mark.parametrize("length", [200, 577, 3072, 3073, 9000])
def test_padding_changes_nothing(model, length):
    tokens = read_tokens(make_sequence(length, seed=length))
    shape = count_windows(tokens)
    plain = model._run_network(stack_windows([tokens], [shape]))
    padded = model._run_network(stack_windows([tokens], [shape], patches=shape[1] + 37))
    assert padded == pytest.approx(plain, abs=TOLERANCE)


def test_what_another_row_of_the_same_chunk_holds_changes_nothing(model):
    tokens = [read_tokens(make_sequence(400, seed=seed)) for seed in range(3)]
    shapes = [count_windows(row) for row in tokens]
    first = model._run_network(stack_windows(tokens[:2], shapes[:2]))
    second = model._run_network(stack_windows(tokens[::2], shapes[::2]))
    assert first[0] == pytest.approx(second[0], abs=TOLERANCE)


def test_the_middle_of_a_long_sequence_is_read(model):
    sequence = make_sequence(12_000, seed=5)
    plain, changed = ask(model, [sequence, sequence[:5000] + "GCC" * 600 + sequence[6800:]])
    assert abs(plain - changed) > TOLERANCE


# --- the letters decide: a path through the network that is dead fails here ------------------------------------------


def test_the_graph_reads_tokens_and_nothing_else(model):
    assert [entry.name for entry in model._session.get_inputs()] == ["tokens"]


def test_with_the_letters_of_other_rows_the_answers_are_as_good_as_drawn_ones(model):
    texts, kinds = make_kinds(200)
    shapes = [count_windows(read_tokens(text)) for text in texts]
    assert len(set(shapes)) == 1
    tokens = stack_windows([read_tokens(text) for text in texts], shapes)
    order = np.random.default_rng(1).permutation(len(texts))
    assert measure_hits(model, tokens, kinds) > 0.95
    assert 0.35 < measure_hits(model, tokens[order], kinds) < 0.65
    # The join alone, with the letters of another row behind it, does not decide either.
    tokens[:, :, PATCH:] = tokens[order][:, :, PATCH:]
    assert 0.35 < measure_hits(model, tokens, kinds) < 0.65


def test_stop_codons_in_every_frame_turn_the_answer(model):
    texts, kinds = make_kinds(60)
    open_ones = [text for text, kind in zip(texts, kinds, strict=True) if kind]
    stopped = [decode_letters(plant_stops(encode_letters(text))) for text in open_ones]
    assert np.mean(np.array(ask(model, open_ones)) >= 0.5) > 0.9
    assert np.mean(np.array(ask(model, stopped)) >= 0.5) < 0.1


def test_one_stop_codon_in_every_frame_moves_the_answer(model):
    exon = encode_letters(EXON)
    stopped = exon.copy()
    stopped[110:121] = encode_letters("TAATTAATTAA")
    before, after = ask(model, [EXON, decode_letters(stopped)])
    assert before - after > 0.05


def test_codons_in_another_order_move_the_answer(model):
    rng = np.random.default_rng(2)
    shuffled = [decode_letters(shuffle_codons(encode_letters(EXON), rng)) for _ in range(20)]
    before, *after = np.log([odds / (1 - odds) for odds in ask(model, [EXON, *shuffled])])
    assert np.abs(np.array(after) - before).max() > 0.1


def test_most_circles_keep_their_answer_wherever_they_begin(model):
    texts, kinds = make_kinds(60)
    rng = np.random.default_rng(3)
    open_ones = [text for text, kind in zip(texts, kinds, strict=True) if kind]
    rotated = [decode_letters(rotate(encode_letters(text), rng)) for text in open_ones]
    assert np.mean(np.array(ask(model, rotated)) >= 0.5) > 0.8


# --- what an answer shows beside the probability ----------------------------------------------------------------------


def test_the_longest_open_frame_is_told_by_place_length_share_and_frame(model):
    text = "TAATTAGTTGA" + "GCC" * 70 + "TAA" + "TAATTAATTAA" * 3
    frame = model.predict({"rna_sequence": text})["open_frame"]
    assert frame["frame"] == (frame["start"] - 1) % 3 + 1
    opened = text[frame["start"] - 1 : frame["start"] - 1 + frame["length_nt"]]
    codons = [opened[i : i + 3] for i in range(0, len(opened), 3)]
    assert not {"TAA", "TAG", "TGA"} & set(codons)
    assert frame["length_nt"] >= 210
    assert frame["share"] == pytest.approx(frame["length_nt"] / len(text), abs=1e-4)


@pytest.mark.parametrize(("end", "is_like"), [("AG", True), ("ag", True), ("AC", False), ("AN", False)])
def test_ends_like_a_back_splice_are_told(model, end, is_like):
    assert model.predict({"rna_sequence": make_sequence(400) + end})["back_splice_ends"] is is_like


@pytest.mark.parametrize(
    ("text", "is_low"),
    [("ACGTC" * 59, True), ("ACGTC" * 60, False), ("N" * 301 + "A" * 299, True), ("N" * 300 + "A" * 300, False)],
)
def test_little_evidence_is_told(model, text, is_low):
    assert model.predict({"rna_sequence": text})["low_evidence"] is is_low


def test_a_prior_moves_the_odds_and_the_label_follows(model):
    odds = []
    for prior in (None, TRAINING_PRIOR, 0.5, 0.01, 0.000_001):
        output = model.predict({"rna_sequence": EXON, "prior": prior})
        assert output["is_circrna"] == (output["probability"] >= 0.5)
        odds.append(output["probability"] / (1 - output["probability"]))
    assert odds[1] == pytest.approx(odds[0], rel=1e-6)
    assert odds[0] / odds[2] == pytest.approx(TRAINING_PRIOR / (1 - TRAINING_PRIOR), rel=1e-6)
    assert odds[2] / odds[3] == pytest.approx(99, rel=1e-6)
    assert model.predict({"rna_sequence": EXON, "prior": 0.000_001})["label"] == "lncRNA"


@pytest.mark.parametrize("prior", [0, 1, -0.1, "0.5", True])
def test_a_prior_that_is_no_share_is_refused(prior):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"rna_sequence": "A" * 200, "prior": prior}, CircRnaModel.input_schema)


def test_rna_lower_case_and_fasta_are_the_same_sequence(model):
    sequence = make_sequence(300, seed=2)
    rna = sequence.replace("T", "U")
    pasted = ">name | anything: ÄÖ 123\r\n" + "\r\n".join(rna[i : i + 70] for i in range(0, 300, 70)) + "\r\n\r\n"
    assert clean_sequence(pasted) == rna
    assert find_rules(pasted) == []
    answers = ask(model, [sequence, rna, sequence.lower(), pasted])
    assert answers == pytest.approx([answers[0]] * 4, abs=TOLERANCE)


@pytest.mark.parametrize("value", [None, 5, ["A" * 300], "A" * 199, "", "A" * 110_001])
def test_the_schema_refuses_what_is_no_sequence(value):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"rna_sequence": value}, CircRnaModel.input_schema)


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


def test_tokens_are_overlapping_3_mers_that_go_on_over_the_join():
    words = {number: word for word, number in VOCABULARY.items()}
    kmers = number_kmers(encode_letters("ACGTuNATC"))
    read = [words[token] for token in kmers.tolist()]
    assert read == ["ACG", "CGT", "GTT", *["<unknown>"] * 3, "ATC", "TCA", "CAC"]


def test_a_row_begins_with_the_patch_over_the_join():
    words = {number: word for word, number in VOCABULARY.items()}
    text = make_sequence(300, seed=9)
    joined = text[-JOIN_LETTERS:] + text[:JOIN_LETTERS]
    tokens = read_tokens(text)
    assert [words[token] for token in tokens[:PATCH].tolist()] == [joined[i : i + 3] for i in range(PATCH)]
    assert tokens[PATCH : PATCH + 300].tolist() == number_kmers(encode_letters(text)).tolist()
    assert len(tokens) == PATCH + 7 * PATCH
    assert not tokens[PATCH + 300 :].any()


def test_windows_cover_a_sequence_and_none_is_empty():
    for length in (200, 3072, 3073, 6144, 6145, 38_154, MAX_LENGTH):
        tokens = read_tokens("C" * length)
        windows, patches = count_windows(tokens)
        assert patches <= WINDOW_PATCHES
        stacked = stack_windows([tokens], [(windows, patches)])
        assert (stacked[:, :, PATCH:] != PAD_TOKEN).sum() == length
        assert stacked[:, :, PATCH:].any(axis=2).all()
        assert (stacked[:, :, :PATCH] == tokens[:PATCH]).all()


def test_a_chunk_is_bounded_and_every_row_is_in_one():
    shapes = [(1, patches) for patches in range(5, 65)] * 20 + [(2, 40)] * 3 + [(33, 64)] * 2
    chunks = list(plan_chunks(shapes))
    assert sorted(row for chunk in chunks for row in chunk) == list(range(len(shapes)))
    for chunk in chunks:
        assert len({shapes[row][0] for row in chunk}) == 1
        padded = len(chunk) * shapes[chunk[0]][0] * max(shapes[row][1] for row in chunk) * PATCH
        assert padded <= MAX_CHUNK_NT or len(chunk) == 1


def test_an_explanation_points_at_the_open_frame(model):
    chooser = random.Random(1)
    codons = [word for word in VOCABULARY if len(word) == 3 and word not in ("TAA", "TAG", "TGA")]
    text = "".join(chooser.choices(codons, k=200)) + make_sequence(198) + "AG"
    frame = model.predict({"rna_sequence": text})["open_frame"]
    (track,) = explain_directly(model, {"rna_sequence": text.lower().replace("t", "u")})["sequences"]
    falls, first = np.array(track["contributions"]), frame["start"] - 1
    is_open = (np.arange(len(text)) >= first) & (np.arange(len(text)) < first + frame["length_nt"])
    assert track["letters"] == text
    assert 0.5 < is_open.mean() < 0.9
    assert falls[is_open].mean() > 3 * max(falls[~is_open].mean(), 0.01)
