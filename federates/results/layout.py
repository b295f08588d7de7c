"""What a results file holds and where: made whole before the first interval, so that none changes it.

Numbers and texts lie in one piece each, texts in rows of `TEXT_BYTES`. Rows of numbers not yet written are
NaN; rows of texts are holes, which read as empty and take no space on disk.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

import h5py
import numpy as np

from dlmp_cosim.federates.contract.topics import IdKind, Topic
from dlmp_cosim.federates.runtime.clock import Clock
from dlmp_cosim.feeders.network import Network

ID_KINDS = tuple(kind for kind in get_args(IdKind) if kind)
"""What vectors are ordered by; each is a root dataset of names, and again under ``/ids``."""
FINISHED, EXPECTED, MANIFEST = "intervals_finished", "intervals_expected", "manifest"
TIME_UNIT = "seconds since 1970-01-01 00:00:00"
TEXT_BYTES = 32_768
"""Longest text of an interval that a row holds [bytes]; a longer one lies in `LONG_TEXTS`."""
LONG_TEXTS, LONG_AXIS = "long_texts", "long_texts_byte"
LONG_MARK = "\x1a"
"""What begins a row that only says where in `LONG_TEXTS` its text lies."""
_LONG_BYTES, _LONG_BYTES_LEAST, _LONG_BYTES_MOST = 2**18, 2**24, 2**32
"""Room for long texts: that of an interval, and that of a run at least and at most [bytes]."""
_RESOURCE_BYTES = 2**10
"""Room that an interval has for each resource where that is more: an offer takes some 200 bytes of it."""
NO_VARIABLE = "This is a netCDF dimension but not a netCDF variable."
"""How a netCDF file names an axis that has a length and no values."""


def create_structure(
    file: h5py.File, network: Network, clock: Clock, topics: Sequence[Topic], constant: Mapping[str, str]
) -> dict[str, Any]:
    """Make every dataset of a run.

    Parameters
    ----------
    file : h5py.File
        New and empty.
    network : Network
        Gives the ids.
    clock : Clock
        Gives the times.
    topics : sequence of Topic
        One dataset each, of its own unit.
    constant : mapping of str to str
        Texts that hold for the whole run, by dataset name.

    Returns
    -------
    dict of str to Dataset
        What a run writes to, by path.
    """
    file.attrs[EXPECTED] = clock.intervals
    describe(file, title="dlmp-cosim run")
    for name, text in constant.items():
        create_text(file, name, text)
    made = {FINISHED: file.create_dataset(FINISHED, data=np.int64(0))}
    axes = _create_axes(file, network, clock)
    for topic in topics:
        made[topic.key] = _create_topic(file, topic, axes)
    made[LONG_TEXTS] = _create_long_texts(file, clock.intervals, len(network.resources))
    return made


def describe(item: Any, **attributes: str) -> None:
    """Attach texts of a fixed length: HDF5 keeps those of any length in blocks that a reader cannot check."""
    for name, text in attributes.items():
        encoded = text.encode()
        size = max(len(encoded), 1)
        kind = h5py.h5t.C_S1.copy()
        kind.set_size(size)
        kind.set_strpad(h5py.h5t.STR_NULLPAD)
        kind.set_cset(h5py.h5t.CSET_UTF8)
        # `attrs.create` does the same for three times the time.
        attribute = h5py.h5a.create(item.id, name.encode(), kind, h5py.h5s.create(h5py.h5s.SCALAR))
        attribute.write(np.array(encoded, dtype=f"S{size}"), kind)


def create_text(file: h5py.File, name: str, text: str) -> None:
    """Make a dataset of one text.

    Parameters
    ----------
    file : h5py.File
        Open for writing.
    name : str
        Path of the dataset.
    text : str
        What it holds; its length is fixed from then on.
    """
    encoded = text.encode()
    kind = h5py.string_dtype("utf-8", max(len(encoded), 1))
    data = file.create_dataset(name, data=np.array(encoded, dtype=kind), dtype=kind)
    describe(data, _Encoding="utf-8")


def create_long_axis(file: h5py.File, length: int) -> None:
    """Make the axis of `LONG_TEXTS`: a length without values, which takes no space.

    Parameters
    ----------
    file : h5py.File
        Open for writing; it has `LONG_TEXTS` already.
    length : int
        Length of `LONG_TEXTS` [bytes].
    """
    axis = file.create_dataset(LONG_AXIS, shape=(length,), dtype="u1")
    axis.make_scale(f"{NO_VARIABLE}{length:10d}")
    file[LONG_TEXTS].dims[0].attach_scale(axis)


def _create_axes(file: h5py.File, network: Network, clock: Clock) -> dict[str, Any]:
    """Make the axes of all datasets, by name."""
    times = clock.start_utc + clock.period_s * np.arange(clock.intervals, dtype=np.int64)
    axis = file.create_dataset("time", data=times)
    describe(axis, units=TIME_UNIT, long_name="start of the interval, UTC")
    axis.attrs["period_s"] = clock.period_s
    axis.make_scale("time")
    axes = {"time": axis}
    for kind in ID_KINDS:
        names = [name.encode() for name in Topic("", "vector", "", kind, "").id_list(network)]
        width = h5py.string_dtype("utf-8", max((len(name) for name in names), default=1))
        scale = file.create_dataset(kind, data=np.array(names, dtype=width), dtype=width)
        describe(scale, long_name=f"name of each {kind.replace('_', ' ')}", _Encoding="utf-8")
        scale.make_scale(kind)
        file[f"ids/{kind}"] = scale
        axes[kind] = scale
    return axes


def _create_topic(file: h5py.File, topic: Topic, axes: Mapping[str, Any]) -> Any:
    across = [axes["time"], *([axes[topic.ids]] if topic.ids else [])]
    shape = tuple(axis.shape[0] for axis in across)
    if topic.type == "string":
        kind = h5py.string_dtype("utf-8", TEXT_BYTES)
        data = file.create_dataset(topic.key, shape=shape, dtype=kind, dcpl=_allocated(filled=False))
        describe(data, _Encoding="utf-8")
    else:
        settings = _allocated(filled=True)
        data = file.create_dataset(topic.key, shape=shape, dtype="<f8", dcpl=settings, fillvalue=np.nan)
    describe(data, units=topic.unit or "1", long_name=topic.meaning)
    for k, axis in enumerate(across):
        h5py.h5ds.attach_scale(data.id, axis.id, k)
    return data


def _create_long_texts(file: h5py.File, intervals: int, resources: int) -> Any:
    each = max(_LONG_BYTES, resources * _RESOURCE_BYTES)
    length = min(max(intervals * each, _LONG_BYTES_LEAST), _LONG_BYTES_MOST)
    settings = _allocated(filled=False)
    data = file.create_dataset(LONG_TEXTS, shape=(length,), dtype="u1", dcpl=settings)
    describe(data, long_name=f"texts of more than {TEXT_BYTES} bytes, UTF-8, one after the other")
    create_long_axis(file, length)
    return data


def _allocated(*, filled: bool) -> Any:
    settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    settings.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    if not filled:
        settings.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    return settings
