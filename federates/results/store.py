"""The results file of a run: HDF5, one dataset per topic, made to be killed while a run is going on.

Every dataset has its full length and its space from the start, so that recording an interval changes no
structure: what is killed while writing loses that interval and nothing else. ``/intervals_finished`` says how
many rows count; later rows are NaN or empty. One gap is left: HDF5 writes texts of several intervals as one
block, and a kill between two pages of that block leaves one whose reading does not end.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import h5py
import numpy as np

from federates.contract.topics import IdKind, Topic
from federates.runtime.clock import Clock
from federates.runtime.link import Value
from federates.study.study import Study
from feeders.errors import ResultsError
from feeders.network import Network

ID_KINDS = tuple(kind for kind in get_args(IdKind) if kind)
"""What vectors are ordered by; each is a root dataset of names, and again under ``/ids``."""
FINISHED = "intervals_finished"
TIME_UNIT = "seconds since 1970-01-01 00:00:00"
PACKAGES = ("dlmp-cosim", "helics", "opendssdirect.py", "numpy", "scipy", "numba", "cvxpy", "pandas", "h5py")
_CHUNK_ROWS = 32
_TEXT_BYTES, _TEXT_BYTES_MAX = 65_536, 2**28
"""Space reserved for the texts of an interval, and for those of a run."""
_END_BYTES = 2**16
_CACHE_BYTES = 2**20
_END = "end_of_reserve"
_TEXT = h5py.string_dtype()


class ResultsWriter:
    """Writes one run; create it with `create_results`.

    Parameters
    ----------
    file : h5py.File
        Open for writing, with every dataset in place.
    """

    def __init__(self, file: h5py.File) -> None:
        self._file = file
        self._counter = file[FINISHED]
        self._columns: dict[str, _Column] = {}
        self._finished = 0

    def append(self, values: Mapping[str, Value]) -> None:
        """Write the next interval and count it once everything of it is in the file.

        Parameters
        ----------
        values : mapping of str to float, str or ndarray
            Value of every dataset, by key.

        Raises
        ------
        ResultsError
            When the file cannot be written, as on a full disk.
        """
        try:
            self._append(values)
        except OSError as error:
            raise ResultsError(f"{self._file.filename}: cannot be written: {error}") from None

    def _append(self, values: Mapping[str, Value]) -> None:
        row = self._finished
        for key, value in values.items():
            if key not in self._columns:
                self._columns[key] = _Column(self._file[key])
            self._columns[key].write(row, value)
        self._file.flush()
        self._finished += 1
        self._counter[()] = self._finished
        if self._finished == int(self._file.attrs["intervals_expected"]):
            self._file.attrs.modify("complete", 1)
        self._file.flush()

    def close(self) -> None:
        """Close the file; harmless when it is closed."""
        if self._file and self._file.attrs["complete"]:
            del self._file[_END]
        self._file.close()


class _Column:
    """One dataset, written a row at a time; h5py's own indexing costs ten times the writing."""

    def __init__(self, dataset: h5py.Dataset) -> None:
        self._dataset = dataset
        self._text = h5py.check_string_dtype(dataset.dtype) is not None
        self._width = dataset.shape[1:]
        self._memory = h5py.h5s.create_simple(self._width or (1,))
        self._space = dataset.id.get_space()

    def write(self, row: int, value: Value) -> None:
        if self._text:
            self._dataset[row] = value
            return
        numbers = np.ascontiguousarray(value, dtype=np.float64).reshape(self._width or (1,))
        if numbers.size:
            self._space.select_hyperslab((row, *(0 for _ in self._width)), (1, *self._width))
            self._dataset.id.write(self._memory, self._space, numbers)


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
    path.parent.mkdir(parents=True, exist_ok=True)
    _refuse_if_in_use(path)
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        # No cached chunks: rows go straight to the file, and memory does not grow with the run.
        file = h5py.File(draft, "w", rdcc_nbytes=0)
        try:
            _create_structure(file, network, clock, topics, constant)
            file.attrs["manifest"] = manifest
            _reserve_text_space(file, clock.intervals)
            _bound_cache(file)
            draft.replace(path)
        except BaseException:
            file.close()
            raise
        return ResultsWriter(file)
    except OSError as error:
        raise ResultsError(f"{path}: cannot be written: {error}") from None
    finally:
        draft.unlink(missing_ok=True)


