"""`model_service.load`: models in this process, shown and asked as a notebook does it."""

import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pytest
from serving import TESTS

import model_service
from model_service import MLModel, fields
from model_service.errors import ModelNotFound, ModelNotReady, PayloadInvalid, PayloadMalformed

ROOT = TESTS.parent


class DoublingModel(MLModel):
    """Doubles a number."""

    qualified_name, display_name, version, description = "doubling_model", "Doubling <b>", "1.0.0", "Doubles."
    input_schema = fields.record(
        "Number",
        {"x": fields.number("X", unit="cm", least=0), "name": fields.optional(fields.choice("Name", ("a", "b")))},
        examples=[{"x": 1}],
    )
    output_schema = fields.answer("Double", {"twice": fields.number("Twice")})

    def predict(self, payload):
        return {"twice": payload["x"] * 2}


class BrokenModel(DoublingModel):
    """Fails when it is built."""

    qualified_name = "broken_model"

    def __init__(self):
        raise ValueError("no <weights>")


@pytest.fixture
def models(manager):
    with model_service.load([DoublingModel, f"{__name__}:BrokenModel"]) as loaded:
        yield loaded


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"x": 2}, {"twice": 4}),
        ({"x": np.float32(2), "name": float("nan")}, {"twice": 4.0}),
        ([{"x": 1}, {"x": 2}], [{"twice": 2}, {"twice": 4}]),
        ([], []),
    ],
)
def test_payloads_are_predicted(models, data, expected):
    assert models["doubling_model"].predict(data) == expected


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame])
def test_a_frame_is_answered_by_a_frame(models, make):
    answer = models["doubling_model"].predict(make({"x": [1.0, 2.0], "name": ["a", None]}))
    assert type(answer) is make
    assert list(answer["twice"]) == [2.0, 4.0]


def test_more_rows_than_one_request_may_have_are_predicted_and_their_faults_have_their_row(models):
    model = models["doubling_model"]
    frame = pd.DataFrame({"x": np.arange(25_000)})
    assert model.predict(frame)["twice"].tolist() == (2 * np.arange(25_000)).tolist()
    frame.loc[20_001, "x"] = -1
    with pytest.raises(PayloadInvalid) as caught:
        model.predict(frame)
    assert "/20001/x: " in str(caught.value)
    assert caught.value.violations[0].pointer == "/20001/x"


def test_faults_are_worded_in_the_text_of_the_error(models):
    with pytest.raises(PayloadInvalid) as caught:
        models["doubling_model"].predict({"x": -1, "name": "c", "y": 1})
    text = str(caught.value)
    assert text.startswith("doubling_model cannot predict this:\n")
    assert all(f"\n  {place}: " in text for place in ("/x", "/name", "/y"))
    assert caught.value.__suppress_context__  # one traceback, not two
    with pytest.raises(PayloadInvalid) as caught:
        models["doubling_model"].predict([{"x": -1}] * 30)
    assert str(caught.value).endswith("... and 20 more")
    with pytest.raises(PayloadMalformed, match="its fields are x, name"):
        models["doubling_model"].predict(pd.DataFrame({"z": [1]}))


def test_models_are_shown_as_text_and_as_tables(models):
    assert repr(models["doubling_model"]) == "<doubling_model 1.0.0: ready; x, name -> twice>"
    assert repr(models).splitlines()[:2] == ["2 models", "  doubling_model 1.0.0: ready"]
    html = models["doubling_model"]._repr_html_()
    assert "<h4>Doubling &lt;b&gt; 1.0.0: ready</h4>" in html
    assert "<td><b>x</b></td><td>X</td><td>number</td><td>cm</td>" in html
    assert "<td>broken_model</td><td>1.0.0</td><td>failed</td>" in models._repr_html_()


def test_a_model_that_failed_says_why_and_the_others_predict(models):
    broken = models["broken_model"]
    assert "ValueError: no <weights>" in repr(broken)
    assert "no &lt;weights&gt;" in broken._repr_html_()
    with pytest.raises(ModelNotReady):
        broken.predict({"x": 1})
    assert models["doubling_model"].predict({"x": 1}) == {"twice": 2}


def test_a_class_that_cannot_be_imported_is_shown_too(manager):
    with model_service.load(["nowhere_model.M"]) as loaded:
        (name,) = loaded
        assert "failed" in repr(loaded[name])
        assert "<h4>" in loaded[name]._repr_html_()
        with pytest.raises(ModelNotReady):
            _ = loaded[name].info


def test_models_are_found_by_name_and_version(models):
    assert (list(models), len(models)) == (["doubling_model", "broken_model"], 2)
    assert "doubling_model" in models
    assert "no_model" not in models
    assert models.get("doubling_model", "1.0.0").info.display_name == "Doubling <b>"
    with pytest.raises(ModelNotFound, match="doubling_model"):
        models["no_model"]


def test_a_configuration_file_is_loaded(manager, tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(f"models: [{{class: '{__name__}:DoublingModel'}}]\nserver: {{max_request_rows: 1}}\n")
    with model_service.load(path) as loaded:
        assert loaded["doubling_model"].predict([{"x": 1}, {"x": 2}]) == [{"twice": 2}, {"twice": 4}]


def test_other_names_are_not_there():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = model_service.nothing


def test_without_the_extra_the_way_out_is_named():
    program = "import sys; sys.modules['yaml'] = None\nimport model_service\nmodel_service.load"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1] == (
        "ImportError: model_service.load needs 'yaml': pip install 'model-service[serve]'"
    )


def test_the_example_notebook_runs():
    done = subprocess.run(
        [sys.executable, "examples/notebook.py"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert "<iris_model " in done.stdout
    assert "/petal_length: " in done.stdout
    assert done.stderr == ""
