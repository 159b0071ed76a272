"""`serve` as an operator meets it: start, stop, signals, TLS, bad addresses, dead workers."""

import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import httpx
import pytest
import trustme
from fronts import request_of
from serving import TESTS, Server, find_free_port, list_children, starting

from model_service.threads import count_cores
from model_service.wiring import create_app

TOYS = "models:\n  - class: models.DoubleModel\n  - class: models.SleepingModel\n"


@pytest.fixture
def start(tmp_path):
    with starting(tmp_path) as start_server:
        yield lambda config=TOYS, **environment: start_server(config, **environment)


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


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        ('{"x": 20}', {}),
        ('[{"x": 20}]', {}),
        ('[{"x": 20}]', {"prefer": "handling=lenient"}),
        ("x\n20\n", {"content-type": "text/csv"}),
    ],
    ids=["one", "array", "lenient", "file"],
)
def test_a_request_that_is_not_waited_for_any_longer_is_told(start, content, headers):
    server = start(TOYS + "    execution: dispatched\nserver: {shutdown_timeout_s: 1}\n")
    answers = []

    def ask():
        path = f"{server.url}/api/models/sleeping_model/predict"
        answers.append(
            httpx.post(path, content=content, headers={"content-type": "application/json", **headers}, timeout=30)
        )

    request = threading.Thread(target=ask)
    request.start()
    server.wait_for_log("fell asleep")
    server.stop()
    request.join()
    assert answers[0].status_code == 503
    assert answers[0].headers["content-type"] == "application/problem+json"
    assert answers[0].headers["retry-after"]


def test_whoever_was_connected_when_the_service_ended_is_answered(start):
    server = start(f"{TOYS}server: {{workers: 2}}\n")
    request = request_of(b'{"x": 1}', Connection="close")
    ends: Counter[str] = Counter()
    is_over = threading.Event()

    def call_again_and_again() -> None:
        while not is_over.is_set():
            try:
                connection = socket.create_connection(("127.0.0.1", server.port), timeout=1)
            except OSError:  # nobody was there
                ends["not connected"] += 1
                continue
            try:
                connection.sendall(request)
                said = b""
                while part := connection.recv(4096):
                    said += part
                ends["answered" if said.endswith(b'{"y":2}') else f"said {said!r}"] += 1
            except OSError as error:
                ends[type(error).__name__] += 1
            connection.close()

    callers = [threading.Thread(target=call_again_and_again) for _ in range(32)]
    for caller in callers:
        caller.start()
    _wait_until(lambda: ends["answered"] > 500)
    assert server.stop() == 0
    is_over.set()
    for caller in callers:
        caller.join()
    assert ends.keys() <= {"answered", "not connected"}


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_a_model_is_closed_on_every_way_out(start, end):
    server = start("models: [{class: unruly_models.FarewellModel}]")
    server.stop(end)
    server.wait_for_log("farewell")


def test_the_parent_is_killed_and_what_was_accepted_is_answered_all_the_same(start, temporary):
    # Neither of them holds the loop: a request that no loop has read has not been accepted.
    sleeping = "{class: models.SleepingModel, execution: dispatched}"
    models = f"models: [{sleeping}, {{class: unruly_models.UnrulyModel, backend: process}}]"
    server = start(f"{models}\nserver: {{workers: 2}}\n", TMPDIR=str(temporary))
    children = list_children(server.process.pid)
    answers = []

    def ask(model: str, payload: dict) -> None:
        answers.append(httpx.post(f"{server.url}/api/models/{model}/predict", json=payload, timeout=30).json())

    requests = [
        threading.Thread(target=ask, args=["sleeping_model", {"x": 1.5}]),
        threading.Thread(target=ask, args=["unruly_model", {"x": 650}]),
    ]
    for request in requests:
        request.start()
    server.wait_for_log("fell asleep")
    time.sleep(0.5)
    server.stop(signal.SIGKILL)
    for request in requests:
        request.join()
    assert sorted(answer["y"] for answer in answers) == [3.0, 1300]
    _wait_until(lambda: not any(Path(f"/proc/{child}").exists() for child in children))
    assert list(temporary.glob("model-service-*")) == []


