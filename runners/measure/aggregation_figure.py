"""Devices offered together and apart: the staircase of their costs with the line offered, and their day."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.feeders.network import FloatArray
from dlmp_cosim.market.aggregate import Window, fitted
from dlmp_cosim.runners.judge.offered import read_offered
from dlmp_cosim.runners.report.figure_file import new_figure, save_figure, stairs
from dlmp_cosim.runners.report.pictures import BLUE, GREY, ORANGE


def draw_aggregation(together: Path, apart: Path, owner: str, file: Path) -> None:
    """Draw the hour in which most can be moved, and the power of all devices over the day.

    Parameters
    ----------
    together, apart : Path
        Results of the day either way.
    owner : str
        Name of the aggregator.
    file : Path
        Where to: a .png, .svg or .pdf.

    Raises
    ------
    InputError
        When matplotlib is not installed, or the file's kind is unknown.
    """
    figure = new_figure(file, (9.0, 3.6))
    with Results(apart) as run:
        windows, day = _windows(run, owner), _power(run, owner)
        edges = np.asarray(np.arange(run.intervals + 1) * run.period_h)
        lmp = run.values("wholesale/lmp")
    with Results(together) as run:
        one = _power(run, owner)
    most = int(np.argmax([float((item.high - item.low).sum()) for item in windows]))
    left, right = figure.subplots(1, 2)
    powers, costs = _staircase(windows[most])
    stairs(left, costs, powers, color=GREY, label=f"{len(costs)} devices that can move")
    line = fitted(windows[most], float(lmp[most]))
    left.axhline(lmp[most], color=BLUE, lw=0.8, ls=":", label="LMP")
    ends = powers[[0, -1]]
    left.plot(ends, line.linear + line.quadratic * ends, color=ORANGE, label="the line that is offered")
    left.set(xlabel="power of all [kW]", ylabel="marginal cost [$/MWh]")
    left.set_title(f"{edges[most]:g} hours from the start", loc="left", fontsize="medium")
    stairs(right, day, edges, color=GREY, label="every device seen")
    stairs(right, one, edges, color=BLUE, label="one offer")
    right.set(xlabel="hours from the start", ylabel="power of all [kW]")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize="small")
    save_figure(figure, file, 110)


def _mine(run: Results, owner: str) -> list[int]:
    return [k for k, resource in enumerate(run.network.resources) if resource.owner == owner]


def _power(run: Results, owner: str) -> FloatArray:
    """Power of all devices in every interval [kW]."""
    total: FloatArray = run.values("market/dispatch_real")[:, _mine(run, owner)].sum(axis=1)
    return total


def _windows(run: Results, owner: str) -> list[Window]:
    """Read what devices offered one by one, interval by interval."""
    offered, mine = read_offered(run), _mine(run, owner)
    parts = (offered.low[:, mine], offered.high[:, mine], offered.linear[:, mine])
    return [Window(*row) for row in zip(*parts, strict=True)]


def _staircase(devices: Window) -> tuple[FloatArray, FloatArray]:
    """Edges [kW] and costs [$/MWh] of the devices that can move, the cheapest first."""
    order = [k for k in devices.order if devices.high[k] > devices.low[k]]
    width = (devices.high - devices.low)[order]
    edges: FloatArray = float(devices.low.sum()) + np.concatenate([[0.0], np.cumsum(width)])
    return edges, devices.cost[order]
