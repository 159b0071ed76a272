"""`model-service new`: packages that load, keep their promises and predict, or one sentence and no package."""

import json
import os
import signal
import subprocess
import sys
import time

import joblib
import pandas
import pytest
import yaml
from commanding import invoke, misuse
from serving import TESTS
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from model_service.artifacts import list_artifacts
from model_service.errors import ConfigInvalid, FileUnreadable, ModelLoadFailed, ServiceError
from model_service.scaffold.made_up import TARGETS, write_made_up

ROOT = TESTS.parent
IRIS = "model_packages/iris_model/iris_model/artifacts/model.onnx"


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "made").mkdir()  # Python remembers of a folder on its path that it was not there
    monkeypatch.syspath_prepend(str(tmp_path / "made"))
    return tmp_path / "config.yaml"


def make(config, name, *options):
    """Make a package below `made`, and return its folder."""
    done = invoke(config, "new", name, "--out", config.parent / "made", *options)
    if done.exception is not None:
        raise done.exception
    path = config.parent / "made" / name
    assert f"{name}.{name.title().replace('_', '')} keeps its promises" in done.output.replace("\n", " ")
    return path


def check_tidy(path):
    """Check that a linter finds nothing in the sources of a package."""
    rules = [
        "--isolated",
        "--select",
        "E,F,W,I,UP,B",
        "--line-length",
        "120",
        "--ignore",
        "E501",
        "--no-cache",
    ]  # lines grow with names
    command = [sys.executable, "-m", "ruff", "check", *rules, "."]
    done = subprocess.run(command, cwd=path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def predict(config, path, payload=None):
    """Put the module of a package on the path, and predict with it through the configuration that its card shows."""
    (path.parent / path.name).rename(path.parent / f"{path.name}_project")
    (path.parent / path.name).symlink_to(path.parent / f"{path.name}_project" / path.name)
    card = (path.parent / f"{path.name}_project/README.md").read_text()
    (entry,) = yaml.safe_load(card.partition("```yaml\n")[2].partition("```")[0])["models"]
    config.write_text(yaml.safe_dump({"models": [{"class": entry["class"]}]}))
    payload = payload or {"months": 3, "monthly_fee": None, "plan": None, "paperless": True}
    done = invoke(config, "predict", path.name, "--json", json.dumps(payload))
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def fit(folder, estimator, *, task="classification", name="pipeline.joblib", labels=None):
    """Train a pipeline of mixed columns with missing values, and return the options that name it and its rows."""
    write_made_up(folder / "rows.csv", task)
    frame = pandas.read_csv(folder / "rows.csv")
    wanted = frame.pop(TARGETS[task])
    words = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    prepare = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), ["months", "monthly_fee"]),
        (make_pipeline(SimpleImputer(strategy="most_frequent"), words), ["plan"]),
        ("passthrough", ["paperless"]),
    )
    pipeline = make_pipeline(prepare, estimator).fit(frame, wanted.map(labels) if labels else wanted)
    joblib.dump(pipeline, folder / name)
    return ["--from", folder / name, "--from-sample", folder / "rows.csv", "--target", TARGETS[task]]


