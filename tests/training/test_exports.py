"""Models of three frameworks become graphs that answer alike, or one sentence says why not."""

import numpy as np
import pandas
import pytest
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from model_service.columns import read_columns
from model_service.onnx import open_session
from model_service.training.missing_texts import walk_fitted
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


@pytest.mark.parametrize("steps", [[SimpleImputer(strategy="most_frequent")], []])
def test_a_pipeline_that_was_trained_with_missing_texts_is_a_graph_with_empty_ones(frame, labels, tmp_path, steps):
    colours = ["green" if colour == "" else colour for colour in frame["colour"]]
    colours = [np.nan if row % 7 == 0 else colour for row, colour in enumerate(colours)]
    partial = frame.assign(colour=np.array(colours, object))
    texts = make_pipeline(*steps, OneHotEncoder(handle_unknown="ignore"))
    prepare = make_column_transformer((texts, ["colour"]), (SimpleImputer(), ["age"]))
    pipeline = make_pipeline(prepare, LogisticRegression()).fit(partial, labels)
    parity = export_sklearn(pipeline, partial[["age", "colour"]], tmp_path / "model.onnx")
    assert (parity.rows, parity.rows_that_differ) == (len(frame), 0)
    row = {"age": np.array([[30]], np.float32), "colour": np.array([[""]], object)}
    (said,) = open_session(tmp_path / "model.onnx").run(["probabilities"], row)
    expected = pipeline.predict_proba(pandas.DataFrame({"age": [30.0], "colour": np.array([np.nan], object)}))
    np.testing.assert_allclose(said, expected, atol=1e-5)
    assert "" not in [value for step in walk_fitted(pipeline) for value in getattr(step, "categories_", [[]])[0]]


def test_a_forest_whose_rows_lie_on_thresholds_is_exact_in_double_precision(tmp_path):
    chance = np.random.default_rng(0)
    rows = pandas.DataFrame({"a": chance.integers(0, 40, 600).astype(float), "b": chance.integers(0, 9, 600) * 1.0})
    rows.loc[::11, "a"] = np.nan
    labels = (rows["a"].fillna(3) * 3 + rows["b"] + chance.normal(0, 9, 600) > 60).astype(int)
    steps = make_column_transformer((make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), ["a", "b"]))
    pipeline = make_pipeline(steps, RandomForestClassifier(60, random_state=0)).fit(rows[::3], labels[::3])
    with pytest.raises(ExportFailed, match=r"is not the model.*is_double=True"):
        export_sklearn(pipeline, rows, tmp_path / "model.onnx")
    parity = export_sklearn(pipeline, rows, tmp_path / "model.onnx", is_double=True)
    assert (parity.rows, parity.rows_that_differ) == (600, 0)


def test_columns_keep_their_names_whatever_is_in_them(frame, labels, tmp_path):
    odd = frame.rename(columns={"age": "age (years)", "colour": 'colour "of"\ncar'}).fillna({"age (years)": 40.0})
    columns = ColumnTransformer([("n", "passthrough", ["age (years)"]), ("w", OneHotEncoder(), ['colour "of"\ncar'])])
    pipeline = make_pipeline(columns, LogisticRegression(max_iter=1000)).fit(odd, labels)
    odd = odd[["age (years)", 'colour "of"\ncar']]
    assert export_sklearn(pipeline, odd, tmp_path / "model.onnx").rows_that_differ == 0
    assert [each.name for each in open_session(tmp_path / "model.onnx").get_inputs()] == list(odd.columns)
    with pytest.raises(ExportFailed, match="cannot convert the column 'label', because an output"):
        export_sklearn(pipeline, odd.assign(label=1), tmp_path / "model.onnx")


def test_a_date_is_refused_by_its_column(frame, labels, tmp_path):
    pipeline = build(LogisticRegression()).fit(frame, labels)
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
