"""No digit of an integer is lost between a person, the model and a file, and none is hidden."""

import csv
import io
import json
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

#: The first that a number of JavaScript cannot hold, and one that no machine word can.
LONG = [2**53 + 1, -(2**53) - 1, 12345678901234567890123456789]


def press_predict(page: Page) -> None:
    page.get_by_role("button", name="Predict", exact=True).click()


def read_answer(page: Page) -> object:
    """Return the output that the page shows as JSON."""
    expect(page.locator("#answer .result")).to_be_visible()
    return json.loads(page.locator("#answer .raw-json pre").text_content() or "")


@pytest.mark.parametrize("number", LONG)
def test_a_long_integer_is_typed_sent_answered_and_shown_exactly(page: Page, toys: str, number: int):
    page.goto(f"{toys}/models/anything_model/predict")
    page.get_by_label("Count").fill(str(number))
    press_predict(page)
    assert read_answer(page) == {"count": number}
    expect(page.locator(".headline-value")).to_have_text(f"{number:,}")
    page.get_by_text("Earlier in this tab").click()
    expect(page.locator("#earlier-list button")).to_contain_text(f"{number:,}")


@pytest.mark.parametrize("number", LONG)
def test_a_long_integer_stays_exact_in_the_json_the_link_the_draft_and_the_list_of_earlier_ones(
    open_page: Callable[..., Page], toys: str, number: int
):
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    page.goto(f"{toys}/models/anything_model/predict")
    page.locator("#as-json summary").click()
    expect(page.locator("#json-text")).to_have_value("{}")
    page.locator("#json-text").fill(f'{{"count": {number}, "more": [{number}, "{number}", {{"x": {number}}}]}}')
    payload = {"count": number, "more": [number, str(number), {"x": number}]}
    expect(page.get_by_label("Count")).to_have_value(str(number))
    page.get_by_role("button", name="Copy a link to this input").click()
    expect(page.locator("#link-copied")).to_have_text("Copied")
    link = page.evaluate("navigator.clipboard.readText()")
    page.reload()
    press_predict(page)
    assert read_answer(page) == payload
    page.get_by_role("button", name="Clear", exact=True).click()
    page.goto(link)
    press_predict(page)
    assert read_answer(page) == payload
    page.get_by_role("button", name="Clear", exact=True).click()
    page.get_by_text("Earlier in this tab").click()
    page.locator("#earlier-list button").first.click()
    expect(page.get_by_label("Count")).to_have_value(str(number))
    assert read_answer(page) == payload


@pytest.mark.parametrize("language", ["curl", "Python", "Python client", "JavaScript"])
def test_the_copied_call_holds_every_digit(page: Page, toys: str, language: str):
    page.goto(f"{toys}/models/anything_model/predict")
    page.get_by_label("Count").fill(str(LONG[0]))
    page.get_by_text("Copy the call").click()
    page.get_by_role("button", name=language, exact=True).click()
    call = page.locator("#snippet").text_content() or ""
    if language != "JavaScript":
        assert str(LONG[0]) in call
        return
    with page.expect_request("**/api/**/predict") as request:
        page.evaluate(f"(async () => {{ {call} }})()")
    assert json.loads(request.value.post_data or "") == {"count": LONG[0]}


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("1234567", "1,234,567"),
        ("-1234567", "-1,234,567"),
        ("999999999999999", "999,999,999,999,999"),
        ("1234567.25", "1,234,567.3"),
        ("0.123456789", "0.123457"),
        ("1.5e-9", "1.500e-9"),
    ],
)
def test_an_integer_is_shown_in_full_in_the_answer_and_in_the_table_of_a_file(
    page: Page, toys: str, number: str, shown: str
):
    page.goto(f"{toys}/models/anything_model/predict")
    page.get_by_label("Count").fill(number)
    press_predict(page)
    expect(page.locator(".headline-value")).to_have_text(shown)
    page.goto(f"{toys}/models/anything_model/batch")
    predict_file(page, f"count\n{number}\n")
    expect(
        page.get_by_role("table", name="Rows of the file").get_by_role("cell", name=shown, exact=True)
    ).to_be_visible()


def predict_file(page: Page, content: str) -> None:
    file = {"name": "rows.csv", "mimeType": "text/plain", "buffer": content.encode()}
    page.locator("#file").set_input_files(file)
    page.get_by_role("button", name="Predict").click()
    expect(page.locator("#batch")).to_have_attribute("data-state", "done")


def download(page: Page, button: str) -> str:
    with page.expect_download() as started:
        page.get_by_role("button", name=button).click()
    return started.value.path().read_text(encoding="utf-8-sig")


def test_long_integers_are_exact_in_every_file(page: Page, toys: str):
    page.goto(f"{toys}/models/anything_model/batch")
    predict_file(page, "\n".join(f'{{"count": {number}, "more": [{number}]}}' for number in LONG))
    table = page.get_by_role("table", name="Rows of the file")
    expect(table.get_by_role("cell", name=f"{LONG[2]:,}", exact=True)).to_be_visible()
    expect(page.locator("#chart svg")).to_be_visible()
    rows = list(csv.DictReader(io.StringIO(download(page, "Download CSV"), newline="")))
    assert [row["output.count"] for row in rows] == [str(number) for number in LONG]
    assert [json.loads(row["output.more"]) for row in rows] == [[number] for number in LONG]
    documents = [json.loads(line) for line in download(page, "Download JSON lines").splitlines()]
    assert [document["output"] for document in documents] == [{"count": number, "more": [number]} for number in LONG]


def test_a_number_beyond_all_numbers_is_told(page: Page, toys: str):
    page.goto(f"{toys}/models/anything_model/predict")
    page.locator("#as-json summary").click()
    expect(page.locator("#json-text")).to_have_value("{}")
    page.locator("#json-text").fill('{"count": 1e999}')
    press_predict(page)
    expect(page.locator("#json-error")).to_have_text("This number is too large.")
    expect(page.locator("#answer .result")).to_have_count(0)


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 9007199254740993, "9007199254740993": "[9007199254740993, 1]", "b\\"": [1.5, -0, 1e20, null]}',
        " 9007199254740993 ",
        "[9007199254740993,-9007199254740993]",
        "9007199254740991",
        '"9007199254740993"',
        '{"__proto__": 9007199254740993}',
        "0.12345678901234567",
        "[]",
    ],
)
def test_json_is_read_and_written_without_a_change(page: Page, toys: str, text: str):
    page.goto(f"{toys}/models/anything_model/predict")
    written = page.evaluate(
        """async (text) => {
          const address = document.querySelector('script[src$="js/predict.js"]').src.replace(/predict.js$/, "json.js");
          const { readJson, writeJson } = await import(address);
          return writeJson(readJson(text));
        }""",
        text,
    )
    assert json.loads(written) == json.loads(text)


@pytest.mark.parametrize(
    "text", ["{9007199254740993: 1}", "09007199254740993", "9007199254740993x", "[9007199254740993"]
)
def test_what_is_no_json_is_refused_whatever_its_numbers_are(page: Page, toys: str, text: str):
    page.goto(f"{toys}/models/anything_model/predict")
    page.locator("#as-json summary").click()
    page.locator("#json-text").fill(text)
    press_predict(page)
    expect(page.locator("#json-error")).to_contain_text("This is not JSON.")
