"""A wholesale price that answers: how the LMP rises with what the feeder draws."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class SupplyCurve:
    """Rise of the LMP over power drawn at the head: lines between knots, the outer two continued.

    Attributes
    ----------
    kw : tuple of float
        Power at the knots, ascending [kW]; two at least.
    rise : tuple of float
        Rise of the LMP there, never falling [$/MWh].
    """

    kw: tuple[float, ...]
    rise: tuple[float, ...]

    @classmethod
    def straight(cls, slope: float, from_kw: float) -> SupplyCurve:
        """Make a line.

        Parameters
        ----------
        slope : float
            Rise of the LMP over power drawn, 0 or more [$/MWh per MW].
        from_kw : float
            Power drawn at which the LMP is as published [kW].
        """
        return cls((from_kw, from_kw + 1e3), (0.0, slope))

    def rise_at(self, kw: float) -> float:
        """Return the rise of the LMP where so much is drawn [$/MWh]."""
        k = self._segment(kw)
        slope = (self.rise[k + 1] - self.rise[k]) / (self.kw[k + 1] - self.kw[k])
        return self.rise[k] + slope * (kw - self.kw[k])

    def cost(self, kw: float) -> float:
        """Return the area under the rise from 0 to a power [$/h]: supply costs so much beyond the LMP."""
        return self._area(kw) - self._area(0.0)

    def _segment(self, kw: float) -> int:
        last = len(self.kw) - 2
        return min(max(int(np.searchsorted(self.kw, kw, side="right")) - 1, 0), last)

    def _area(self, kw: float) -> float:
        """Area from the first knot to a power [$/h]."""
        k = self._segment(kw)
        whole = sum((self.rise[j] + self.rise[j + 1]) / 2 * (self.kw[j + 1] - self.kw[j]) for j in range(k))
        return (whole + (self.rise[k] + self.rise_at(kw)) / 2 * (kw - self.kw[k])) / 1e3
