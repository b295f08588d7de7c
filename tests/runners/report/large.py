"""A synthetic run on a circuit as large as IEEE's 8500-node feeder, for the size and the speed of a page.

`python -m tests.runners.report.large FILE` writes its page and, where Chromium is installed, measures how
long the page takes to open and to answer to the slider, a choice, a search and a zoom.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from dlmp_cosim.federates.study.scenario import ZONE
from dlmp_cosim.feeders.network import Bus, Element, Network, Regulator, Source, Terminal, VoltagePoint
from dlmp_cosim.market.money.payment_schemes import Metered, Money
from dlmp_cosim.runners.judge.ledger import Account
from dlmp_cosim.runners.report.page import build_page
from dlmp_cosim.runners.report.runs import RunView

NODES, INTERVALS = 8531, 288
MAINS = 1800
"""Buses of three phases; the rest hang at them with one phase each."""


def large_view(intervals: int = INTERVALS) -> RunView:
    """A run whose voltages, prices and currents follow from random loads on a random tree."""
    random = np.random.default_rng(8531)
    parent = _tree(random)
    network = _network(parent)
    drawn = _demand(random, len(parent), intervals)
    flow = _downstream(parent, drawn)
    ohm = random.uniform(1e-7, 4e-7, len(parent))[:, None]
    drop = _upstream(parent, ohm * flow)
    drop *= 0.08 / drop.max()
    loss = 0.8 * drop
    steps = np.round(np.sin(np.arange(intervals) / 30.0)) * 0.00625
    at_bus = 1.04 - drop + steps
    bus = network.node_bus
    apart = 1.0 + 0.01 * random.standard_normal(len(bus))[:, None]
    voltage = (1.0 + (at_bus[bus] - 1.0) * apart).T
    lmp = np.repeat(random.uniform(15.0, 95.0, -(-intervals // 12)), 12)[:intervals]
    binding = (lmp > 60.0) * lmp
    voltage_part = -2.0 * binding[:, None] * (drop[bus] * apart).T
    losses = lmp[:, None] * loss[bus].T
    return _view(network, lmp, voltage, voltage_part, losses, flow)


def _tree(random: np.random.Generator) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Parent of every bus, each before its children: a long three-phase main with branches, and laterals."""
    buses = MAINS + NODES - 3 * MAINS
    main = [max(0, k - int(random.integers(1, 6))) for k in range(1, MAINS)]
    side = [
        int(random.integers(0, MAINS)) if random.random() < 0.4 or k == MAINS else k - 1
        for k in range(MAINS, buses)
    ]
    return np.array([-1, *main, *side], dtype=np.int64)


def _network(parent: np.ndarray[Any, np.dtype[np.int64]]) -> Network:
    phases = [(1, 2, 3) if k < MAINS else (k % 3 + 1,) for k in range(len(parent))]
    angle = np.cumsum(np.random.default_rng(1).normal(0.0, 0.5, len(parent)))
    places = np.zeros((len(parent), 2))
    for k in range(1, len(parent)):
        places[k] = places[parent[k]] + [np.cos(angle[k]), np.sin(angle[k])]
    buses = tuple(
        Bus(f"m{1_000_000 + k}", phases[k], 7.2, float(x), float(y)) for k, (x, y) in enumerate(places)
    )
    block = ((1.0, -1.0), (-1.0, 1.0))
    branches = tuple(
        Element(
            f"line.l{k}", "line",
            (Terminal(buses[parent[k]].name, (phases[k][0],)), Terminal(buses[k].name, (phases[k][0],))),
            block, block, (400.0, 400.0) if k % 9 else (np.inf, np.inf),
        )
        for k in range(1, len(parent))
    )  # fmt: skip
    source = Source("vsource.source", Terminal(buses[0].name, (1,)), (7200.0,), (0.0,), ((1.0,),), ((-1.0,),))
    regulators = tuple(Regulator(f"reg{k}", branches[40 * k].name, 2, 0.00625, -16, 16) for k in range(12))
    points = tuple(VoltagePoint(bus.name, phase, 0, 7.2) for bus in buses for phase in bus.phases)
    return Network(
        "ieee8500_like", buses, branches, (source,), (), regulators=regulators, voltage_points=points
    )


def _demand(random: np.random.Generator, buses: int, intervals: int) -> np.ndarray[Any, Any]:
    shape = 0.7 + 0.3 * np.sin(np.arange(intervals) / intervals * 2 * np.pi - 2.0)
    size = random.gamma(2.0, 1.2, buses)[:, None]
    return size * shape * (1.0 + 0.02 * random.standard_normal((buses, intervals)))


