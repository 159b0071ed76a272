"""The service below a path prefix: behind nginx and Caddy as `deploy/` configures them, and under other servers."""

import subprocess
from urllib.parse import urlsplit

import httpx
import pytest
from proxies import PREFIX, find_tool, run_ours, run_tool, write_caddy, write_nginx
from serving import GunicornServer, Server

from model_service.config import ServerConfig
from model_service.transports.http.proxies import TrustedProxies

MODELS = "models: [class: models.DoubleModel]\n"
CONFIG = f"server: {{root_path: {PREFIX}, workers: 1}}\n{MODELS}"
TRUSTING = f"server: {{trusted_proxies: [127.0.0.1], workers: 1}}\n{MODELS}"
TOOLS = [
    pytest.param(name, marks=pytest.mark.skipif(find_tool(name) is None, reason=f"{name} is not installed"))
    for name in ("nginx", "caddy")
]


@pytest.fixture(scope="module", params=["named", "told", *TOOLS])
def proxied(request, tmp_path_factory):
    """The address of a service below a prefix, which is named in its configuration or told by the proxy."""
    folder = tmp_path_factory.mktemp(request.param)
    server = Server(CONFIG if request.param == "named" else TRUSTING, folder).wait_until_ready()
    is_ours = request.param in ("named", "told")
    running = run_ours(server.port) if is_ours else run_tool(request.param, folder, server.port)
    with running as found:
        yield found if isinstance(found, str) else found[0]
    assert server.stop() == 0


@pytest.mark.parametrize(
    ("name", "write", "check"),
    [
        pytest.param("nginx", write_nginx, ["-t"], marks=TOOLS[0].marks, id="nginx"),
        pytest.param("caddy", write_caddy, ["validate"], marks=TOOLS[1].marks, id="caddy"),
    ],
)
def test_the_tool_itself_finds_no_fault_in_its_configuration(tmp_path, name, write, check):
    program, *options = write(tmp_path, 18080, 18000)
    options = [option for option in options if option != "run"]
    command = [program, *options, *check] if name == "nginx" else [program, *check, *options]
    done = subprocess.run(command, env={"HOME": str(tmp_path)}, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "[warn]" not in done.stderr


def test_every_link_of_the_service_leads_somewhere(proxied):
    origin = proxied.removesuffix(PREFIX)
    with httpx.Client(timeout=60) as client:
        (model,) = client.get(f"{proxied}/api/models").json()["models"]
        for path in model["links"].values():
            assert path.startswith(f"{PREFIX}/")
            assert client.get(origin + path).status_code in (200, 405)
        assert client.post(origin + model["links"]["predict"], json={"x": 1}).json() == {"y": 2}
        document = client.get(f"{proxied}/openapi.json").json()
        (base,) = document["servers"]
        (path,) = (path for path in document["paths"] if path.endswith("/double_model/predict"))
        assert client.post(origin + base["url"] + path, json={"x": 2}).json() == {"y": 4}
        assert client.get(f"{proxied}/models").headers["location"] == f"{PREFIX}/"
        head = client.get(f"{proxied}/models/double_model/predict", headers={"accept": "text/html"}).text
        assert f'href="{PREFIX}/' in head


def test_a_job_goes_through_with_its_links_its_events_and_its_output(proxied):
    origin = proxied.removesuffix(PREFIX)
    with httpx.Client(timeout=60) as client:
        rows = b"x\n" + b"1\n" * 1_000_000  # more than a proxy holds by itself
        made = client.post(
            f"{proxied}/api/models/double_model/jobs", content=rows, headers={"content-type": "text/csv"}
        )
        assert made.status_code == 202, made.text
        job = client.get(origin + urlsplit(made.headers["location"]).path).json()
        assert job["input_bytes"] == len(rows)
        with client.stream("GET", origin + job["links"]["events"]) as events:
            assert next(events.iter_lines()) == "event: job"  # at once, not when the job is over
        assert client.delete(origin + job["links"]["self"]).status_code == 200
        (listed,) = client.get(f"{proxied}/api/jobs?limit=1").json()["jobs"]
        assert client.get(origin + listed["links"]["output"], headers={"range": "bytes=0-"}).status_code in (206, 416)


def test_the_prefix_without_its_slash_leads_to_the_index(proxied):
    answer = httpx.get(proxied)
    assert answer.status_code == 308
    assert urlsplit(answer.headers["location"]).path == f"{PREFIX}/"


@pytest.mark.parametrize("config", [CONFIG, TRUSTING], ids=["named", "told"])
def test_the_prefix_counts_under_another_server(tmp_path, config):
    server = GunicornServer(config, tmp_path).wait_until_ready()
    try:
        with httpx.Client(base_url=server.url, headers={"x-forwarded-prefix": PREFIX}) as client:
            (model,) = client.get("/api/models").json()["models"]
            assert model["links"]["predict"] == f"{PREFIX}/api/models/double_model/predict"
            assert client.get("/models").headers["location"] == f"{PREFIX}/"
            assert client.get("/openapi.json").json()["servers"] == [{"url": PREFIX}]
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("trusted", "peer", "claimed", "prefix"),
    [
        ("127.0.0.1", "127.0.0.1", "/pre", "/pre"),
        ("127.0.0.1", "127.0.0.1", "/pre/", "/pre"),
        ("10.1.0.0/16", "10.1.7.7", "/a/b-c", "/a/b-c"),
        ("10.1.0.0/16", "::ffff:10.1.7.7", "/pre", "/pre"),
        ("fe80::/10", "fe80::1%eth0", "/pre", "/pre"),
        ("*", None, "/pre", "/pre"),
        ("127.0.0.1", "127.0.0.1", "/theirs, /pre", "/pre"),
        ("127.0.0.1", "127.0.0.2", "/pre", None),
        ("10.1.0.0/16", "10.2.0.1", "/pre", None),
        ("127.0.0.1", None, "/pre", None),
        ("127.0.0.1", "", "/pre", None),
        ("127.0.0.1", "localhost", "/pre", None),
        ("", "127.0.0.1", "/pre", None),
        *(
            ("*", "127.0.0.1", claimed, None)
            for claimed in (None, "", "/", "//evil.example", "pre", "/../api", "/a b", '/"><script>', "/p,", "/p" * 101)
        ),
    ],
)
def test_a_prefix_is_believed_of_trusted_peers_and_only_if_it_is_one(trusted, peer, claimed, prefix):
    proxies = TrustedProxies(ServerConfig(trusted_proxies=tuple(filter(None, [trusted]))))
    assert proxies.find_prefix(peer, claimed) == prefix