def test_ctrl_c_reaches_the_whole_group_and_everything_ends_once(tmp_path, temporary):
    server = Server(TOYS + "server: {workers: 2}\n", tmp_path, environment={"TMPDIR": str(temporary)}, new_group=True)
    server.wait_until_ready()
    os.killpg(server.process.pid, signal.SIGINT)
    assert server.process.wait(timeout=60) == 0
    assert "ended by itself" not in server.log.read_text()
    assert list(temporary.glob("model-service-*")) == []


def test_the_folder_that_a_killed_service_left_is_removed_by_the_next(start, temporary):
    first = start(TOYS, TMPDIR=str(temporary))
    for pid in [*list_children(first.process.pid), first.process.pid]:  # a worker first: it would clean up
        os.kill(pid, signal.SIGSTOP)
    for pid in [*list_children(first.process.pid), first.process.pid]:
        os.kill(pid, signal.SIGKILL)
    (left,) = temporary.glob("model-service-*")
    _wait_until(lambda: first.process.poll() is not None)
    start(TOYS, TMPDIR=str(temporary))
    assert not left.exists()


PIDS = "models: [{class: unruly_models.UnrulyModel}]\nserver: {workers: 2}\n"


def _pid_of(server: Server, client: httpx.Client) -> int:
    pid: int = client.post(f"{server.url}/api/models/unruly_model/predict", json={"x": 0}).json()["pid"]
    return pid


def _wait_for_both_workers(server: Server) -> None:
    pids: set[int] = set()
    deadline = time.monotonic() + 30
    while len(pids) < 2:
        assert time.monotonic() < deadline
        with httpx.Client() as client:  # a connection stays with its worker
            pids.add(_pid_of(server, client))


def test_connections_are_spread_evenly_over_the_workers(start):
    server = start(PIDS)
    _wait_for_both_workers(server)
    clients = [httpx.Client() for _ in range(64)]
    pids = Counter(_pid_of(server, client) for client in clients)
    for client in clients:
        client.close()
    assert len(pids) == 2
    assert min(pids.values()) >= 14  # by chance, less often than once in a hundred thousand times


@pytest.mark.parametrize("late", ["0", "1"])
def test_when_readiness_was_said_once_no_worker_answers_that_models_are_loading(start, late):
    server = start("{server: {workers: 2}, models: [{class: unruly_models.LateModel}]}", LATE_WORKER=late)
    url = f"{server.url}/api/models/late_model/predict"
    assert {httpx.post(url, json={"x": 1}).status_code for _ in range(64)} == {200}  # each on a connection of its own


def test_the_others_accept_for_a_worker_that_is_missing_until_there_is_another(start):
    server = start(PIDS)
    _wait_for_both_workers(server)
    victim, survivor = list_children(server.process.pid)
    os.kill(victim, signal.SIGKILL)
    pids = []
    deadline = time.monotonic() + 30
    while set(pids[-64:]) != {survivor, *list_children(server.process.pid)} or len(set(pids[-64:])) < 2:
        assert time.monotonic() < deadline
        with httpx.Client(timeout=30) as client:
            pids.append(_pid_of(server, client))
    assert victim not in pids
    assert pids[:10] == [survivor] * 10  # before there was another


def test_a_worker_whose_loop_is_held_up_for_good_is_replaced_and_the_log_says_where(start):
    server = start("models: [{class: unruly_models.UnrulyModel}]\nserver: {loop_timeout_s: 1}\n")
    server.wait_for_log("model is ready")
    path = f"{server.url}/api/models/unruly_model/predict"
    assert httpx.post(path, json={"x": 1}).json() == {"y": 2}
    with pytest.raises(httpx.TransportError):
        httpx.post(path, json={"x": -3}, timeout=30)
    assert "in predict" in server.wait_for_log("the loop has been held up for 1 s")
    assert httpx.post(path, json={"x": 1}, timeout=30).json() == {"y": 2}


