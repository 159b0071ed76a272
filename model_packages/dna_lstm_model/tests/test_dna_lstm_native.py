"""That TensorFlow, from its own weights, answers what ONNX Runtime answers. Needs TensorFlow."""

import zipfile

import numpy as np
import pytest

from dna_lstm_model import DnaLstmModel
from dna_lstm_model.cases import SIMULATED_SITE, draw_cases, draw_unseen, encode_site
from dna_lstm_model.features import number_words
from dna_lstm_model.native import WEIGHTS_NAME, DnaLstmTensorFlowModel
from dna_lstm_model.sequences import spell
from model_service.schema.difference import find_difference
from model_service.testing import check_package

pytestmark = pytest.mark.filterwarnings(
    # Keras 3.15 hands TensorFlow's variables to NumPy 2 in the old way.
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
)
SITE = encode_site(SIMULATED_SITE)


def test_both_runtimes_answer_alike() -> None:
    served, native = DnaLstmModel(), DnaLstmTensorFlowModel()
    rng = np.random.default_rng(21)
    cases = [*draw_cases(SITE, 1, rng), *draw_unseen(SITE, 600, rng)]
    codes = np.concatenate([rng.permutation(sequences)[:300] for _, sequences, _ in cases])
    words = {"words": number_words(codes)}
    along_the_way = [model.run(words)["probabilities"] for model in (served, native)]
    np.testing.assert_allclose(*along_the_way, rtol=0, atol=1e-4)
    texts = [spell(row) for row in codes]
    payloads = [{"dna_sequence": text} for text in (*texts, *map("".join, zip(texts[::2], texts[1::2], strict=False)))]
    assert len(payloads) > 6000
    answers = zip(served.predict_batch(payloads), native.predict_batch(payloads), strict=True)
    differences = {find_difference(one, other, tolerance=1e-4) for one, other in answers}
    assert differences == {""}


def test_the_native_package_keeps_its_promises_and_describes_itself_as_the_served_one() -> None:
    check_package(DnaLstmTensorFlowModel)
    for name in ("qualified_name", "version", "input_schema", "output_schema"):
        assert getattr(DnaLstmTensorFlowModel, name) == getattr(DnaLstmModel, name)


def test_the_weights_hold_no_code() -> None:
    with zipfile.ZipFile(DnaLstmTensorFlowModel.artifact_path(WEIGHTS_NAME)) as file:
        assert set(file.namelist()) == {"config.json", "metadata.json", "model.weights.h5"}
        assert b"Lambda" not in file.read("config.json")
