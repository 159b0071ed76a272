"""The OpenAPI document against those who read it: a validator, a fuzzer, a client generator, the committed file."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import yaml
from configurations import SHIPPED, make_config
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from serving import TESTS, Server

from model_service.config import InvocationsConfig, ModelConfig
from model_service.config_file import load_config
from model_service.schema.difference import find_difference
from model_service.service import Service
from model_service.transports.http.docs import build_document, write_yaml
from model_service.transports.http.key_docs import add_keys

ROOT = TESTS.parent
# A fuzzer's run must be the same each time, in CI and at a desk.
SEED = "20261121"
# It sends as many rows as may be sent, again and again: few are as good as a thousand, and much sooner answered.
FEW_ROWS = {"MODEL_SERVICE__SERVER__MAX_REQUEST_ROWS": "10"}

#: Payloads of the iris model.
FLOWERS = [
    dict(zip(("sepal_length", "sepal_width", "petal_length", "petal_width"), values, strict=True))
    for values in ((5.1, 3.5, 1.4, 0.2), (6.3, 3.3, 6.0, 2.5))
]


def test_the_committed_document_is_what_the_code_generates(manager):
    config = load_config(ROOT / "config.yaml")
    generated = write_yaml(build_document(Service(config).describe(), max_rows=config.server.max_request_rows))
    assert (ROOT / "openapi.yaml").read_text() == generated, "run `make openapi`"


def test_formats_that_are_not_installed_are_not_offered(manager, monkeypatch):
    monkeypatch.setattr("model_service.files.formats.find_spec", lambda name: None)
    document = json.dumps(build_document(Service(make_config("models.DoubleModel")).describe(), max_rows=10))
    assert "text/csv" in document
    assert "parquet" not in document
    assert "arrow" not in document


def test_json_and_yaml_are_the_same_document_and_it_is_valid(shipped):
    from_json = httpx.get(f"{shipped.url}/openapi.json")
    from_yaml = httpx.get(f"{shipped.url}/openapi.yaml")
    assert from_json.headers["content-type"] == "application/json"
    assert from_yaml.headers["content-type"] == "application/yaml"
    assert yaml.safe_load(from_yaml.text) == from_json.json() == yaml.safe_load((ROOT / "openapi.yaml").read_text())
    assert list(OpenAPIV31SpecValidator(from_json.json()).iter_errors()) == []


def test_a_document_of_awkward_schemas_is_valid_too(manager):
    models = (
        Service(make_config("models.AwkwardSchemaModel", "models.DoubleModel", "models.DoubleModelTwo")).start().manager
    )
    document = build_document(models.get_models(), max_rows=10)
    assert list(OpenAPIV31SpecValidator(json.loads(json.dumps(document))).iter_errors()) == []


def test_with_keys_the_document_says_how_they_are_sent_and_what_each_operation_needs(manager):
    models = Service(make_config("models.DoubleModel"))
    document = add_keys(build_document(models.describe(), max_rows=10))
    assert list(OpenAPIV31SpecValidator(json.loads(json.dumps(document))).iter_errors()) == []
    assert set(document["components"]["securitySchemes"]) == {"bearer", "apiKey"}
    paths = document["paths"]
    needs = {
        ("get", "/health/live"): [],
        ("get", "/v2/health/ready"): [],
        ("get", "/api/models"): None,
        ("post", "/api/models/double_model/predict"): ["predict"],
        ("post", "/v2/models/{name}/infer"): ["predict"],
        ("post", "/api/models/double_model/jobs"): ["jobs"],
        ("delete", "/api/jobs/{id}"): ["jobs"],
    }
    for (method, path), scopes in needs.items():
        found = next((operations for name, operations in paths.items() if _is_like(name, path)), None)
        assert found is not None, (path, list(paths))
        operation = found[method]
        assert operation.get("security") == (
            None if scopes is None else [{"bearer": scopes}, {"apiKey": scopes}] if scopes else []
        )
        assert ("401" in operation["responses"]) == (scopes != [])


def _is_like(name, path):
    return re.sub(r"{[^}]+}", "{}", name) == re.sub(r"{[^}]+}", "{}", path)


@pytest.mark.parametrize(("queue_rows", "most"), [(5, 5), (20_000, 10)])
def test_an_array_may_have_no_more_rows_than_the_models_queue(manager, queue_rows, most):
    (status,) = Service(make_config(ModelConfig(class_path="models.DoubleModel", max_queue_rows=queue_rows))).describe()
    operation = build_document([status], max_rows=10)["paths"]["/api/models/double_model/predict"]["post"]
    (_, rows) = operation["requestBody"]["content"]["application/json"]["schema"]["anyOf"]
    assert rows["maxItems"] == most


@pytest.mark.parametrize("class_path", SHIPPED)
def test_each_models_own_schema_stands_at_its_own_path(manager, class_path):
    (status,) = Service(make_config(class_path)).describe()
    document = build_document([status], max_rows=10)
    operation = document["paths"][f"/api/models/{status.qualified_name}/predict"]["post"]
    (reference, rows) = operation["requestBody"]["content"]["application/json"]["schema"]["anyOf"]
    component = document["components"]["schemas"][reference["$ref"].rpartition("/")[2]]
    assert set(component["properties"]) == set(status.info.input_schema["properties"])
    assert rows["items"] == reference
    statuses = {"400", "404", "405", "406", "413", "415", "421", "422", "429", "500", "503", "504"}
    assert {"200", *statuses} == set(operation["responses"])
    twin = f"/api/models/{status.qualified_name}/versions/{status.version}/predict"
    assert document["paths"][twin]["post"]["requestBody"] == operation["requestBody"]


def test_every_route_that_platforms_call_is_in_the_document(manager):
    routes = InvocationsConfig(predict_route="/v1/endpoints/1:predict", health_route="/v1/endpoints/1")
    service = Service(replace(make_config("models.DoubleModel"), invocations=routes)).start()
    client = service.app.test_client()
    paths = client.get("/openapi.json").json["paths"]
    names = [operation["operationId"] for methods in paths.values() for operation in methods.values()]
    assert len(names) == len({*names})
    served = {
        (re.sub("<[^>]+>", "{}", rule.rule), method.lower())
        for rule in service.app.url_map.iter_rules()
        if rule.endpoint.partition(".")[0] in ("platforms", "endpoints") and not rule.endpoint.endswith(".manage")
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    documented = {(re.sub("{[^}]+}", "{}", path), method) for path, methods in paths.items() for method in methods}
    assert len(served) == 8
    assert served <= documented


@pytest.mark.parametrize(
    ("path", "body", "status", "component"),
    [
        ("/models/iris_model/invoke", FLOWERS[0], 200, "IrisModelOutput"),
        ("/models/iris_model/invoke", {"instances": FLOWERS}, 200, "PredictionList"),
        ("/models/iris_model/invoke", {"instances": 5}, 400, "InvocationError"),
        ("/models/iris_model/invoke", {"sepal_length": "long"}, 422, "InvocationError"),
        ("/v2/models/iris_model/infer", {"inputs": []}, 400, "InferenceError"),
        ("/invocations", FLOWERS[0], 404, "InvocationError"),
        ("/invocations", None, 405, "ProblemDocument"),
        ("/endpoints/iris-model/invocations", FLOWERS[0], 200, "IrisModelOutput"),
        ("/endpoints/iris-model/invocations", {}, 424, "EndpointError"),
        ("/endpoints/nobody/invocations", {}, 400, "EndpointError"),
        ("/execution-parameters", None, 200, "ExecutionParameters"),
        ("/ping", None, 200, None),
        ("/version", None, 200, None),
    ],
)
def test_what_platforms_are_answered_is_as_documented(shipped, path, body, status, component):
    document = httpx.get(f"{shipped.url}/openapi.json").json()
    answer = httpx.get(shipped.url + path) if body is None else httpx.post(shipped.url + path, json=body)
    assert answer.status_code == status
    named = re.sub("/(iris.model|nobody)/", "/{}/", path)
    (methods,) = (each for told, each in document["paths"].items() if re.sub("{[^}]+}", "{}", told) == named)
    (operation,) = methods.values()
    assert {str(status), f"{status // 100}XX", "default"} & {*operation["responses"]}
    if component is not None:
        schema = {"$ref": f"#/components/schemas/{component}", "components": document["components"]}
        Draft202012Validator(schema).validate(answer.json())


@pytest.fixture
def bounded(tmp_path):
    """The configuration that ships, with a small bound of rows."""
    server = Server((ROOT / "config.yaml").read_text(), tmp_path, environment=FEW_ROWS).wait_until_ready()
    yield server
    assert server.stop() == 0


def test_schemathesis_finds_no_fault(bounded, tmp_path):
    done = subprocess.run(
        [
            *(str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(TESTS / "schemathesis.toml")),
            *("run", f"{bounded.url}/openapi.json", "--checks", "all", "--seed", SEED, "--max-examples", "50"),
            *("--no-color", "--output-truncate", "true", "--request-timeout", "60"),
            # What is wrong with a file of a job is told by row, not by schema; and to cancel a job is not to remove it.
            # Which predictions are in the log is told by nothing but an answer.
            # Which tensors a model takes is told by its metadata, and what `/invocations` takes by the model's own
            # schema; tests/transports has fuzzers of those.
            *("--exclude-path-regex", "/jobs|/feedback|^/v[12]|invo"),
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(TESTS), "SCHEMATHESIS_HOOKS": "schemathesis_hooks"},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, "\n".join(line[:500] for line in done.stdout.splitlines()[-120:])
    assert "Traceback" not in bounded.log.read_text()


@pytest.fixture(scope="module")
def generated(tmp_path_factory) -> Path:
    """The folder of a client that was generated from the committed document."""
    folder = tmp_path_factory.mktemp("generated")
    generator = Path(sys.executable).with_name("openapi-python-client")
    done = subprocess.run(
        [
            *(str(generator), "generate", "--path", str(ROOT / "openapi.yaml"), "--output-path", "client"),
            *("--meta", "none"),
        ],
        cwd=folder,
        # The generator formats what it wrote with the ruff it finds.
        env={**os.environ, "PATH": f"{generator.parent}:{os.environ['PATH']}"},
        capture_output=True,
        check=True,
        timeout=120,
        text=True,
    )
    # The generator has no words for files, and leaves them out; it has nothing else to say.
    said = done.stdout.splitlines()
    assert sum("WARNING" in line for line in said) == sum("Unsupported content type" in line for line in said)
    return folder


# For each model: its examples one by one and together, its document and its versions, and a payload that is wrong.
PROGRAM = """
import compileall, importlib, json, sys
assert compileall.compile_dir("client", quiet=1)
from client import Client, models
from client.api.models import list_models
url, names = sys.argv[1], sys.argv[2:]
client = Client(base_url=url, raise_on_unexpected_status=True, timeout=60)
answers = {}
for name in names:
    def call(operation, **arguments):
        module = importlib.import_module(f"client.api.{name}.{operation}_{name}")
        return module.sync(client=client, **arguments)
    payload_class = getattr(models, "".join(part.capitalize() for part in name.split("_")) + "Input")
    metadata = call("get_metadata")
    payloads = [payload_class.from_dict(example.to_dict()) for example in metadata.examples]
    outputs = [call("predict", body=payload).to_dict() for payload in payloads]
    together = [output.to_dict() for output in call("predict", body=payloads)]
    assert [each.version for each in call("list_versions").models] == [each.version for each in metadata.versions]
    wrong_class = type("Wrong", (payload_class,), {"to_dict": lambda self: {"no such field": 1}})
    problem = call("predict", body=wrong_class.from_dict(payloads[0].to_dict()))
    assert problem.code.value == "payload_invalid"
    assert {"additionalProperties", "required"} <= {error.rule for error in problem.errors}
    answers[name] = [outputs, together]
