"""Reloads of a service under load: nothing is lost, nothing is mixed, and what fails changes nothing.

``RELOADS=4`` makes it the short test.
"""

import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

import grpc
import httpx
import pytest
import trustme
from grpc_client import GrpcClient, make_infer
from reload_toys import CONFIG, NAMES, describe, loading, order, search_path, write_package
from serving import Server, find_free_port, list_children, starting

from model_service.control import find_service, give_order
from model_service.errors import ConfigInvalid, ReloadFailed, ReloadUnderWay, ServiceNotRunning

RELOADS = int(os.environ.get("RELOADS", "20"))
ONE = "server: {workers: 1, shutdown_timeout_s: 5}\nmodels: [{class: reload_toy.NearToy}]\n"


@pytest.fixture
def folder(tmp_path):
    write_package(tmp_path, "1.0.0")
    return tmp_path


@pytest.fixture
def start(folder):
    with starting(folder, end=Server.stop) as start_server:

        def start(config=CONFIG):
            server = start_server(config, PYTHONPATH=search_path(folder))
            wait_until(lambda: is_loaded(server), "a worker does not load its models")
            return server

        yield start


def is_loaded(server):
    """Whether all workers have loaded what is installed, which the test is about to change."""
    (generation,) = describe(server)["generations"]
    return generation["loaded_workers"] == generation["workers"]


def ask(server, model="near_toy", **payload):
    return httpx.post(f"{server.url}/api/models/{model}/predict", json={"x": 1, **payload}, timeout=60)


def written(server, model="near_toy"):
    return ask(server, model).json()["written"]


def wait_until(is_reached, what="it never came to be"):
    deadline = time.monotonic() + 60
    while not is_reached():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def wait_for_generation(server, number):
    def serves() -> bool:
        return [each["generation"] for each in describe(server)["generations"]] == [number]

    wait_until(serves, server.log.read_text())


def test_no_request_is_lost_or_mixed_through_many_reloads_of_new_code(start, folder):
    server = start()
    with loading(server) as load:
        for number in range(1, RELOADS + 1):
            write_package(folder, f"1.{number}.0")
            order(server, "reload")
            # What connects now finds the new code, on every backend.
            assert {written(server, name) for name in NAMES} == {f"1.{number}.0"}
    assert load.errors == []
    assert len(load.answers) == RELOADS + 1
    wait_for_generation(server, RELOADS + 1)
    assert server.stop() == 0


def test_a_signal_reloads_and_so_does_a_second_one_after_it(start, folder):
    server = start()
    for version in ("1.1.0", "1.2.0"):
        write_package(folder, version)
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda version=version: written(server) == version, server.log.read_text())
    assert "+ near_toy 1.1.0" in server.log.read_text()


def test_new_code_of_the_same_version_is_served_and_the_plan_says_so(start, folder):
    server, said = start(ONE), []
    write_package(folder, "1.0.1", stated="1.0.0")
    order(server, "reload", said)
    assert said == [
        "~ near_toy 1.0.0 other code, artifacts or descriptions in the same version",
        "generation 2 serves",
    ]
    assert written(server) == "1.0.1"


def test_the_plan_names_models_options_and_what_needs_a_restart(start, folder):
    server, said = start(CONFIG), []
    config = CONFIG.replace("  - class: reload_toy.NearToy\n", "").replace(
        "backend: process", "backend: process, replicas: 2"
    )
    (folder / "config.yaml").write_text(config.replace("workers: 2", "workers: 3, threads: 4"))
    order(server, "reload", said, is_dry=True)
    assert said == [
        "! server.workers 2 -> 3 needs a restart",
        "- near_toy 1.0.0",
        "~ far_toy 1.0.0 replicas 1 -> 2",
        "~ server.threads 16 -> 4",
    ]
    assert [each["generation"] for each in describe(server)["generations"]] == [1]
    again: list[str] = []
    order(server, "reload", again)
    assert again == [*said, "generation 2 serves"]
    wait_for_generation(server, 2)
    assert ask(server).status_code == 404
    processes = [each["for"] for each in describe(server)["generations"][0]["processes"]]
    assert processes == ["worker", "worker", "model reload_toy.FarToy", "model reload_toy.FarToy"]


