"""The OpenAPI document against those who read it: a validator, a fuzzer, a client generator, the committed file."""

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
import yaml
from configurations import SHIPPED, make_config
from openapi_spec_validator import OpenAPIV31SpecValidator
from serving import TESTS, Server

from model_service.config_file import load_config
from model_service.service import Service
from model_service.transports.http.docs import build_document, write_yaml

ROOT = TESTS.parent
# A fuzzer's run must be the same each time, in CI and at a desk.
SEED = "20261121"
# It sends as many rows as may be sent, again and again: few are as good as a thousand, and much sooner answered.
FEW_ROWS = {"MODEL_SERVICE__SERVER__MAX_REQUEST_ROWS": "10"}


def test_the_committed_document_is_what_the_code_generates(manager):
    config = load_config(ROOT / "config.yaml")
    generated = write_yaml(build_document(Service(config).describe(), max_rows=config.server.max_request_rows))
    assert (ROOT / "openapi.yaml").read_text() == generated, "run `make openapi`"


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


@pytest.mark.parametrize("class_path", SHIPPED)
def test_each_models_own_schema_stands_at_its_own_path(manager, class_path):
    (status,) = Service(make_config(class_path)).describe()
    document = build_document([status], max_rows=10)
    operation = document["paths"][f"/api/models/{status.qualified_name}/predict"]["post"]
    (reference, rows) = operation["requestBody"]["content"]["application/json"]["schema"]["anyOf"]
    component = document["components"]["schemas"][reference["$ref"].rpartition("/")[2]]
    assert set(component["properties"]) == set(status.info.input_schema["properties"])
    assert rows["items"] == reference
    assert {"200", "400", "404", "406", "413", "415", "422", "429", "500", "503", "504"} == set(operation["responses"])
    twin = f"/api/models/{status.qualified_name}/versions/{status.version}/predict"
    assert document["paths"][twin]["post"]["requestBody"] == operation["requestBody"]


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


def test_a_generated_client_compiles_and_predicts(shipped, tmp_path):
    generator = Path(sys.executable).with_name("openapi-python-client")
    subprocess.run(
        [
            *(str(generator), "generate", "--path", str(ROOT / "openapi.yaml"), "--output-path", "client"),
            *("--meta", "none", "--fail-on-warning"),
        ],
        cwd=tmp_path,
        # The generator formats what it wrote with the ruff it finds.
        env={**os.environ, "PATH": f"{generator.parent}:{os.environ['PATH']}"},
        capture_output=True,
        check=True,
        timeout=120,
    )
    program = f"""
import compileall, sys
assert compileall.compile_dir("client", quiet=1)
from client import Client
from client.api.iris_model import predict_iris_model
from client.api.models import list_models
from client.models import IrisModelInput
client = Client(base_url="{shipped.url}")
flower = IrisModelInput(sepal_length=5.1, sepal_width=3.5, petal_length=1.4, petal_width=0.2)
print(predict_iris_model.sync(client=client, body=flower).species)
print([output.species.value for output in predict_iris_model.sync(client=client, body=[flower, flower])])
print([model.qualified_name for model in list_models.sync(client=client).models])
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == [
        "setosa",
        "['setosa', 'setosa']",
        "['iris_model', 'loan_model', 'bike_model', 'dna_lstm_model', 'circrna_model']",
    ], done.stderr
