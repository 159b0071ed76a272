"""Keys on the wire: every route, every way to send a key, pages, limits, the audit log."""

import http.client
import json
import logging
import re

import pytest
from fronts import FrontServer, read_answers, request_of, wait_until

from model_service.access.key_file import KeyFile
from model_service.config import AccessConfig
from model_service.transports.http.credentials import COOKIE

PREDICT = "/api/models/double_model/predict"
JSON = {"Content_Type": "application/json"}
#: All that is answered without a key; whatever else is added to the service needs one.
OPEN = {
    *(("GET", path) for path in ("/health/live", "/health/ready", "/ping", "/v2/health/live", "/v2/health/ready")),
    *(("GET", "/static/x"), ("GET", "/bootstrap/static/x"), ("GET", "/docs/static/x")),
    *(("GET", "/sign-in"), ("POST", "/sign-in"), ("POST", "/sign-out")),
}
#: What changes something, and the scope that it takes; all else that does takes `manage`.
SCOPES = {
    ("POST", "/api/models/x/predict"): "predict",
    ("POST", "/api/models/x/versions/x/predict"): "predict",
    ("POST", "/api/models/x/explain"): "predict",
    ("POST", "/api/models/x/versions/x/explain"): "predict",
    ("POST", "/models/x/invoke"): "predict",
    ("POST", "/invocations"): "predict",
    ("POST", "/endpoints/x/invocations"): "predict",
    ("POST", "/v2/models/x/infer"): "predict",
    ("POST", "/v2/models/x/versions/x/infer"): "predict",
    ("POST", "/v1/models/x:predict"): "predict",
    ("POST", "/api/predictions/x/feedback"): "predict",
    ("POST", "/v2/repository/index"): None,
    ("POST", "/api/models/x/jobs"): "jobs",
    ("POST", "/api/models/x/versions/x/jobs"): "jobs",
    **{
        ("GET", path): "jobs"
        for path in ("/api/jobs", "/api/jobs/x", "/api/jobs/x/output", "/api/jobs/x/events", "/jobs")
    },
    ("DELETE", "/api/jobs/x"): "jobs",
}


class Site:
    """A server with keys: of everything, of one model, of nothing but reading, and one that is revoked."""

    def __init__(self, folder):
        self.file = KeyFile(folder / "keys.json")
        grants = {"all": ["predict", "jobs", "manage", "metrics"], "echo": ["predict:echo_model"], "meter": ["metrics"]}
        self.keys = {name: self.add(name, scopes) for name, scopes in grants.items()}
        self.keys["gone"] = self.add("gone", ["predict"])
        self.file.revoke("gone", by="me")
        self.server = FrontServer(
            "models.DoubleModel", "models.EchoModel", access=AccessConfig(keys_file=self.file.path), has_jobs=True
        )

    def add(self, name, scopes):
        return self.file.add(name, scopes, expires=None, by="me")[1]

    def ask(self, method, path, body=None, *, key=None, **headers):
        if key is not None:
            headers["X_API_Key"] = self.keys[key]
        return self.server.ask(method, path, body, **headers)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    running = Site(tmp_path_factory.mktemp("site"))
    yield running
    running.server.stop()


def list_routes(app):
    """Yield method and path of every rule, with ``x`` for each of its parts that vary."""
    for rule in app.url_map.iter_rules():
        path = re.sub(r"/static/[0-9a-f]{16}/", "/static/", re.sub(r"<[^>]+>", "x", rule.rule))
        yield from ((method, path) for method in rule.methods - {"OPTIONS", "HEAD"})


def test_no_route_answers_without_a_key_but_those_on_the_list(site):
    routes = {*list_routes(site.server.app)}
    assert routes >= OPEN - {("GET", "/docs/static/x")}
    answered = set()
    for method, path in sorted(routes):
        status, headers, body = site.ask(method, path, b"{}" if method == "POST" else None, **JSON)
        if status == 401 and path not in ("/sign-in",):
            assert headers["www-authenticate"] == 'Bearer realm="model-service"'
            assert json.loads(body)["code"] == "unauthenticated"
        elif status != 403 or path not in ("/sign-in", "/sign-out"):  # which ask where a request comes from
            answered.add((method, path))
    assert answered == {route for route in OPEN if route[0] != "POST"}