@pytest.mark.parametrize(
    ("config", "package", "error", "said"),
    [
        pytest.param("models: [", {}, ConfigInvalid, "not valid YAML", id="broken YAML"),
        pytest.param("modles: []", {}, ConfigInvalid, "did you mean 'models'?", id="unknown key"),
        pytest.param(ONE.replace("NearToy", "NoToy"), {}, ReloadFailed, "no_toy|NoToy", id="no class"),
        pytest.param(None, {"predicting": "1 / 0"}, ReloadFailed, "cannot answer the examples", id="self-test"),
        pytest.param(None, {"loading": "raise OSError"}, ReloadFailed, "OSError", id="constructor"),
        pytest.param(
            None,
            {"loading": "import os; os._exit(5)"},
            ReloadFailed,
            "ended by itself, with status 5",
            id="worker ends",
        ),
        pytest.param(
            ONE.replace("workers: 1", "workers: 1, reload_timeout_s: 2"),
            {"loading": "time.sleep(600)"},
            ReloadFailed,
            r"within 2 s \(server.reload_timeout_s\)",
            id="hangs at load",
        ),
        pytest.param(
            "models: [{class: reload_toy.NearToy}, {class: reload_toy.NearToy, required: true}]",
            {},
            ReloadFailed,
            "is configured twice",
            id="ambiguous",
        ),
    ],
)
def test_what_is_not_fit_to_serve_leaves_the_generation_before_serving(start, folder, config, package, error, said):
    server = start(ONE)
    if config is not None:
        (folder / "config.yaml").write_text(config)
    if package:
        write_package(folder, "2.0.0", **package)
    with pytest.raises(error, match=said):
        order(server, "reload")
    assert written(server) == "1.0.0"
    assert [each["generation"] for each in describe(server)["generations"]] == [1]
    assert len(list_children(server.process.pid)) == 1
    write_package(folder, "3.0.0")
    (folder / "config.yaml").write_text(ONE)
    order(server, "reload")
    assert written(server) == "3.0.0"


def test_a_model_that_failed_before_stops_a_reload_only_where_it_is_required(start, folder):
    config = "server: {workers: 1}\nmodels: [{class: reload_toy.NearToy}, {class: models.UnloadableModel}]"
    server = start(config)
    write_package(folder, "1.1.0")
    order(server, "reload")
    assert written(server) == "1.1.0"
    (folder / "config.yaml").write_text(config.replace("UnloadableModel", "UnloadableModel, required: true"))
    with pytest.raises(ReloadFailed, match="Generation 2 serves on"):
        order(server, "reload")


def test_a_second_order_meanwhile_is_refused_with_a_clear_word(start, folder):
    server = start(ONE)
    write_package(folder, "1.1.0", loading="time.sleep(3)")
    first = threading.Thread(target=order, args=[server, "reload"])
    first.start()
    wait_until(lambda: len(describe(server)["generations"]) == 2)
    with pytest.raises(ReloadUnderWay, match="another reload is under way"):
        order(server, "reload")
    with pytest.raises(ReloadUnderWay):
        order(server, "rollback")
    first.join()
    assert written(server) == "1.1.0"


def test_a_stop_in_the_middle_of_a_reload_ends_everything(start, folder):
    server = start(ONE)
    write_package(folder, "1.1.0", loading="time.sleep(600)")
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: len(describe(server)["generations"]) == 2)
    children = list_children(server.process.pid)
    assert server.stop() == 0
    assert not any(Path(f"/proc/{child}").exists() for child in children)