def test_a_unix_socket_serves_and_is_gone_afterwards(tmp_path):
    path = tmp_path / "service.sock"
    server = Server(f"{TOYS}server: {{unix_socket: {path}}}\n", tmp_path, options=[])
    transport = httpx.HTTPTransport(uds=str(path))
    _wait_until(lambda: _listens(path))
    with httpx.Client(transport=transport, base_url="http://localhost") as client:
        _wait_until(lambda: _answers(client))
        assert client.post("/api/models/double_model/predict", json={"x": 1}).json() == {"y": 2}
    assert server.stop() == 0
    assert not path.exists()


def test_a_stale_unix_socket_is_replaced_and_a_file_is_not(tmp_path):
    (tmp_path / "config.yaml").write_text(f"models: []\nserver: {{unix_socket: {tmp_path}/file}}")
    (tmp_path / "file").write_text("precious")
    done = _run(tmp_path)
    assert (done.returncode, (tmp_path / "file").read_text()) == (3, "precious")
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "stale.sock"))
    server = Server(f"{TOYS}server: {{unix_socket: {tmp_path}/stale.sock}}\n", tmp_path, options=[])
    _wait_until(lambda: _listens(tmp_path / "stale.sock"))
    assert server.stop() == 0


def test_workers_that_cannot_be_kept_alive_end_the_service(tmp_path):
    (tmp_path / "config.yaml").write_text("models: [{class: models.DoubleModel}]")
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "uvloop.py").write_text("raise SystemExit(9)")
    done = _run(tmp_path, environment={"PYTHONPATH": str(broken)})
    assert done.returncode == 1
    assert "ended by itself: status 9" in done.stderr


def test_several_workers_answer_and_none_is_left_behind(start):
    server = start(TOYS + "server: {workers: 2}\n")
    children = list_children(server.process.pid)
    assert len(children) == 2
    assert httpx.post(f"{server.url}/api/models/double_model/predict", json={"x": 1}).json() == {"y": 2}
    assert server.stop() == 0
    assert not any(Path(f"/proc/{child}").exists() for child in children)


