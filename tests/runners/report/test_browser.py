"""The page in a real browser: a quiet console, choices that reach all parts, hostile names, phones, paper."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlmp_cosim.feeders.network import Network, Terminal
from dlmp_cosim.runners.report.page import build_page
from dlmp_cosim.runners.report.runs import RunView, load_views
from tests.runners.report.browser import (
    CHROMIUM,
    DRIVER,
    open_browser,
    open_page,
    resize,
    script,
    two_frames,
    until,
)
from tests.runners.report.large import without_numbers

selenium = pytest.importorskip("selenium", reason="the browser test needs selenium (dev extra)")

pytestmark = [
    pytest.mark.federation,
    pytest.mark.skipif(
        CHROMIUM is None or DRIVER is None,
        reason="needs Debian's chromium and chromium-driver: apt-get install chromium chromium-driver",
    ),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

WIDTHS = (1440, 1024, 390)


@pytest.fixture(scope="module")
def pages(short_run: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Addresses of pages: of one run, of two that differ, and of one whose names are hostile."""
    folder = tmp_path_factory.mktemp("pages")
    (view,) = load_views([short_run])
    nodal = dict(view.nodal, dlmp_real=view.nodal["dlmp_real"] + 5.0, voltage=view.nodal["voltage"] - 0.01)
    nodal["voltage"][:, view.network.node_index["48.2"]] = 0.94
    other = replace(view, label="other", nodal=nodal)
    texts = {"one": [view], "two": [view, other], "hostile": [hostile(view)]}
    for name, views in texts.items():
        (folder / f"{name}.html").write_text(build_page(views), encoding="utf-8")
    return {name: (folder / f"{name}.html").as_uri() for name in texts}


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    driver = open_browser(tmp_path_factory.mktemp("profile"))
    yield driver
    driver.quit()


@pytest.fixture
def opened(browser: Any, pages: dict[str, str]) -> Any:
    resize(browser, 1440)
    return open_page(browser, pages["one"])


@pytest.fixture
def opened_two(browser: Any, pages: dict[str, str]) -> Any:
    resize(browser, 1440)
    return open_page(browser, pages["two"])


def text_of(browser: Any, selector: str) -> str:
    found: str = script(browser, f"document.querySelector({json.dumps(selector)}).textContent")
    return found


def put(browser: Any, selector: str, value: str) -> None:
    """Give an input or a choice a value, as a reader does."""
    browser.execute_script(
        "const item = document.querySelector(arguments[0]); item.value = arguments[1];"
        "item.dispatchEvent(new Event(item.tagName === 'SELECT' ? 'change' : 'input'));",
        selector,
        value,
    )


def pixels(browser: Any, selector: str) -> str:
    found: str = script(browser, f"document.querySelector('{selector}').toDataURL()")
    return found


def test_it_loads_without_a_word_on_the_console(opened: Any) -> None:
    assert opened.get_log("browser") == []
    assert script(opened, "document.getElementById('notice').hidden")
    assert script(opened, "document.querySelectorAll('.uplot').length") >= 8
    assert script(opened, "document.querySelectorAll('.tiles > div').length") == 5
    assert text_of(opened, ".verdict").startswith(("Feasible: ", "Violated: "))


