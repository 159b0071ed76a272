"""The PyTorch class answers as the served graph does."""

import numpy as np
import pytest

from circrna_model import CircRnaModel
from circrna_model.features import PATCH, WINDOW_PATCHES, encode_letters, stack_windows, summarize, tokenize
from model_service.artifacts import verify_artifacts

torch = pytest.importorskip("torch")
from circrna_model.native import CircRnaTorchModel  # noqa: E402 - only where PyTorch is installed

SEQUENCES = 2_000


def make_payloads(count, *, seed):
    """Return sequences of many lengths; some are open in one frame, so that both labels occur."""
    rng = np.random.default_rng(seed)
    codons = ["GCC", "GAG", "AAG", "CTG", "GAA", "ATG", "GTG", "AAC", "TTC", "CAG"]
    payloads = []
    for number in range(count):
        length = int(np.exp(rng.uniform(np.log(200), np.log(4000))))
        if number % 2:
            text = "".join(rng.choice(codons, size=length // 3 + 1))[:length] + "CAG"
        else:
            text = "".join(rng.choice(list("ACGTNacgtu"), size=length, p=[0.11] * 4 + [0.01] + [0.11] * 5))
        payloads.append({"rna_sequence": text})
    return payloads


def test_the_two_classes_share_names_schemas_and_rules():
    for name in ("qualified_name", "version", "input_schema", "output_schema"):
        assert getattr(CircRnaTorchModel, name) == getattr(CircRnaModel, name)
    verify_artifacts(CircRnaTorchModel)


def test_both_classes_answer_2000_sequences_alike():
    payloads = [*make_payloads(SEQUENCES, seed=11), {"rna_sequence": "ACGGT" * 7_000}]
    served = CircRnaModel().predict_batch(payloads)
    native = CircRnaTorchModel().predict_batch(payloads)
    difference = [abs(a["probability"] - b["probability"]) for a, b in zip(served, native, strict=True)]
    assert max(difference) < 1e-4
    assert [row["label"] for row in served] == [row["label"] for row in native]
    assert {row["label"] for row in served} == {"circRNA", "lncRNA"}


def test_a_batch_of_64_answers_as_one_by_one():
    model = CircRnaTorchModel()
    payloads = make_payloads(64, seed=12)
    together = [output["probability"] for output in model.predict_batch(payloads)]
    assert together == pytest.approx([model.predict(payload)["probability"] for payload in payloads], abs=1e-5)


def test_attention_does_not_cross_the_batch():
    networks = CircRnaTorchModel()._ensemble
    codes = [encode_letters(payload["rna_sequence"][:200]) for payload in make_payloads(4, seed=13)]
    tokens = torch.from_numpy(stack_windows([tokenize(row) for row in codes], [(1, 5)] * 4))
    summaries = torch.from_numpy(np.stack([summarize(row) for row in codes])).requires_grad_()
    networks(tokens, summaries)[2].backward()
    touched = summaries.grad.abs().sum(dim=1) > 0
    assert touched.tolist() == [False, False, True, False]


def test_a_window_of_padding_alone_gives_a_number():
    networks = CircRnaTorchModel()._ensemble
    tokens = torch.zeros(1, 2, WINDOW_PATCHES * PATCH, dtype=torch.int64)
    tokens[0, 0] = 2
    with torch.inference_mode():
        assert torch.isfinite(networks(tokens, torch.from_numpy(summarize(encode_letters("A" * 3072))[None]))).all()