def test_a_killed_worker_is_replaced(start):
    server = start()
    (victim,) = list_children(server.process.pid)
    os.kill(victim, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            answer = httpx.post(f"{server.url}/api/models/double_model/predict", json={"x": 1})
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            assert answer.json() == {"y": 2}
            (other,) = list_children(server.process.pid)
            assert other != victim
            assert server.wait_for_log(f"worker 0 is back: pid {other}").count("is back") == 1
            return
    raise AssertionError(server.log.read_text())


def test_https_is_served_with_a_certificate_beside_the_configuration(tmp_path):
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    config = TOYS + "server: {tls_certificate: cert.pem, tls_key: key.pem}\n"
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    server = Server(config, tmp_path, scheme="https").wait_until_ready(verify=trust)
    for _ in range(2):
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as plain:
            plain.sendall(request_of(b'{"x": 1}'))
            assert plain.recv(1) == b""
    with httpx.Client(verify=trust) as client:
        assert client.post(f"{server.url}/api/models/double_model/predict", json={"x": 1}).json() == {"y": 2}
    assert server.wait_for_log("callers must say https://").count("plain HTTP on the port of TLS") == 1
    assert server.stop() == 0


@pytest.mark.parametrize(
    ("config", "said"),
    [
        pytest.param(
            "models: []\nserver: {host: 203.0.113.1}\naccess: {allow_anonymous: true}",
            "cannot listen on 203.0.113.1",
            id="foreign address",
        ),
        pytest.param("models: []\nserver: {host: 0.0.0.0}", "everybody who reaches 0.0.0.0", id="open to everybody"),
        pytest.param("models: []\nserver: {prot: 1}", "did you mean 'port'?", id="unknown key"),
        pytest.param("models: []\nserver: {tls_certificate: a, tls_key: b}", "there is no file", id="no certificate"),
        pytest.param(
            "models: []\nserver: {tls_certificate: config.yaml, tls_key: config.yaml}",
            "cannot be used",
            id="no PEM",
        ),
    ],
)
def test_a_mistake_in_the_configuration_is_one_sentence_and_exit_code_3(tmp_path, config, said):
    (tmp_path / "config.yaml").write_text(config)
    done = _run(tmp_path)
    assert done.returncode == 3
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_in_use_is_told_before_anything_is_started(tmp_path):
    (tmp_path / "config.yaml").write_text("models: []")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        done = _run(tmp_path, port=other.getsockname()[1])
    assert done.returncode == 3
    assert "in use" in done.stderr


def test_ambiguous_models_refuse_to_start_and_name_both(tmp_path):
    (tmp_path / "config.yaml").write_text("models: [{class: models.DoubleModel}, {class: models.DoubleModelAgain}]")
    done = _run(tmp_path)
    assert done.returncode == 4
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


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def _answers(client: httpx.Client) -> bool:
    try:
        return all(model["state"] == "ready" for model in client.get("/health/ready").json()["models"])
    except httpx.TransportError:
        return False


def _wait_until(is_reached) -> None:
    deadline = time.monotonic() + 30
    while not is_reached():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _run(folder, *, port: int | None = None, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess:
    """Run `serve` until it ends by itself, on a port of its own: the default one may be in use."""
    listen = {"MODEL_SERVICE__SERVER__PORT": str(port or find_free_port())}
    return subprocess.run(
        [sys.executable, "-m", "model_service", "--config", str(folder / "config.yaml"), "serve"],
        env={**os.environ, "PYTHONPATH": str(TESTS), **listen, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("server", ["gunicorn", "waitress"])
def test_the_application_runs_under_another_server(tmp_path, server):
    (tmp_path / "config.yaml").write_text(TOYS + "  - {class: unruly_models.UnrulyModel, backend: process}\n")
    port = find_free_port()
    application = f"model_service.wiring:create_app({str(tmp_path / 'config.yaml')!r})"
    commands = {
        "gunicorn": ["gunicorn", "--bind", f"127.0.0.1:{port}", "--threads", "4", application],
        "waitress": ["waitress", "--call", f"--listen=127.0.0.1:{port}", "serving:make_toys"],
    }
    process = subprocess.Popen(
        [sys.executable, "-m", *commands[server]],
        env={**os.environ, "PYTHONPATH": str(TESTS), "TOYS": str(tmp_path / "config.yaml")},
        stderr=subprocess.DEVNULL,
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            _wait_until(lambda: _answers(client))
            assert client.post("/api/models/double_model/predict", json={"x": 4}).json() == {"y": 8}
            assert client.post("/api/models/unruly_model/predict", json={"x": 4}).json() == {"y": 8}
            assert client.post("/api/models/double_model/predict", json={"x": "4"}).status_code == 422
            assert client.get("/").status_code == 200
    finally:
        process.terminate()
        process.wait(timeout=30)


@pytest.mark.parametrize(
    ("quota", "cores"),
    [("max 100000", None), ("50000 100000", 1), ("100000 100000", 1), ("150000 100000", 2), ("", None)],
)
def test_there_are_as_many_workers_as_cores_that_may_be_used(tmp_path, quota, cores):
    available = len(os.sched_getaffinity(0))
    (tmp_path / "cpu.max").write_text(quota)
    assert count_cores(tmp_path / "cpu.max") == min(cores or available, available)
    assert count_cores(tmp_path / "missing") == available


def test_a_temporary_directory_with_too_long_a_path_is_told_in_one_sentence(tmp_path):
    folder = tmp_path / ("x" * 100)
    folder.mkdir()
    (tmp_path / "config.yaml").write_text(f"{TOYS}server: {{port: {find_free_port()}}}\n")
    done = subprocess.run(
        [sys.executable, "-m", "model_service", "serve"],
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(folder), "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 3
    assert "set TMPDIR to a shorter one" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_service_without_models_says_so_at_its_start(start):
    server = start("models: []")
    server.wait_for_log("no models are configured; list them under 'models:'")


def test_what_all_workers_find_of_a_model_is_logged_once(start):
    models = "models: [{class: models.EchoModel}, {class: models.UnloadableModel}, {class: unruly_models.UnrulyModel}]"
    server = start(f"{models}\nserver: {{workers: 2}}\n")
    _wait_for_both_workers(server)  # both have loaded it, which is the last one
    assert server.stop() == 0
    log = server.log.read_text()
    assert log.count("model is ready") == 2
    assert log.count("model is quarantined") == log.count("Traceback") == 1
    assert log.count("looks mistaken: input_schema has no examples") == 1
