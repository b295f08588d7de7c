"""The page in a real browser: a quiet console, slider and bus selection, light, dark and printed."""

from __future__ import annotations

import base64
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from runners.report.command import report_command

selenium = pytest.importorskip("selenium", reason="the browser test needs selenium (dev extra)")
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")

pytestmark = [
    pytest.mark.federation,
    pytest.mark.skipif(
        CHROMIUM is None or DRIVER is None,
        reason="needs Debian's chromium and chromium-driver: apt-get install chromium chromium-driver",
    ),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--window-size=1400,900",
)  # fmt: skip


@pytest.fixture(scope="module")
def page(short_run: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("page") / "report.html"
    result = CliRunner().invoke(report_command, [str(short_run), "-o", str(file)])
    assert result.exit_code == 0, result.output
    return file.as_uri()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(str(DRIVER)))
    yield driver
    driver.quit()


def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait for a condition; fail when it does not come true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the page never got there"
        time.sleep(0.05)


def script(browser: Any, code: str) -> Any:
    return browser.execute_script(f"return {code}")


@pytest.fixture
def opened(browser: Any, page: str) -> Any:
    browser.get(page)
    until(lambda: script(browser, "document.documentElement.dataset.ready") == "yes")
    return browser


MAP = "page.panels.find((p) => p.name === 'map').chart"
PARTS = "page.panels.find((p) => p.name === 'parts').chart"


def colours(browser: Any) -> list[float]:
    found: list[float] = script(browser, f"Array.from({MAP}.data[1].marker.color)")
    return found


def test_it_loads_without_a_word_on_the_console(opened: Any) -> None:
    assert opened.get_log("browser") == []
    assert script(opened, "document.getElementById('notice').hidden")
    assert script(opened, "document.querySelectorAll('.js-plotly-plot').length") == 10
    assert script(opened, "document.querySelectorAll('#verdict .status').length") == 1


def test_nothing_is_asked_from_outside(opened: Any) -> None:
    names = script(opened, "performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert [name for name in names if not name.startswith(("data:", "blob:"))] == []


def test_the_slider_moves_the_map_the_clock_and_the_cursors(opened: Any) -> None:
    before, clock = colours(opened), script(opened, "document.getElementById('clock').textContent")
    opened.execute_script(
        "const s = document.getElementById('time'); s.value = 0; s.dispatchEvent(new Event('input'))"
    )
    assert script(opened, "document.getElementById('clock').textContent") == "2020-08-25 13:00"
    assert clock != "2020-08-25 13:00"
    until(lambda: colours(opened) != before)
    shape = "page.panels.find((p) => p.name === 'schedule').chart.layout.shapes[0].x0"
    until(lambda: script(opened, shape) == "2020-08-25T13:00:00")
    assert "at 13:00" in script(opened, "document.getElementById('details').textContent")


def test_choosing_a_bus_shows_its_details_and_its_price(opened: Any) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.select import Select

    Select(opened.find_element(By.ID, "bus")).select_by_visible_text("48")
    text = script(opened, "document.getElementById('details').textContent")
    assert "bus 48" in text
    assert "dg_48" in text
    until(lambda: "bus 48" in script(opened, f"{PARTS}.layout.yaxis.title.text"))


def test_clicking_a_bus_on_the_map_chooses_it(opened: Any) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.by import By

    k = script(opened, "page.runs[0].buses.findIndex((bus) => bus.name === '76')")
    opened.execute_script("document.querySelector('[data-chart=map]').scrollIntoView({block: 'center'})")
    x, y = script(
        opened,
        f"(() => {{ const c = {MAP}, l = c._fullLayout, b = page.runs[0].buses[{k}];"
        " return [l.xaxis.l2p(b.x) + l.xaxis._offset - c.clientWidth / 2,"
        " l.yaxis.l2p(b.y) + l.yaxis._offset - c.clientHeight / 2]; })()",
    )
    chart = opened.find_element(By.CSS_SELECTOR, "[data-chart=map] .chart")
    ActionChains(opened).move_to_element_with_offset(chart, round(x), round(y)).pause(0.2).click().perform()
    until(lambda: script(opened, "chosen.bus") == "76")
    assert "bus 76" in script(opened, "document.getElementById('details').textContent")


def test_another_quantity_and_phase_recolour_the_map(opened: Any) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.select import Select

    before = colours(opened)
    Select(opened.find_element(By.ID, "quantity")).select_by_visible_text("voltage")
    until(lambda: colours(opened) != before)
    assert all(0.9 < value < 1.1 for value in colours(opened))
    buses = len(colours(opened))
    Select(opened.find_element(By.ID, "phase")).select_by_visible_text("B")
    until(lambda: len(colours(opened)) < buses)


def background(browser: Any) -> str:
    found: str = script(browser, "getComputedStyle(document.body).backgroundColor")
    return found


def test_light_and_dark(opened: Any) -> None:
    from selenium.webdriver.common.by import By

    assert background(opened) == "rgb(255, 255, 255)"
    opened.find_element(By.ID, "theme").click()
    assert background(opened) == "rgb(13, 17, 23)"
    until(lambda: script(opened, f"{PARTS}.layout.paper_bgcolor") == "#0d1117")


def test_it_prints_light_on_several_sheets(opened: Any) -> None:
    opened.execute_script("switchTheme('dark')")
    printed = opened.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})
    document = base64.b64decode(printed["data"])
    assert document.startswith(b"%PDF")
    assert document.count(b"/Type /Page\n") + document.count(b"/Type /Page>") >= 3
    until(lambda: background(opened) == "rgb(13, 17, 23)")
    assert opened.get_log("browser") == []
