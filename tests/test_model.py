import textwrap
import types
from pathlib import Path

import models
import pytest

import model_service
from model_service import MLModel, Violation
from model_service.loading import build_model, describe_model, import_model_class


def test_all_of_the_package_is_its_public_names():
    public = {
        name
        for name, value in vars(model_service).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }
    assert set(model_service.__all__) == public | {"__version__"}
    assert len(set(model_service.__all__)) == len(model_service.__all__)


def test_mlmodel_itself_cannot_be_built():
    with pytest.raises(TypeError, match="abstract"):
        MLModel()


def test_a_model_without_predict_cannot_be_built():
    with pytest.raises(TypeError, match="predict"):
        models.UnfinishedModel()


def test_predict_is_all_that_a_model_must_write():
    assert MLModel.__abstractmethods__ == {"predict"}


def test_predict_batch_predicts_one_by_one_in_order_by_default():
    payloads = [{"x": x} for x in (3, 1, 2)]
    assert models.DoubleModel().predict_batch(payloads) == [{"y": 6}, {"y": 2}, {"y": 4}]


def test_predict_batch_of_nothing_is_nothing():
    assert models.DoubleModel().predict_batch([]) == []


def test_a_model_finds_no_violations_of_its_own_by_default():
    assert models.DoubleModel.find_violations({"x": 1}) == []
    assert models.FussyModel.find_violations({"x": 1}) == [Violation("/x", "even", "expected an even number")]


def test_each_call_returns_its_own_list_of_violations():
    models.DoubleModel.find_violations({"x": 1}).append(Violation("", "type", "mine"))
    assert models.DoubleModel.find_violations({"x": 1}) == []


def test_close_is_free_to_have_no_effect():
    model = models.DoubleModel()
    assert model.close() is None
    assert model.predict({"x": 1}) == {"y": 2}


def test_artifacts_lie_beside_the_module_of_the_subclass():
    assert models.DoubleModel.artifact_path("model.onnx") == Path(models.__file__).parent / "artifacts" / "model.onnx"
    assert models.DoubleModel.artifact_path("a/b.bin").parts[-3:] == ("artifacts", "a", "b.bin")


def test_a_subclass_in_another_package_has_that_packages_artifacts(make_package):
    folder = make_package(
        "heir_of_model", {"__init__.py": "from models import DoubleModel\nclass Heir(DoubleModel): ...\n"}
    )
    heir = import_model_class("heir_of_model.Heir")
    assert heir.artifact_path("w.bin") == folder / "artifacts" / "w.bin"
    assert models.DoubleModel.artifact_path("w.bin") != heir.artifact_path("w.bin")


def test_the_model_of_the_docstring_keeps_the_contract_and_predicts(make_package):
    lines = model_service.model.__doc__.splitlines()
    example = [line for line in lines if line.startswith("    ") or not line]
    make_package("greeting_of_docstring", {"__init__.py": textwrap.dedent("\n".join(example))})
    greeting = import_model_class("greeting_of_docstring.GreetingModel")
    info = describe_model(greeting)
    assert (info.qualified_name, info.version) == ("greeting_model", "1.0.0")
    assert [build_model(greeting).predict(example) for example in info.examples] == [{"greeting": "Hello, Ada!"}]
