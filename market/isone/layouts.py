"""Layouts that the reader knows, and what to say of a file in another."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.market.isone.columns import find_roles, plain

LAYOUTS: dict[str, str] = {
    "ISO-NE report": '"C" comments, "H" headings, "D" rows and "T" their count',
    "SMD hourly sheet": "Date, Hr_End, DA_LMP, DA_EC, DA_CC, DA_MLC, RT_LMP, RT_EC, RT_CC, RT_MLC, RT_Demand",
    "chart export": "BeginDate, Type, Mw",
    "gridstatus table": "Interval Start, Interval End, Market, Location, LMP, Energy, Congestion, Loss",
    "time and value": "Time, Price or Load",
    "EEI fixed width": "MMDDYYYY, 1 or 2, and 12 hourly loads",
}
"""What each is called, and how it looks."""
SEEN = 80
"""Characters of a foreign heading that a message repeats."""


def unknown_layout(header: Sequence[str], where: str) -> InputError | None:
    """Build the error for a table whose columns say neither when nor how much; None when they do.

    Parameters
    ----------
    header : sequence of str
        Its first row.
    where : str
        File and line.
    """
    roles = find_roles(header)
    timed = roles.stamps or roles.end is not None or roles.date is not None or roles.clock is not None
    if roles.measures and timed:
        return None
    lacks = "the time" if roles.measures else "a price or a demand"
    seen = ", ".join(header)
    seen = seen if len(seen) <= SEEN else f"{seen[:SEEN]}..."
    nearest = nearest_layout(header)
    return InputError(
        f"the layout is unknown: no column holds {lacks}; it begins with {seen!r}",
        where=where,
        expected="one of " + "; ".join(f"{name} ({looks})" for name, looks in LAYOUTS.items()),
        nearest=nearest,
    )


def nearest_layout(header: Sequence[str]) -> str:
    """Name the layout whose columns are called most alike; empty when none shares a name."""
    mine = [plain(name) for name in header]

    def alike(name: str) -> int:
        theirs = [plain(column) for column in LAYOUTS[name].split(",")]
        return sum(bool(difflib.get_close_matches(column, theirs, n=1, cutoff=0.8)) for column in mine)

    best = max(LAYOUTS, key=alike)
    return best if alike(best) else ""
