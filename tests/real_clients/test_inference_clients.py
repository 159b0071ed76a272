"""The clients that others wrote, each in an environment of its own, against the models that ship.

``make clients`` makes the environments. Without them these tests are skipped; where ``CI`` is set they fail instead.
"""

import json
import os
import subprocess

import httpx
import pytest
from configurations import SHIPPED
from serving import TESTS, find_free_port, starting
from tensor_doors import make_tensors, read_outputs

from model_service.schema.difference import find_difference

ENVIRONMENTS = TESTS.parent / ".clients"


@pytest.fixture(scope="module")
def models(shipped):
    """Return for each model that ships its example payloads, the native route's answers and what V2 says of it."""
    found = {}
    for model in httpx.get(f"{shipped.url}/api/models").json()["models"]:
        name = model["qualified_name"]
        payloads = httpx.get(shipped.url + model["links"]["metadata"]).json()["examples"]
        native = httpx.post(f"{shipped.url}/api/models/{name}/predict", json=payloads, timeout=60)
        found[name] = payloads, native.json(), httpx.get(f"{shipped.url}/v2/models/{name}").json()
    assert len(found) == 5
    return found


def run(environment, script, url, document):
    """Return what the script of a client prints."""
    python = ENVIRONMENTS / environment / "bin/python"
    if not python.exists():
        if os.environ.get("CI"):
            pytest.fail(f"there is no {python}; `make clients` makes it")
        pytest.skip("the clients are not installed; `make clients` installs them")
    done = subprocess.run(
        [python, TESTS / "real_clients" / script, url],
        input=json.dumps(document),
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def assert_same(outputs, native):
    """Rows ran in other batches, so their last bits may differ; and an integer that may be null is sent as a float."""
    pairs = zip(make_whole(outputs), make_whole(native), strict=True)
    assert [found for one, other in pairs if (found := find_difference(one, other, tolerance=1e-6))] == []


def make_whole(value):
    """Return a document in which every whole number is an integer."""
    return json.loads(
        json.dumps(value), parse_float=lambda text: int(float(text)) if float(text) % 1 == 0 else float(text)
    )


def test_tritons_client_gets_the_native_answers_as_json_and_as_bytes(shipped, models):
    requests = {name: [*make_tensors(metadata, payloads)] for name, (payloads, _, metadata) in models.items()}
    answers = run("mlserver", "with_triton.py", shipped.url, requests)
    for name, (_, native, metadata) in models.items():
        as_json, as_bytes = answers[name]
        assert_same(read_outputs(metadata, as_json), native)
        assert_same(read_outputs(metadata, as_bytes), native)


def test_tritons_grpc_client_gets_the_native_answers(tmp_path, models):
    port = find_free_port()
    config = json.dumps({"server": {"grpc_port": port}, "models": [{"class": path} for path in SHIPPED]})
    requests = {name: [*make_tensors(metadata, payloads)] for name, (payloads, _, metadata) in models.items()}
    with starting(tmp_path) as start:
        start(config)
        answers = run("mlserver", "with_triton_grpc.py", f"127.0.0.1:{port}", requests)
    for name, (_, native, metadata) in models.items():
        assert_same(read_outputs(metadata, answers[name]), native)


def test_kserves_client_gets_the_native_answers_of_both_versions(shipped, models):
    requests = {
        name: [payloads, [*make_tensors(metadata, payloads)]] for name, (payloads, _, metadata) in models.items()
    }
    answers = run("kserve", "with_kserve.py", shipped.url, requests)
    for name, (_, native, metadata) in models.items():
        predictions, tensors = answers[name]
        assert_same(predictions, native)
        assert_same(read_outputs(metadata, tensors), native)


def test_mlservers_codecs_get_the_native_answers_for_tables_and_arrays(shipped, models):
    requests = {name: payloads for name, (payloads, _, _) in models.items()}
    answers = run("mlserver", "with_mlserver.py", shipped.url, requests)
    for name, (_, native, metadata) in models.items():
        assert_same([output for tensors in answers[name] for output in read_outputs(metadata, tensors)], native)
    assert_same(read_outputs(models["iris_model"][2], answers["matrix"]), models["iris_model"][1])
