"""`serve` with models in processes of their own: shared by all workers, killed under load, from other environments."""

import os
import signal
import sys
import sysconfig
import threading
import time
import venv
from collections import Counter
from pathlib import Path

import httpx
import pytest
from serving import TESTS, Server, starting

CONNECTIONS = 16
LOAD_S = 10


@pytest.fixture
def start(tmp_path):
    with starting(tmp_path, end=Server.stop) as start_server:
        yield start_server


def predict(server: Server, model: str, payload: object, **options: float) -> httpx.Response:
    return httpx.post(f"{server.url}/api/models/{model}/predict", json=payload, timeout=60, **options)


def unruly_pid(server: Server) -> int:
    deadline = time.monotonic() + 60
    while (answer := predict(server, "unruly_model", {"x": 0})).status_code == 503:  # this worker is still loading
        assert time.monotonic() < deadline
        time.sleep(0.1)
    pid: int = answer.json()["pid"]
    return pid


def test_all_workers_share_one_process_a_model_and_it_ends_with_the_service(start):
    server = start("server: {workers: 2}\nmodels: [{class: unruly_models.UnrulyModel, backend: process}]")
    pids = {unruly_pid(server) for _ in range(20)}
    assert len(pids) == 1
    assert server.stop() == 0
    assert not Path(f"/proc/{pids.pop()}").exists()


def test_the_process_ends_when_the_service_is_killed(start):
    server = start("models: [{class: unruly_models.UnrulyModel, backend: process}]")
    pid = unruly_pid(server)
    server.stop(signal.SIGKILL)
    deadline = time.monotonic() + 30
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{pid}").exists()


def test_a_killed_process_under_load_costs_only_what_it_was_running(start):
    server = start("models: [{class: unruly_models.UnrulyModel, backend: process}, {class: models.EchoModel}]")
    first = unruly_pid(server)
    answers: dict[str, Counter[int]] = {"unruly_model": Counter(), "echo_model": Counter()}
    ends_at = time.monotonic() + LOAD_S

    def load(model: str) -> None:
        with httpx.Client(base_url=server.url, timeout=60) as client:
            while time.monotonic() < ends_at:
                response = client.post(f"/api/models/{model}/predict", json={"x": 501})
                answers[model][response.status_code] += 1

    names = ["unruly_model", "echo_model"]
    threads = [threading.Thread(target=load, args=(names[i % 2],)) for i in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    time.sleep(LOAD_S / 3)
    os.kill(first, signal.SIGKILL)
    for thread in threads:
        thread.join()
    assert set(answers["echo_model"]) == {200}
    assert set(answers["unruly_model"]) <= {200, 500}
    assert answers["unruly_model"][500] <= CONNECTIONS / 2  # at most what was under way at that moment
    assert answers["unruly_model"][200] > 0
    second = unruly_pid(server)
    assert second != first
    assert server.wait_for_log(f"model process is back: pid {second}").count("is back") == 1


def test_a_prediction_that_never_ends_is_504_and_the_model_answers_again(start):
    server = start("models: [{class: unruly_models.UnrulyModel, backend: process, timeout_s: 1.5}]")
    response = predict(server, "unruly_model", {"x": -3})
    assert response.status_code == 504
    assert response.json()["code"] == "prediction_timeout"
    deadline = time.monotonic() + 30
    while predict(server, "unruly_model", {"x": 1}).status_code != 200:
        assert time.monotonic() < deadline
    assert predict(server, "unruly_model", {"x": 2}).json() == {"y": 4}


def test_a_crash_is_500_with_an_id_that_finds_the_reason(start):
    server = start("models: [{class: unruly_models.UnrulyModel, backend: process}]")
    response = predict(server, "unruly_model", {"x": -2})
    assert response.status_code == 500
    assert response.json()["code"] == "prediction_failed"
    server.wait_for_log("SIGSEGV")
    raised = predict(server, "unruly_model", {"x": -6}).json()
    lines = [line for line in server.log.read_text().splitlines() if raised["request_id"] in line]
    assert any("a bad row" in line for line in lines)


def test_two_versions_from_two_environments_are_served_side_by_side(start, tmp_path):
    config = "models:\n"
    for version in ("1.0.0", "2.0.0"):
        python = _make_environment(tmp_path / version, version)
        config += f"  - {{class: versioned_package.VersionedModel, backend: process, python: {python}}}\n"
    server = start(config)
    assert "versioned_package" not in sys.modules
    for version in ("1.0.0", "2.0.0"):
        path = f"{server.url}/api/models/versioned_model/versions/{version}"
        assert httpx.post(f"{path}/predict", json={}).json() == {"version": version, "installed": version}
        assert httpx.get(f"{path}/metadata").json()["description"] == f"Version {version}."
    assert predict(server, "versioned_model", {}).headers["x-model-version"] == "2.0.0"


def _make_environment(folder: Path, version: str) -> Path:
    """Return the interpreter of a new environment with one version of a package, and with model_service."""
    venv.create(folder, with_pip=False, symlinks=True)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    (packages / "shared.pth").write_text(f"{sysconfig.get_path('purelib')}\n{TESTS.parent}\n")
    (packages / "versioned_package.py").write_text(
        f"""
from model_service import MLModel

class VersionedModel(MLModel):
    qualified_name, display_name, version = "versioned_model", "Versioned", "{version}"
    description = "Version {version}."
    input_schema = {{"type": "object", "examples": [{{}}]}}
    output_schema = {{"type": "object"}}

    def predict(self, payload):
        return {{"version": self.version, "installed": "{version}"}}
"""
    )
    return folder / "bin" / "python"
