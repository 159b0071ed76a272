"""A page of another origin, in a real browser: what is listed may call the API, nothing else may."""

import functools
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Page
from serving import Server

CALL = """async (address) => {
  const answer = await fetch(`${address}/api/models/double_model/predict`, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Request-ID": "mine" },
    body: '{"x": 2}',
  });
  const headers = ["X-Request-ID", "X-Model-Version"].map((name) => answer.headers.get(name));
  return [answer.status, await answer.json(), ...headers];
}"""
WATCH = """async (address) => {
  const made = await fetch(`${address}/api/models/double_model/jobs`, {
    method: "POST", headers: { "Content-Type": "text/csv", "Idempotency-Key": "one" }, body: "x\\n1\\n" });
  const place = address + made.headers.get("Location");
  const state = await new Promise((resolve, reject) => {
    const events = new EventSource(`${place}/events`);
    events.addEventListener("job", (event) => {
      const job = JSON.parse(event.data);
      if (job.state === "succeeded") { events.close(); resolve(job.state); }
    });
    events.addEventListener("error", reject);
  });
  const output = await fetch(`${place}/output`, { headers: { Range: "bytes=0-2" } });
  await fetch(place, { method: "DELETE" });
  return [state, output.status, await output.text(), output.headers.get("Content-Range")];
}"""


class _Handler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def origins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """Two servers of an empty page."""
    folder = tmp_path_factory.mktemp("pages")
    (folder / "index.html").write_text("<!doctype html><link rel=icon href='data:,'><title>Elsewhere</title>")
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Handler, directory=folder)) for _ in range(2)]
    for server in servers:
        threading.Thread(target=server.serve_forever, args=[0.05], daemon=True).start()
    yield [f"http://127.0.0.1:{server.server_port}" for server in servers]
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, origins: list[str]) -> Iterator[str]:
    """A service that the pages of the first one may call."""
    config = f"server: {{cors_origins: ['{origins[0]}']}}\nmodels: [class: models.DoubleModelTwo]\n"
    server = Server(config, Path(tmp_path_factory.mktemp("service"))).wait_until_ready()
    yield server.url
    assert server.stop() == 0


def test_a_listed_page_predicts_sends_files_and_watches(page: Page, origins: list[str], service: str):
    page.goto(origins[0])
    assert page.evaluate(CALL, service) == [200, {"y": 4.5}, "mine", "1.10.0"]
    state, status, text, part = page.evaluate(WATCH, service)
    assert (state, status, text) == ("succeeded", 206, "x,y")
    assert part.startswith("bytes 0-2/")
    assert page.evaluate("async (address) => (await fetch(`${address}/openapi.json`)).ok", service)


def test_another_page_may_not(page: Page, faults: list[str], origins: list[str], service: str):
    page.goto(origins[1])
    assert page.evaluate(f"(address) => ({CALL})(address).catch((error) => error.name)", service) == "TypeError"
    assert len(faults) == 1
    assert "CORS policy" in faults.pop()
