"""Circuits of every size in one table and one picture: `dlmp bench --circuit`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress

from dlmp_cosim.runners.measure.scaling import Growth, copied, growth_exponent, measure_growth, open_subject
from dlmp_cosim.runners.measure.timing import machine
from dlmp_cosim.runners.plain_table import Rows
from dlmp_cosim.runners.report.figure_file import check_figure, new_figure, save_figure

FIGURES = (
    ("nodes", "nodes"),
    ("resources", "resources"),
    ("limits with a price", "binding"),
    ("hops of a step", "hops"),
    ("rounds, cold", "rounds_cold"),
    ("rounds, warm", "rounds_warm"),
    ("set-up [s]", "setup"),
    ("cold [s]", "cold"),
    ("warm [s]", "warm"),
    ("Clarabel [s]", "clarabel"),
    ("Clarabel ends", "clarabel_ended"),
    ("CVXPY [s]", "cvxpy"),
    ("difference of costs", "gap"),
)


def grow(
    circuits: Sequence[Path], copies: Sequence[int], repeats: int, figure: Path | None, *, quiet: bool
) -> list[Growth]:
    """Measure one clearing of every circuit, and of copies of the last one.

    Parameters
    ----------
    circuits : sequence of Path
        Master files of OpenDSS.
    copies : sequence of int
        How many copies of the last circuit, each number once.
    repeats : int
        Times that each is timed.
    figure : Path, optional
        Where to draw the times.
    quiet : bool
        Whether to show no progress.

    Raises
    ------
    DlmpError
        When a circuit cannot be read, solved or cleared, or the figure not be drawn.
    """
    if figure is not None:
        check_figure(figure)
    found = []
    with Progress(console=Console(stderr=True), transient=True, disable=quiet) as bar:
        task = bar.add_task("clearing", total=len(circuits) + len(copies))
        for path in circuits:
            subject = open_subject(path)
            found.append(measure_growth(subject, repeats))
            bar.advance(task)
        for count in copies:
            found.append(measure_growth(copied(subject, count), repeats))
            bar.advance(task)
    if figure is not None:
        draw_growth(found, figure)
    return found


def show_growth(found: Sequence[Growth], *, as_json: bool) -> None:
    """Print what was measured, and how times grow with nodes.

    Parameters
    ----------
    found : sequence of Growth
        One for each circuit.
    as_json : bool
        Whether to print JSON instead of a table.
    """
    exponent = growth_exponent(found) if len(found) > 1 else None
    if as_json:
        told = {"machine": machine(), "circuits": [asdict(g) for g in found], "exponent": exponent}
        click.echo(json.dumps(told, indent=2))
        return
    table = Rows("", *(g.name for g in found))
    for head, name in FIGURES:
        values = [getattr(g, name) for g in found]
        table.add_row(head, *map(_cell, values))
    console = Console()
    table.print(console)
    if exponent is not None:
        console.print(f"a cold clearing takes nodes to the power {exponent:.2f}", highlight=False)


def _cell(value: float | str | None) -> str:
    if value is None:
        return "too large"
    if isinstance(value, str):
        return value
    return f"{value:,}" if isinstance(value, int) else f"{value:.3g}"


def draw_growth(found: Sequence[Growth], file: Path) -> None:
    """Draw times of a clearing over nodes, both logarithmic.

    Parameters
    ----------
    found : sequence of Growth
        One for each circuit.
    file : Path
        Where to.
    """
    ordered = sorted(found, key=lambda g: g.nodes)
    nodes = [g.nodes for g in ordered]
    figure = new_figure(file, (7.0, 4.5))
    axes = figure.add_subplot()
    for label, times, style in (
        ("sweeps between buses, cold", [g.cold for g in ordered], "o-"),
        ("sweeps between buses, warm", [g.warm for g in ordered], "s-"),
        ("Clarabel, same problem", [g.clarabel for g in ordered], "^--"),
    ):
        axes.loglog(nodes, times, style, label=label)
    axes.set(xlabel="nodes", ylabel="processor time of one clearing [s]")
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.legend()
    save_figure(figure, file, 150)
