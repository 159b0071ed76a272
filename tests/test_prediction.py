import itertools
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

import models
import pytest

from model_service.backends.ticket import Ticket
from model_service.config import BackendName, Batching, ModelConfig, ServiceConfig
from model_service.errors import (
    ModelNotFound,
    ModelNotReady,
    OutputInvalid,
    PayloadInvalid,
    PayloadMalformed,
    PayloadTooLarge,
    PredictionFailed,
    PredictionTimeout,
)
from model_service.prediction import PredictionService
from model_service.records import RequestContext, Violation
from model_service.schema.validation import MAX_VIOLATIONS

CLASSES = (
    "DoubleModel",
    "DoubleModelTwo",
    "EchoModel",
    "FussyModel",
    "RaisingModel",
    "WrongOutputModel",
    "MiscountingModel",
    "PoppingModel",
    "TuplingModel",
    "TalkativeModel",
    "QuittingModel",
    "UnloadableModel",
)


@pytest.fixture
def service(manager):
    manager.load_models(ServiceConfig(models=tuple(ModelConfig(class_path=f"models.{name}") for name in CLASSES)))
    return PredictionService(manager, max_rows=500)


def rows(*numbers):
    return [{"x": number} for number in numbers]


# Answers


def test_one_payload_gives_a_prediction_with_one_output(service):
    prediction = service.predict(service.find_target("raising_model"), {"x": 3})
    assert prediction.outputs == [{"y": 6}]
    assert (prediction.qualified_name, prediction.version) == ("raising_model", "1.0.0")


def test_several_payloads_give_their_outputs_in_order(service):
    prediction = service.predict_many(service.find_target("raising_model"), rows(3, 1, 2, 1))
    assert prediction.outputs == [{"y": 6}, {"y": 2}, {"y": 4}, {"y": 2}]
    assert (prediction.qualified_name, prediction.version) == ("raising_model", "1.0.0")


def test_the_default_version_answers_unless_one_is_named(service):
    assert service.predict(service.find_target("double_model"), {"x": 1}).version == "1.10.0"
    for version in ("1.0.0", "1.0"):
        prediction = service.predict(service.find_target("double_model", version), {"x": 1})
        assert (prediction.version, prediction.outputs) == ("1.0.0", [{"y": 2}])
        assert service.predict_many(service.find_target("double_model", version), rows(1)).version == "1.0.0"


def test_threads_get_their_own_answers(service):
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(
            lambda i: service.predict_many(service.find_target("raising_model"), rows(i, i + 1)).outputs, range(200)
        )
        assert list(answers) == [[{"y": 2 * i}, {"y": 2 * i + 2}] for i in range(200)]


def test_the_duration_is_what_the_injected_clock_says(manager, service):
    # Deadlines are meant by the same clock, so it must not be far from that of the queues.
    clock = itertools.count(float(int(time.monotonic())), 0.25).__next__
    timed = PredictionService(manager, max_rows=10, clock=clock)
    assert timed.predict(timed.find_target("raising_model"), {"x": 1}).duration_s == 0.25
    assert timed.predict_many(timed.find_target("raising_model"), rows(1, 2)).duration_s == 0.25


def test_an_unknown_model_or_version_is_not_found(service):
    for name, version in (("no_model", None), ("double_model", "9")):
        with pytest.raises(ModelNotFound):
            service.find_target(name, version)


def test_a_quarantined_model_is_not_ready(service):
    with pytest.raises(ModelNotReady):
        service.find_target("unloadable_model")


# Rows


def test_rows_succeed_or_fail_alone(service, caplog):
    documents = [{"x": 1}, {"x": "text"}, {"x": -1}, 5, {"x": 2}, {"x": -2}]
    outcomes = service.predict_rows(service.find_target("raising_model"), documents)
    assert [type(outcome) for outcome in outcomes] == [
        *(dict, PayloadInvalid, PredictionFailed, PayloadInvalid, dict, PredictionFailed)
    ]
    assert (outcomes[0], outcomes[4]) == ({"y": 2}, {"y": 4})
    assert outcomes[1].violations[0].pointer == "/x"
    assert outcomes[2].message == "model 'raising_model' failed; the log tells why, by request id"
    assert [record.message for record in caplog.records] == ["prediction failed for 2 rows, first: the model raised"]


