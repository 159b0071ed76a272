"""Whatever is sent to the inference protocol over HTTP is answered, and never by a fault of the service."""

import copy
import json

import pytest
from door_models import OTHER_ROW, ROW
from fuzzing import FUZZ
from hypothesis import given
from hypothesis import strategies as st
from tensor_doors import make_tensors, pack

from model_service.schema.tensors import DATATYPES

INFER = "/v2/models/kinds_model/infer"
HEADER = "Inference-Header-Content-Length"

numbers = st.one_of(st.integers(-(2**70), 2**70), st.floats(), st.sampled_from([0, 1, -1, 2, 10**9, 10**30]))
values = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, st.text(max_size=5), st.sampled_from([*DATATYPES, "json", "base64"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.sampled_from(["name", "shape", "datatype", "data", "parameters"]) | st.text(max_size=3), inner
        ),
    ),
    max_leaves=8,
)
#: What is replaced in a request that was right: which place, by what; nothing is to leave it out.
changes = st.lists(st.tuples(st.integers(0, 10**6), st.one_of(st.just(...), values)), max_size=4)


@pytest.fixture
def client(make_client):
    """A client of the models, and what the protocol says of one of them."""
    made = make_client("door_models.KindsModel", "models.DoubleModel", max_request_rows=20, max_body_values=2000)
    return made, made.get("/v2/models/kinds_model").json


def make_request(metadata, rows):
    """Return a request that is right."""
    outputs = [{"name": each["name"], "parameters": {}} for each in metadata["outputs"]]
    return {"id": "1", "parameters": {}, "inputs": [*make_tensors(metadata, rows)], "outputs": outputs}


def change(document, made):
    """Return a document with some of its places replaced, or left out."""
    document = copy.deepcopy(document)
    for number, value in made:
        places = [*list_places(document)]
        if places:
            holder, key = places[number % len(places)]
            if value is ...:
                del holder[key]
            else:
                holder[key] = value
    return document


def list_places(document):
    for key, value in [*(document.items() if isinstance(document, dict) else enumerate(document))]:
        yield document, key
        if isinstance(value, dict | list):
            yield from list_places(value)


def assert_answered(response):
    """An answer, or an error in the form of the protocol that is the caller's own."""
    assert response.status_code in (200, 400, 413, 415, 422), response.text
    if response.status_code != 200:
        assert response.content_type == "application/json"
        assert isinstance(response.json["error"], str)
        assert len(response.json["error"]) < 2000


@FUZZ
@given(rows=st.integers(1, 3), made=changes)
def test_json_that_is_nearly_right_is_answered(client, rows, made):
    http, metadata = client
    document = change(make_request(metadata, [ROW, OTHER_ROW, ROW][:rows]), made)
    assert_answered(http.post(INFER, data=json.dumps(document)))


@FUZZ
@given(
    rows=st.integers(1, 3),
    made=changes,
    cuts=st.lists(st.tuples(st.integers(0, 10**6), st.binary(max_size=9)), max_size=3),
    shift=st.sampled_from([0, 0, 0, 1, -1, 10**9]),
)
def test_bytes_that_are_nearly_right_are_answered(client, rows, made, cuts, shift):
    http, metadata = client
    document = make_request(metadata, [ROW, OTHER_ROW, ROW][:rows])
    parts = []
    for tensor in document["inputs"]:
        parts.append(pack(tensor["datatype"], tensor.pop("data")))
        tensor["parameters"] = {**tensor.get("parameters", {}), "binary_data_size": len(parts[-1])}
    document["parameters"]["binary_data_output"] = True
    raw = b"".join(parts)
    for place, inserted in cuts:
        at = place % (len(raw) + 1)
        raw = raw[:at] + inserted + raw[at + len(inserted) * (place % 2) :]
    head = json.dumps(change(document, made)).encode()
    assert_answered(http.post(INFER, data=head + raw, headers={HEADER: str(len(head) + shift)}))


@FUZZ
@given(
    datatype=st.sampled_from(DATATYPES),
    shape=st.lists(st.sampled_from([-1, 0, 1, 2, 3, 10**9, 10**30]), max_size=4),
    raw=st.binary(max_size=40),
    size=st.one_of(st.none(), st.sampled_from([-1, 0, 4, 8, 10**9])),
)
def test_any_bytes_for_any_tensor_are_answered(client, datatype, shape, raw, size):
    told = {"name": "x", "datatype": datatype, "shape": shape}
    told["parameters"] = {"binary_data_size": len(raw) if size is None else size}
    head = json.dumps({"inputs": [told]}).encode()
    path = "/v2/models/double_model/infer"
    assert_answered(client[0].post(path, data=head + raw, headers={HEADER: str(len(head))}))


@FUZZ
@given(
    body=st.one_of(st.binary(max_size=60), values.map(lambda value: json.dumps(value).encode())),
    header=st.text("0123456789-. ", max_size=3),
)
def test_anything_is_answered(client, body, header):
    for path in (INFER, "/v1/models/kinds_model:predict", "/v2/repository/index"):
        assert_answered(client[0].post(path, data=body, headers={HEADER: header} if header else {}))


@FUZZ
@given(instances=values)
def test_any_instances_are_answered(client, instances):
    assert_answered(client[0].post("/v1/models/double_model:predict", data=json.dumps({"instances": instances})))


def test_the_request_that_is_changed_is_right_when_it_is_not(client):
    http, metadata = client
    answer = http.post(INFER, data=json.dumps(make_request(metadata, [ROW, OTHER_ROW]))).json
    assert next(each["data"] for each in answer["outputs"] if each["name"] == "number") == [ROW["number"], -3.25]
