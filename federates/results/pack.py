"""Packing a results file: the same datasets, compressed, taking the old file's place at one stroke."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from dlmp_cosim.federates.contract.topics import find_topic
from dlmp_cosim.federates.results.guard import GuardedFile, writing
from dlmp_cosim.federates.results.layout import (
    EXPECTED,
    FINISHED,
    ID_KINDS,
    LONG_AXIS,
    LONG_MARK,
    LONG_TEXTS,
    create_long_axis,
    describe,
)
from dlmp_cosim.federates.results.lock import draft_of, held

LABELS = ("units", "long_name", "_Encoding")
_ROWS = {"f": 32, "i": 32, "S": 8}
"""Rows of a chunk, by kind of value."""
_PIECE = 2**20
_PLACE = re.compile(rf"{LONG_MARK}{LONG_TEXTS}\[(\d+):(\d+)\]".encode())


def long_place(row: bytes) -> tuple[int, int] | None:
    """Where in `LONG_TEXTS` the text of a row lies; None when the row holds it itself."""
    found = _PLACE.fullmatch(row)
    return (int(found[1]), int(found[2])) if found else None


def pack(path: Path, without: str = "") -> None:
    """Compress a results file that the caller holds.

    Parameters
    ----------
    path : Path
        The file; it is replaced when the packed one is whole.
    without : str
        Group that is left out.

    Raises
    ------
    ResultsError
        When there is no room, the folder cannot be written, or the file is not what it should be; it is as
        before then.
    """
    with writing(path), draft_of(path) as draft:
        _pack_into(draft, path, without)
        draft.replace(path)


@contextmanager
def rewritten(path: Path, without: str) -> Iterator[h5py.File]:
    """Open a packed copy of a results file for adding a group; it takes the file's place when all went well.

    Parameters
    ----------
    path : Path
        The file.
    without : str
        Group that the caller will write anew.

    Raises
    ------
    ResultsError
        When a run is writing it, it cannot be written, or it is not what it should be.
    """
    with writing(path), held(path), draft_of(path) as draft:
        _pack_into(draft, path, without)
        with h5py.File(draft, "r+") as file:
            yield file
        draft.replace(path)


def _pack_into(draft: Path, path: Path, without: str) -> None:
    source = GuardedFile(path)
    try:
        with h5py.File(draft, "w") as file:
            _copy(source, file, without)
    finally:
        source.close()


def _copy(source: GuardedFile, file: h5py.File, without: str) -> None:
    file.attrs[EXPECTED] = source.attribute(EXPECTED)
    _label(source, "/", file, ("title",))
    finished = source.number(FINISHED)
    # Every dataset is listed once, the axes of ids under either of their two names.
    keys = sorted({key.removeprefix("ids/") for key in source.names()})
    axes = {}
    for key in ("time", *ID_KINDS):
        axes[key] = _copy_dataset(source, file, key, source.dataset(key))
        axes[key].make_scale(key)
        if key != "time":
            file[f"ids/{key}"] = axes[key]
    axes["time"].attrs["period_s"] = source.attribute("period_s", "time")
    used = 0
    for key in keys:
        if key in ("time", *ID_KINDS, LONG_TEXTS, LONG_AXIS) or (without and key.startswith(f"{without}/")):
            continue
        old = source.dataset(key)
        width, end = _extent(old, finished) if old.dtype.kind == "S" and old.ndim == 1 else (0, 0)
        data = _copy_dataset(source, file, key, old, finished, width)
        _attach_axes(axes, key, data)
        used = max(used, end)
    _copy_long_texts(source, file, used)


def _extent(texts: Any, finished: int) -> tuple[int, int]:
    """Longest row of a dataset of texts, and first byte of `LONG_TEXTS` beyond what its rows point to."""
    longest, end = 1, 0
    for part in _parts(texts, finished):
        rows = texts[part].tolist()
        longest = max(longest, *map(len, rows))
        end = max(end, *(place[1] if (place := long_place(row)) else 0 for row in rows))
    return longest, end


def _parts(data: Any, rows: int) -> Iterator[slice]:
    """Rows of a dataset in pieces of a chunk."""
    step = _ROWS[data.dtype.kind]
    return (slice(first, min(first + step, rows)) for first in range(0, rows, step))


def _copy_dataset(
    source: GuardedFile, file: h5py.File, key: str, old: Any, rows: int | None = None, width: int = 0
) -> Any:
    """Copy a dataset, of one with a row per interval the finished rows alone, and no wider than its texts."""
    if old.shape == ():
        new = file.create_dataset(key, data=old[()], dtype=old.dtype)
    else:
        new = _create_rows(file, key, old, h5py.string_dtype("utf-8", width) if width else old.dtype)
        count = old.shape[0] if rows is None else rows
        if not width and 0 < count == old.shape[0] <= _ROWS[old.dtype.kind] and old.size:
            _copy_whole(old, new)
        else:
            for part in _parts(old, count):
                new[part] = old[part].astype(new.dtype)
    _label(source, key, new, LABELS, old)
    return new


def _copy_whole(old: Any, new: Any) -> None:
    """Copy the rows of one chunk, for less than by slices."""
    rows = np.empty(old.shape, dtype=old.dtype)
    old.id.read(h5py.h5s.ALL, h5py.h5s.ALL, rows)
    new.id.write(h5py.h5s.ALL, h5py.h5s.ALL, rows)


def _create_rows(file: h5py.File, key: str, old: Any, kind: Any) -> Any:
    number = old.dtype.kind == "f"
    extra: dict[str, Any] = {"fillvalue": np.nan} if number else {}
    if old.size:
        chunks = (min(old.shape[0], _ROWS[old.dtype.kind]), *old.shape[1:])
        extra |= {"chunks": chunks, "compression": "gzip", "shuffle": old.dtype.kind != "S"}
    return file.create_dataset(key, shape=old.shape, dtype=kind, **extra)


def _attach_axes(axes: Mapping[str, Any], key: str, data: Any) -> None:
    if data.shape == ():
        return
    h5py.h5ds.attach_scale(data.id, axes["time"].id, 0)
    topic = find_topic(key)
    if data.ndim == 2 and topic and topic.ids:
        h5py.h5ds.attach_scale(data.id, axes[topic.ids].id, 1)


def _label(source: GuardedFile, key: str, item: Any, names: tuple[str, ...], old: Any = None) -> None:
    describe(item, **{name: text for name, text in source.labels(names, key, old).items() if text})


def _copy_long_texts(source: GuardedFile, file: h5py.File, used: int) -> None:
    if not used:
        return
    new = file.create_dataset(LONG_TEXTS, shape=(used,), dtype="u1", compression="gzip")
    for first in range(0, used, _PIECE):
        last = min(first + _PIECE, used)
        new[first:last] = np.frombuffer(source.piece(LONG_TEXTS, first, last), dtype=np.uint8)
    _label(source, LONG_TEXTS, new, LABELS)
    create_long_axis(file, used)
