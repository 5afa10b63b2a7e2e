"""Chromium for a courier's pages: a phone whose memory stays from one opening to the next, and a plain window."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, BrowserContext, Playwright, sync_playwright

FLAGS: Final = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
Phone = Callable[..., AbstractContextManager[BrowserContext]]


def _program() -> str:
    """Chromium's path; without it a skip that says why, in CI a failure."""
    ours = Path(__file__).resolve().parents[2] / ".cache" / "servers" / "bin" / "chromium"
    found = shutil.which("chromium") or (str(ours) if ours.exists() else "")
    if not found:
        message = "no chromium here; run scripts/servers.sh chromium"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return found


@pytest.fixture(scope="module")
def chromium() -> Iterator[Playwright]:
    """Ended with its module: its loop would be in the way of other tests."""
    _program()
    with sync_playwright() as running:
        yield running


@pytest.fixture
def phone(chromium: Playwright, tmp_path: Path) -> Phone:
    """Opens the same small phone again and again."""

    @contextmanager
    def open_phone(**options: Any) -> Iterator[BrowserContext]:
        plain = {"viewport": {"width": 360, "height": 740}, "locale": "zh-CN"}
        context = chromium.chromium.launch_persistent_context(
            str(tmp_path / "phone"), executable_path=_program(), args=list(FLAGS), headless=True, **{**plain, **options}
        )
        try:
            yield context
        finally:
            context.close()

    return open_phone


@pytest.fixture(scope="module")
def window(chromium: Playwright) -> Iterator[Browser]:
    """A browser that keeps nothing."""
    browser = chromium.chromium.launch(executable_path=_program(), args=list(FLAGS), headless=True)
    yield browser
    browser.close()