def test_each_row_gets_all_of_its_violations_however_many_the_others_have(service):
    outcomes = service.predict_rows(service.find_target("raising_model"), [{"y": 1}] * (2 * MAX_VIOLATIONS))
    assert {len(outcome.violations) for outcome in outcomes} == {2}


def test_a_row_that_breaks_a_rule_of_the_model_fails_alone(service):
    good, bad = service.predict_rows(service.find_target("fussy_model"), rows(2, 3))
    assert good == {"y": 4}
    assert bad.violations == (Violation("/x", "even", "expected an even number"),)


def test_rows_for_which_the_models_rules_raise_fail_alone(service, caplog):
    outcomes = service.predict_rows(service.find_target("talkative_model"), [*rows(2, -1), {"x": "3"}, *rows(-2, 4)])
    assert [type(outcome) for outcome in outcomes] == [dict, PredictionFailed, PayloadInvalid, PayloadInvalid, dict]
    assert outcomes[1].message == "model 'talkative_model' failed; the log tells why, by request id"
    assert len(outcomes[3].violations) == MAX_VIOLATIONS
    text, _ = logged(caplog)
    assert text.startswith("prediction failed: the model's own validation raised\n")


def test_a_rule_that_never_returns_ends_its_process_once_for_all_rows(manager, caplog):
    entry = ModelConfig(class_path="unruly_models.PonderingModel", backend=BackendName.PROCESS, timeout_s=2)
    manager.load_models(ServiceConfig(models=(entry,)))
    service = PredictionService(manager, max_rows=10)
    target = service.find_target("pondering_model")
    outcomes = service.predict_rows(target, rows(0, 1, -3, 2))
    assert {type(outcome) for outcome in outcomes} == {PredictionTimeout}
    deadline = time.monotonic() + 60
    while not isinstance(service.predict_rows(target, rows(0))[0], dict):
        assert time.monotonic() < deadline
    ended = [record for record in caplog.records if record.getMessage().startswith("model process ended")]
    assert len(ended) == 1


def test_a_bad_output_fails_its_row(service):
    outcomes = service.predict_rows(service.find_target("wrong_output_model"), rows(1, -1))
    assert [type(outcome) for outcome in outcomes] == [dict, OutputInvalid]


def test_no_rows_are_no_outcomes(service):
    assert service.predict_rows(service.find_target("raising_model"), []) == []


# The caller's mistakes


@pytest.mark.parametrize("payload", [None, 1, "text", [], [{"x": 1}], True])
def test_a_payload_that_is_no_object_is_invalid(service, payload):
    with pytest.raises(PayloadInvalid) as caught:
        service.predict(service.find_target("raising_model"), payload)
    [violation] = caught.value.violations
    assert (violation.pointer, violation.rule) == ("", "type")
    assert violation.message.startswith("expected an object, got ")


def test_every_violation_is_named_with_its_pointer(service):
    with pytest.raises(PayloadInvalid) as caught:
        service.predict(service.find_target("raising_model"), {"y": 1})
    assert {(violation.pointer, violation.rule) for violation in caught.value.violations} == {
        ("/x", "required"),
        ("/y", "additionalProperties"),
    }
    assert caught.value.message == "the payload for model 'raising_model' has 2 faults"


def test_one_fault_is_one_fault(service):
    with pytest.raises(PayloadInvalid, match="has 1 fault"):
        service.predict(service.find_target("raising_model"), {})


def test_the_payload_itself_is_not_repeated(service):
    with pytest.raises(PayloadInvalid) as caught:
        service.predict_many(service.find_target("raising_model"), [{"x": "a secret"}, {"x": 123456}])
    for text in (caught.value.message, *(violation.message for violation in caught.value.violations)):
        assert "secret" not in text
        assert "123456" not in text


def test_the_models_own_violations_are_the_callers_mistake(service):
    with pytest.raises(PayloadInvalid) as caught:
        service.predict(service.find_target("fussy_model"), {"x": 3})
    assert caught.value.violations == (Violation("/x", "even", "expected an even number"),)


def test_the_models_own_rules_see_only_what_its_schema_accepts(service):
    # FussyModel's rule would raise on a text.
    with pytest.raises(PayloadInvalid) as caught:
        service.predict_many(service.find_target("fussy_model"), [{"x": "3"}, {"x": 3}])
    found = [(violation.pointer, violation.rule) for violation in caught.value.violations]
    assert found == [("/0/x", "type"), ("/1/x", "even")]