@pytest.mark.parametrize(
    ("template", "task", "library"),
    [
        ("python", "classification", ""),
        ("python", "regression", ""),
        ("sklearn", "classification", "skl2onnx"),
        ("sklearn", "regression", "skl2onnx"),
        ("onnx", "classification", "onnx"),
        ("onnx", "regression", "onnx"),
        ("torch", "regression", "torch"),
        ("keras", "classification", "keras"),
    ],
)
def test_each_template_is_a_package_that_predicts(config, template, task, library):
    if library:
        pytest.importorskip(library, reason="the template is for those who have it")
    path = make(config, f"{template}_{task}_model", "--template", template, "--task", task)
    assert not [each for each in path.rglob("*") if each.name == "__pycache__"]
    assert {artifact.name for artifact in list_artifacts(path / path.name / "artifacts", owner="it")} >= {
        "metrics.json"
    }
    check_tidy(path)
    output = predict(config, path)
    if task == "classification":
        assert output["left"] in ("yes", "no")
        assert sum(output["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    else:
        assert isinstance(output["spent"], float)


def test_a_pipeline_and_its_rows_become_a_graph(config, tmp_path):
    path = make(config, "graph_churn_model", *fit(tmp_path, LogisticRegression()), "--trust-pickle")
    check_tidy(path)
    kept = {artifact.name for artifact in list_artifacts(path / path.name / "artifacts", owner="it")}
    assert kept == {"metrics.json", "model.onnx", "reference.json"}
    output = predict(config, path)
    assert set(output["probabilities"]) == {"no", "yes"}
    source = (path.parent / "graph_churn_model_project/graph_churn_model/schema.py").read_text()
    assert "# Missing in 13 of 200 rows." in source
    assert "# What the pipeline knows, and what the sample has beside it." in source


def test_what_cannot_be_a_graph_is_named_and_served_as_a_pickle_when_asked(config, tmp_path):
    options = [*fit(tmp_path, HistGradientBoostingClassifier(), name="hist.pkl"), "--trust-pickle"]
    with pytest.raises(ModelLoadFailed) as caught:
        make(config, "pickled_churn_model", *options)
    assert "cannot convert HistGradientBoostingClassifier" in caught.value.cause
    assert "--serve-pickle" in caught.value.remedy
    assert list((tmp_path / "made").iterdir()) == []
    path = make(config, "pickled_churn_model", *options, "--serve-pickle")
    check_tidy(path)
    card = (path / "README.md").read_text()
    assert "backend: process" in card
    assert "opening it runs the code" in card
    assert predict(config, path)["left"] in ("yes", "no")


def test_classes_that_the_sample_spells_otherwise_are_not_measured(config, tmp_path):
    options = fit(tmp_path, LogisticRegression(), labels={"yes": 1, "no": 0})
    path = make(config, "coded_model", *options, "--trust-pickle")
    assert "Nothing has been measured yet" in (path / "README.md").read_text()
    assert predict(config, path)["left"] in (0, 1)


def test_a_regressor_predicts_a_number(config, tmp_path):
    options = fit(tmp_path, LinearRegression(), task="regression")
    path = make(config, "spent_model", *options, "--trust-pickle")
    assert "| pipeline, the rows of the sample" in (path / "README.md").read_text()
    assert isinstance(predict(config, path)["spent"], float)


def test_a_graph_tells_its_own_inputs_and_outputs(config):
    path = make(config, "bare_iris_model", "--from", ROOT / IRIS)
    check_tidy(path)
    output = predict(
        config, path, dict(zip([f"features_{place}" for place in range(1, 5)], (5.1, 3.5, 1.4, 0.2), strict=True))
    )
    assert output["label"] == 0
    assert sum(output["probabilities"]) == pytest.approx(1, abs=1e-5)


def test_a_graph_and_a_sample_tell_classes_and_fields(config, tmp_path):
    rows = [*["5.1,3.5,1.4,0.2,setosa"] * 4, *["6,2.9,4.5,1.5,versicolor"] * 4, *["6.3,3.3,6,2.5,virginica"] * 4]
    (tmp_path / "iris.csv").write_text("\n".join(["sepal length (cm),sepal width (cm),a,b,kind", *rows]))
    path = make(
        config, "known_iris_model", "--from", ROOT / IRIS, "--from-sample", tmp_path / "iris.csv", "--target", "kind"
    )
    row = {"sepal length (cm)": 6.3, "sepal width (cm)": 3.3, "a": 6, "b": 2.5}
    output = predict(config, path, row)
    assert output["kind"] == "virginica"
    assert set(output["probabilities"]) == {"setosa", "versicolor", "virginica"}


def test_a_program_of_torch_becomes_a_graph(config, tmp_path):
    torch = pytest.importorskip("torch", reason="the way is for those who have it")

    class Sum(torch.nn.Module):
        def forward(self, features):
            return features.sum(dim=1, keepdim=True)

    rows = {0: torch.export.Dim("rows")}
    program = torch.export.export(Sum(), (torch.ones(3, 2),), dynamic_shapes=(rows,))
    torch.export.save(program, tmp_path / "model.pt2")
    assert "--trust-pickle" in misuse(config, "new", "sum_model", "--from", tmp_path / "model.pt2")
    path = make(config, "sum_model", "--from", tmp_path / "model.pt2", "--trust-pickle")
    assert predict(config, path, {"features_1": 1.5, "features_2": 2}) == {"output": 3.5}


@pytest.mark.filterwarnings("ignore")  # Keras warns of NumPy
def test_a_keras_file_becomes_a_graph(config, tmp_path):
    keras = pytest.importorskip("keras", reason="the way is for those who have it")
    network = keras.Sequential([keras.Input((2,), name="features"), keras.layers.Dense(1, kernel_initializer="ones")])
    network.save(tmp_path / "model.keras")
    path = make(config, "dense_model", "--from", tmp_path / "model.keras")
    assert predict(config, path, {"features_1": 1.5, "features_2": 2}) == {"output": 3.5}


def test_a_pickle_is_opened_only_by_who_says_that_he_trusts_it(config, tmp_path):
    (tmp_path / "rows.csv").write_text("x,y\n" + "1,a\n2,b\n" * 9)
    mark = tmp_path / "opened"
    (tmp_path / "evil.pkl").write_bytes(b"cos\nmkdir\n(V" + str(mark).encode() + b"\ntR.")
    options = [
        "new",
        "evil_model",
        "--from",
        tmp_path / "evil.pkl",
        "--from-sample",
        tmp_path / "rows.csv",
        "--target",
        "y",
    ]
    assert "runs the code that its maker put into it" in misuse(config, *options)
    assert not mark.exists()
    caught = invoke(config, *options, "--trust-pickle").exception
    assert isinstance(caught, ModelLoadFailed)
    assert "NoneType is neither a classifier nor a regressor" in caught.cause
    assert mark.exists()  # so the file would have done so
    assert not (tmp_path / "evil_model").exists()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--target", "y"], "give --from-sample"),
        (["--from-sample", "rows.csv"], "--target is missing: which column is predicted? The sample has x, y"),
        (["--from", "model.joblib", "--template", "sklearn"], "give no --template"),
        (["--from", "model.bin"], "--from takes .joblib"),
        (["--from", "model.onnx", "--serve-pickle"], "--serve-pickle needs --from with a pickle"),
        (["--from", "model.joblib", "--trust-pickle"], "give --from-sample and --target"),
        (["--description", "two\nlines"], "--description takes one line"),
        (["--display-name", " "], "--display-name takes one line"),
        (["--template", "fortran"], "is not one of"),
    ],
)
def test_a_wrong_command_line_says_what_is_right(config, tmp_path, options, told):
    (tmp_path / "rows.csv").write_text("x,y\n1,2\n")
    for name in ("model.joblib", "model.onnx", "model.bin"):
        (tmp_path / name).write_bytes(b"")
    assert told in " ".join(misuse(config, "new", "churn_model", *options).split())
    assert not (tmp_path / "churn_model").exists()


