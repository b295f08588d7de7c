"""Which column of a file holds what: one list of names for every layout."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from dlmp_cosim.market.isone.series import Quantity

STAMPS = (
    "interval start utc",
    "ts utc",
    "interval start",
    "interval start local",
    "ts local",
    "begindate",
    "interval begin date",
    "date/time",
    "datetime",
    "timestamp",
    "interval begin",
    "start",
    "time",
)
ENDS = ("interval end utc", "interval end", "interval end local")
DATES = ("date", "day")
HOURS = ("hour ending", "hr end", "he")
CLOCKS = ("local time",)
IDS = ("location id", "locid", "load zone id", "zone id")
NAMES = ("location name", "location", "load zone name", "zone name", "zone")
ENERGY = ("energy component", "energycomponent", "energy")
CONGESTION = ("congestion component", "congestioncomponent", "congestion")
LOSS = ("marginal loss component", "loss component", "losscomponent", "loss")

PRICES = ("locational marginal price", "lmptotal", "lmp", "price")
SMD_PARTS = {"da": "day_ahead", "rt": "real_time"}
LOADS = {
    "total load": "total",
    "loadmw": "total",
    "native load": "native",
    "nativeload": "native",
    "da demand": "day_ahead",
    "rt demand": "real_time",
    "system load": "system",
    "estimated load mw": "zonal_estimate",
    "load mw": "unstated",
    "load": "unstated",
    "demand": "unstated",
    "mw": "unstated",
}


@dataclass(frozen=True)
class Measure:
    """One price or demand column of a table.

    Attributes
    ----------
    quantity : {"lmp", "load"}
        What it measures.
    market : str
        Market that the column name states; empty when the name does not say.
    value : int
        Its column.
    parts : tuple of int
        Columns of energy, congestion and loss, or nothing.
    """

    quantity: Quantity
    market: str
    value: int
    parts: tuple[int, ...] = ()


@dataclass(frozen=True)
class Roles:
    """Columns of a table by what they hold; None where there is no such column."""

    stamps: tuple[int, ...]
    end: int | None
    date: int | None
    hour: int | None
    clock: int | None
    id: int | None
    name: int | None
    market: int | None
    measures: tuple[Measure, ...]


def plain(name: str) -> str:
    """Return a column name without case, underscores, and repeated blanks."""
    return re.sub(r"[\s_]+", " ", name).strip().lower()


def find_roles(columns: Sequence[str]) -> Roles:
    """Return what the `columns` hold."""
    names = [plain(name) for name in columns]
    where = {name: at for at, name in reversed(list(enumerate(names)))}

    def first(choices: Sequence[str]) -> int | None:
        return next((where[name] for name in choices if name in where), None)

    return Roles(
        stamps=tuple(where[name] for name in STAMPS if name in where),
        end=first(ENDS),
        date=first(DATES),
        hour=first(HOURS),
        clock=first(CLOCKS),
        id=first(IDS),
        name=first(NAMES),
        market=first(("market",)),
        measures=(*_prices(where), *_loads(where)),
    )


def _prices(where: dict[str, int]) -> list[Measure]:
    measures = []
    for prefix, market in SMD_PARTS.items():
        if f"{prefix} lmp" in where:
            parts = [where.get(f"{prefix} {part}") for part in ("ec", "cc", "mlc")]
            measures.append(_price(market, where[f"{prefix} lmp"], parts))
    value = next((where[name] for name in PRICES if name in where), None)
    if value is not None:
        parts = [_first(where, names) for names in (ENERGY, CONGESTION, LOSS)]
        measures.append(_price("", value, parts))
    return measures


def _first(where: dict[str, int], names: Sequence[str]) -> int | None:
    return next((where[name] for name in names if name in where), None)


def _price(market: str, value: int, parts: Sequence[int | None]) -> Measure:
    found = tuple(part for part in parts if part is not None)
    return Measure("lmp", market, value, found if len(found) == 3 else ())


def _loads(where: dict[str, int]) -> list[Measure]:
    return [Measure("load", market, where[name]) for name, market in LOADS.items() if name in where]
