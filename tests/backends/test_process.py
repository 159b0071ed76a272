"""What a model process adds to the contract of a backend: deadlines, crashes, memory, batches, orphans."""

import os
import signal
import socket
import stat
import subprocess
import sys
import sysconfig
import threading
import time
import venv
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

import pytest
from serving import TESTS

from model_service.backends.base import Host
from model_service.backends.process import restart_policy, status
from model_service.backends.process.backend import ProcessBackend
from model_service.backends.process.frames import FrameReader, encode_frame, receive_frames
from model_service.backends.process.supervisor import Supervisor
from model_service.backends.service_rate import LEAST_BATCHES
from model_service.backends.ticket import Ticket
from model_service.config import BackendName, ModelConfig, ServiceConfig
from model_service.errors import (
    ModelImportFailed,
    ModelLoadFailed,
    ModelNotReady,
    OutputInvalid,
    PayloadInvalid,
    PayloadTooLarge,
    PredictionFailed,
    PredictionTimeout,
    QueueFull,
)
from model_service.manager import ModelManager
from model_service.records import ModelState, RequestContext, Violation

UNRULY = "unruly_models.UnrulyModel"


@pytest.fixture
def start(loop):
    """Return a function that returns a started backend; all are stopped after the test."""
    started = []

    def make(class_path: str = UNRULY, *, folder: Path | None = None, **options: object) -> ProcessBackend:
        config = ModelConfig(class_path=class_path, backend=BackendName.PROCESS, **options)
        started.append(ProcessBackend(config, Host(loop, folder)))
        started[-1].start()
        return started[-1]

    yield make
    for backend in started:
        backend.stop()


def row(number: float) -> list[dict]:
    return [{"x": number}]


def pid_of(backend: ProcessBackend) -> int:
    pid: int = backend.run(row(0))[0]["pid"]
    return pid