def test_pointers_of_several_rows_start_with_the_index_of_the_row(service):
    with pytest.raises(PayloadInvalid) as caught:
        service.predict_many(service.find_target("raising_model"), [{"x": 1}, {}, {"x": 2}, 5, {"x": 5000}])
    found = [(violation.pointer, violation.rule) for violation in caught.value.violations]
    assert found == [("/1/x", "required"), ("/3", "type"), ("/4/x", "maximum")]


def test_rows_are_predicted_all_or_none(service, caplog):
    # The second row would raise: if any row reached the model, PredictionFailed would say so.
    with pytest.raises(PayloadInvalid):
        service.predict_many(service.find_target("raising_model"), [{"x": 1}, {"x": -1}, {"x": "bad"}])
    assert not caplog.records


def test_an_empty_array_is_malformed(service):
    with pytest.raises(PayloadMalformed, match="at least one payload"):
        service.predict_many(service.find_target("raising_model"), [])


def test_as_many_rows_as_allowed_are_answered_and_one_more_is_too_large(service):
    assert len(service.predict_many(service.find_target("raising_model"), rows(*range(500))).outputs) == 500
    with pytest.raises(PayloadTooLarge, match="^501 rows in one request; at most 500 are accepted$"):
        service.predict_many(service.find_target("raising_model"), rows(*range(501)))


def test_violations_are_capped_over_all_rows(service):
    with pytest.raises(PayloadInvalid, match=f"at least {MAX_VIOLATIONS} faults") as caught:
        # one violation, then two a row
        service.predict_many(service.find_target("raising_model"), [{}, *[{"y": 1}] * 150])
    pointers = [violation.pointer for violation in caught.value.violations]
    assert len(pointers) == MAX_VIOLATIONS
    assert {pointer.split("/")[1] for pointer in pointers} == {str(i) for i in range(51)}


def test_rows_after_the_cap_are_not_looked_at(service):
    with pytest.raises(PayloadInvalid):
        # the model's own rule raises for -1
        service.predict_many(service.find_target("talkative_model"), [{}] * MAX_VIOLATIONS + rows(-1))


def test_one_violation_below_the_cap_is_counted_exactly(service):
    with pytest.raises(PayloadInvalid, match=f"has {MAX_VIOLATIONS - 1} faults") as caught:
        service.predict_many(service.find_target("raising_model"), [{}] * (MAX_VIOLATIONS - 1))
    assert len(caught.value.violations) == MAX_VIOLATIONS - 1


def test_the_models_own_violations_are_capped_too(service):
    with pytest.raises(PayloadInvalid, match=f"at least {MAX_VIOLATIONS} faults") as caught:
        service.predict(service.find_target("talkative_model"), {"x": -2})
    assert [violation.message for violation in caught.value.violations] == [f"fault {i}" for i in range(MAX_VIOLATIONS)]
    with pytest.raises(PayloadInvalid) as caught:
        service.predict_many(service.find_target("talkative_model"), rows(1, -2, -2))
    assert {violation.pointer for violation in caught.value.violations} == {"/1/x"}
    assert len(caught.value.violations) == MAX_VIOLATIONS


# The model's mistakes


def fail(service, kind, name, *numbers):
    """Predict what the model cannot answer; return the error, after making sure that it tells the caller nothing."""
    target = service.find_target(name)
    ask = service.predict_many if len(numbers) > 1 else lambda target, payloads: service.predict(target, payloads[0])
    with pytest.raises(kind) as caught:
        ask(target, rows(*numbers))
    error = caught.value
    assert error.message == f"model '{name}' failed; the log tells why, by request id"
    assert error.violations == ()
    assert error.__cause__ is None
    assert error.__suppress_context__
    return error


def logged(caplog):
    """Return the one error in the log: its own text with the traceback, and the record."""
    [record] = [record for record in caplog.records if record.levelno >= logging.ERROR]
    return f"{record.getMessage()}\n{caplog.handler.formatter.formatException(record.exc_info)}", record


@pytest.mark.parametrize("numbers", [(-7,), (1, -7, 2)])
def test_what_a_model_raises_stays_in_the_log(service, caplog, numbers):
    fail(service, PredictionFailed, "raising_model", *numbers)
    text, record = logged(caplog)
    assert "RuntimeError: secret payload -7" in text
    assert (record.model, record.version) == ("raising_model", "1.0.0")


