"""What a person enters is what is predicted: typed JSON, drafts, links, late answers, the keys of a telephone."""

import json
import re
from collections.abc import Callable, Iterator

import form_models
import pytest
from playwright.sync_api import Locator, Page, Route, expect

IRIS = "/models/iris_model/predict"
FLOWER = {"sepal_length": 6.3, "sepal_width": 3.3, "petal_length": 6, "petal_width": 2.5}


def press_predict(page: Page) -> None:
    page.locator("#predict").click()


def read_answer(page: Page) -> object:
    """Return the output that the page shows as JSON."""
    expect(page.locator("#answer .result")).to_be_visible()
    return json.loads(page.locator("#answer .raw-json pre").text_content() or "")


def open_panel(page: Page) -> Locator:
    """Return the box of the input as JSON, opened."""
    page.locator("#as-json summary").click()
    expect(page.locator("#json-text")).not_to_have_value("")
    return page.locator("#json-text")


def choose_example(page: Page, number: int = 1) -> None:
    page.get_by_role("button", name=f"Example {number}", exact=True).click()


# --- typed JSON -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_closed", [True, False], ids=["panel closed", "panel open"])
def test_typed_json_is_in_the_form_and_is_predicted(page: Page, site: str, is_closed: bool):
    page.goto(site + IRIS)
    choose_example(page)
    open_panel(page).fill(json.dumps(FLOWER))
    if is_closed:
        page.locator("#as-json summary").click()
        expect(page.locator("#json-text")).to_be_hidden()
    expect(page.get_by_label("Petal length")).to_have_value("6")
    press_predict(page)
    expect(page.locator(".headline-value")).to_have_text("virginica")


def test_typed_json_counts_although_predict_is_pressed_in_the_moment_the_panel_closes(page: Page, site: str):
    page.goto(site + IRIS)
    choose_example(page)
    open_panel(page).fill(json.dumps(FLOWER))
    page.evaluate("document.getElementById('as-json').open = false; document.getElementById('predict').click()")
    expect(page.locator(".headline-value")).to_have_text("virginica")


@pytest.mark.parametrize(
    ("typed", "told"),
    [("{'name': 1}", "This is not JSON."), ("[1]", "This is no JSON object."), ("{", "This is not JSON.")],
)
def test_a_text_that_is_no_json_object_is_told_at_the_panel_and_nothing_old_is_predicted(
    page: Page, site: str, typed: str, told: str
):
    page.goto(site + IRIS)
    choose_example(page)
    box = open_panel(page)
    box.fill(typed)
    page.locator("#as-json summary").click()
    expect(page.locator("#json-error")).to_contain_text(told)  # the panel does not close over it
    expect(box).to_be_focused()
    press_predict(page)
    expect(box).to_be_focused()
    expect(box).to_have_value(typed)
    expect(box).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#answer .result")).to_have_count(0)
    page.get_by_role("button", name="Go back to the form's values").click()
    expect(page.locator("#json-error")).to_be_hidden()
    assert json.loads(box.input_value())["sepal_length"] == 5.1
    press_predict(page)
    expect(page.locator(".headline-value")).to_have_text("setosa")


def test_a_text_that_is_not_finished_survives_an_edit_of_the_form_and_a_reload(page: Page, site: str):
    page.goto(site + IRIS)
    open_panel(page).fill('{"sepal_length": 5.5,')
    page.get_by_label("Sepal width").fill("3")
    expect(page.locator("#json-text")).to_have_value('{"sepal_length": 5.5,')
    page.reload()
    expect(page.locator("#json-text")).to_have_value('{"sepal_length": 5.5,')
    expect(page.locator("#json-error")).to_be_visible()
    expect(page.get_by_label("Sepal width")).to_have_value("3")


def test_the_text_is_not_rewritten_while_the_person_types(page: Page, site: str):
    page.goto(site + IRIS)
    box = open_panel(page)
    box.press("Control+a")
    box.press_sequentially('{"sepal_length":5, "sepal_width" : 3}')
    expect(box).to_have_value('{"sepal_length":5, "sepal_width" : 3}')
    expect(page.get_by_label("Sepal width")).to_have_value("3")


def test_an_example_takes_the_place_of_a_text_that_is_not_finished(page: Page, site: str):
    page.goto(site + IRIS)
    box = open_panel(page)
    box.fill("{")
    choose_example(page)
    expect(page.locator("#json-error")).to_be_hidden()
    assert json.loads(box.input_value())["sepal_length"] == 5.1
    press_predict(page)
    expect(page.locator(".headline-value")).to_have_text("setosa")


@pytest.mark.parametrize("keys", ["Control+Enter", "Meta+Enter"])
def test_the_keys_that_predict_do_so_in_the_box_of_json(page: Page, site: str, keys: str):
    page.goto(site + IRIS)
    box = open_panel(page)
    box.fill(json.dumps(FLOWER))
    box.press(keys)
    expect(page.locator(".headline-value")).to_have_text("virginica")
    expect(box).to_have_value(json.dumps(FLOWER))


