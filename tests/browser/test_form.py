"""The form of every construct: filled by examples and by hand, sent, and echoed unchanged."""

import json

import form_models
import pytest
from playwright.sync_api import Locator, Page, expect

MODELS = [
    form_models.NestedObjectsModel,
    form_models.ArraysModel,
    form_models.AlternativesModel,
    form_models.TuplesModel,
    form_models.ScalarsModel,
    form_models.ReferencesModel,
]
EXAMPLES = [(model, i) for model in MODELS for i in range(len(model.input_schema["examples"]))]


def read_answer(page: Page) -> object:
    """Return the output that the page shows as JSON."""
    expect(page.locator("#answer .result")).to_be_visible()
    return json.loads(page.locator("#answer .raw-json pre").text_content() or "")


def open_form(page: Page, toys: str, model: type) -> Locator:
    page.goto(f"{toys}/models/{model.qualified_name}/predict")
    return page.locator("#form")


def open_json(page: Page) -> Locator:
    """Return the box that shows the input as JSON, opened."""
    page.locator("#as-json summary").click()
    expect(page.locator("#json-text")).not_to_have_value("")
    return page.locator("#json-text")


@pytest.mark.parametrize(("model", "i"), EXAMPLES, ids=[f"{model.__name__}-{i}" for model, i in EXAMPLES])
def test_an_example_is_filled_in_sent_and_echoed_unchanged(page: Page, toys: str, model: type, i: int):
    open_form(page, toys, model)
    page.get_by_role("button", name=f"Example {i + 1}", exact=True).click()
    page.get_by_role("button", name="Predict", exact=True).click()
    assert read_answer(page) == model.input_schema["examples"][i]


@pytest.mark.parametrize("model", MODELS)
def test_one_example_after_another_leaves_nothing_behind(page: Page, toys: str, model: type):
    open_form(page, toys, model)
    for i in (0, 1, 2, 0):
        page.get_by_role("button", name=f"Example {i + 1}", exact=True).click()
    page.get_by_role("button", name="Predict", exact=True).click()
    assert read_answer(page) == model.input_schema["examples"][0]


def test_nested_objects_are_filled_by_hand(page: Page, toys: str):
    form = open_form(page, toys, form_models.NestedObjectsModel)
    form.get_by_label("Name", exact=True).fill("Ada")
    form.get_by_label("Street").fill("Main Street 1")
    form.get_by_label("Delivery: given or not").select_option("Given")
    form.get_by_role("radiogroup", name="Express").get_by_label("Yes").check()
    form.get_by_label("Note").fill("Knock.")
    page.get_by_role("button", name="Predict", exact=True).click()
    assert read_answer(page) == {
        "kind": "order",
        "customer": {"name": "Ada", "address": {"street": "Main Street 1"}},
        "delivery": {"express": True, "weight": 1.5, "note": "Knock."},
    }


def test_arrays_are_filled_moved_and_shortened_by_hand(page: Page, toys: str):
    form = open_form(page, toys, form_models.ArraysModel)
    ingredients = form.get_by_role("group", name="Ingredients")
    add = ingredients.get_by_role("button", name="Add an entry to Ingredients")
    add.click()
    add.click()
    for i, (name, amount) in enumerate((("flour", "500"), ("salt", "5"), ("egg", "60"))):
        ingredients.get_by_label("Name").nth(i).fill(name)
        ingredients.get_by_label("Amount").nth(i).fill(amount)
    ingredients.get_by_role("group", name="Entry 3").get_by_label("Move up").click()
    ingredients.get_by_role("group", name="Entry 1", exact=True).get_by_label("Remove").click()
    form.get_by_label("Tags: given or not").select_option("Given")
    form.get_by_role("button", name="Add an entry to Tags").click()
    form.get_by_role("group", name="Tags").get_by_role("textbox").fill("quick")
    form.get_by_label("Allergens: given or not").select_option("Given")
    form.get_by_label("soy").check()
    form.get_by_label("milk").check()
    page.get_by_role("button", name="Predict", exact=True).click()
    assert read_answer(page) == {
        "ingredients": [{"name": "egg", "amount": 60}, {"name": "salt", "amount": 5}],
        "tags": ["quick"],
        "allergens": ["soy", "milk"],
    }


def test_entries_are_moved_by_the_keyboard_and_keep_the_focus(page: Page, toys: str):
    form = open_form(page, toys, form_models.ArraysModel)
    page.get_by_role("button", name="Example 1", exact=True).click()
    name = form.get_by_role("group", name="Ingredients").get_by_label("Name").nth(2)
    name.focus()
    page.keyboard.press("Alt+ArrowUp")
    page.keyboard.press("Alt+ArrowUp")
    expect(form.get_by_role("group", name="Ingredients").get_by_label("Name").first).to_be_focused()
    page.keyboard.press("Control+Enter")
    answer = read_answer(page)
    assert [entry["name"] for entry in answer["ingredients"]] == ["salt", "flour", "crème fraîche"]


def test_an_array_takes_no_more_entries_than_its_schema(page: Page, toys: str):
    form = open_form(page, toys, form_models.ArraysModel)
    add = form.get_by_role("button", name="Add an entry to Ingredients")
    for _ in range(3):
        add.click()
    expect(add).to_be_disabled()


