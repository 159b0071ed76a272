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


def test_nobody_is_told_to_come_again_where_that_is_not_known(make_client):
    app = make_client().application
    with app.test_request_context():
        response = handle_service_error(errors.ModelNotReady("mend it first", retry_after_s=None))
    assert (response.status_code, "Retry-After" in response.headers) == (503, False)


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


def test_under_another_server_hosts_are_held_to_the_list_alone(make_client):
    anywhere = {"Host": "models.example"}
    assert make_client("models.DoubleModel").get("/api/models", headers=anywhere).status_code == 200
    client = make_client("models.DoubleModel", allowed_hosts=("models.example",))
    assert client.get("/api/models", headers=anywhere).status_code == 200
    assert client.get("/api/models").status_code == 421
    assert client.get("/health/live").status_code == 200
