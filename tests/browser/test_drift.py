"""The page that compares with training, with figures on it: seen in both themes, heard, and as wide as the window."""

import json

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from prediction_logs import wait_for_rows
from serving import Server
from sklearn.datasets import load_iris

NAMES = ("sepal_length", "sepal_width", "petal_length", "petal_width")


@pytest.fixture(scope="module")
def logged(tmp_path_factory):
    """A service whose log holds flowers with longer sepals than those of the training."""
    folder = tmp_path_factory.mktemp("logged")
    config = {
        "models": [{"class": "iris_model.IrisModel", "prediction_log": {"sample": 1.0}}],
        "prediction_log": {"folder": str(folder / "log"), "flush_s": 0.05},
    }
    server = Server(json.dumps(config), folder).wait_until_ready()
    rows = [[row[0] + 2, *row[1:]] for row in load_iris(return_X_y=True)[0].tolist()]
    payloads = [dict(zip(NAMES, row, strict=True)) for row in rows]
    assert httpx.post(f"{server.url}/api/models/iris_model/predict", json=payloads).status_code == 200
    wait_for_rows(folder / "log", len(rows))
    yield server.url
    server.stop()


@pytest.mark.parametrize(("dark", "width"), [(False, 1280), (True, 375)], ids=["light", "dark and narrow"])
def test_what_has_drifted_is_shown_and_can_be_seen_and_heard(open_page, logged, dark, width):
    page = open_page(dark=dark, width=width)
    page.goto(f"{logged}/models/iris_model")
    page.get_by_role("link", name="Compared with training").click()
    field = page.get_by_role("region", name="sepal_length")
    expect(field.get_by_text("drifted", exact=True)).to_be_visible()
    expect(field.get_by_role("img", name="Shares of sepal_length in training and now")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert Axe().run(page).violations_count == 0
    page.get_by_label("Last day").fill("2020-01-31")
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_text("Nothing can be compared: there are no rows")).to_be_visible()