def test_each_route_takes_its_scope(site):
    for method, path in sorted({*list_routes(site.server.app)} - OPEN):
        wanted = SCOPES.get((method, path), None if method == "GET" else "manage")
        for name, scopes in (("meter", {"metrics"}), ("all", {"predict", "jobs", "manage", "metrics"})):
            status, headers, body = site.ask(method, path, b"{}" if method == "POST" else None, key=name, **JSON)
            is_refused = status == 403
            assert is_refused == (wanted is not None and wanted not in scopes), (method, path, name, body)
            if is_refused:
                assert f'error="insufficient_scope", scope="{wanted}"' in headers["www-authenticate"]
                assert json.loads(body)["code"] == "forbidden"


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/api/nothing",
        "//",
        "/static",
        "/health",
        "/health/live/x",
        "/metrics",
        "/API/models",
        "/docs/static",
        "/models/static/x",
        "/static/../api/models",
    ],
)
def test_what_is_not_there_needs_a_key_as_well(site, path):
    status = site.ask("GET", path)[0]
    assert status == 401 or (path == "/static/../api/models" and status == 404)
    assert site.ask("OPTIONS", "/api/models")[0] == 401
    assert site.ask("TRACE", "/health/live")[0] == 401


@pytest.mark.parametrize("write", ["Bearer {}", "bearer {}", "BEARER   {}"])
def test_a_key_in_authorization_is_taken_and_the_second_request_stays_in_the_loop(site, write):
    value = write.format(site.keys["all"])
    site.ask("POST", PREDICT, b'{"x": 2}', Authorization=value, **JSON)
    before = site.server.flask_requests
    status, _, body = site.ask("POST", PREDICT, b'{"x": 2}', Authorization=value, **JSON)
    assert (status, json.loads(body)) == (200, {"y": 4})
    assert site.server.flask_requests == before
    assert site.server.log.keys[-1] == "all"


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Basic {}"},
        {"Authorization": "{}"},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer {}x"},
        {"Authorization": "Bearer {},{}"},
        {"Authorization": "Bearer {} {}"},
        {"Authorization": "Bearer {}", "X_API_Key": "{}"},
        {"X_API_Key": ""},
        {"X_API_Key": "\xe4" * 70},
        {"X_API_Key": "a" * 8192},
        {"X_API_Key": "Bearer {}"},
        {"Authorization": "Token {}"},
        {"Cookie": COOKIE},
        {"Cookie": f"{COOKIE}="},
        {"Cookie": f"other={{}}; x{COOKIE}={{}}"},
    ],
)
def test_what_is_no_key_is_refused_on_every_way(site, headers):
    key = site.keys["all"]
    site.ask("POST", PREDICT, b'{"x": 2}', X_API_Key=key, **JSON)
    sent = {name: value.replace("{}", key) for name, value in headers.items()}
    for method, path in (("POST", PREDICT), ("GET", "/api/models"), ("POST", "/v2/models/double_model/infer")):
        status, answer, body = site.ask(method, path, b'{"x": 2}', **sent, **JSON)
        assert (status, "www-authenticate" in answer) == (401, True)
        assert key.encode() not in body


def test_two_headers_of_one_name_are_refused(site):
    key = site.keys["all"]
    for name in ("Authorization: Bearer ", "X-API-Key: "):
        raw = request_of(b'{"x": 1}').replace(b"\r\n\r\n", f"\r\n{name}{key}\r\n{name}{key}\r\n\r\n".encode(), 1)
        with site.server.connect() as connection:
            connection.sendall(raw)
            assert read_answers(connection, 1)[0][0] == 401


def test_a_key_in_the_address_is_not_looked_at(site):
    key = site.keys["all"]
    for query in (f"key={key}", f"api_key={key}", f"access_token={key}", f"X-API-Key={key}"):
        assert site.ask("GET", f"/api/models?{query}")[0] == 401


def test_the_scheme_of_a_proxy_does_not_matter_beside_a_key(site):
    assert site.ask("GET", "/api/models", key="all", Authorization="Basic eDp5")[0] == 200


def test_a_key_of_one_model_asks_no_other_by_any_door(site):
    allowed, other = "echo_model", "double_model"
    for name in (allowed, other):
        calls = [
            (f"/api/models/{name}/predict", {}),
            (f"/api/models/{name}/versions/1.0.0/predict", {}),
            (f"/api/models/{name.replace('_', '%5F')}/predict", {}),
            (f"/v1/models/{name}:predict", {}),
            (f"/v2/models/{name}/infer", {}),
            (f"/models/{name}/invoke", {}),
            (f"/endpoints/{name.replace('_', '-')}/invocations", {}),
            (f"/endpoints/{allowed}/invocations", {"X_Amzn_SageMaker_Target_Model": f"{name}.tar.gz"}),
            ("/invocations", {"X_Amzn_SageMaker_Target_Model": name}),
        ]
        for path, headers in calls:
            status, _, body = site.ask("POST", path, b'{"x": 1}', key="echo", **headers, **JSON)
            assert (status == 403) == (name == other), (path, status, body)
    # Once known, the loop decides: the same.
    assert site.ask("POST", f"/api/models/{other}/predict", b'{"x": 1}', key="echo", **JSON)[0] == 403


