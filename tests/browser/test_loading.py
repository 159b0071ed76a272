"""A page that shows a loading model changes in place: nothing that a person does on it is lost."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from serving import START_TIMEOUT_S, TESTS, Server

PACKAGE = '''
import time
from pathlib import Path

from models import DoubleModel


class LateModel(DoubleModel):
    """Loads until the file `hold` beside it is gone, and fails if `broken` is there then."""

    qualified_name = "late_model"
    display_name = "Late"
    description = "Doubles, after a while."
    input_schema = {**DoubleModel.input_schema, "examples": [{"x": 2}]}

    def __init__(self):
        while Path(__file__).with_name("hold").exists():
            time.sleep(0.02)
        if Path(__file__).with_name("broken").exists():
            raise OSError("the weights are gone")
'''
CONFIG = """
server: {shutdown_timeout_s: 1}
models:
  - class: models.DoubleModel
  - class: models:DoubleModelTwo
  - class: models.EchoModel
  - class: models.FussyModel
  - class: models.RaisingModel
  - class: models.WrongOutputModel
  - class: late_package.LateModel
"""
#: Longer than the page waits before it looks again.
PATIENCE_MS = 20_000


@pytest.fixture
def hold(tmp_path: Path) -> Path:
    """Return a file; while it exists, the late model is loading."""
    path = tmp_path / "hold"
    path.touch()
    return path


@pytest.fixture
def late(tmp_path: Path, hold: Path) -> Iterator[str]:
    """Return the address of a service of which one model is loading."""
    (tmp_path / "late_package.py").write_text(PACKAGE)
    server = Server(CONFIG, tmp_path, environment={"PYTHONPATH": f"{tmp_path}{os.pathsep}{TESTS}"})
    deadline = time.monotonic() + START_TIMEOUT_S
    while [state for state in read_states(server.url).values() if state == "loading"] != ["loading"]:
        assert time.monotonic() < deadline, server.log.read_text()
        time.sleep(0.05)
    yield server.url
    hold.unlink(missing_ok=True)
    server.stop()


def read_states(url: str) -> dict[str, str]:
    """Return the state of each model; none while the service starts."""
    try:
        models = httpx.get(f"{url}/api/models").json()["models"]
    except httpx.TransportError:
        return {}
    return {f"{model['qualified_name']} {model['version']}": model["state"] for model in models}


def test_the_index_shows_a_model_that_became_ready_and_keeps_focus_search_and_place(page: Page, late: str, hold: Path):
    page.set_viewport_size({"width": 375, "height": 400})
    page.goto(late)
    page.evaluate("window.isSamePage = true")
    search = page.get_by_label("Search")
    search.fill("double")
    card = page.get_by_role("article").filter(has_text="late_model")
    expect(page.get_by_role("article")).to_have_count(6)
    search.fill("model")
    card.get_by_role("link", name="About").focus()
    place = page.evaluate("scrollY")
    assert place > 0
    hold.unlink()
    expect(card).to_contain_text("ready", timeout=PATIENCE_MS)
    expect(card.get_by_role("link", name="Predict")).to_be_visible()
    expect(card.get_by_role("link", name="About")).to_be_focused()
    expect(search).to_have_value("model")
    expect(page.get_by_role("status").filter(has_text="Late is ready.")).to_have_count(1)
    assert abs(page.evaluate("scrollY") - place) < 100
    assert page.evaluate("window.isSamePage")
    search.fill("doubles while")
    expect(card).to_have_count(1)
    assert Axe().run(page).violations_count == 0


def test_a_card_that_the_search_hides_stays_hidden_when_its_model_becomes_ready(page: Page, late: str, hold: Path):
    page.goto(late)
    page.get_by_label("Search").fill("echo_model")
    hold.unlink()
    expect(page.locator("#news")).to_have_text("Late is ready.", timeout=PATIENCE_MS)
    expect(page.get_by_role("article")).to_have_count(1)
    expect(page.get_by_role("article")).to_contain_text("echo_model")


@pytest.mark.parametrize("suffix", ["/predict", "/batch", ""])
def test_a_page_of_a_model_that_became_ready_works_at_once(page: Page, late: str, hold: Path, suffix: str):
    page.goto(f"{late}/models/late_model{suffix}")
    page.evaluate("window.isSamePage = true")
    expect(page.get_by_text("This model is loading.")).to_be_visible()
    page.get_by_role("button", name="Dark colours").click()
    hold.unlink()
    expect(page.locator("#news")).to_have_text("Late is ready.", timeout=PATIENCE_MS)
    expect(page.get_by_text("This model is loading.")).to_be_hidden()
    expect(page.get_by_role("button", name="Light colours")).to_be_focused()
    if suffix == "/predict":
        page.get_by_label("X", exact=True).fill("4")
        page.get_by_role("button", name="Predict", exact=True).click()
        expect(page.locator(".headline-value")).to_have_text("8")
        expect(page.locator(".headline-value")).not_to_have_css("font-size", "16px")  # its styles are there
    elif suffix == "/batch":
        file = {"name": "rows.csv", "mimeType": "text/plain", "buffer": b"x\n4\n"}
        page.locator("#file").set_input_files(file)
        page.get_by_role("button", name="Predict 1 row").click()
        expect(page.locator("#batch")).to_have_attribute("data-state", "done")
    else:
        expect(page.get_by_role("link", name="Open in the form (example 1)")).to_be_visible()
    assert page.evaluate("window.isSamePage")


def test_a_model_that_cannot_be_started_is_explained_in_place(page: Page, late: str, hold: Path):
    page.goto(f"{late}/models/late_model/predict")
    page.evaluate("window.isSamePage = true")
    hold.with_name("broken").touch()
    hold.unlink()
    expect(page.get_by_role("note")).to_contain_text("the weights are gone", timeout=PATIENCE_MS)
    expect(page.locator("#news")).to_have_text("Late could not be started.")
    assert page.evaluate("window.isSamePage")
    assert Axe().run(page).violations_count == 0


def test_a_server_that_cannot_be_reached_for_a_while_is_asked_again(page: Page, late: str, hold: Path):
    page.goto(late)
    page.context.set_offline(True)
    hold.unlink()
    page.wait_for_timeout(3000)  # it looks, and finds nobody
    page.context.set_offline(False)
    expect(page.locator("#news")).to_have_text("Late is ready.", timeout=PATIENCE_MS)
