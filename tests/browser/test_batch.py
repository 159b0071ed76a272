"""The page of files: what a person does with it, in a real browser against real models."""

import csv
import io
import json
import os
import re
import subprocess
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from serving import TESTS, Server

#: What each species is told by, far from the others.
FLOWERS = {"setosa": "5.1,3.5,1.4,0.2", "versicolor": "6.0,2.9,4.5,1.5", "virginica": "6.3,3.3,6.0,2.5"}
HEADER = "sepal_length,sepal_width,petal_length,petal_width"
HOSTILE = '"><img src=x onerror="hacked()"><script>hacked()</script>'
#: Long enough for a slow machine to send a hundred thousand rows.
LONG_MS = 120_000


@pytest.fixture
def visit(page):
    """Return a function that opens the page of files of a model."""

    def visit(base, name):
        page.goto(f"{base}/models/{name}/batch")
        return page

    return visit


def choose(page, content, *, name="rows.csv"):
    content = content if isinstance(content, bytes) else content.encode()
    page.get_by_label("Drop a CSV or JSON lines file here").set_input_files(
        {"name": name, "mimeType": "text/plain", "buffer": content}
    )


def send(page):
    page.get_by_role("button", name="Predict").click()


def expect_state(page, state, *, timeout_ms=20_000):
    expect(page.locator("#batch")).to_have_attribute("data-state", state, timeout=timeout_ms)


def predict(page, content, **more):
    choose(page, content, **more)
    send(page)
    expect_state(page, "done")


def download(page, button):
    with page.expect_download() as started:
        page.get_by_role("button", name=button).click()
    return started.value.suggested_filename, started.value.path().read_bytes()


def download_csv(page):
    _, content = download(page, "Download CSV")
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def test_five_thousand_rows_of_which_three_are_bad(visit, site):
    page = visit(site, "iris_model")
    species = [list(FLOWERS)[i % 3] for i in range(5000)]
    lines = [FLOWERS[name] for name in species]
    bad = {17: "abc,3.5,1.4,0.2", 2500: "5.1,3.5", 4999: "5.1,,1.4,0.2"}
    for row, line in bad.items():
        lines[row] = line
    predict(page, "\n".join([HEADER, *lines]) + "\n", name="flowers.csv")
    expect(page.locator("#progress")).to_contain_text("5,000 of 5,000 rows, 3 with errors")
    name, content = download(page, "Download CSV")
    assert name == "flowers.iris_model.csv"
    assert content.startswith(b"\xef\xbb\xbf")
    assert content.count(b"\r\n") == 5001
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    assert len(rows) == 5000
    assert {i: row["error"] for i, row in enumerate(rows) if row["error"]} == {
        17: "sepal_length: expected a number, got a string",
        2500: "2 cells, but the header has 4",
        4999: "sepal_width: this field is missing",
    }
    assert [row["output.species"] for row in rows] == ["" if i in bad else name for i, name in enumerate(species)]
    inputs = HEADER.split(",")
    assert [",".join(row[name] for name in inputs) for i, row in enumerate(rows) if i not in bad] == [
        line for i, line in enumerate(lines) if i not in bad
    ]
    chart = page.get_by_role("img", name="species of 4,997 rows")
    for name, count in Counter(name for i, name in enumerate(species) if i not in bad).items():
        expect(chart).to_have_accessible_name(re.compile(f"{name}: {count:,} "))


def test_results_are_paged_and_can_be_narrowed_to_errors(visit, site):
    page = visit(site, "iris_model")
    lines = [FLOWERS["setosa"]] * 120
    lines[77] = "-1,3.5,1.4,0.2"
    predict(page, "\n".join([HEADER, *lines]))
    table = page.get_by_role("table", name="Rows of the file")
    rows = table.locator("tbody tr")
    expect(rows).to_have_count(50)
    page.get_by_role("button", name="Next").click()
    page.get_by_role("button", name="Next").click()
    expect(rows).to_have_count(20)
    expect(page.get_by_role("button", name="Next")).to_be_disabled()
    page.get_by_label("Page", exact=True).fill("2")
    page.get_by_label("Page", exact=True).press("Enter")
    expect(rows.first.get_by_role("rowheader")).to_have_text("51")
    for typed, shown in (("99999", "3"), ("-3", "1"), ("", "1")):
        page.get_by_label("Page", exact=True).fill(typed)
        page.get_by_label("Page", exact=True).press("Enter")
        expect(page.get_by_label("Page", exact=True)).to_have_value(shown)
    page.get_by_label("Only rows with errors").check()
    expect(rows).to_have_count(1)
    expect(rows.first).to_contain_text("78")
    expect(rows.first).to_contain_text("sepal_length: expected a number above 0")
    expect(page.get_by_role("navigation", name="Pages of the results")).to_be_hidden()


