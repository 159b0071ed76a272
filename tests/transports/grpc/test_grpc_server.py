"""gRPC as its callers meet it: statuses, deadlines, callers that leave, bounds, health, reflection, TLS, the end."""

import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import grpc
import pytest
import trustme
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_client import GrpcClient, make_infer, read_tensors
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from serving import Server, find_free_port, starting

import model_service.transports.grpc as door
from model_service.transports.grpc.messages import COMPILED, SERVICE

MODELS = (
    "models: [{class: models.DoubleModel}, {class: models.SleepingModel, execution: dispatched}, "
    "{class: unruly_models.RememberingModel}]"
)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("grpc")
    port = find_free_port()
    bounds = "max_body_bytes: 200000, max_body_values: 5000, max_request_rows: 1000"
    server = Server(f"server: {{grpc_port: {port}, {bounds}}}\n{MODELS}", folder).wait_until_ready()
    server.grpc_port = port
    yield server
    assert server.stop() == 0


@pytest.fixture
def client(server):
    client = GrpcClient(server.grpc_port)
    yield client
    client.close()


def infer(x, *, model="double_model", name="x", datatype="FP64", shape=None, is_raw=False):
    tensor = {"name": name, "datatype": datatype, "shape": shape or [len(x)], "data": x}
    return make_infer(model, [tensor], is_raw=is_raw)


def find_status(call, *arguments, **named):
    with pytest.raises(grpc.RpcError) as caught:
        call(*arguments, **named)
    return caught.value.code(), caught.value.details()


def test_the_compiled_form_is_that_of_the_file(tmp_path):
    folder = Path(door.__file__).parent
    command = [sys.executable, "-m", "grpc_tools.protoc", "--proto_path=.", f"--descriptor_set_out={tmp_path / 'new'}"]
    subprocess.run([*command, "inference.proto"], cwd=folder, check=True)
    assert (tmp_path / "new").read_bytes() == (folder / COMPILED).read_bytes(), "run `make grpc`"


def test_server_and_models_say_what_they_are(client):
    assert client.call("ServerLive").live
    assert client.call("ServerReady").ready
    assert client.call("ServerMetadata").name == "model_service"
    assert client.call("ModelReady", name="double_model").ready
    metadata = client.call("ModelMetadata", name="double_model")
    assert [*metadata.versions] == ["1.0.0"]
    assert [(tensor.name, tensor.datatype, [*tensor.shape]) for tensor in metadata.inputs] == [("x", "FP64", [-1])]
    index = client.call("RepositoryIndex", ready=True).models
    assert {entry.name: entry.state for entry in index} == dict.fromkeys(
        ["double_model", "sleeping_model", "remembering_model"], "READY"
    )


@pytest.mark.parametrize("name", ["RepositoryModelLoad", "RepositoryModelUnload"])
def test_models_are_not_loaded_by_request(client, name):
    assert find_status(client.call, name, model_name="double_model")[0] is grpc.StatusCode.UNIMPLEMENTED


def test_what_the_caller_calls_itself_comes_back(client):
    request = infer([1.0, 2.0])
    request.id = "a name"
    answer, call = client.bind("ModelInfer").with_call(request, metadata=(("x-request-id", "mine"),))
    assert answer.id == "a name"
    assert dict(call.trailing_metadata())["x-request-id"] == "mine"
    assert dict(call.trailing_metadata())["x-model-version"] == "1.0.0"
    assert [tensor["data"] for tensor in read_tensors(answer)] == [[2.0, 4.0]]


@pytest.mark.parametrize(
    ("request_", "status", "words"),
    [
        (infer([1.0], model="no_model"), grpc.StatusCode.NOT_FOUND, "no_model"),
        (infer([1.0, 2.0], shape=[3]), grpc.StatusCode.INVALID_ARGUMENT, "tensor 'x': its shape says 3 values"),
        (infer([1.0], shape=[3], is_raw=True), grpc.StatusCode.INVALID_ARGUMENT, "its shape says 24 bytes"),
        (infer([5000.0]), grpc.StatusCode.INVALID_ARGUMENT, "'/0/x'"),
        (infer([1.0], shape=[10**9]), grpc.StatusCode.OUT_OF_RANGE, "more than 5000 values"),
        (infer([1.0] * 1001), grpc.StatusCode.OUT_OF_RANGE, "at most 1000"),
        (infer([1.0], shape=[-1]), grpc.StatusCode.INVALID_ARGUMENT, "none of them negative"),
        (GrpcClient.make("ModelInfer", model_name="double_model"), grpc.StatusCode.INVALID_ARGUMENT, "'inputs'"),
    ],
)
def test_a_mistake_has_a_status_and_says_what_was_expected(client, request_, status, words):
    found, details = find_status(client.call, "ModelInfer", request_)
    assert found is status
    assert words in details