def exists(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def wait_until(condition, timeout_s: float = 30) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_the_model_runs_in_another_process_which_ends_with_the_backend(start):
    backend = start()
    pid = pid_of(backend)
    assert pid != os.getpid()
    backend.stop()
    assert not exists(pid)


def test_only_this_user_can_reach_the_sockets_and_they_are_removed():
    supervisor = Supervisor(ModelConfig(class_path=UNRULY, backend=BackendName.PROCESS))
    assert stat.S_IMODE(supervisor.folder.stat().st_mode) == 0o700
    supervisor.start()
    supervisor.stop()
    assert not supervisor.folder.exists()


@pytest.mark.parametrize("number", [-1, -2, -5], ids=["os._exit", "segfault", "an exception in a thread"])
def test_a_crash_fails_its_own_row_and_the_next_one_is_answered_by_a_new_process(start, number):
    backend = start()
    before = pid_of(backend)
    with pytest.raises(PredictionFailed, match="process ended"):
        backend.run(row(number))
    after = pid_of(backend)
    assert after != before
    assert not exists(before)


def test_rows_that_waited_while_the_process_died_are_answered_by_the_next(start):
    backend = start(timeout_s=30)
    running, over = submit(backend, -3)
    wait_until(lambda: is_running(backend, running))
    waiting = [submit(backend, number) for number in range(1, 8)]
    wait_until(lambda: all(ticket in backend._calls for ticket, _ in waiting))
    os.kill(status_pid(backend), signal.SIGKILL)
    assert isinstance(over.get(timeout=30).error, PredictionFailed)
    answered = [told.get(timeout=30).outputs for _, told in waiting]
    assert answered == [[{"y": 2 * number}] for number in range(1, 8)]


def status_pid(backend: ProcessBackend, number: int = 0) -> int:
    folder = backend._supervisor.folder  # the test needs the process without asking the model
    pid: int = status.read_status(status.name_status(folder, number)).pid
    return pid


def test_a_prediction_past_its_deadline_is_killed_and_its_place_is_free_again(start):
    backend = start(timeout_s=1)
    before = pid_of(backend)
    with pytest.raises(PredictionTimeout):
        backend.run(row(-3))
    wait_until(lambda: not exists(before))
    backend.stop()  # a new start has its full time
    assert pid_of(start(timeout_s=30)) != before


def test_a_deadline_is_no_crash(start, monkeypatch):
    monkeypatch.setattr(restart_policy, "MOST_SHORT_LIVES", 1)
    backend = start(timeout_s=2)
    with pytest.raises(PredictionTimeout):
        backend.run(row(-3))
    wait_until(lambda: answers(backend))
    assert backend.find_problem() is None


def answers(backend: ProcessBackend) -> bool:
    try:
        return backend.run(row(4)) == [{"y": 8}]
    except (PredictionTimeout, PredictionFailed, ModelNotReady):
        return False


def test_a_call_that_only_waited_times_out_without_killing_the_process(start):
    backend = start(timeout_s=0.8)
    pid = pid_of(backend)
    with ThreadPoolExecutor(4) as pool:
        busy = [pool.submit(backend.run, [{"x": 560}, {"x": 1}]) for _ in range(4)]  # 0.6 s each, one after the other
        results = [future.exception() for future in busy]
    assert any(isinstance(result, PredictionTimeout) for result in results)
    wait_until(lambda: answers(backend))
    assert pid_of(backend) == pid


def test_after_too_many_crashes_the_model_is_stopped_for_a_while_and_says_so(start, monkeypatch):
    monkeypatch.setattr(restart_policy, "MOST_SHORT_LIVES", 3)
    monkeypatch.setattr(restart_policy, "FIRST_OPEN_S", 3.0)
    backend = start()
    crash(backend, 3)
    wait_until(lambda: backend.find_problem() is not None)
    problem = backend.find_problem()
    assert problem.code == "model_crashed"
    assert "SIGSEGV" in problem.cause
    assert "started again" in problem.remedy
    wait_until(lambda: refusal_of(backend) is not None)
    refusal = refusal_of(backend)
    assert refusal.retry_after_s in (1, 2, 3)
    assert refusal.message == f"the model is stopped after crashes; it is tried again in {refusal.retry_after_s} s"
    wait_until(lambda: answers(backend))
    wait_until(lambda: backend.find_problem() is None)


def crash(backend: ProcessBackend, times: int) -> None:
    """End the process so often, each time with another request: the same one would be known."""
    for number in range(times):
        with pytest.raises(PredictionFailed, match="process ended"):
            backend.run([{"x": -2, "time": number}])


def refusal_of(backend: ProcessBackend) -> ModelNotReady | None:
    try:
        backend.run(row(1))
    except ModelNotReady as error:
        return error
    return None


def test_a_request_that_has_ended_the_process_is_not_run_again(start):
    backend = start()
    with pytest.raises(PredictionFailed, match="process ended"):
        backend.run(row(-1))
    pid = pid_of(backend)
    with pytest.raises(PredictionFailed, match="has ended the model's process before"):
        backend.run(row(-1))
    assert pid_of(backend) == pid


@pytest.mark.parametrize("number", [-1, -3], ids=["a crash", "a hang"])
def test_who_was_in_the_batch_of_a_request_that_ended_the_process_is_run_again(start, number):
    backend = start(timeout_s=20)
    backend.run(row(1))
    _, busy = submit(backend, 530)
    wait_until(lambda: backend._calls and backend._connections[0]._running)
    bad, *others = [submit(backend, each, timeout_s=20)[1] for each in (number, 2, 3, 4)]
    assert busy.get(timeout=30).error is None
    error = bad.get(timeout=60).error
    assert isinstance(error, PredictionFailed if number == -1 else PredictionTimeout)
    assert [each.get(timeout=60).outputs for each in others] == [[{"y": 4}], [{"y": 6}], [{"y": 8}]]


def test_a_process_that_is_stopped_from_outside_is_replaced(start):
    backend = start(timeout_s=1)
    pid = pid_of(backend)
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(PredictionTimeout):
        backend.run(row(1))
    wait_until(lambda: not exists(pid))
    wait_until(lambda: answers(backend))


def test_a_rule_of_the_model_that_never_returns_is_ended_like_a_prediction(start):
    backend = start("unruly_models.PonderingModel", timeout_s=1)
    pid = status_pid(backend)
    with pytest.raises((PredictionTimeout, PredictionFailed)):
        backend.find_violations(row(-3))
    wait_until(lambda: not exists(pid))
    wait_until(lambda: answers(backend))


def test_a_large_call_of_slow_rows_runs_in_slices_and_is_not_ended(start):
    backend = start(timeout_s=2)
    backend.run(row(1))
    pid = pid_of(backend)
    _, large = submit(backend, *[502] * 200, timeout_s=60)  # 4 s in all
    wait_until(lambda: backend._connections[0]._running)
    _, small = submit(backend, 5, timeout_s=60)
    assert small.get(timeout=30).outputs == [{"y": 10}]  # nobody waits for all of it
    assert large.empty()
    assert large.get(timeout=30).outputs == [{"y": 1004}] * 200
    assert pid_of(backend) == pid


def test_a_model_that_is_told_to_end_while_it_predicts_is_closed_after_it(start, tmp_path, monkeypatch):
    monkeypatch.setenv("CLOSED_FILE", str(tmp_path / "closed"))
    backend = start("unruly_models.ClosingModel", timeout_s=60)
    submit(backend, 550)
    wait_until(lambda: backend._connections[0]._running)
    backend.stop()
    assert (tmp_path / "closed").read_text() == "after 550"


def test_a_model_that_crashed_too_often_is_shown_as_failed(manager: ModelManager, monkeypatch):
    monkeypatch.setattr(restart_policy, "MOST_SHORT_LIVES", 1)
    config = ModelConfig(class_path=UNRULY, backend=BackendName.PROCESS)
    manager.load_models(ServiceConfig(models=(config, ModelConfig(class_path="models.EchoModel"))))
    assert [status.state for status in manager.get_models()] == [ModelState.READY, ModelState.READY]
    with pytest.raises(PredictionFailed):
        manager.get_model("unruly_model").backend.run(row(-1))
    wait_until(lambda: manager.get_models()[0].state is ModelState.FAILED)
    assert manager.get_model_metadata("unruly_model").problem.code == "model_crashed"
    assert manager.get_models()[1].state is ModelState.READY


def test_a_process_that_swells_past_its_bound_is_replaced(start):
    backend = start(max_memory_bytes=200_000_000)
    before = pid_of(backend)
    with pytest.raises(PredictionFailed):
        backend.run(row(-4))
    assert pid_of(backend) != before


def test_a_model_that_ends_its_process_while_loading_is_given_up_and_its_words_logged(loop, monkeypatch, caplog):
    caplog.set_level("INFO")
    monkeypatch.setattr(restart_policy, "MOST_SHORT_LIVES", 2)
    backend = ProcessBackend(
        ModelConfig(class_path="unruly_models.DoomedModel", backend=BackendName.PROCESS), Host(loop)
    )
    try:
        assert backend.describe().qualified_name == "doomed_model"
        with pytest.raises(ModelLoadFailed) as caught:
            backend.start()
        assert "status 9" in caught.value.cause
        assert "the last words" in caplog.text
        assert "the last words" not in caught.value.cause
    finally:
        backend.stop()


def test_an_interpreter_that_is_not_there_is_told_at_once(loop, tmp_path):
    config = ModelConfig(class_path=UNRULY, backend=BackendName.PROCESS, python=tmp_path / "python")
    backend = ProcessBackend(config, Host(loop))
    try:
        with pytest.raises(ModelLoadFailed) as caught:
            backend.describe()
        assert str(tmp_path / "python") in caught.value.cause
    finally:
        backend.stop()


@pytest.fixture
def empty_python(tmp_path):
    """The interpreter of an environment with nothing in it."""
    venv.create(tmp_path / "env", with_pip=False, symlinks=True)
    return tmp_path / "env" / "bin" / "python"


def fail_by(loop, python) -> ModelLoadFailed | ModelImportFailed:
    backend = ProcessBackend(
        ModelConfig(class_path="absent_package.M", backend=BackendName.PROCESS, python=python), Host(loop)
    )
    try:
        with pytest.raises((ModelLoadFailed, ModelImportFailed)) as caught:
            backend.describe()
        return caught.value
    finally:
        backend.stop()


def test_an_interpreter_without_the_platform_is_named_with_what_to_run(loop, empty_python, monkeypatch):
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.chdir(empty_python.parent)  # where no checkout lies
    error = fail_by(loop, empty_python)
    assert error.cause == f"{empty_python} has no module 'model_service'"
    assert f"{empty_python} -m pip install" in error.remedy


def test_an_interpreter_without_the_package_is_named_with_what_to_run(loop, empty_python):
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(empty_python.parent.parent)}))
    (packages / "shared.pth").write_text(f"{sysconfig.get_path('purelib')}\n{TESTS.parent}\n")
    error = fail_by(loop, empty_python)
    assert error.message == f"the module 'absent_package' cannot be imported, by {empty_python}"
    assert error.remedy.startswith(
        f"install the package that provides 'absent_package' ({empty_python} -m pip install ...)"
    )


