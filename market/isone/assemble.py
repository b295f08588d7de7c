"""Join the blocks of several files into one series: choose, drop duplicates, list gaps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from dlmp_cosim.feeders.errors import InputError, nearest_name, unknown_name
from dlmp_cosim.market.isone.blocks import Block
from dlmp_cosim.market.isone.clock import day_length, day_start, eastern_day, eastern_text
from dlmp_cosim.market.isone.places import KNOWN, Place
from dlmp_cosim.market.isone.series import UNITS, FloatArray, IntArray, Quantity, Series, find_gaps

PREFERENCE = ("real_time", "total", "system", "zonal_estimate", "unstated", "day_ahead", "native")
"""Market taken when the caller names none and the files hold several."""
_UNSTATED = ("location stated by the request, not by the file",)
SAME = 1e-9
"""Values closer than this are the same row written twice."""


@dataclass(frozen=True)
class Request:
    """What to take out of the files.

    Attributes
    ----------
    quantity : {"lmp", "load"}
        Price or demand.
    place : Place or None
        Location; None accepts the only one in the files.
    market : str or None
        Market; None takes the first of real time, total, system, zonal estimate, day ahead, native.
        ``real_time`` means final rows where there are any, else preliminary ones.
    day : datetime.date or None
        Eastern day to keep; None keeps all.
    """

    quantity: Quantity
    place: Place | None
    market: str | None
    day: date | None


@dataclass(frozen=True, eq=False)
class _Rows:
    start: IntArray
    values: FloatArray
    rank: IntArray
    source: IntArray


def assemble(
    blocks: Sequence[Block], request: Request, where: str = "files", notes: Sequence[str] = ()
) -> Series:
    """Return the series that `request` asks for.

    Parameters
    ----------
    blocks : sequence of Block
        What was read.
    request : Request
        What to take.
    where : str
        The files, for messages.
    notes : sequence of str
        Warnings about files that gave no block.

    Raises
    ------
    InputError
        When location, market, step or day leave nothing or more than one thing, or rows contradict.
    """
    chosen, assumed = _of_market(_of_quantity(blocks, request, where), request, where)
    place, chosen, more = _of_place(chosen, request, where)
    step = _one_step(chosen, where)
    rows = _stack(chosen, place)
    if request.day is not None:
        rows = _of_day(rows, request.day, step, where)
    rows, duplicates, superseded = _unique(rows, chosen)
    used = [chosen[at] for at in np.unique(rows.source)]
    begin, end = _span(rows, request.day)
    return Series(
        quantity=request.quantity,
        unit=UNITS[request.quantity],
        location=_name(place, used),
        location_id=place.id,
        market=_market(used),
        step_s=step,
        start=rows.start,
        values=rows.values[:, 0],
        **_parts(rows.values),
        derived=_merged((*(block.derived for block in used), assumed, more, _mixed(rows, chosen))),
        warnings=_merged((notes, *(_placed_warnings(block, len(blocks) > 1) for block in used))),
        sources=tuple(dict.fromkeys(block.source for block in used)),
        duplicates=duplicates,
        superseded=superseded,
        gaps=find_gaps(rows.start, step, begin, end),
    )


def _merged(groups: Iterable[Iterable[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for group in groups for text in group))


def _placed_warnings(block: Block, several: bool) -> tuple[str, ...]:
    return tuple(f"{block.source}: {text}" for text in block.warnings) if several else block.warnings


def _of_quantity(blocks: Sequence[Block], request: Request, where: str) -> list[Block]:
    found = [block for block in blocks if block.quantity == request.quantity]
    if not found:
        held = ", ".join(sorted({block.quantity for block in blocks})) or "no rows"
        raise InputError(f"no {request.quantity} in the files (they hold {held})", where=where)
    return found


def _of_market(blocks: list[Block], request: Request, where: str) -> tuple[list[Block], tuple[str, ...]]:
    have = list(dict.fromkeys(block.market for block in blocks))
    wanted = request.market or next(name for name in PREFERENCE if any(_is(market, name) for market in have))
    found = [block for block in blocks if _is(block.market, wanted)]
    if found:
        return found, ()
    bare = [block for block in blocks if block.market == "unstated"]
    if bare:
        return bare, (f"market {wanted} stated by the request, not by the file",)
    raise unknown_name("market", wanted, have, where=where)


def _is(market: str, wanted: str) -> bool:
    return market == wanted or (wanted == "real_time" and market.startswith("real_time"))


def _of_place(
    blocks: list[Block], request: Request, where: str
) -> tuple[Place, list[Block], tuple[str, ...]]:
    keys = sorted({key for block in blocks for key in np.unique(block.keys).tolist()})
    names = {key: name for block in blocks for key, name in block.names.items()}
    if request.place is None:
        if len(keys) > 1:
            shown = ", ".join(_label(key, names) for key in keys[:12]) + (", ..." if len(keys) > 12 else "")
            raise InputError(
                f"{len(keys)} locations in the files", where=where, expected=f"location: one of {shown}"
            )
        return _known(keys[0], names), blocks, ()
    key = _match(request.place, keys, names)
    if key is not None:
        kept = [block for block in blocks if ((block.keys == key) | (block.keys == "")).any()]
        return _known(key, names), kept, _UNSTATED if "" in keys else ()
    if keys == [""]:
        return request.place, blocks, _UNSTATED
    raise _unknown_place(request.place, keys, names, where)


def _match(place: Place, keys: Sequence[str], names: dict[str, str]) -> str | None:
    if place.key in keys:
        return place.key
    return next(
        (key for key in keys if place.name and names.get(key, "").upper() == place.name.upper()), None
    )


def _known(key: str, names: dict[str, str]) -> Place:
    if key in KNOWN:
        return KNOWN[key]
    return Place(key, names.get(key, "")) if key.isdigit() else Place("", key)


def _label(key: str, names: dict[str, str]) -> str:
    place = _known(key, names)
    return f"{place.id} {place.name}".strip() or "unnamed"


def _unknown_place(place: Place, keys: Sequence[str], names: dict[str, str], where: str) -> InputError:
    labels = [_label(key, names) for key in keys if key]
    shown = ", ".join(labels[:8]) + (", ..." if len(labels) > 8 else "")
    spellings = {text: key for key in keys if key for text in _spellings(_known(key, names))}
    return InputError(
        f"no rows of location {place.label!r}",
        where=where,
        expected=f"one of {shown}",
        nearest=nearest_name(place.label.upper(), spellings),
    )


def _spellings(place: Place) -> tuple[str, ...]:
    return tuple(text for text in (place.id, place.name, *place.aliases) if text)


def _one_step(blocks: Sequence[Block], where: str) -> int:
    steps = sorted({block.step_s for block in blocks})
    if len(steps) > 1:
        shown = " and ".join(f"{step // 60} min" for step in steps)
        raise InputError(f"files of different steps: {shown}", where=where, expected="files of one step")
    return steps[0]


def _stack(blocks: Sequence[Block], place: Place) -> _Rows:
    masks = [(block.keys == place.key) | (block.keys == "") for block in blocks]
    start = np.concatenate([block.start[mask] for block, mask in zip(blocks, masks, strict=True)])
    values = np.concatenate([block.values[mask] for block, mask in zip(blocks, masks, strict=True)])
    sizes = [int(mask.sum()) for mask in masks]
    rank = np.repeat(np.array([block.rank for block in blocks], dtype=np.int64), sizes)
    source = np.repeat(np.arange(len(blocks), dtype=np.int64), sizes)
    return _Rows(start, values, rank, source)


def _take(rows: _Rows, index: IntArray) -> _Rows:
    return _Rows(rows.start[index], rows.values[index], rows.rank[index], rows.source[index])


def _of_day(rows: _Rows, day: date, step: int, where: str) -> _Rows:
    begin, end = day_start(day), day_start(day) + day_length(day)
    index = np.flatnonzero((rows.start >= begin) & (rows.start < end))
    if not index.size:
        first, last = int(rows.start.min()), int(rows.start.max()) + step
        held = f"{eastern_text(first)} to {eastern_text(last)}"
        raise InputError(f"no rows on {day}", where=where, expected=f"a day within {held}")
    return _take(rows, index)


def _unique(rows: _Rows, blocks: Sequence[Block]) -> tuple[_Rows, int, int]:
    """Keep one row per interval: the highest rank, and within it only rows that agree."""
    rows = _take(rows, np.lexsort((rows.source, -rows.rank, rows.start)))
    same_time = np.flatnonzero(np.diff(rows.start) == 0)
    same_rank = same_time[rows.rank[same_time] == rows.rank[same_time + 1]]
    differ = np.abs(rows.values[same_rank] - rows.values[same_rank + 1])
    clash = same_rank[(np.nan_to_num(differ) > SAME).any(axis=1)]
    if clash.size:
        at = int(clash[0])
        sources = [blocks[rows.source[i]].source for i in (at, at + 1)]
        pair = " and ".join(f"{value:g}" for value in _first_difference(rows.values[at], rows.values[at + 1]))
        raise InputError(
            f"{pair} for the same interval {eastern_text(int(rows.start[at]))}",
            where=", ".join(dict.fromkeys(sources)),
            expected="one value for one interval",
        )
    keep = np.ones(rows.start.size, dtype=bool)
    keep[same_time + 1] = False
    return _take(rows, np.flatnonzero(keep)), int(same_rank.size), int(same_time.size - same_rank.size)


def _first_difference(one: FloatArray, two: FloatArray) -> tuple[float, float]:
    at = int(np.nan_to_num(np.abs(one - two)).argmax())
    return float(one[at]), float(two[at])


def _span(rows: _Rows, day: date | None) -> tuple[int, int]:
    first = day or eastern_day(int(rows.start[0]))
    last = day or eastern_day(int(rows.start[-1]))
    return day_start(first), day_start(last) + day_length(last)


def _parts(values: FloatArray) -> dict[str, FloatArray]:
    if np.isnan(values[:, 1:]).any():
        return {}
    return {name: values[:, at].copy() for at, name in enumerate(("energy", "congestion", "loss"), 1)}


def _name(place: Place, blocks: Sequence[Block]) -> str:
    return place.name or next((block.names[place.id] for block in blocks if place.id in block.names), "")


def _market(blocks: Sequence[Block]) -> str:
    markets = {block.market for block in blocks}
    return markets.pop() if len(markets) == 1 else "real_time"


def _mixed(rows: _Rows, blocks: Sequence[Block]) -> tuple[str, ...]:
    counts = dict.fromkeys(sorted({block.market for block in blocks}), 0)
    for at, block in enumerate(blocks):
        counts[block.market] += int((rows.source == at).sum())
    counts = {name: count for name, count in counts.items() if count}
    if len(counts) < 2:
        return ()
    return ("rows of " + ", ".join(f"{count} {name}" for name, count in counts.items()),)
