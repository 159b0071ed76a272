"""A real browser, the servers it visits, and pages that fail their test when the browser complains.

A browser is found at ``CHROMIUM``, at ``/usr/bin/chromium`` or on the path. Without one these tests are
skipped; where the variable ``CI`` is set they fail instead, so that nothing is left out there unnoticed.
"""

import os
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
from browsing import MISSING, find_browser, start_browser, wait_until_loaded
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, Response, sync_playwright
from serving import Server

#: The most rows of one request to the toy models: few, so that a small file needs several.
MAX_ROWS = 100
TOYS = f"""
server: {{max_request_rows: {MAX_ROWS}}}
models:
  - class: models.DoubleModel
  - class: models:DoubleModelTwo
  - class: models.EchoModel
  - class: models.FussyModel
  - class: explain_models.WeighedModel
  - class: explain_models.TracedModel
  - class: models.RaisingModel
  - class: models.WrongOutputModel
  - class: models.UnloadableModel
  - class: missing_package.Model
  - class: hostile_models.HostileModel
  - class: hostile_models.HostileFailingModel
  - class: form_models.NestedObjectsModel
  - class: form_models.ArraysModel
  - class: form_models.AlternativesModel
  - class: form_models.TuplesModel
  - class: form_models.ScalarsModel
  - class: form_models.ReferencesModel
  - class: form_models.AnchorsModel
  - class: form_models.AnythingModel
"""
_PATIENCE_MS = 10_000
#: Writes what the policy forbade to the console, where the faults are gathered.
_REPORT_POLICY = """
document.addEventListener("securitypolicyviolation", (event) => console.error(
  `content security policy: ${event.effectiveDirective} forbids ${event.blockedURI} in ${event.sourceFile ?? ""}`));
"""


@pytest.fixture(scope="session")
def site(shipped: Server) -> str:
    """Return the address of the models that ship, of which none is loading any more."""
    return wait_until_loaded(shipped.url)


@pytest.fixture(scope="session")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of toy models: sound, broken, hostile, and one for each construct of a form."""
    server = Server(TOYS, tmp_path_factory.mktemp("toys")).wait_until_ready()
    yield wait_until_loaded(server.url)
    assert server.stop() == 0


# Not of the whole session: while Playwright runs, asyncio calls the thread's loop running, and a test
# elsewhere that starts a loop would fail.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return a Chromium with an empty profile."""
    path = find_browser()
    if path is None and os.environ.get("CI"):
        pytest.fail(MISSING)
    if path is None:
        pytest.skip(MISSING)
    with sync_playwright() as playwright:
        browser = start_browser(playwright, path)
        yield browser
        browser.close()


@pytest.fixture
def faults() -> Iterator[list[str]]:
    """Return what the browser complained of in this test; the test fails unless it is empty in the end.

    A test that provokes a fault asserts it and clears the list.
    """
    found: list[str] = []
    yield found
    assert found == []


@pytest.fixture
def open_page(browser: Browser, faults: list[str]) -> Iterator[Callable[..., Page]]:
    """Return a function that opens an empty page in a profile of its own.

    Its arguments are `Browser.new_context`'s, and two more: ``dark`` for the colours of the system, ``width``
    for the pixels across.
    """
    contexts: list[BrowserContext] = []

    def open_page(*, dark: bool = False, width: int = 1280, **options: object) -> Page:
        context = browser.new_context(
            color_scheme="dark" if dark else "light",
            viewport={"width": width, "height": 800},
            locale="en-US",
            timezone_id="UTC",
            reduced_motion="reduce",  # what fades would be judged half-way
            **options,
        )
        contexts.append(context)
        context.set_default_timeout(_PATIENCE_MS)
        context.add_init_script(_REPORT_POLICY)
        _gather_faults(context, faults)
        return context.new_page()

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture
def page(open_page: Callable[..., Page]) -> Page:
    """Return an empty page, light and 1280 pixels wide."""
    return open_page()


def _gather_faults(context: BrowserContext, faults: list[str]) -> None:
    """Note every script error, every forbidden thing, every missing file and every request to another host."""

    def on_console(message: ConsoleMessage) -> None:
        # A failed answer is often the point of a test; files that a page needs are judged below.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            faults.append(f"console: {message.text}")

    def on_request(request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "blob") and parts.hostname != "127.0.0.1":
            faults.append(f"a request to another host: {request.url}")

    def on_response(response: Response) -> None:
        if response.status >= 400 and response.request.resource_type in ("script", "stylesheet", "image", "font"):
            faults.append(f"{response.status}: {response.url}")

    context.on("console", on_console)
    context.on("weberror", lambda error: faults.append(f"uncaught: {error.error}"))
    context.on("request", on_request)
    context.on("response", on_response)
