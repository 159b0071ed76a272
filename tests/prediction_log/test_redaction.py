"""What is left out of the log, and that a slip of the pen in a path stops the service."""

import pytest

from model_service.config import ModelConfig, ServiceConfig
from model_service.config_predictions import ModelLogConfig
from model_service.errors import ConfigInvalid
from model_service.prediction_log.redaction import has_path, leave_out

SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "a.b": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "stops": {"type": "array", "items": {"properties": {"place": {"type": "string"}}}},
        "pet": {"anyOf": [{"type": "null"}, {"properties": {"sort": {"type": "string"}}}]},
    },
    "$defs": {"address": {"properties": {"street": {"type": "string"}, "next": {"$ref": "#/$defs/address"}}}},
}


@pytest.mark.parametrize("path", ["name", "a.b", "address", "address.street", "stops", "stops.place", "pet.sort"])
def test_a_path_leads_to_a_field(path):
    assert has_path(SCHEMA, path)


@pytest.mark.parametrize("path", ["nmae", "street", "address.stret", "stops.x", "name.first", "", "a", "pet.name"])
def test_a_path_that_leads_nowhere_is_found(path):
    assert not has_path(SCHEMA, path)


@pytest.mark.parametrize(
    ("path", "left"),
    [
        ("name", {"stops": [{"place": 1, "at": 2}, {"at": 3}], "a.b": 4, "a": {"b": 5}}),
        ("stops.place", {"name": 0, "stops": [{"at": 2}, {"at": 3}], "a.b": 4, "a": {"b": 5}}),
        ("a.b", {"name": 0, "stops": [{"place": 1, "at": 2}, {"at": 3}], "a": {}}),
        ("none", {"name": 0, "stops": [{"place": 1, "at": 2}, {"at": 3}], "a.b": 4, "a": {"b": 5}}),
    ],
)
def test_a_field_is_left_out_wherever_its_path_leads(path, left):
    document = {"name": 0, "stops": [{"place": 1, "at": 2}, {"at": 3}], "a.b": 4, "a": {"b": 5}}
    assert leave_out(document, [path]) == left
    assert document["name"] == 0
    assert document["stops"][0]["place"] == 1


@pytest.mark.parametrize("key", ["redact", "redact_outputs"])
def test_a_path_that_is_no_field_stops_the_service_and_names_the_fields(manager, key):
    log = ModelLogConfig(sample=0.5, **{key: ("xx",)})
    config = ServiceConfig(models=(ModelConfig(class_path="models.DoubleModel", prediction_log=log),))
    with pytest.raises(ConfigInvalid, match=rf"'prediction_log.{key}' of model 'double_model' names 'xx'.*: [xy]$"):
        manager.load_models(config)
