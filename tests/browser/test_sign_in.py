"""Signing in with a key, working with it, and what happens when it ends, in a real browser."""

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from serving import Server

from model_service.access.key_file import KeyFile

AXE = Axe()
CONFIG = "access: {keys_file: keys.json}\nmodels: [{class: models.DoubleModel}]\n"


class Site:
    """A service that asks for keys."""

    def __init__(self, folder):
        self.file = KeyFile(folder / "keys.json")
        self.key = self.add("ada")
        self.server = Server(CONFIG, folder).wait_until_ready()
        self.url = self.server.url

    def add(self, name):
        return self.file.add(name, ["predict"], expires=None, by="me")[1]


@pytest.fixture(scope="module")
def locked(tmp_path_factory) -> Iterator[Site]:
    site = Site(tmp_path_factory.mktemp("locked"))
    yield site
    assert site.server.stop() == 0


def sign_in(page: Page, key: str) -> None:
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Sign in", exact=True).click()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_page_is_accessible_empty_and_with_a_wrong_key(open_page, locked, dark):
    page = open_page(dark=dark, width=375 if dark else 1280)
    page.goto(f"{locked.url}/models/double_model/predict")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    expect(page.get_by_label("API key")).to_be_focused()
    assert page.evaluate("document.documentElement.scrollWidth") <= (375 if dark else 1280)
    assert AXE.run(page).violations_count == 0
    sign_in(page, "ms_wrong")
    expect(page.get_by_role("alert")).to_contain_text("form of a key")
    assert AXE.run(page).violations_count == 0


def test_who_signs_in_goes_on_predicts_and_signs_out(page, locked):
    page.goto(f"{locked.url}/models/double_model/predict")
    sign_in(page, locked.key)
    page.wait_for_url("**/models/double_model/predict")
    page.get_by_role("button", name="Example 1", exact=True).click()
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(page.locator("#answer .result")).to_be_visible()
    assert page.evaluate("document.cookie") == ""
    page.locator("#call summary").click()
    for language in ("curl", "Python", "Python client", "JavaScript"):
        page.get_by_role("button", name=language, exact=True).click()
        expect(page.locator("#snippet")).to_contain_text("MODEL_SERVICE_API_KEY")
        assert locked.key not in page.content()
    assert AXE.run(page).violations_count == 0
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in")
    page.goto(f"{locked.url}/models")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")


def test_who_is_signed_in_already_goes_on_from_the_page(page, locked):
    page.goto(locked.url)
    sign_in(page, locked.key)
    page.wait_for_url(f"{locked.url}/")
    page.goto(f"{locked.url}/sign-in?next=/models/double_model")
    page.wait_for_url("**/models/double_model")


def test_a_key_that_is_revoked_is_told_in_the_form_and_on_the_next_page(page, locked):
    key = locked.add("brief")
    locked.server.wait_for_log('"key": "brief"')
    page.goto(f"{locked.url}/models/double_model/predict")
    sign_in(page, key)
    page.wait_for_url("**/predict")
    page.get_by_role("button", name="Example 1", exact=True).click()
    locked.file.revoke("brief", by="me")
    locked.server.wait_for_log("key revoked")
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(page.locator("#answer")).to_contain_text("You are not signed in any more")
    page.goto(f"{locked.url}/")
    expect(page.locator("#ended")).to_contain_text("not valid any more")
    assert AXE.run(page).violations_count == 0
