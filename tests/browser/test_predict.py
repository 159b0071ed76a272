"""The predict page: answers, faults beside their fields, calls to copy, links, history, comparison, sequences."""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import Locator, Page, Route, expect

SHIPPED = ["iris_model", "loan_model", "bike_model", "dna_lstm_model", "circrna_model"]


def press_predict(page: Page) -> None:
    page.get_by_role("button", name="Predict", exact=True).click()


def read_answer(page: Page) -> object:
    """Return the output that the page shows as JSON."""
    expect(page.locator("#answer .result")).to_be_visible()
    return json.loads(page.locator("#answer .raw-json pre").text_content() or "")


def choose_example(page: Page, number: int = 1) -> None:
    page.get_by_role("button", name=f"Example {number}", exact=True).click()


def field_error(page: Page, label: str) -> Locator:
    """Return the message beside a field."""
    return page.locator(".field", has=page.get_by_label(re.compile(f"^{label}"))).last.locator("> .field-error")


@pytest.mark.parametrize("model", SHIPPED)
def test_each_example_of_a_shipped_model_gets_the_answer_of_the_rest_interface(page: Page, site: str, model: str):
    examples = httpx.get(f"{site}/api/models/{model}/metadata").json()["examples"]
    assert examples
    for i, example in enumerate(examples):
        page.goto(f"{site}/models/{model}/predict")
        choose_example(page, i + 1)
        press_predict(page)
        assert read_answer(page) == httpx.post(f"{site}/api/models/{model}/predict", json=example).json()


def test_iris_is_predicted_by_typing(page: Page, site: str):
    page.goto(f"{site}/models/iris_model/predict")
    for label, value in (
        ("Sepal length", "6.3"),
        ("Sepal width", "3.3"),
        ("Petal length", "6"),
        ("Petal width", "2.5"),
    ):
        page.get_by_label(label).fill(value)
    press_predict(page)
    expect(page.locator(".headline-value")).to_have_text("virginica")
    labels = page.locator(".bar-label").all_text_contents()
    assert labels == ["virginica", "versicolor", "setosa"]
    assert page.locator(".bar-number").first.text_content() == "> 99.9 %"


def test_the_loan_form_is_understood_without_reading(page: Page, site: str):
    page.goto(f"{site}/models/loan_model/predict")
    assert page.locator("#form input:checked").count() == 0
    page.get_by_role("radiogroup", name="Education").get_by_label("Graduate", exact=True).check()
    page.get_by_label("Applicant's income", exact=True).fill("5720")
    page.get_by_label("Co-applicant's income").fill("0")
    page.get_by_role("radiogroup", name="Credit history").get_by_label("Debts paid as agreed").check()
    page.get_by_role("radiogroup", name="Property area").get_by_label("Urban", exact=True).check()
    press_predict(page)
    expect(page.locator(".headline")).to_contain_text("Loan status")
    expect(page.locator(".headline-value")).to_have_text("Approved")
    expect(page.locator("#answer")).to_contain_text("Probability that the loan is approved.")


def test_the_bike_form_takes_natural_units_and_says_what_is_given_twice(page: Page, site: str):
    page.goto(f"{site}/models/bike_model/predict")
    page.get_by_label("Date", exact=True).fill("2012-07-04")
    page.get_by_role("radiogroup", name="Weather").get_by_label("Mist").check()
    for label, value in (("Temperature", "32"), ("Humidity", "57"), ("Wind speed, normalised", "0.15")):
        page.get_by_label(re.compile(f"^{label}(?!,)")).first.fill(value)
    press_predict(page)
    assert read_answer(page)["extrapolated"] is False
    page.get_by_label(re.compile("^Temperature, normalised")).fill("0.5")
    press_predict(page)
    expect(field_error(page, "Temperature(?!,)")).to_contain_text("give either temp_c or temp, not both")


