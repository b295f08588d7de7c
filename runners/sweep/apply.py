"""What an axis does to a study: keys of its scenario, columns and rows of its asset table."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from dlmp_cosim.feeders.errors import InputError, unknown_name
from dlmp_cosim.feeders.readers.assets import COLUMNS, OPTIONAL
from dlmp_cosim.feeders.readers.csv_table import plain_number, said_lines
from dlmp_cosim.runners.sweep.design import Change, quantile
from dlmp_cosim.runners.sweep.sweep_file import ASSETS, TOGETHER, Axis, split

Row = dict[str, str]
NAMED = re.compile(r"\{([^}]+)\}")
"""How a pattern stands for the value on an axis."""


def set_key(table: dict[str, Any], key: str, value: Any, axis: Axis | None, where: str) -> None:
    """Set or scale one key of a scenario, in place.

    A list of tables is entered by the name of one: ``owner.pv.settings.cost``.

    Parameters
    ----------
    table : dict
        The scenario as parsed.
    key : str
        Dotted key.
    value : object
        What to set it to, or the factor on what is there.
    axis : Axis or None
        Says how; None sets.
    where : str
        File and key, for messages.

    Raises
    ------
    InputError
        When a list has no table of a name, or there is no number to scale.
    """
    *path, last = split(key, where)
    inner: Any = table
    for part in path:
        if not isinstance(inner, dict | list):
            raise InputError(f"{key} leads beyond a value", where=where, expected="a key of the scenario")
        inner = _named(inner, part, where) if isinstance(inner, list) else inner.setdefault(part, {})
    if axis is not None and axis.how == "scale":
        there = inner.get(last) if isinstance(inner, dict) else None
        if isinstance(there, bool) or not isinstance(there, int | float):
            raise InputError(
                f"{key} is {there!r} in the base study", where=where, expected="a number there to scale"
            )
        value = there * value
    if isinstance(inner, list):
        raise InputError(f"{key} leads into a list", where=where, expected="the name of one of its tables")
    if not isinstance(inner, dict):
        raise InputError(f"{key} leads beyond a value", where=where, expected="a key of the scenario")
    inner[last] = value


def _named(tables: Sequence[Mapping[str, Any]], name: str, where: str) -> Any:
    names = {str(item.get("name")): item for item in tables if isinstance(item, Mapping)}
    if name not in names:
        raise unknown_name("table", name, names, where=where)
    return names[name]


class AssetTable:
    """The rows of an asset table, as texts that changes are made to.

    Parameters
    ----------
    text : str
        The table as it stands in its file, which `read_table` can read.
    """

    def __init__(self, text: str) -> None:
        lines = (line for _, line in said_lines(text.split("\n")))
        head, *rows = [[cell.strip() for cell in cells] for cells in csv.reader(lines)]
        self.columns = head
        self.rows: list[Row] = [dict(zip(head, row, strict=True)) for row in rows]

    def changed(
        self, changes: Sequence[tuple[Change, str, str]], labels: Mapping[str, object] | None = None
    ) -> str:
        """Write the table with changes made, each given with its column and where it is written.

        Parameters
        ----------
        changes : sequence of (Change, str, str)
            In order.
        labels : mapping of str to object, optional
            Values on the axes, which patterns may name as ``{axis}``.

        Raises
        ------
        InputError
            When a change names no column or no row, or a cell is no number.
        """
        rows = [dict(row) for row in self.rows]
        columns = list(self.columns)
        for change, column, where in changes:
            names = TOGETHER.get(column, (column,))
            if column and not set(names) <= {*COLUMNS, *OPTIONAL}:
                raise unknown_name("column", column, (*COLUMNS, *OPTIONAL, *TOGETHER), where=where)
            columns += [name for name in names if name and name not in columns]
            chosen = [k for k, row in enumerate(rows) if _meant(row, change.axis.where, labels or {}, where)]
            if not chosen:
                raise InputError(
                    "no row of the asset table is meant",
                    where=f"{where} where",
                    expected=f"rows with {change.axis.where}",
                )
            rows = _change(rows, chosen, change, column, where)
        out = io.StringIO()
        writer = csv.DictWriter(out, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return out.getvalue()


def _change(rows: list[Row], chosen: list[int], change: Change, column: str, where: str) -> list[Row]:
    axis, value = change.axis, change.keys[f"{ASSETS}.{column}" if column else ASSETS]
    if axis.how == "keep":
        return _thinned(rows, chosen, float(value), change.seed, where)
    names = TOGETHER.get(column, (column,))
    if axis.how == "total":
        value = _factor(float(value), sum(_number(rows[k], names[0], where) for k in chosen), names[0], where)
    values = _for_each(axis, change.seed, len(chosen)) if axis.each else [value] * len(chosen)
    for k, item in zip(chosen, values, strict=True):
        for name in names:
            if axis.how == "set":
                rows[k][name] = str(item)
            else:
                rows[k][name] = repr(_number(rows[k], name, where) * float(item))
    return rows


def _factor(total: float, there: float, column: str, where: str) -> float:
    """Factor that brings a sum to a total."""
    if not there and total:
        raise InputError(
            f"the cells of {column} sum to 0",
            where=where,
            expected=f"some that can be scaled to a total of {total:g}",
        )
    return total / there if there else 1.0


def _meant(
    row: Row, patterns: Mapping[str, str | list[str]], labels: Mapping[str, object], where: str
) -> bool:
    for column, pattern in patterns.items():
        if column not in row:
            raise unknown_name("column", column, row, where=f"{where} where")
        options = [pattern] if isinstance(pattern, str) else pattern
        named = [NAMED.sub(lambda found: str(labels.get(found[1], found[0])), item) for item in options]
        if not any(fnmatchcase(row[column], item) for item in named):
            return False
    return True


def _thinned(rows: list[Row], chosen: list[int], share: float, seed: Sequence[int], where: str) -> list[Row]:
    """Keep a share of the chosen rows, at least one, drawn at random; the same seed keeps the same first."""
    if not 0.0 < share <= 1.0:
        raise InputError(f"{share:g} is no share", where=where, expected="more than 0, at most 1")
    order = np.random.default_rng([*seed, 1]).permutation(len(chosen))
    kept = {chosen[int(k)] for k in order[: max(1, round(share * len(chosen)))]}
    return [row for k, row in enumerate(rows) if k not in chosen or k in kept]


def _for_each(axis: Axis, seed: Sequence[int], count: int) -> list[Any]:
    shares = np.random.default_rng([*seed, 2]).random(count)
    return [quantile(axis, float(share)) for share in shares]


def _number(row: Row, column: str, where: str) -> float:
    try:
        return plain_number(row[column])
    except (KeyError, ValueError):
        raise InputError(
            f"{column} of {row.get('resource')} is {row.get(column, '')!r}",
            where=where,
            expected="rows with a number there; say which with where",
        ) from None