def test_the_chart_shows_numbers_as_a_histogram_and_as_a_table(visit, site):
    page = visit(site, "iris_model")
    predict(page, "\n".join([HEADER, *FLOWERS.values()]))
    page.get_by_label("Column", exact=True).select_option("probabilities.setosa")
    expect(page.get_by_role("img", name="probabilities.setosa of 3 rows")).to_be_visible()
    page.get_by_text("The numbers as a table").click()
    counts = page.locator("#chart tbody tr td:nth-child(2)").all_inner_texts()
    assert sum(map(int, counts)) == 3
    assert len(counts) <= 20


def test_the_template_is_a_file_that_the_page_takes(visit, site):
    for name in ("iris_model", "loan_model", "bike_model", "dna_lstm_model"):
        page = visit(site, name)
        suggested, content = download(page, "CSV template")
        assert suggested == f"{name}.csv"
        predict(page, content)
        expect(page.locator("#progress [data-text]")).to_have_text(re.compile(r"^(\d+) of \1 rows?$"))
        assert {row["error"] for row in download_csv(page)} == {""}


def test_formulas_are_neutralised_in_the_download(visit, toys):
    page = visit(toys, "echo_model")
    formulas = ['=HYPERLINK("http://example.com","x")', "+1+cmd", "-2+3", "@SUM(A1)", "\t=1", "-5", "+1e3", "a=b"]
    text = io.StringIO()
    csv.writer(text).writerows([["text", "=name"], *([formula, formula] for formula in formulas)])
    predict(page, text.getvalue())
    rows = download_csv(page)
    expected = ["'" + formula for formula in formulas[:5]] + formulas[5:]
    for column in ("text", "'=name", "output.text", "output.=name"):
        assert [row[column] for row in rows] == expected
    assert {row["error"] for row in rows} == {""}


def test_json_lines_are_read_sent_and_given_back(visit, toys):
    page = visit(toys, "echo_model")
    lines = ['{"text": "a", "n": 12345678901234567890}', '{"text": "b', '{"text": 5}', '{"n": {"deep": [1, 2]}}']
    predict(page, "\n".join(lines), name="rows.jsonl")
    rows = download_csv(page)
    assert list(rows[0]) == ["text", "n", "output.text", "output.n", "output.n.deep", "error"]
    assert [row["text"] for row in rows] == ["a", "", "5", ""]
    assert rows[0]["n"] == "12345678901234567890"
    assert rows[3]["n"] == '{"deep": [1, 2]}'
    assert rows[3]["output.n.deep"] == "[1,2]"
    assert [row["error"] for row in rows] == ["", "this is not valid JSON", "text: expected a string, got a number", ""]
    name, content = download(page, "Download JSON lines")
    documents = [json.loads(line) for line in content.splitlines()]
    assert name == "rows.echo_model.jsonl"
    assert documents[0]["input"] == {"text": "a", "n": 12345678901234567890}
    assert documents[1] == {
        "row": 2,
        "input": '{"text": "b',
        "errors": [{"field": "", "message": "this is not valid JSON"}],
    }
    assert documents[2]["errors"] == [{"field": "text", "message": "expected a string, got a number"}]
    assert documents[3] == {"row": 4, "input": {"n": {"deep": [1, 2]}}, "output": {"n": {"deep": [1, 2]}}}


def test_a_json_array_is_accepted_whatever_the_file_is_called(visit, toys):
    page = visit(toys, "echo_model")
    predict(page, '[{"text": "a"},\n {"text": "b"}]', name="rows.csv")
    assert [row["output.text"] for row in download_csv(page)] == ["a", "b"]


