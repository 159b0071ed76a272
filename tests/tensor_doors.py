"""The doors of the inference protocol's V2: a client that knows no model but from its metadata."""

import json
import struct
from collections.abc import Iterator
from typing import Any

from doors import Answer, Door, read_answer

FORMATS = {"FP64": "d", "INT64": "q", "BOOL": "?"}
ABSENT = object()


class V2Door(Door):
    """V2 over REST, with JSON."""

    def predict(self, model, payloads, version=None):
        tensors = [*make_tensors(self.http.get(f"/v2/models/{model}").json(), payloads)]
        return self._ask(model, self.write(tensors), version)

    def send_garbage(self, model):
        return self._ask(model, self.write([{"name": "x", "datatype": "FP64", "shape": [3], "data": [1.0]}]))

    def write(self, tensors):
        """Return body and headers of a request."""
        return json.dumps({"inputs": tensors}).encode(), {}

    def read(self, response):
        """Return the tensors of an answer."""
        return response.json()["outputs"]

    def _ask(self, model, request, version=None):
        body, headers = request
        path = f"/v2/models/{model}" + (f"/versions/{version}" if version else "")
        response = self.http.post(f"{path}/infer", content=body, headers=headers)
        if response.status_code != 200:
            assert response.headers["content-type"] == "application/json"
            return read_answer(response, None, told_as="error")
        metadata = self.http.get(path).json()
        outputs = read_outputs(metadata, self.read(response))
        return Answer(outputs=outputs, version=response.headers["x-model-version"])


class V2BinaryDoor(V2Door):
    """V2 over REST, with tensors as bytes in both directions."""

    def write(self, tensors):
        parts = []
        for tensor in tensors:
            raw = pack(tensor["datatype"], tensor.pop("data"))
            tensor["parameters"] = {**tensor.get("parameters", {}), "binary_data_size": len(raw)}
            parts.append(raw)
        head = json.dumps({"inputs": tensors, "parameters": {"binary_data_output": True}}).encode()
        return head + b"".join(parts), {"inference-header-content-length": str(len(head))}

    def read(self, response):
        if "inference-header-content-length" not in response.headers:  # nothing that bytes could say
            return response.json()["outputs"]
        end = int(response.headers["inference-header-content-length"])
        tensors = json.loads(response.content[:end])["outputs"]
        for tensor in tensors:
            size = tensor["parameters"]["binary_data_size"]
            tensor["data"] = unpack(tensor["datatype"], response.content[end : end + size])
            end += size
        assert end == len(response.content)
        return tensors


def make_tensors(metadata: dict[str, Any], payloads: list[Any]) -> Iterator[dict[str, Any]]:
    """Yield a tensor for each input that any payload has: texts as BYTES, whatever the model takes there."""
    declared = {tensor["name"]: tensor for tensor in metadata.get("inputs", ())}
    names = dict.fromkeys([*declared, *(name for payload in payloads for name in payload)])
    above = {name.partition(".")[0] for name in declared if "." in name}
    for name in names:
        values = [_get(payload, name) for payload in payloads]
        if name in above or all(value is ABSENT for value in values):
            continue
        known = declared.get(name, {})
        # Arrays of different sizes make no tensor: they go as JSON, one dimension of it.
        is_ragged = len({len(value) if isinstance(value, list) else None for value in values}) > 1 or [] in values
        is_unknown = not known and any(isinstance(value, list | dict) for value in values)
        if is_ragged or is_unknown or known.get("parameters", {}).get("content_type") == "json":
            texts = ["" if value is ABSENT else json.dumps(value) for value in values]
            told = {"parameters": {"content_type": "json"}}
            yield {"name": name, "datatype": "BYTES", "shape": [len(values)], "data": texts, **told}
            continue
        values = [None if value is ABSENT else value for value in values]
        shape, inner = [len(values)], values[0]
        while isinstance(inner, list):
            shape.append(len(inner))
            values = [value for each in values for value in each]
            inner = inner[0]
        datatype = known.get("datatype", "FP64")
        if any(isinstance(value, str) for value in values):
            datatype, values = "BYTES", [None if value is None else str(value) for value in values]
        yield {"name": name, "datatype": datatype, "shape": shape, "data": values}


def read_outputs(metadata: dict[str, Any], tensors: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the outputs that tensors stand for."""
    declared = {tensor["name"]: tensor for tensor in metadata["outputs"]}
    outputs: list[dict[str, Any]] = [{} for _ in range(tensors[0]["shape"][0])]
    for tensor in tensors:
        is_json = (tensor.get("parameters") or {}).get("content_type") == "json"
        told = declared.get(tensor["name"], {}).get("parameters", {})
        assert tensor["datatype"] == declared.get(tensor["name"], tensor)["datatype"]
        for output, value in zip(outputs, _split(tensor["data"], tensor["shape"]), strict=True):
            if is_json:
                value = json.loads(value) if value else ABSENT
            elif value is None or value != value or (value == "" and "nullable" in told):
                value = None if "nullable" in told else ABSENT
            *path, name = tensor["name"].split(".")
            if value is not ABSENT:
                inner = output
                for each in path:
                    inner = inner.setdefault(each, {})
                inner[name] = value
    return outputs


def pack(datatype: str, values: list[Any]) -> bytes:
    """Return values as the binary form has them; null is NaN, or an empty text."""
    if datatype == "BYTES":
        raw = [(value or "").encode() for value in values]
        return b"".join(struct.pack("<I", len(each)) + each for each in raw)
    return struct.pack(f"<{len(values)}{FORMATS[datatype]}", *(float("nan") if v is None else v for v in values))


def unpack(datatype: str, raw: bytes) -> list[Any]:
    """Return the values of bytes."""
    if datatype != "BYTES":
        return list(struct.unpack(f"<{len(raw) // struct.calcsize(FORMATS[datatype])}{FORMATS[datatype]}", raw))
    texts, start = [], 0
    while start < len(raw):
        (length,) = struct.unpack_from("<I", raw, start)
        texts.append(raw[start + 4 : start + 4 + length].decode())
        start += 4 + length
    return texts


def _get(payload: Any, name: str) -> Any:
    if name in payload:
        return payload[name]
    for each in name.split("."):
        if not isinstance(payload, dict) or each not in payload:
            return ABSENT
        payload = payload[each]
    return payload


def _split(values: list[Any], shape: list[int]) -> list[Any]:
    for size in reversed(shape[1:]):
        values = [values[i : i + size] for i in range(0, len(values), size)]
    return values
