"""What led to an answer, on the page of a model that says it."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, Route, expect


def predict_example(page: Page, url: str) -> None:
    page.goto(url)
    page.get_by_role("button", name="Example 1", exact=True).click()
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(page.locator("#answer .result")).to_be_visible()


def open_by_keyboard(page: Page) -> None:
    page.locator(".why summary").focus()
    page.keyboard.press("Enter")


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 375)])
def test_why_is_told_by_field_and_by_letter(page: Page, toys: str, theme: str, width: int):
    page.emulate_media(color_scheme=theme)
    page.set_viewport_size({"width": width, "height": 800})
    predict_example(page, f"{toys}/models/weighed_model/predict")
    expect(page.locator(".signed-row")).to_have_count(0)
    open_by_keyboard(page)
    expect(page.locator(".signed-row")).to_have_count(3)
    assert (
        page.locator(".why-content > p")
        .first.text_content()
        .endswith("here it is 34. How much each field adds to the difference:")
    )
    rows = page.locator(".signed-row").all_text_contents()
    assert re.match(r"A 3\+\d", rows[0])
    assert rows[2] == "Idle 50"
    assert Axe().run(page, ".why").response["violations"] == []

    predict_example(page, f"{toys}/models/traced_model/predict")
    open_by_keyboard(page)
    expect(page.locator(".letters")).to_be_visible()
    expect(page.locator(".why-content")).to_contain_text("Most depends on the letters 33 to 41")
    assert "".join(page.locator(".letter-more-4").all_text_contents()) in "CGATTACAC"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert Axe().run(page, ".why").response["violations"] == []


def test_a_model_that_offers_none_is_not_asked(page: Page, toys: str):
    predict_example(page, f"{toys}/models/double_model/predict")
    expect(page.locator(".why")).to_have_count(0)


def test_what_cannot_be_told_now_can_be_asked_again(page: Page, toys: str):
    def cut(route: Route) -> None:
        route.fulfill(status=200, content_type="text/plain", body="no JSON")

    page.route("**/explain", cut)
    predict_example(page, f"{toys}/models/weighed_model/predict")
    open_by_keyboard(page)
    expect(page.locator(".why-content")).to_contain_text("and no document")
    page.unroute("**/explain")
    page.locator(".why").get_by_role("button", name="Try again").click()
    expect(page.locator(".signed-row")).to_have_count(3)
