"""The contract of doors: the same payload has the same output, and the same mistake the same kind of answer, at each.

A door joins by writing its class (``tests/doors.py`` says how) and adding it to `DOORS`.
"""

import pytest
from door_models import OTHER_ROW, ROW
from doors import CommandDoor, RestDoor, V1Door
from grpc_client import GrpcDoor, GrpcRawDoor
from platform_doors import (
    VERTEX_ROUTE,
    CsvDoor,
    EndpointDoor,
    InputsDoor,
    InvocationsDoor,
    JsonLinesDoor,
    RecordsDoor,
    SplitDoor,
    VertexDoor,
)
from serving import Server, find_free_port
from tensor_doors import V2BinaryDoor, V2Door

from model_service import errors

pytestmark = pytest.mark.usefixtures("manager")  # the command line loads models into the one manager
TENSORS = [V2Door, V2BinaryDoor, GrpcDoor, GrpcRawDoor]
PLATFORMS = [InvocationsDoor, JsonLinesDoor, CsvDoor, SplitDoor, RecordsDoor, InputsDoor, VertexDoor, EndpointDoor]
DOORS = [RestDoor, *TENSORS, V1Door, *PLATFORMS, CommandDoor]
MOST_ROWS = 20
CONFIG = f"""
server: {{max_body_bytes: 100000, max_request_rows: {MOST_ROWS}, threads: 4, grpc_port: GRPC}}
invocations: {{predict_route: "{VERTEX_ROUTE}"}}
models:
  - class: models.DoubleModel
  - class: models.DoubleModelTwo
  - class: models.EchoModel
  - class: models.FussyModel
  - class: models.RaisingModel
  - class: models.WrongOutputModel
  - class: models.UnloadableModel
  - class: door_models.KindsModel
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("doors")
    grpc_port = find_free_port()
    server = Server(CONFIG.replace("GRPC", str(grpc_port)), folder).wait_until_ready()
    server.grpc_port = grpc_port
    yield server, folder / "config.yaml"
    assert server.stop() == 0


@pytest.fixture(scope="module", params=DOORS, ids=lambda door: door.__name__)
def door(request, served):
    opened = request.param(*served)
    yield opened
    opened.close()


def assert_mistake(answer, kind, *codes):
    assert answer.outputs is None
    assert answer.kind is kind
    assert answer.code in (*codes, None)


def assert_malformed(door, answer):
    codes = ("payload_malformed", "file_unreadable") if door.is_table else ("payload_malformed",)
    assert_mistake(answer, errors.CallerError, *codes)


@pytest.mark.parametrize("payloads", [[ROW], [OTHER_ROW], [ROW, OTHER_ROW, ROW]], ids=["one", "other", "several"])
def test_values_of_every_kind_go_in_and_come_out_as_they_are(door, payloads):
    if not door.has_types:
        return
    answer = door.predict("kinds_model", payloads)
    assert answer.outputs == [{**payload, "fields": len(payload)} for payload in payloads]


def test_fields_that_no_schema_names_go_in_and_come_out(door):
    payloads = [{"text": "a", "other": 1.5}, {"text": "b", "other": 2.5}]
    known = [{"text": payload["text"]} for payload in payloads]
    assert door.predict("echo_model", payloads).outputs == (known if door.is_table else payloads)


def test_outputs_come_in_the_order_of_their_payloads(door):
    answer = door.predict("double_model", [{"x": i} for i in range(MOST_ROWS)])
    assert answer.outputs == [{"y": 2 * i + 0.5} for i in range(MOST_ROWS)]
    assert answer.version in ("1.10.0", None)


def test_a_version_that_is_named_answers(door):
    if not door.has_versions:
        return
    answer = door.predict("double_model", [{"x": 1}], "1.0.0")
    assert answer.outputs == [{"y": 2}]
    assert answer.version in ("1.0.0", None)


@pytest.mark.parametrize(
    ("payload", "place"),
    [
        pytest.param({"x": "secret"}, "/x", id="a text for a number"),
        pytest.param({"x": 98765}, "/0/x", id="out of range"),
        pytest.param({"x": 1, "z": 98765}, "/z", id="an unknown field"),
    ],
)
def test_a_payload_that_breaks_the_schema_is_the_callers_fault_and_is_not_repeated(door, payload, place):
    answer = door.predict("double_model", [payload])
    if "z" in payload and door.is_table:
        assert answer.outputs == [{"y": 2.5}]
        return
    assert_mistake(answer, errors.CallerError, "payload_invalid")
    assert place in answer.text
    assert not any(told in answer.text for told in ("secret", "98765", "Traceback"))


def test_a_missing_field_is_named(door):
    row = {name: value for name, value in ROW.items() if name != "grade"}
    payloads = [row] if door.has_types else [ROW, row]  # else its column is missing
    answer = door.predict("kinds_model", payloads)
    assert_mistake(answer, errors.CallerError, "payload_invalid")
    assert f"/{len(payloads) - 1}/grade" in answer.text


def test_the_row_of_a_mistake_is_named(door):
    answer = door.predict("double_model", [{"x": 1}, {"x": 1}, {"x": -5000}])
    assert_mistake(answer, errors.CallerError, "payload_invalid")
    assert "/2/x" in answer.text


def test_a_rule_that_only_the_model_knows_is_told(door):
    answer = door.predict("fussy_model", [{"x": 2}, {"x": 3}])
    assert_mistake(answer, errors.CallerError, "payload_invalid")
    assert "expected an even number" in answer.text


def test_what_is_no_request_is_malformed(door):
    assert_malformed(door, door.send_garbage("double_model"))


def test_no_rows_are_malformed(door):
    if door.has_empty:
        assert_malformed(door, door.predict("double_model", []))


def test_too_many_rows_are_too_large(door):
    answer = door.predict("double_model", [{"x": 1}] * (MOST_ROWS + 1))
    assert_mistake(answer, errors.CallerError, "payload_too_large")
    assert str(MOST_ROWS) in answer.text


def test_an_unknown_model_is_not_found(door):
    answer = door.predict("nobody_model", [{"x": 1}])
    assert_mistake(answer, errors.CallerError, "model_not_found")
    assert "double_model" in answer.text


def test_an_unknown_version_is_not_found(door):
    if door.has_versions:
        answer = door.predict("double_model", [{"x": 1}], "9.9")
        assert_mistake(answer, errors.CallerError, "model_not_found")


@pytest.mark.parametrize(
    ("model", "code"), [("raising_model", "prediction_failed"), ("wrong_output_model", "output_invalid")]
)
def test_a_model_that_fails_is_the_models_fault_and_says_nothing_of_the_payload(door, model, code):
    answer = door.predict(model, [{"x": -17}])
    assert_mistake(answer, errors.ModelError, code)
    if door.is_served:  # a person at a terminal is shown the traceback of his own model
        assert "Traceback" not in answer.text
        assert "secret" not in answer.text
        assert "-17" not in answer.text


def test_a_model_that_could_not_be_loaded_is_not_ready(door):
    if door.is_served:
        answer = door.predict("unloadable_model", [{"x": 1}])
        assert_mistake(answer, errors.CapacityError, "model_not_ready")
