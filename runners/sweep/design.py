"""Which runs a sweep consists of: combinations of what is listed, for every draw of what is drawn.

A draw is the same in every combination, so that combinations can be held against each other draw by draw.
Random draws depend on seed, axis and number alone: asking for more continues those that there are.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Any
from zlib import crc32

import numpy as np
from scipy.special import ndtri

from dlmp_cosim.feeders.network import FloatArray
from dlmp_cosim.runners.sweep.sweep_file import Axis, Scalar, SweepFile, entries, flat


@dataclass(frozen=True)
class Change:
    """What one axis does to the base study.

    Attributes
    ----------
    axis : Axis
        The axis.
    keys : mapping of str to object
        Keys and values; the key of the axis, or those of a case.
    seed : tuple of int
        Seed of what is drawn for each row of the asset table.
    """

    axis: Axis
    keys: Mapping[str, Any]
    seed: tuple[int, ...] = ()


@dataclass(frozen=True)
class Sample:
    """One run of a sweep.

    Attributes
    ----------
    number : int
        From 0 on; all combinations of draw 0 first.
    draw : int
        Which draw.
    values : mapping of str to scalar
        Value on every axis by its label; axes that draw for each row have none.
    changes : tuple of Change
        What is done to the base study, in order of the axes.
    """

    number: int
    draw: int
    values: Mapping[str, Scalar]
    changes: tuple[Change, ...]


@dataclass(frozen=True)
class Design:
    """All runs of a sweep, made when asked for.

    Attributes
    ----------
    sweep : SweepFile
        What the user wrote.
    """

    sweep: SweepFile

    def __len__(self) -> int:
        return self.combinations * self._draws

    @property
    def _draws(self) -> int:
        return self.sweep.draws if any(axis.is_drawn for axis in self.sweep.axis) else 1

    @property
    def combinations(self) -> int:
        """Runs of one draw."""
        return len(self._combinations)

    @cached_property
    def _combinations(self) -> list[tuple[Any, ...]]:
        """Values of listed axes, in order of the axes."""
        lists = [entries(axis) for axis in self.sweep.axis if not axis.is_drawn]
        if self.sweep.combine == "list":
            return list(zip(*lists, strict=True)) or [()]
        return list(itertools.product(*lists))

    @cached_property
    def _hypercube(self) -> FloatArray:
        """Shares of a Latin hypercube, shape (n_draw, n_axis): one draw in each of n_draw equal parts."""
        n, rng = self._draws, np.random.default_rng(abs(self.sweep.seed))
        columns = [(rng.permutation(n) + rng.random(n)) / n for axis in self.sweep.axis]
        return np.array(columns).T

    def sample(self, number: int) -> Sample:
        """Make one run.

        Parameters
        ----------
        number : int
            From 0 to the length less 1.
        """
        draw, place = divmod(number, self.combinations)
        listed = iter(self._combinations[place])
        values: dict[str, Scalar] = {}
        changes = []
        for k, axis in enumerate(self.sweep.axis):
            seed = (abs(self.sweep.seed), crc32(axis.label.encode()), draw)
            value: Any = self._drawn(k, axis, seed) if axis.is_drawn else next(listed)
            if axis.cases is not None:
                values[axis.label] = value["name"]
                changes.append(
                    Change(axis, flat({key: item for key, item in value.items() if key != "name"}), seed)
                )
                continue
            if not axis.each:
                values[axis.label] = value
            if axis.key:
                changes.append(Change(axis, {axis.key: _moment(value)}, seed))
        return Sample(number, draw, values, tuple(changes))

    def _drawn(self, k: int, axis: Axis, seed: Sequence[int]) -> Scalar:
        if self.sweep.sampling == "latin_hypercube":
            return quantile(axis, float(self._hypercube[seed[-1], k]))
        return quantile(axis, float(np.random.default_rng(list(seed)).random()))


def quantile(axis: Axis, share: float) -> Scalar:
    """Value of a distribution below which a share of its draws lies, 0 <= share < 1.

    Parameters
    ----------
    axis : Axis
        The distribution.
    share : float
        Share of the draws below the value.
    """
    if axis.choice is not None:
        return axis.choice[int(share * len(axis.choice))]
    if axis.integers is not None:
        low, high = axis.integers
        return low + int(share * (high - low + 1))
    if axis.normal is not None:
        mean, spread = axis.normal
        return mean + spread * float(ndtri(max(share, 1e-12)))
    if axis.log_uniform is not None:
        first, last = (math.log(end) for end in axis.log_uniform)
        return math.exp(first + share * (last - first))
    low_end, high_end = axis.uniform or (0.0, 1.0)
    return low_end + share * (high_end - low_end)


def _moment(value: Scalar) -> Scalar:
    """Take a day for its midnight, which is what a scenario starts at."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day)
    return value
