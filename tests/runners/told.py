"""Results of a run that a test tells: what a results file holds, without a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from dlmp_cosim.feeders.errors import ResultsError
from dlmp_cosim.feeders.network import FloatArray, Network


class ToldResults:
    """Stands for `federates.results.run.Results`.

    `values` maps topics of numbers, `texts` topics of JSON: a text, or what is to be written as one.
    """

    def __init__(
        self,
        network: Network,
        values: Mapping[str, Any],
        texts: Mapping[str, list[Any]] | None = None,
        *,
        scenario: Mapping[str, Any] | None = None,
        source: Mapping[str, Any] | None = None,
        period_h: float = 0.5,
    ) -> None:
        self.network, self.period_h = network, period_h
        self._values = {key: np.asarray(rows, dtype=np.float64) for key, rows in values.items()}
        self._texts = {
            key: tuple(row if isinstance(row, str) else json.dumps(row) for row in rows)
            for key, rows in (texts or {}).items()
        }
        self.scenario, self.source = dict(scenario or {}), dict(source or {})
        self.intervals = len(next(iter(self._values.values())))

    @property
    def keys(self) -> tuple[str, ...]:
        return (*self._values, *self._texts)

    @property
    def time(self) -> np.ndarray:
        return 1_598_371_200 + np.arange(self.intervals) * round(3600 * self.period_h)

    def __contains__(self, key: str) -> bool:
        return key in self.keys

    def values(self, key: str) -> FloatArray:
        return self._values[key]

    def texts(self, key: str) -> tuple[str, ...]:
        return self._texts[key]

    def parse(self, what: str, text: str) -> dict[str, Any]:
        try:
            table = json.loads(text)
        except ValueError as error:
            raise ResultsError(f"{what} is not JSON: {error}") from None
        if not isinstance(table, dict):
            raise ResultsError(f"{what} is not a JSON object")
        return table

    def records(self, key: str) -> list[dict[str, Any]]:
        return [self.parse(key, text) for text in self.texts(key)]