# --- late answers -----------------------------------------------------------------------------------------------------


@pytest.fixture
def held(page: Page) -> Iterator[list[Route]]:
    """Return the predict requests of the page, each held back until it is continued."""
    routes: list[Route] = []
    page.route("**/api/**/predict", lambda route: routes.append(route))
    yield routes
    page.unroute_all(behavior="ignoreErrors")


def wait_for(page: Page, held: list[Route], count: int) -> Route:
    """Return the last of so many requests once it is there."""
    for _ in range(500):
        if len(held) == count:
            return held[-1]
        page.wait_for_timeout(20)  # lets the browser's events in
    raise AssertionError(f"{len(held)} of {count} requests came")


def test_an_answer_that_comes_after_the_input_was_changed_says_so(page: Page, site: str, held: list[Route]):
    page.goto(site + IRIS)
    choose_example(page)
    press_predict(page)
    first = wait_for(page, held, 1)
    expect(page.get_by_role("button", name="Predicting…")).to_be_visible()
    page.get_by_label("Petal length").fill("6")
    expect(page.get_by_role("button", name="Predict", exact=True)).to_be_enabled()
    first.continue_()
    expect(page.locator(".headline-value")).to_have_text("setosa")
    expect(page.locator("#answer")).to_contain_text("This answer belongs to an earlier input.")
    expect(page.get_by_label("Petal length")).to_be_focused()


def test_the_last_request_counts(page: Page, site: str, held: list[Route]):
    page.goto(site + IRIS)
    choose_example(page)
    press_predict(page)
    first = wait_for(page, held, 1)
    choose_example(page, 3)
    press_predict(page)
    wait_for(page, held, 2).continue_()
    expect(page.locator(".headline-value")).to_have_text("virginica")
    first.fulfill(json={"species": "setosa", "probabilities": {}})
    page.wait_for_function("true")
    expect(page.locator(".headline-value")).to_have_text("virginica")
    expect(page.locator("#answer")).not_to_contain_text("earlier input")
    expect(page.locator("#earlier-list button")).to_have_count(1)


def test_the_same_input_is_asked_for_once(page: Page, site: str, held: list[Route]):
    page.goto(site + IRIS)
    choose_example(page)
    page.locator("#predict").dblclick()
    wait_for(page, held, 1).continue_()
    expect(page.locator(".headline-value")).to_have_text("setosa")
    assert len(held) == 1


def test_a_late_refusal_does_not_take_the_person_away_from_what_they_type(page: Page, site: str, held: list[Route]):
    page.goto(site + IRIS)
    choose_example(page)
    page.get_by_label("Sepal length").fill("99")
    press_predict(page)
    first = wait_for(page, held, 1)
    page.get_by_label("Sepal length").fill("5")
    first.continue_()
    expect(page.locator("#answer")).to_contain_text("The input was changed before the answer came.")
    expect(page.locator("#faults")).to_be_hidden()
    expect(page.get_by_label("Sepal length")).to_be_focused()


def test_no_answer_comes_to_a_form_that_was_cleared(page: Page, site: str, held: list[Route]):
    page.goto(site + IRIS)
    choose_example(page)
    press_predict(page)
    wait_for(page, held, 1)
    page.get_by_role("button", name="Clear", exact=True).click()
    expect(page.get_by_role("button", name="Predict", exact=True)).to_have_attribute("aria-disabled", "false")
    expect(page.locator("#answer")).to_have_attribute("aria-busy", "false")
    expect(page.locator("#answer")).to_contain_text("Fill in the form or choose an example")


# --- drafts and links -------------------------------------------------------------------------------------------------


def test_a_number_with_a_comma_survives_a_reload(page: Page, site: str):
    page.goto(site + IRIS)
    page.get_by_label("Sepal length").fill("5,100")
    page.get_by_label("Sepal width").fill("3,5")
    page.reload()
    expect(page.get_by_label("Sepal length")).to_have_value("5,100")
    expect(page.get_by_label("Sepal width")).to_have_value("3.5")


def test_texts_that_are_no_values_survive_a_reload_wherever_they_stand(page: Page, toys: str):
    page.goto(f"{toys}/models/{form_models.ArraysModel.qualified_name}/predict")
    choose_example(page)
    amounts = page.get_by_role("group", name="Ingredients").get_by_label("Amount")
    amounts.nth(1).fill("1,250")
    degrees = page.get_by_role("group", name="Temperatures").get_by_label("Entry", exact=True)
    degrees.last.fill("cold")
    page.reload()
    expect(amounts.nth(1)).to_have_value("1,250")
    expect(amounts.nth(0)).to_have_value("500")
    expect(degrees.last).to_have_value("cold")
    page.goto(f"{toys}/models/{form_models.AlternativesModel.qualified_name}/predict")
    page.get_by_label("Reference: which form").select_option("Number")
    reference = page.get_by_role("group", name="Reference").get_by_role("textbox")
    reference.fill("4,200")
    page.get_by_label("Discount", exact=True).fill("12,500")
    page.reload()
    expect(reference).to_have_value("4,200")
    expect(page.get_by_label("Discount", exact=True)).to_have_value("12,500")