def test_a_parent_killed_in_the_middle_of_a_reload_leaves_nothing_behind(start, folder):
    server = start(CONFIG)
    write_package(folder, "1.1.0", loading="time.sleep(3)")
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: len(describe(server)["generations"]) == 2)
    wait_until(lambda: len(list_children(server.process.pid)) == 6)
    children = list_children(server.process.pid)
    server.stop(signal.SIGKILL)
    wait_until(lambda: not any(Path(f"/proc/{child}").exists() for child in children))


def test_rollback_serves_what_was_served_before_and_back_again(start, folder):
    server = start(CONFIG)
    with pytest.raises(ReloadFailed, match="there is no generation to go back to"):
        order(server, "rollback")
    (folder / "config.yaml").write_text(ONE)
    order(server, "reload")
    assert ask(server, "far_toy").status_code == 404
    order(server, "rollback")
    assert written(server, "far_toy") == "1.0.0"
    order(server, "rollback")
    assert ask(server, "far_toy").status_code == 404


def test_rollback_serves_nothing_else_than_what_was_served_before(start, folder):
    server = start(CONFIG)
    write_package(folder, "1.1.0")
    order(server, "reload")
    with pytest.raises(ReloadFailed, match="near_toy 1.1.0 failed: .*install what it was started with"):
        order(server, "rollback")
    assert written(server) == "1.1.0"
    write_package(folder, "1.0.0")
    with pytest.raises(ReloadFailed):  # the files differ: nobody has installed the same package again
        order(server, "rollback")


def test_a_request_that_is_under_way_is_finished_by_the_generation_that_began_it(start, folder):
    server = start(CONFIG)
    answers: dict[str, httpx.Response] = {}
    threads = [
        threading.Thread(target=lambda name=name: answers.update({name: ask(server, name, sleep_s=6)}))
        for name in ("thread_toy", "far_toy")
    ]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    write_package(folder, "1.1.0")
    order(server, "reload")
    assert {written(server, name) for name in NAMES} == {"1.1.0"}
    for thread in threads:
        thread.join()
    assert {name: answer.json()["written"] for name, answer in answers.items()} == dict.fromkeys(answers, "1.0.0")
    assert len(answers) == 2
    wait_for_generation(server, 2)


def test_an_idle_connection_is_closed_by_its_next_answer_and_not_before(start, folder):
    server = start(CONFIG)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    body, headers = json.dumps({"x": 1}), {"Content-Type": "application/json"}

    def post() -> http.client.HTTPResponse:
        connection.request("POST", "/api/models/near_toy/predict", body, headers)
        return connection.getresponse()

    assert json.load(post())["written"] == "1.0.0"
    fresh = socket.create_connection(("127.0.0.1", server.port))  # one that has not asked for anything yet
    write_package(folder, "1.1.0")
    order(server, "reload")
    time.sleep(2)
    answer = post()
    assert (json.load(answer)["written"], answer.headers["connection"]) == ("1.0.0", "close")
    fresh.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert fresh.recv(100).startswith(b"HTTP/1.1 200 ")
    fresh.close()
    connection.close()
    wait_for_generation(server, 2)


def test_idle_connections_keep_a_generation_no_longer_than_is_configured(start, folder):
    server = start(CONFIG.replace("workers: 2", "workers: 2, drain_timeout_s: 1"))
    with socket.create_connection(("127.0.0.1", server.port)) as idle:
        order(server, "reload")
        wait_for_generation(server, 2)
        assert idle.recv(1) == b""


def test_at_most_one_generation_retires_beside_the_one_that_serves(start, folder):
    server = start(ONE)
    with socket.create_connection(("127.0.0.1", server.port)):
        order(server, "reload")
        assert [each["state"] for each in describe(server)["generations"]] == ["retiring", "serving"]
        order(server, "reload")
        wait_for_generation(server, 3)