def test_a_file_for_a_job_needs_both_scopes(site):
    site.keys["jobs only"] = site.add("jobs-only", ["jobs"])
    ring = site.server.gate.keyring
    wait_until(lambda: any(key.name == "jobs-only" for key in ring.snapshot.keys.values()))
    path = "/api/models/double_model/jobs"
    status, _, body = site.ask("POST", path, b"x\n1\n", key="jobs only", Content_Type="text/csv")
    assert status == 403, body
    assert "predict:double_model" in json.loads(body)["detail"]


def test_a_job_says_whose_it_is_and_keys_do_not_share_their_idempotency_keys(site):
    site.keys["other"] = site.add("other", ["predict", "jobs"])
    ring = site.server.gate.keyring
    wait_until(lambda: any(key.name == "other" for key in ring.snapshot.keys.values()))
    made = []
    for name in ("all", "other", "all"):
        headers = {"Content_Type": "text/csv", "Idempotency_Key": "k1"}
        status, _, body = site.ask("POST", "/api/models/double_model/jobs", b"x\n1\n", key=name, **headers)
        assert status == 202, body
        made.append(json.loads(body))
    assert [job["caller"] for job in made] == ["all", "other", "all"]
    assert made[0]["id"] == made[2]["id"] != made[1]["id"]


def test_a_revoked_key_is_told_so_and_a_new_one_is_taken_within_a_second_on_open_connections(site):
    assert "has been revoked" in json.loads(site.ask("GET", "/api/models", key="gone")[2])["detail"]
    site.keys["brief"] = site.add("brief", ["predict"])
    request = request_of(b'{"x": 1}', X_API_Key=site.keys["brief"])
    with site.server.connect() as connection:

        def ask():
            connection.sendall(request)
            return read_answers(connection, 1)[0][0]

        wait_until(lambda: ask() == 200, 5)
        assert ask() == 200
        site.file.revoke("brief", by="me")
        wait_until(lambda: ask() == 401, 5)
        assert {ask() for _ in range(5)} == {401}


def test_a_large_body_of_a_stranger_is_not_kept(site):
    with site.server.connect() as connection:
        head = request_of(b"", "/api/models/double_model/jobs", Content_Length=str(10**12), Content_Type="text/csv")
        connection.sendall(head)
        assert read_answers(connection, 1)[0][0] == 401
        with pytest.raises(OSError, match=r"."):
            connection.sendall(b"x" * 130_000_000)
    assert site.ask("GET", "/health/live")[0] == 200


def test_health_is_answered_whatever_key_is_sent(site):
    for headers in ({}, {"X_API_Key": "wrong"}, {"Authorization": "Basic x"}):
        assert site.ask("GET", "/health/ready", **headers)[0] == 200


def test_the_host_counts_beside_the_key(site):
    assert site.ask("GET", "/api/models", key="all", Host="evil.example")[0] == 421
    assert site.ask("POST", PREDICT, b'{"x": 1}', key="all", Host="evil.example", **JSON)[0] == 421


def test_the_protocols_say_a_refusal_in_their_own_form(site):
    assert "error" in json.loads(site.ask("GET", "/v2/models/double_model")[2])
    document = json.loads(site.ask("POST", "/invocations", b"{}", **JSON)[2])
    assert document["error_code"] == "UNAUTHENTICATED"
    assert document["message"] == document["detail"]


def test_refusals_and_calls_that_manage_are_in_the_audit_log_and_no_key_is(site, caplog):
    caplog.set_level(logging.INFO, logger="model_service.audit")
    site.ask("DELETE", "/models/double_model", key="all")
    wait_until(lambda: any(record.action == "managed" for record in caplog.records))
    site.server.gate.audit._second = 0
    site.ask("GET", f"/api/models?key={site.keys['all']}", X_API_Key=site.keys["gone"])
    site.ask("DELETE", "/models/double_model", key="meter")
    fields = ("action", "key", "method", "path", "address")
    lines = [tuple(getattr(record, name, None) for name in fields) for record in caplog.records]
    assert ("managed", "all", "DELETE", "/models/double_model", "127.0.0.1") in lines
    assert ("refused", None, "GET", "/api/models", "127.0.0.1") in lines
    assert ("refused", "meter", "DELETE", "/models/double_model", "127.0.0.1") in lines
    assert not any(
        key in caplog.text or key in str(vars(record)) for key in site.keys.values() for record in caplog.records
    )


def test_lines_of_refusals_are_bounded(site, caplog):
    for _ in range(60):
        site.ask("GET", "/api/models")
    assert sum(record.message == "request refused" for record in caplog.records) <= 30


# People


def browse(site, method, path, body=None, **headers):
    return site.server.ask(method, path, body, Accept="text/html,*/*;q=0.8", **headers)


