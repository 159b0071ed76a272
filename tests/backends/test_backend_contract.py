"""The specification of a backend: every test here runs over every row of `BACKENDS`."""

import importlib
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from model_service.backends import BACKENDS
from model_service.backends.base import Backend, Host, check_count, check_violations
from model_service.backends.local import LocalBackend
from model_service.backends.process.backend import ProcessBackend
from model_service.backends.queued import QueuedBackend
from model_service.backends.ticket import Waiter
from model_service.config import BackendName, ModelConfig
from model_service.errors import (
    ModelContractBroken,
    ModelImportFailed,
    ModelLoadFailed,
    ModelNotReady,
    PackageError,
    PayloadInvalid,
    PredictionFailed,
)
from model_service.records import RequestContext, Violation

BACKEND_CLASSES = {BackendName.LOCAL: LocalBackend, BackendName.PROCESS: ProcessBackend}
#: Every place where a model may run, with the queues that may stand before it.
PLACES = [
    (BackendName.LOCAL, None),
    (BackendName.LOCAL, "in_loop"),
    (BackendName.LOCAL, "dispatched"),
    (BackendName.PROCESS, None),
]


#: Those that take tickets; the one that does not stands behind one that does.
taking_tickets = pytest.mark.parametrize(
    "build", PLACES[1:], indirect=True, ids=lambda place: "-".join(filter(None, place))
)


@pytest.fixture(params=PLACES, ids=lambda place: "-".join(filter(None, place)))
def build(request, loop):
    """Return a function that returns a backend that is not started; all are stopped after the test."""
    name, execution = request.param
    built = []

    def make(class_path):
        config = ModelConfig(class_path=class_path, backend=name)
        backend = BACKEND_CLASSES[name](config, Host(loop))
        if execution is not None:
            backend = QueuedBackend(backend, config, Host(loop), is_in_loop=execution == "in_loop", is_joining=True)
        built.append(backend)
        return built[-1]

    yield make
    for backend in built:
        backend.stop()


@pytest.fixture
def start(build):
    """Return a function that returns a started backend."""

    def make(class_path):
        backend = build(class_path)
        backend.start()
        return backend

    return make


def rows(*numbers):
    return [{"x": number} for number in numbers]


def run_in_threads(count, call):
    """Return what `call(i)` returned in each of many threads, which started together."""
    barrier = threading.Barrier(count)

    def enter(i):
        barrier.wait(timeout=30)
        return call(i)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(enter, range(count)))


def test_the_suite_covers_every_backend_that_can_be_configured():
    assert set(BACKEND_CLASSES) == set(BACKENDS) == set(BackendName)
    for name, row in BACKENDS.items():
        module_path, _, class_name = row.partition(":")
        assert getattr(importlib.import_module(module_path), class_name) is BACKEND_CLASSES[name]
        assert issubclass(BACKEND_CLASSES[name], Backend)


# Before it is started


def test_a_backend_describes_its_model_before_it_is_started(build):
    info = build("models:DoubleModel").describe()
    assert (info.qualified_name, info.version, info.examples) == ("double_model", "1.0.0", ({"x": 1},))


def test_describing_loads_no_weights(build):
    assert build("models.UnloadableModel").describe().qualified_name == "unloadable_model"


@pytest.mark.parametrize(
    ("class_path", "kind"),
    [
        ("no_such_package.SomeModel", ModelImportFailed),
        ("models.NoSuchModel", ModelImportFailed),
        ("models.ManyFaultsModel", ModelContractBroken),
    ],
)
def test_what_cannot_be_described_says_so(build, class_path, kind):
    with pytest.raises(kind) as caught:
        build(class_path).describe()
    assert caught.value.cause
    assert caught.value.remedy


def test_a_backend_that_is_not_started_is_not_ready(build):
    backend = build("models.DoubleModel")
    with pytest.raises(ModelNotReady):
        backend.run(rows(1))
    with pytest.raises(ModelNotReady):
        backend.find_violations(rows(1))


@pytest.mark.parametrize("class_path", ["models.UnloadableModel", "models.ExitingModel"])
def test_a_model_that_cannot_be_built_fails_the_start_and_can_be_stopped(build, class_path):
    backend = build(class_path)
    with pytest.raises(ModelLoadFailed) as caught:
        backend.start()
    assert caught.value.cause
    with pytest.raises(ModelNotReady):
        backend.run(rows(1))
    backend.stop()


