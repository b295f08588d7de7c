"""The search for the adder: root of the aggregate that feeders draw, less what the limits allow.

What feeders draw together does not rise with the price, so the root is bracketed by any two adders of which
one leaves too much power and the other too little, and between them it is where the line through both says
unless a resource runs into a limit on the way. Every exchange asks for a few adders at once: that root, one
on either side close enough to close the bracket around it, and some that split the bracket evenly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

GUARD = 0.02
"""Distance of the two guards from the root that is expected, as a share of the bracket."""
GROWTH = 4.0
"""Factor by which a step grows while the root is not bracketed."""
FIRST_STEP, LEAST_STEP = 2.0, 10.0
"""First step where a model expects no root [$/MWh], and the least one otherwise, over the tolerance."""
LADDER = 4
"""Steps that are asked for at once, and the end of the range, where a model expects no root."""
NEARLY = 1.0 - 1e-9
"""Share of the way to the end of the range, where every limit gives way."""
BISECTIONS = 60
"""Halvings that find a model's root: down to rounding."""
PARTS = 6
"""Parts that a bracket is split into besides: so much narrower it is after an exchange, come what may."""


@dataclass(frozen=True)
class Sample:
    """An adder [$/MWh], and how far the power at it is above what goes with it [kW]."""

    adder: float
    excess: float


@dataclass(frozen=True)
class Search:
    """What is known of the root; `Search.start` begins, `learn` adds, `propose` asks.

    Attributes
    ----------
    low, high : Sample
        Closest adders with too much power and with too little, or none.
    least, most : float
        Range of the adder [$/MWh].
    tolerance_kw : float
        Excess that counts as none [kW].
    tolerance_price : float
        Width of the bracket that counts as none [$/MWh].
    """

    low: Sample | None
    high: Sample | None
    least: float
    most: float
    tolerance_kw: float
    tolerance_price: float

    @classmethod
    def start(
        cls, first: Sample, span: tuple[float, float], tolerance_kw: float, tolerance_price: float
    ) -> Search:
        """Begin at the adder that holds now."""
        blank = cls(None, None, *span, tolerance_kw, tolerance_price)
        return blank.learn([first])

    def learn(self, found: Sequence[Sample]) -> Search:
        """Take in what feeders said of some adders."""
        samples = [*found, *(item for item in (self.low, self.high) if item is not None)]
        above = [item for item in samples if item.excess > 0.0]
        below = [item for item in samples if item.excess <= 0.0]
        high = min(below, key=_adder, default=None)
        if high is not None:
            # Rounding of the clearings may leave too much power beyond an adder that leaves too little.
            above = [item for item in above if item.adder < high.adder]
        low = max(above, key=_adder, default=None)
        return replace(self, low=low, high=high)

    @property
    def best(self) -> Sample:
        """Sample nearest to the root: the least excess within tolerance, else what holds the limits."""
        known = [item for item in (self.low, self.high) if item is not None]
        close = [item for item in known if abs(item.excess) <= self.tolerance_kw]
        if close:
            return min(close, key=lambda item: abs(item.excess))
        return self.high or known[0]

    @property
    def done(self) -> bool:
        """Whether the root is found, or the adder is at the end of its range and the limits give way."""
        known = [item for item in (self.low, self.high) if item is not None]
        if any(abs(item.excess) <= self.tolerance_kw for item in known):
            return True
        at_end = (self.low is not None and self.low.adder >= self.most) or (
            self.high is not None and self.high.adder <= self.least
        )
        return at_end or self._width() <= self.tolerance_price

    def propose(self, expected: Callable[[float], float]) -> tuple[float, ...]:
        """Adders to ask for next, in order.

        Parameters
        ----------
        expected : callable
            What a model of the feeders expects as excess at an adder [kW]; used until the root is bracketed.
        """
        if self.low is None or self.high is None:
            return self._outwards(expected)
        a, b = self.low, self.high
        width = b.adder - a.adder
        root = a.adder + width * a.excess / (a.excess - b.excess)
        guard = GUARD * width
        asked = {root, max(root - guard, (a.adder + root) / 2), min(root + guard, (b.adder + root) / 2)}
        asked |= {a.adder + width * k / PARTS for k in range(1, PARTS)}
        if a.adder < 0.0 < b.adder:
            asked.add(0.0)
        return tuple(sorted(asked))

    def _outwards(self, expected: Callable[[float], float]) -> tuple[float, ...]:
        """Ask on one side of the only end that is known: where the model expects the root, and beyond."""
        known = self.low or self.high
        if known is None:
            return (min(max(0.0, self.least), self.most),)
        sign = 1.0 if self.low is not None else -1.0
        end = self.most if sign > 0 else self.least
        guess = _crossing(known.adder, end, expected)
        if guess is None:
            far = [FIRST_STEP * GROWTH**k for k in range(LADDER)] + [abs(end - known.adder)]
        else:
            step = max(abs(guess - known.adder), LEAST_STEP * self.tolerance_price)
            far = [0.7 * step, step, 1.4 * step, GROWTH * step, GROWTH**2 * step]
        asked = {min(max(known.adder + sign * step, self.least), self.most) for step in far}
        if any(known.adder * adder < 0.0 for adder in asked):
            asked.add(0.0)
        return tuple(sorted(asked - {known.adder}))

    def _width(self) -> float:
        if self.low is None or self.high is None:
            return float("inf")
        return max(self.high.adder - self.low.adder, 0.0)


def _adder(sample: Sample) -> float:
    return sample.adder


def _crossing(begin: float, end: float, expected: Callable[[float], float]) -> float | None:
    """Where a model's excess changes its sign between two adders; None where it does not."""
    above = expected(begin) > 0.0
    if (expected(begin + NEARLY * (end - begin)) > 0.0) == above:
        return None
    near, far = begin, end
    for _ in range(BISECTIONS):
        middle = (near + far) / 2
        if (expected(middle) > 0.0) == above:
            near = middle
        else:
            far = middle
    return far