def sign_in(site, key, *, place="/", **headers):
    body = f"key={key}&next={place}".encode()
    headers = {"Sec_Fetch_Site": "same-origin", **headers}
    return browse(site, "POST", "/sign-in", body, Content_Type="application/x-www-form-urlencoded", **headers)


def test_a_person_is_led_to_sign_in_and_back(site):
    status, headers, _ = browse(site, "GET", "/models/double_model/predict?x=1")
    assert (status, headers["location"]) == (303, "/sign-in?next=/models/double_model/predict%3Fx%3D1")
    status, headers, page = browse(site, "GET", headers["location"])
    assert (status, headers["cache-control"]) == (200, "no-store, no-cache")
    assert b'value="/models/double_model/predict?x=1"' in page
    status, headers, _ = sign_in(site, site.keys["all"], place="/models/double_model/predict%3Fx%3D1")
    assert (status, headers["location"]) == (303, "/models/double_model/predict?x=1")
    cookie = headers["set-cookie"]
    assert all(part in cookie for part in ("HttpOnly", "SameSite=Strict", "Path=/"))
    assert "Secure" not in cookie
    status, _, page = browse(site, "GET", headers["location"], Cookie=cookie.partition(";")[0])
    assert status == 200
    assert b"Sign out" in page
    assert site.keys["all"].encode() not in page


def test_a_page_that_a_key_does_not_allow_is_a_page_that_says_so(site):
    status, headers, page = browse(site, "GET", "/jobs", Cookie=f"{COOKIE}={site.keys['meter']}")
    assert (status, headers["content-type"]) == (403, "text/html; charset=utf-8")
    assert b"scope" in page


def test_a_wrong_key_is_asked_for_again(site):
    for key in ("wrong", "", site.keys["gone"], "%00", "a" * 9000):
        status, headers, page = sign_in(site, key)
        assert (status, "set-cookie" in headers) == (401, False)
        assert b'role="alert"' in page
    assert b"evil" not in browse(site, "GET", "/sign-in?next=//evil.example")[2]


@pytest.mark.parametrize("place", ["//evil.example", "https://evil.example", "/%5Cevil.example", "/%0d%0aX: y", "evil"])
def test_nobody_is_led_elsewhere(site, place):
    status, headers, _ = sign_in(site, site.keys["all"], place=place)
    assert (status, headers["location"]) == (303, "/")


def test_behind_tls_the_cookie_is_for_tls(site):
    assert "Secure" in sign_in(site, site.keys["all"], Origin="https://models.example")[1]["set-cookie"]


def test_a_cookie_changes_nothing_for_other_sites(site):
    cookie = {"Cookie": f"{COOKIE}={site.keys['all']}", **JSON}
    own = f"http://127.0.0.1:{site.server.port}"
    cases = [
        ({"Sec_Fetch_Site": "same-origin"}, 200),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Sec_Fetch_Site": "same-site", "Origin": own}, 403),
        ({"Origin": own}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({}, 403),
    ]
    for headers, expected in cases:
        assert site.ask("POST", PREDICT, b'{"x": 2}', **cookie, **headers)[0] == expected, headers
    for headers in ({"Sec_Fetch_Site": "cross-site"}, {"Origin": "http://evil.example"}, {}):
        assert site.ask("POST", "/sign-out", b"", **{**cookie, **headers})[0] == 403
        assert sign_in(site, site.keys["all"], **{"Sec_Fetch_Site": "cross-site", **headers})[0] in (303, 403)
    assert sign_in(site, site.keys["all"], Sec_Fetch_Site="cross-site")[0] == 403
    # A program that sends the key itself is no page.
    assert site.ask("POST", PREDICT, b'{"x": 2}', key="all", Origin="http://evil.example", **JSON)[0] == 200


def test_who_signs_out_has_no_cookie_left(site):
    status, headers, _ = browse(
        site, "POST", "/sign-out", b"", Sec_Fetch_Site="same-origin", Cookie=f"{COOKIE}={site.keys['all']}"
    )
    assert (status, headers["location"]) == (303, "/sign-in")
    assert f"{COOKIE}=;" in headers["set-cookie"]


def test_a_cookie_that_is_not_valid_any_more_leads_to_sign_in_with_the_reason(site):
    _, headers, _ = browse(site, "GET", "/", Cookie=f"{COOKIE}={site.keys['gone']}")
    assert headers["location"] == "/sign-in?next=/&ended=1"
    assert b"expired, or has been revoked" in browse(site, "GET", headers["location"])[2]


def test_headers_of_a_client_library_are_taken_as_they_come(site):
    connection = http.client.HTTPConnection("127.0.0.1", site.server.port, timeout=20)
    connection.request("GET", "/api/models", headers={"AUTHORIZATION": f"Bearer {site.keys['meter']}"})
    assert connection.getresponse().status == 200
    connection.close()