def test_values_in_two_places_or_in_the_wrong_one_are_refused(client):
    both = infer([1.0])
    both.raw_input_contents.append(b"\0" * 8)
    wrong = infer([1.0])
    wrong.inputs[0].contents.bool_contents.append(True)
    half = infer([1.0], datatype="FP64")
    half.inputs[0].datatype = "FP16"
    counts = infer([1.0], is_raw=True)
    counts.raw_input_contents.append(b"")
    for request, words in [
        (both, "keep one of them"),
        (wrong, "in fp64_contents, not in bool_contents"),
        (half, "send raw_input_contents"),
        (counts, "raw_input_contents has 2 entries"),
    ]:
        status, details = find_status(client.call, "ModelInfer", request)
        assert status is grpc.StatusCode.INVALID_ARGUMENT
        assert words in details


def test_bytes_that_are_no_message_are_refused(client):
    status, details = find_status(client.bind("ModelInfer", is_raw=True), b"\xff\xff\xff", timeout=10)
    assert status is grpc.StatusCode.INVALID_ARGUMENT
    assert "inference.proto" in details


def test_a_message_above_the_bound_is_refused(client):
    status, _ = find_status(client.call, "ModelInfer", infer(["a" * 300_000], datatype="BYTES"))
    assert status is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_large_messages_are_answered_as_small_ones_are(client):
    values = [float(i % 1000) for i in range(1000)]
    for is_raw in (True, False):
        request = infer(values, is_raw=is_raw)
        request.parameters["padding"].string_param = "x" * 50_000
        (tensor,) = read_tensors(client.call("ModelInfer", request))
        assert tensor["data"] == [2 * value for value in values]


def test_the_callers_deadline_ends_the_wait(server, client):
    started = time.monotonic()
    status, _ = find_status(client.call, "ModelInfer", infer([3.0], model="sleeping_model"), timeout=0.5)
    assert status is grpc.StatusCode.DEADLINE_EXCEEDED
    assert time.monotonic() - started < 2.5  # the model sleeps for 3 s
    # The caller's clock may be the first, and then there is no error of ours.
    assert re.search(
        '"status":4,("code":"prediction_timeout",)?"model":"sleeping_model"', server.wait_for_log('"status":4')
    )


def test_a_call_that_is_cancelled_leaves_the_queue(client):
    call = client.bind("ModelInfer").future
    running = call(infer([700.0], model="remembering_model"))  # it takes 2 s
    time.sleep(0.5)
    waiting = [call(infer([float(x)], model="remembering_model")) for x in (11, 12, 13)]
    time.sleep(0.5)
    waiting[1].cancel()
    running.result(timeout=30)
    waiting[2].result(timeout=30)
    (tensor,) = read_tensors(client.call("ModelInfer", infer([14.0], model="remembering_model")))
    assert "12.0" not in tensor["data"][0]
    assert "13.0" in tensor["data"][0]


def test_many_calls_at_once_are_answered_each_with_its_own(server):
    clients = [GrpcClient(server.grpc_port) for _ in range(8)]
    calls = [
        (x, each.bind("ModelInfer").future(infer([float(x)], is_raw=bool(x % 2)), timeout=60))
        for x in range(100)
        for each in clients
    ]
    for x, call in calls:
        assert read_tensors(call.result())[0]["data"] == [2.0 * x]
    for each in clients:
        each.close()