def test_a_spreadsheets_semicolons_byte_order_mark_and_crlf_are_read(visit, site):
    page = visit(site, "iris_model")
    lines = [line.replace(",", ";") for line in (HEADER, *FLOWERS.values())]
    choose(page, b"\xef\xbb\xbf" + "\r\n".join([*lines, "", ""]).encode())
    expect(page.locator("#preview")).to_contain_text("CSV with semicolons")
    expect(page.locator("#preview").get_by_role("alert")).to_have_count(0)
    send(page)
    expect_state(page, "done")
    assert [row["output.species"] for row in download_csv(page)] == list(FLOWERS)


def test_line_ends_and_quotes_inside_quotes_reach_the_model(visit, toys):
    page = visit(toys, "echo_model")
    predict(page, 'text\n"one\r\ntwo"\n"say ""hi"", all"\n')
    assert [row["output.text"] for row in download_csv(page)] == ["one\r\ntwo", 'say "hi", all']


def test_ragged_rows_fail_alone_and_keep_their_cells(visit, toys):
    page = visit(toys, "echo_model")
    predict(page, "text,more\na,b\nc\nd,e,f,g\nh,i\n")
    rows = download_csv(page)
    assert [row["error"] for row in rows] == ["", "1 cell, but the header has 2", "4 cells, but the header has 2", ""]
    assert [rows[2][name] for name in ("text", "more", "extra_cells")] == ["d", "e", "f,g"]
    assert [row["output.more"] for row in rows] == ["b", "", "", "i"]


def test_a_file_that_cannot_be_read_says_why_and_another_can_be_chosen(visit, site):
    page = visit(site, "iris_model")
    choose(page, b"\x89PNG\x00", name="flower.png")
    expect(page.get_by_role("alert")).to_have_text(
        "flower.png: The file is binary, not text; choose a CSV or JSON lines file."
    )
    expect(page.locator("#preview")).to_be_hidden()
    predict(page, f"{HEADER}\n{FLOWERS['setosa']}\n")
    expect(page.get_by_role("alert")).to_be_hidden()


def test_a_column_that_the_model_does_not_know_is_no_fault_and_comes_back_in_the_downloads(visit, site):
    page = visit(site, "iris_model")
    choose(page, "id," + HEADER + "\n" + "\n".join(f"7,{line}" for line in FLOWERS.values()))
    note = page.get_by_text("“id” is not an input of the model. It is not sent, but kept in the downloads.")
    expect(note).to_be_visible()
    expect(page.locator("#preview [data-faults]")).to_be_hidden()
    send(page)
    expect_state(page, "done")
    rows = download_csv(page)
    assert [(row["id"], row["output.species"], row["error"]) for row in rows] == [("7", name, "") for name in FLOWERS]
    _, content = download(page, "Download JSON lines")
    first = json.loads(content.splitlines()[0])
    cells = map(float, FLOWERS["setosa"].split(","))
    assert first["input"] == {"id": "7", **dict(zip(HEADER.split(","), cells, strict=True))}


def test_column_names_of_another_spelling_are_read_and_kept_in_the_downloads(visit, site):
    page = visit(site, "iris_model")
    header = "SEPAL_LENGTH,Sepal width,petal length,petal_width"
    choose(page, "\n".join([header, *FLOWERS.values()]))
    expect(page.locator("#preview")).to_contain_text(
        "Read “SEPAL_LENGTH” as sepal_length, “Sepal width” as sepal_width, “petal length” as petal_length."
    )
    send(page)
    expect_state(page, "done")
    rows = download_csv(page)
    assert [row["output.species"] for row in rows] == list(FLOWERS)
    assert list(rows[0])[:4] == header.split(",")
    _, content = download(page, "Download JSON lines")
    assert list(json.loads(content.splitlines()[0])["input"]) == header.split(",")


def test_json_names_of_another_spelling_are_read_and_lines_stay_lines(visit, site):
    page = visit(site, "iris_model")
    flower = dict(zip(HEADER.upper().split(","), [5.1, 3.5, 1.4, 0.2], strict=True))
    predict(page, json.dumps([flower, flower], indent=2), name="rows.json")
    _, content = download(page, "Download JSON lines")
    documents = [json.loads(line) for line in content.splitlines()]
    assert [document["output"]["species"] for document in documents] == ["setosa"] * 2
    assert [document["input"] for document in documents] == [flower] * 2