def test_a_model_that_does_not_load_in_time_is_given_up(loop):
    config = ModelConfig(class_path="unruly_models.SluggishModel", backend=BackendName.PROCESS, start_timeout_s=1)
    backend = ProcessBackend(config, Host(loop))
    try:
        with pytest.raises(ModelLoadFailed, match="SluggishModel") as caught:
            backend.start()
        assert "did not start within 1" in caught.value.cause
    finally:
        backend.stop()


def test_rows_that_wait_together_are_predicted_as_one_batch(start):
    backend = start("unruly_models.CountingModel", timeout_s=30)
    first, over = submit(backend, 1)  # runs alone for a while, and the others gather
    wait_until(lambda: is_running(backend, first))
    others = [submit(backend, number)[1] for number in range(2, 12)]
    assert over.get(timeout=30).outputs == [{"y": 1}]
    assert max(told.get(timeout=30).outputs[0]["y"] for told in others) > 1


def test_batches_form_across_the_workers_that_share_a_process(start):
    supervisor = Supervisor(ModelConfig(class_path="unruly_models.CountingModel", backend=BackendName.PROCESS))
    supervisor.start()
    try:
        workers = [start("unruly_models.CountingModel", folder=supervisor.folder, timeout_s=30) for _ in range(3)]
        for worker in workers:
            worker.run(row(2))  # connects, and tells the process how quick the model is
        first, _ = submit(workers[0], 1)
        wait_until(lambda: is_running(workers[0], first))
        others = [submit(worker, 2)[1] for worker in workers for _ in range(2)]
        assert max(told.get(timeout=30).outputs[0]["y"] for told in others) > 2
    finally:
        supervisor.stop()