@pytest.mark.parametrize(
    ("text", "options", "kind", "told"),
    [
        ("x,y\n", [], FileUnreadable, "no rows"),
        ("x,z\n1,2\n", [], FileUnreadable, "its columns are x, z"),
        ("id,y\n" + "".join(f"a{row},{row % 2}\n" for row in range(40)), [], FileUnreadable, "no column is left"),
        ("x,y\n1,a\n2,b\n", ["--drop", "q"], FileUnreadable, "no column 'q' to drop"),
        ("x,y\n1,a\n2,b\n", ["--from", "missing.joblib", "--trust-pickle"], ConfigInvalid, "there is no file"),
        ("x,y\n1,a\n2,b\n", ["--from", "rows.onnx"], ModelLoadFailed, "no package can be made around 'rows.onnx'"),
    ],
)
def test_what_does_not_serve_is_one_error_and_no_package(config, tmp_path, text, options, kind, told):
    (tmp_path / "rows.csv").write_text(text)
    (tmp_path / "rows.onnx").write_text(text)
    before = sorted(tmp_path.iterdir())
    found = invoke(config, "new", "churn_model", "--from-sample", "rows.csv", "--target", "y", *options).exception
    assert isinstance(found, kind)
    assert isinstance(found, ServiceError)
    assert told in found.message
    assert sorted(tmp_path.iterdir()) == before


def test_too_few_rows_are_written_and_not_trained_on(config, tmp_path):
    (tmp_path / "rows.csv").write_text("x,y\n1,a\n2,b\n")
    done = invoke(
        config, "new", "few_model", "--from-sample", "rows.csv", "--target", "y", "--template", "python", "--install"
    )
    assert done.exit_code == 0
    assert "not trained yet" in done.stdout
    assert "pip install -e . && python -m few_model.train --data rows.csv" in done.stdout
    assert "Nothing has been measured yet" in (tmp_path / "few_model/README.md").read_text()
    assert not config.exists()


def test_nothing_is_overwritten(config, tmp_path):
    (tmp_path / "churn_model").mkdir()
    found = invoke(config, "new", "churn_model").exception
    assert isinstance(found, ConfigInvalid)
    assert list((tmp_path / "churn_model").iterdir()) == []


def test_who_ends_it_half_way_finds_nothing(config, tmp_path):
    command = [sys.executable, "-m", "model_service", "new", "churn_model", "--template", "python", "--out", "made"]
    with subprocess.Popen(command, cwd=tmp_path, stdin=subprocess.DEVNULL) as process:
        while not (tmp_path / "made").exists() or not list(
            (tmp_path / "made").glob(".churn_model.new-*/churn_model/*")
        ):
            assert process.poll() is None
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGTERM)
    assert process.returncode == 128 + signal.SIGTERM
    assert list((tmp_path / "made").iterdir()) == []