def test_the_keyboard_alone_completes_a_prediction(page: Page, site: str):
    page.goto(f"{site}/models/iris_model/predict")
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.labels?.[0]?.textContent.includes('Sepal length')"):
            break
    for value in ("5.1", "3.5", "1.4", "0.2"):
        page.keyboard.type(value)
        page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Predict", exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".headline-value")).to_have_text("setosa")


def test_ctrl_enter_predicts_from_any_field(page: Page, site: str):
    page.goto(f"{site}/models/dna_lstm_model/predict")
    choose_example(page)
    page.get_by_label("DNA sequence").last.press("Control+Enter")
    expect(page.locator(".headline-value")).to_have_text("Bound")


def test_every_fault_of_the_server_stands_beside_its_field_and_in_a_focused_summary(page: Page, site: str):
    page.goto(f"{site}/models/iris_model/predict")
    page.get_by_label("Sepal length").fill("99")
    page.get_by_label("Sepal width").fill("0")
    page.get_by_label("Petal length").fill("1")
    press_predict(page)
    summary = page.locator("#faults")
    expect(summary).to_be_focused()
    expect(summary).to_contain_text("Fix 3 fields")
    expect(field_error(page, "Sepal length")).to_have_text("expected a number of at most 25")
    expect(field_error(page, "Sepal width")).to_have_text("expected a number above 0")
    expect(field_error(page, "Petal width")).to_have_text("this field is missing")
    expect(field_error(page, "Petal length")).to_be_hidden()
    expect(page.get_by_label("Sepal length")).to_have_attribute("aria-invalid", "true")
    summary.get_by_role("link", name="Petal width").click()
    expect(page.get_by_label("Petal width")).to_be_focused()
    page.get_by_label("Petal width").fill("0.2")
    expect(field_error(page, "Petal width")).to_be_hidden()


def test_a_rule_of_the_model_stands_beside_its_field(page: Page, toys: str):
    page.goto(f"{toys}/models/fussy_model/predict")
    page.get_by_label("X", exact=True).fill("3")
    press_predict(page)
    expect(field_error(page, "X")).to_have_text("expected an even number")


def test_a_fault_deep_inside_stands_beside_its_field(page: Page, toys: str):
    page.goto(f"{toys}/models/arrays_model/predict")
    choose_example(page)
    amounts = page.get_by_role("group", name="Ingredients").get_by_label("Amount")
    amounts.nth(1).fill("-1")
    press_predict(page)
    expect(page.get_by_role("link", name="Ingredients, entry 2, Amount")).to_be_visible()
    expect(amounts.nth(1)).to_have_attribute("aria-invalid", "true")
    page.get_by_role("link", name="Ingredients, entry 2, Amount").click()
    expect(amounts.nth(1)).to_be_focused()


def test_a_fault_of_a_chosen_alternative_stands_beside_its_field(page: Page, toys: str):
    page.goto(f"{toys}/models/alternatives_model/predict")
    choose_example(page)
    page.get_by_label("Card number").fill("12")
    press_predict(page)
    expect(page.locator("#faults")).to_contain_text("Method, Card, Card number")
    expect(page.get_by_label("Card number")).to_have_attribute("aria-invalid", "true")


def test_text_in_a_number_field_is_told_before_anything_is_sent(page: Page, site: str):
    page.goto(f"{site}/models/iris_model/predict")
    page.get_by_label("Sepal length").press_sequentially("1e")
    press_predict(page)
    expect(field_error(page, "Sepal length")).to_have_text("Enter a number, such as 12 or 3.5.")


def test_a_hint_appears_when_a_field_is_left(page: Page, toys: str):
    page.goto(f"{toys}/models/nested_objects_model/predict")
    page.get_by_label("Postcode").fill("12")
    page.keyboard.press("Tab")
    expect(field_error(page, "Postcode")).to_have_text("A postcode has five digits.")


