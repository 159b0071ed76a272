"""The toy models of the forms are sound: their examples are valid and come back over HTTP."""

import inspect

import form_models
import pytest
from flask.testing import FlaskClient
from tensor_doors import make_tensors, read_outputs

from model_service import MLModel

MODELS = [
    model
    for _, model in inspect.getmembers(form_models, inspect.isclass)
    if issubclass(model, MLModel) and model is not MLModel
]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.qualified_name)
def test_each_example_is_valid_and_comes_back(make_client, model):
    client: FlaskClient = make_client(f"form_models:{model.__name__}")
    examples = model.input_schema["examples"]
    assert len(examples) >= 2
    for example in examples:
        response = client.post(f"/api/models/{model.qualified_name}/predict", json=example)
        assert response.status_code == 200, response.text
        assert response.json == example


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.qualified_name)
def test_each_example_comes_back_from_its_tensors(make_client, model):
    client: FlaskClient = make_client(f"form_models:{model.__name__}")
    path = f"/v2/models/{model.qualified_name}"
    metadata = client.get(path).json
    sent = 0
    for example in model.input_schema["examples"]:
        if tensors := [*make_tensors(metadata, [example])]:  # of no field there is no tensor
            response = client.post(f"{path}/infer", json={"inputs": tensors})
            assert response.status_code == 200, response.text
            assert read_outputs(metadata, response.json["outputs"]) == [example]
            sent += 1
    assert sent


def test_each_model_has_a_name_of_its_own():
    assert len({model.qualified_name for model in MODELS}) == len(MODELS) == 8