def test_a_renewed_certificate_is_served_after_a_reload_and_a_broken_one_refuses_it(folder):
    authority = trustme.CA()
    trust = ssl.create_default_context()
    authority.configure_trust(trust)

    def issue() -> bytes:
        issued = authority.issue_cert("127.0.0.1")
        issued.private_key_pem.write_to_path(folder / "key.pem")
        issued.cert_chain_pems[0].write_to_path(folder / "cert.pem")
        return ssl.PEM_cert_to_DER_cert(issued.cert_chain_pems[0].bytes().decode())

    def show(server: Server) -> bytes | None:
        with (
            socket.create_connection(("127.0.0.1", server.port)) as plain,
            trust.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
        ):
            return connection.getpeercert(binary_form=True)

    first = issue()
    config = ONE.replace("workers: 1", "workers: 1, tls_certificate: cert.pem, tls_key: key.pem")
    server = Server(config, folder, scheme="https", environment={"PYTHONPATH": search_path(folder)})
    server.wait_until_ready(verify=trust)
    try:
        assert show(server) == first
        second = issue()
        order(server, "reload")
        assert show(server) == second
        (folder / "key.pem").write_text("no key")
        with pytest.raises(ConfigInvalid, match="cannot be used"):
            order(server, "reload")
        assert show(server) == second
    finally:
        server.stop()


def test_a_worker_that_is_lost_after_a_reload_is_replaced_by_one_of_its_generation(start, folder):
    server = start(ONE)
    write_package(folder, "1.1.0")
    order(server, "reload")
    wait_for_generation(server, 2)
    (victim,) = list_children(server.process.pid)
    os.kill(victim, signal.SIGKILL)

    def answers() -> bool:
        try:
            return written(server) == "1.1.0"
        except httpx.TransportError:
            return False

    wait_until(answers)
    assert "ended by itself: SIGKILL" in server.log.read_text()


def test_grpc_follows_a_reload_and_what_it_cuts_off_may_be_sent_again(start, folder):
    port = find_free_port()
    server = start(CONFIG.replace("workers: 2", f"workers: 2, grpc_port: {port}"))
    stopping, errors, versions = threading.Event(), [], set()

    def call() -> None:
        client = GrpcClient(port)
        grpc.channel_ready_future(client.channel).result(60)
        tensors = [{"name": "x", "datatype": "FP64", "shape": [1], "data": [1.0]}]
        while not stopping.is_set():
            try:
                answer = client.call("ModelInfer", make_infer("near_toy", tensors, is_raw=False))
                versions.add(answer.model_version)
            except grpc.RpcError as error:
                if error.code() not in (grpc.StatusCode.CANCELLED, grpc.StatusCode.UNAVAILABLE):
                    errors.append(error)
            time.sleep(0.05)
        client.close()

    callers = [threading.Thread(target=call) for _ in range(4)]
    for caller in callers:
        caller.start()
    for version in ("1.1.0", "1.2.0"):
        write_package(folder, version)
        order(server, "reload")
        wait_until(lambda version=version: version in versions)
    stopping.set()
    for caller in callers:
        caller.join()
    assert errors == []
    assert versions == {"1.0.0", "1.1.0", "1.2.0"}


def test_a_job_goes_on_in_the_processes_of_the_next_generation(start, folder):
    server = start(CONFIG)
    rows = "".join(json.dumps({"x": row, "sleep_s": 0.001}) + "\n" for row in range(4000))
    path = f"{server.url}/api/models/thread_toy/jobs"
    job = httpx.post(path, content=rows, headers={"content-type": "application/x-ndjson"}, timeout=60).json()

    def find():
        return httpx.get(f"{server.url}/api/jobs/{job['id']}", timeout=60).json()

    wait_until(lambda: find()["rows_done"] > 0)
    (folder / "config.yaml").write_text(CONFIG + "logging: {level: debug}\n")
    order(server, "reload")
    assert find()["state"] in ("queued", "running")
    wait_until(lambda: find()["state"] == "succeeded", str(find()))
    assert find()["rows_done"] == 4000
    wait_for_generation(server, 2)


