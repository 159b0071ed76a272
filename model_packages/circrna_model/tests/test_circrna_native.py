"""The PyTorch class answers as the served graph does."""

import numpy as np
import pytest

from circrna_model import CircRnaModel
from circrna_model.features import PATCH, WINDOW_PATCHES
from model_service.artifacts import verify_artifacts

torch = pytest.importorskip("torch")
from circrna_model.native import CircRnaTorchModel  # noqa: E402 - only where PyTorch is installed
from circrna_model.network import CLOSED, close_gates  # noqa: E402

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
    network = CircRnaTorchModel()._ensemble.networks[0]
    embedded = []
    network.embedding.register_forward_hook(lambda _module, _inputs, output: embedded.append(output))
    network(torch.randint(2, 66, (4, 1, 6 * PATCH)))[2].backward(inputs=embedded)
    # Of the join, one entry per row; of the codons, three per row, one per frame.
    for states, frames in zip(embedded, (1, 3), strict=True):
        touched = states.grad.abs().flatten(1).sum(dim=1) > 0
        assert touched.reshape(4, frames).tolist() == [[False] * frames] * 2 + [[True] * frames, [False] * frames]


def test_a_window_of_padding_alone_gives_a_number():
    tokens = torch.zeros(1, 2, (WINDOW_PATCHES + 1) * PATCH, dtype=torch.int64)
    tokens[0, 0] = 2
    with torch.inference_mode():
        assert torch.isfinite(CircRnaTorchModel()._ensemble(tokens)).all()


@pytest.mark.parametrize("letters", [598, 599, 600])
def test_a_gate_is_as_far_as_the_shorter_way_round_the_circle(letters):
    """The function that closes gates against a walk from patch to patch, frame after frame."""
    torch.manual_seed(letters)
    patches, join, shift = 4, 0.7, letters % 3
    gates = torch.rand(1, 1, 3, patches)
    bias, _ = close_gates(gates, torch.tensor([[join]]), torch.tensor([shift]), torch.zeros(1, 1, 1, patches))
    for start in range(3 * patches):
        place, far = divmod(start, patches), {}
        passed = gates[0, 0][place].item() / 2
        for _ in range(3 * patches if shift else patches):
            frame, patch = place
            place = (frame, patch + 1) if patch + 1 < patches else ((frame - shift) % 3, 0)
            passed += join if place[1] == 0 else 0.0
            taken = gates[0, 0][place].item()
            far[place[0] * patches + place[1]] = passed + taken / 2
            passed += taken
        whole = far.pop(start)
        for end in range(3 * patches):
            expected = min(far[end], whole - far[end]) if end in far else (0.0 if end == start else CLOSED)
            assert -bias[0, 0, 1 + start, 1 + end].item() == pytest.approx(
                expected, abs=2 if expected == CLOSED else 1e-4
            )
