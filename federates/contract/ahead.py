"""The terms over time of an offer, as JSON and back."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, asdict, fields
from typing import Any, Final, TypeVar

from dlmp_cosim.federates.contract.limits import sound_number
from dlmp_cosim.feeders.errors import nearest_name
from dlmp_cosim.market.horizon.terms import Ahead, Comfort, Later, Owed, Ramp, Rebound, Session, Store

Term = TypeVar("Term", Store, Session, Rebound, Ramp, Comfort, Owed)

TERMS: Final = {"store": Store, "sessions": Session, "rebound": Rebound, "ramp": Ramp, "comfort": Comfort}
"""Terms by the name that an offer gives them; `later` stands beside them."""
_LISTED = 10_000
"""Entries that a list may have."""


def ahead_row(ahead: Ahead) -> dict[str, Any]:
    """Write terms as a JSON object; what says nothing is left out."""
    row = {name: value for name, value in asdict(ahead).items() if value is not None}
    row["later"] = {name: values for name, values in row["later"].items() if values}
    if not row["later"]:
        del row["later"]
    if ahead.rebound is not None and math.isnan(ahead.rebound.end_value):
        del row["rebound"]["end_value"]
    return row


def read_ahead(value: Any) -> Ahead:
    """Read the terms of an offer; ValueError says what is wrong with them.

    Parameters
    ----------
    value : object
        What an offer says under ``ahead``, as JSON gives it.
    """
    table = _table("ahead", value, (*TERMS, "later"))
    parts: dict[str, Any] = {
        name: _term(name, kind, table[name])
        for name, kind in TERMS.items()
        if name in table and name not in ("sessions", "rebound")
    }
    if "sessions" in table:
        parts["sessions"] = _each("sessions", table["sessions"], lambda at, row: _term(at, Session, row))
    if "rebound" in table:
        parts["rebound"] = _rebound(table["rebound"])
    if "later" in table:
        lists = _table("later", table["later"], _names(Later))
        rows = {name: _each(f"later.{name}", row, sound_number) for name, row in lists.items()}
        parts["later"] = Later(**rows)
    return Ahead(**parts)


def _rebound(value: Any) -> Rebound:
    """Read a rebound, whose `owed` is a list."""
    table = _table("rebound", value, _names(Rebound))
    owed = _each("rebound.owed", table.pop("owed", []), lambda at, row: _term(at, Owed, row))
    numbers: dict[str, Any] = {name: sound_number(f"rebound.{name}", item) for name, item in table.items()}
    _check_complete("rebound", Rebound, numbers)
    return Rebound(**numbers, owed=owed)


def _term(where: str, kind: type[Term], value: Any) -> Term:
    """Read a term whose fields are numbers."""
    table = _table(where, value, _names(kind))
    numbers: dict[str, Any] = {name: sound_number(f"{where}.{name}", item) for name, item in table.items()}
    _check_complete(where, kind, numbers)
    return kind(**numbers)


def _check_complete(where: str, kind: type[Any], given: Mapping[str, Any]) -> None:
    needed = {field.name for field in fields(kind) if field.default is MISSING}
    missing = sorted(needed - set(given))
    if missing:
        raise ValueError(f"{where} lacks {', '.join(missing)}")


def _names(kind: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


def _table(where: str, value: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """Take a JSON object with no key but `names`."""
    if not isinstance(value, dict):
        raise ValueError(f"{where} is not a JSON object")
    for name in value:
        if name not in names:
            near = nearest_name(str(name), names)
            hint = f", did you mean {near!r}?" if near else f"; expected one of {', '.join(names)}"
            raise ValueError(f"{where} has unknown field {str(name)[:80]!r}{hint}")
    return dict(value)


def _each(where: str, value: Any, read: Callable[[str, Any], Any]) -> tuple[Any, ...]:
    """Read every entry of a list."""
    if not isinstance(value, list) or len(value) > _LISTED:
        raise ValueError(f"{where} is not a list of at most {_LISTED} entries")
    return tuple(read(f"{where}[{k}]", item) for k, item in enumerate(value))
