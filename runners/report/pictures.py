"""Pictures for papers and the README, drawn by matplotlib: png, svg or pdf, equal for equal runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.feeders.network import FloatArray, Network, node_id
from dlmp_cosim.market.money.payment_schemes import TITLES
from dlmp_cosim.runners.judge.settle import OF_ADDER, PARTS, summary
from dlmp_cosim.runners.report.figure_file import plain, save_figure
from dlmp_cosim.runners.report.runs import RunView, positions

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, GREEN, ORANGE, GREY, PURPLE, RED = "#4477aa", "#228833", "#ee7733", "#999999", "#aa3377", "#cc3311"


def draw_all(views: Sequence[RunView], folder: Path, kind: str) -> list[Path]:
    """Draw every picture of the first run, and the comparison when there are several.

    Parameters
    ----------
    views : sequence of RunView
        Runs that can be compared.
    folder : Path
        Where the pictures go.
    kind : {"png", "svg", "pdf"}
        File format.

    Returns
    -------
    list of Path
        Files written.

    Raises
    ------
    InputError
        When matplotlib is not installed or the folder cannot be written.
    """
    first = views[0]
    wanted: dict[str, Callable[[], Figure]] = {
        "day": lambda: day_picture(first),
        "prices": lambda: prices_picture(first),
        "feeder": lambda: feeder_picture(first),
        "settlement": lambda: settlement_picture(first),
    }
    if len(views) > 1:
        wanted["scenarios"] = lambda: comparison_picture(views)
    files = {folder / f"{name}.{kind}": build for name, build in wanted.items()}
    for file, build in files.items():
        save_figure(build(), file, 110)
    return list(files)


def day_picture(view: RunView) -> Figure:
    """Draw price, schedule and voltages of a run below each other."""
    figure = _figure((8.0, 6.6))
    price, power, voltage = figure.subplots(3, 1, sharex=True, height_ratios=[1.0, 1.5, 1.2])
    _price(view, price)
    _schedule(view, power)
    _voltages(view, voltage)
    _time_axis(view, voltage)
    return figure


def _price(view: RunView, axes: Axes) -> None:
    real = view.nodal["dlmp_real"]
    there = np.isfinite(real).any(axis=1)
    low, high = np.full((2, len(real)), np.nan)
    low[there], high[there] = np.nanpercentile(real[there], [5, 95], axis=1)
    axes.fill_between(
        _days(view), low, high, step="post", color=BLUE, alpha=0.25, lw=0, label="d-LMP, 90 % of nodes"
    )
    axes.step(_days(view), view.series["dlmp_mean"], where="post", color=BLUE, lw=1.2, label="mean d-LMP")
    axes.step(_days(view), view.series["lmp"], where="post", color=PURPLE, lw=1.2, label="LMP")
    _dress(axes, "price [$/MWh]")


def _schedule(view: RunView, axes: Axes) -> None:
    s = view.series
    axes.stackplot(
        _days(view),
        s["wholesale"] - s["losses"], s["losses"], s["generation"], s["curtailed"],
        colors=[BLUE, GREY, GREEN, ORANGE], step="post", lw=0,
        labels=["wholesale, for loads", "wholesale, for losses", "generators", "curtailed"],
    )  # fmt: skip
    _dress(axes, "power [kW]")


def _voltages(view: RunView, axes: Axes) -> None:
    ac, predicted = view.point_voltage, view.nodal["predicted_voltage"]
    axes.fill_between(
        _days(view), ac.min(axis=1), ac.max(axis=1), color=BLUE, alpha=0.3, lw=0, label="AC, all nodes"
    )
    for values, label in (
        (np.fmin.reduce(predicted, axis=1), "predicted, lowest and highest"),
        (np.fmax.reduce(predicted, axis=1), None),
    ):
        axes.plot(_days(view), values, color=ORANGE, lw=1.0, ls=":", label=label)
    market = view.scenario["market"]
    for k, name in enumerate(("voltage_min_pu", "voltage_max_pu")):
        axes.axhline(market[name], color=RED, lw=1.0, ls="--", label="" if k else "limit")
    _dress(axes, "voltage [pu]")


def prices_picture(view: RunView) -> Figure:
    """Draw real and reactive d-LMP over nodes and time."""
    figure = _figure((8.0, 6.0))
    axes = figure.subplots(2, 1, sharex=True)
    for one, name, unit, colours in (
        (axes[0], "dlmp_real", "real d-LMP [$/MWh]", "viridis"),
        (axes[1], "dlmp_reactive", "reactive d-LMP [$/(MVAR h)]", "RdBu_r"),
    ):
        values = view.nodal[name].T
        low, high = (float(x) for x in np.nanpercentile(values, [1, 99]))
        if name == "dlmp_reactive":
            high = max(abs(low), abs(high)) or 1.0
            low = -high
        mesh = one.pcolormesh(
            _days(view), np.arange(len(values)), values,
            cmap=colours, vmin=low, vmax=high, shading="nearest", rasterized=True,
        )  # fmt: skip
        one.invert_yaxis()
        one.set_ylabel("node, outward")
        figure.colorbar(mesh, ax=one, label=unit, extend="both")
    _time_axis(view, axes[1])
    return figure


def feeder_picture(view: RunView) -> Figure:
    """Draw the feeder in the interval of the highest LMP: mean d-LMP and lowest voltage of every bus."""
    figure = _figure((8.0, 4.2))
    t = int(np.argmax(view.series["lmp"]))
    at = [_there(view, t, nodes) for nodes in _nodes_of_buses(view.network)]
    left, right = figure.subplots(1, 2)
    _map(
        view.network,
        left,
        [float(prices.mean()) if len(prices) else np.nan for prices, _ in at],
        "d-LMP [$/MWh]",
        "viridis",
    )
    _map(
        view.network,
        right,
        [float(volts.min(initial=np.inf)) for _, volts in at],
        "lowest voltage [pu]",
        "cividis",
    )
    figure.suptitle(f"{plain(view.label)}, {view.times[t]:%Y-%m-%d %H:%M}", fontsize=10)
    return figure


def _there(view: RunView, t: int, nodes: list[int]) -> tuple[FloatArray, FloatArray]:
    """Prices and voltages of those nodes of a bus that limits hold for."""
    prices, voltages = view.nodal["dlmp_real"][t][nodes], view.nodal["voltage"][t][nodes]
    return prices[np.isfinite(prices)], voltages[np.isfinite(voltages)]


def _nodes_of_buses(network: Network) -> list[list[int]]:
    return [[network.node_index[node_id(bus.name, p)] for p in bus.phases] for bus in network.buses]


def _map(network: Network, axes: Axes, values: list[float], unit: str, colours: str) -> None:
    """Draw one value per bus on the feeder's coordinates."""
    place = np.array(positions(network))
    for branch in network.branches:
        ends = [network.bus_index[end.bus] for end in branch.terminals[:2]]
        axes.plot(*place[ends].T, color=GREY, lw=0.7, zorder=1)
    dots = axes.scatter(place[:, 0], place[:, 1], c=values, cmap=colours, s=16, zorder=2)
    axes.set_aspect("equal")
    axes.axis("off")
    if axes.figure is not None:
        axes.figure.colorbar(dots, ax=axes, label=unit, orientation="horizontal", shrink=0.8)


