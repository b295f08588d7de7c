"""Writing a results file: HDF5, one dataset per topic, made to be killed while a run is going on.

The file is laid out whole and closed before the first interval; intervals are then written in place, without
HDF5, which changes nothing that a reader needs to find its way. ``/intervals_finished`` says how many rows
count, and is written last: what is killed while writing loses that interval and nothing else.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import logging
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import h5py
import numpy as np

from dlmp_cosim.federates.contract.topics import Topic
from dlmp_cosim.federates.results.guard import writing
from dlmp_cosim.federates.results.layout import (
    FINISHED,
    LONG_MARK,
    LONG_TEXTS,
    MANIFEST,
    TEXT_BYTES,
    create_structure,
    create_text,
)
from dlmp_cosim.federates.results.lock import draft_of, held, lock, stands
from dlmp_cosim.federates.results.pack import pack
from dlmp_cosim.federates.results.rescue import put_back
from dlmp_cosim.federates.runtime.clock import Clock
from dlmp_cosim.federates.runtime.link import Value
from dlmp_cosim.federates.study.study import Study
from dlmp_cosim.feeders.errors import ResultsError
from dlmp_cosim.feeders.network import Network

PACKAGES = ("dlmp-cosim", "helics", "opendssdirect.py", "numpy", "scipy", "numba", "cvxpy", "pandas", "h5py")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Place:
    """Where a dataset lies in its file: first byte, bytes of a row, whether it holds texts."""

    offset: int
    width: int
    text: bool


class ResultsWriter:
    """Writes one run; create it with `create_results`.

    Parameters
    ----------
    path : Path
        Where the file stands.
    handle : int
        The file, open for writing and locked.
    places : mapping of str to _Place
        Where every dataset lies.
    intervals : int
        Intervals that there will be.
    """

    def __init__(self, path: Path, handle: int, places: Mapping[str, _Place], intervals: int) -> None:
        self._path, self._handle, self._places, self._intervals = path, handle, places, intervals
        self._finished = 0
        self._long_used = 0

    def append(self, values: Mapping[str, Value]) -> None:
        """Write the next interval and count it once everything of it is in the file.

        Parameters
        ----------
        values : mapping of str to float, str or ndarray
            Value of every dataset, by key.

        Raises
        ------
        ResultsError
            When the file cannot be written, as on a full disk, or was removed; it is put back then.
        """
        try:
            for key, value in values.items():
                self._write(key, self._places[key], value)
            write_at(self._handle, np.int64(self._finished + 1).tobytes(), self._places[FINISHED].offset)
        except OSError as error:
            raise ResultsError(
                f"{self._path}: cannot be written: {error}; it keeps {self._finished} finished intervals"
            ) from None
        self._finished += 1
        if not stands(self._handle, self._path):
            raise ResultsError(put_back(self._handle, self._path, self._finished))

    def close(self) -> None:
        """Close the file, packed when every interval is in it; harmless when it is closed."""
        if self._handle < 0:
            return
        try:
            if self._finished == self._intervals:
                pack(self._path)
        except ResultsError as error:
            log.warning("%s stays as it is, complete and not compressed: %s", self._path, error)
        finally:
            os.close(self._handle)
            self._handle = -1

    def _write(self, key: str, place: _Place, value: Value) -> None:
        row = place.offset + self._finished * place.width
        if place.text:
            write_at(self._handle, self._row_text(key, str(value)), row)
            return
        numbers = np.ascontiguousarray(value, dtype="<f8")
        if numbers.nbytes != place.width:
            raise ResultsError(f"{self._path}: {key} has {numbers.size} values; expected {place.width // 8}")
        write_at(self._handle, numbers.tobytes(), row)

    def _row_text(self, key: str, text: str) -> bytes:
        """Return what a row holds: the text, or where it lies when it is too long for a row."""
        encoded = text.encode(errors="replace")
        if len(encoded) <= TEXT_BYTES and not text.startswith(LONG_MARK):
            return encoded
        place, first = self._places[LONG_TEXTS], self._long_used
        last = first + len(encoded)
        if last > place.width:
            raise ResultsError(
                f"{self._path}: {key} has {len(encoded)} bytes; texts of more than {TEXT_BYTES} bytes have "
                f"{place.width} bytes in a run, of which {place.width - first} are left"
            )
        write_at(self._handle, encoded, place.offset + first)
        self._long_used = last
        return f"{LONG_MARK}{LONG_TEXTS}[{first}:{last}]".encode()


def write_at(handle: int, data: bytes, offset: int) -> None:
    """Write all of some bytes at a place of an open file; OSError when they do not fit on the disk.

    Parameters
    ----------
    handle : int
        Descriptor of the open file.
    data : bytes
        What to write.
    offset : int
        Where its first byte goes, from the start of the file [bytes].
    """
    rest = memoryview(data)
    while rest:
        written = os.pwrite(handle, rest, offset)
        rest, offset = rest[written:], offset + written


def create_results(
    path: Path,
    network: Network,
    clock: Clock,
    topics: Sequence[Topic],
    *,
    constant: Mapping[str, str],
    manifest: str,
) -> ResultsWriter:
    """Create a results file and open it for writing.

    Parameters
    ----------
    path : Path
        Where; what a finished run left there is replaced.
    network : Network
        Gives the ids.
    clock : Clock
        Gives the times.
    topics : sequence of Topic
        One dataset each, of its own unit.
    constant : mapping of str to str
        Texts that hold for the whole run, by dataset name; ``network`` is one.
    manifest : str
        JSON text from `manifest_text`.

    Raises
    ------
    ResultsError
        When the file cannot be written, or another run is writing it.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with held(path), draft_of(path) as draft:
            with h5py.File(draft, "w") as file:
                made = create_structure(file, network, clock, topics, constant)
                create_text(file, MANIFEST, manifest)
                places = _places(made)
            handle = os.open(draft, os.O_RDWR)
            lock(handle, path)
            draft.replace(path)
    return ResultsWriter(path, handle, places, clock.intervals)


def _places(datasets: Mapping[str, h5py.Dataset]) -> dict[str, _Place]:
    """Where each dataset lies; one without a single value lies nowhere, and nothing is written to it."""
    places = {}
    for key, data in datasets.items():
        rows = 1 if key in (FINISHED, LONG_TEXTS) else data.shape[0]
        width = data.dtype.itemsize * data.size // max(rows, 1)
        places[key] = _Place(data.id.get_offset() or 0, width, data.dtype.kind == "S")
    return places


def manifest_text(study: Study, network_text: str) -> str:
    """Describe what a run is made of: scenario, inputs, versions; the same inputs give the same text.

    Parameters
    ----------
    study : Study
        The study that is run.
    network_text : str
        The network as the feeder published it; the manifest keeps its hash.
    """
    table = {
        "scenario": study.scenario.model_dump(mode="json"),
        "inputs": study.input_hashes(),
        "network": hashlib.sha256(network_text.encode()).hexdigest(),
        "versions": versions(),
        "seed": study.scenario.study.seed,
    }
    return json.dumps(table, sort_keys=True)


def versions() -> dict[str, str]:
    """Versions of what a run is made with."""
    return {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}}


@cache
def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