def test_the_button_tells_how_many_rows_are_sent(visit, site):
    page = visit(site, "iris_model")
    choose(page, "\n".join([HEADER, *FLOWERS.values(), "1,2", "1"]))
    expect(page.get_by_role("button", name="Predict 3 of 5 rows")).to_be_enabled()
    expect(page.locator("#preview")).to_contain_text("2 of 5 rows have more or fewer cells than the header")
    choose(page, f"{HEADER}\n1,2\n")
    expect(page.get_by_role("button", name="Predict 0 of 1 row")).to_be_disabled()


LOAN_HEADER = "Loan_ID,Education,ApplicantIncome,CoapplicantIncome,Property_Area"


def test_outputs_are_shown_with_the_titles_of_their_codes_and_downloaded_as_codes(visit, site):
    page = visit(site, "loan_model")
    predict(page, "\n".join([LOAN_HEADER, *(f"L{i},Graduate,5720,0,Urban" for i in range(3))]))
    [status] = {row["output.Loan_Status"] for row in download_csv(page)}
    title = {"Y": "Approved", "N": "Not approved"}[status]
    expect(page.get_by_role("cell", name=f"{title} ({status})", exact=True)).to_have_count(3)
    expect(page.get_by_label("Column", exact=True)).to_have_value("Loan_Status")
    expect(page.get_by_role("img", name=f"Loan_Status of 3 rows. {title}: 3")).to_be_visible()


def test_an_unreadable_file_leaves_the_results_of_the_one_before(visit, site):
    page = visit(site, "iris_model")
    predict(page, f"{HEADER}\n{FLOWERS['setosa']}\n")
    choose(page, b"\x00", name="picture.png")
    expect(page.get_by_role("alert")).to_contain_text("picture.png: The file is binary")
    expect(page.get_by_role("alert")).to_contain_text("rows.csv is still shown below.")
    assert [row["output.species"] for row in download_csv(page)] == ["setosa"]
    choose(page, f"{HEADER}\n{FLOWERS['virginica']}\n")
    expect_state(page, "preview")
    expect(page.get_by_role("alert")).to_be_hidden()
    expect(page.locator("#results")).to_be_hidden()


def test_a_second_file_takes_the_place_of_results_only_when_the_person_agrees(visit, site):
    page = visit(site, "iris_model")
    predict(page, f"{HEADER}\n{FLOWERS['setosa']}\n", name="first.csv")
    question = page.get_by_role("dialog", name="Replace the results?")
    for leave in (
        lambda: question.get_by_role("button", name="Keep the results").click(),
        lambda: question.press("Escape"),
    ):
        choose(page, f"{HEADER}\n{FLOWERS['virginica']}\n", name="second.csv")
        expect(question).to_contain_text(
            "The rows of first.csv are predicted, but not downloaded yet. second.csv would take their place."
        )
        judge(page)
        leave()
        expect(question).to_be_hidden()
        expect_state(page, "done")
        expect(page.get_by_role("heading", name="first.csv")).to_be_visible()
    assert [row["output.species"] for row in download_csv(page)] == ["setosa"]
    choose(page, f"{HEADER}\n{FLOWERS['virginica']}\n", name="second.csv")  # what is downloaded cannot be lost
    expect_state(page, "preview")
    expect(page.get_by_role("heading", name="second.csv")).to_be_visible()


def test_a_third_file_takes_the_question_over(visit, toys):
    page = visit(toys, "echo_model")
    predict(page, "text\nfirst\n")
    drop(page, "text\nsecond\n")
    question = page.get_by_role("dialog", name="Replace the results?")
    expect(question).to_be_visible()
    drop(page, "text\nthird and longer\n", name="third.csv")
    expect(question).to_contain_text("third.csv would take their place.")
    question.get_by_role("button", name="Replace them").click()
    expect_state(page, "preview")
    expect(page.get_by_role("table", name="All rows")).to_contain_text("third and longer")


def test_a_second_file_does_not_stop_rows_that_are_being_predicted(visit, stalling, hold):
    page = visit(stalling.url, "stalling_model")
    start_until_stalled(page)
    choose(page, "x\n3\n", name="second.csv")
    question = page.get_by_role("dialog", name="Replace the results?")
    expect(question).to_contain_text("The rows of rows.csv are not all predicted yet.")
    question.get_by_role("button", name="Keep the results").click()
    expect_state(page, "running")
    hold.unlink()
    expect_state(page, "done")
    assert [row["output.y"] for row in download_csv(page)] == ["4"] * 199 + ["2"]