def _create_structure(
    file: h5py.File, network: Network, clock: Clock, topics: Sequence[Topic], constant: Mapping[str, str]
) -> None:
    file.attrs.update({"intervals_expected": clock.intervals, "complete": 0, "title": "dlmp-cosim run"})
    for name, text in constant.items():
        file.create_dataset(name, data=text, dtype=_TEXT)
    file.create_dataset(FINISHED, data=0)
    _create_axes(file, network, clock)
    for topic in topics:
        _create_topic(file, topic, clock.intervals)


def _reserve_text_space(file: h5py.File, intervals: int) -> None:
    """Leave a hole that later texts fill, so that the end of the file, which its head states, does not move.

    A file killed between writing beyond its stated end and stating the new one would lose texts. The hole is
    never written, so it takes no space on disk.
    """
    settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    settings.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    settings.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    size = min(intervals * _TEXT_BYTES, _TEXT_BYTES_MAX)
    file.create_dataset("hole", shape=(size,), dtype="u1", dcpl=settings)
    # More than fits into a block begun before the hole; and h5py itself drops the settings of a scalar.
    kind, scalar = h5py.h5t.py_create(np.dtype(f"S{_END_BYTES}")), h5py.h5s.create(h5py.h5s.SCALAR)
    h5py.h5d.create(file.id, _END.encode(), kind, scalar, settings)
    file.flush()
    del file["hole"]
    file.flush()


def _bound_cache(file: h5py.File) -> None:
    """Keep HDF5 from caching the texts of thousands of intervals that nobody reads again."""
    settings = file.id.get_mdc_config()
    settings.set_initial_size = True
    settings.initial_size = settings.min_size = settings.max_size = _CACHE_BYTES
    file.id.set_mdc_config(settings)


def manifest_text(study: Study, network_text: str) -> str:
    """Describe what a run is made of: scenario, inputs, versions; the same inputs give the same text."""
    table = {
        "scenario": study.scenario.model_dump(mode="json"),
        "inputs": study.input_hashes(),
        "network": hashlib.sha256(network_text.encode()).hexdigest(),
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}},
        "seed": study.scenario.study.seed,
    }
    return json.dumps(table, sort_keys=True)


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _refuse_if_in_use(path: Path) -> None:
    if not path.exists():
        return
    try:
        h5py.File(path, "r+").close()
    except BlockingIOError:
        raise ResultsError(
            f"{path}: another run is writing this file; give the run another folder (-o)"
        ) from None
    except OSError:
        return


def _create_axes(file: h5py.File, network: Network, clock: Clock) -> None:
    times = clock.start_utc + clock.period_s * np.arange(clock.intervals, dtype=np.int64)
    axis = file.create_dataset("time", data=times)
    axis.attrs.update({"units": TIME_UNIT, "long_name": "start of the interval", "period_s": clock.period_s})
    axis.make_scale("time")
    for kind in ID_KINDS:
        names = Topic("", "vector", "", kind, "").id_list(network)
        scale = file.create_dataset(kind, shape=(len(names),), dtype=_TEXT)
        scale[:] = list(names)
        scale.attrs["long_name"] = f"name of each {kind.replace('_', ' ')}"
        scale.make_scale(kind)
        file[f"ids/{kind}"] = scale


def _create_topic(file: h5py.File, topic: Topic, intervals: int) -> None:
    """Create one dataset with all its space allocated."""
    settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    settings.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    width = [file[topic.ids].shape[0]] if topic.ids else []
    shape = (intervals, *width)
    extra: dict[str, Any] = {"shape": shape, "dcpl": settings}
    if 0 not in shape:
        extra["chunks"] = (min(intervals, _CHUNK_ROWS), *width)
    if topic.type == "string":
        data = file.create_dataset(topic.key, dtype=_TEXT, **extra)
    else:
        data = file.create_dataset(topic.key, dtype="f8", fillvalue=np.nan, **extra)
    data.attrs.update({"units": topic.unit or "1", "long_name": topic.meaning})
    data.dims[0].attach_scale(file["time"])
    if topic.ids:
        data.dims[1].attach_scale(file[topic.ids])
