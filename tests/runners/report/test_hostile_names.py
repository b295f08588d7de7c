"""Names with HTML in them do nothing in the report: shown as they are, in a real browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import pytest
from click.testing import CliRunner
from toys import ROLES, make_study

from dlmp_cosim.federates.results.layout import create_text
from dlmp_cosim.federates.runtime.direct import run_direct
from dlmp_cosim.federates.study.study import load_study
from dlmp_cosim.runners.report.command import report_command
from tests.runners.report.browser import CHROMIUM, DRIVER, open_browser, open_page

selenium = pytest.importorskip("selenium", reason="the browser test needs selenium (dev extra)")

pytestmark = [
    pytest.mark.federation,
    pytest.mark.skipif(CHROMIUM is None or DRIVER is None, reason="needs Debian's chromium-driver"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

MARKUP = "<img src=x onerror=hacked=1>\"'</script><script>hacked=2</script>&lt;b&gt;"
"""Would set ``hacked`` wherever it is taken for HTML; without a dot, which ends the name of a bus."""


@pytest.fixture
def hostile_run(tmp_path: Path) -> Path:
    """A run of the toy study whose study, bus, load and resource are called by markup."""
    study = load_study(make_study(tmp_path / "study", intervals=3))
    run_direct(study, ROLES)
    with h5py.File(study.results_file, "r+") as file:
        text = file["network"].asstr()[()]
        for name in ("b", "load_a", "dg"):
            text = text.replace(json.dumps(name), json.dumps(name + MARKUP))
        manifest = json.loads(file["manifest"].asstr()[()])
        manifest["scenario"]["study"]["name"] += MARKUP
        for key, value in (("network", text), ("manifest", json.dumps(manifest))):
            del file[key]
            create_text(file, key, value)
    return study.results_file


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Any]:
    driver = open_browser(tmp_path / "profile")
    yield driver
    driver.quit()


TOUCH = """
for (const item of document.querySelectorAll("button, select, input, circle, rect, summary, option, td, li"))
  for (const kind of ["mouseenter", "mouseover", "click", "input", "change"])
    item.dispatchEvent(new MouseEvent(kind, {bubbles: true}));
"""
"""Hover over, click and change whatever can be."""


def test_names_with_markup_do_nothing(hostile_run: Path, tmp_path: Path, browser: Any) -> None:
    page = tmp_path / "report.html"
    result = CliRunner().invoke(report_command, [str(hostile_run), "-o", str(page)])
    assert result.exit_code == 0, result.output
    browser.set_script_timeout(60)
    open_page(browser, page.as_uri())
    browser.execute_script(TOUCH)
    browser.execute_async_script("setTimeout(arguments[0], 1500)")
    browser.execute_script(TOUCH)
    browser.execute_async_script("setTimeout(arguments[0], 500)")
    assert browser.execute_script("return typeof hacked") == "undefined"
    assert browser.execute_script("return document.querySelectorAll('img[src=x]').length") == 0
    assert "<img src=x onerror=hacked=1>" in browser.execute_script("return document.body.innerText")