def test_one_bad_row_does_not_fail_its_neighbours(start):
    backend = start(timeout_s=30)
    with ThreadPoolExecutor(16) as pool:
        busy = pool.submit(backend.run, row(530))
        time.sleep(0.1)
        others = {number: pool.submit(backend.run, row(number)) for number in (1, 2, -6, 3, 4)}
        busy.result()
        with pytest.raises(PredictionFailed) as caught:
            others.pop(-6).result()
        assert "a bad row" in repr(caught.value.__cause__)
        assert {number: future.result() for number, future in others.items()} == {
            number: [{"y": 2 * number}] for number in (1, 2, 3, 4)
        }


@pytest.mark.parametrize("number", [1, -1], ids=["NaN", "a set"])
def test_an_output_that_is_no_json_is_the_models_fault_and_not_the_connections(start, number):
    backend = start("unruly_models.NotJsonModel")
    for _ in range(2):
        with pytest.raises(OutputInvalid):
            backend.run(row(number))


def test_replicas_share_the_work(start):
    backend = start(replicas=2, timeout_s=30)
    endless, over = submit(backend, -3)
    wait_until(lambda: is_running(backend, endless))
    assert backend.run(row(4)) == [{"y": 8}]  # the other replica is free
    assert over.empty()
    for number in range(2):  # or the end would wait for the endless one
        os.kill(status_pid(backend, number), signal.SIGKILL)