@pytest.mark.parametrize(
    ("status", "headers", "code", "told"),
    [
        (429, {"Retry-After": "7"}, "queue_full", "The service is busy. Try again in 7 s."),
        (503, {"Retry-After": "5"}, "model_not_ready", "The model is not ready. Try again in 5 s."),
        (503, {}, "model_not_ready", "The model is not ready."),
        (504, {}, "prediction_timeout", "The model took too long."),
        (500, {}, "prediction_failed", "The model failed to predict."),
    ],
)
def test_trouble_is_told_with_the_way_out_and_the_input_is_kept(
    page: Page, site: str, status: int, headers: dict[str, str], code: str, told: str
):
    page.goto(f"{site}/models/iris_model/predict")
    choose_example(page)
    problem = {
        "title": "The model failed to predict.",
        "detail": "details",
        "code": code,
        "request_id": "r1",
        "errors": [],
    }

    def answer(route: Route) -> None:
        route.fulfill(status=status, headers={"X-Request-ID": "r1", **headers}, json=problem)

    page.route("**/predict", answer)
    press_predict(page)
    expect(page.locator("#answer")).to_contain_text(told)
    expect(page.locator("#answer")).to_contain_text("r1")
    if not headers:
        expect(page.locator("#answer")).not_to_contain_text("Try again in")
    expect(page.get_by_label("Sepal length")).to_have_value("5.1")
    page.unroute("**/predict")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".headline-value")).to_have_text("setosa")


def test_a_broken_connection_is_told_and_the_input_is_kept(page: Page, site: str):
    page.goto(f"{site}/models/iris_model/predict")
    choose_example(page)
    page.context.set_offline(True)
    press_predict(page)
    expect(page.locator("#answer")).to_contain_text("The server could not be reached.")
    expect(page.locator("#answer")).to_contain_text("What you entered is kept.")
    page.context.set_offline(False)
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".headline-value")).to_have_text("setosa")


def test_a_failing_model_is_told_with_its_request_id(page: Page, toys: str):
    page.goto(f"{toys}/models/raising_model/predict")
    page.get_by_label("X", exact=True).fill("-1")
    press_predict(page)
    expect(page.locator("#answer")).to_contain_text("The model failed to predict.")
    expect(page.locator("#answer")).to_contain_text("Request id")


