"""Every page can be seen, heard and reached: axe-core finds nothing, nothing scrolls sideways, the focus shows."""

from collections.abc import Callable

import form_models
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

IRIS = "/models/iris_model"
SHIPPED = ("iris_model", "loan_model", "bike_model", "dna_lstm_model", "circrna_model")
#: What their pages say of themselves is odd, or there is little to say.
TOYS = (
    *("double_model", "hostile_model", "alternatives_model", "references_model"),
    *("unloadable_model", "missing_package"),
)
#: The markup of Swagger UI is not ours. It has headings out of order, faint colours, and a main landmark in ours.
NOT_OURS = {"exclude": [["#swagger-ui"]]}
BECAUSE_OF_IT = {"rules": {"landmark-no-duplicate-main": {"enabled": False}}}
AXE = Axe()
#: Colours depend on the theme and places on the width: each is judged once, not each with each.
LOOKS = (("light", 1280), ("dark", 375))
#: Tells how the element with the focus, or the label that stands for it, shows that it has it.
FOCUS = """
(() => {
  const shows = (element) => {
    const style = getComputedStyle(element);
    return style.boxShadow !== "none" || (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1);
  };
  const element = document.activeElement;
  const places = [element, ...(element.labels ?? [])];
  return {name: element.outerHTML.slice(0, 120), shows: places.some(shows), isBody: element === document.body};
})()
"""


def fill_in_and_predict(page: Page) -> None:
    page.get_by_role("button", name="Example 1", exact=True).click()
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(page.locator("#answer .result")).to_be_visible()
    open_all_details(page)


def predict_nothing(page: Page) -> None:
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(page.locator("#faults")).to_be_visible()


def type_broken_json(page: Page) -> None:
    page.locator("#as-json summary").click()
    page.locator("#json-text").fill("{")
    page.locator("#json-text").blur()
    expect(page.locator("#json-error")).to_be_visible()


def open_all_details(page: Page) -> None:
    page.evaluate("for (const details of document.querySelectorAll('details')) details.open = true")


def wait_for_swagger_ui(page: Page) -> None:
    expect(page.locator("#operations-tag-iris_model")).to_be_visible()


def stay(page: Page) -> None:
    """Look at the page as it opens."""


def assert_accessible(page: Page, looks: tuple[tuple[str, int], ...] = LOOKS) -> None:
    """Judge a page as it is, in each look."""
    assert page.locator("html").get_attribute("lang") == "en"
    assert page.title().removesuffix(" - model_service").strip() not in ("", "model_service")
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    is_docs = page.locator("#swagger-ui").count() > 0
    for theme, width in looks:
        page.emulate_media(color_scheme=theme)
        page.set_viewport_size({"width": width, "height": 800})
        expect(page.locator("html")).to_have_attribute("data-bs-theme", theme)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, "the page is wider than the window"
        found = AXE.run(page, NOT_OURS, BECAUSE_OF_IT) if is_docs else AXE.run(page)
        assert found.violations_count == 0, f"{theme}: {found.generate_report()}"


@pytest.mark.parametrize(
    ("path", "act"),
    [
        pytest.param("/", stay, id="index"),
        *(pytest.param(f"/models/{name}", stay, id=f"about {name}") for name in SHIPPED),
        pytest.param(f"{IRIS}/predict", stay, id="predict"),
        pytest.param(f"{IRIS}/predict", fill_in_and_predict, id="predict with an answer"),
        pytest.param("/models/loan_model/predict", fill_in_and_predict, id="predict with nullable fields"),
        pytest.param("/models/circrna_model/predict", fill_in_and_predict, id="predict a sequence"),
        pytest.param(f"{IRIS}/predict", predict_nothing, id="predict with errors"),
        pytest.param(f"{IRIS}/predict", type_broken_json, id="predict with broken JSON"),
        pytest.param(f"{IRIS}/batch", stay, id="batch"),
        pytest.param(f"{IRIS}/drift", stay, id="drift without a log"),
        pytest.param("/docs", wait_for_swagger_ui, id="docs"),
        pytest.param("/nothing", stay, id="not found"),
    ],
)
def test_a_page_is_accessible(page, site, path, act):
    page.goto(site + path)
    act(page)
    assert_accessible(page)


@pytest.mark.parametrize("path", ["/", "/models/missing_package/predict", *(f"/models/{name}" for name in TOYS)])
def test_a_page_of_odd_or_failed_models_is_accessible(page, toys, path):
    page.goto(toys + path)
    assert_accessible(page)


@pytest.mark.parametrize(
    ("look", "act"),
    [
        pytest.param(("dark", 375), fill_in_and_predict, id="filled in"),
        pytest.param(("light", 1280), predict_nothing, id="with errors"),
    ],
)
@pytest.mark.parametrize(
    "name",
    [
        model.qualified_name
        for model in (
            form_models.NestedObjectsModel,
            form_models.ArraysModel,
            form_models.AlternativesModel,
            form_models.TuplesModel,
            form_models.ScalarsModel,
            form_models.ReferencesModel,
        )
    ],
)
def test_a_form_of_every_construct_is_accessible(page, toys, name, act, look):
    page.goto(f"{toys}/models/{name}/predict")
    act(page)
    assert_accessible(page, (look,))


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("path", ["/", IRIS, f"{IRIS}/predict", f"{IRIS}/batch", "/nothing"])
def test_the_focus_is_seen_on_every_element_that_takes_it(open_page: Callable[..., Page], site, path, dark):
    page = open_page(dark=dark)
    page.goto(site + path)
    seen = 0
    for _ in range(60):
        page.keyboard.press("Tab")
        focus = page.evaluate(FOCUS)
        if focus["isBody"]:
            break
        assert focus["shows"], f"nothing shows the focus on {focus['name']}"
        seen += 1
    assert seen >= 5


def test_a_planted_fault_of_accessibility_is_found(page, site):
    page.goto(site)
    page.evaluate("document.getElementById('content').append(document.createElement('input'))")
    assert "label" in AXE.run(page).generate_snapshot()
