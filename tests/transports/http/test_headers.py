"""Headers of every kind of answer: safety, caching, compression; addresses that change with their files."""

import re
import shutil

import httpx
import pytest

from model_service.transports.http.headers import digest_files

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
DOCS_POLICY = POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
SAFETY = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
}
PAGE = {"accept": "text/html"}


@pytest.fixture(scope="module")
def files(client: httpx.Client) -> list[str]:
    """Return the address of every style sheet, script and icon of the pages."""
    found: set[str] = set()
    for path in ("/", "/docs", "/models/double_model", "/models/double_model/predict", "/models/double_model/batch"):
        found |= set(re.findall(r'(?:src|href)="(/[^"#]*\.(?:css|js|svg|png))"', client.get(path).text))
    assert len(found) >= 8
    return sorted(found)


# --- safety -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        pytest.param("GET", "/", 200, id="index"),
        pytest.param("HEAD", "/", 200, id="head"),
        pytest.param("GET", "/models/double_model/predict", 200, id="page"),
        pytest.param("GET", "/models/unloadable_model/predict", 503, id="page of a failed model"),
        pytest.param("GET", "/openapi.json", 200, id="document"),
        pytest.param("GET", "/openapi.yaml", 200, id="document as YAML"),
        pytest.param("GET", "/nothing", 404, id="nothing"),
        pytest.param("GET", "/static/0/nothing.js", 404, id="no such file"),
    ],
)
def test_every_page_carries_the_policy_and_the_headers_of_safety(client, method, path, status):
    response = client.request(method, path)
    assert response.status_code == status
    assert response.headers["content-security-policy"] == POLICY
    assert {name: response.headers[name] for name in SAFETY} == SAFETY
    assert response.headers["x-request-id"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/api/models", None, 200),
        ("POST", "/api/models/double_model/predict", {"x": 1}, 200),
        ("POST", "/api/models/double_model/predict", {"x": "1"}, 422),
        ("GET", "/api/models/double_model/predict", None, 405),
        ("OPTIONS", "/api/models", None, 200),
        ("POST", "/invocations", {"x": 1}, 404),
        ("GET", "/invocations", None, 405),
        ("POST", "/models/double_model/invoke", {"x": 1}, 200),
        ("GET", "/version", None, 200),
        ("GET", "/execution-parameters", None, 200),
    ],
)
def test_an_answer_to_a_program_cannot_be_taken_for_a_page(client, method, path, body, status):
    response = client.request(method, path, json=body)
    assert response.status_code == status
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "content-security-policy" not in response.headers
    assert "html" not in response.headers["content-type"] or not response.content


def test_styles_inside_a_page_are_allowed_to_swagger_ui_alone(client):
    assert client.get("/docs").headers["content-security-policy"] == DOCS_POLICY


def test_static_files_carry_them_too(client, files):
    for path in files:
        response = client.get(path)
        assert response.status_code == 200, path
        assert response.headers["content-security-policy"] == POLICY
        assert {name: response.headers[name] for name in SAFETY} == SAFETY


# --- caching ----------------------------------------------------------------------------------------------------------


def test_static_files_are_kept_for_a_year(client, files):
    for path in files:
        assert re.search(r"/static/[0-9a-f]{16}/|/bootstrap/", path), path
        caching = client.get(path).headers["cache-control"]
        assert {"immutable", "max-age=31536000"} <= set(caching.split(", ")), path


@pytest.mark.parametrize("path", ["/", "/docs", "/models/double_model", "/nothing", "/openapi.json", "/health/ready"])
def test_pages_and_documents_are_asked_for_anew(client, path):
    assert client.get(path, headers=PAGE).headers["cache-control"] == "no-cache"


def test_the_address_of_static_files_changes_with_a_file_its_name_and_a_library(tmp_path):
    folder = tmp_path / "static"
    (folder / "js").mkdir(parents=True)
    (folder / "js/a.js").write_text("1")
    (folder / "b.css").write_text("2")
    digests = [digest_files(folder, "flask")]
    (folder / "js/a.js").write_text("3")
    digests.append(digest_files(folder, "flask"))
    (folder / "js/a.js").rename(folder / "js/c.js")
    digests.append(digest_files(folder, "flask"))
    (folder / "b.css").rename(folder / "js/b.css")
    digests.append(digest_files(folder, "flask"))
    digests.append(digest_files(folder, "flask", "pyyaml"))
    assert len(set(digests)) == len(digests)
    assert all(re.fullmatch("[0-9a-f]{16}", digest) for digest in digests)


def test_the_address_of_static_files_stays_where_nothing_changes(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    (tmp_path / "one/b.js").write_text("b")
    (tmp_path / "one/a.js").write_text("a")
    for name in ("a.js", "b.js"):
        shutil.copyfile(tmp_path / "one" / name, tmp_path / "two" / name)
    assert digest_files(tmp_path / "one", "flask") == digest_files(tmp_path / "two", "flask")


# --- compression ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [("br", "br"), ("gzip", "gzip"), ("gzip, deflate, br", "br"), ("gzip;q=1, br;q=0", "gzip"), ("identity", None)],
)
@pytest.mark.parametrize("path", ["/", "/openapi.json"])
def test_pages_are_compressed_as_the_browser_accepts(client, path, accepted, expected):
    plain = client.get(path, headers={"accept-encoding": "identity"})
    response = client.get(path, headers={"accept-encoding": accepted})
    assert response.headers.get("content-encoding") == expected
    assert response.text == plain.text  # httpx has decompressed it
    assert "accept-encoding" in response.headers["vary"].lower()
    if expected:
        assert int(response.headers["content-length"]) < len(plain.content) / 2


def test_static_files_are_compressed(client, files):
    for path in (path for path in files if path.endswith((".css", ".js"))):
        plain = client.get(path, headers={"accept-encoding": "identity"})
        if len(plain.content) > 2000:
            response = client.get(path, headers={"accept-encoding": "br"})
            assert response.headers["content-encoding"] == "br", path
            assert response.content == plain.content


@pytest.mark.parametrize("accepted", ["br", "gzip", "gzip, deflate, br"])
def test_answers_to_programs_are_not_compressed(client, accepted):
    rows = [{"text": "a" * 2000}] * 5
    for response in (
        client.post("/api/models/echo_model/predict", json=rows, headers={"accept-encoding": accepted}),
        client.get("/api/models", headers={"accept-encoding": accepted}),
    ):
        assert response.status_code == 200
        assert len(response.content) > 2000
        assert "content-encoding" not in response.headers
