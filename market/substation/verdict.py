"""The judgement of a substation: what its feeders really drew together, held against what they share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from dlmp_cosim.feeders.network import ComplexArray
from dlmp_cosim.market.substation.limits import Cause, SharedRules, limits_of


@dataclass(frozen=True)
class SharedViolation:
    """A shared limit that was exceeded beyond tolerance.

    Attributes
    ----------
    interval : int
        When.
    cause : str
        Which limit.
    kw, limit_kw : float
        Realised power and limit [kW].
    """

    interval: int
    cause: Cause
    kw: float
    limit_kw: float

    @property
    def excess(self) -> float:
        """How far it is beyond the limit [kW]."""
        return abs(self.kw - self.limit_kw)


def find_shared_violations(
    rules: SharedRules, drawn: ComplexArray, minutes: float, tolerance_kw: float
) -> tuple[SharedViolation, ...]:
    """Every shared limit that realised power exceeds, margins and targets aside.

    Parameters
    ----------
    rules : SharedRules
        What the feeders share; a peak target is a wish with a price and no limit.
    drawn : ndarray, shape (n,)
        Power that all feeders drew in every interval [kVA].
    minutes : float
        Length of an interval [min].
    tolerance_kw : float
        Excess that does not count [kW].
    """
    true = replace(rules, margin_kw=0.0, peak_target_kw=None)
    found = []
    before: float | None = None
    for interval, power in enumerate(drawn.tolist()):
        kw = float(power.real)
        for limit in limits_of(true, float(power.imag), before, minutes):
            beyond = kw - limit.kw if limit.above else limit.kw - kw
            if beyond > tolerance_kw:
                found.append(SharedViolation(interval, limit.cause, kw, limit.kw))
        before = kw
    return tuple(found)


def worst(violations: Sequence[SharedViolation]) -> SharedViolation | None:
    """Name the violation that goes furthest; None where there is none."""
    return max(violations, key=lambda item: item.excess, default=None)