@pytest.mark.parametrize(("is_saved", "questions"), [(False, ["beforeunload"]), (True, [])], ids=["lost", "saved"])
def test_a_person_who_leaves_finished_results_is_asked_unless_they_are_downloaded(visit, site, is_saved, questions):
    page = visit(site, "iris_model")
    predict(page, f"{HEADER}\n{FLOWERS['setosa']}\n")
    if is_saved:
        download_csv(page)
    asked = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    page.get_by_role("link", name="Models").first.click()
    page.wait_for_url(f"{site}/")
    assert asked == questions


def test_fasta_goes_as_a_job(visit, site):
    page = visit(site, "dna_lstm_model")
    choose(page, ">a\nACGT\n>b\nACGX\n", name="a.fasta")
    expect(page.get_by_role("alert")).to_contain_text("a.fasta: this page does not show such files.")
    page.get_by_role("button", name="Send as a job").click()
    page.wait_for_url("**/jobs")
    job = page.locator(".job", has_text="a.fasta").first
    expect(job.locator("[data-state]")).to_have_text("succeeded", timeout=LONG_MS)
    expect(job.locator("[data-rows]")).to_contain_text("2 of 2 rows done")


@pytest.mark.parametrize("width", [1280, 375])
def test_a_table_that_goes_on_sideways_says_so(open_page, site, width):
    page = open_page(width=width)
    page.goto(f"{site}/models/loan_model/batch")
    wide = f"{LOAN_HEADER},Gender,Married,Dependents,Self_Employed,LoanAmount,Loan_Amount_Term,Credit_History"
    predict(page, f"{wide}\nL1,Graduate,5720,0,Urban,Male,Yes,0,No,110,360,1\n")
    frame = page.locator("#results [data-scrolls]")
    hint = page.get_by_text("Scroll sideways for the inputs.")
    expect(hint).to_be_visible()
    expect(frame).to_have_class(re.compile("more-after"))
    page.get_by_role("region", name="Rows and their outputs").evaluate("(region) => { region.scrollLeft = 9999; }")
    expect(frame).not_to_have_class(re.compile("more-after"))
    expect(frame).to_have_class(re.compile("more-before"))


def test_a_table_that_fits_has_no_hint(visit, toys):
    page = visit(toys, "double_model")
    predict(page, "x\n1\n")
    expect(page.get_by_role("table", name="Rows of the file")).to_be_visible()
    expect(page.get_by_text("Scroll sideways for the inputs.")).to_be_hidden()


def test_a_misspelt_column_is_recognised(visit, site):
    page = visit(site, "iris_model")
    choose(page, f"{HEADER.replace('petal_width', 'petal_widht')}\n{FLOWERS['setosa']}\n")
    preview = page.locator("#preview")
    expect(preview).to_contain_text("The column “petal_width” (Petal width) is missing")
    expect(preview).to_contain_text("no column “petal_widht”; did you mean “petal_width”?")
    expect(page.get_by_role("button", name="Predict")).to_be_disabled()


def test_a_column_that_may_be_misspelt_is_told_and_the_rows_are_predicted_all_the_same(visit, site):
    page = visit(site, "loan_model")
    choose(page, f"{LOAN_HEADER},Gendr,id\nL1,Graduate,5720,0,Urban,Male,7\n")
    preview = page.locator("#preview")
    expect(preview).to_contain_text("Is each column spelt right?")
    expect(preview).to_contain_text("The model has no column “Gendr”; did you mean “Gender”?")
    expect(preview).to_contain_text("“id” is not an input of the model.")
    send(page)
    expect_state(page, "done")
    [row] = download_csv(page)
    assert (row["Gendr"], row["id"], row["error"]) == ("Male", "7", "")
    assert row["output.Loan_Status"] in ("Y", "N")


def test_the_preview_shows_the_first_ten_rows(visit, site):
    page = visit(site, "iris_model")
    choose(page, "\n".join([HEADER, *[FLOWERS["setosa"]] * 11]))
    expect(page.get_by_role("table", name="The first 10 of 11 rows").locator("tbody tr")).to_have_count(10)


