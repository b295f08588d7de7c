"""Reading a results file: finished intervals only, with the run's own network and settings."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from dlmp_cosim.federates.contract.topics import find_topic
from dlmp_cosim.federates.results.guard import GuardedFile
from dlmp_cosim.federates.results.layout import EXPECTED, FINISHED, LONG_TEXTS, MANIFEST
from dlmp_cosim.federates.results.pack import long_place
from dlmp_cosim.feeders.errors import ResultsError, nearest_name
from dlmp_cosim.feeders.network import FloatArray, IntArray, Network
from dlmp_cosim.feeders.readers.network_json import network_from_json


class Record(dict[str, Any]):
    """A JSON object of a results file; what it lacks is an error of the file."""

    def __missing__(self, name: str) -> Any:
        near = nearest_name(name, self)
        raise ResultsError(f"a record of the results lacks {name!r}" + (f"; it has {near!r}" if near else ""))


class _OfSubstation(Record):
    """Scenario of a study of several feeders, which lacks what one of a single feeder has."""

    def __init__(self, table: dict[str, Any], path: Path) -> None:
        super().__init__(table)
        self._path = path

    def __missing__(self, name: str) -> Any:
        files = ", ".join(f"{feeder['name']}.h5" for feeder in self["feeders"])
        raise ResultsError(
            f"{self._path}: holds the results of a substation; expected those of one of its feeders, which "
            f"lie beside it: {files}"
        )


class Results:
    """One results file, open for reading; use it in a ``with`` statement.

    A run may still be writing it: what is read is what had finished by then.

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
        if not path.exists():
            raise ResultsError(f"{path}: there is no such file")
        self._file = GuardedFile(path)
        try:
            if self._file.is_older:
                raise ResultsError(f"{path}: was written by an older version; run the study again")
            if FINISHED not in self._file or MANIFEST not in self._file:
                raise ResultsError(f"{path}: is HDF5, but not the results of a run")
            if not 0 <= self.intervals <= self.expected:
                raise ResultsError(f"{path}: claims {self.intervals} of {self.expected} intervals")
        except ResultsError:
            self._file.close()
            raise

    def __enter__(self) -> Results:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @cached_property
    def intervals(self) -> int:
        """Intervals that had finished when this was first asked for."""
        return self._file.number(FINISHED)

    @property
    def expected(self) -> int:
        """Intervals that the scenario asks for."""
        return self._file.attribute(EXPECTED)

    @property
    def complete(self) -> bool:
        """Whether every interval finished."""
        return self.intervals == self.expected

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """Scenario, input hashes, versions and seed."""
        return self.parse(MANIFEST, self._file.text(MANIFEST))

    @property
    def scenario(self) -> dict[str, Any]:
        """The scenario, table by table."""
        table = dict(self.manifest["scenario"])
        return _OfSubstation(table, self.path) if "feeders" in table else table

    @cached_property
    def network(self) -> Network:
        """The feeder of the run."""
        return network_from_json(self._file.text("network"), where=f"{self.path} network")

    @cached_property
    def source(self) -> dict[str, Any]:
        """What the wholesale side says of its series."""
        return self.parse("source", self._file.text("source"))

    @property
    def period_h(self) -> float:
        """Length of an interval [h]."""
        return self._file.attribute("period_s", "time") / 3600.0

    @property
    def time(self) -> IntArray:
        """Start of each finished interval, shape (n,) [s since 1970-01-01 UTC]."""
        return self._file.numbers("time", self.intervals).astype(np.int64)

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """Key of every dataset that has a row per interval."""
        return tuple(key for key in self._file.names() if "/" in key and not key.startswith("ids/"))

    def __contains__(self, key: str) -> bool:
        return key in self._file

    def ids(self, key: str) -> tuple[str, ...]:
        """Return the ids of the second axis of a topic; empty when it has none."""
        topic = find_topic(key)
        if topic is None or not topic.ids:
            return ()
        count = self._file.dataset(topic.ids).size
        return tuple(self._decode(topic.ids, name) for name in self._file.texts(topic.ids, 0, count))

    def values(self, key: str) -> FloatArray:
        """Return the numbers of a topic, shape (n,) or (n, n_ids) [unit of the topic].

        Raises
        ------
        ResultsError
            When the file has no such topic, or it is not what it should be.
        """
        return self._file.numbers(key, self.intervals)

    def texts(self, key: str) -> tuple[str, ...]:
        """Return the JSON texts of a topic, one per finished interval."""
        rows = self._file.texts(key, 0, self.intervals)
        return tuple(self._decode(key, self._whole(row)) for row in rows)

    def records(self, key: str) -> list[dict[str, Any]]:
        """Return the parsed JSON of a topic, one per finished interval."""
        return [self.parse(f"{key} of interval {k}", text) for k, text in enumerate(self.texts(key))]

    def _whole(self, row: bytes) -> bytes:
        place = long_place(row)
        return self._file.piece(LONG_TEXTS, *place) if place else row

    def _decode(self, key: str, text: bytes) -> str:
        try:
            return text.decode()
        except UnicodeDecodeError:
            raise ResultsError(f"{self.path}: {key} is not UTF-8") from None

    def parse(self, what: str, text: str) -> dict[str, Any]:
        """Parse a text of this file as a JSON object; ResultsError names it when it is none.

        Parameters
        ----------
        what : str
            What the text is, for the message.
        text : str
            The text.
        """
        try:
            table = json.loads(text, object_hook=Record)
        except (ValueError, RecursionError) as error:
            raise ResultsError(f"{self.path}: {what} is not JSON: {error}") from None
        if not isinstance(table, Record):
            raise ResultsError(f"{self.path}: {what} is not a JSON object")
        return table
