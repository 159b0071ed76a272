"""Honest health: ``ready`` means that the model answers its own example, lately; full queues change nothing of it."""

import threading
import time

import httpx
import pytest
from health_models import MoodyModel
from reload_toys import describe, search_path, write_package
from serving import Server, starting

from model_service.config import ModelConfig, ReadyRule, ServiceConfig
from model_service.errors import PredictionFailed
from model_service.manager import is_ready
from model_service.prediction import PredictionService
from model_service.records import ModelState, ModelStatus
from model_service.registry.health_watch import HealthWatch

INTERVAL_S = 10.0


@pytest.fixture
def moody(manager):
    MoodyModel.mood, MoodyModel.asked = "well", 0
    MoodyModel.released.clear()
    entry = ModelConfig(class_path="health_models:MoodyModel", timeout_s=5)
    manager.load_models(ServiceConfig(models=(entry,)))
    MoodyModel.asked = 0
    yield manager
    MoodyModel.released.set()


@pytest.fixture
def watch(moody):
    return HealthWatch(lambda: moody.generation.list_served(), INTERVAL_S)


def forget_success(manager):
    """Let it be long ago that the model has answered."""
    manager.get_model("moody_model").backend.vitals.succeeded = 0.0


def ask(watch, now):
    """Look, and wait for what has been asked."""
    watch.look(now)
    for thread in threading.enumerate():
        if thread.name == "self-test":
            thread.join(30)


def status(manager):
    return manager.get_model_metadata("moody_model")


def test_a_model_that_has_answered_lately_is_left_alone(moody, watch):
    ask(watch, 0)
    assert MoodyModel.asked == 0
    forget_success(moody)
    ask(watch, INTERVAL_S)
    assert MoodyModel.asked == 1
    ask(watch, 2 * INTERVAL_S)
    assert MoodyModel.asked == 1


@pytest.mark.parametrize(("mood", "cause"), [("raises", "the model raised"), ("nonsense", "expected")])
def test_a_model_that_fails_its_own_example_is_failed_until_it_answers_again(moody, watch, mood, cause):
    forget_success(moody)
    MoodyModel.mood = mood
    ask(watch, 0)
    failed = status(moody)
    assert failed.state is ModelState.FAILED
    assert cause in failed.problem.cause
    assert failed.vital.failure == "self_test_failed"
    assert not moody.is_ready()
    ask(watch, INTERVAL_S / 2)  # it is not asked all the time
    assert MoodyModel.asked == 1
    MoodyModel.mood = "well"
    ask(watch, INTERVAL_S)
    assert status(moody).state is ModelState.READY
    assert status(moody).vital.succeeded > status(moody).vital.failed


def test_a_model_that_is_failed_for_its_example_answers_requests_and_is_ready_with_them(moody, watch):
    forget_success(moody)
    MoodyModel.mood = "raises"
    ask(watch, 0)
    MoodyModel.mood = "well"
    service = PredictionService(moody, max_rows=10)
    assert service.predict(service.find_target("moody_model", None), {"x": 2}).outputs == [{"y": 4}]
    ask(watch, 1)
    assert status(moody).state is ModelState.READY
    assert MoodyModel.asked == 2  # the example, and the request


def test_a_request_that_fails_is_seen_and_the_model_is_asked_its_example(moody, watch):
    MoodyModel.mood = "raises"
    service = PredictionService(moody, max_rows=10)
    with pytest.raises(PredictionFailed):
        service.predict(service.find_target("moody_model", None), {"x": 2})
    assert status(moody).vital.failure == "prediction_failed"
    assert status(moody).state is ModelState.READY  # one bad request says nothing of the model
    ask(watch, 0)
    assert status(moody).state is ModelState.FAILED


def test_a_model_that_hangs_is_failed_after_its_time_and_asked_once(moody, watch):
    forget_success(moody)
    MoodyModel.mood = "hangs"
    watch.look(0)
    watch.look(4)
    assert status(moody).state is ModelState.READY
    watch.look(6)
    failed = status(moody)
    assert (failed.state, failed.problem.code) == (ModelState.FAILED, "prediction_timeout")
    watch.look(6 + 2 * INTERVAL_S)
    assert MoodyModel.asked == 1
    assert failed.queued_rows == 0
    MoodyModel.mood = "well"
    MoodyModel.released.set()
    ask(watch, 7 + 2 * INTERVAL_S)
    assert status(moody).state is ModelState.READY


