"""The doors of hosting platforms: `/invocations` in each form, Vertex AI's route, boto3's runtime."""

import csv
import io
import json
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from doors import Answer, Door, make_mistake, read_answer

#: Where Vertex AI is told to call, in the configuration of the contract.
VERTEX_ROUTE = "/v1/endpoints/1:predict"
#: What boto3 raises where no model has answered, and the code of ours that it stands for.
_RUNTIME_CODES = {"ValidationError": "model_not_found", "ModelNotReadyException": "model_not_ready"}


class InvocationsDoor(Door):
    """`/invocations` with an array of JSON objects."""

    path = "/invocations"
    media_type = "application/json"

    def predict(self, model, payloads, version=None):
        return self._ask(f"{model}/{version}" if version else model, self.write(payloads))

    def send_garbage(self, model):
        return self._ask(model, b'[{"x": ')

    def write(self, payloads: list[Any]) -> bytes:
        """Return the body that holds payloads."""
        return json.dumps(payloads).encode()

    def read(self, raw: bytes) -> list[Any]:
        """Return the outputs in the body of an answer."""
        outputs: list[Any] = json.loads(raw)
        return outputs

    def _ask(self, target, body):
        headers = {
            "x-amzn-sagemaker-target-model": target,
            "content-type": self.media_type,
            "accept": self.media_type,
        }
        response = self.http.post(self.path, content=body, headers=headers)
        if response.status_code == 200:
            assert response.headers["content-type"].partition(";")[0] == self.media_type
            return Answer(outputs=self.read(response.content), version=response.headers["x-model-version"])
        document = response.json()
        assert document["error_code"].isupper()
        assert document["message"] == document["detail"]
        return read_answer(response, None)


class JsonLinesDoor(InvocationsDoor):
    """`/invocations` with JSON lines, as batch transform sends them."""

    media_type = "application/jsonlines"
    is_table = True

    def write(self, payloads):
        return b"".join(json.dumps(payload).encode() + b"\n" for payload in payloads)

    def read(self, raw):
        return [json.loads(line) for line in raw.splitlines()]


class EnvelopeDoor(InvocationsDoor):
    """`/invocations` with one of the envelopes, which predictions are answered in."""

    name = "instances"

    def write(self, payloads):
        return json.dumps({self.name: self.wrap(payloads)}).encode()

    def wrap(self, payloads: list[Any]) -> Any:
        """Return what stands in the envelope."""
        return payloads

    def read(self, raw):
        document = json.loads(raw)
        assert [*document] == ["predictions"]
        outputs: list[Any] = document["predictions"]
        return outputs


class VertexDoor(EnvelopeDoor):
    """Vertex AI's route, with its instances."""

    path = VERTEX_ROUTE


class InputsDoor(EnvelopeDoor):
    """MLflow's inputs, by rows."""

    name = "inputs"


class RecordsDoor(EnvelopeDoor):
    """MLflow's frames, by rows."""

    name = "dataframe_records"
    is_table = True


class SplitDoor(EnvelopeDoor):
    """MLflow's frames, as pandas splits them: what a row has not is null."""

    name = "dataframe_split"
    is_table = True

    def wrap(self, payloads):
        columns = [*dict.fromkeys(name for payload in payloads for name in payload)]
        return {"columns": columns, "data": [[payload.get(name) for name in columns] for payload in payloads]}


class CsvDoor(InvocationsDoor):
    """`/invocations` with CSV in both directions: cells are JSON where they are not plain."""

    media_type = "text/csv"
    has_types = False
    is_table = True

    def send_garbage(self, model):
        return self._ask(model, b"x,x\n1,2\n")

    def write(self, payloads):
        columns = [*dict.fromkeys(name for payload in payloads for name in payload)]
        text = io.StringIO()
        rows = [[_write_cell(payload.get(name)) for name in columns] for payload in payloads]
        csv.writer(text).writerows([columns, *rows])
        return text.getvalue().encode()

    def read(self, raw):
        columns, *rows = csv.reader(io.StringIO(raw.decode(), newline=""))
        if columns == ["prediction"]:  # of a model whose outputs have no fields by name
            return [_read_cell(cell) for (cell,) in rows]
        return [dict(zip(columns, map(_read_cell, row), strict=True)) for row in rows]


class EndpointDoor(Door):
    """SageMaker's runtime, with boto3's own client."""

    def __init__(self, server, config):
        super().__init__(server, config)
        self.runtime = make_runtime(server.url)

    def predict(self, model, payloads, version=None):
        return self._ask(model, json.dumps(payloads).encode(), {"TargetVariant": version} if version else {})

    def send_garbage(self, model):
        return self._ask(model, b'[{"x": ', {})

    def _ask(self, model, body, arguments):
        endpoint = model.replace("_", "-")
        try:
            answer = self.runtime.invoke_endpoint(EndpointName=endpoint, Body=body, **arguments)
        except ClientError as error:
            kind, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
            if kind != "ModelError":
                return make_mistake(_RUNTIME_CODES[kind], message)
            original = error.response["OriginalMessage"]
            return make_mistake(json.loads(original)["code"], original)
        return Answer(outputs=json.loads(answer["Body"].read()), version=answer["InvokedProductionVariant"])

    def close(self):
        self.runtime.close()
        super().close()


def make_runtime(url: str) -> Any:
    """Return boto3's client of an endpoint here; it signs with keys that nobody checks."""
    return boto3.client(
        "sagemaker-runtime",
        endpoint_url=url,
        region_name="eu-west-1",
        aws_access_key_id="nobody",
        aws_secret_access_key="nothing",
        config=Config(retries={"total_max_attempts": 1}),
    )


def _read_cell(cell: str) -> Any:
    try:
        return json.loads(cell)
    except ValueError:
        return cell


def _write_cell(value: Any) -> Any:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value)
