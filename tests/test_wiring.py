"""`serve` as an operator meets it: start, stop, signals, TLS, bad addresses, dead workers."""

import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest
import trustme
from serving import TESTS, Server

from model_service.wiring import count_cores, create_app

TOYS = "models:\n  - class: models.DoubleModel\n  - class: models.SleepingModel\n"


@pytest.fixture
def start(tmp_path):
    servers = []

    def start_server(config: str = TOYS, **environment: str) -> Server:
        servers.append(Server(config, tmp_path, environment=environment).wait_until_ready())
        return servers[-1]

    yield start_server
    for server in servers:
        server.process.kill()
        server.process.wait()


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_running_requests_finish_and_exits_with_0(start, signal_number):
    server = start()
    answers = []
    request = threading.Thread(
        target=lambda: answers.append(
            httpx.post(f"{server.url}/api/models/sleeping_model/predict", json={"x": 1.5}, timeout=30)
        )
    )
    request.start()
    server.wait_for_log("fell asleep")
    assert server.stop(signal_number) == 0
    request.join()
    assert answers[0].json() == {"y": 3.0}
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{server.url}/health/live")


def test_several_workers_answer_and_none_is_left_behind(start):
    server = start(TOYS + "server: {workers: 2}\n")
    children = _children(server.process.pid)
    assert len(children) == 2
    assert httpx.post(f"{server.url}/api/models/double_model/predict", json={"x": 1}).json() == {"y": 2}
    assert server.stop() == 0
    assert not any(Path(f"/proc/{child}").exists() for child in children)


def test_a_killed_worker_is_replaced(start):
    server = start()
    (victim,) = _children(server.process.pid)
    os.kill(victim, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            answer = httpx.post(f"{server.url}/api/models/double_model/predict", json={"x": 1})
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            assert answer.json() == {"y": 2}
            assert _children(server.process.pid) != [victim]
            return
    raise AssertionError(server.log.read_text())


def test_workers_end_when_their_parent_is_killed(start):
    server = start()
    (worker,) = _children(server.process.pid)
    server.stop(signal.SIGKILL)
    deadline = time.monotonic() + 30
    while Path(f"/proc/{worker}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{worker}").exists()


def test_https_is_served_with_a_certificate_beside_the_configuration(tmp_path):
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    config = TOYS + "server: {tls_certificate: cert.pem, tls_key: key.pem}\n"
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    server = Server(config, tmp_path, scheme="https").wait_until_ready(verify=trust)
    with httpx.Client(verify=trust) as client:
        assert client.post(f"{server.url}/api/models/double_model/predict", json={"x": 1}).json() == {"y": 2}
    assert server.stop() == 0


@pytest.mark.parametrize(
    ("config", "arguments", "status", "said"),
    [
        pytest.param(
            "models: []\nserver: {host: 203.0.113.1}", [], 3, "cannot listen on 203.0.113.1", id="foreign address"
        ),
        pytest.param("models: []\nserver: {prot: 1}", [], 3, "did you mean 'port'?", id="unknown key"),
        pytest.param(
            "models: []\nserver: {tls_certificate: a, tls_key: b}", [], 3, "there is no file", id="no certificate"
        ),
        pytest.param(
            "models: []\nserver: {tls_certificate: config.yaml, tls_key: config.yaml}",
            [],
            3,
            "cannot be used",
            id="no PEM",
        ),
    ],
)
def test_a_mistake_in_the_configuration_is_one_sentence_and_exit_code_3(tmp_path, config, arguments, status, said):
    (tmp_path / "config.yaml").write_text(config)
    done = _run(tmp_path, *arguments)
    assert done.returncode == status
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_in_use_is_told_before_anything_is_started(tmp_path):
    (tmp_path / "config.yaml").write_text("models: []")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        done = _run(tmp_path, "--port", str(other.getsockname()[1]))
    assert done.returncode == 3
    assert "in use" in done.stderr


def test_ambiguous_models_refuse_to_start_and_name_both(tmp_path):
    (tmp_path / "config.yaml").write_text("models: [{class: models.DoubleModel}, {class: models.DoubleModelAgain}]")
    done = _run(tmp_path)
    assert done.returncode == 1
    assert "configured twice" in done.stderr
    assert "models.DoubleModelAgain" in done.stderr


def test_a_service_without_models_answers_an_empty_list(start):
    server = start("models:\n")
    assert httpx.get(f"{server.url}/api/models").json() == {"models": []}
    assert httpx.get(f"{server.url}/health/ready").status_code == 200
    assert httpx.get(f"{server.url}/openapi.json").status_code == 200


def test_create_app_serves_a_configuration_file_under_any_wsgi_server(manager, tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(TOYS)
    client = create_app(path).test_client()
    assert client.post("/api/models/double_model/predict", json={"x": 4}).json == {"y": 8}


def _run(folder, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "model_service", "--config", str(folder / "config.yaml"), "serve", *arguments],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _children(pid: int) -> list[int]:
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(child) for child in file.read().split()]


@pytest.mark.parametrize(
    ("quota", "cores"),
    [("max 100000", None), ("50000 100000", 1), ("100000 100000", 1), ("150000 100000", 2), ("", None)],
)
def test_there_are_as_many_workers_as_cores_that_may_be_used(tmp_path, quota, cores):
    available = len(os.sched_getaffinity(0))
    (tmp_path / "cpu.max").write_text(quota)
    assert count_cores(tmp_path / "cpu.max") == min(cores or available, available)
    assert count_cores(tmp_path / "missing") == available
