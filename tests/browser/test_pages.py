"""What a person does on the pages that all models share: find a model, choose a theme, read an error, call the API."""

import json
import re
import time

import pytest
from playwright.sync_api import Page, expect


def theme(page: Page) -> str:
    return page.evaluate("document.documentElement.dataset.bsTheme")


def background(page: Page) -> str:
    return page.evaluate("getComputedStyle(document.body).backgroundColor")


# --- the browser of these tests ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("setTimeout(() => { throw new Error('planted') })", "uncaught: planted"),
        ("console.error('planted')", "console: planted"),
        ("document.body.insertAdjacentHTML('beforeend', '<b style=\"color: red\">')", "content security policy: style"),
        (
            "document.body.insertAdjacentHTML('beforeend', '<img src=http://localhost/x>')",
            "content security policy: img",
        ),
        ("document.body.insertAdjacentHTML('beforeend', '<img src=/nothing>')", "404: "),
        ("location = 'http://localhost:1/'", "a request to another host: http://localhost:1/"),
    ],
    ids=["exception", "console", "inline style", "foreign image", "missing file", "foreign page"],
)
def test_a_planted_fault_is_noticed(page, site, faults, script, expected):
    page.goto(site)
    page.evaluate(script)
    deadline = time.monotonic() + 10
    while expected not in " ".join(faults) and time.monotonic() < deadline:
        page.wait_for_timeout(20)  # lets the browser's events in
    assert expected in " ".join(faults)
    faults.clear()


# --- the index --------------------------------------------------------------------------------------------------------


def test_the_index_has_a_card_for_each_model_with_its_state_and_its_pages(page, site):
    page.goto(site)
    expect(page.get_by_role("heading", level=1)).to_have_text("Models")
    cards = page.get_by_role("article")
    expect(cards).to_have_count(5)
    iris = cards.filter(has_text="iris_model")
    expect(iris).to_contain_text("ready")
    iris.get_by_role("link", name="Predict").click()
    expect(page).to_have_url(f"{site}/models/iris_model/predict")
    page.go_back()
    iris.get_by_role("link", name="Files").click()
    expect(page).to_have_url(f"{site}/models/iris_model/batch")
    page.go_back()
    iris.get_by_role("link", name="About").click()
    expect(page).to_have_url(f"{site}/models/iris_model")


def test_many_models_are_searched_by_words_of_their_names_and_descriptions(page, toys):
    page.goto(toys)
    search = page.get_by_label("Search")
    search.fill("RECIPE arrays")
    expect(page.get_by_role("article")).to_have_count(1)
    expect(page.get_by_role("article")).to_contain_text("arrays_model")
    expect(page.get_by_text("No model matches.")).to_be_hidden()
    search.fill("arrays nothing-like-it")
    expect(page.get_by_role("article")).to_have_count(0)
    expect(page.get_by_text("No model matches.")).to_be_visible()
    search.fill("")
    expect(page.get_by_role("article")).to_have_count(len(page.request.get(f"{toys}/api/models").json()["models"]))


def test_few_models_need_no_search(page, site):
    page.goto(site)
    expect(page.get_by_label("Search")).to_have_count(0)


def test_the_cards_of_two_versions_lead_to_each_of_them(page, toys):
    page.goto(toys)
    cards = page.get_by_role("article").filter(has_text="double_model")
    addresses = [link.get_attribute("href") for link in cards.get_by_role("link", name="Predict").all()]
    assert addresses == ["/models/double_model/versions/1.0.0/predict", "/models/double_model/predict"]
    for address, version in zip(addresses, ("1.0.0", "1.10.0"), strict=True):
        page.goto(toys + address)
        expect(page.get_by_role("main")).to_contain_text(f"version {version}")
        tabs = page.get_by_role("list", name="Pages of this model").get_by_role("link")
        for name in ("Files", "About", "Predict"):
            tabs.filter(has_text=name).click()
            expect(tabs.filter(has_text=name)).to_have_attribute("aria-current", "page")
            expect(page.get_by_role("main")).to_contain_text(f"version {version}")


# --- light and dark ---------------------------------------------------------------------------------------------------


def test_the_theme_follows_the_system_until_it_is_chosen(page, site):
    page.goto(site)
    assert theme(page) == "light"
    light = background(page)
    page.emulate_media(color_scheme="dark")
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    assert background(page) != light
    page.get_by_role("button", name="Light colours").click()
    assert theme(page) == "light"
    page.emulate_media(color_scheme="light")
    page.emulate_media(color_scheme="dark")
    assert theme(page) == "light"