def test_an_alternative_is_chosen_and_filled_by_hand(page: Page, toys: str):
    form = open_form(page, toys, form_models.AlternativesModel)
    form.get_by_label("Method: which form").select_option("Transfer")
    form.get_by_label("IBAN").fill("DE02120300000000202051")
    form.get_by_label("Usual").check()
    form.get_by_label("unknown Discount").check()
    form.get_by_label("Reference: which form").select_option("Number")
    form.get_by_role("group", name="Reference").get_by_role("textbox").fill("7")
    page.get_by_role("button", name="Predict", exact=True).click()
    assert read_answer(page) == {
        "method": {"kind": "transfer", "iban": "DE02120300000000202051"},
        "priority": 2,
        "currency": "EUR",
        "discount": None,
        "reference": 7,
    }


def test_tuples_are_filled_by_hand(page: Page, toys: str):
    form = open_form(page, toys, form_models.TuplesModel)
    form.get_by_label("Latitude").fill("47.5")
    form.get_by_label("Longitude").fill("-8")
    form.get_by_label("Reading: given or not").select_option("Given")
    form.get_by_label("Sensor").fill("roof")
    form.get_by_label("doubtful").check()
    form.get_by_role("button", name="Add an entry to Reading").click()
    form.get_by_label("Value").fill("1e-3")
    page.get_by_role("button", name="Predict", exact=True).click()
    assert read_answer(page) == {"position": [47.5, -8], "reading": ["roof", "doubtful", 0.001]}


def test_single_values_of_every_kind_are_filled_by_hand(page: Page, toys: str):
    form = open_form(page, toys, form_models.ScalarsModel)
    form.get_by_label("Name", exact=False).first.fill("Zoë")
    form.get_by_role("radiogroup", name="Size").get_by_label("Unknown").check()
    form.get_by_label("Height", exact=True).fill("1.75")
    form.get_by_role("radiogroup", name="Active").get_by_label("No", exact=True).check()
    form.get_by_role("radiogroup", name="Member").get_by_label("Unknown").check()
    form.get_by_label("Born", exact=False).first.fill("1992-02-29")
    form.get_by_label("Last seen", exact=False).first.fill("2024-12-31T23:59:59")
    form.get_by_label("Last seen: offset from UTC").fill("+02:00")
    form.get_by_label("E-mail").fill("zoe@example.com")
    form.get_by_label("Letter").fill("Ten letters\nand a second line")
    page.get_by_role("button", name="Predict", exact=True).click()
    assert read_answer(page) == {
        "name": "Zoë",
        "size": None,
        "height": 1.75,
        "member": None,
        "active": False,
        "born": "1992-02-29",
        "seen": "2024-12-31T23:59:59+02:00",
        "email": "zoe@example.com",
        "letter": "Ten letters\nand a second line",
    }


def test_references_are_drawn_and_a_recursion_is_json(page: Page, toys: str):
    form = open_form(page, toys, form_models.ReferencesModel)
    form.get_by_label("Name", exact=True).first.fill("Ada")
    form.get_by_label("Born").fill("1815-12-10")
    form.get_by_label("Children: given or not").select_option("Given")
    form.get_by_role("button", name="Add an entry to Children").click()
    form.get_by_role("group", name="Children").get_by_role("textbox").fill('{"name": "Byron"}')
    page.get_by_role("button", name="Predict", exact=True).click()
    assert read_answer(page) == {"root": {"name": "Ada", "born": "1815-12-10", "children": [{"name": "Byron"}]}}


def test_no_required_value_is_given_for_the_person(page: Page, toys: str):
    for model in MODELS:
        open_form(page, toys, model)
        payload = json.loads(open_json(page).input_value())
        defaults = {"AlternativesModel": {"currency": "EUR"}, "NestedObjectsModel": {"kind": "order"}}
        scalars = {key: value for key, value in payload.items() if not isinstance(value, dict | list)}
        assert scalars == defaults.get(model.__name__, {})


def test_a_reset_brings_back_the_empty_form(page: Page, toys: str):
    for model in MODELS:
        open_form(page, toys, model)
        shown = open_json(page)
        empty = shown.input_value()
        page.get_by_role("button", name="Example 1", exact=True).click()
        expect(shown).not_to_have_value(empty)
        page.get_by_role("button", name="Clear", exact=True).click()
        expect(shown).to_have_value(empty)


def test_fields_that_the_form_does_not_know_are_kept(page: Page, toys: str):
    form = open_form(page, toys, form_models.ReferencesModel)
    shown = open_json(page)
    payload = {"root": {"name": "Ada"}, "town": {"name": "Bath", "country": "UK", "__proto__": 1}}
    shown.fill(json.dumps(payload))
    expect(form.get_by_label("Other fields").nth(1)).to_be_visible()
    page.get_by_role("button", name="Predict", exact=True).click()
    assert read_answer(page) == payload


def test_a_value_that_no_widget_shows_is_json(page: Page, toys: str):
    form = open_form(page, toys, form_models.ScalarsModel)
    open_json(page).fill('{"name": 7, "size": "huge", "height": "tall", "active": "yes", "born": 3}')
    for label, text in (("Name", "7"), ("Size", '"huge"'), ("Height", '"tall"'), ("Active", '"yes"'), ("Born", "3")):
        expect(form.get_by_label(f"{label} as JSON")).to_have_value(text)
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(page.locator("#faults")).to_contain_text("Fix 5 fields")


def test_broken_json_is_told_and_nothing_is_lost(page: Page, toys: str):
    open_form(page, toys, form_models.ScalarsModel)
    open_json(page).fill("{'name': 1}")
    page.keyboard.press("Tab")
    expect(page.locator("#json-error")).to_contain_text("This is not JSON.")
    expect(page.locator("#json-text")).to_have_value("{'name': 1}")