def test_more_calls_than_may_be_under_way_are_told_so(server):
    client = GrpcClient(server.grpc_port)
    request = infer([1.0])
    calls = [client.bind("ModelInfer").future(request, timeout=60) for _ in range(6000)]
    ends = Counter(call.code() for call in calls)
    assert {*ends} <= {grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE}, ends
    refused = [call for call in calls if call.code() is not grpc.StatusCode.OK]
    assert {dict(call.trailing_metadata())["error-code"] for call in refused} <= {"server_busy"}
    assert read_tensors(client.call("ModelInfer", request))[0]["data"] == [2.0]
    client.close()


def test_the_health_service_follows_the_models(client):
    stub = health_pb2_grpc.HealthStub(client.channel)
    for name in ("", SERVICE.full_name):
        answer = stub.Check(health_pb2.HealthCheckRequest(service=name))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    assert find_status(stub.Check, health_pb2.HealthCheckRequest(service="nothing"))[0] is grpc.StatusCode.NOT_FOUND


def test_reflection_shows_services_and_messages(client):
    database = ProtoReflectionDescriptorDatabase(client.channel)
    assert {SERVICE.full_name, "grpc.health.v1.Health"} <= {*database.get_services()}
    pool = DescriptorPool(database)
    assert "ModelInfer" in pool.FindServiceByName(SERVICE.full_name).methods_by_name
    assert pool.FindServiceByName("grpc.health.v1.Health").methods


def test_a_call_has_its_line_in_the_log(server, client):
    client.call("ModelInfer", infer([1.0]), metadata=(("x-request-id", "logged-1"),))
    log = server.wait_for_log("logged-1")
    (line,) = [line for line in log.splitlines() if "logged-1" in line]
    assert '"path":"/inference.GRPCInferenceService/ModelInfer","status":0,"model":"double_model"' in line


@pytest.fixture
def start(tmp_path):
    with starting(tmp_path) as start_server:
        yield start_server


def test_calls_under_way_are_answered_when_the_service_ends(start):
    port = find_free_port()
    server = start(f"server: {{grpc_port: {port}, workers: 2}}\n{MODELS}")
    server.wait_for_log(f"serving at {server.url} and gRPC at 127.0.0.1:{port} with 2 workers")
    client = GrpcClient(port)
    call = client.bind("ModelInfer").future(infer([1.5], model="sleeping_model"), timeout=30)
    server.wait_for_log("fell asleep")
    assert server.stop(signal.SIGTERM) == 0
    assert read_tensors(call.result())[0]["data"] == [3.0]
    assert find_status(client.call, "ServerLive", timeout=2)[0] is grpc.StatusCode.UNAVAILABLE


def test_all_workers_answer_and_a_lost_one_is_replaced(start):
    port = find_free_port()
    server = start(f"server: {{grpc_port: {port}, workers: 2}}\n{MODELS}")
    errors = []

    def ask() -> None:
        try:
            client = GrpcClient(port)
            assert read_tensors(client.call("ModelInfer", infer([4.0])))[0]["data"] == [8.0]
            client.close()
        except grpc.RpcError as error:
            errors.append(error)

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert server.stop() == 0


def test_tls_is_that_of_http(start, tmp_path):
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    port = find_free_port()
    config = f"server: {{grpc_port: {port}, tls_certificate: cert.pem, tls_key: key.pem}}\n{MODELS}"
    server = Server(config, tmp_path, scheme="https").wait_until_ready(verify=False)
    trust = grpc.ssl_channel_credentials(authority.cert_pem.bytes())
    try:
        client = GrpcClient(port, trust)
        assert read_tensors(client.call("ModelInfer", infer([4.0])))[0]["data"] == [8.0]
        assert find_status(GrpcClient(port).call, "ServerLive", timeout=2)[0] is grpc.StatusCode.UNAVAILABLE
    finally:
        assert server.stop() == 0


def test_a_port_that_is_taken_is_named(tmp_path):
    config = tmp_path / "config.yaml"
    command = [sys.executable, "-m", "model_service", "--config", str(config), "serve"]
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        config.write_text(f"server: {{port: {find_free_port()}, grpc_port: {taken}}}\n{MODELS}")
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 3
    assert f"cannot listen on 127.0.0.1:{taken}" in done.stderr
    assert "set server.grpc_port" in done.stderr
