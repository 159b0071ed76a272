"""`check_package` accepts a good package and says what is wrong with each bad one."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from model_service import MLModel
from model_service.artifacts import write_manifest
from model_service.fields import answer, number, optional, record
from model_service.schema.validation import SchemaValidator
from model_service.strict_json import decode_json, encode_document
from model_service.testing import check_package

METRICS = {"data": {"rows": 1492}, "results": [{"value": 0.81749, "spread": 0.0008}, {"value": 387.2, "spread": None}]}


class Good(MLModel):
    qualified_name, display_name, version, description = "good_model", "Good", "1.0.0", "Adds two numbers."
    input_schema = record(
        "In", {"x": number("X"), "y": optional(number("Y"))}, examples=[{"x": 1, "y": 2}, {"x": 2.5}, {"x": 5}]
    )
    output_schema = answer("Out", {"sum": number("Sum")})
    folder = None

    @classmethod
    def artifact_path(cls, name):
        return cls.folder / name

    def predict(self, payload):
        return {"sum": float(payload["x"] + (payload.get("y") or 0))}


@pytest.fixture(autouse=True)
def package(tmp_path, monkeypatch):
    folder = tmp_path / "good_package/artifacts"
    folder.mkdir(parents=True)
    (folder / "metrics.json").write_text(json.dumps(METRICS))
    write_manifest(folder, made_with=())
    monkeypatch.setattr(Good, "folder", folder)
    return tmp_path


def test_a_good_package_passes_and_its_model_comes_back(package):
    assert check_package(Good, payloads=[{"x": 3, "y": None}]).predict({"x": 1}) == {"sum": 1.0}
    (package / "README.md").write_text("# Good\n\n## Quality\n\n| model | accuracy |\n|---|---|\n| Good | 0.8175 |\n")
    check_package(Good)


def predict_numpy(self, payload):
    return {"sum": np.float32(payload["x"])}


def predict_and_change(self, payload):
    payload["y"] = 5
    return {"sum": 1.0}


def predict_without_default(self, payload):
    return {"sum": 1.0 if "y" in payload else 0.0}


def mix_rows(self, payloads):
    return [{"sum": sum(row["x"] for row in payloads) * 1.0} for _ in payloads]


def pop_rows(self, payloads):
    return [self.predict(payloads.pop(0)) for _ in range(len(payloads))]


def fill_in(self, payloads):
    for payload in payloads:
        payload.setdefault("y", 0)
    return [self.predict(payload) for payload in payloads]


def turn_round(self, payloads):
    payloads.reverse()
    return [self.predict(payload) for payload in payloads][::-1]


@pytest.mark.parametrize(
    ("members", "said"),
    [
        (
            {"predict": predict_numpy},
            "not plain JSON: '/sum' expected a value of a JSON type, got numpy.float32: convert it with",
        ),
        ({"predict": lambda self, payload: {"sum": float("nan")}}, "not plain JSON: '/sum' expected a finite number"),
        (
            {"predict": lambda self, payload: {"sum": (1,)}},
            "'/sum' expected a value of a JSON type, got tuple: make it a list",
        ),
        ({"predict": predict_and_change}, 'predict changed {"x": 1, "y": 2}'),
        ({"predict": lambda self, payload: {"total": 1.0}}, "output_schema refuses the output of"),
        ({"predict": predict_without_default}, "'y' null is answered differently from absent: /sum: 1.0 and 0.0"),
        ({"predict_batch": mix_rows}, "is answered differently in a batch: /sum"),
        ({"predict_batch": lambda self, payloads: []}, "has 0 outputs"),
        (
            {"predict_batch": pop_rows},
            "predict_batch changed the list that it was given: 3 payloads before, 0 after",
        ),
        ({"predict_batch": fill_in}, 'predict_batch changed its payloads or their order; the first was {"x": 2.5}'),
        ({"predict_batch": turn_round}, "predict_batch changed its payloads or their order"),
        ({"input_schema": {**Good.input_schema, "examples": []}}, "no examples"),
    ],
)
def test_a_broken_promise_is_named(members, said):
    with pytest.raises(AssertionError) as caught:
        check_package(type("Bad", (Good,), members))
    assert said in str(caught.value)


def add_columns(self, columns):
    return {"sum": columns["x"] + np.nan_to_num(columns["y"])}


def test_columns_are_compared_with_rows(package):
    check_package(type("Columns", (Good,), {"predict_columns": add_columns}), payloads=[{"x": 3, "y": None}])
    for members, said in [
        ({"predict_columns": lambda self, columns: {"sum": columns["x"]}}, "'sum' of row 0 is .* in rows and"),
        ({"predict_columns": lambda self, columns: {"total": columns["x"]}}, "not certainly what output_schema says"),
        ({"find_violations": classmethod(lambda cls, payload: [])}, "never asked: find_violations needs rows"),
        ({"input_schema": Good.input_schema | {"minProperties": 1}}, "never asked: the schemas say more"),
    ]:
        with pytest.raises(AssertionError, match=said):
            check_package(type("Bad", (Good,), {"predict_columns": add_columns} | members))


BROKEN_PACKAGE = """
from model_service import MLModel
from model_service.testing import check_package

class Bad(MLModel):
    qualified_name, display_name, version, description = "bad_model", "Bad", "1.0.0", "Refuses its own example."
    input_schema = {"type": "object", "properties": {"x": {"type": "number"}}, "examples": [{"x": "1"}]}
    output_schema = {"type": "object"}

    def predict(self, payload):
        return {}

def test_the_package():
    check_package(Bad)
"""


def test_a_float64_is_the_float_that_it_inherits_from_here_as_in_the_service(package):
    def predict(self, payload):
        return {"sum": np.float64(Good.predict(self, payload)["sum"])}

    model = check_package(type("Precise", (Good,), {"predict": predict}))
    validator = SchemaValidator(model.output_schema)
    assert validator.find_violations(model.predict({"x": 1})) == []
    assert decode_json(encode_document(model.predict({"x": 0.1}))) == {"sum": 0.1}


def test_pytest_shows_which_rule_of_the_contract_is_broken_and_what_to_mend(tmp_path):
    (tmp_path / "test_bad_package.py").write_text(BROKEN_PACKAGE)
    alone = ["-c", os.devnull, "--rootdir", tmp_path, "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", *alone, tmp_path]
    shown = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=100).stdout
    said = [line.removeprefix("E").strip() for line in shown.splitlines() if line.startswith("E ")]
    assert said[0].endswith("Bad breaks the MLModel contract in 1 place")
    assert said[1].startswith("cause: ")
    assert "'/x' expected a number" in said[1]
    assert said[2].startswith("remedy: mend the class")


def test_a_payload_that_the_model_refuses_and_a_figure_nobody_measured_are_named(package):
    with pytest.raises(AssertionError, match="payload 0 is refused: "):
        check_package(Good, payloads=[{"x": "1"}])
    (package / "card.md").write_text("## Quality\n\nIts accuracy is 0.99.\n")
    with pytest.raises(AssertionError, match=r"nobody measured these of the card's quality: 0\.99"):
        check_package(Good, card=package / "card.md")
