"""The specification of explanations: over every place where a model may run."""

import threading
import time

import pytest

from model_service.backends.base import Host
from model_service.backends.local import LocalBackend
from model_service.backends.process.backend import ProcessBackend
from model_service.backends.questions import Questions
from model_service.backends.queued import QueuedBackend
from model_service.backends.ticket import Waiter
from model_service.config import BackendName, ModelConfig
from model_service.errors import PredictionFailed, PredictionTimeout
from model_service.records import RequestContext
from model_service.schema.validation import SchemaValidator

PLACES = ["in_loop", "dispatched", "process"]


@pytest.fixture(params=PLACES)
def start(request, loop):
    """Return a function that returns a started backend; all are stopped after the test."""
    built = []

    def make(class_path):
        if request.param == "process":
            config = ModelConfig(class_path=class_path, backend=BackendName.PROCESS)
            backend = ProcessBackend(config, Host(loop))
        else:
            config = ModelConfig(class_path=class_path)
            local = LocalBackend(config, Host(loop))
            is_in_loop = request.param == "in_loop"
            backend = QueuedBackend(local, config, Host(loop), is_in_loop=is_in_loop, is_joining=True)
        built.append(backend)
        backend.start()
        return backend

    yield make
    for backend in built:
        backend.stop()


def explain(backend, payload, seconds=30.0):
    """Return the explanation of a payload, and what it cost."""
    deadline = time.monotonic() + seconds
    context = RequestContext("", time.monotonic(), deadline)

    def run(rows):
        ticket = backend.wait_for(Waiter(rows, context, is_lenient=True))
        return ticket.outputs if ticket.error is None else [ticket.error] * len(rows)

    questions = Questions(run, SchemaValidator(backend.describe().input_schema), deadline)
    (output,) = backend.run([payload])
    return backend.explain(payload, output, questions), questions


def test_it_is_the_same_everywhere_and_its_rows_are_counted(start):
    found, questions = explain(start("explain_models:WeighedModel"), {"a": 3, "b": 2})
    values = {each["name"]: each["contribution"] for each in found["contributions"]}
    assert found["base"] + sum(values.values()) == pytest.approx(found["explained"]["value"]) == 34
    assert 100 < questions.rows <= 256


def test_whoever_describes_a_model_knows_whether_it_offers_any(start):
    assert start("explain_models:WeighedModel").describe().has_explanations is True
    assert start("models:DoubleModel").describe().has_explanations is False


def test_what_the_model_raises_is_the_models_fault_and_it_goes_on(start):
    backend = start("explain_models:MuteModel")
    with pytest.raises(PredictionFailed):
        explain(backend, {"a": 1, "b": 2})
    assert backend.run([{"a": 3, "b": 2}]) == [{"y": 34.0}]


def test_predictions_go_between_its_questions_and_the_deadline_ends_it(start):
    backend = start("explain_models:MuteModel")
    raised, is_over = [], threading.Event()

    def explain_for_ever():
        try:
            explain(backend, {"a": 2, "b": 3}, seconds=1.5)
        except PredictionTimeout as error:
            raised.append(error)
        is_over.set()

    threading.Thread(target=explain_for_ever).start()
    answered = 0
    while not is_over.is_set():
        assert backend.run([{"a": 3, "b": 2}]) == [{"y": 34.0}]
        answered += 1
    assert answered > 3
    assert len(raised) == 1
    assert backend.run([{"a": 3, "b": 2}]) == [{"y": 34.0}]


def test_a_row_that_is_no_payload_or_is_refused_is_answered_by_nothing(start):
    backend = start("explain_models:ReportingModel")
    found, questions = explain(backend, {"a": 3, "b": 2})
    assert found == {"answers": [{"y": 34.0}, None, None, {"y": 34.0}]}
    assert questions.rows == 3
