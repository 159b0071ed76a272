"""A real browser for tests and pictures of the pages: where it is, how it starts, when a server is worth a visit."""

import os
import shutil
import time
from pathlib import Path

import httpx
from playwright.sync_api import Browser, Playwright
from serving import START_TIMEOUT_S

MISSING = "there is no browser: install one (`make browser` or `apt-get install chromium`), or name it in CHROMIUM"
_FLAGS = (
    "--no-sandbox",  # a container has no user namespaces for it; the pages are our own
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_NAMES = ("chromium", "chromium-browser", "google-chrome")


def find_browser() -> str | None:
    """Return the path of the browser that ``CHROMIUM`` names, or of an installed one."""
    named = os.environ.get("CHROMIUM")
    candidates = [named] if named else ["/usr/bin/chromium", *map(shutil.which, _NAMES)]
    return next((path for path in candidates if path and Path(path).is_file()), None)


def start_browser(playwright: Playwright, path: str) -> Browser:
    """Return a running browser with an empty profile."""
    return playwright.chromium.launch(executable_path=path, args=_FLAGS)


def wait_until_loaded(url: str) -> str:
    """Return the address when each model is ready or has failed; a page of a loading one would change under a test."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while any(model["state"] == "loading" for model in httpx.get(f"{url}/api/models").json()["models"]):
        assert time.monotonic() < deadline, "a model is still loading"
        time.sleep(0.05)
    return url