@pytest.mark.parametrize("language", ["curl", "Python", "Python client", "JavaScript"])
@pytest.mark.parametrize(
    ("server", "model", "number"),
    [("site", "loan_model", 2), ("toys", "scalars_model", 1), ("toys", "nested_objects_model", 1)],
)
def test_the_copied_call_runs_as_pasted(
    open_page: Callable[..., Page],
    request: pytest.FixtureRequest,
    tmp_path,
    language: str,
    server: str,
    model: str,
    number: int,
):
    address = request.getfixturevalue(server)
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    page.goto(f"{address}/models/{model}/predict")
    choose_example(page, number)
    page.get_by_text("Copy the call").click()
    page.get_by_role("button", name=language, exact=True).click()
    page.get_by_role("button", name="Copy", exact=True).click()
    expect(page.locator("#call-copied")).to_have_text("Copied")
    call = page.evaluate("navigator.clipboard.readText()")
    press_predict(page)
    answer = read_answer(page)
    if language == "JavaScript":
        printed: list[str] = []
        page.on("console", lambda message: printed.append(json.dumps(message.args[0].json_value())))
        page.evaluate(f"(async () => {{ {call} }})()")
        page.wait_for_function("true")
        output = printed[0]
    elif language == "curl":
        output = subprocess.run(["bash", "-c", call], capture_output=True, text=True, check=True, timeout=60).stdout
    else:
        (tmp_path / "call.py").write_text(call, encoding="utf-8")
        done = subprocess.run([sys.executable, "call.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        output = json.dumps(eval(done.stdout, {"__builtins__": {}}))
    assert json.loads(output) == answer


def test_a_link_carries_the_input_in_its_fragment(open_page: Callable[..., Page], site: str):
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    page.goto(f"{site}/models/loan_model/predict")
    choose_example(page, 2)
    page.get_by_role("button", name="Copy a link to this input").click()
    expect(page.locator("#link-copied")).to_have_text("Copied")
    link = page.evaluate("navigator.clipboard.readText()")
    assert link.startswith(f"{site}/models/loan_model/predict#input=")
    other = open_page()
    other.goto(link)
    press_predict(other)
    example = httpx.get(f"{site}/api/models/loan_model/metadata").json()["examples"][1]
    assert read_answer(other) == httpx.post(f"{site}/api/models/loan_model/predict", json=example).json()


def test_an_input_that_is_too_long_for_a_link_is_told(page: Page, toys: str):
    page.goto(f"{toys}/models/echo_model/predict")
    page.get_by_label("Text").fill("x" * 9000)
    page.get_by_role("button", name="Copy a link to this input").click()
    expect(page.locator("#link-copied")).to_contain_text("The input is too long for a link")


@pytest.mark.parametrize(("fragment", "told"), [("input=%7B%22sepal", "damaged"), ("example=99", "does not have")])
def test_a_damaged_link_is_told_and_opens_an_empty_form(page: Page, site: str, fragment: str, told: str):
    page.goto(f"{site}/models/iris_model/predict#{fragment}")
    expect(page.locator("#link-fault")).to_contain_text(told)
    expect(page.get_by_label("Sepal length")).to_have_value("")


def test_what_was_typed_survives_a_reload_and_the_way_back(page: Page, site: str):
    page.goto(f"{site}/models/iris_model/predict")
    page.get_by_label("Sepal length").fill("5.5")
    page.reload()
    expect(page.get_by_label("Sepal length")).to_have_value("5.5")
    page.get_by_role("link", name="About").click()
    page.go_back()
    expect(page.get_by_label("Sepal length")).to_have_value("5.5")
    page.get_by_role("button", name="Clear", exact=True).click()
    page.reload()
    expect(page.get_by_label("Sepal length")).to_have_value("")


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("5,000", "Write 5000, or 5,0000 if decimals follow the comma."),
        ("-12,345", "Write -12345, or -12,3450 if decimals follow the comma."),
        ("1,234,567", "Enter a number, such as 12 or 3.5."),
        ("abc", "Enter a number, such as 12 or 3.5."),
        ("0x10", "Enter a number, such as 12 or 3.5."),
        ("1e999", "This number is too large."),
    ],
)
def test_text_that_is_no_number_is_told_beside_its_field(page: Page, site: str, typed: str, told: str):
    page.goto(f"{site}/models/iris_model/predict")
    choose_example(page)
    page.get_by_label("Sepal length").press("Control+a")
    page.get_by_label("Sepal length").press_sequentially(typed)
    page.keyboard.press("Tab")
    expect(field_error(page, "Sepal length")).to_have_text(told)
    press_predict(page)
    expect(page.locator("#faults")).to_contain_text(told)
    expect(page.locator("#answer")).to_contain_text("No answer yet")


@pytest.mark.parametrize(
    ("typed", "read"),
    [("5.", 5), (".5", 0.5), ("+1e0", 1), (" 7 ", 7), ("5,1", 5.1), ("0,500", 0.5), (",5", 0.5), ("5,0000", 5)],
)
def test_a_number_is_read_as_people_write_it(page: Page, site: str, typed: str, read: float):
    page.goto(f"{site}/models/iris_model/predict")
    choose_example(page)
    page.get_by_label("Sepal length").fill(typed)
    page.locator("#as-json summary").click()
    expect(page.locator("#json-text")).to_have_value(re.compile(rf'"sepal_length": {read},'))


