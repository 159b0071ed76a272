"""`audit`: what is shipped is sound, and every kind of file that can run code is found."""

import io
import json
import pickle
import zipfile

import numpy as np
import pytest
from commanding import invoke
from configurations import SHIPPED

from model_service.artifacts import write_manifest
from model_service.audit import find_pickles
from model_service.cli.errors import FOUND

CLASS = """
from model_service import MLModel

class AModel(MLModel):
    qualified_name = "audited_model"
    display_name = "Audited"
    description = "Answers nothing."
    version = "1.0.0"
    input_schema = {"type": "object", "examples": [{}]}
    output_schema = {"type": "object"}

    def predict(self, payload):
        return {}
"""


def write_zip(**entries):
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name.replace("__", "/").replace("_", "."), content)
    return raw.getvalue()


def write_array(array):
    raw = io.BytesIO()
    np.save(raw, array, allow_pickle=True)
    return raw.getvalue()


PICKLED = pickle.dumps({"a": [1, 2]})
OBJECTS = write_array(np.array([{}, None], dtype=object))
LAMBDA = b'{"config": {"layers": [{"class_name": "Lambda", "config": {}}]}}'
HARMFUL = {
    "model.pkl": b"",
    "model.PICKLE": b"",
    "model.joblib": b"",
    "model.dill": b"",
    "weights.pt": b"",
    "weights.pth": b"",
    "weights.bin": PICKLED,
    "old.dat": pickle.dumps([1], protocol=2),
    "torch.zip": write_zip(archive__data_pkl=b""),
    "renamed.model": write_zip(archive__data=PICKLED),
    "objects.npy": OBJECTS,
    "objects.npz": write_zip(a_npy=OBJECTS),
    "nested.npy": write_array(np.array([(1, {})], dtype=[("a", "i4"), ("b", "O")])),
    "lambda.keras": write_zip(config_json=LAMBDA),
    "lambda.h5": b"\x89HDF\r\n\x1a\n" + LAMBDA,
    "broken.zip": b"PK\x03\x04 cut off",
}
HARMLESS = {
    "a.npy": write_array(np.arange(3)),
    "a.npz": write_zip(a_npy=write_array(np.array(["O", "text"]))),
    "model.onnx": b"\x08\x07\x12\x04",
    "model.keras": write_zip(config_json=b'{"class_name": "Functional"}', model_weights_h5=b"\x89HDF"),
    "a.json": b"{}",
    "empty.bin": b"",
    "bytes.bin": b"\x80\x81\x82",
    "inner/README.txt": b"model.pkl",
}


@pytest.fixture
def package(make_package):
    folder = make_package("audited_package", {"__init__.py": CLASS, "artifacts/a.json": "{}"})
    write_manifest(folder / "artifacts", made_with=())
    return folder


def audit(configure, *arguments, code=0, classes=("audited_package.AModel",)):
    result = invoke(configure(*classes), "audit", *arguments)
    assert result.exit_code == code, (result.output, result.exception)
    return result.stdout


def test_what_is_shipped_is_sound(configure):
    lines = audit(configure, classes=SHIPPED).splitlines()
    assert lines[-1] == "5 of 5 packages are sound"
    assert sum(": sound, Apache-2.0" in line for line in lines) == 5
    report = json.loads(audit(configure, "--json", classes=SHIPPED))
    assert report["sound"]
    assert all(package["artifacts"]["reference.json"] for package in report["packages"])


@pytest.mark.parametrize("name", HARMFUL)
def test_a_file_that_can_run_code_is_found(tmp_path, name):
    (tmp_path / name).write_bytes(HARMFUL[name])
    ((found, kind),) = find_pickles(tmp_path)
    assert found == name
    assert kind


@pytest.mark.parametrize("name", HARMLESS)
def test_a_file_of_data_is_not_accused(tmp_path, name):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(HARMLESS[name])
    assert list(find_pickles(tmp_path)) == []


def test_a_pickle_anywhere_in_a_package_makes_it_wrong(configure, package):
    (package / "data").mkdir()
    (package / "data" / "table.dat").write_bytes(PICKLED)
    text = audit(configure, code=FOUND)
    assert "WRONG: data/table.dat is a pickle" in text
    assert not json.loads(audit(configure, "--json", code=FOUND))["sound"]


def test_a_changed_artifact_and_one_that_nobody_vouches_for_are_wrong(configure, package):
    (package / "artifacts" / "a.json").write_text("{ }")
    (package / "artifacts" / "more.json").write_text("{}")
    text = audit(configure, code=FOUND)
    assert "a.json is not the file the manifest describes" in text
    assert "artifacts/more.json is in no manifest" in text
    assert "states no licence" in text


def test_a_package_that_cannot_be_read_is_wrong_and_the_others_are_told(configure, package):
    text = audit(configure, code=FOUND, classes=("no_such_package.AModel", *SHIPPED[:1]))
    assert "no_such_package -: WRONG" in text
    assert "iris_model 1.0.0: sound" in text
    assert text.splitlines()[-1] == "1 of 2 packages are sound"
