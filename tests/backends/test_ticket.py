"""Tickets: who waits for one is told, and what is told of an error holds nobody's payload."""

import gc
import threading
import time
import weakref

import pytest
from backends.queues import until

from model_service.backends import ticket as tickets
from model_service.backends.ticket import RemoteTraceback, Ticket, Waiter, announce, describe_cause, detach
from model_service.errors import PredictionFailed, PredictionTimeout


class Payload(dict):
    """A payload that tells when it is gone."""


def fail_with(payload):
    """Return an error as a model makes it: with a cause and a context, whose frames hold the payload."""
    try:
        try:
            raise KeyError(payload["x"])
        except KeyError as error:
            raise RuntimeError("the weights") from error
    except RuntimeError as error:
        surprise = error
    try:
        try:
            raise LookupError(payload["x"])
        except LookupError:
            raise PredictionFailed("the model raised") from surprise
    except PredictionFailed as error:
        return error


# Waiting


def test_who_waits_gets_the_ticket_when_it_is_over():
    waiter = Waiter([{"x": 1}], until(time.monotonic() + 60))
    cancelled = []

    def answer():
        waiter.ticket.outputs = [{"y": 2}]
        waiter.ticket.done(waiter.ticket)

    thread = threading.Thread(target=answer)
    thread.start()
    ticket = waiter.wait(cancelled.append)
    thread.join()
    assert (ticket.payloads, ticket.outputs, ticket.error) == ([{"x": 1}], [{"y": 2}], None)
    assert cancelled == []


def test_who_waits_for_what_is_over_already_does_not_wait():
    waiter = Waiter([{"x": 1}], until(time.monotonic() - 60))
    waiter.ticket.done(waiter.ticket)
    cancelled = []
    assert waiter.wait(cancelled.append).error is None
    assert cancelled == []


def test_past_its_deadline_a_ticket_of_which_nobody_has_heard_is_cancelled(monkeypatch):
    monkeypatch.setattr(tickets, "_GRACE_S", 0.01)
    waiter = Waiter([{"x": 1}], until(50.0), clock=lambda: 50.0)
    cancelled = []
    ticket = waiter.wait(cancelled.append)
    assert cancelled == [ticket]
    assert isinstance(ticket.error, PredictionTimeout)


def test_a_ticket_knows_how_many_of_its_rows_are_left():
    ticket = Ticket([{"x": 1}, {"x": 2}, {"x": 3}], until(60.0), lambda _: None)
    assert ticket.left == 3
    ticket.taken = 2
    assert ticket.left == 1


# Telling


def test_a_caller_that_cannot_be_told_keeps_no_other_from_being_told(caplog):
    told = []

    def break_down(ticket):
        raise RuntimeError("the connection is a mess")

    announce([Ticket([], until(60.0), done) for done in (told.append, break_down, told.append)])
    assert len(told) == 2
    assert "the connection is a mess" in caplog.text


# Errors


def test_an_error_that_waits_holds_no_frame_and_no_payload():
    payload = Payload(x="a secret")
    is_alive = weakref.ref(payload)
    error = fail_with(payload)
    del payload
    gc.collect()
    assert is_alive() is not None  # or this test tests nothing
    detached = detach(error)
    gc.collect()
    assert is_alive() is None
    assert detached is error
    assert (error.__traceback__, error.__context__) == (None, None)


def test_the_cause_of_an_error_that_waits_is_there_as_text():
    error = detach(fail_with({"x": 5}))
    assert isinstance(error, PredictionFailed)
    assert isinstance(error.__cause__, RemoteTraceback)
    text = str(error.__cause__)
    assert "RuntimeError: the weights" in text
    assert "KeyError: 5" in text
    assert "in fail_with" in text


@pytest.mark.parametrize("cause", [None, RemoteTraceback("far away", "OSError()")])
def test_an_error_without_a_live_cause_stays_as_it_is(cause):
    error = PredictionFailed("the model raised")
    error.__cause__ = cause
    assert detach(error).__cause__ is cause


def test_a_cause_is_named_in_one_line_wherever_it_comes_from():
    here = ValueError("no such letter")
    error = PredictionFailed("the model raised")
    try:
        raise here
    except ValueError as raised:
        error.__cause__ = raised
    there = detach(error).__cause__
    assert isinstance(there, RemoteTraceback)
    assert "Traceback" in str(there)
    assert describe_cause(there) == describe_cause(here) == "ValueError('no such letter')"