def drop(page, content, name="dropped.csv"):
    page.evaluate(
        """([content, kinds, name]) => {
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(new File([content], name));
          const zone = document.getElementById("drop-zone");
          for (const kind of kinds) {
            zone.dispatchEvent(new DragEvent(kind, { dataTransfer, bubbles: true, cancelable: true }));
          }
        }""",
        [content, ["dragenter", "dragover", "drop"], name],
    )


def test_a_file_can_be_dropped_and_a_second_one_starts_afresh(visit, toys):
    page = visit(toys, "echo_model")
    drop(page, "text\nfirst\n")
    expect(page.get_by_role("heading", name="dropped.csv")).to_be_visible()
    send(page)
    expect_state(page, "done")
    drop(page, "text\nsecond\n")
    page.get_by_role("button", name="Replace them").click()
    expect_state(page, "preview")
    expect(page.locator("#results")).to_be_hidden()
    send(page)
    expect_state(page, "done")
    assert [row["output.text"] for row in download_csv(page)] == ["second"]


def test_hostile_cells_column_names_and_file_names_do_nothing(visit, toys):
    page = visit(toys, "echo_model")
    page.evaluate("void (window.hacked = () => { window.wasHacked = true; })")
    text = io.StringIO()
    names = ["text", HOSTILE, "__proto__", "constructor", "{{ 7 * 7 }}", "javascript:hacked()"]
    csv.writer(text).writerows([names, *([HOSTILE] * len(names) for _ in range(3)), [HOSTILE]])
    predict(page, text.getvalue(), name=f"{HOSTILE.replace('/', '')}.csv")
    page.get_by_label("Column", exact=True).select_option(HOSTILE)
    assert page.evaluate("window.wasHacked") is None
    assert page.locator("#batch img, #batch script").count() == 0
    table = page.get_by_role("table", name="Rows of the file")
    expect(table).to_contain_text(HOSTILE)
    for row in download_csv(page)[:3]:
        assert [row[f"output.{name}"] for name in names] == [HOSTILE] * len(names)


def test_a_hostile_model_is_drawn_as_text(visit, toys):
    page = visit(toys, "hostile_model")
    page.evaluate("void (window.hacked = () => { window.wasHacked = true; })")
    page.get_by_text("The columns of a file").click()
    _, content = download(page, "CSV template")
    choose(page, content)
    expect_state(page, "preview")
    send(page)
    expect_state(page, "done")
    assert page.evaluate("window.wasHacked") is None
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_a_model_that_is_not_ready_shows_its_problem_alone(visit, toys):
    page = visit(toys, "unloadable_model")
    expect(page.get_by_role("note")).to_contain_text("the weights are gone")
    expect(page.locator("#batch")).to_have_count(0)


def test_a_hundred_thousand_rows_are_predicted_with_one_page_in_the_document(visit, site):
    page = visit(site, "iris_model")
    choose(page, "\n".join([HEADER, *[line for line in FLOWERS.values() for _ in range(33_334)][:100_000]]))
    expect_state(page, "preview", timeout_ms=LONG_MS)
    # Counts the turns that the page gets while it works: none would mean that it stood still.
    page.evaluate("window.turns = 0; setInterval(() => { window.turns += 1; }, 10)")
    send(page)
    expect_state(page, "running")
    page.get_by_label("Only rows with errors").check()
    page.get_by_label("Only rows with errors").uncheck()
    expect_state(page, "done", timeout_ms=LONG_MS)
    assert page.evaluate("window.turns") > 10
    assert page.locator("#results table tbody tr").count() <= 50 + 20
    expect(page.locator("[data-pages]")).to_have_text("of 2,000")
    rows = download_csv(page)
    assert len(rows) == 100_000
    assert [rows[i]["output.species"] for i in (0, 50_000, 99_999)] == list(FLOWERS)