def test_artifacts_are_checked_at_the_start(build, make_package):
    code = "from models import DoubleModel\n\nclass GoneModel(DoubleModel): ...\n"
    manifest = '{"artifacts": {"w.bin": {"sha256": "0", "size_bytes": 1}}}'
    make_package("gone_for_backend", {"__init__.py": code, "artifacts/manifest.json": manifest})
    backend = build("gone_for_backend.GoneModel")
    backend.describe()
    with pytest.raises(PackageError, match="artifacts") as caught:
        backend.start()
    assert "w.bin is missing" in caught.value.cause


# Running


def test_one_payload_gives_one_output(start):
    assert start("models.DoubleModel").run(rows(3)) == [{"y": 6}]


def test_outputs_come_in_the_order_of_the_payloads(start):
    numbers = [(7 * i) % 1000 for i in range(1000)]
    assert start("models.DoubleModel").run(rows(*numbers)) == [{"y": 2 * number} for number in numbers]


def test_any_json_value_goes_in_and_comes_out(start):
    payloads = [{"text": '\u00e4\U0001f600\n"', "rest": [1, -2.5, 1e300, None, True, {"a": []}]}, {}]
    assert start("models.EchoModel").run(payloads) == payloads


def test_the_payloads_are_as_they_were_after_a_run(start):
    payloads = rows(1, 2, 3)
    start("models.DoubleModel").run(payloads)
    assert payloads == rows(1, 2, 3)


@pytest.mark.parametrize("name", ["MiscountingModel", "PoppingModel", "TuplingModel"])
def test_a_model_that_loses_outputs_has_failed(start, name):
    backend = start(f"models.{name}")
    payloads = rows(1, 2, 3)
    with pytest.raises(PredictionFailed):
        backend.run(payloads)
    assert payloads == rows(1, 2, 3)
    assert backend.run(rows(4)) == [{"y": 8}]


def test_a_row_that_raises_fails_its_run_and_not_the_next(start):
    backend = start("models.RaisingModel")
    for payloads in (rows(-1), rows(1, -1, 2)):
        with pytest.raises(PredictionFailed) as caught:
            backend.run(payloads)
        assert "secret" not in caught.value.message
        assert "secret payload -1" in repr(caught.value.__cause__)
    assert backend.run(rows(1, 2)) == [{"y": 2}, {"y": 4}]


def test_a_model_that_tries_to_end_the_process_has_failed(start):
    backend = start("models.QuittingModel")
    with pytest.raises(PredictionFailed):
        backend.run(rows(-1))
    with pytest.raises(PredictionFailed):
        backend.find_violations(rows(-101))
    assert backend.run(rows(1)) == [{"y": 2}]


def test_the_models_own_rules_are_asked(start):
    backend = start("models.FussyModel")
    odd = Violation("/x", "even", "expected an even number")
    assert backend.find_violations(rows(2, 3, 4)) == [[], [odd], []]
    assert start("models.DoubleModel").find_violations(rows(2, 3)) == [[], []]


@pytest.mark.parametrize(("name", "number"), [("TalkativeModel", -1), ("ForgetfulModel", 1)])
def test_rules_that_raise_or_forget_their_answer_have_failed(start, name, number):
    with pytest.raises(PredictionFailed):
        start(f"models.{name}").find_violations(rows(number))


def test_each_of_many_threads_gets_its_own_answers(start):
    backend = start("models.DoubleModel")
    answers = run_in_threads(16, lambda i: [backend.run(rows(i, i + n / 4)) for n in range(50)])
    assert answers == [[[{"y": 2 * i}, {"y": 2 * i + n / 2}] for n in range(50)] for i in range(16)]


def test_a_failing_row_of_one_thread_fails_no_other(start):
    backend = start("models.RaisingModel")

    def call(i):
        if i % 2:
            return backend.run(rows(i))
        with pytest.raises(PredictionFailed):
            backend.run(rows(-1))
        return None

    assert run_in_threads(16, call) == [[{"y": 2 * i}] if i % 2 else None for i in range(16)]


def test_a_model_is_called_by_one_thread_at_a_time(start):
    backend = start("backends.contract_models.JealousModel")
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        answers = run_in_threads(16, lambda i: [backend.run(rows(i)) for _ in range(20)])
    finally:
        sys.setswitchinterval(interval)
    assert answers == [[[{"y": 2 * i}]] * 20 for i in range(16)]


def test_two_backends_of_one_class_know_nothing_of_each_other(start):
    first, second = start("models.DoubleModel"), start("models.DoubleModel")
    first.stop()
    assert second.run(rows(1)) == [{"y": 2}]


