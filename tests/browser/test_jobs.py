"""A large file, from the page of files through the page of jobs to the download, in a real browser."""

import csv
import io

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

LONG_MS = 60_000


def write_file(rows):
    return ("id,x\n" + "".join(f"{number},{number % 997 if number % 50 else 'x'}\n" for number in range(rows))).encode()


def choose(page, name, content):
    page.locator("#file").set_input_files({"name": name, "mimeType": "text/csv", "buffer": content})


@pytest.fixture
def empty(toys):
    """The address of a service whose jobs have been removed."""
    for _ in range(2):  # cancelled, then removed
        for job in httpx.get(f"{toys}/api/jobs?limit=500").json()["jobs"]:
            httpx.delete(f"{toys}{job['links']['self']}")
    return toys


def test_a_page_without_jobs_says_where_they_come_from(page, empty):
    page.goto(f"{empty}/jobs")
    expect(page.locator("#jobs-empty")).to_be_visible()
    expect(page.locator("#jobs")).to_be_hidden()


def test_a_large_file_goes_as_a_job_and_comes_back(page, empty):
    page.goto(f"{empty}/models/double_model/batch")
    choose(page, "numbers.csv", write_file(3000))
    page.get_by_role("button", name="Send as a job").click()
    page.wait_for_url("**/jobs")
    row = page.locator(".job", has_text="numbers.csv")
    expect(row.locator("[data-state]")).to_have_text("succeeded", timeout=LONG_MS)
    expect(row.locator("[data-rows]")).to_have_text("3,000 of 3,000 rows done, 60 with an error")
    with page.expect_download() as started:
        row.get_by_role("link", name="Download").click()
    assert started.value.suggested_filename == "numbers.predictions.csv"
    rows = list(csv.DictReader(io.StringIO(started.value.path().read_text())))
    assert [int(each["id"]) for each in rows] == list(range(3000))
    assert rows[1]["y"] == "2.5"
    assert rows[0]["error.code"] == "payload_invalid"
    row.get_by_role("button", name="Remove numbers.csv").click()
    expect(page.locator("#jobs-empty")).to_be_visible()


def test_a_job_that_runs_is_cancelled_and_the_page_may_be_closed(page, empty):
    answer = httpx.post(
        f"{empty}/api/models/double_model/jobs?file_name=<b>long.csv",
        content=write_file(300_000),
        headers={"content-type": "text/csv"},
        timeout=30,
    )
    assert answer.status_code == 202
    page.goto(f"{empty}/jobs")
    row = page.locator(".job", has_text="<b>long.csv")
    expect(row.locator("[data-state]")).to_have_text("running", timeout=LONG_MS)
    expect(row.locator("[data-rows]")).to_contain_text("a second")
    page.goto("about:blank")
    page.goto(f"{empty}/jobs")
    row.get_by_role("button", name="Cancel").click()
    expect(row.locator("[data-state]")).to_have_text("cancelled")
    expect(row.get_by_role("link", name="Download what there is")).to_be_visible()


def test_what_is_wrong_with_a_file_is_told_where_it_was_sent(page, empty):
    page.goto(f"{empty}/models/double_model/batch")
    choose(page, "broken.csv.gz", b"no gzip at all")
    page.get_by_role("button", name="Send as a job").click()
    expect(page.locator("#job-offer [data-fault]")).to_contain_text("gzip")
    page.get_by_role("button", name="Send as a job").click()  # and may be sent again
    expect(page.locator("#job-offer [data-fault]")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_of_jobs_is_accessible_in_both_themes(page, empty, scheme):
    for content, name in ((write_file(300), "good.csv"), (write_file(60_000) + b"\xff\xfe\n", "bad.csv")):
        answer = httpx.post(
            f"{empty}/api/models/double_model/jobs?file_name={name}",
            content=content,
            headers={"content-type": "text/csv"},
            timeout=30,
        )
        assert answer.status_code == 202, answer.text
    page.emulate_media(color_scheme=scheme)
    page.goto(f"{empty}/jobs")
    expect(page.locator(".job[data-is=succeeded]")).to_have_count(1, timeout=LONG_MS)
    expect(page.locator(".job[data-is=failed] [data-problem]")).to_be_visible(timeout=LONG_MS)
    assert Axe().run(page).response["violations"] == []
