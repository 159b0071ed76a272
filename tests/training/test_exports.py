"""Models of three frameworks become graphs that answer alike, or one sentence says why not."""

import numpy as np
import pandas
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from model_service.columns import read_columns
from model_service.onnx import open_session
from model_service.training.parity import ExportFailed
from model_service.training.sklearn import export_sklearn


@pytest.fixture
def frame():
    chance = np.random.default_rng(0)
    made = pandas.DataFrame(
        {
            "age": chance.normal(40, 10, 300),
            "children": chance.integers(0, 5, 300),
            "colour": chance.choice(["red", "blue", ""], 300),
        }
    )
    made.loc[::7, "age"] = np.nan
    return made


@pytest.fixture
def labels(frame):
    return ((frame["age"].fillna(40) > 42) | (frame["colour"] == "red")).astype(int)


def build(last):
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    words = OneHotEncoder(handle_unknown="ignore")
    columns = ColumnTransformer([("numbers", numbers, ["age", "children"]), ("words", words, ["colour"])])
    return make_pipeline(columns, last)


@pytest.mark.parametrize("last", [LogisticRegression(), GradientBoostingClassifier(n_estimators=10)])
def test_a_pipeline_of_mixed_columns_answers_payloads_as_it_did_its_frame(frame, labels, tmp_path, last, capsys):
    pipeline = build(last).fit(frame, labels)
    parity = export_sklearn(pipeline, frame, tmp_path / "model.onnx")
    assert (parity.rows, parity.rows_that_differ) == (300, 0)
    assert "compared on 300 rows" in capsys.readouterr().out
    payloads = [{"age": None, "children": 2, "colour": None}, {"age": 51.5, "children": 0, "colour": "red"}]
    inputs = read_columns(payloads, numbers=["age", "children"], texts=["colour"])
    (found,) = open_session(tmp_path / "model.onnx").run(["probabilities"], inputs)
    expected = pipeline.predict_proba(pandas.DataFrame(payloads).assign(colour=["", "red"]))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_regressor_on_an_array_has_one_input(tmp_path):
    rows = np.random.default_rng(0).normal(size=(50, 3))
    export_sklearn(LinearRegression().fit(rows, rows.sum(axis=1)), rows, tmp_path / "model.onnx")
    (total,) = open_session(tmp_path / "model.onnx").run(["variable"], {"features": np.ones((1, 3), np.float32)})
    assert total[0, 0] == pytest.approx(3)


def test_the_same_pipeline_is_the_same_bytes(frame, labels, tmp_path):
    pipeline = build(LogisticRegression()).fit(frame, labels)
    for name in ("a", "b"):
        export_sklearn(pipeline, frame, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_step_that_cannot_be_converted_is_named_with_what_to_use_instead(frame, labels, tmp_path):
    with pytest.raises(ExportFailed) as caught:
        export_sklearn(build(HistGradientBoostingClassifier()).fit(frame, labels), frame, tmp_path / "model.onnx")
    assert str(caught.value).startswith("cannot convert HistGradientBoostingClassifier, because ")
    assert "instead use GradientBoosting" in str(caught.value)
    assert len(str(caught.value)) < 500
    rows = np.ones((9, 2))
    steps = make_pipeline(FunctionTransformer(np.log), LinearRegression()).fit(rows, rows[:, 0])
    with pytest.raises(ExportFailed, match="cannot convert FunctionTransformer.*instead compute these columns"):
        export_sklearn(steps, rows, tmp_path / "model.onnx")


def test_an_imputer_that_adds_an_indicator_is_named_with_its_place(frame, labels, tmp_path):
    imputer = "columntransformer__numbers__simpleimputer"
    pipeline = build(LogisticRegression()).set_params(**{f"{imputer}__add_indicator": True}).fit(frame, labels)
    with pytest.raises(ExportFailed) as caught:
        export_sklearn(pipeline, frame, tmp_path / "model.onnx")
    assert str(caught.value).startswith(
        f"cannot convert SimpleImputer (the step '{imputer}'), because skl2onnx does not know add_indicator; instead "
    )
    assert not (tmp_path / "model.onnx").exists()


def test_a_missing_text_and_a_date_are_refused_by_their_column(frame, labels, tmp_path):
    pipeline = build(LogisticRegression()).fit(frame, labels)
    with pytest.raises(ExportFailed, match=r"column 'colour'.*fillna\(''\)"):
        export_sklearn(pipeline, frame.assign(colour=["red", None] * 150), tmp_path / "model.onnx")
    with pytest.raises(ExportFailed, match="column 'age'.*neither numbers nor texts"):
        export_sklearn(pipeline, frame.assign(age=pandas.Timestamp("2020-01-01")), tmp_path / "model.onnx")


def test_a_graph_that_is_not_the_model_is_refused(tmp_path):
    rows = np.random.default_rng(0).normal(size=(50, 3))
    model = LinearRegression().fit(rows, rows.sum(axis=1))
    model.predict = lambda rows: rows.sum(axis=1) + 0.5
    with pytest.raises(ExportFailed, match="model.onnx is not the model.*50 rows differ"):
        export_sklearn(model, rows, tmp_path / "model.onnx")


def test_a_torch_module_is_a_graph_for_any_number_of_rows(tmp_path):
    torch = pytest.importorskip("torch", reason="the export is for those who have torch")
    from model_service.training.torch import export_torch

    class Branching(torch.nn.Module):
        def forward(self, x):
            return x if x.sum() > 0 else -x

    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 1))
    rows = {"features": np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)}
    assert export_torch(module, rows, tmp_path / "model.onnx", outputs=["score"]).rows == 20
    assert b"site-packages" not in (tmp_path / "model.onnx").read_bytes()
    (scores,) = open_session(tmp_path / "model.onnx").run(["score"], {"features": rows["features"][:1]})
    assert scores.shape == (1, 1)
    with pytest.raises(ExportFailed, match="cannot convert Branching.*instead write forward"):
        export_torch(Branching(), rows, tmp_path / "model.onnx", outputs=["score"])


@pytest.mark.filterwarnings("ignore")  # TensorFlow and tf2onnx warn of NumPy and of themselves
def test_a_keras_model_is_a_graph_whose_bytes_depend_on_its_weights_alone(tmp_path):
    keras = pytest.importorskip("keras", reason="the export is for those who have TensorFlow")
    from model_service.training.keras import export_keras

    keras.utils.set_random_seed(0)
    network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, "relu"), keras.layers.Dense(1, "sigmoid")])
    rows = {"features": np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)}
    for name in ("a.onnx", "b.onnx"):
        assert export_keras(network, rows, tmp_path / name, outputs=["score"]).rows_that_differ == 0
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()
    (scores,) = open_session(tmp_path / "a.onnx").run(["score"], {"features": rows["features"][:1]})
    assert scores.shape == (1, 1)
