"""Keys over gRPC: every method, every way to send one, one model, revocation, limits."""

import grpc
import pytest
from grpc_client import GrpcClient, make_infer
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from serving import Server, find_free_port

from model_service.access.key_file import KeyFile
from model_service.transports.grpc.messages import SERVICE

OPEN = {"ServerLive", "ServerReady"}
TENSOR = {"name": "x", "datatype": "FP64", "shape": [1], "data": [2.0]}


class Site:
    def __init__(self, folder):
        self.file = KeyFile(folder / "keys.json")
        self.keys = {name: self.add(name, scopes) for name, scopes in (("all", ["predict"]), ("meter", ["metrics"]))}
        self.keys["brief"] = self.add("brief", ["predict"])
        self.keys["echo"] = self.add("echo", ["predict:echo_model"])
        self.port = find_free_port()
        config = f"server: {{grpc_port: {self.port}}}\naccess: {{keys_file: keys.json, limit_per_key: 200/hour}}\n"
        models = "models: [{class: models.DoubleModel}, {class: models.EchoModel}]\n"
        self.server = Server(config + models, folder).wait_until_ready()
        self.client = GrpcClient(self.port)
        grpc.channel_ready_future(self.client.channel).result(timeout=30)

    def add(self, name, scopes):
        return self.file.add(name, scopes, expires=None, by="me")[1]

    def ask(self, method, metadata=(), message=None):
        """Return the status of a call, and its metadata."""
        try:
            self.client.call(method, message, metadata=metadata)
        except grpc.RpcError as error:
            return error.code(), dict(error.trailing_metadata())
        return grpc.StatusCode.OK, {}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    running = Site(tmp_path_factory.mktemp("site"))
    yield running
    running.client.close()
    assert running.server.stop() == 0


def test_no_method_answers_without_a_key_but_those_about_health(site):
    answered = set()
    for method in SERVICE.methods:
        status, metadata = site.ask(method.name)
        if status is grpc.StatusCode.UNAUTHENTICATED:
            assert (metadata["error-code"], bool(metadata["x-request-id"])) == ("unauthenticated", True)
        else:
            answered.add(method.name)
    assert answered == OPEN
    stub = health_pb2_grpc.HealthStub(site.client.channel)
    assert stub.Check(health_pb2.HealthCheckRequest()).status == health_pb2.HealthCheckResponse.SERVING
    assert site.ask("ModelReady", [("x-api-key", "wrong")])[0].name == "UNAUTHENTICATED"


def test_reflection_needs_a_key(site):
    stub = reflection_pb2_grpc.ServerReflectionStub(site.client.channel)
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    with pytest.raises(grpc.RpcError) as raised:
        next(stub.ServerReflectionInfo(iter([request])))
    assert raised.value.code() is grpc.StatusCode.UNAUTHENTICATED
    answer = next(stub.ServerReflectionInfo(iter([request]), metadata=[("x-api-key", site.keys["meter"])]))
    assert len(answer.list_services_response.service) == 3


@pytest.mark.parametrize(
    ("metadata", "is_taken"),
    [
        ([("authorization", "Bearer {}")], True),
        ([("authorization", "bearer {}")], True),
        ([("x-api-key", "{}")], True),
        ([("authorization", "Basic {}")], False),
        ([("authorization", "{}")], False),
        ([("authorization", "Bearer {}"), ("x-api-key", "{}")], False),
        ([("x-api-key", "{}"), ("x-api-key", "{}")], False),
        ([("x-api-key", "{}x")], False),
        ([("x-api-key", "")], False),
        ([("x-api-key-bin", b"{}")], False),
        ([("cookie", "model_service_key={}")], False),
    ],
)
def test_a_key_is_taken_from_where_it_belongs(site, metadata, is_taken):
    key = site.keys["all"]
    sent = [(name, value.replace("{}", key) if isinstance(value, str) else key.encode()) for name, value in metadata]
    status, _ = site.ask("ServerMetadata", sent)
    assert status is (grpc.StatusCode.OK if is_taken else grpc.StatusCode.UNAUTHENTICATED)


def test_a_key_asks_only_the_models_that_it_is_for(site):
    request = make_infer("double_model", [TENSOR], is_raw=False)
    names = ("all", "meter", "echo")
    found = {name: site.ask("ModelInfer", [("x-api-key", site.keys[name])], request) for name in names}
    assert found["all"][0] is grpc.StatusCode.OK
    for name in ("meter", "echo"):
        assert found[name][0] is grpc.StatusCode.PERMISSION_DENIED
        assert found[name][1]["error-code"] == "forbidden"
    site.server.wait_for_log('"status":7,"code":"forbidden","key":"echo"')
    log = site.server.wait_for_log('"key":"all"')
    assert not any(key in log for key in site.keys.values())


def test_a_revoked_key_is_refused_and_a_limit_holds(site):
    metadata = [("x-api-key", site.keys["brief"])]
    codes = [site.ask("ServerMetadata", metadata) for _ in range(210)]
    status, told = codes[-1]
    assert (status, told["error-code"]) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "rate_limited")
    assert int(told["retry-after"]) >= 1
    site.file.revoke("brief", by="me")
    site.server.wait_for_log("key revoked")
    assert site.ask("ServerMetadata", metadata)[0] is grpc.StatusCode.UNAUTHENTICATED