def settlement_picture(view: RunView) -> Figure:
    """Draw who pays whom, and under a market where the operator's net revenue comes from."""
    table = summary(view.account)
    sides = {
        "load revenue": table["load_usd"],
        "generators": -table["dg_usd"],
        "curtailment": -table["flex_usd"],
        "wholesale": -table["wholesale_usd"],
        "net revenue": table["net_revenue_usd"],
    }
    parts = {PARTS.get(k, OF_ADDER): v for k, v in table.get("net_revenue_parts_usd", {}).items()}
    figure = _figure((8.0, 3.0))
    drawings = [sides, parts] if parts else [sides]
    panels = figure.subplots(1, len(drawings), squeeze=False)[0]
    for one, bars in zip(panels, drawings, strict=True):
        drawn = one.barh(list(bars), list(bars.values()), color=BLUE)
        one.bar_label(drawn, fmt="{:,.0f}", padding=3, fontsize=8)
        one.invert_yaxis()
        one.margins(x=0.3)
        one.axvline(0.0, color=GREY, lw=0.8)
        one.set_xlabel("$ over the run")
        one.spines[["top", "right", "left"]].set_visible(False)
        one.tick_params(left=False)
    return figure


def comparison_picture(views: Sequence[RunView]) -> Figure:
    """Draw money and energy of several runs beside each other."""
    figure = _figure((8.0, 4.4))
    money, energy = figure.subplots(1, 2, width_ratios=[1.3, 1.0])
    tables = [summary(view.account) for view in views]
    names = [TITLES[view.account.scenario] for view in views]
    if len(set(names)) < len(names):
        names = [plain(view.label) for view in views]
    at = np.arange(len(views), dtype=float)
    sides = (("load revenue", "load_usd", 1), ("generators", "dg_usd", -1), ("curtailment", "flex_usd", -1),
             ("wholesale", "wholesale_usd", -1), ("net revenue", "net_revenue_usd", 1))  # fmt: skip
    for k, ((label, key, sign), colour) in enumerate(
        zip(sides, (BLUE, GREEN, ORANGE, GREY, PURPLE), strict=True)
    ):
        money.bar(
            at + 0.16 * (k - 2), [sign * table[key] for table in tables], 0.16, label=label, color=colour
        )
    below = np.zeros(len(views))
    for label, key, colour in (
        ("wholesale", "wholesale", BLUE),
        ("generators", "dg", GREEN),
        ("curtailed", "flex", ORANGE),
    ):
        values = np.array([table["energy_kwh"][key] / 1e3 for table in tables])
        energy.bar(at, values, 0.6, bottom=below, label=label, color=colour)
        below += values
    for axes, unit in ((money, "$ over the run"), (energy, "MWh over the run")):
        axes.set_xticks(at, names, rotation=30, ha="right")
        _dress(axes, unit, 2)
    return figure


def _days(view: RunView) -> FloatArray:
    """Start of every interval in days since 1970, as matplotlib counts them."""
    return np.array([time.timestamp() / 86_400 for time in view.times])


def _figure(size: tuple[float, float]) -> Figure:
    try:
        from matplotlib.figure import Figure as NewFigure
    except ImportError as error:
        raise InputError(
            "pictures need matplotlib",
            where="dlmp report --format",
            expected='pip install "dlmp-cosim[report]"',
        ) from error
    return NewFigure(figsize=size, layout="constrained")


def _dress(axes: Axes, unit: str, columns: int = 4) -> None:
    axes.set_ylabel(unit)
    axes.grid(alpha=0.25, lw=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(
        fontsize=7.5,
        ncols=columns,
        frameon=False,
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        borderaxespad=0.1,
    )


def _time_axis(view: RunView, axes: Axes) -> None:
    from matplotlib.dates import AutoDateLocator, DateFormatter

    zone: Any = view.times[0].tzinfo
    axes.set_xlim(_days(view)[0], _days(view)[-1] + view.hours / 24)
    axes.xaxis.set_major_locator(AutoDateLocator(tz=zone))  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_formatter(DateFormatter("%H:%M", tz=zone))  # type: ignore[no-untyped-call]
    axes.set_xlabel(f"local time, {view.times[0]:%Y-%m-%d}")
