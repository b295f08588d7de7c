"""Chromium without a window, for tests and measurements of pages."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--window-size=1400,900",
    # Where a container's shared memory is small, a page that outgrows it would crash.
    "--disable-dev-shm-usage",
)  # fmt: skip


def open_browser(profile: Path) -> Any:
    """Start Chromium with a profile of its own; quit it when done."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options=options, service=Service(str(DRIVER)))


def open_page(browser: Any, address: str) -> Any:
    """Open a report and wait until it is whole."""
    browser.get(address)
    until(lambda: script(browser, "document.documentElement.dataset.ready") == "yes")
    # What was built is drawn in the next frame, and some of what it draws by is made then.
    two_frames(browser)
    return browser


def two_frames(browser: Any) -> None:
    """Wait until what was asked of the page has been drawn."""
    browser.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")


def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait for a condition; fail when it does not come true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the page never got there"
        time.sleep(0.05)


def script(browser: Any, code: str) -> Any:
    """Value of an expression in the page."""
    return browser.execute_script(f"return {code}")


def resize(browser: Any, width: int, height: int = 850) -> None:
    """Lay the page out as on a screen of another size."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
