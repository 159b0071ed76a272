"""That TensorFlow, from its own weights, answers what ONNX Runtime answers. Needs TensorFlow."""

import zipfile

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from dna_lstm_model import DnaLstmModel
from dna_lstm_model.evaluation import draw_cases
from dna_lstm_model.features import make_one_hot
from dna_lstm_model.native import WEIGHTS_NAME, DnaLstmTensorFlowModel
from dna_lstm_model.sequences import Codes, spell
from dna_lstm_model.train import SIMULATED_SITE, encode_site

pytestmark = pytest.mark.filterwarnings(
    # Keras 3.15 hands TensorFlow's variables to NumPy 2 in the old way.
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
)


@pytest.fixture(scope="module")
def models() -> tuple[DnaLstmModel, DnaLstmTensorFlowModel]:
    return DnaLstmModel(), DnaLstmTensorFlowModel()


def draw_sequences(seed: int) -> Codes:
    """Return some 300 sequences of each case that is measured."""
    rng = np.random.default_rng(seed)
    cases = [sequences for _, sequences, _ in draw_cases(encode_site(SIMULATED_SITE), 1, rng)]
    return np.concatenate([rng.permutation(sequences)[:300] for sequences in cases])


def test_both_runtimes_answer_alike(models: tuple[DnaLstmModel, DnaLstmTensorFlowModel]) -> None:
    payloads = [{"dna_sequence": spell(codes)} for codes in draw_sequences(seed=21)]
    assert len(payloads) > 3000
    served, native = (model.predict_batch(payloads) for model in models)
    assert [output["dna_class"] for output in served] == [output["dna_class"] for output in native]
    assert [output["motif_position"] for output in served] == [output["motif_position"] for output in native]
    differences = [abs(a["probability"] - b["probability"]) for a, b in zip(served, native, strict=True)]
    assert max(differences) < 1e-4


def test_both_runtimes_say_the_same_along_the_way(models: tuple[DnaLstmModel, DnaLstmTensorFlowModel]) -> None:
    served, native = (model._run_network(make_one_hot(draw_sequences(seed=22)[:2500])) for model in models)
    np.testing.assert_allclose(served, native, rtol=0, atol=1e-4)


def test_a_native_batch_answers_what_single_rows_answer(models: tuple[DnaLstmModel, DnaLstmTensorFlowModel]) -> None:
    native = models[1]
    payloads = [{"dna_sequence": spell(codes)} for codes in draw_sequences(seed=23)[::40]]
    for output, payload in zip(native.predict_batch(payloads), payloads, strict=True):
        alone = native.predict(payload)
        assert output["probability"] == pytest.approx(alone["probability"], abs=1e-5)
        assert output["motif_position"] == alone["motif_position"]


def test_the_native_class_describes_itself_as_the_served_one(
    models: tuple[DnaLstmModel, DnaLstmTensorFlowModel],
) -> None:
    answers = Draft202012Validator(DnaLstmModel.output_schema)
    for name in ("qualified_name", "version", "input_schema", "output_schema"):
        assert getattr(DnaLstmTensorFlowModel, name) == getattr(DnaLstmModel, name)
    for example in DnaLstmModel.input_schema["examples"]:
        answers.validate(models[1].predict(example))


def test_the_weights_hold_no_code() -> None:
    with zipfile.ZipFile(DnaLstmTensorFlowModel.artifact_path(WEIGHTS_NAME)) as file:
        assert set(file.namelist()) == {"config.json", "metadata.json", "model.weights.h5"}
        assert b"Lambda" not in file.read("config.json")
