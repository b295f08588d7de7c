"""`dlmp isone` says what price and demand files are and hold; `dlmp isone-fetch` downloads a day."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import click
from rich.console import Console

from dlmp_cosim.feeders.errors import DlmpError, InputError
from dlmp_cosim.market.isone import Series, Survey, survey
from dlmp_cosim.market.isone.clock import ZONE, eastern_text
from dlmp_cosim.market.isone.fetch import PRODUCTS, fetch_day
from dlmp_cosim.runners.plain_table import Rows, say
from dlmp_cosim.runners.report.figure_file import plain

GAPS_SHOWN = 5
DAY = click.DateTime(formats=["%Y-%m-%d"])


@click.command("isone")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--location", help="Number, name or short name: 4008, .Z.NEMASSBOST, NEMA.")
@click.option("--day", type=DAY, help="Eastern day to keep, YYYY-MM-DD.")
@click.option("--plot", is_flag=True, help="Write a picture next to the first file.")
@click.option(
    "--output", type=click.Path(path_type=Path), help="Where to write the picture (implies --plot)."
)
def isone_command(
    files: tuple[Path, ...], location: str | None, day: datetime | None, plot: bool, output: Path | None
) -> None:
    """Say what ISO New England FILES are and what is in them.

    Several files are read together, as the six files of a five-minute day.
    """
    try:
        found = survey(files, location=location, day=day.date() if day else None)
        show(found, Console())
        if plot or output:
            target = output or files[0].with_name(f"{files[0].stem}.png")
            draw(found.series, target)
            click.echo(f"picture: {target}")
    except DlmpError as error:
        raise click.ClickException(str(error)) from error


@click.command("isone-fetch")
@click.argument("day", type=DAY)
@click.option("--location", required=True, help="Whose prices to keep: 4008, .Z.NEMASSBOST, NEMA.")
@click.option(
    "--product",
    "products",
    multiple=True,
    type=click.Choice(sorted(PRODUCTS)),
    default=("real_time_5_min", "load"),
    show_default=True,
    help="What to download; may be repeated.",
)
@click.option("--folder", type=click.Path(path_type=Path), default=Path(), help="Where to write the files.")
def isone_fetch_command(day: datetime, location: str, products: tuple[str, ...], folder: Path) -> None:
    """Download prices and demand of one Eastern DAY through gridstatus (the `fetch` extra)."""
    try:
        files = fetch_day(day.date(), folder, location=location, products=products)
        show(survey(files), Console())
    except DlmpError as error:
        raise click.ClickException(str(error)) from error
    for file in files:
        click.echo(f"written: {file}")


def show(found: Survey, console: Console) -> None:
    """Print the files, the series in them, and every note and warning."""
    _file_table(found).print(console)
    _series_table(found.series).print(console)
    if found.hidden:
        console.print(f"{found.hidden} more locations; name one with --location")
    for text in _gap_lines(found.series):
        say(console, text)
    for kind in ("derived", "warnings"):
        lines = dict.fromkeys(text for series in found.series for text in getattr(series, kind))
        if kind == "warnings":
            lines |= dict.fromkeys(f"{note.source}: {text}" for note in found.files for text in note.warnings)
        for text in lines:
            say(console, f"{kind.removesuffix('s')}: {text}")


def _gap_lines(series: Sequence[Series]) -> list[str]:
    """List the gaps, at most `GAPS_SHOWN` of each series."""
    lines = []
    for one in series:
        name = f"gap in {one.quantity} {one.location or one.location_id} {one.market}"
        ends = [f"{eastern_text(begin)} to {eastern_text(end)}" for begin, end in one.gaps]
        lines += [f"{name}: {text}" for text in ends[:GAPS_SHOWN]]
        lines += [f"{name}: {len(ends) - GAPS_SHOWN} more"] if len(ends) > GAPS_SHOWN else []
    return lines


def _file_table(found: Survey) -> Rows:
    table = Rows("file", "kind", "rows", "locations", title="Files")
    for note in found.files:
        table.add_row(note.source, note.layout, str(note.rows), str(note.locations))
    return table


def _series_table(series: Sequence[Series]) -> Rows:
    names = ("quantity", "location", "market", "period (Eastern)", "step", "count", "min", "mean", "max")
    table = Rows(*names, "counts", title="Series")
    for one in series:
        period = f"{eastern_text(int(one.start[0]))}\n{eastern_text(int(one.start[-1]) + one.step_s)}"
        figures = (f"{value:,.2f}" for value in (one.values.min(), one.values.mean(), one.values.max()))
        place = f"{one.location_id} {one.location}".strip() or "not stated"
        table.add_row(
            f"{one.quantity}\n{one.unit}",
            place,
            one.market,
            period,
            f"{one.step_s // 60} min",
            f"{len(one)}",
            *figures,
            _counts(one),
        )
    return table


def _counts(series: Series) -> str:
    parts = [
        (series.missing, f"missing in {len(series.gaps)} gaps"),
        (series.duplicates, "duplicates dropped"),
        (series.superseded, "preliminary replaced"),
        (series.negative, "negative"),
        (series.high, "above 1000 $/MWh"),
    ]
    return "\n".join(f"{count} {text}" for count, text in parts if count) or "complete"


def _steps(series: Series) -> tuple[list[datetime], list[float]]:
    """Return the corners of the curve, with a break at every gap."""
    pairs = dict(zip(series.start.tolist(), series.values.tolist(), strict=True))
    ends = {begin: math.nan for begin, _ in series.gaps if begin - series.step_s in pairs}
    last = int(series.start[-1]) + series.step_s
    corners = sorted((ends | {last: float(series.values[-1])} | pairs).items())
    return [datetime.fromtimestamp(when, ZONE) for when, _ in corners], [value for _, value in corners]


def draw(series: Sequence[Series], target: Path) -> None:
    """Write a picture with one panel for prices and one for demand, in Eastern time.

    Raises
    ------
    InputError
        When matplotlib is not installed or the picture cannot be written.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise InputError(
            "--plot needs matplotlib", where="--plot", expected='pip install "dlmp-cosim[report]"'
        ) from error
    kinds = list(dict.fromkeys(one.quantity for one in series))
    figure = Figure(figsize=(9, 3.2 * len(kinds)), layout="constrained")
    axes = figure.subplots(len(kinds), 1, squeeze=False, sharex=True)[:, 0]
    for axis, kind in zip(axes, kinds, strict=True):
        for one in (one for one in series if one.quantity == kind):
            label = plain(f"{one.location or 'location not stated'}, {one.market}")
            axis.plot(*_steps(one), drawstyle="steps-post", label=label, linewidth=1.2)
        axis.set_ylabel(f"{'price' if kind == 'lmp' else 'demand'} [{'$/MWh' if kind == 'lmp' else 'MW'}]")
        axis.legend(fontsize="small", loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=3, frameon=False)
        axis.grid(alpha=0.3)
    axes[-1].set_xlabel("Eastern time, interval start")
    figure.autofmt_xdate()
    try:
        figure.savefig(target, dpi=120, format="png", metadata={"Software": None})
    except OSError as error:
        raise InputError(
            f"cannot be written: {error.strerror}", where=str(target), expected="a writable path"
        ) from error
