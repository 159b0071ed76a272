"""Requests and answers of the Open Inference Protocol V2 over REST: JSON, and tensors as bytes behind it.

The media type of a request says nothing, because clients send any or none: the header
``Inference-Header-Content-Length`` tells where its JSON ends and the bytes begin.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import Request, Response

from model_service.config import ServerConfig
from model_service.errors import PayloadMalformed, PayloadTooLarge
from model_service.naming import quote_name
from model_service.records import ModelInfo
from model_service.schema.tensor_bytes import Unwritable, read_bytes, write_bytes
from model_service.schema.tensors import (
    Tensor,
    check_datatype,
    check_shape,
    flatten,
    list_values,
    make_tensor,
    tensor_fault,
)
from model_service.strict_json import decode_json, encode_document, holds_more_values
from model_service.transports.http.codec import JSON, read_body

HEADER = "Inference-Header-Content-Length"
BYTES = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class InferCall:
    """What a request for predictions says.

    Attributes:
        id: To be given back; ``None`` where there is none.
        tensors: The inputs.
        wanted: Names of the outputs that the caller wants; all when ``None``.
        binary: For each of them, whether it is wanted as bytes.
        is_binary: Whether those of which nothing is said are.
    """

    id: str | None
    tensors: list[Tensor]
    wanted: list[str] | None
    binary: dict[str, bool]
    is_binary: bool


def read_call(request: Request, config: ServerConfig) -> InferCall:
    """Return what a request says; each tensor agrees with itself, and nothing is larger than the bounds.

    Raises:
        PayloadMalformed: It is not of the protocol; the message names the tensor and what was expected.
        PayloadTooLarge: It has too many bytes or values.
        MediaTypeUnsupported: It is compressed in a way that is not read.
    """
    raw = read_body(request, max_bytes=config.max_body_bytes)
    end = _find_end(request, len(raw))
    document = read_object(raw if end == len(raw) else raw[:end], config.max_body_values)
    reader = _Reader(memoryview(raw)[end:], config.max_body_values)
    tensors = [reader.read(entry) for entry in _list(document, "inputs", is_required=True)]
    if reader.left:
        raise PayloadMalformed(f"{reader.left} bytes follow the last tensor; 'binary_data_size' of each says its own")
    outputs = _list(document, "outputs", is_required=False)
    call_id = document.get("id")
    if call_id is not None and not isinstance(call_id, str):
        raise PayloadMalformed("'id' must be a string")
    is_binary = _find_parameters(document, "the request").get("binary_data_output") is True
    binary: dict[str, bool] = {}
    for entry in outputs:
        name = _find_name(entry, "an output")
        binary[name] = _find_parameters(entry, f"output {quote_name(name)}").get("binary_data", is_binary) is True
    names = [entry["name"] for entry in outputs]
    return InferCall(call_id, tensors, names or None, binary, is_binary)


def read_object(raw: bytes, max_values: int) -> dict[str, Any]:
    """Return the JSON object of a request.

    Raises:
        PayloadMalformed: It is no JSON, or no object.
        PayloadTooLarge: It holds too many values.
    """
    if holds_more_values(raw, max_values):
        raise PayloadTooLarge(f"the body holds more than {max_values} JSON values; send fewer rows in one request")
    document = decode_json(raw)
    if not isinstance(document, dict):
        raise PayloadMalformed("expected a JSON object")
    return document


def write_answer(call: InferCall, info: ModelInfo, tensors: Sequence[Tensor]) -> Response:
    """Return the answer to a request: outputs as the caller wants them, JSON where bytes cannot hold one."""
    outputs: list[dict[str, Any]] = []
    parts: list[bytes] = []
    for tensor in tensors:
        output: dict[str, Any] = {"name": tensor.name, "datatype": tensor.datatype, "shape": tensor.shape}
        parameters: dict[str, Any] = {"content_type": tensor.content_type} if tensor.content_type else {}
        raw = _write_binary(tensor) if call.binary.get(tensor.name, call.is_binary) else None
        if raw is not None:
            parameters["binary_data_size"] = len(raw)
            parts.append(raw)
        if parameters:
            output["parameters"] = parameters
        if raw is None:
            output["data"] = list_values(tensor)
        outputs.append(output)
    document: dict[str, Any] = {"model_name": info.qualified_name, "model_version": info.version}
    if call.id is not None:
        document["id"] = call.id
    head = encode_document({**document, "outputs": outputs})
    response = Response(b"".join((head, *parts)), content_type=BYTES if parts else JSON)
    if parts:
        response.headers[HEADER] = str(len(head))
    response.headers["X-Model-Version"] = info.version
    return response


def _write_binary(tensor: Tensor) -> bytes | None:
    try:
        return write_bytes(tensor)
    except Unwritable:
        return None


class _Reader:
    """Reads tensors one after the other, each with its part of the bytes."""

    def __init__(self, raw: memoryview, max_values: int) -> None:
        self._raw = raw
        self._start = 0
        self._max_values = max_values

    @property
    def left(self) -> int:
        """Bytes that no tensor has taken yet."""
        return len(self._raw) - self._start

    def read(self, entry: Any) -> Tensor:
        """Return the tensor that one of the inputs describes."""
        name = _find_name(entry, "an input")
        parameters = _find_parameters(entry, f"tensor {quote_name(name)}")
        datatype = check_datatype(name, entry.get("datatype"))
        shape = check_shape(name, entry.get("shape"), self._max_values)
        content_type = parameters.get("content_type", "")
        content_type = content_type if isinstance(content_type, str) else ""
        if "binary_data_size" in parameters:
            if "data" in entry:
                raise tensor_fault(name, "it has 'data' and 'binary_data_size'; keep one")
            data = read_bytes(name, datatype, shape, self._take(name, parameters["binary_data_size"]))
            return Tensor(name, datatype, shape, data, content_type, has_null=False)
        if "data" not in entry:
            raise tensor_fault(name, "it has neither 'data' nor 'binary_data_size'; send its values")
        data = flatten(name, entry["data"], shape)
        return make_tensor(Tensor(name, datatype, shape, data, content_type))

    def _take(self, name: str, size: Any) -> bytes:
        if type(size) is not int or size < 0:
            raise tensor_fault(name, "expected a 'binary_data_size' that is a number of bytes")
        if size > self.left:
            raise tensor_fault(
                name,
                f"its 'binary_data_size' says more bytes than the {self.left} that are left; "
                f"the header {HEADER} says where the bytes begin",
            )
        self._start += size
        return bytes(self._raw[self._start - size : self._start])


def _find_end(request: Request, length: int) -> int:
    """Return where the JSON of a body ends."""
    told = request.headers.get(HEADER)
    if told is None:
        return length
    if not (told.isascii() and told.isdigit() and len(told) < 20 and int(told) <= length):
        raise PayloadMalformed(f"the header {HEADER} must say how many of the {length} bytes of the body are JSON")
    return int(told)


def _list(document: dict[str, Any], name: str, *, is_required: bool) -> list[Any]:
    found = document.get(name)
    if found is None and not is_required:
        return []
    if not isinstance(found, list):
        raise PayloadMalformed(f"'{name}' must be an array of tensors")
    return found


def _find_name(entry: Any, what: str) -> str:
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        raise PayloadMalformed(f"{what} must be an object with a 'name' that is a string")
    name: str = entry["name"]
    return name


def _find_parameters(entry: dict[str, Any], what: str) -> dict[str, Any]:
    found = entry.get("parameters")
    if found is not None and not isinstance(found, dict):
        raise PayloadMalformed(f"'parameters' of {what} must be an object")
    return found or {}
