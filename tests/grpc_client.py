"""A client of the inference protocol over gRPC, and its doors under the contract of transports."""

from typing import Any

import grpc
from doors import Answer, Door, make_mistake
from tensor_doors import make_tensors, pack, read_outputs, unpack

from model_service.transports.grpc.messages import SERVICE, find_classes

FIELDS = {"FP64": "fp64_contents", "INT64": "int64_contents", "BOOL": "bool_contents", "BYTES": "bytes_contents"}
_METHODS = {method.name: find_classes(method) for method in SERVICE.methods}


class GrpcClient:
    """Calls methods by their names, with the fields of their messages, or with a message.

    Args:
        port: Of the server.
        credentials: For TLS.
    """

    def __init__(self, port: int, credentials: grpc.ChannelCredentials | None = None) -> None:
        self.channel = (
            grpc.insecure_channel(f"127.0.0.1:{port}")
            if credentials is None
            else grpc.secure_channel(f"localhost:{port}", credentials)
        )

    def call(self, method: str, message: Any = None, /, *, timeout: float = 30, metadata: Any = None, **fields) -> Any:
        """Return the answer of a method; `grpc.RpcError` where it has none."""
        return self.bind(method)(message or self.make(method, **fields), timeout=timeout, metadata=metadata)

    def bind(self, name: str, *, is_raw: bool = False) -> Any:
        """Return a method, with its ``future``; a raw one takes bytes."""
        taken, given = _METHODS[name]
        write = None if is_raw else taken.SerializeToString
        return self.channel.unary_unary(f"/{SERVICE.full_name}/{name}", write, given.FromString)

    @staticmethod
    def make(method: str, /, **fields: Any) -> Any:
        """Return the message that a method takes."""
        return _METHODS[method][0](**fields)

    def close(self) -> None:
        self.channel.close()


def make_infer(model: str, tensors: Any, *, is_raw: bool, version: str | None = None) -> Any:
    """Return a request for predictions of tensors as `make_tensors` gives them."""
    request = GrpcClient.make("ModelInfer", model_name=model, model_version=version or "")
    for tensor in tensors:
        name, datatype = tensor["name"], tensor["datatype"]
        entry = request.inputs.add(name=name, datatype=datatype, shape=tensor["shape"])
        if is_raw:
            request.raw_input_contents.append(pack(datatype, tensor["data"]))
            continue
        values = tensor["data"]
        if datatype == "BYTES":
            values = [(value or "").encode() for value in values]
        elif datatype == "FP64":
            values = [float("nan") if value is None else value for value in values]
        getattr(entry.contents, FIELDS[datatype]).extend(values)
    return request


def read_tensors(answer: Any) -> list[dict[str, Any]]:
    """Return the tensors of an answer as those of REST."""
    tensors = []
    for i, output in enumerate(answer.outputs):
        raw = answer.raw_output_contents[i] if answer.raw_output_contents else None
        data = unpack(output.datatype, raw) if raw is not None else [*getattr(output.contents, FIELDS[output.datatype])]
        if raw is None and output.datatype == "BYTES":
            data = [value.decode() for value in data]
        parameters = {name: value.string_param for name, value in output.parameters.items()}
        tensors.append(
            {
                "name": output.name,
                "datatype": output.datatype,
                "shape": [*output.shape],
                "data": data,
                "parameters": parameters,
            }
        )
    return tensors


class GrpcDoor(Door):
    """V2 over gRPC, with values in the fields of their types."""

    is_raw = False

    def __init__(self, server, config):
        super().__init__(server, config)
        self.client = GrpcClient(server.grpc_port)

    def predict(self, model, payloads, version=None):
        tensors = [*make_tensors(self.http.get(f"/v2/models/{model}").json(), payloads)]
        return self._ask(make_infer(model, tensors, is_raw=self.is_raw, version=version))

    def send_garbage(self, model):
        tensor = {"name": "x", "datatype": "FP64", "shape": [3], "data": [1.0]}
        return self._ask(make_infer(model, [tensor], is_raw=self.is_raw))

    def _ask(self, request):
        try:
            answer = self.client.call("ModelInfer", request)
        except grpc.RpcError as error:
            metadata = dict(error.trailing_metadata())
            assert metadata["x-request-id"]
            return make_mistake(metadata["error-code"], error.details())
        version = answer.model_version
        described = self.http.get(f"/v2/models/{request.model_name}/versions/{version}").json()
        return Answer(outputs=read_outputs(described, read_tensors(answer)), version=version)

    def close(self):
        self.client.close()
        super().close()


class GrpcRawDoor(GrpcDoor):
    """V2 over gRPC, with values as bytes in both directions."""

    is_raw = True
