"""What a person reads on the page about a model, and where it leads."""

import json
import re

import httpx
import pytest
from playwright.sync_api import expect

# --- what is there ----------------------------------------------------------------------------------------------------


def test_a_field_is_told_with_its_rules_its_unit_and_the_meaning_of_its_codes(page, site):
    page.goto(f"{site}/models/loan_model")
    fields = page.get_by_role("table", name="Fields of the input")
    term = fields.get_by_role("row").filter(has_text="Loan_Amount_Term")
    expect(term).to_contain_text("integer or null, months")
    expect(term).to_contain_text("1 to 600")
    expect(term.get_by_role("rowheader")).not_to_contain_text("required")
    expect(fields.get_by_role("rowheader").filter(has_text="ApplicantIncome").first).to_contain_text("required")
    history = fields.get_by_role("row").filter(has_text="Credit_History")
    expect(history.get_by_role("list", name="Choices").get_by_role("listitem")).to_have_text(
        ["1 Debts paid as agreed", "0 Debts not paid as agreed", "null Unknown"]
    )
    expect(page.get_by_role("table", name="Fields of the output")).to_contain_text('"Y" Approved')


def test_the_schema_itself_is_one_click_away(page, site):
    page.goto(f"{site}/models/iris_model")
    schema = httpx.get(f"{site}/api/models/iris_model/metadata").json()["input_schema"]
    text = page.locator("details", has_text="JSON Schema of the input").locator("pre")
    expect(text).to_be_hidden()
    page.get_by_text("JSON Schema of the input").click()
    expect(text).to_be_visible()
    assert json.loads(text.text_content()) == schema


def test_an_example_opens_in_the_form(page, site):
    page.goto(f"{site}/models/loan_model")
    expect(page.get_by_role("heading", name=re.compile(r"^Example \d"))).to_have_count(3)
    page.get_by_role("link", name="Open in the form (example 2)").click()
    expect(page).to_have_url(f"{site}/models/loan_model/predict#example=1")
    expect(page.get_by_role("textbox", name="Loan ID")).to_have_value("no-credit-history")


def test_the_card_is_drawn_below_the_headings_of_the_page(page, site):
    page.goto(f"{site}/models/circrna_model")
    card = page.locator(".model-card")
    expect(card.get_by_role("heading", level=3, name="What the score means")).to_be_visible()
    expect(card.get_by_role("columnheader", name="balanced").first).to_be_visible()


def test_measured_quality_is_a_table_of_numbers(page, site):
    page.goto(f"{site}/models/iris_model")
    quality = page.get_by_role("region", name="Measured quality")
    expect(quality.get_by_role("columnheader", name="accuracy", exact=True)).to_be_visible()
    expect(quality.get_by_role("cell", name="0.972 ± 0.0444", exact=True)).to_be_visible()
    expect(quality).not_to_contain_text("{")
    expect(quality).not_to_contain_text("[object")


def test_artifacts_are_told_with_their_digests(page, site):
    page.goto(f"{site}/models/iris_model")
    artifacts = httpx.get(f"{site}/api/models/iris_model/metadata").json()["artifacts"]
    rows = page.get_by_role("region", name="Artifacts").get_by_role("row")
    expect(rows).to_have_count(1 + len(artifacts))
    for artifact in artifacts:
        row = rows.filter(has_text=artifact["name"])
        expect(row).to_contain_text(artifact["sha256"])
        expect(row).to_contain_text(re.compile(r"\d (Bytes|kB|MB)"))
    digest = rows.last.locator("code").last
    digest.click()
    assert page.evaluate("getSelection().toString()") == artifacts[-1]["sha256"]


@pytest.mark.parametrize("section", ["Input", "Output", "Examples", "Model card", "Measured quality", "Artifacts"])
def test_the_contents_lead_to_each_section(page, site, section):
    page.goto(f"{site}/models/dna_lstm_model")
    page.get_by_role("navigation", name="On this page").get_by_role("link", name=section).click()
    expect(page.get_by_role("heading", level=2, name=section, exact=True)).to_be_in_viewport()


def test_the_page_leads_to_what_programs_read(page, site):
    page.goto(f"{site}/models/iris_model")
    page.get_by_role("link", name="API documentation").click()
    expect(page).to_have_url(f"{site}/docs")
    page.go_back()
    page.get_by_role("link", name="Metadata as JSON").click()
    expect(page).to_have_url(f"{site}/api/models/iris_model/metadata")


def test_the_other_versions_of_a_model_are_linked(page, toys):
    page.goto(f"{toys}/models/double_model")
    page.get_by_role("link", name="1.0.0", exact=True).click()
    expect(page).to_have_url(f"{toys}/models/double_model/versions/1.0.0")
    page.get_by_role("link", name="1.10.0", exact=True).click()
    expect(page).to_have_url(f"{toys}/models/double_model")


def test_a_failed_model_is_described_but_its_examples_do_not_open(page, toys):
    page.goto(f"{toys}/models/unloadable_model")
    expect(page.get_by_role("table", name="Fields of the input")).to_be_visible()
    expect(page.get_by_role("heading", name="Example 1")).to_be_visible()
    expect(page.get_by_role("link", name="Open in the form")).to_have_count(0)
    page.goto(f"{toys}/models/missing_package")
    expect(page.get_by_role("main")).to_contain_text("Nothing more is known")


# --- for everyone -----------------------------------------------------------------------------------------------------


def test_the_table_keeps_its_meaning_on_a_narrow_screen(open_page, site):
    page = open_page(width=375)
    page.goto(f"{site}/models/iris_model")
    fields = page.get_by_role("table", name="Fields of the input")
    expect(fields.get_by_role("columnheader")).to_have_count(3)
    expect(fields.get_by_role("row")).to_have_count(5)
    expect(fields.get_by_role("rowheader").first).to_contain_text("Sepal length")


def test_a_wide_table_scrolls_by_keyboard(open_page, site):
    page = open_page(width=375)
    page.goto(f"{site}/models/circrna_model")
    box = page.get_by_role("group", name="Artifacts")
    assert box.evaluate("box => box.scrollWidth > box.clientWidth")
    box.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("box => box.scrollLeft > 0", arg=box.element_handle())


# --- figures ----------------------------------------------------------------------------------------------------------


def test_figures_are_shown_anew_while_somebody_looks(page, site):
    page.goto(f"{site}/models/bike_model")
    figures = page.locator("#figures")
    before = figures.text_content()
    example = httpx.get(f"{site}/api/models/bike_model/metadata").json()["input_schema"]["examples"][0]
    for _ in range(3):
        assert httpx.post(f"{site}/api/models/bike_model/predict", json=example).status_code == 200
    expect(figures).not_to_have_text(before, timeout=60_000)
    expect(figures).to_contain_text("ms for half of them")