def test_a_large_batch_goes_through_and_nothing_blocks(start):
    backend = start("models.EchoModel", timeout_s=60)
    payloads = [{"text": "x" * 1000, "n": n} for n in range(5000)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(backend.run, [payloads] * 4))
    assert answers == [payloads] * 4


def test_the_process_ends_when_its_parent_is_killed(tmp_path):
    program = f"""
import sys, time
from model_service.backends.loop import ServiceLoop
from model_service.backends.base import Host
from model_service.backends.process.backend import ProcessBackend
from model_service.config import BackendName, ModelConfig
loop = ServiceLoop()
loop.start_thread()
backend = ProcessBackend(ModelConfig(class_path="{UNRULY}", backend=BackendName.PROCESS), Host(loop))
backend.start()
print(backend.run([{{"x": 0}}])[0]["pid"], flush=True)
backend.run([{{"x": -3}}])  # even while the model is busy
"""
    parent = subprocess.Popen(
        [sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": str(TESTS)}, stdout=subprocess.PIPE, text=True
    )
    with parent:
        pid = int(parent.stdout.readline())
        assert exists(pid)
        parent.kill()
    wait_until(lambda: not exists(pid))


def test_what_the_model_prints_is_logged_with_its_name(start, caplog):
    caplog.set_level("INFO")
    backend = start("models.SleepingModel")
    backend.run(row(0.01))
    wait_until(lambda: "fell asleep" in caplog.text)
    record = next(record for record in caplog.records if "fell asleep" in record.message)
    assert record.model in ("sleeping_model", "models.SleepingModel")  # its class until it has been seen ready


def test_stopping_answers_the_calls_under_way(start):
    backend = start(timeout_s=60)
    backend.run(row(1))
    threading.Timer(0.3, backend.stop).start()
    with pytest.raises((ModelNotReady, PredictionFailed)):
        backend.run(row(-3))


def test_a_process_that_would_load_another_package_than_the_one_before_is_not_started(start, make_package):
    code = "from unruly_models import UnrulyModel\n\nclass M(UnrulyModel):\n    qualified_name = 'changing_model'\n"
    folder = make_package("changing_for_process", {"__init__.py": code})
    backend = start("changing_for_process.M")
    before = pid_of(backend)
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: answers(backend))
    assert pid_of(backend) != before  # an unchanged one is replaced
    (folder / "__init__.py").write_text(code + "    version = '9.0.0'\n")
    os.kill(status_pid(backend), signal.SIGKILL)
    wait_until(lambda: backend.find_problem() is not None)
    assert backend.find_problem().code == "model_changed"
    wait_until(lambda: refusal_of(backend) is not None)
    assert refusal_of(backend).retry_after_s is None  # until somebody loads the models again


# Admission


def submit(backend: ProcessBackend, *numbers: float, timeout_s: float = 60.0) -> "tuple[Ticket, SimpleQueue]":
    """Submit rows; return the ticket, and the queue that it is put into when it is over."""
    over = SimpleQueue()
    ticket = Ticket(
        [{"x": number} for number in numbers], RequestContext("", 0.0, time.monotonic() + timeout_s), over.put
    )
    backend.submit(ticket)
    return ticket, over


def test_more_rows_than_may_wait_are_sent_away_at_once_and_may_come_again(start):
    backend = start(max_queue_rows=3, timeout_s=60)
    _, busy = submit(backend, 550, 1)
    with pytest.raises(QueueFull, match="^2 rows wait for the model already$") as caught:
        submit(backend, 2, 3)
    assert caught.value.retry_after_s >= 1
    _, other = submit(backend, 4)
    assert busy.get(timeout=30).outputs == [{"y": 1100}, {"y": 2}]
    assert other.get(timeout=30).outputs == [{"y": 8}]
    assert backend.run([{"x": number} for number in (5, 6, 7)]) == [{"y": 10}, {"y": 12}, {"y": 14}]


