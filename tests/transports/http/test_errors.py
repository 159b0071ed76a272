"""The table from errors to statuses is complete, and no exception leaves as anything but a problem document."""

import logging

import pytest

from model_service import errors
from model_service.transports.http.errors import STATUS, handle_service_error


def leaves(kind: type) -> list[type]:
    return [leaf for child in kind.__subclasses__() for leaf in leaves(child)] or [kind]


def test_every_leaf_has_a_row():
    assert set(STATUS) == set(leaves(errors.ServiceError))


@pytest.mark.parametrize("kind", leaves(errors.CapacityError))
def test_a_caller_learns_when_to_try_again(make_client, kind):
    app = make_client().application
    with app.test_request_context():
        response = handle_service_error(kind("later", retry_after_s=7))
    expected = None if response.status_code == 504 else "7"
    assert response.headers.get("Retry-After") == expected


def test_an_unexpected_exception_is_a_problem_document_and_a_traceback_in_the_log(make_client, caplog):
    client = make_client()

    @client.application.get("/broken")
    def broken():
        raise RuntimeError("secret")

    with caplog.at_level(logging.ERROR):
        response = client.get("/broken")
    assert response.status_code == 500
    assert response.content_type == "application/problem+json"
    assert response.json["code"] == "internal_error"
    assert "secret" not in response.text
    assert "RuntimeError: secret" in caplog.text
