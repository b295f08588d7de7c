"""From a table to checked blocks of numbers: one quantity, one market, many locations."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.market.isone.columns import IDS, Measure, Roles, find_roles, plain
from dlmp_cosim.market.isone.places import find_place
from dlmp_cosim.market.isone.series import FloatArray, IntArray, Quantity
from dlmp_cosim.market.isone.table import Table, numbers
from dlmp_cosim.market.isone.times import Times, read_times

SUM_TOLERANCE = 0.02
"""Largest difference between a price and the sum of its parts [$/MWh], and of a load [MW]."""
RANKS = {"real_time_final": 2, "real_time": 1, "real_time_preliminary": 0}
"""Which settlement of the same real-time price wins; every other market ranks 2."""

_DAY_AHEAD = re.compile(r"day[-_ ]ahead|dalmp", re.ASCII)
_REAL_TIME = re.compile(r"real[-_ ]time|five[-_ ]minute|fivemin|5[-_ ]?min|lmp_rt|rt_lmp", re.ASCII)
_TOKEN = re.compile(r"[a-z]+|\d+", re.ASCII)


@dataclass(frozen=True, eq=False)
class Block:
    """Rows of one quantity and market out of one table.

    Attributes
    ----------
    quantity : {"lmp", "load"}
        What it measures.
    market : str
        As in `Series`.
    source, layout : str
        File and what it is.
    step_s : int
        Interval length [s].
    keys : ndarray of str, shape (n,)
        Location of every row: number, else name; empty when the file does not say.
    start : ndarray of int64, shape (n,)
        Interval starts [s UTC].
    values : ndarray of float64, shape (n, 4)
        Value, energy, congestion, loss; nan where the file has no parts.
    names : dict
        Name of each location number, where the file gives both.
    derived, warnings : tuple of str
        As in `Series`.
    """

    quantity: Quantity
    market: str
    source: str
    layout: str
    step_s: int
    keys: npt.NDArray[np.str_]
    start: IntArray
    values: FloatArray
    names: dict[str, str]
    derived: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def rank(self) -> int:
        """Precedence over another block that has the same interval."""
        return RANKS.get(self.market, 2)


def read_blocks(table: Table) -> list[Block]:
    """Return the blocks of `table`, none when it has no rows.

    Raises
    ------
    InputError
        When the columns are not those of prices or demand, or a cell cannot be trusted.
    """
    roles = find_roles(table.columns)
    if not roles.measures:
        raise InputError(
            f"no column holds a price or a demand ({table.layout})",
            where=f"{table.source} header",
            expected="such as 'Locational Marginal Price', 'LMP', 'Total Load'",
        )
    if not table.rows:
        return []
    keys, names = _locations(table, roles)
    times = read_times(table, roles, keys)
    warnings = _load_warnings(table)
    return [
        block
        for measure in roles.measures
        for block in _measure_blocks(table, roles, measure, times, keys, names, warnings)
    ]


def _locations(table: Table, roles: Roles) -> tuple[list[str], dict[str, str]]:
    """Return the location key of every row, and the names of numbered locations."""
    kind = roles.measures[0].quantity
    if roles.id is None and roles.name is None:
        key = find_place(table.place, kind).key if table.place else ""
        return [key] * len(table.rows), {}
    cells = {(_cell(row, roles.id), _cell(row, roles.name)) for row in table.rows}
    keys = {cell: _place_key(table, cell, kind) for cell in cells}
    names = {keys[cell]: cell[1] for cell in sorted(cells) if cell[0] and cell[1]}
    return [keys[_cell(row, roles.id), _cell(row, roles.name)] for row in table.rows], names


def _cell(row: Sequence[str], column: int | None) -> str:
    return "" if column is None else row[column]


def _place_key(table: Table, cell: tuple[str, str], kind: str) -> str:
    number, name = re.sub(r"\.0$", "", cell[0]), cell[1]
    named = find_place(name, kind)
    if number and not number.isdigit() and not name:
        return find_place(number, kind).key
    if not number:
        return named.key
    if not (number.isascii() and number.isdigit()) or (named.id and named.id != number):
        raise InputError(
            f"location {number!r} is not {name!r}",
            where=f"{table.source} {IDS[0]}",
            expected=f"{named.id or 'a number'} for {name!r}",
        )
    return number


def _measure_blocks(
    table: Table,
    roles: Roles,
    measure: Measure,
    times: Times,
    keys: Sequence[str],
    names: dict[str, str],
    warnings: tuple[str, ...],
) -> Iterator[Block]:
    columns = (measure.value, *measure.parts)
    values = np.full((times.rows.size, 4), np.nan)
    for at, column in enumerate(columns):
        values[:, at] = numbers(table, column)[times.rows]
    here = np.array(_keys_for(table, measure, keys), dtype=np.str_)[times.rows]
    markets = np.array(_markets(table, roles, measure), dtype=np.str_)[times.rows]
    found, lost = _present(values[:, : len(columns)])
    notes = (*table.warnings, *times.warnings, *warnings, *_lost(table, measure, lost))
    for market in sorted(set(markets[found].tolist())):
        chosen = found & (markets == market)
        derived = (*table.derived, *times.derived, *_market_note(table, roles, measure, market))
        more = check_parts(values[chosen], table, measure)
        yield Block(
            measure.quantity,
            market,
            table.source,
            table.layout,
            times.step_s,
            here[chosen],
            times.start[chosen],
            values[chosen],
            names,
            derived,
            (*notes, *more),
        )


def _keys_for(table: Table, measure: Measure, keys: Sequence[str]) -> Sequence[str]:
    if not table.place:
        return keys
    return [find_place(table.place, measure.quantity).key] * len(keys)


def _present(values: FloatArray) -> tuple[npt.NDArray[np.bool_], int]:
    found = np.asarray(np.isfinite(values).all(axis=1))
    return found, int(np.count_nonzero(~found))


def _lost(table: Table, measure: Measure, lost: int) -> tuple[str, ...]:
    return (f"{lost} rows without {table.columns[measure.value]} left out",) if lost else ()


def check_parts(values: FloatArray, table: Table, measure: Measure) -> tuple[str, ...]:
    """Compare prices with the sum of their parts and return a warning when some differ.

    Parameters
    ----------
    values : ndarray, shape (n_row, 1 + n_part)
        Price, then energy, congestion and loss [$/MWh].
    table : Table
        Where they are from, for messages.
    measure : Measure
        The column of the price; without parts there is nothing to compare.

    Raises
    ------
    InputError
        When more than one row in ten differs: then the columns are not what their names say.
    """
    if not measure.parts or not len(values):
        return ()
    off = np.abs(values[:, 0] - values[:, 1:].sum(axis=1))
    bad = int((off > SUM_TOLERANCE + 1e-9).sum())
    if bad > max(1, len(values) // 10):
        raise InputError(
            f"{bad} of {len(values)} prices differ from the sum of their parts: up to {off.max():.2f} $/MWh",
            where=f"{table.source} {table.columns[measure.value]}",
            expected=f"at most {SUM_TOLERANCE} $/MWh",
        )
    text = f"{bad} prices differ from the sum of their parts: up to {off.max():.2f} $/MWh"
    return (text,) if bad else ()


def _load_warnings(table: Table) -> tuple[str, ...]:
    """Check that total load is native load plus storage charging, where a file gives all three."""
    names = [plain(name) for name in table.columns]
    groups = (("total load", "loadmw"), ("native load", "nativeload"), ("asset related load", "arddemand"))
    found = [next((names.index(name) for name in group if name in names), None) for group in groups]
    columns = [column for column in found if column is not None]
    if len(columns) < 3:
        return ()
    total, native, storage = (numbers(table, column) for column in columns)
    off = np.abs(total - native - storage)
    bad = int((off > SUM_TOLERANCE).sum())
    text = f"{bad} total loads differ from native + asset related load, by up to {np.nanmax(off):.2f} MW"
    return (text,) if bad else ()


def _markets(table: Table, roles: Roles, measure: Measure) -> list[str]:
    if measure.market not in ("", "unstated"):
        return [measure.market] * len(table.rows)
    if measure.quantity == "load":
        return [table.market or "unstated"] * len(table.rows)
    if roles.market is None:
        return [_table_market(table)] * len(table.rows)
    texts = table.texts(roles.market)
    known = {text: market_in(text) for text in set(texts)}
    return [known[text] for text in texts]


def _table_market(table: Table) -> str:
    stated = market_in(table.hints)
    from_name = market_in(table.source_hints, loose=True)
    if stated == "unstated" or (stated == "real_time" and from_name.startswith("real_time")):
        return from_name
    return stated


def _market_note(table: Table, roles: Roles, measure: Measure, market: str) -> tuple[str, ...]:
    bare = measure.quantity == "lmp" and not measure.market and roles.market is None
    if bare and market != market_in(table.hints):
        return (f"market {market} taken from the file's name or folder",)
    return ()


def market_in(text: str, *, loose: bool = False) -> str:
    """Return the price market in `text`, or ``unstated``; `loose` also accepts bare ``da`` and ``rt``.

    Parameters
    ----------
    text : str
        A file's title, a comment or a name, in any case.
    loose : bool
        Whether the bare abbreviations count, as in names of files.
    """
    lower = text.lower()
    tokens = set(_TOKEN.findall(lower))
    if _DAY_AHEAD.search(lower) or (loose and "da" in tokens):
        return "day_ahead"
    if not (_REAL_TIME.search(lower) or (loose and "rt" in tokens)):
        return "unstated"
    if "final" in tokens:
        return "real_time_final"
    return "real_time_preliminary" if tokens & {"prelim", "preliminary"} else "real_time"
