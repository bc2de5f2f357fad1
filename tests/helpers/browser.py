"""A real headless Chromium for the tests of pages, and what a page did in it.

    def test_a_page(page, seen):
        page.goto(address)
        ...
        assert not seen.errors and seen.hosts() <= {"127.0.0.1"}

`make browser` gets one where there is none; without any, these tests are skipped. Looked for, in this order: the
program that SRLM_CHROMIUM names, those of the system, Playwright's own download. Other browsers than Chromium are left
out. Run as a script, `python tests/helpers/browser.py`, it says by its exit code whether a browser starts here.
"""

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PROGRAMS = ("chromium", "google-chrome", "chromium-browser")
PATIENCE_MS = 20_000
LACKING = "no Chromium starts here: `make browser` gets one, or set SRLM_CHROMIUM to its program"


def program() -> str | None:
    """The Chromium of this machine; None leaves it to Playwright to take its own download."""
    named = os.environ.get("SRLM_CHROMIUM")
    return named or next(filter(None, map(shutil.which, PROGRAMS)), None)


@dataclass
class Seen:
    """What happened in a page: the addresses that it asked for, all that it received, what went wrong."""

    addresses: list[str] = field(default_factory=list)
    received: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def watch(self, page: "Page") -> None:
        """Write down what happens in `page` from now on."""
        page.on("request", lambda request: self.addresses.append(request.url))
        page.on("requestfinished", lambda request: self.received.append(_words(request.response())))
        page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def hosts(self) -> set[str]:
        """Whom the page asked, without what never leaves the browser."""
        parts = map(urlsplit, self.addresses)
        return {part.hostname or "" for part in parts if part.scheme not in ("data", "blob", "about", "file")}


@pytest.fixture(scope="module")  # not longer: while Playwright runs, its thread has an event loop and takes no other
def chromium() -> Iterator["Browser"]:
    """The browser, for a module's tests."""
    api = pytest.importorskip("playwright.sync_api", reason="needs the extra dev: playwright")
    with api.sync_playwright() as playwright:
        try:
            # Playwright starts it with --no-sandbox, which root needs; the pages are ours.
            browser = playwright.chromium.launch(executable_path=program())
        except api.Error:
            pytest.skip(LACKING)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: "Browser") -> Iterator["Page"]:
    """An empty page of a browser without a past."""
    context = chromium.new_context(reduced_motion="reduce")
    context.set_default_timeout(PATIENCE_MS)
    yield context.new_page()
    context.close()


@pytest.fixture
def seen(page: "Page") -> Seen:
    """What happens in `page`."""
    found = Seen()
    found.watch(page)
    return found


def _words(response: object) -> str:
    """Headers and body of an answer; the body of a redirection cannot be had."""
    from playwright.sync_api import Error, Response

    if not isinstance(response, Response):
        return ""
    try:
        body = response.body().decode("utf-8", "replace")
    except Error:
        body = ""
    return f"{response.url}\n{response.all_headers()}\n{body}"


def main() -> int:
    """0 where a browser starts, else 1."""
    from playwright.sync_api import Error, sync_playwright

    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=program())
        except Error:
            return 1
        sys.stdout.write(f"{program() or playwright.chromium.executable_path}: Chromium {browser.version}\n")
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