def test_the_mouse_wheel_changes_no_number(page: Page, site: str):
    page.goto(f"{site}/models/iris_model/predict")
    choose_example(page)
    page.get_by_label("Sepal length").click()
    page.mouse.wheel(0, 300)
    expect(page.get_by_label("Sepal length")).to_have_value("5.1")


def test_faults_of_the_browser_and_of_the_server_are_told_together(page: Page, site: str):
    page.goto(f"{site}/models/iris_model/predict")
    choose_example(page)
    page.get_by_label("Sepal length").fill("99")
    page.get_by_label("Sepal width").fill("-")
    page.get_by_label("Petal width").fill("")
    press_predict(page)
    expect(page.locator("#faults")).to_contain_text("Fix 3 fields")
    expect(page.locator("#faults a")).to_have_text(["Sepal length", "Sepal width", "Petal width"])
    page.get_by_label("Petal width").fill("0.2")
    expect(page.locator("#faults")).to_contain_text("Fix 2 fields")


def test_an_unknown_field_is_named(page: Page, site: str):
    page.goto(f"{site}/models/iris_model/predict")
    choose_example(page)
    page.locator("#as-json summary").click()
    expect(page.locator("#json-text")).to_have_value(re.compile("5.1"))
    page.locator("#json-text").fill('{"petal_lenght": 1}')
    press_predict(page)  # what was typed as JSON counts, without another button
    expect(page.locator("#faults")).to_contain_text("petal_lenght: unknown field; did you mean 'petal_length'?")


def test_the_focus_stays_on_the_button(page: Page, site: str):
    page.goto(f"{site}/models/iris_model/predict")
    choose_example(page)
    press_predict(page)
    expect(page.locator(".result")).to_be_visible()
    expect(page.get_by_role("button", name="Predict", exact=True)).to_be_focused()


def test_earlier_predictions_of_this_tab_come_back(page: Page, site: str):
    page.goto(f"{site}/models/iris_model/predict")
    for number, species in ((1, "setosa"), (3, "virginica")):
        choose_example(page, number)
        press_predict(page)
        expect(page.locator(".headline-value")).to_have_text(species)
    page.reload()
    page.get_by_text("Earlier in this tab").click()
    entries = page.locator("#earlier-list button")
    expect(entries).to_have_count(2)
    entries.nth(1).click()
    expect(page.get_by_label("Sepal length")).to_have_value("5.1")
    expect(page.locator(".headline-value")).to_have_text("setosa")
    page.get_by_role("button", name="Forget them").click()
    expect(page.locator("#earlier")).to_be_hidden()


def test_an_answer_to_other_values_says_so(page: Page, site: str):
    page.goto(f"{site}/models/iris_model/predict")
    choose_example(page)
    press_predict(page)
    expect(page.locator(".result")).to_be_visible()
    page.get_by_label("Sepal length").fill("6")
    expect(page.locator("#answer")).to_contain_text("This answer belongs to an earlier input.")


def test_two_versions_are_compared_side_by_side(page: Page, toys: str):
    page.goto(f"{toys}/models/double_model/predict")
    page.get_by_label("X", exact=True).fill("4")
    page.get_by_label("Compare with").select_option("Double 1.0.0")
    press_predict(page)
    expect(page.locator("#answer h3")).to_have_text(["Double 1.10.0", "Double 1.0.0"])
    expect(page.locator(".headline-value")).to_have_text(["8.5", "8"])


def test_models_with_other_inputs_are_not_offered_for_comparison(page: Page, site: str):
    page.goto(f"{site}/models/iris_model/predict")
    expect(page.locator("#compare")).to_have_count(0)


def paste(page: Page, text: str) -> None:
    """Paste into the focused element as a person does, with the clipboard and the keys."""
    page.evaluate("text => navigator.clipboard.writeText(text)", text)
    page.keyboard.press("Control+V")


