"""The one reader: any ISO New England price or demand file in, one checked series out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.market.isone.assemble import Request, assemble
from dlmp_cosim.market.isone.blocks import Block, read_blocks
from dlmp_cosim.market.isone.clock import parse_date
from dlmp_cosim.market.isone.columns import find_roles
from dlmp_cosim.market.isone.places import KNOWN, Place, find_place
from dlmp_cosim.market.isone.series import UNITS, Quantity, Series
from dlmp_cosim.market.isone.sources import Source, as_sources, is_frame, read_tables
from dlmp_cosim.market.isone.table import Table


def read_series(
    paths: Source | Iterable[Source],
    *,
    quantity: Quantity = "lmp",
    location: str | int | None = None,
    market: str | None = None,
    day: date | str | None = None,
) -> Series:
    """Read prices or demand at one location from one file or several.

    Parameters
    ----------
    paths : path, pandas.DataFrame, or several of them
        The files, in any of the formats; what each is follows from its content.
    quantity : {"lmp", "load"}
        Price [$/MWh] or demand [MW].
    location : str or int, optional
        Number (4008), name (``.Z.NEMASSBOST``) or short name (``NEMA``). None accepts the only location in
        the files. A file that states no location is taken to be of this one, which ``derived`` records.
    market : str, optional
        ``real_time`` (final preferred to preliminary), ``real_time_final``, ``real_time_preliminary``,
        ``day_ahead``; for demand ``total``, ``native``, ``system``, ``zonal_estimate`` too. None takes real
        time, total, system, zonal estimate, unstated, day ahead, native, whichever is there first.
    day : datetime.date or str, optional
        Eastern day to keep, such as ``2020-08-25``.

    Returns
    -------
    Series
        Ascending, without duplicates. Gaps are listed, not filled.

    Raises
    ------
    InputError
        When a file cannot be used, holds nothing or more than one thing of what was asked for, or contradicts
        itself or another.
    """
    if quantity not in UNITS:
        raise InputError(f"unknown quantity {quantity!r}", where="quantity", expected="'lmp' or 'load'")
    sources = as_sources(paths)
    place = None if location is None else _place(sources, str(location), quantity)
    try:
        return _read(sources, Request(quantity, place, market, _day(day)), place)
    except InputError:
        if place is None:
            raise
    return _read(sources, Request(quantity, place, market, _day(day)), None)


def _read(sources: Sequence[Source], request: Request, keep: Place | None) -> Series:
    blocks: list[Block] = []
    notes: list[str] = []
    for source in sources:
        for table in read_tables(source, place=keep, quantity=request.quantity):
            blocks += read_blocks(table)
            if not table.rows:
                notes += [f"{table.source}: {text}" for text in (*table.warnings, "no rows of the location")]
    return assemble(blocks, request, source_names(sources), notes)


def _day(day: date | str | None) -> date | None:
    if day is None or isinstance(day, date):
        return day
    parsed = parse_date(str(day))
    if parsed is None:
        raise InputError(f"{day!r} is not a date", where="day", expected="YYYY-MM-DD")
    return parsed


def _place(sources: Sequence[Source], text: str, quantity: Quantity) -> Place:
    """Return the place that `text` means; a network node's number is looked up in the files by its name."""
    place = find_place(text, quantity)
    if place.id or len(sources) < 2:
        return place
    for source in sources:
        for table in read_tables(source, place=place, quantity=quantity):
            found = _lookup(table, place.name)
            if found is not None:
                return found
    return place


def _lookup(table: Table, name: str) -> Place | None:
    roles = find_roles(table.columns)
    if roles.id is None or roles.name is None:
        return None
    for block in read_blocks(table)[:1]:
        for key, other in block.names.items():
            if other.upper() == name and key not in KNOWN:
                return Place(key, other)
    return None


def source_names(sources: Sequence[Source]) -> str:
    """Return what was read, for a message: the first file and how many more."""
    first = "DataFrame" if is_frame(sources[0]) else str(sources[0])
    return first if len(sources) == 1 else f"{first} and {len(sources) - 1} more"