def test_a_request_that_could_never_wait_is_too_large(start):
    backend = start(max_queue_rows=3)
    with pytest.raises(PayloadTooLarge, match="^4 rows in one request; this model accepts at most 3$"):
        submit(backend, 1, 2, 3, 4)
    assert len(backend.run([{"x": 1}] * 3)) == 3


@pytest.mark.parametrize("number", [-1, -6], ids=["a crash", "a bad row"])
def test_the_rows_of_a_request_that_failed_do_not_wait_any_more(start, number):
    backend = start(max_queue_rows=1)
    with pytest.raises(PredictionFailed):
        backend.run(row(number))
    assert backend.run(row(1)) == [{"y": 2}]


def test_the_rows_of_a_request_that_no_frame_can_carry_do_not_wait(start):
    backend = start(max_queue_rows=1)
    with pytest.raises(TypeError):
        submit(backend, {1, 2})
    _, busy = submit(backend, 1)
    assert busy.get(timeout=30).outputs == [{"y": 2}]


def test_who_could_not_be_answered_in_time_is_sent_away_at_once(start):
    backend = start(timeout_s=60)
    for _ in range(LEAST_BATCHES + 1):  # what came latest counts when something comes after it
        backend.run(row(520))  # a fifth of a second for a row
    _, busy = submit(backend, 601)
    with pytest.raises(QueueFull):
        submit(backend, 1, timeout_s=0.01)
    assert busy.get(timeout=30).outputs == [{"y": 1202}]


# Callers that leave


def is_running(backend: ProcessBackend, ticket: Ticket) -> bool:
    """Whether the process has said that it runs a ticket; nobody else would know."""
    call = backend._calls.get(ticket)
    return call is not None and call.connection is not None and call.connection.is_running(call)


def test_a_waiting_call_that_was_cancelled_is_never_run(start):
    backend = start("unruly_models.RememberingModel", timeout_s=60, max_queue_rows=3)
    _, busy = submit(backend, 550)
    left, told = submit(backend, 3)
    wait_until(lambda: left in backend._calls)  # it has been sent: the process must be told
    backend.cancel(left)
    sooner, _ = submit_when_there_is_room(backend, 3)
    backend.cancel(sooner)
    _, last = submit_when_there_is_room(backend, 4)
    assert busy.get(timeout=30).error is None
    assert last.get(timeout=30).outputs == [{"ran": [550, 4]}]
    assert told.empty()
    assert left.outputs == []
    assert len(backend.run([{"x": 2}] * 3)) == 3  # the queue is as empty as it looks


def test_a_call_that_is_cancelled_while_it_runs_is_told_nothing_and_leaves_no_row_behind(start):
    backend = start(timeout_s=60, max_queue_rows=1)
    ticket, told = submit(backend, 520)
    wait_until(lambda: is_running(backend, ticket))
    backend.cancel(ticket)
    _, other = submit_when_there_is_room(backend, 1)
    assert other.get(timeout=30).outputs == [{"y": 2}]
    assert told.empty()


def submit_when_there_is_room(backend: ProcessBackend, number: float) -> "tuple[Ticket, SimpleQueue]":
    deadline = time.monotonic() + 30
    while True:
        try:
            return submit(backend, number)
        except QueueFull:
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_a_large_call_whose_caller_left_is_not_run_to_its_end(start):
    backend = start("unruly_models.RememberingModel", timeout_s=60, max_batch_rows=1)
    ticket, _ = submit(backend, *[510 + number / 100 for number in range(100)])  # a tenth of a second each
    wait_until(lambda: is_running(backend, ticket))
    backend.cancel(ticket)
    started = time.monotonic()
    _, over = submit(backend, 1)
    (output,) = over.get(timeout=30).outputs
    assert time.monotonic() - started < 5  # all of it takes ten seconds
    assert len(output["ran"]) < 50
    assert output["ran"][-1] == 1