def test_what_a_models_own_validation_raises_stays_in_the_log(service, caplog):
    fail(service, PredictionFailed, "talkative_model", -1)
    assert "RuntimeError: secret payload -1" in logged(caplog)[0]
    fail(service, PredictionFailed, "talkative_model", 1, -1)


def test_a_model_that_tries_to_end_the_process_has_failed_to_predict(service, caplog):
    for number in (-1, -101):
        fail(service, PredictionFailed, "quitting_model", number)
    assert service.predict(service.find_target("quitting_model"), {"x": 1}).outputs == [{"y": 2}]


@pytest.mark.parametrize("numbers", [(-1,), (1, -1)])
def test_an_output_that_breaks_its_schema_is_the_models_mistake(service, caplog, numbers):
    fail(service, OutputInvalid, "wrong_output_model", *numbers)
    text, _ = logged(caplog)
    assert f"output {len(numbers) - 1}: " in text
    assert "'/y' this field is missing" in text


@pytest.mark.parametrize("backend", list(BackendName))
@pytest.mark.parametrize("dtype", ["float32", "int64"])
def test_a_scalar_of_numpy_is_named_with_its_place_and_the_way_out(manager, caplog, backend, dtype):
    caplog.set_level("ERROR")
    entry = ModelConfig(class_path="numpy_models.ScalarModel", backend=backend)
    manager.load_models(ServiceConfig(models=(entry,)))
    service = PredictionService(manager, max_rows=10)
    target = service.find_target("scalar_model")
    found = f"'/y' expected a value of a JSON type, got numpy.{dtype}: convert it with .item()"
    with pytest.raises(OutputInvalid):
        service.predict_many(target, [{}, {"dtype": dtype}])
    assert caplog.records[-1].getMessage() == f"prediction failed: output 1: {found}"
    _, error = service.predict_rows(target, [{}, {"dtype": dtype}])
    assert isinstance(error, OutputInvalid)
    assert caplog.records[-1].getMessage() == f"prediction failed: an output: {found}"


@pytest.mark.parametrize("backend", list(BackendName))
@pytest.mark.parametrize(
    ("number", "found"),
    [
        (-1, "'/y' expected a value of a JSON type, got tuple: make it a list"),
        (-2, "'/y' expected an object whose names are texts"),
        (-3, "'/y/0/z' expected a value of a JSON type, got tuple: make it a list"),
    ],
)
def test_what_an_encoder_would_make_json_of_is_refused_wherever_a_model_runs(manager, caplog, backend, number, found):
    manager.load_models(ServiceConfig(models=(ModelConfig(class_path="models.LooseModel", backend=backend),)))
    service = PredictionService(manager, max_rows=10)
    target = service.find_target("loose_model")
    with pytest.raises(OutputInvalid):
        service.predict_many(target, rows(1, number))
    assert caplog.records[-1].getMessage() == f"prediction failed: output 1: {found}"
    good, bad = service.predict_rows(target, rows(1, number))
    assert good == {"y": 1}
    assert isinstance(bad, OutputInvalid)
    assert caplog.records[-1].getMessage() == f"prediction failed: an output: {found}"


def test_nan_is_no_output(service, caplog):
    fail(service, OutputInvalid, "wrong_output_model", 101)
    assert "'/y' expected a finite number" in logged(caplog)[0]


def test_one_bad_output_withholds_the_others(service):
    fail(service, OutputInvalid, "wrong_output_model", 1, 2, 101)
    assert service.predict_many(service.find_target("wrong_output_model"), rows(1, 2)).outputs == [{"y": 2}, {"y": 4}]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("miscounting_model", "2 outputs for 3 payloads"),
        ("popping_model", "1 outputs for 3 payloads"),
        ("tupling_model", "a tuple instead of a list of outputs"),
    ],
)
def test_a_model_that_loses_outputs_has_failed_to_predict(service, caplog, name, words):
    fail(service, PredictionFailed, name, 1, 2, 3)
    assert words in logged(caplog)[0]


def test_a_model_that_failed_answers_the_next_request(service):
    fail(service, PredictionFailed, "raising_model", -1)
    assert service.predict(service.find_target("raising_model"), {"x": 1}).outputs == [{"y": 2}]


