"""The steps of a horizon: how a scenario states them, and which there are from an interval on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class StepGroup:
    """Steps of one length, one after the other.

    Attributes
    ----------
    seconds : int
        Length of each [s].
    steps : int
        How many; 0 for as many as there is time left for.
    """

    seconds: int
    steps: int = 0


@dataclass(frozen=True)
class Span:
    """One step of a horizon, in intervals of the run.

    Attributes
    ----------
    first, after : int
        Its first interval, and the one after its last; counted from the start of the run.
    """

    first: int
    after: int

    @property
    def intervals(self) -> int:
        """Its length [intervals]."""
        return self.after - self.first


def spans(groups: Sequence[StepGroup], period_s: int, interval: int, last: int | None) -> tuple[Span, ...]:
    """Lay out the steps from an interval on; the first is the interval itself.

    Parameters
    ----------
    groups : sequence of StepGroup
        What the scenario says; every length is a multiple of the period.
    period_s : int
        Length of an interval [s].
    interval : int
        The interval to be cleared.
    last : int or None
        The interval at whose start the horizon ends: steps beyond are cut off. None for no end.
    """
    found, at = [], interval
    for group in groups:
        width, count = group.seconds // period_s, 0
        while (not group.steps or count < group.steps) and (last is None or at < last):
            after = at + width if last is None else min(at + width, last)
            found.append(Span(at, after))
            at, count = after, count + 1
    return tuple(found) or (Span(interval, interval + 1),)
