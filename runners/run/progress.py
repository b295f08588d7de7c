"""A progress bar for one run: silent where nobody watches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from dlmp_cosim.federates.runtime.heartbeat import Beat

FIGURES = "interval"
"""Figure by which a federate that reports progress is known."""


@contextmanager
def show_progress(name: str, intervals: int) -> Iterator[Callable[[Mapping[str, Beat]], None]]:
    """Show how far a run is; the function that comes back takes what every federate last said.

    Parameters
    ----------
    name : str
        What is run.
    intervals : int
        Intervals of the run.
    """
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[line]}", markup=False),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task(name, total=intervals, line="starting")

        def watch(beats: Mapping[str, Beat]) -> None:
            for beat in beats.values():
                if FIGURES in beat.figures:
                    bar.update(task, completed=float(beat.figures[FIGURES]), line=progress_line(beat.figures))

        yield watch


def progress_line(figures: Mapping[str, float | str]) -> str:
    """Write simulated time, prices, rounds and lowest voltage of an interval; or a substation's adder."""
    if "adder" in figures:
        return f"{figures['time']} adder {figures['adder']:.2f} $/MWh, {figures['kw']:.0f} kW"
    return (
        f"{figures['time']} LMP {figures['lmp']:.2f}, d-LMP {figures['dlmp_mean']:.2f} $/MWh, "
        f"{figures['rounds']:g} rounds, lowest voltage {figures['voltage_min']:.4f} pu at "
        f"{figures['voltage_min_node']}"
    )
