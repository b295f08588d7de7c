"""When each interval starts, and what the one-second slots of an interval are for.

Slot 0: prices and demand. Slot 1: the feeder answers the forecast; offers. Slots 2, 4, ...: the market. Slots
3, 5, ...: the feeder. Last slot: the recorder; half of it later the market goes on, and the others after it.
Every federate asks for plain times, so the order is fixed.

Where feeders meet at a substation, exchanges come before each trial: pairs of slots in which the markets
respond to a price and the substation calls for the next.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

SECONDS_PER_MINUTE = 60.0
SLOT_S = 1
"""Length of a slot [s]."""
HALF_SLOT_S = 0.5 * SLOT_S
"""Times that federates ask for are multiples of this [s]."""

PRICE_SLOT, OFFER_SLOT, FORECAST_SLOT = 0, 1, 1


def market_slot(trials: int, exchanges: int = 0) -> int:
    """Slot in which the market acts after so many trials, with so many exchanges before each.

    Parameters
    ----------
    trials : int
        Trials answered before.
    exchanges : int
        Exchanges with a substation before each trial; 0 for a feeder on its own.
    """
    return 2 + (1 + answer_delay(exchanges)) * trials


def answer_delay(exchanges: int) -> int:
    """Slots from a market's to its feeder's: one, with two more for every exchange in between."""
    return 2 * exchanges + 1


def call_slot(trials: int, exchange: int, exchanges: int) -> int:
    """Slot in which the substation calls for a price, in one of the exchanges before a trial.

    Parameters
    ----------
    trials : int
        Trials answered before.
    exchange : int
        Which exchange, from 0.
    exchanges : int
        Exchanges with a substation before each trial.
    """
    return market_slot(trials, exchanges) + 2 * exchange + 1


def answer_slot(trials: int, exchanges: int = 0) -> int:
    """Slot in which the feeder answers what the market published after so many earlier trials.

    Parameters
    ----------
    trials : int
        Trials answered before.
    exchanges : int
        Exchanges with a substation before each trial; 0 for a feeder on its own.
    """
    return market_slot(trials, exchanges) + answer_delay(exchanges)


def last_slot_needed(rounds_max: int, exchanges: int = 0) -> int:
    """Slot in which the feeder realises a final dispatch that took every round.

    Parameters
    ----------
    rounds_max : int
        Trials that an interval has room for.
    exchanges : int
        Exchanges with a substation before each trial; 0 for a feeder on its own.
    """
    return answer_slot(rounds_max, exchanges)


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
    exchanges : int
        Exchanges with a substation before each trial; 0 for a feeder on its own.
    """

    start_utc: int
    period_s: int
    intervals: int
    rounds_max: int = 1
    exchanges: int = 0

    def at(self, interval: int, slot: int) -> float:
        """Return the simulated time of a slot [s].

        Parameters
        ----------
        interval : int
            Which interval, from 0.
        slot : int
            Which slot of it, from 0.
        """
        return float(interval * self.period_s + slot * SLOT_S)

    def market(self, interval: int, trials: int) -> float:
        """Return the simulated time at which the market acts after so many trials [s].

        Parameters
        ----------
        interval : int
            Which interval, from 0.
        trials : int
            Trials answered before.
        """
        return self.at(interval, market_slot(trials, self.exchanges))

    def call(self, interval: int, trials: int, exchange: int) -> float:
        """Return the simulated time at which the substation calls in one of the exchanges [s].

        Parameters
        ----------
        interval : int
            Which interval, from 0.
        trials : int
            Trials answered before.
        exchange : int
            Which exchange, from 0.
        """
        return self.at(interval, call_slot(trials, exchange, self.exchanges))

    def answer(self, interval: int, trials: int) -> float:
        """Return the simulated time at which the feeder answers what the market published [s].

        Parameters
        ----------
        interval : int
            Which interval, from 0.
        trials : int
            Trials answered before.
        """
        return self.at(interval, answer_slot(trials, self.exchanges))

    def recording(self, interval: int) -> float:
        """Return the simulated time at which the interval is recorded [s]."""
        return float((interval + 1) * self.period_s - SLOT_S)

    def recorded(self, interval: int) -> float:
        """Return the simulated time from which on the interval is in the results file [s]."""
        return self.recording(interval) + HALF_SLOT_S

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
