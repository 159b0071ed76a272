"""SageMaker's runtime: boto3's own client against the models that ship, and every class of error that it knows."""

import json
import threading
from typing import Any

import httpx
import models
import pytest
from botocore.exceptions import ClientError
from configurations import make_config
from platform_doors import make_runtime
from serving import MAX_BODY_BYTES, Server

from model_service.schema.difference import find_difference
from model_service.service import Service

#: The rows of one request may run in several batches, and the last bits of a float depend on who shares one.
_LAST_BITS = 1e-6
MODELS = ("iris_model", "loan_model", "bike_model", "dna_lstm_model", "circrna_model")


@pytest.fixture
def runtime(server: Server) -> Any:
    # A new one each time: gunicorn closes a connection of which it would have to read much.
    return make_runtime(server.url)


def invoke(runtime: Any, payload: object, endpoint: str = "double_model", **arguments: str) -> tuple[int, Any]:
    """Return status and output, as every door answers a payload."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    try:
        answer = runtime.invoke_endpoint(EndpointName=endpoint, Body=body, **arguments)
    except ClientError as error:
        response: Any = error.response
        status = response.get("OriginalStatusCode") or response["ResponseMetadata"]["HTTPStatusCode"]
        return status, response
    return 200, json.loads(answer["Body"].read())


@pytest.mark.parametrize("model", MODELS)
def test_boto3_gets_the_answers_of_the_native_route(shipped, model):
    examples = httpx.get(f"{shipped.url}/api/models/{model}").json()["examples"]
    address = f"{shipped.url}/api/models/{model}/predict"
    native, alone = (httpx.post(address, json=each, timeout=60).json() for each in (examples, examples[0]))
    client = make_runtime(shipped.url)
    for payload, endpoint, expected in ((examples, model, native), (examples[0], model.replace("_", "-"), alone)):
        status, output = invoke(client, payload, endpoint)
        assert status == 200
        assert find_difference(output, expected, tolerance=_LAST_BITS) == ""
    lines = "\n".join(json.dumps(each) for each in examples).encode()
    arguments = {"ContentType": "application/jsonlines", "Accept": "application/jsonlines"}
    answer = client.invoke_endpoint(EndpointName=model, Body=lines, **arguments)
    output = [json.loads(line) for line in answer["Body"].read().splitlines()]
    assert find_difference(output, native, tolerance=_LAST_BITS) == ""
    assert answer["ContentType"] == "application/jsonlines"


def test_the_variant_is_the_version_and_attributes_come_back(runtime):
    arguments = {"EndpointName": "double-model", "Body": b'{"x": 1}', "CustomAttributes": "trace=1"}
    answer = runtime.invoke_endpoint(**arguments)
    assert (answer["InvokedProductionVariant"], answer["CustomAttributes"]) == ("1.10.0", "trace=1")
    answer = runtime.invoke_endpoint(**arguments, TargetVariant="1.0.0")
    assert (answer["InvokedProductionVariant"], answer["Body"].read()) == ("1.0.0", b'{"y":2}')
    answer = runtime.invoke_endpoint(**arguments, TargetVariant="AllTraffic", InferenceId="7")
    assert answer["InvokedProductionVariant"] == "1.10.0"
    answer = runtime.invoke_endpoint(**arguments | {"EndpointName": "several"}, TargetModel="double_model.tar.gz")
    assert answer["Body"].read() == b'{"y":2.5}'


@pytest.mark.parametrize(
    ("arguments", "kind", "status"),
    [
        ({"endpoint": "nope"}, "ValidationError", 400),
        ({"TargetModel": "nope.tar.gz"}, "ValidationError", 400),
        ({"TargetVariant": "9.9"}, "ValidationError", 400),
        ({"endpoint": "unloadable_model"}, "ModelNotReadyException", 429),
        ({"payload": b'{"x": "1"}'}, "ModelError", 422),
        ({"payload": b"{"}, "ModelError", 400),
        ({"payload": b" " * (MAX_BODY_BYTES + 1)}, "ModelError", 413),
        ({"ContentType": "image/png"}, "ModelError", 415),
        ({"Accept": "image/png"}, "ModelError", 406),
        ({"endpoint": "raising_model", "payload": b'{"x": -1}'}, "ModelError", 500),
        ({"endpoint": "wrong_output_model", "payload": b'{"x": -1}'}, "ModelError", 500),
    ],
)
def test_an_error_has_the_class_that_boto3_knows(runtime, arguments, kind, status):
    found, response = invoke(runtime, **{"payload": b'{"x": 1}'} | arguments)
    assert (response["Error"]["Code"], found) == (kind, status)
    assert hasattr(runtime.exceptions, kind)
    assert response["Error"]["Message"]
    if kind == "ModelError":
        assert response["ResponseMetadata"]["HTTPStatusCode"] == 424
        original = json.loads(response["OriginalMessage"])
        assert (original["status"], original["message"]) == (status, original["detail"])
    assert "secret" not in str(response)


def test_what_may_be_tried_again_says_when(manager):
    models.SlowBuildingModel.entered.clear()
    models.SlowBuildingModel.release.clear()
    service = Service(make_config("models.SlowBuildingModel"))
    loading = threading.Thread(target=service.start)
    loading.start()
    assert models.SlowBuildingModel.entered.wait(timeout=30)
    response = service.app.test_client().post("/endpoints/slow_building_model/invocations", json={"x": 1})
    models.SlowBuildingModel.release.set()
    loading.join()
    assert response.headers["x-amzn-errortype"] == "ModelNotReadyException"
    assert int(response.headers["x-amz-retry-after"]) == 1000 * int(response.headers["retry-after"]) > 0


def test_what_no_other_try_mends_does_not_say_when(client):
    response = client.post("/endpoints/unloadable_model/invocations", json={"x": 1})
    assert response.headers["x-amzn-errortype"] == "ModelNotReadyException"
    assert not {"x-amz-retry-after", "retry-after"} & {*response.headers}
