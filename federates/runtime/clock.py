"""When each interval starts, and what the one-second slots of an interval are for.

Slot 0: prices and demand. Slot 1: the feeder answers the forecast; offers. Slots 2, 4, ...: the market. Slots
3, 5, ...: the feeder. Last slot: the recorder. Every federate asks for plain times, so the order is fixed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

SLOT_S = 1
"""Length of a slot [s]."""

PRICE_SLOT, OFFER_SLOT, FORECAST_SLOT = 0, 1, 1


def market_slot(trials: int) -> int:
    """Slot in which the market acts after so many trials were answered."""
    return 2 + 2 * trials


def answer_slot(trials: int) -> int:
    """Slot in which the feeder answers what the market published after so many earlier trials."""
    return market_slot(trials) + 1


def last_slot_needed(rounds_max: int) -> int:
    """Slot in which the feeder realises a final dispatch that took every round."""
    return answer_slot(rounds_max)


@dataclass(frozen=True)
class Clock:
    """Times of one run; simulated time is in seconds from the start of the first interval.

    Attributes
    ----------
    start_utc : int
        Start of the first interval [s since 1970-01-01 UTC].
    period_s : int
        Length of an interval [s].
    intervals : int
        Number of intervals.
    rounds_max : int
        Trials that an interval has room for.
    """

    start_utc: int
    period_s: int
    intervals: int
    rounds_max: int = 1

    def at(self, interval: int, slot: int) -> float:
        """Return the simulated time of a slot [s]."""
        return float(interval * self.period_s + slot * SLOT_S)

    def recording(self, interval: int) -> float:
        """Return the simulated time at which the interval is recorded [s]."""
        return float((interval + 1) * self.period_s - SLOT_S)

    @property
    def end(self) -> float:
        """Simulated time at which the last interval is over [s]."""
        return self.at(self.intervals, 0)

    def interval_at(self, time: float) -> int:
        """Interval that a simulated time [s] lies in."""
        return min(int(time // self.period_s), self.intervals - 1)

    def utc(self, interval: int) -> int:
        """Start of an interval [s since 1970-01-01 UTC]."""
        return self.start_utc + interval * self.period_s

    def label(self, interval: int) -> str:
        """Start of an interval as UTC text, ``2020-08-25T04:00Z``."""
        return datetime.fromtimestamp(self.utc(interval), UTC).strftime("%Y-%m-%dT%H:%MZ")