# Stopping


def test_stopping_twice_is_fine(start):
    backend = start("models.ClosingModel")
    backend.stop()
    backend.stop()


def test_stopping_what_never_started_is_fine(build):
    build("models.DoubleModel").stop()


def test_a_stopped_backend_is_not_ready(start):
    backend = start("models.DoubleModel")
    backend.stop()
    with pytest.raises(ModelNotReady):
        backend.run(rows(1))
    with pytest.raises(ModelNotReady):
        backend.find_violations(rows(1))


def test_a_backend_whose_model_could_not_close_is_stopped_all_the_same(start):
    backend = start("models.RaisingCloseModel")
    with suppress(RuntimeError):  # a model in this process raises here, one elsewhere in its own log
        backend.stop()
    with pytest.raises(ModelNotReady):
        backend.run(rows(1))


def test_a_stopped_backend_can_start_again(start):
    backend = start("models.DoubleModel")
    for _ in range(3):
        backend.stop()
        backend.start()
        assert backend.run(rows(2)) == [{"y": 4}]


def test_stopping_while_threads_run_leaves_answers_or_not_ready(start):
    backend = start("models.DoubleModel")

    def call(i):
        if i == 0:
            return backend.stop()
        answered = 0
        try:
            while backend.run(rows(i)) == [{"y": 2 * i}]:
                answered += 1
        except ModelNotReady:
            return True
        return False

    assert run_in_threads(8, call) == [None] + [True] * 7


# The seam's own checks


def test_the_count_names_both_numbers():
    assert check_count([{}, {}], [{"y": 1}, {"y": 2}]) == [{"y": 1}, {"y": 2}]
    with pytest.raises(PredictionFailed, match="^the model answered 1 outputs for 2 payloads$"):
        check_count([{}, {}], [{}])
    with pytest.raises(PredictionFailed, match="^the model answered 3 outputs for 2 payloads$"):
        check_count([{}, {}], [{}, {}, {}])


@pytest.mark.parametrize("outputs", [None, {}, ({},), "ab"])
def test_outputs_are_a_list(outputs):
    with pytest.raises(PredictionFailed, match=f"a {type(outputs).__name__} instead of a list"):
        check_count([{}], outputs)


def test_violations_are_a_list_of_violations():
    violation = Violation("/x", "even", "expected an even number")
    assert check_violations([violation]) == [violation]
    assert check_violations([]) == []
    for wrong in (None, "text", ["text"], [violation, None], (violation,), {}):
        with pytest.raises(PredictionFailed, match="find_violations"):
            check_violations(wrong)


@taking_tickets
def test_rows_of_a_lenient_ticket_fail_alone(start):
    backend = start("models.RaisingModel")
    numbers = [-1 if number in (3, 17, 18) else number for number in range(40)]
    context = RequestContext("", time.monotonic(), time.monotonic() + 60)
    ticket = backend.wait_for(Waiter(rows(*numbers), context, is_lenient=True))
    assert ticket.error is None
    assert [isinstance(outcome, PredictionFailed) for outcome in ticket.outputs] == [number < 0 for number in numbers]
    assert [outcome for outcome in ticket.outputs if isinstance(outcome, dict)] == [
        {"y": 2 * number} for number in numbers if number >= 0
    ]


@taking_tickets
def test_rows_of_a_lenient_ticket_for_which_the_models_rules_speak_or_raise_fail_alone(start):
    backend = start("models.TalkativeModel")
    context = RequestContext("", time.monotonic(), time.monotonic() + 60)
    good, raised, refused, last = backend.wait_for(Waiter(rows(2, -1, -2, 3), context, is_lenient=True)).outputs
    assert (good, last) == ({"y": 4}, {"y": 6})
    assert isinstance(raised, PredictionFailed)
    assert raised.message == "the model's own validation raised"
    assert isinstance(refused, PayloadInvalid)
    assert refused.violations[0] == Violation("/x", "own", "fault 0")


@taking_tickets
def test_draining_waits_for_what_is_under_way_and_no_longer_than_told(start):
    backend = start("models.SleepingModel")
    assert backend.drain(time.monotonic() + 30)
    waiter = Waiter(rows(0.5), RequestContext("", time.monotonic(), time.monotonic() + 60))
    backend.submit(waiter.ticket)
    assert not backend.drain(time.monotonic() + 0.05)
    assert not waiter.ticket.is_over
    assert backend.drain(time.monotonic() + 30)
    assert waiter.wait(backend.cancel).is_over
