"""Reading a results file: finished intervals only, with the run's own network and settings."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np

from federates.contract.topics import find_topic
from federates.results.store import FINISHED
from feeders.errors import ResultsError, nearest_name
from feeders.network import FloatArray, IntArray, Network
from feeders.readers.network_json import network_from_json


class Results:
    """One results file, open for reading; use it in a ``with`` statement.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    ResultsError
        When it is no results file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = h5py.File(path, "r")
        except OSError as error:
            raise ResultsError(f"{path}: cannot be read as a results file: {error}") from None
        if FINISHED not in self._file or "manifest" not in self._file.attrs:
            self._file.close()
            raise ResultsError(f"{path}: is HDF5, but not the results of a run")

    def __enter__(self) -> Results:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @property
    def intervals(self) -> int:
        """Intervals that finished."""
        return int(self._file[FINISHED][()])

    @property
    def expected(self) -> int:
        """Intervals that the scenario asks for."""
        return int(self._file.attrs["intervals_expected"])

    @property
    def complete(self) -> bool:
        """Whether every interval finished."""
        return self.intervals == self.expected

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """Scenario, input hashes, versions and seed."""
        return dict(json.loads(str(self._file.attrs["manifest"])))

    @property
    def scenario(self) -> dict[str, Any]:
        """The scenario, table by table."""
        return dict(self.manifest["scenario"])

    @cached_property
    def network(self) -> Network:
        """The feeder of the run."""
        return network_from_json(self._file["network"].asstr()[()])

    @property
    def period_h(self) -> float:
        """Length of an interval [h]."""
        return float(self._file["time"].attrs["period_s"]) / 3600.0

    @property
    def time(self) -> IntArray:
        """Start of each finished interval, shape (n,) [s since 1970-01-01 UTC]."""
        return np.asarray(self._file["time"][: self.intervals], dtype=np.int64)

    @property
    def keys(self) -> tuple[str, ...]:
        """Key of every dataset that has a row per interval."""
        found: list[str] = []

        def visit(key: str, item: Any) -> None:
            if isinstance(item, h5py.Dataset) and "/" in key and not key.startswith("ids/"):
                found.append(key)

        self._file.visititems(visit)
        return tuple(found)

    def __contains__(self, key: str) -> bool:
        return key in self._file

    def ids(self, key: str) -> tuple[str, ...]:
        """Return the ids of the second axis of a topic; empty when it has none."""
        topic = find_topic(key)
        return tuple(self._file[topic.ids].asstr()[:]) if topic and topic.ids else ()

    def values(self, key: str) -> FloatArray:
        """Return the numbers of a topic, shape (n,) or (n, n_ids) [unit of the topic].

        Raises
        ------
        ResultsError
            When the file has no such topic.
        """
        return np.asarray(self._dataset(key)[: self.intervals], dtype=np.float64)

    def texts(self, key: str) -> tuple[str, ...]:
        """Return the JSON texts of a topic, one per finished interval."""
        return tuple(self._dataset(key).asstr()[: self.intervals])

    def records(self, key: str) -> list[dict[str, Any]]:
        """Return the parsed JSON of a topic, one per finished interval."""
        return [json.loads(text) for text in self.texts(key)]

    def _dataset(self, key: str) -> Any:
        if key not in self._file:
            near = nearest_name(key, self.keys)
            raise ResultsError(
                f"{self.path}: holds no {key!r}" + (f"; did you mean {near!r}?" if near else "")
            )
        return self._file[key]