def test_json_that_is_not_finished_survives_a_reload_in_the_fields_that_hold_it(page: Page, toys: str):
    page.goto(f"{toys}/models/{form_models.ScalarsModel.qualified_name}/predict")
    open_panel(page).fill('{"name": 7}')
    page.get_by_label("Name as JSON").fill("[7")
    page.reload()
    expect(page.get_by_label("Name as JSON")).to_have_value("[7")
    page.goto(f"{toys}/models/echo_model/predict")
    open_panel(page).fill('{"a": 1}')
    page.get_by_label("Other fields").fill('{"a": ')
    page.reload()
    expect(page.get_by_label("Other fields")).to_have_value('{"a": ')


@pytest.mark.parametrize(
    "fragment", ["#example=0", "#input=%7B%22sepal_length%22%3A5.1%7D"], ids=["an example", "an input"]
)
def test_an_edit_wins_over_the_link_that_the_page_was_opened_with(page: Page, site: str, fragment: str):
    page.goto(site + IRIS + fragment)
    expect(page.get_by_label("Sepal length")).to_have_value("5.1")
    page.reload()
    expect(page.get_by_label("Sepal length")).to_have_value("5.1")
    page.get_by_label("Sepal length").fill("6.7")
    expect(page).to_have_url(site + IRIS)
    page.reload()
    expect(page.get_by_label("Sepal length")).to_have_value("6.7")


def test_a_link_that_is_opened_later_wins_over_an_edit(page: Page, site: str):
    page.goto(site + IRIS)
    page.get_by_label("Sepal length").fill("6.7")
    page.goto(f"{site}{IRIS}#example=0")
    expect(page.get_by_label("Sepal length")).to_have_value("5.1")


def test_a_link_stays_where_the_browser_stores_nothing(page: Page, site: str):
    page.add_init_script("Object.defineProperty(window, 'sessionStorage', {get() { throw new DOMException('no') }})")
    page.goto(f"{site}{IRIS}#example=0")
    page.get_by_label("Sepal length").fill("6.7")
    press_predict(page)
    expect(page.locator(".headline-value")).to_have_text("setosa")
    expect(page).to_have_url(f"{site}{IRIS}#example=0")


# --- the keys of a telephone ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "label", "keypad"),
    [
        pytest.param(form_models.NestedObjectsModel, "Age", "numeric", id="an integer from 0"),
        pytest.param(form_models.NestedObjectsModel, "Weight", "decimal", id="a number above 0"),
        pytest.param(form_models.ScalarsModel, "Height", "decimal", id="a number from 0, or null"),
        pytest.param(form_models.ScalarsModel, "Count", "text", id="any integer"),
        pytest.param(form_models.TuplesModel, "Latitude", "text", id="a number from -90"),
    ],
)
def test_a_telephone_offers_the_keys_that_a_number_needs(
    open_page: Callable[..., Page], toys: str, model: type, label: str, keypad: str
):
    page = open_page(width=375)
    page.goto(f"{toys}/models/{model.qualified_name}/predict")
    expect(page.get_by_label(re.compile(f"^{label}( optional)?$"))).to_have_attribute("inputmode", keypad)


# --- before the script has started ------------------------------------------------------------------------------------


def test_what_is_pressed_before_the_script_has_started_does_not_leave_the_page(page: Page, site: str):
    held: list[Route] = []
    page.route("**/js/predict.js", lambda route: held.append(route))
    page.goto(site + IRIS, wait_until="commit")
    page.get_by_label("Sepal length").fill("6.3")
    page.get_by_label("Sepal length").press("Enter")
    expect(page.locator("#predict")).to_be_disabled()
    held[0].continue_()
    expect(page.locator("#predict")).to_be_enabled()
    expect(page).to_have_url(site + IRIS)
    expect(page.get_by_label("Sepal length")).to_have_value("6.3")


# --- titles -----------------------------------------------------------------------------------------------------------


def test_a_schema_that_is_reused_by_its_anchor_shows_its_titles(page: Page, toys: str):
    page.goto(f"{toys}/models/anchors_model")
    for what in ("input", "output"):
        expect(page.get_by_role("table", name=f"Fields of the {what}")).to_contain_text("Town of birth")
    page.get_by_role("link", name="Predict").first.click()
    page.get_by_role("group", name="Town of birth").get_by_label("Name of the town").fill("Bath")
    page.get_by_role("radiogroup", name="Season").get_by_label("Spring").check()
    press_predict(page)
    expect(page.locator(".headline")).to_contain_text("Season")
    expect(page.locator(".headline-value")).to_have_text("Spring")
    expect(page.locator("#answer .result")).to_contain_text("Name of the town")