STALLING = '''
import time
from pathlib import Path

from models import DoubleModel


class StallingModel(DoubleModel):
    """Answers 1 only when the file `hold` beside it is gone."""

    qualified_name = "stalling_model"
    input_schema = {**DoubleModel.input_schema, "examples": [{"x": 2}]}

    def predict(self, payload):
        while payload["x"] == 1 and Path(__file__).with_name("hold").exists():
            time.sleep(0.02)
        return super().predict(payload)
'''
CONFIG = """
server: {shutdown_timeout_s: 1}
models:
  - class: stalling_package.StallingModel
    execution: dispatched
"""
#: The last of several chunks is the one that stalls.
STALLING_ROWS = "x\n" + "2\n" * 199 + "1\n"


@pytest.fixture
def hold(tmp_path):
    """A file; while it exists, the stalling model does not answer the number 1."""
    path = tmp_path / "hold"
    path.touch()
    return path


@pytest.fixture
def stalling(tmp_path, hold):
    (tmp_path / "stalling_package.py").write_text(STALLING)
    server = Server(CONFIG, tmp_path, environment={"PYTHONPATH": f"{tmp_path}{os.pathsep}{TESTS}"}).wait_until_ready()
    yield server
    hold.unlink(missing_ok=True)
    server.stop()


def start_until_stalled(page):
    choose(page, STALLING_ROWS)
    send(page)
    expect(page.locator("#progress")).to_contain_text(re.compile(r"(3[2-9]|[4-9]\d|1\d\d) of 200 rows"))
    expect_state(page, "running")


def test_what_is_done_stays_after_cancel_and_the_rest_can_be_sent(visit, stalling, hold):
    page = visit(stalling.url, "stalling_model")
    start_until_stalled(page)
    page.get_by_role("button", name="Cancel").click()
    expect_state(page, "cancelled")
    rows = download_csv(page)
    assert len(rows) == 200
    assert Counter((row["output.y"], row["error"]) for row in rows).keys() == {("4", ""), ("", "not sent")}
    assert (rows[0]["output.y"], rows[199]["error"]) == ("4", "not sent")
    hold.unlink()
    page.get_by_role("button", name="Send the rest").click()
    expect_state(page, "done")
    assert [row["output.y"] for row in download_csv(page)] == ["4"] * 199 + ["2"]


def test_no_table_shows_before_a_row_is_done(visit, stalling, hold):
    page = visit(stalling.url, "stalling_model")
    choose(page, "x\n1\n")
    send(page)
    expect_state(page, "running")
    page.get_by_role("button", name="Cancel").click()
    expect_state(page, "cancelled")
    expect(page.locator("#results")).to_be_hidden()
    hold.unlink()
    page.get_by_role("button", name="Send the rest").click()
    expect_state(page, "done")
    expect(page.get_by_role("table", name="Rows of the file").locator("tbody tr")).to_have_count(1)


def test_a_server_that_stops_pauses_the_work_and_it_goes_on_after_the_restart(visit, stalling, hold, tmp_path):
    page = visit(stalling.url, "stalling_model")
    page.clock.set_fixed_time("2026-01-02T10:00:01Z")
    start_until_stalled(page)
    stalling.stop()
    expect_state(page, "paused")
    expect(page.locator("#progress")).to_contain_text("Last try at 10:00:01 AM.")
    page.clock.set_fixed_time("2026-01-02T10:00:09Z")
    expect(page.locator("#progress")).to_contain_text(
        "Paused. The connection to the server failed. What is done is kept"
    )
    page.get_by_role("button", name="Resume").click()
    expect(page.locator("#progress")).to_contain_text("Last try at 10:00:09 AM.")
    expect_state(page, "paused")
    hold.unlink()
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{TESTS}"}
    with (tmp_path / "restarted.log").open("wb") as log:
        stalling.process = subprocess.Popen(stalling.process.args, env=environment, stdout=log, stderr=log)
    stalling.wait_until_ready()
    page.get_by_role("button", name="Resume").click()
    expect_state(page, "done")
    assert [row["output.y"] for row in download_csv(page)] == ["4"] * 199 + ["2"]


def test_a_person_who_leaves_running_work_is_asked(visit, stalling):
    page = visit(stalling.url, "stalling_model")
    start_until_stalled(page)
    asked = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    page.get_by_role("link", name="Models").first.click()
    page.wait_for_url(f"{stalling.url}/")
    assert asked == ["beforeunload"]


