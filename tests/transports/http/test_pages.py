"""The pages as a client without a browser sees them: who gets a page and who a document, and what a page names."""

import html
import json
import re

import pytest
from serving import Server

#: What a page says comes from Flask, whichever server is in front; how it arrives is asked of both.
one_front = pytest.mark.parametrize("server", [Server], ids=["serve"], indirect=True)
PROBLEM = "application/problem+json"
HTML = "text/html; charset=utf-8"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
PAGES = [
    "/",
    "/docs",
    "/nothing",
    "/models/nobody",
    *(
        f"/models/{model}{suffix}"
        for model in ("double_model", "double_model/versions/1.0.0", "unloadable_model", "missing_package")
        for suffix in ("", "/predict", "/batch")
    ),
]


# --- a page or a document ---------------------------------------------------------------------------------------------


@one_front
@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        pytest.param(BROWSER, HTML, id="a browser"),
        pytest.param("text/html", HTML, id="a page"),
        pytest.param("text/html, application/json;q=0.9", HTML, id="rather a page"),
        pytest.param("application/json, text/html;q=0.9", PROBLEM, id="rather a document"),
        pytest.param("application/json", PROBLEM, id="JSON"),
        pytest.param("application/problem+json", PROBLEM, id="a problem document"),
        pytest.param("*/*", PROBLEM, id="anything"),
        pytest.param("", PROBLEM, id="not said"),
        pytest.param("image/png", PROBLEM, id="neither"),
    ],
)
@pytest.mark.parametrize(
    ("path", "code"), [("/nothing", "route_not_found"), ("/models/nobody/predict", "model_not_found")]
)
def test_an_error_is_a_page_for_who_asks_for_one_and_a_document_else(client, path, code, accept, expected):
    response = client.get(path, headers={"accept": accept})
    assert response.status_code == 404
    assert response.headers["content-type"] == expected
    assert code in response.text
    assert response.headers["x-request-id"] in response.text


@pytest.mark.parametrize(
    ("method", "path", "accept", "status", "code"),
    [
        ("GET", "/api/nothing", "text/html", 404, "route_not_found"),
        ("GET", "/api/models/nobody/metadata", BROWSER, 404, "model_not_found"),
        ("GET", "/api/models/double_model/predict", BROWSER, 405, "method_not_allowed"),
        ("GET", "/api/models", "text/html", 406, "not_acceptable"),
        ("POST", "/health/live", BROWSER, 405, "method_not_allowed"),
        ("GET", "/openapi.xml", BROWSER, 404, "route_not_found"),
    ],
)
def test_an_address_for_programs_answers_a_document_to_a_browser_too(client, method, path, accept, status, code):
    response = client.request(method, path, headers={"accept": accept})
    assert response.status_code == status
    assert response.headers["content-type"] == PROBLEM
    assert response.json()["code"] == code


@pytest.mark.parametrize(("accept", "expected"), [("text/html", HTML), ("application/json", PROBLEM)])
def test_a_wrong_method_names_the_right_one_in_both_forms(client, accept, expected):
    response = client.post("/", headers={"accept": accept})
    assert response.status_code == 405
    assert response.headers["content-type"] == expected
    assert "GET" in response.headers["allow"]
    assert "POST is not supported here" in response.text


@pytest.mark.parametrize(("accept", "expected"), [("text/html", HTML), ("application/json", PROBLEM)])
def test_an_unexpected_failure_is_told_in_both_forms_without_its_reason(make_client, caplog, accept, expected):
    client = make_client()

    @client.application.get("/broken")
    def broken():
        raise RuntimeError("secret")

    response = client.get("/broken", headers={"accept": accept})
    assert response.status_code == 500
    assert response.content_type == expected
    assert "internal_error" in response.text
    assert response.headers["x-request-id"] in response.text
    assert "secret" not in response.text
    assert "RuntimeError: secret" in caplog.text


# --- the pages --------------------------------------------------------------------------------------------------------


