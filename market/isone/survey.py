"""Say what files are and what is in them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import numpy as np

from dlmp_cosim.market.isone.assemble import Request, assemble
from dlmp_cosim.market.isone.blocks import Block, read_blocks
from dlmp_cosim.market.isone.places import HUB, KNOWN, ZONES, find_place
from dlmp_cosim.market.isone.reader import source_names
from dlmp_cosim.market.isone.series import Quantity, Series
from dlmp_cosim.market.isone.sources import Source, as_sources, read_tables
from dlmp_cosim.market.isone.table import Table

SHOWN = 12
"""Files with more locations show hub and zones only, else the first one."""


@dataclass(frozen=True)
class FileNote:
    """One file (or sheet).

    Attributes
    ----------
    source, layout : str
        File and what it is.
    rows : int
        Data rows.
    locations : int
        Locations in them.
    warnings : tuple of str
        What is suspicious.
    """

    source: str
    layout: str
    rows: int
    locations: int
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Survey:
    """Files and the series that they hold together.

    Attributes
    ----------
    files : tuple of FileNote
        In the order given, one per sheet of a workbook.
    series : tuple of Series
        One per quantity, market and location.
    hidden : int
        Locations that are there but not among `series`.
    """

    files: tuple[FileNote, ...]
    series: tuple[Series, ...]
    hidden: int


def survey(
    paths: Source | Iterable[Source], *, location: str | int | None = None, day: date | None = None
) -> Survey:
    """Read every quantity, market and location of the files, or those of one `location` or `day`.

    Parameters
    ----------
    paths : path, DataFrame or iterable of them
        Files to look at.
    location : str or int, optional
        Number or name of the one location to keep; all by default.
    day : datetime.date, optional
        Eastern date to keep; all by default.

    Raises
    ------
    InputError
        As `read_series`.
    """
    notes: list[FileNote] = []
    blocks: list[Block] = []
    sources = as_sources(paths)
    for source in sources:
        for table in read_tables(source):
            found = read_blocks(table)
            notes.append(_note(table, found))
            blocks += found
    where = source_names(sources)
    series: list[Series] = []
    hidden = 0
    for quantity, market in dict.fromkeys((block.quantity, _family(block.market)) for block in blocks):
        chosen = [b for b in blocks if b.quantity == quantity and _family(b.market) == market]
        places = _places(chosen) if location is None else _asked(chosen, str(location), quantity)
        hidden = max(hidden, len(_keys(chosen)) - len(places))
        series += [_series(chosen, quantity, market, place, day, where) for place in places]
    if not series and blocks:
        first = blocks[0]
        series = [_series(blocks, first.quantity, _family(first.market), str(location), day, where)]
    return Survey(tuple(notes), tuple(series), hidden)


def _note(table: Table, blocks: list[Block]) -> FileNote:
    warnings = dict.fromkeys([*table.warnings, *(text for block in blocks for text in block.warnings)])
    return FileNote(table.source, table.layout, table.seen, len(_keys(blocks)), tuple(warnings))


def _family(market: str) -> str:
    return "real_time" if market.startswith("real_time") else market


def _keys(blocks: list[Block]) -> list[str]:
    return sorted({key for block in blocks for key in np.unique(block.keys).tolist()})


def _places(blocks: list[Block]) -> list[str]:
    keys = _keys(blocks)
    if len(keys) <= SHOWN:
        return keys
    known = [place.id for place in (HUB, *ZONES) if place.id in keys]
    return known or keys[:1]


def _asked(blocks: list[Block], location: str, quantity: Quantity) -> list[str]:
    """Return the location when these blocks may have it; files that state none may."""
    place = find_place(location, quantity)
    names = {name.upper() for block in blocks for name in block.names.values()}
    return [location] if {place.key, ""} & set(_keys(blocks)) or place.name.upper() in names else []


def _series(
    blocks: list[Block], quantity: Quantity, market: str, place: str, day: date | None, where: str
) -> Series:
    wanted = KNOWN.get(place) or (find_place(place, quantity) if place else None)
    return assemble(blocks, Request(quantity, wanted, market, day), where)