def test_what_a_proxy_tells_counts_more_than_the_configuration_and_each_request_has_its_own(tmp_path):
    server = Server(f"server: {{root_path: /own, trusted_proxies: [127.0.0.0/8]}}\n{MODELS}", tmp_path)
    try:
        server.wait_until_ready()
        for claimed, prefix in (("/pre", "/pre"), ("/other", "/other"), ("//evil", "/own"), (None, "/own")):
            headers = {"x-forwarded-prefix": claimed} if claimed else {}
            with httpx.Client(base_url=server.url, headers=headers) as client:
                (model,) = client.get("/api/models").json()["models"]
                assert model["links"]["docs"] == f"{prefix}/docs"
                made = client.post(
                    "/api/models/double_model/jobs", content=b"x\n1\n", headers={"content-type": "text/csv"}
                )
                assert made.headers["location"].startswith(f"{prefix}/api/jobs/")
                predict = "/api/models/double_model/predict"
                assert client.post(predict, json={"x": 1}).json() == {"y": 2}
                assert client.post(predict, json={"x": "1"}).status_code == 422
                assert client.get("/health/ready").status_code == 200
                assert client.get(f"{prefix}/api/models").status_code == 404
    finally:
        assert server.stop() == 0


def test_a_prefix_that_another_server_knows_by_itself_counts_there(tmp_path):
    server = GunicornServer(MODELS, tmp_path, environment={"SCRIPT_NAME": "/own"})
    try:
        server.url += "/own"
        server.wait_until_ready()
        (model,) = httpx.get(f"{server.url}/api/models").json()["models"]
        assert model["links"]["docs"] == "/own/docs"
        assert httpx.get(f"{server.url}/").status_code == 200
    finally:
        server.stop()
