"""Reading an HDF5 file that anybody may have made: what it claims is checked before anything is read.

A file may be cut short, claim terabytes, hold other types, or point to other files. Nothing is followed out
of the file, and no more is read than `BUDGET_BYTES`, or a multiple of what the file itself takes on disk.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from dlmp_cosim.feeders.errors import ResultsError, nearest_name
from dlmp_cosim.feeders.network import FloatArray

BUDGET_BYTES = 2**29
"""What is read of a file, over all its datasets [bytes]..."""
BUDGET_PER_BYTE = 16
"""...unless the file takes more than a 16th of it on disk."""
CHUNK_BYTES = 2**26
"""Largest chunk: HDF5 unpacks a whole one to read a number of it [bytes]."""
OBJECTS = 10_000
FILTERS = frozenset({h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE})
_READ_BYTES = 2**20
"""Texts are read in blocks of this size: a row is mostly empty [bytes]."""
_SECTOR = 512
"""Unit in which a file system counts what a file takes [bytes]."""
_SYSTEM_SAID = re.compile(r"error message = '([^']*)'")
BROKEN = (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError, MemoryError)
"""What h5py raises for a file that is broken or cannot be written."""


class GuardedFile:
    """An HDF5 file, open for reading.

    Parameters
    ----------
    path : Path
        The file; a run that is still writing it is not disturbed.

    Raises
    ------
    ResultsError
        When it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._reading("as a results file"):
            self.file = _open_unlocked(path)
            self._budget = max(BUDGET_BYTES, BUDGET_PER_BYTE * _SECTOR * path.stat().st_blocks)
        self._spent: dict[str, int] = {}
        self._sound: set[str] = set()

    def close(self) -> None:
        """Close the file."""
        self.file.close()

    def __contains__(self, key: str) -> bool:
        with self._reading(key):
            return _is_inside(self.file, key)

    @property
    def is_older(self) -> bool:
        """Whether it is of a version whose texts had no fixed length: its manifest was an attribute."""
        with self._reading("as a results file"):
            return "manifest" in self.file.attrs

    def names(self) -> tuple[str, ...]:
        """Path of every dataset, in order."""
        found: list[str] = []
        seen = 0

        def visit(key: bytes, item: Any) -> bool | None:
            nonlocal seen
            seen += 1
            if item.type == h5py.h5o.TYPE_DATASET:
                # None of ours has a name that is not UTF-8.
                with suppress(UnicodeDecodeError):
                    found.append(key.decode())
            return True if seen > OBJECTS else None

        with self._reading("its datasets"):
            # `visititems` would open each, for ten times the time.
            if h5py.h5o.visit(self.file.id, visit, info=True):
                raise ResultsError(f"{self.path}: holds more than {OBJECTS} datasets and groups")
        return tuple(found)

    def dataset(self, key: str) -> Any:
        """Return a dataset that is what it seems: in this file, of numbers or texts of a fixed length.

        Raises
        ------
        ResultsError
            When there is none, or it is anything else.
        """
        if key not in self._sound and key not in self:
            near = nearest_name(key, self.names())
            hint = f"; did you mean {near!r}?" if near else ""
            raise ResultsError(f"{self.path}: holds no {key!r}{hint}")
        # Opened anew each time: an open dataset of a run that is going on keeps what it read before.
        with self._reading(key):
            data = self.file[key]
            problem = "" if key in self._sound else _what_is_wrong(data)
        if problem:
            raise ResultsError(f"{self.path}: {key} {problem}")
        self._sound.add(key)
        return data

    def numbers(self, key: str, rows: int) -> FloatArray:
        """Return the first rows of a dataset of numbers, shape (rows,) or (rows, n).

        Parameters
        ----------
        key : str
            Path of the dataset.
        rows : int
            Rows wanted, from the first on.

        Raises
        ------
        ResultsError
            When it holds fewer rows or anything else, cannot be read, or claims more than such a file may.
        """
        data = self.dataset(key)
        if data.dtype.kind not in "iuf" or data.ndim not in (1, 2) or data.shape[0] < rows:
            raise ResultsError(
                f"{self.path}: {key} is {data.dtype} of shape {data.shape}; "
                f"expected at least {rows} rows of numbers"
            )
        self._spend(key, rows * 8 * math.prod(data.shape[1:]))
        with self._reading(key):
            return np.asarray(data[:rows], dtype=np.float64)

    def texts(self, key: str, first: int, last: int) -> list[bytes]:
        """Return rows of a dataset of texts.

        Parameters
        ----------
        key : str
            Path of the dataset.
        first, last : int
            Rows wanted, the last excluded.

        Raises
        ------
        ResultsError
            When it holds fewer rows or anything else, cannot be read, or claims more than such a file may.
        """
        data = self.dataset(key)
        if data.dtype.kind != "S" or data.ndim != 1 or data.shape[0] < last:
            raise ResultsError(
                f"{self.path}: {key} is {data.dtype} of shape {data.shape}; expected {last} texts"
            )
        self._spend(key, last * data.dtype.itemsize)
        step = max(_READ_BYTES // data.dtype.itemsize, 1)
        with self._reading(key):
            return [text for k in range(first, last, step) for text in data[k : min(k + step, last)].tolist()]

    def text(self, key: str) -> str:
        """Return the text of a dataset that holds one."""
        data = self.dataset(key)
        if data.dtype.kind != "S" or data.shape != ():
            raise ResultsError(f"{self.path}: {key} is no text")
        self._spend(key, data.dtype.itemsize)
        with self._reading(key):
            return bytes(data[()]).decode()

    def piece(self, key: str, first: int, last: int) -> bytes:
        """Return bytes of a dataset of bytes.

        Parameters
        ----------
        key : str
            Path of the dataset.
        first, last : int
            Bytes wanted, the last excluded.

        Raises
        ------
        ResultsError
            When it holds fewer bytes or anything else, cannot be read, or claims more than such a file may.
        """
        data = self.dataset(key)
        if data.dtype != np.uint8 or data.ndim != 1 or not 0 <= first <= last <= data.shape[0]:
            raise ResultsError(f"{self.path}: {key} holds no bytes {first} to {last}")
        self._spend(f"{key}[{first}]", last - first)
        with self._reading(key):
            return bytes(data[first:last].tobytes())

    def number(self, key: str) -> int:
        """Return the whole number of a dataset that holds one."""
        data = self.dataset(key)
        if data.dtype.kind not in "iu" or data.shape != ():
            raise ResultsError(f"{self.path}: {key} is no whole number")
        with self._reading(key):
            return int(data[()])

    def attribute(self, name: str, key: str = "/") -> int:
        """Return a whole number that is attached to the file or to a dataset.

        Parameters
        ----------
        name : str
            Name of the number.
        key : str
            Path of the dataset; the file itself by default.

        Raises
        ------
        ResultsError
            When there is no such whole number, or it cannot be read.
        """
        item = self.file if key == "/" else self.dataset(key)
        with self._reading(f"{key} {name}"):
            if name in item.attrs:
                found = item.attrs.get_id(name)
                if found.shape == () and found.dtype.kind in "iu":
                    return int(item.attrs[name])
        raise ResultsError(f"{self.path}: {key} has no whole number {name!r}")

    def label(self, name: str, key: str = "/") -> str:
        """Return a text that is attached to the file or to a dataset; empty when there is none.

        Parameters
        ----------
        name : str
            Name of the text.
        key : str
            Path of the dataset; the file itself by default.

        Raises
        ------
        ResultsError
            When it is no text of a fixed length, or cannot be read.
        """
        return self.labels((name,), key)[name]

    def labels(self, names: Iterable[str], key: str = "/", item: Any = None) -> dict[str, str]:
        """Return texts that are attached to the file or to a dataset, by name, as `label` does each.

        Parameters
        ----------
        names : iterable of str
            Names of the texts.
        key : str
            Path of the dataset; the file itself by default.
        item : Dataset, optional
            The dataset, where it is open.
        """
        if item is None:
            item = self.file if key == "/" else self.dataset(key)
        return {name: self._attached_text(item, name, key) for name in names}

    def _attached_text(self, item: Any, name: str, key: str) -> str:
        with self._reading(f"{key} {name}"):
            if not h5py.h5a.exists(item.id, name.encode()):
                return ""
            found = h5py.h5a.open(item.id, name.encode())
            if found.shape == () and found.dtype.kind == "S":
                text = np.empty((), dtype=found.dtype)
                found.read(text)
                return bytes(text[()]).decode()
        raise ResultsError(f"{self.path}: {name} of {key} is no text of a fixed length")

    def _spend(self, key: str, size: int) -> None:
        """Count what is about to be read, once for each dataset."""
        self._spent[key] = max(size, self._spent.get(key, 0))
        if sum(self._spent.values()) > self._budget:
            raise ResultsError(
                f"{self.path}: {key} claims {size / 1e6:,.0f} MB; a file of this size is not read beyond "
                f"{self._budget / 1e6:,.0f} MB"
            )

    @contextmanager
    def _reading(self, what: str) -> Iterator[None]:
        try:
            yield
        except BROKEN as error:
            raise ResultsError(f"{self.path}: cannot be read {_as(what)}: {plain(error)}") from None


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn whatever keeps a file from being written into an error that names it.

    Raises
    ------
    ResultsError
        As on a full disk, or in a folder that may only be read.
    """
    try:
        yield
    except BROKEN as error:
        raise ResultsError(f"{path}: cannot be written: {plain(error)}") from None


def plain(error: Exception) -> str:
    """Text of an error; of HDF5's long ones what the system said."""
    said = _SYSTEM_SAID.search(str(error))
    return said[1] if said else str(error) or type(error).__name__


def _open_unlocked(path: Path) -> h5py.File:
    """Open a file that a run may be writing; as it is open, where this process has it open already."""
    try:
        return h5py.File(path, "r", locking=False)
    except OSError as error:
        if "locking flag" not in str(error):
            raise
        return h5py.File(path, "r")


def _as(what: str) -> str:
    return what if what.startswith("as ") else f"at {what}"


def _is_inside(file: h5py.File, key: str) -> bool:
    """Tell whether a path leads to something without leaving the file."""
    links, path = file.id.links, b""
    for part in key.encode().split(b"/"):
        if path and h5py.h5o.get_info(file.id, path).type != h5py.h5o.TYPE_GROUP:
            return False
        path = path + b"/" + part if path else part
        # Only once all before it are known to be inside is the next part looked at.
        if not part or not links.exists(path) or links.get_info(path).type != h5py.h5l.TYPE_HARD:
            return False
    return True


def _what_is_wrong(data: Any) -> str:
    """Say why a dataset is not read; empty when it is sound."""
    if not isinstance(data, h5py.Dataset):
        return "is no dataset"
    if data.dtype.kind not in "iufS":
        return "is neither numbers nor texts of a fixed length; was it written by an older version?"
    if data.is_virtual or data.external:
        return "lies in another file"
    if data.chunks and math.prod(data.chunks) * data.dtype.itemsize > CHUNK_BYTES:
        return f"has chunks of more than {CHUNK_BYTES // 2**20} MB"
    settings = data.id.get_create_plist()
    filters = {settings.get_filter(k)[0] for k in range(settings.get_nfilters())}
    return "" if filters <= FILTERS else "is packed in a way that is not read here"