def test_a_call_past_its_deadline_leaves_nothing_for_which_a_process_would_be_ended(start):
    backend = start(timeout_s=2, max_batch_rows=1)
    before = pid_of(backend)
    _, over = submit(backend, *[510 + number / 100 for number in range(20)], timeout_s=0.3)
    assert isinstance(over.get(timeout=30).error, PredictionTimeout)
    _, over = submit(backend, 1)
    assert over.get(timeout=30).error is None
    time.sleep(3)
    assert pid_of(backend) == before


def test_a_call_whose_caller_left_is_still_ended_when_it_runs_for_ever(start):
    backend = start(timeout_s=1)
    before = pid_of(backend)
    ticket, told = submit(backend, -3)
    wait_until(lambda: is_running(backend, ticket))  # what is cancelled before is not run at all
    backend.cancel(ticket)
    wait_until(lambda: not exists(before))
    assert told.empty()
    wait_until(lambda: answers(backend))


def test_a_call_that_is_overdue_when_its_turn_comes_is_not_run(start):
    backend = start(timeout_s=60)
    now = time.monotonic()
    deadlines = {1: now + 60, 2: now - 1, 3: now + 60, 4: now - 1, 5: now + 60}
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(30)
        connection.connect(str(status.name_socket(backend._supervisor.folder, 0)))
        for number, deadline in deadlines.items():
            frame = {"op": "run", "id": number, "payloads": row(520 if number == 1 else number), "deadline": deadline}
            connection.sendall(encode_frame(frame))
        reader = FrameReader()
        frames = []
        while not any(frame.get("id") == 5 for frame in frames):
            frames += receive_frames(connection, reader)
    started = [number for frame in frames if frame.get("event") == "started" for number in frame["calls"]]
    answered = {frame["id"]: frame["outputs"] for frame in frames if "outputs" in frame}
    refused = {frame["id"]: frame["error"]["code"] for frame in frames if "error" in frame}
    assert started == [1, 3, 5]
    assert answered == {1: [{"y": 1040}], 3: [{"y": 6}], 5: [{"y": 10}]}
    assert refused == dict.fromkeys((2, 4), "prediction_timeout")


def test_a_call_that_only_waits_is_over_at_its_own_deadline(start):
    backend = start(timeout_s=60)
    _, busy = submit(backend, 560)
    _, late = submit(backend, 1, timeout_s=0.05)
    assert isinstance(late.get(timeout=30).error, PredictionTimeout)
    assert busy.empty()
    assert busy.get(timeout=30).outputs == [{"y": 1120}]


# Replicas


def test_a_replica_that_is_down_is_not_preferred(start, monkeypatch):
    monkeypatch.setattr(restart_policy, "MOST_SHORT_LIVES", 1)
    backend = start(replicas=2, timeout_s=60)
    os.kill(status_pid(backend, 0), signal.SIGKILL)
    first, second = backend._connections
    wait_until(lambda: first.refusal is not None)  # it is found out without a call
    assert [backend.run(row(number)) for number in range(1, 20)] == [[{"y": 2 * number}] for number in range(1, 20)]
    assert backend.find_problem() is None
    os.kill(status_pid(backend, 1), signal.SIGKILL)
    wait_until(lambda: second.refusal is not None)
    with pytest.raises(ModelNotReady):
        backend.run(row(1))
    assert backend.find_problem().code == "model_crashed"


# Rules of the model


def test_the_rules_of_a_model_are_asked_with_its_prediction(start):
    backend = start("models.FussyModel")
    assert backend.has_rules
    assert backend.run([{"x": 4}]) == [{"y": 8}]
    with pytest.raises(PayloadInvalid) as caught:
        backend.run([{"x": 2}, {"x": 3}])
    assert caught.value.violations == (Violation("/x", "even", "expected an even number"),)
    assert backend.find_violations([{"x": 2}, {"x": 3}]) == [[], [Violation("/x", "even", "expected an even number")]]