@one_front
@pytest.mark.parametrize("path", PAGES)
def test_a_page_names_nothing_of_another_host_and_holds_nothing_inline(client, path):
    response = client.get(path, headers={"accept": "text/html"})
    assert response.headers["content-type"] == HTML
    # What the model package says is text; tags are what the page is made of.
    tags = re.findall(r"<[a-zA-Z][^>]*>", response.text)
    assert [tag for tag in tags if re.search(r"""\s(?:src|href|action|poster|srcset)=["']?(?:https?:)?//""", tag)] == []
    assert [tag for tag in tags if re.search(r"""\s(?:style|on\w+)=""", tag)] == []
    assert [tag for tag in tags if tag.startswith("<style")] == []
    scripts = [tag for tag in tags if tag.startswith("<script")]
    assert scripts
    assert [tag for tag in scripts if " src=" not in tag] == []


@pytest.mark.parametrize("path", PAGES)
def test_the_head_of_a_page_is_its_get_without_a_body(client, path):
    head, get = (client.request(method, path, headers={"accept": "text/html"}) for method in ("HEAD", "GET"))
    assert head.content == b""
    assert head.status_code == get.status_code
    for name in ("content-type", "content-security-policy", "cache-control"):
        assert head.headers[name] == get.headers[name]


@one_front
@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/models/double_model", 200),
        ("/models/double_model/predict", 200),
        ("/models/double_model/versions/1.0.0/batch", 200),
        ("/models/unloadable_model", 200),
        ("/models/unloadable_model/predict", 503),
        ("/models/missing_package/batch", 503),
        ("/models/nobody/batch", 404),
        ("/models/double_model/versions/9.9.9/predict", 404),
        ("/models//predict", 404),
    ],
)
def test_the_status_of_a_page_says_whether_the_model_can_be_used(client, path, status):
    assert client.get(path, headers={"accept": "text/html"}).status_code == status


@one_front
@pytest.mark.parametrize(
    ("path", "version", "predict_path"),
    [
        ("/models/double_model/predict", "1.10.0", "/api/models/double_model/predict"),
        ("/models/double_model/versions/1.10.0/batch", "1.10.0", "/api/models/double_model/predict"),
        (
            "/models/double_model/versions/1.0.0/predict",
            "1.0.0",
            "/api/models/double_model/versions/1.0.0/predict",
        ),
    ],
)
def test_a_page_tells_its_scripts_which_model_it_is_about(client, path, version, predict_path):
    page = described(client.get(path).text)
    assert page["qualified_name"] == "double_model"
    assert page["version"] == version
    assert page["predict_path"] == predict_path
    assert page["input_schema"]["required"] == ["x"]
    assert page["examples"] == [{"x": 1}]
    assert client.post(page["predict_path"], json=page["examples"][0]).status_code == 200


def test_a_model_is_compared_with_those_that_take_its_payloads_and_are_ready(client):
    compared = described(client.get("/models/double_model/predict").text)["compared"]
    names = {(model["qualified_name"], model["version"]) for model in compared}
    assert ("double_model", "1.0.0") in names
    assert ("raising_model", "1.0.0") in names
    assert ("double_model", "1.10.0") not in names  # itself
    assert "unloadable_model" not in {name for name, _ in names}
    for model in compared:
        assert client.post(model["predict_path"], json={"x": 2}).status_code == 200


def test_a_page_without_a_model_is_the_index_of_nothing(make_client):
    page = make_client().get("/").text
    assert "No model is configured" in page
    assert "<article" not in page


def described(page: str) -> dict:
    """Return what a page tells its scripts."""
    (text,) = re.findall(r'data-page="([^"]*)"', page)
    return json.loads(html.unescape(text))


def test_addresses_of_pages_may_end_with_a_slash(client):
    for path in ("/models/double_model/", "/models/double_model/predict/", "/models/double_model/batch/", "/docs/"):
        assert client.get(path).status_code == 200
    assert client.get("/models").headers["location"] == "/"
    assert client.get("/models/", follow_redirects=True).status_code == 200