def test_nothing_is_asked_from_outside(opened: Any) -> None:
    names = script(opened, "performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert [name for name in names if not name.startswith(("data:", "blob:"))] == []


def first_intervals(view: RunView, n: int) -> RunView:
    """A run that was cut short."""
    tables = ("series", "nodal", "branch", "stored", "breaches")
    rows = ("point_voltage", "dispatch", "served", "taps", "capacitors")
    changes: dict[str, Any] = {"times": view.times[:n], "label": f"first {n}"}
    for name in tables:
        changes[name] = {key: values[:n] for key, values in getattr(view, name).items()}
    return replace(view, **changes, **{name: getattr(view, name)[:n] for name in rows})


def without_places(view: RunView) -> RunView:
    """A run on a feeder without coordinates and without regulators."""
    buses = tuple(replace(bus, x=None, y=None) for bus in view.network.buses)
    return replace(
        view, network=replace(view.network, buses=buses, regulators=()), taps=np.zeros((len(view.times), 0))
    )


@pytest.mark.parametrize("kind", ["one interval", "no places", "no numbers", "shorter", "longer"])
def test_unusual_runs_open_and_answer_without_a_word(
    browser: Any, short_run: Path, tmp_path: Path, kind: str
) -> None:
    (view,) = load_views([short_run])
    short = first_intervals(view, 3)
    views = {
        "one interval": [first_intervals(view, 1)],
        "no places": [without_places(view)],
        "no numbers": [without_numbers(view, slice(1, None))],
        "shorter": [view, short],
        "longer": [short, view],
    }[kind]
    (tmp_path / "page.html").write_text(build_page(views), encoding="utf-8")
    resize(browser, 1024)
    open_page(browser, (tmp_path / "page.html").as_uri())
    last = len(max(views, key=lambda one: len(one.times)).times) - 1
    for t in (0, last):
        put(browser, "#time", str(t))
        until(lambda t=t: script(browser, f"report.state.t === {t}"))
    put(browser, "#compare", "difference")
    browser.execute_script("document.querySelector('#buses tbody tr').click()")
    until(lambda: text_of(browser, "#bus-card h3").strip() == "Bus 1")
    assert browser.get_log("browser") == []


NEGATIVE_NOTHING = re.compile(r"(?<![\d.eE-])-0(\.0+)?(?![\d.])")


def test_no_figure_is_a_negative_nothing(opened: Any) -> None:
    opened.execute_script(
        "window.drawn = []; const p = CanvasRenderingContext2D.prototype, real = p.fillText;"
        "p.fillText = function (text, ...rest) {"
        " drawn.push(`${text}`); return real.call(this, text, ...rest); };"
    )
    for quantity in ("congestion", "dlmp_reactive", "loss"):
        put(opened, "#quantity", quantity)
        for t in ("0", "5"):
            put(opened, "#time", t)
            until(lambda t=t: script(opened, f"report.state.t === {t}"))
    until(lambda: script(opened, "drawn.length") > 50)
    assert [text for text in script(opened, "drawn") if NEGATIVE_NOTHING.search(text)] == []
    assert not NEGATIVE_NOTHING.search(text_of(opened, "main"))
    assert script(opened, "[-0.001, -1].map((value) => report.number(value, 2))") == ["0.00", "-1.00"]


@pytest.mark.parametrize("page", ["one", "two", "hostile"])
@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_runs_over_the_right_edge(browser: Any, pages: dict[str, str], page: str, width: int) -> None:
    resize(browser, width)
    open_page(browser, pages[page])
    until(lambda: script(browser, "document.documentElement.scrollWidth") <= width)
    beyond = (
        "[...document.querySelectorAll('.card, .plot, .map, .bars, canvas, h1, .tiles > div, .controls *')]"
        ".filter((e) => e.getBoundingClientRect().right > document.documentElement.clientWidth + 1)"
        ".filter((e) => !e.closest('.scroll, .tall, [hidden]')).map((e) => e.outerHTML.slice(0, 90))"
    )
    until(lambda: script(browser, beyond) == [])


def test_the_slider_moves_map_clock_legends_and_marks(opened: Any) -> None:
    put(opened, "#time", "5")
    until(lambda: text_of(opened, "#clock") == "2020-08-25 18:00")
    map_before, mark = (
        pixels(opened, "#map-0 canvas"),
        script(opened, "document.querySelector('#price .marker').style.transform"),
    )
    price = text_of(opened, "#price .legend")
    put(opened, "#time", "0")
    until(lambda: text_of(opened, "#clock") == "2020-08-25 13:00")
    assert pixels(opened, "#map-0 canvas") != map_before
    assert script(opened, "document.querySelector('#price .marker').style.transform") != mark
    assert text_of(opened, "#price .legend") != price
    assert "13:00" in text_of(opened, "#bus-card .note")


def test_search_finds_a_bus_by_the_name_of_what_stands_there(opened: Any) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    opened.find_element(By.ID, "search").send_keys("dg_48")
    until(lambda: "generator" in text_of(opened, "#found"))
    opened.find_element(By.ID, "search").send_keys(Keys.ENTER)
    until(lambda: text_of(opened, "#bus-card h3").strip() == "Bus 48")
    assert "dg_48" in text_of(opened, "#bus-card")
    assert "bus 48" in text_of(opened, "#parts .legend")


def test_clicking_a_bus_on_the_map_chooses_it(opened: Any) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.by import By

    canvas = opened.find_element(By.CSS_SELECTOR, "#map-0 canvas")
    opened.execute_script("arguments[0].scrollIntoView({block: 'center'})", canvas)
    k = script(opened, "report.page.runs[0].busByName.get('76')")
    x, y, w, h = script(
        opened, f"[...report.maps[0].points[{k}], report.maps[0].view.width, report.maps[0].view.height]"
    )
    ActionChains(opened).move_to_element_with_offset(
        canvas, round(x - w / 2), round(y - h / 2)
    ).click().perform()
    until(lambda: text_of(opened, "#bus-card h3").strip() == "Bus 76")


def test_the_map_zooms_and_shows_the_whole_again(opened: Any) -> None:
    two_frames(opened)
    whole = pixels(opened, "#map-0 canvas")
    for button, alike in (("zoom-in", False), ("zoom-fit", True)):
        opened.execute_script(f"document.getElementById('{button}').click()")
        two_frames(opened)
        assert (pixels(opened, "#map-0 canvas") == whole) == alike


def test_buses_stand_in_natural_order_and_can_be_filtered(opened: Any) -> None:
    names = "[...document.querySelectorAll('#buses tbody tr td:first-child')].map((e) => e.textContent)"
    found = script(opened, names)
    assert found[:12] == [str(k) for k in range(1, 13)]
    put(opened, "#buses input", "15")
    assert all("15" in name for name in script(opened, names))
    opened.execute_script("document.querySelector('#buses tbody tr').click()")
    until(lambda: text_of(opened, "#bus-card h3").strip() == f"Bus {script(opened, names)[0]}")


def test_another_quantity_recolours_map_and_rows(opened: Any) -> None:
    before = pixels(opened, "#map-0 canvas"), pixels(opened, "#heat-nodes-0 canvas")
    put(opened, "#quantity", "voltage")
    until(lambda: "voltage" in text_of(opened, "#heat-nodes-0 .note"))
    assert pixels(opened, "#map-0 canvas") != before[0]
    assert pixels(opened, "#heat-nodes-0 canvas") != before[1]


def test_a_scale_of_the_interval_uses_all_its_colours(opened: Any) -> None:
    values = "[...report.maps[0].values].filter((v) => !Number.isNaN(v))"
    low, high = script(opened, "report.maps[0].range")
    assert low == pytest.approx(script(opened, f"Math.min(...{values})"))
    assert high == pytest.approx(script(opened, f"Math.max(...{values})"))
    put(opened, "#scale", "run")
    until(lambda: script(opened, "report.maps[0].range") != [low, high])


def test_a_drag_over_one_chart_zooms_all(opened: Any) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.by import By

    over = opened.find_element(By.CSS_SELECTOR, "#price .u-over")
    opened.execute_script("arguments[0].scrollIntoView({block: 'center'})", over)
    ActionChains(opened).move_to_element_with_offset(over, -100, 0).click_and_hold().move_by_offset(
        200, 0
    ).release().perform()
    until(lambda: script(opened, "report.state.window !== null"))
    until(
        lambda: script(opened, "report.charts.every((c) => c.chart.scales.x.min === report.state.window[0])")
    )


def test_every_chart_gives_its_numbers_and_its_picture(opened: Any) -> None:
    cards = script(
        opened,
        "[...document.querySelectorAll('.card')].filter((c) => c.querySelector('canvas'))"
        ".map((c) => [c.id, c.querySelectorAll('.tools button').length])",
    )
    assert len(cards) >= 14
    assert all(count >= 2 for _, count in cards), cards
    rows = script(opened, "report.charts.find((c) => c.about.id === 'price').numbers()")
    assert rows[0][:2] == ["local time", "highest d-LMP [$/MWh]"]
    run = "report.page.runs[0]"
    assert rows[1][-1] == pytest.approx(script(opened, f"{run}.series.lmp[0]"))
    size = script(opened, "(() => { const c = report.charts[0].picture(); return [c.width, c.height]; })()")
    assert size[0] > 600
    heat = script(opened, "report.heat[0].numbers().length")
    assert heat == 1 + script(opened, f"{run}.nodes.length")


def test_a_saved_table_keeps_cells_with_commas_apart(opened: Any) -> None:
    text = script(opened, "report.csvText([['a,b', 'say \"x\"', 1.5, NaN, null]])")
    assert text == '"a,b","say ""x""",1.5,,'


def test_runs_are_columns_with_differences_to_a_baseline(opened_two: Any) -> None:
    assert script(opened_two, "document.querySelectorAll('#maps .card').length") == 2
    first = text_of(opened_two, "#comparison tbody tr")
    assert "+5.00" in first
    put(opened_two, "#comparison select", "1")
    until(lambda: "-5.00" in text_of(opened_two, "#comparison tbody tr"))


def test_a_difference_map_shows_what_changed(opened_two: Any) -> None:
    put(opened_two, "#compare", "difference")
    until(lambda: "difference" in text_of(opened_two, "#map-1 .note"))
    values = script(opened_two, "[...report.maps[1].values].filter((v) => !Number.isNaN(v))")
    assert values == pytest.approx([5.0] * len(values), abs=0.011)
    assert "difference" not in text_of(opened_two, "#map-0 .note")
    low, high = script(opened_two, "report.maps[1].range")
    assert low == pytest.approx(-high)


def test_the_map_knows_where_a_voltage_is_beyond_its_limit(opened_two: Any) -> None:
    first, second = (
        script(opened_two, f"[...report.brokenBuses(report.page.runs[{k}], 0)]") for k in range(2)
    )
    assert first == []
    assert second == [script(opened_two, "report.page.runs[1].busByName.get('48')")]


def test_runs_share_a_scale(opened_two: Any) -> None:
    until(lambda: script(opened_two, "report.maps.every((map) => map.values)"))
    values = "report.maps.flatMap((map) => [...map.values]).filter((v) => !Number.isNaN(v))"
    whole = script(opened_two, f"[Math.min(...{values}), Math.max(...{values})]")
    for k in range(2):
        assert script(opened_two, f"report.maps[{k}].range") == pytest.approx(whole)


def test_marks_of_time_follow_the_local_clock_through_its_change(opened: Any) -> None:
    hours = [0, 1, 1, 2, 3, 4, 5]
    run = {
        "start": 1604203200,
        "period": 3600,
        "times": [f"2020-11-01T{hour:02d}:00:00" for hour in hours],
    }
    marks = opened.execute_script(
        "const run = arguments[0], end = run.start + 7 * 3600;"
        "return report.momentsBetween(run, run.start, end, 3)"
        ".map((moment) => [moment - run.start, report.tick(run, moment)])",
        run,
    )
    assert marks == [[0, "00:00\nNov 1"], [4 * 3600, "03:00"], [7 * 3600, "06:00"]]


def test_search_puts_equal_names_first_and_counts_as_people_do(opened: Any) -> None:
    names = ["110", "s11a", "11", "bus11", "111", "1100"]
    things = [{"name": name, "key": name} for name in names]
    found = opened.execute_script("return report.matches(arguments[0], '11').map((t) => t.name)", things)
    assert found == ["11", "110", "111", "1100", "bus11", "s11a"]


def background(browser: Any) -> str:
    found: str = script(browser, "getComputedStyle(document.body).backgroundColor")
    return found


def test_light_and_dark(opened: Any) -> None:
    """From the second change on: the first also takes the pointer off the map, where it lights up a bus."""
    from selenium.webdriver.common.by import By

    def change() -> tuple[str, str]:
        opened.find_element(By.ID, "theme").click()
        two_frames(opened)
        return background(opened), pixels(opened, "#map-0 canvas")

    dark, light = change(), change()
    assert dark[0] != light[0]
    assert dark[1] != light[1]
    assert [change(), change()] == [dark, light]


def test_it_prints_light_on_several_sheets(opened: Any) -> None:
    opened.execute_script("document.getElementById('theme').click()")
    dark = background(opened)
    printed = opened.execute_cdp_cmd("Page.printToPDF", {"printBackground": True, "preferCSSPageSize": True})
    document = base64.b64decode(printed["data"])
    assert document.startswith(b"%PDF")
    sheets = document.count(b"/Type /Page\n") + document.count(b"/Type /Page>")
    assert 3 <= sheets <= 12
    until(lambda: background(opened) == dark)
    assert not script(opened, "document.documentElement.classList.contains('printing')")
    assert opened.get_log("browser") == []


EVIL = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script></script>\'`${hacked=1}`'


def hostile(view: RunView) -> RunView:
    """Give everything with a name one that would run in a careless page, and leave an interval dark."""
    dark = np.arange(len(view.times)) == 0
    voltage = np.where(dark[:, None], np.nan, view.nodal["voltage"])
    place = {"kind": "voltage_low", "where": f"{EVIL}1.1", "value": 0.9, "limit": 0.95}
    return replace(
        view,
        network=_renamed(view.network),
        label=EVIL,
        path=Path(EVIL),
        missing=EVIL,
        broken=[{**place, "intervals": 1, "unpriced": 1}],
        verdict={**view.verdict, "violations": 1, "violations_unpriced": 1, "status": "violated"},
        scenario={**view.scenario, "market": {**view.scenario["market"], "model": EVIL, "method": EVIL}},
        stored={EVIL: view.series["lmp"]},
        nodal={**view.nodal, "voltage": voltage},
        breaches={**view.breaches, "outage": dark.astype(np.float64)},
    )


def _renamed(network: Network) -> Network:
    def evil(item: Any, **changes: Any) -> Any:
        return replace(item, name=f"{EVIL}{item.name}", **changes)

    def moved(item: Any) -> Any:
        return evil(item, bus=f"{EVIL}{item.bus}")

    def end(terminal: Terminal) -> Terminal:
        return replace(terminal, bus=f"{EVIL}{terminal.bus}")

    return replace(
        network,
        name=EVIL,
        voltage_points=tuple(replace(p, bus=f"{EVIL}{p.bus}") for p in network.voltage_points),
        buses=tuple(evil(bus) for bus in network.buses),
        elements=tuple(evil(item, terminals=tuple(map(end, item.terminals))) for item in network.elements),
        sources=tuple(evil(item, terminal=end(item.terminal)) for item in network.sources),
        loads=tuple(map(moved, network.loads)),
        resources=tuple(map(moved, network.resources)),
        regulators=tuple(evil(item, element=f"{EVIL}{item.element}") for item in network.regulators),
    )


def test_names_with_html_do_nothing(browser: Any, pages: dict[str, str]) -> None:
    resize(browser, 1440)
    open_page(browser, pages["hostile"])
    put(browser, "#search", "img")
    until(lambda: "<img src=x" in text_of(browser, "#found"))
    browser.execute_script("document.querySelector('#buses tbody tr').click()")
    until(lambda: text_of(browser, "#bus-card h3").startswith(f"Bus {EVIL}"))
    assert text_of(browser, "h1") == EVIL
    assert script(browser, "document.title") == EVIL
    assert EVIL in text_of(browser, "#broken")
    assert "no supply" in text_of(browser, "#violations .legend")
    assert script(browser, "typeof window.hacked") == "undefined"
    assert script(browser, "document.querySelectorAll('img, iframe, object').length") == 0
    assert script(browser, "document.querySelectorAll('script').length") == 3
    assert browser.get_log("browser") == []


def test_the_page_forbids_scripts_that_are_not_its_own(opened: Any) -> None:
    opened.execute_script(
        "const s = document.createElement('script'); s.textContent = 'window.hacked = 1';"
        "document.body.append(s);"
        "const d = document.createElement('div'); d.innerHTML = '<img src=x onerror=\"window.hacked=1\">';"
        "document.body.append(d);"
    )
    until(lambda: any("Content Security Policy" in row["message"] for row in opened.get_log("browser")))
    assert script(opened, "typeof window.hacked") == "undefined"