def test_a_caller_is_not_logged_as_an_error(service, caplog):
    caplog.set_level(logging.DEBUG)
    caplog.clear()
    with pytest.raises(PayloadInvalid):
        service.predict(service.find_target("raising_model"), {})
    with pytest.raises(ModelNotFound):
        service.find_target("no_model")
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_the_payload_arrives_as_the_caller_sent_it(service):
    payload = {"text": "ä", "rest": [1, 2.5, None, {"a": True}]}
    assert service.predict(service.find_target("echo_model"), payload).outputs == [payload]


def test_the_schemas_of_the_toys_are_not_changed_by_predictions(service):
    service.predict_many(service.find_target("raising_model"), rows(1, 2))
    assert models.NUMBER_IN["examples"] == [{"x": 1}]


# Without waiting


def context(*, left_s=30.0):
    now = time.monotonic()
    return RequestContext("r-1", now, now + left_s)


def submit(service, target, documents, **options):
    """Submit a request; return its ticket when it is over."""
    over = SimpleQueue()
    ticket = Ticket(documents, context(**options), over.put)
    service.submit(target, ticket)
    assert over.get(timeout=30) is ticket
    return ticket


def test_only_what_the_schema_accepts_is_accepted_as_it_is(service):
    target = service.find_target("raising_model")
    assert service.accepts(target, rows(1, 2))
    assert not service.accepts(target, [{"x": 1}, {"x": "1"}])
    assert not service.accepts(target, [])
    assert service.accepts(target, rows(*range(500)))
    assert not service.accepts(target, rows(*range(501)))


def test_a_submitted_request_is_over_with_its_outputs(service):
    target = service.find_target("raising_model")
    ticket = submit(service, target, rows(3, 1))
    assert service.is_sound(target, ticket)
    assert service.settle(target, ticket, is_many=True) == [{"y": 6}, {"y": 2}]


def test_a_submitted_request_that_breaks_a_rule_of_the_model_is_told_every_violation(service):
    target = service.find_target("fussy_model")
    ticket = submit(service, target, rows(2, 3, 5))
    assert not service.is_sound(target, ticket)
    with pytest.raises(PayloadInvalid, match="has 2 faults") as caught:
        service.settle(target, ticket, is_many=True)
    assert [violation.pointer for violation in caught.value.violations] == ["/1/x", "/2/x"]
    with pytest.raises(PayloadInvalid) as caught:
        service.settle(target, submit(service, target, rows(3)), is_many=False)
    assert caught.value.violations == (Violation("/x", "even", "expected an even number"),)


@pytest.mark.parametrize(
    ("name", "number", "kind"), [("raising_model", -7, PredictionFailed), ("wrong_output_model", -1, OutputInvalid)]
)
def test_what_is_wrong_with_a_submitted_request_stays_in_the_log(service, caplog, name, number, kind):
    target = service.find_target(name)
    ticket = submit(service, target, rows(number))
    assert not service.is_sound(target, ticket)
    with pytest.raises(kind, match=f"^model '{name}' failed; the log tells why, by request id$"):
        service.settle(target, ticket, is_many=False)
    assert logged(caplog)[1].model == name


def test_a_submitted_request_past_its_deadline_is_not_run(service):
    target = service.find_target("raising_model")
    ticket = submit(service, target, rows(1), left_s=-1.0)
    with pytest.raises(PredictionTimeout):
        service.settle(target, ticket, is_many=False)


def test_a_caller_that_waits_has_the_deadline_of_its_context(service):
    target = service.find_target("raising_model")
    with pytest.raises(PredictionTimeout):
        service.predict(target, {"x": 1}, context(left_s=-1.0))
    assert service.predict(target, {"x": 1}, context()).outputs == [{"y": 2}]


def test_a_request_that_is_cancelled_is_told_nothing(manager):
    config = ModelConfig(class_path="models.DoubleModel", max_wait_s=60, max_batch_rows=2, batching=Batching.ON)
    manager.load_models(ServiceConfig(models=(config,)))
    service = PredictionService(manager, max_rows=500)
    target = service.find_target("double_model")
    told = []
    left = Ticket(rows(1), context(), told.append)
    service.submit(target, left)  # waits for a second row
    service.cancel(target, left)
    assert submit(service, target, rows(2, 3)).outputs == [{"y": 4}, {"y": 6}]
    assert told == []
    assert left.outputs == []
