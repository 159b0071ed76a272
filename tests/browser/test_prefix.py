"""Every page below a path prefix that a reverse proxy tells, in a real browser: no link and no script forgets it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import wait_until_loaded
from playwright.sync_api import Page, expect
from proxies import run_ours
from serving import TESTS, Server

LONG_MS = 60_000


@pytest.fixture(scope="module")
def prefixed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, list[str]]]:
    """The models that ship below a prefix, and what was asked for outside of it."""
    config = (
        (TESTS.parent / "config.yaml").read_text().replace("server:\n", "server:\n  trusted_proxies: [127.0.0.1]\n")
    )
    server = Server(config, Path(tmp_path_factory.mktemp("prefixed"))).wait_until_ready()
    with run_ours(server.port) as (url, strays):
        yield wait_until_loaded(url), strays
    assert server.stop() == 0


def test_a_person_goes_from_page_to_page_below_the_prefix(page: Page, prefixed: tuple[str, list[str]]):
    url, strays = prefixed
    page.goto(f"{url}/")
    page.get_by_role("link", name="Iris").first.click()
    page.wait_for_url(f"{url}/models/iris_model**")
    page.goto(f"{url}/models/iris_model/predict")
    page.get_by_role("button", name="Example 1", exact=True).click()
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(page.locator(".headline-value")).to_have_text("setosa")
    page.get_by_text("Copy the call").click()
    expect(page.locator("#snippet")).to_contain_text(f"{url}/api/models/iris_model/predict")
    page.get_by_role("button", name="Python client", exact=True).click()
    expect(page.locator("#snippet")).to_contain_text(json.dumps(url))
    page.get_by_role("link", name="Files").first.click()
    page.wait_for_url(f"{url}/models/iris_model/batch")
    rows = "sepal_length,sepal_width,petal_length,petal_width\n6.3,3.3,6.0,2.5\n"
    page.locator("#file").set_input_files({"name": "rows.csv", "mimeType": "text/csv", "buffer": rows.encode()})
    page.get_by_role("button", name="Predict").click()
    expect(page.locator("#batch")).to_have_attribute("data-state", "done", timeout=LONG_MS)
    expect(page.locator("#batch")).to_contain_text("virginica")
    page.get_by_role("link", name="About").first.click()
    page.wait_for_url(f"{url}/models/iris_model")
    page.get_by_role("link", name="API").first.click()
    page.wait_for_url(f"{url}/docs")
    operation = page.locator("#operations-iris_model-predict_iris_model")
    operation.locator(".opblock-summary-control").click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()
    expect(operation.locator(".live-responses-table tbody .response-col_status")).to_contain_text("200")
    page.get_by_role("link", name="model_service").first.click()
    page.wait_for_url(f"{url}/")
    assert strays == []


def test_a_file_goes_as_a_job_below_the_prefix(page: Page, prefixed: tuple[str, list[str]]):
    url, strays = prefixed
    page.goto(f"{url}/models/iris_model/batch")
    rows = "sepal_length,sepal_width,petal_length,petal_width\n" + "6.3,3.3,6.0,2.5\n" * 12_000
    page.locator("#file").set_input_files({"name": "many.csv", "mimeType": "text/csv", "buffer": rows.encode()})
    page.get_by_role("button", name="Send as a job").click()
    page.wait_for_url(f"{url}/jobs")
    row = page.locator(".job", has_text="many.csv")
    expect(row.locator("[data-state]")).to_have_text("succeeded", timeout=LONG_MS)
    with page.expect_download() as started:
        row.get_by_role("link", name="Download").click()
    assert started.value.path().read_text().count(",virginica,") == 12_000
    row.get_by_role("button", name="Remove many.csv").click()
    expect(page.locator("#jobs-empty")).to_be_visible()
    assert strays == []