assert [model.qualified_name for model in list_models.sync(client=client).models] == names
print(json.dumps(answers))
"""


def test_a_generated_client_calls_every_shipped_model_with_its_examples(shipped, generated):
    listed = httpx.get(f"{shipped.url}/api/models").json()["models"]
    names = [model["qualified_name"] for model in listed]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, shipped.url, *names], cwd=generated, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)
    assert len(answers) == len(SHIPPED)
    for model in listed:
        examples = httpx.get(f"{shipped.url}{model['links']['metadata']}").json()["examples"]
        alone, together = (
            [httpx.post(f"{shipped.url}{model['links']['predict']}", json=body, timeout=60).json() for body in bodies]
            for bodies in (examples, [examples])
        )
        found = find_difference(answers[model["qualified_name"]], [alone, *together], tolerance=1e-6)
        assert found == "", "more than the last bits, which depend on the batch"


def test_a_generated_client_keeps_to_its_types(generated):
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--follow-imports=silent", "client/models", "client/api"],
        cwd=generated,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_operations_are_told_apart_by_generators_that_drop_separators(manager):
    """A client in TypeScript calls ``predict_m__1_0`` predictM10."""
    described = Service(make_config("models.DoubleModel", "models.DoubleModelTwo", *SHIPPED)).describe()
    twins = [
        replace(status, info=replace(status.info, version=version), version=version, is_default=False)
        for status in described[:1]
        for version in ("1.0+1", "1.0.1", "10.1", "1!0.1", "1.0+dot1")
    ]
    paths = build_document([*described, *twins], max_rows=10)["paths"]
    names = [operation["operationId"] for operations in paths.values() for operation in operations.values()]
    squeezed = {"".join(filter(str.isalnum, name)).lower() for name in names}
    assert len(squeezed) == len(names)
    assert len(names) > 4 * len(described)


def test_every_status_and_header_of_an_answer_is_declared(shipped):
    document = httpx.get(f"{shipped.url}/openapi.json").json()
    predict = document["paths"]["/api/models/iris_model/predict"]["post"]
    of_rows = {"X-Failed-Rows", "Preference-Applied"}
    assert set(predict["responses"]["200"]["headers"]) == {"X-Request-ID", "X-Model-Version", *of_rows}
    problems = document["components"]["responses"]
    assert all("X-Request-ID" in problems[name]["headers"] for name in problems)
    assert {name for name in problems if "Retry-After" in problems[name]["headers"]} == {"Problem429", "Problem503"}
    assert set(problems["Problem415"]["headers"]) == {"X-Request-ID", "Accept", "Accept-Encoding"}
    codes = document["components"]["schemas"]["ProblemDocument"]["properties"]["code"]["enum"]
    assert len(codes) == len(set(codes))
    assert {"payload_invalid", "not_acceptable", "host_not_allowed", "internal_error", "request_timeout"} <= set(codes)
    assert document["servers"] == [{"url": "/"}]


def test_sequences_say_their_letters_and_lengths(shipped):
    schemas = httpx.get(f"{shipped.url}/openapi.json").json()["components"]["schemas"]
    for name, field, letters in (
        ("DnaLstmModelInput", "dna_sequence", "ACGTacgt"),
        ("CircrnaModelInput", "rna_sequence", "ACGNTUacgntu"),
    ):
        sequence = schemas[name]["properties"][field]
        assert f"[{letters}\\s]*" in sequence["pattern"]
        assert sequence["minLength"] < sequence["maxLength"]