def _downstream(parent: np.ndarray[Any, Any], drawn: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Power into every bus: its own demand and that of everything behind it."""
    flow = drawn.copy()
    for k in range(len(parent) - 1, 0, -1):
        flow[parent[k]] += flow[k]
    return flow


def _upstream(parent: np.ndarray[Any, Any], part: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Sum of a branch quantity from the source to every bus."""
    total = np.zeros_like(part)
    for k in range(1, len(parent)):
        total[k] = total[parent[k]] + part[k]
    return total


def _view(
    network: Network, lmp: Any, voltage: Any, voltage_part: Any, losses: Any, flow: np.ndarray[Any, Any]
) -> RunView:
    n, nothing = len(lmp), np.zeros(len(lmp))
    price = lmp[:, None] + losses + voltage_part
    served = flow[0]
    start = datetime(2020, 8, 25, tzinfo=ZONE)
    energy = served[:, None] / 12.0
    money = Money(9e3, 1e3, 0.0, 7e3, 9e3, 1e3, 7e3)
    meters = Metered(energy, 0.0 * energy, served / 12, nothing, nothing, lmp)
    limits = {"voltage_min_pu": 0.95, "voltage_max_pu": 1.05, "model": "nodal", "method": "interior-point"}
    loading = np.where(
        np.isfinite([b.rating_a[0] for b in network.branches]), flow[1:].T / flow.max(), np.nan
    )
    names = ("curtailed", "losses", "head_reactive", "generation", "primal", "dual", "head_error")
    return RunView(
        path=Path("large.h5"), label="large", network=network, hours=1 / 12, missing="",
        times=tuple(start + timedelta(minutes=5 * k) for k in range(n)),
        series={
            **dict.fromkeys(names, nothing), "lmp": lmp, "wholesale": served,
            "dlmp_mean": price.mean(axis=1),
            "rounds": nothing + 1, "negotiation_rounds": nothing + 12, "settled": nothing + 1,
            "voltage_error": nothing + 1e-6,
        },
        nodal={
            "dlmp_real": price, "dlmp_reactive": 0.1 * voltage_part, "loss": losses,
            "voltage_part": voltage_part, "congestion": 0.0 * losses, "voltage": voltage,
            "predicted_voltage": voltage + 1e-6,
        },
        point_voltage=voltage, dispatch=np.zeros((n, 0)), served=np.zeros((n, 0)),
        branch={"loading": loading, "power": flow[1:].T},
        taps=np.round(16 * np.sin(np.arange(n)[:, None] / (20.0 + np.arange(12)))),
        capacitors=np.zeros((n, 0)), stored={},
        breaches=dict.fromkeys(("voltage_low", "voltage_high", "rating"), nothing),
        account=Account("market", meters, money, None),
        verdict={
            "status": "feasible", "intervals": n, "settled": n, "rounds_max": 1, "voltage_error_max_pu": 1e-6,
            "head_error_max_kw": 0.01, "violations": 0, "violations_unpriced": 0, "worst_violation_pu": 0.0,
        },
        broken=[], scenario={"study": {"name": "large"}, "market": limits},
    )  # fmt: skip


def without_numbers(view: RunView, intervals: slice) -> RunView:
    """A run whose power flow did not converge in some intervals."""

    def gone(values: Any) -> Any:
        changed = values.copy()
        changed[intervals] = np.nan
        return changed

    return replace(
        view,
        nodal={name: gone(values) for name, values in view.nodal.items()},
        branch={name: gone(values) for name, values in view.branch.items()},
        point_voltage=gone(view.point_voltage),
    )


PUT = "const s = document.querySelector('{0}'); s.value = {1}; s.dispatchEvent(new Event('{2}'));"
ACTIONS = {
    "slider": PUT.format("#time", "{k}", "input"),
    "bus": "document.querySelectorAll('#buses tbody tr')[{k}].click();",
    "quantity": PUT.format("#quantity", "['voltage', 'loss', 'dlmp_real'][{k} % 3]", "change"),
    "phase": PUT.format("#phase", "[1, 2, 3, 'mean'][{k} % 4]", "change"),
    "search": PUT.format("#search", "'m10012{k}'", "input"),
    "zoom": "document.getElementById('zoom-' + (['in', 'out'][{k} % 2])).click();",
    "filter": PUT.format("#buses input", "'{k}'", "input"),
}
"""What a reader does, by what it is called; `{k}` counts."""

TIMED = """
const done = arguments[arguments.length - 1], begin = performance.now();
%s
requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => done(performance.now() - begin))));
"""


def response_ms(browser: Any, repeats: int = 10) -> Iterator[tuple[str, list[float], list[float]]]:
    """Time each action several times [ms]: until the second frame after it, and the page's thread at work."""
    browser.execute_cdp_cmd("Performance.enable", {"timeDomain": "threadTicks"})
    for name, action in ACTIONS.items():
        waited, worked = [], []
        for k in range(repeats):
            before = _work_s(browser)
            waited.append(float(browser.execute_async_script(TIMED % action.replace("{k}", str(k)))))
            worked.append(1e3 * (_work_s(browser) - before))
        yield name, waited, worked


def _work_s(browser: Any) -> float:
    """Processor time of the page's main thread so far [s]."""
    metrics = browser.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]
    return float(next(item["value"] for item in metrics if item["name"] == "TaskDuration"))


def _measure(file: Path) -> None:
    from tests.runners.report.browser import CHROMIUM, open_browser, open_page

    begin = time.perf_counter()
    file.write_text(build_page([large_view()]), encoding="utf-8")
    print(f"{file}: {file.stat().st_size / 1e6:.1f} MB, written in {time.perf_counter() - begin:.1f} s")  # noqa: T201
    if CHROMIUM is None:
        return
    browser = open_browser(file.parent / "profile")
    try:
        begin = time.perf_counter()
        open_page(browser, file.as_uri())
        print(f"opened in {time.perf_counter() - begin:.1f} s")  # noqa: T201
        for name, waited, worked in response_ms(browser):
            shown = (float(pick(times)) for times in (waited, worked) for pick in (np.median, max))
            print("{}: {:.0f} ms, at most {:.0f}; at work {:.0f} ms, at most {:.0f}".format(name, *shown))  # noqa: T201
    finally:
        browser.quit()


if __name__ == "__main__":
    _measure(Path(sys.argv[1]))