READY = ModelStatus("m", "1.0", "m.M", ModelState.READY, is_default=True, is_required=False, info=None, problem=None)
_STATES = {"r": ModelState.READY, "f": ModelState.FAILED, "l": ModelState.LOADING}


@pytest.mark.parametrize(
    ("models", "any_", "all_", "required"),
    [
        ("", True, True, True),
        ("rr", True, True, True),
        ("rf", True, False, True),
        ("ff", False, False, True),
        ("rl", False, False, True),
        ("Rf", True, False, True),
        ("rF", False, False, False),
        ("Rl", False, False, True),
        ("rL", False, False, False),
    ],
)
def test_readiness_follows_the_rule_and_a_capital_is_required(models, any_, all_, required):
    statuses = [
        ModelStatus(**{**_fields(READY), "state": _STATES[each.lower()], "is_required": each.isupper()})
        for each in models
    ]
    assert [is_ready(statuses, rule) for rule in ReadyRule] == [any_, all_, required]


def _fields(status: ModelStatus) -> dict:
    return {name: getattr(status, name) for name in status.__dataclass_fields__}


@pytest.fixture
def server(tmp_path):
    flag = tmp_path / "ill"
    ill = f"1 / (0 if __import__('os').path.exists({str(flag)!r}) else 1)"
    held = (
        f"while payload['x'] < 0 and not __import__('os').path.exists({str(tmp_path / 'released')!r}): time.sleep(0.05)"
    )
    write_package(tmp_path, "1.0.0", predicting=f"{ill}\n        {held}")
    config = """
server: {workers: 1, threads: 1}
health: {ready: all, self_test_interval_s: 1}
models:
  - {class: reload_toy.ThreadToy, execution: dispatched, max_batch_rows: 1}
  - {class: reload_toy.FarToy, backend: process}
"""
    with starting(tmp_path, end=Server.stop) as start:
        yield start(config, PYTHONPATH=search_path(tmp_path))


def wait_for_ready(server, code):
    deadline = time.monotonic() + 60
    while (answer := httpx.get(f"{server.url}/health/ready", timeout=30)).status_code != code:
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.1)
    return answer.json()["models"]


def test_readiness_notices_that_models_have_stopped_to_work_in_workers_and_in_their_own_processes(server, tmp_path):
    (healthy, _) = wait_for_ready(server, 200)
    assert healthy["last_success"].endswith("+00:00")
    assert (healthy["last_failure"], healthy["last_failure_code"]) == (None, None)
    (tmp_path / "ill").touch()
    server.wait_for_log("the model does not answer its own example")
    deadline = time.monotonic() + 60
    while {model["state"] for model in wait_for_ready(server, 503)} != {"failed"}:
        assert time.monotonic() < deadline
    assert [model["last_failure_code"] for model in wait_for_ready(server, 503)] == ["self_test_failed"] * 2
    assert "ZeroDivisionError" not in httpx.get(f"{server.url}/health/ready").text
    while {model["state"] for model in describe(server)["generations"][0]["models"]} != {"failed"}:
        assert time.monotonic() < deadline
    assert httpx.get(f"{server.url}/health/live").status_code == 200
    (tmp_path / "ill").unlink()
    wait_for_ready(server, 200)


def test_health_is_answered_while_every_thread_and_model_is_busy(server, tmp_path):
    done = []

    def work(name: str) -> None:
        path = f"{server.url}/api/models/{name}/predict"
        done.append(httpx.post(path, json=[{"x": -1}] * 10, timeout=120).status_code)

    threads = [threading.Thread(target=work, args=[name]) for name in ("thread_toy", "far_toy") for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        assert httpx.get(f"{server.url}/health/ready", timeout=30).status_code == 200
        assert httpx.get(f"{server.url}/health/live", timeout=30).status_code == 200
    assert done == []
    (tmp_path / "released").touch()
    for thread in threads:
        thread.join()
    assert done == [200] * 6
