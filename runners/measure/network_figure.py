"""What a network does to a negotiation, drawn by matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dlmp_cosim.runners.report.figure_file import new_figure, save_figure
from dlmp_cosim.runners.report.pictures import BLUE, GREY, ORANGE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from dlmp_cosim.runners.measure.network import Sample

COLOURS = (BLUE, GREY, ORANGE)
MARKERS = ("o", "s", "^")


def draw_network(samples: Sequence[Sample], within: float, delay_s: float, file: Path) -> None:
    """Draw seconds over delay, and over loss: the median of the intervals, and the longest.

    Parameters
    ----------
    samples : sequence of Sample
        What was measured.
    within : float
        Seconds that the market has.
    delay_s : float
        Delay at which losses are varied [s].
    file : Path
        Where to: a .png, .svg or .pdf.

    Raises
    ------
    InputError
        When matplotlib is not installed, or the file's kind is unknown.
    """
    figure = new_figure(file, (9.0, 3.6))
    left, right = figure.subplots(1, 2, sharey=True)
    lossless = [item for item in samples if not item.loss]
    varied = [item for item in samples if item.delay_s == delay_s]
    _panel(left, lossless, [1e3 * item.delay_s for item in lossless])
    _panel(right, varied, [100 * item.loss for item in varied])
    left.set_xscale("log")
    left.set_yscale("log")
    left.set_xlabel("delay of every link [ms], no loss")
    right.set_xlabel(f"lost packets [%], delay {1e3 * delay_s:g} ms")
    left.set_ylabel("time of an interval's negotiations [s]")
    for axes in (left, right):
        axes.axhline(within, color="black", linestyle="--", linewidth=1)
        axes.spines[["top", "right"]].set_visible(False)
    left.annotate(f"the market has {within:g} s", (1.0, within * 1.15), fontsize="small")
    right.legend(frameon=False, fontsize="small")
    save_figure(figure, file, 160)


def _panel(axes: Axes, samples: Sequence[Sample], places: Sequence[float]) -> None:
    """Draw one line for each method: the median, and dots for the longest interval."""
    ways = list(dict.fromkeys(item.way for item in samples))
    for way, colour, marker in zip(ways, COLOURS, MARKERS, strict=False):
        mine = [(place, item) for place, item in zip(places, samples, strict=True) if item.way == way]
        mine.sort(key=lambda pair: pair[0])
        at = [place for place, _ in mine]
        axes.plot(at, [item.seconds for _, item in mine], marker=marker, color=colour, label=way)
        axes.plot(at, [item.most for _, item in mine], marker, color=colour, fillstyle="none", markersize=5)
