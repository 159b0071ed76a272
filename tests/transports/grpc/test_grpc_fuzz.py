"""Whatever is sent over gRPC, typed or as bytes, is answered or is the caller's fault, and nothing hangs."""

import grpc
import httpx
import pytest
from door_models import OTHER_ROW, ROW
from fuzzing import FUZZ
from grpc_client import GrpcClient, make_infer
from hypothesis import given
from hypothesis import strategies as st
from serving import Server, find_free_port
from tensor_doors import make_tensors

CONFIG = """
server: {grpc_port: PORT, max_request_rows: 50, threads: 4}
models: [{class: models.DoubleModel}, {class: door_models.KindsModel}]
"""
FAULTS = (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND, grpc.StatusCode.OUT_OF_RANGE)
LONG_S = 60
contents = st.sampled_from(
    ["bool_contents", "int_contents", "int64_contents", "uint64_contents", "fp32_contents", "fp64_contents"]
)
datatypes = st.sampled_from(["FP64", "FP32", "INT64", "BOOL", "BYTES", "FP16", "", "fp64"])
shapes = st.lists(st.integers(-2, 5) | st.integers(-(2**63), 2**63 - 1), max_size=4)
places = st.integers(0, 10**6)


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    """A client, and what the protocol says of the model with a field of every kind."""
    port = find_free_port()
    server = Server(CONFIG.replace("PORT", str(port)), tmp_path_factory.mktemp("fuzzed")).wait_until_ready()
    client = GrpcClient(port)
    yield client, httpx.get(f"{server.url}/v2/models/kinds_model").json()
    client.close()
    assert server.stop() == 0
    assert "Traceback" not in server.log.read_text()


def find_code(client, raw):
    """Return how a call ends that sends bytes."""
    return client.bind("ModelInfer", is_raw=True).future(raw, timeout=LONG_S).code()


def make_right(metadata, *, is_raw):
    """Return a request that is right."""
    return make_infer("kinds_model", make_tensors(metadata, [ROW, OTHER_ROW]), is_raw=is_raw)


@st.composite
def wild_requests(draw):
    request = GrpcClient.make("ModelInfer", model_name=draw(st.sampled_from(["double_model", "kinds_model", ""])))
    for _ in range(draw(st.integers(0, 3))):
        tensor = request.inputs.add(
            name=draw(st.sampled_from(["x", "y", "", "x.y", "pair", "place.x"])),
            datatype=draw(datatypes),
            shape=draw(shapes),
        )
        if draw(st.booleans()):
            getattr(tensor.contents, draw(contents)).extend(draw(st.lists(st.integers(0, 1), max_size=6)))
    request.raw_input_contents.extend(draw(st.lists(st.binary(max_size=40), max_size=3)))
    for name in draw(st.lists(st.sampled_from(["y", "z", ""]), max_size=2)):
        request.outputs.add(name=name)
    return request.SerializeToString()


@FUZZ
@given(raw=wild_requests() | st.binary(max_size=60))
def test_whatever_is_sent_is_answered_or_the_callers_fault(door, raw):
    assert find_code(door[0], raw) in (grpc.StatusCode.OK, *FAULTS)


@FUZZ
@given(
    is_raw=st.booleans(),
    made=st.lists(st.tuples(places, st.sampled_from(["datatype", "shape", "name", "contents", "drop"])), max_size=3),
    datatype=datatypes,
    shape=shapes,
    name=st.sampled_from(["number", "count", "place", "place.x", "", "é"]),
    values=st.lists(st.floats() | st.sampled_from([0.0, 1e300, -1.0]), max_size=5),
)
def test_tensors_that_are_nearly_right_are_answered(door, is_raw, made, datatype, shape, name, values):
    client, metadata = door
    request = make_right(metadata, is_raw=is_raw)
    for place, kind in made:
        tensor = request.inputs[place % len(request.inputs)] if request.inputs else request.inputs.add()
        if kind == "datatype":
            tensor.datatype = datatype
        elif kind == "shape":
            tensor.shape[:] = shape
        elif kind == "name":
            tensor.name = name
        elif kind == "contents":
            tensor.contents.fp64_contents[:] = values
        else:
            request.inputs.remove(tensor)
    assert find_code(client, request.SerializeToString()) in (grpc.StatusCode.OK, *FAULTS)


@FUZZ
@given(is_raw=st.booleans(), cuts=st.lists(st.tuples(places, st.binary(max_size=9)), min_size=1, max_size=4))
def test_bytes_that_are_nearly_right_are_answered(door, is_raw, cuts):
    client, metadata = door
    raw = make_right(metadata, is_raw=is_raw).SerializeToString()
    for place, inserted in cuts:
        at = place % (len(raw) + 1)
        raw = raw[:at] + inserted + raw[at + len(inserted) * (place % 2) :]
    assert find_code(client, raw) in (grpc.StatusCode.OK, *FAULTS)


@pytest.mark.parametrize("is_raw", [False, True])
def test_the_request_that_is_changed_is_right_when_it_is_not(door, is_raw):
    assert find_code(door[0], make_right(door[1], is_raw=is_raw).SerializeToString()) is grpc.StatusCode.OK