class Gateway(BaseHTTPRequestHandler):
    """Stands before a server; is busy for some predictions, and gives up those of slow rows."""

    def do_GET(self):
        self._forward(None)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.server.busy_times > 0:
            self.server.busy_times -= 1
            self._refuse(429)
        elif b"slow" in body or (b"late" in body and not self._is_second_time(body)):
            self._refuse(504)
        else:
            self._forward(body)

    def _is_second_time(self, body):
        self.server.seen.append(body)
        return self.server.seen.count(body) == 2

    def _refuse(self, status):
        self.send_response(status)
        self.send_header("Retry-After", "1")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _forward(self, body):
        headers = {name: self.headers[name] for name in ("Accept", "Content-Type", "Prefer") if name in self.headers}
        with httpx.Client(base_url=self.server.target) as client:
            answer = client.request(self.command, self.path, content=body, headers=headers)
        self.send_response(answer.status_code)
        self.send_header("Content-Type", answer.headers["Content-Type"])
        self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)

    def log_message(self, *args):
        pass


@pytest.fixture
def start_gateway(toys):
    """Return a function that starts a gateway which is busy so many times, and returns its address."""
    servers = []

    def start(*, busy_times=0):
        server = ThreadingHTTPServer(("127.0.0.1", 0), Gateway)
        server.target, server.busy_times, server.seen = toys, busy_times, []
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_busy_server_is_asked_again_after_the_time_it_names(visit, start_gateway):
    page = visit(start_gateway(busy_times=2), "echo_model")
    choose(page, "text\na\nb\n")
    send(page)
    expect(page.locator("#progress")).to_contain_text("The server is busy, trying again in 1 s.")
    expect_state(page, "done")
    assert [row["output.text"] for row in download_csv(page)] == ["a", "b"]


def test_a_server_that_stays_busy_pauses_the_work(visit, start_gateway):
    page = visit(start_gateway(busy_times=6), "echo_model")
    choose(page, "text\na\n")
    send(page)
    expect_state(page, "paused")
    expect(page.locator("#progress")).to_contain_text("The server stayed busy or is not ready.")
    page.get_by_role("button", name="Resume").click()
    expect_state(page, "done")
    assert [row["output.text"] for row in download_csv(page)] == ["a"]


def test_a_row_that_takes_too_long_fails_alone_and_one_that_was_only_late_does_not(visit, start_gateway):
    page = visit(start_gateway(), "echo_model")
    predict(page, "text\na\nslow\nb\nlate\nc\n")
    rows = download_csv(page)
    assert [row["output.text"] for row in rows] == ["a", "", "b", "late", "c"]
    assert [row["error"] for row in rows] == ["", "the server answered 504", "", "", ""]


@pytest.mark.parametrize(("dark", "width"), [(False, 1280), (True, 375)], ids=["light-wide", "dark-narrow"])
def test_every_state_of_the_page_is_accessible_and_fits(open_page, site, dark, width):
    page = open_page(dark=dark, width=width)
    page.goto(f"{site}/models/iris_model/batch")
    page.get_by_text("The columns of a file").click()
    judge(page)
    choose(page, b"\x00")
    expect_state(page, "faults")
    judge(page)
    choose(page, f"id,{HEADER}\n7,abc,3.5,1.4,0.2\n,5,3,1,1\n7\n" + f",{FLOWERS['setosa']}\n" * 60)
    expect_state(page, "preview")
    judge(page)
    send(page)
    expect_state(page, "done")
    page.get_by_text("The numbers as a table").click()
    judge(page)


def judge(page):
    found = Axe().run(page).response["violations"]
    assert [(fault["id"], [node["html"] for node in fault["nodes"]]) for fault in found] == []
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_a_file_is_predicted_by_keyboard_alone(page, visit, site):
    page.on("filechooser", lambda chooser: None)  # from the first on, or the first key may come too early
    visit(site, "iris_model")
    page.get_by_label("Drop a CSV or JSON lines file here").focus()
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files(
        {"name": "a.csv", "mimeType": "text/csv", "buffer": f"{HEADER}\n{FLOWERS['setosa']}".encode()}
    )
    expect_state(page, "preview")
    button = page.get_by_role("button", name="Predict 1 row")
    button.focus()
    page.keyboard.press("Enter")
    expect_state(page, "done")
    expect(page.get_by_role("heading", name="Results")).to_be_focused()
