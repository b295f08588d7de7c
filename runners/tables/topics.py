"""Topics of a run as tables: one value for each interval and place, or one for each place over the run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from dlmp_cosim.federates.contract.topics import TOPICS, find_topic
from dlmp_cosim.federates.recorder import AUDIT_TOPICS
from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.feeders.errors import InputError, ResultsError, nearest_name
from dlmp_cosim.feeders.network import FloatArray
from dlmp_cosim.runners.judge.ledger import GROUP, account_for, columns
from dlmp_cosim.runners.tables.columns import Column, arrow_table

REDUCTIONS: dict[str, Callable[..., FloatArray]] = {
    "mean": np.mean,
    "sum": np.sum,
    "min": np.min,
    "max": np.max,
}
"""How a topic may be summed up over the intervals of a run."""
SETTLEMENT = (
    *(
        f"{GROUP}/{kind}_{part}"
        for kind in ("load", "generation", "flexible")
        for part in ("real", "reactive", "energy", "account")
    ),
    f"{GROUP}/wholesale",
    f"{GROUP}/net_revenue",
    *(
        f"{GROUP}/parts/{part}"
        for part in ("loss_collected", "loss_cost", "voltage", "congestion", "reactive", "curtailment", "net")
    ),
)
"""Keys of a settlement, which is computed when asked for."""
KEYS = (*(t.key for t in (*TOPICS, *AUDIT_TOPICS) if t.type != "string"), *SETTLEMENT)
"""Topics that have numbers."""


@dataclass(frozen=True)
class Quantity:
    """Numbers of one topic over a run.

    Attributes
    ----------
    key : str
        Topic.
    unit, meaning, kind : str
        Its unit, one line for people, and what its second axis lists; empty for a scalar.
    ids : tuple of str
        Names along the second axis.
    values : ndarray, shape (n,) or (n, n_ids)
        The numbers.
    """

    key: str
    unit: str
    meaning: str
    kind: str
    ids: tuple[str, ...]
    values: FloatArray

    @property
    def columns(self) -> FloatArray:
        """The numbers with a second axis in any case, shape (n, n_ids or 1)."""
        return self.values if self.values.ndim > 1 else self.values[:, np.newaxis]


def read_quantity(run: Results, key: str) -> Quantity:
    """Read a topic of a run, or settle the run and take a part of that.

    Parameters
    ----------
    run : Results
        The run.
    key : str
        Key of a topic, or ``settlement/`` with a part of the settlement.

    Raises
    ------
    ResultsError
        When the file has no such topic.
    InputError
        When there is no such part of a settlement.
    """
    if key.startswith(f"{GROUP}/"):
        return _settled(run, key)
    topic = find_topic(key) or next((item for item in AUDIT_TOPICS if item.key == key), None)
    values = run.values(key)
    if topic is None:
        return Quantity(key, "", "", "", (), values)
    return Quantity(key, topic.unit, topic.meaning, topic.ids, run.ids(key), values)


def _settled(run: Results, key: str) -> Quantity:
    settlement = account_for(run).settlement
    name = key.removeprefix(f"{GROUP}/")
    if settlement is None or key not in SETTLEMENT:
        raise InputError(
            f"no {key!r}", where=str(run.path), expected="a part of the settlement of a market",
            nearest=nearest_name(key, SETTLEMENT),
        )  # fmt: skip
    column = next(item for item in columns(settlement) if item.key == name)
    network = run.network
    ids = {"": (), "node": network.node_ids, "load": network.load_ids, "resource": network.resource_ids}
    return Quantity(key, column.unit, column.meaning, column.ids, tuple(ids[column.ids]), column.values)


def check_topic(text: str, *, where: str) -> tuple[str, str]:
    """Split ``topic:reduction`` and return both; the reduction is empty when there is none.

    Parameters
    ----------
    text : str
        What a user wrote.
    where : str
        Option or key, for the message.

    Raises
    ------
    InputError
        When either is unknown, with the nearest name.
    """
    key, _, how = text.partition(":")
    if how and how not in REDUCTIONS:
        raise InputError(
            f"unknown reduction {how!r}", where=where, expected=f"one of {', '.join(REDUCTIONS)}",
            nearest=nearest_name(how, REDUCTIONS),
        )  # fmt: skip
    if key not in KEYS:
        raise InputError(
            f"{key!r} is no topic with numbers", where=where, expected="a topic such as market/dlmp_real",
            nearest=nearest_name(key, KEYS),
        )  # fmt: skip
    return key, how


def long_table(run: Results, key: str, how: str = "", labels: Mapping[str, int] | None = None) -> pa.Table:
    """Write a topic with a row for each interval and place.

    Parameters
    ----------
    run : Results
        The run.
    key : str
        Topic.
    how : str, optional
        One of `REDUCTIONS`, over the intervals; every interval by default.
    labels : mapping of str to int, optional
        Columns that are the same in every row, such as the number of the run.

    Raises
    ------
    ResultsError
        When there is no such topic, or no interval to sum up.
    """
    quantity = read_quantity(run, key)
    values = quantity.columns
    if how and not len(values):
        raise ResultsError(f"{run.path}: no interval of {run.expected} finished: nothing to sum up")
    if how:
        values = REDUCTIONS[how](values, axis=0)[np.newaxis]
    count, width = values.shape
    heads = [Column(name, "integer") for name in labels or {}]
    cells: dict[str, Any] = {name: np.full(count * width, number) for name, number in (labels or {}).items()}
    if not how:
        heads.append(Column("time", "time", "", "start of the interval"))
        cells["time"] = np.repeat(run.time, width).astype("datetime64[s]").astype("datetime64[us]")
    if quantity.kind:
        heads.append(Column(quantity.kind, "text", "", f"name of the {quantity.kind}"))
        cells[quantity.kind] = np.tile(np.array(quantity.ids, dtype=object), count)
    meaning = quantity.meaning + (f", {how} over the run" if how else "")
    heads.append(Column("value", "number", quantity.unit, meaning))
    cells["value"] = values.ravel()
    return arrow_table(heads, cells, {"topic": quantity.key, "reduction": how})


def wide_table(run: Results, keys: Sequence[str]) -> pa.Table:
    """Write topics with a row for each interval and a column for each place.

    Parameters
    ----------
    run : Results
        The run.
    keys : sequence of str
        Topics; columns of one with places are called ``<topic>/<place>``.
    """
    heads = [Column("time", "time", "", "start of the interval")]
    cells: dict[str, Any] = {"time": run.time.astype("datetime64[s]").astype("datetime64[us]")}
    for key in keys:
        quantity = read_quantity(run, key)
        values = quantity.columns
        for k, name in enumerate([f"{key}/{place}" for place in quantity.ids] if quantity.kind else [key]):
            heads.append(Column(name, "number", quantity.unit, quantity.meaning))
            cells[name] = values[:, k]
    return arrow_table(heads, cells, {"study": str(run.scenario["study"]["name"])})


def scalar_keys(run: Results) -> list[str]:
    """Topics that have one number an interval, and those of the settlement of a market."""
    known = [topic.key for topic in (*TOPICS, *AUDIT_TOPICS) if topic.type == "double"]
    settled = [key for key in SETTLEMENT if "/parts/" in key or key.endswith(("wholesale", "net_revenue"))]
    market = account_for(run).settlement is not None
    return [*(key for key in known if key in run), *(settled if market else ())]