def test_a_pasted_fasta_record_becomes_a_sequence(open_page: Callable[..., Page], site: str):
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    page.goto(f"{site}/models/dna_lstm_model/predict")
    example = httpx.get(f"{site}/api/models/dna_lstm_model/metadata").json()["examples"][0]["dna_sequence"]
    box = page.locator("textarea.sequence")
    box.focus()
    paste(page, f">seq1 a site\r\n{example[:30]}\r\n{example[30:]}\r\n>seq2\nACGT\n")
    expect(box).to_have_value(example)
    expect(page.locator("[data-sequence-faults]")).to_contain_text(
        "2 records were pasted; the first 'seq1 a site' was taken"
    )
    expect(page.locator("[data-counter]")).to_have_text("50 letters")
    press_predict(page)
    expect(page.locator(".headline-value")).to_be_visible()


def test_a_record_that_was_typed_is_read_when_the_field_is_left(page: Page, site: str):
    page.goto(f"{site}/models/dna_lstm_model/predict")
    box = page.locator("textarea.sequence")
    box.fill(">a\nACGT\nAC GT\n")
    page.keyboard.press("Tab")
    expect(box).to_have_value("ACGTACGT")


def test_a_wrapped_sequence_is_pasted_as_one(open_page: Callable[..., Page], site: str):
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    page.goto(f"{site}/models/dna_lstm_model/predict")
    box = page.locator("textarea.sequence")
    box.focus()
    paste(page, "ACGT ACGT\r\nAC\n")
    expect(box).to_have_value("ACGTACGTAC")


def test_letters_that_do_not_belong_are_marked_with_their_position(page: Page, site: str):
    page.goto(f"{site}/models/dna_lstm_model/predict")
    box = page.locator("textarea.sequence")
    box.fill("ACGT acg\nXtN")
    expect(page.locator("[data-sequence-faults]")).to_contain_text("Not one of A C G T: X at 8, N at 10.")
    expect(page.locator("[data-counter]")).to_have_text("10 letters")
    page.get_by_role("button", name="Show the first").click()
    assert box.evaluate("box => box.value.slice(box.selectionStart, box.selectionEnd)") == "X"


def test_outputs_of_every_shape_are_drawn_as_tables_and_words(page: Page, toys: str):
    output = {
        "label": "a",
        "scores": {"low": 0.25, "high": 0.75},
        "ranking": [{"label": "x", "score": 0.1}, {"label": "y", "score": 0.9}],
        "nested": {"inner": {"deep": [1, 2.5, None, True]}, "empty": {}},
        "rows": [{"a": 1, "b": "one"}, {"a": 2, "c": {"d": 3}}],
        "none": [],
        "big": 12345678901,
        "small": 1.5e-9,
    }
    page.goto(f"{toys}/models/echo_model/predict")
    page.locator("#as-json summary").click()
    expect(page.locator("#json-text")).to_have_value("{}")
    page.locator("#json-text").fill(json.dumps(output))
    press_predict(page)
    assert read_answer(page) == output
    shown = page.locator("#answer .result").inner_text()
    assert "[object" not in shown
    assert "undefined" not in shown
    for text in ("12,345,678,901", "1.500e-9", "Yes", "none", "empty", "75.0 %", "90.0 %"):
        assert text in shown
    assert page.locator(".bar-label").all_text_contents() == ["high", "low", "y", "x"]


def test_the_curl_call_survives_quotes(page: Page, toys: str):
    page.goto(f"{toys}/models/echo_model/predict")
    text = """it's "quoted" $HOME `id` \\ and é 🦊"""
    page.get_by_label("Text").fill(text)
    page.get_by_text("Copy the call").click()
    expect(page.locator("#snippet")).to_contain_text("curl")
    call = page.locator("#snippet").text_content() or ""
    assert shlex.split(call.replace("\\\n", ""))[-1] == json.dumps(
        {"text": text}, ensure_ascii=False, separators=(",", ":")
    )
    done = subprocess.run(["bash", "-c", call], capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(done.stdout) == {"text": text}
