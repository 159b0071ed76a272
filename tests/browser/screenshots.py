"""Takes the pictures of the README with the models that ship: `make images`. Not a test.

The input is fixed, so that a picture changes only when a page does, but for the milliseconds that it shows.
"""

import sys
import tempfile
from pathlib import Path

from browsing import MISSING, find_browser, start_browser, wait_until_loaded
from playwright.sync_api import Browser, Page, expect, sync_playwright
from serving import TESTS, Server

SIZE = {"width": 1280, "height": 800}
#: Four measurements of each of a few flowers; every row of the file is one of them, slightly larger than the last.
FLOWERS = ((5.1, 3.5, 1.4, 0.2), (6.3, 3.3, 6.0, 2.5), (5.9, 2.8, 4.3, 1.3), (4.7, 3.2, 1.3, 0.2), (6.5, 2.8, 4.6, 1.5))
ROWS = 60


def show_predict(page: Page, url: str) -> None:
    """Show the form of the loan model beside its answer to its first example."""
    page.goto(f"{url}/models/loan_model/predict")
    page.get_by_role("button", name="Example 1", exact=True).click()
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(page.locator("#answer .result")).to_be_visible()
    page.evaluate("scrollTo(0, 0)")


def show_batch(page: Page, url: str) -> None:
    """Show what became of a file of flowers."""
    lines = ["sepal_length,sepal_width,petal_length,petal_width"]
    for row in range(ROWS):
        lines.append(",".join(f"{value + row // len(FLOWERS) / 100:.2f}" for value in FLOWERS[row % len(FLOWERS)]))
    page.goto(f"{url}/models/iris_model/batch")
    file = {"name": "flowers.csv", "mimeType": "text/csv", "buffer": "\n".join(lines).encode()}
    page.locator("#file").set_input_files(file)
    page.locator("#send").click()
    expect(page.locator("#results")).to_be_visible()
    page.locator("#file-heading").evaluate("heading => scrollTo(0, heading.offsetTop - 24)")


def take_pictures(browser: Browser, url: str, folder: Path) -> None:
    """Write two pages, each light and dark, as PNG files into a folder."""
    for name, show in (("predict", show_predict), ("batch", show_batch)):
        for theme in ("light", "dark"):
            context = browser.new_context(color_scheme=theme, viewport=SIZE, reduced_motion="reduce")
            context.set_extra_http_headers({"x-request-id": "readme"})
            page = context.new_page()
            show(page, url)
            page.mouse.move(0, 0)
            page.screenshot(path=folder / f"{name}-{theme}.png", caret="hide", animations="disabled")
            context.close()


def main(folder: Path) -> None:
    """Start the server and the browser, and take the pictures."""
    path = find_browser()
    if path is None:
        sys.exit(MISSING)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        server = Server((TESTS.parent / "config.yaml").read_text(), Path(scratch)).wait_until_ready()
        try:
            with sync_playwright() as playwright:
                browser = start_browser(playwright, path)
                take_pictures(browser, wait_until_loaded(server.url), folder)
                browser.close()
        finally:
            server.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
