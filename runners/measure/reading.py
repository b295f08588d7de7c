"""How long a day of five-minute prices takes to read: all locations in the files, one wanted."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import pandas as pd

from dlmp_cosim.market.isone import read_series
from dlmp_cosim.runners.measure.timing import seconds

LOCATIONS = 1100
"""As many as ISO-NE prices; a day of them takes 13 MB."""
WANTED = ".Z.NEMASSBOST"
HOURS_PER_FILE = 4
HEADINGS = ("Location ID", "Local Time", "Energy Component", "Congestion Component", "Loss Component", "LMP")


def write_five_minute_day(folder: Path) -> list[Path]:
    """Write a made-up day in the layout of ISO-NE's six five-minute files.

    Parameters
    ----------
    folder : Path
        Where to.

    Returns
    -------
    list of Path
        The files. The energy part tells the interval, 20 + 0.01 $/MWh each from the start of its file on; the
        loss part tells the location.
    """
    return [_write_hours(folder, first, first + HOURS_PER_FILE) for first in range(0, 24, HOURS_PER_FILE)]


def _write_hours(folder: Path, first: int, last: int) -> Path:
    name = f"lmp_5min_20200825_{first:02d}-{last:02d}.csv"
    clocks = [f"{at // 12:02d}:{at % 12 * 5:02d}:00" for at in range(first * 12, last * 12)]
    levels = [(clock, 20 + at * 0.01) for at, clock in enumerate(clocks)]
    losses = [(4000 + place, place * 0.01) for place in range(LOCATIONS)]
    rows = [
        f'"D",{place},"{clock}",{energy:.2f},0.00,{loss:.2f},{energy + loss:.2f}'
        for clock, energy in levels
        for place, loss in losses
    ]
    head = [
        '"C","Five-Minute Locational Marginal Prices"',
        f'"C","Filename: {name}"',
        '"C","Report for: 08/25/2020 - 08/25/2020"',
        '"C","Report generated: 08/30/2020 10:00:00 EDT"',
        '"H",' + ",".join(f'"{heading}"' for heading in HEADINGS),
        '"H","String","HH:MM:SS","Number","Number","Number","Number"',
    ]
    path = folder / name
    path.write_text("\n".join([*head, *rows, f'"T","{len(rows)} lines"']))
    return path


def time_reading(repeats: int) -> dict[str, float]:
    """Time one location out of the day: by our reader, and by pandas, which only splits the rows.

    Parameters
    ----------
    repeats : int
        Times that each is timed, in turn.

    Returns
    -------
    dict
        Medians ``reading`` and ``reading_pandas`` [s].
    """
    times: dict[str, list[float]] = {"reading": [], "reading_pandas": []}
    with TemporaryDirectory() as folder:
        files = write_five_minute_day(Path(folder))
        for _ in range(repeats):
            times["reading"].append(seconds(partial(read_series, files, location=WANTED)))
            times["reading_pandas"].append(seconds(partial(_split_rows, files)))
    return {name: float(median(took)) for name, took in times.items()}


def _split_rows(files: Sequence[Path]) -> pd.DataFrame:
    names = ["kind", *HEADINGS]
    # The last row holds a text where the others hold the location.
    types = {"Location ID": str}
    return pd.concat([pd.read_csv(file, skiprows=6, names=names, dtype=types) for file in files])