def test_the_chosen_theme_stays_on_other_pages_and_after_a_reload(page, site):
    page.goto(site)
    page.get_by_role("button", name="Dark colours").click()
    button = page.get_by_role("button", name="Light colours")
    expect(button).to_be_visible()
    for path in ("/models/iris_model/predict", "/docs", "/nothing"):
        page.goto(site + path)
        assert theme(page) == "dark"
        expect(button).to_be_visible()
    page.reload()
    assert theme(page) == "dark"


def test_pages_work_where_the_browser_stores_nothing(page, site):
    page.add_init_script("Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('no') }})")
    page.goto(site)
    page.get_by_role("button", name="Dark colours").click()
    assert theme(page) == "dark"


# --- by keyboard ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/models/iris_model/predict", "/docs", "/nothing"])
def test_the_first_key_leads_past_the_navigation(page, site, path):
    page.goto(site + path)
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("#content")).to_be_focused()
    expect(page.locator("#content").locator("a[href], button, input, select").first).to_be_visible()
    page.keyboard.press("Tab")
    assert page.evaluate("document.getElementById('content').contains(document.activeElement)")


# --- what is not there, and what is broken ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "title", "detail"),
    [
        ("/nothing", "There is nothing at this address.", "Check the address"),
        ("/models/nobody/predict", "There is no such model.", "no model 'nobody'"),
        ("/models/iris_model/versions/9.9/batch", "There is no such model.", "1.0.0"),
    ],
)
def test_what_is_not_there_is_told_in_the_same_look_and_leads_back(page, site, path, title, detail):
    response = page.goto(site + path)
    assert response.status == 404
    expect(page.get_by_role("heading", level=1)).to_have_text(title)
    expect(page.get_by_role("main")).to_contain_text(detail)
    expect(page.get_by_role("main")).to_contain_text(response.headers["x-request-id"])
    expect(page.get_by_role("navigation", name="Main")).to_be_visible()
    page.get_by_role("link", name="All models").click()
    expect(page).to_have_url(f"{site}/")


@pytest.mark.parametrize(
    ("model", "cause"),
    [("unloadable_model", "OSError: the weights are gone"), ("missing_package", "No module named 'missing_package'")],
)
def test_a_failed_model_is_explained_on_each_of_its_pages_and_cannot_be_used(page, toys, model, cause):
    page.goto(toys)
    card = page.get_by_role("article").filter(has_text=model)
    expect(card.get_by_role("link", name=re.compile("^(Predict|Files)"))).to_have_count(0)
    expect(card).to_contain_text(cause)
    for suffix, status in (("", 200), ("/predict", 503), ("/batch", 503)):
        response = page.goto(f"{toys}/models/{model}{suffix}")
        assert response.status == status
        note = page.get_by_role("note")
        for name in ("Problem", "Cause", "Remedy"):
            expect(note.get_by_role("term").filter(has_text=name)).to_be_visible()
        expect(note).to_contain_text(cause)
        expect(page.get_by_role("main").get_by_role("button", name="Predict")).to_have_count(0)
        expect(page.locator("input[type=file]")).to_have_count(0)


# --- Swagger UI -------------------------------------------------------------------------------------------------------


def test_swagger_ui_runs_an_operation_of_a_model_by_clicks(page, site):
    page.goto(f"{site}/docs")
    operation = page.locator("#operations-iris_model-predict_iris_model")
    operation.locator(".opblock-summary-control").click()
    operation.get_by_role("button", name="Try it out").click()
    body = operation.locator("textarea.body-param__text")
    example = json.loads(body.input_value())
    assert "petal_length" in example
    operation.get_by_role("button", name="Execute").click()
    answer = operation.locator(".live-responses-table .response").first
    expect(answer.locator(".response-col_status")).to_contain_text("200")
    expect(answer).to_contain_text("species")


def test_swagger_ui_lists_every_model_with_and_without_its_version(page, site):
    page.goto(f"{site}/docs")
    models = page.request.get(f"{site}/api/models").json()["models"]
    assert len(models) == 5
    for name, version in ((model["qualified_name"], model["version"]) for model in models):
        expect(page.locator(f"#operations-tag-{name}")).to_be_visible()
        for path in (f"/api/models/{name}/predict", f"/api/models/{name}/versions/{version}/predict"):
            expect(page.locator(f'.opblock-summary-path[data-path="{path}"]')).to_be_visible()


def test_swagger_ui_follows_the_theme(page, site):
    page.goto(f"{site}/docs")
    title = page.locator(".swagger-ui .info .title")
    light = title.evaluate("element => getComputedStyle(element).color")
    page.get_by_role("button", name="Dark").click()
    expect(title).not_to_have_css("color", light)