def test_the_service_is_reloaded_over_http_only_where_that_is_allowed(start, folder):
    server = start(ONE.replace("workers: 1", "workers: 1, allow_management: true"))
    path = f"{server.url}/api/manage/reload"
    # What any page in a browser may send without asking is no order.
    assert httpx.post(path, content="{}", headers={"content-type": "text/plain"}).status_code == 415
    assert httpx.post(path, json={"dryrun": True}).status_code == 400
    assert httpx.post(path, json={"dry_run": "yes"}).status_code == 400
    write_package(folder, "1.1.0")
    answer = httpx.post(path, json={"dry_run": True}, timeout=60).json()
    assert answer == {"generation": 1, "plan": ["+ near_toy 1.1.0", "- near_toy 1.0.0"]}
    answer = httpx.post(path, json={}, timeout=60)
    assert answer.json()["generation"] == 2
    assert answer.headers["connection"] == "close"
    assert written(server) == "1.1.0"
    assert "/api/manage/reload" in httpx.get(f"{server.url}/openapi.json").json()["paths"]
    (folder / "config.yaml").write_text("models: [")
    problem = httpx.post(path, json={}, timeout=60)
    assert (problem.status_code, problem.json()["code"]) == (409, "reload_failed")
    assert "not valid YAML" in problem.json()["detail"]
    (folder / "config.yaml").write_text(ONE)
    assert httpx.post(path, json={}, timeout=60).json()["generation"] == 3
    assert httpx.post(path, json={}, timeout=60).status_code == 404  # by the configuration that is served now


def run(folder, *arguments, config="config.yaml"):
    return subprocess.run(
        [sys.executable, "-m", "model_service", "--config", str(folder / config), *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_commands_find_the_service_by_its_configuration(start, folder):
    server = start(CONFIG)
    write_package(folder, "1.1.0")
    dry = run(folder, "reload", "--dry-run")
    assert (dry.returncode, dry.stdout.splitlines()[0]) == (0, "+ near_toy 1.1.0"), dry.stderr
    done = run(folder, "reload")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "generation 2 serves")
    wait_for_generation(server, 2)
    shown = run(folder, "status")
    assert shown.stdout.splitlines()[1].startswith("generation 2: serving")
    assert "near_toy                 1.1.0      ready    in_loop    0 rows wait, default" in shown.stdout
    assert "model reload_toy.FarToy" in shown.stdout
    assert shown.stdout.splitlines()[-1] == "rollback goes back to generation 1"
    document = json.loads(run(folder, "status", "--json").stdout)
    assert (document["pid"], document["rollback_to"]) == (server.process.pid, 1)
    memory = [each["memory_bytes"] for each in document["generations"][0]["processes"]]
    assert min(memory) > 1_000_000
    (folder / "config.yaml").write_text("models: [")
    broken = run(folder, "reload")
    assert broken.returncode == 3
    assert "not valid YAML" in broken.stderr
    assert written(server) == "1.1.0"


def test_a_command_without_its_service_says_what_runs(start, folder):
    server = start(ONE)
    alone = run(folder, "status", config="another.yaml")
    assert alone.returncode == 3
    assert f"{server.process.pid} ({folder}/config.yaml)" in alone.stderr
    assert server.stop() == 0
    with pytest.raises(ServiceNotRunning):
        find_service(folder / "config.yaml")


def test_only_the_user_of_the_service_may_give_orders(start, folder):
    server = start(ONE)
    control = find_service(folder / "config.yaml", server.process.pid).control
    assert control.stat().st_mode & 0o777 == 0o600
    with pytest.raises(ConfigInvalid, match="knows 'reload', 'rollback' and 'status'"):
        give_order(control, {"op": "explode"})
    with socket.socket(socket.AF_UNIX) as caller:  # what is no order is no harm
        caller.connect(str(control))
        caller.sendall(b"not JSON\n")
        assert caller.recv(1) == b""
    assert describe(server)["pid"] == server.process.pid
