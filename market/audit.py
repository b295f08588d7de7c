"""The judgement of a market by AC physics: prediction against AC, violations, energy balance.

Pure functions, for our markets or anybody's: they need only the AC state, the prediction and the limits that
the market says it priced.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dlmp_cosim.feeders.network import ComplexArray, FloatArray, Network, node_id
from dlmp_cosim.feeders.state import AcState

Kind = Literal["voltage_low", "voltage_high", "rating", "outage"]


@dataclass(frozen=True)
class Limits:
    """Limits that the AC state is held against, and how far beyond counts.

    Attributes
    ----------
    voltage_min_pu, voltage_max_pu : float
        Voltage band [pu].
    rating_scale : float
        Factor on every rating.
    voltage_tolerance_pu : float
        A voltage outside the band by less is no violation [pu].
    rating_tolerance : float
        A current above its rating by a smaller share is no violation.
    """

    voltage_min_pu: float = 0.95
    voltage_max_pu: float = 1.05
    rating_scale: float = 1.0
    voltage_tolerance_pu: float = 1e-4
    rating_tolerance: float = 1e-3


@dataclass(frozen=True)
class Prediction:
    """What the market said the feeder would do under its dispatch.

    Attributes
    ----------
    voltage_magnitude : ndarray, shape (n_node,)
        Voltages [pu].
    power : ndarray, shape (n_conductor,)
        Real power entering every branch at every conductor of its terminals [kW].
    head_kw : float
        Real power that the sources give, all phases [kW].
    losses_kw : float
        Real losses [kW].
    priced : collection of (kind, where)
        Limits to which the market gave a price.
    """

    voltage_magnitude: FloatArray
    power: FloatArray
    head_kw: float
    losses_kw: float
    priced: Collection[tuple[str, str]] = ()


@dataclass(frozen=True)
class Violation:
    """One limit that the AC state breaks.

    Attributes
    ----------
    kind : {"voltage_low", "voltage_high", "rating", "outage"}
        Which limit; an outage is no voltage anywhere.
    where : str
        Name of a `VoltagePoint`, or conductor of `Network.conductor_ids`; of an outage, the head's bus.
    value, limit : float
        AC value and limit [pu or A].
    priced : bool
        Whether the market had reported it.
    """

    kind: Kind
    where: str
    value: float
    limit: float
    priced: bool

    @property
    def excess(self) -> float:
        """How far beyond the limit [pu of voltage, or pu of the rating]."""
        beyond = abs(self.value - self.limit)
        return beyond / self.limit if self.kind == "rating" else beyond


@dataclass(frozen=True)
class Verdict:
    """The judgement of one interval.

    Attributes
    ----------
    converged : bool
        Whether the power flow converged to finite numbers; the figures below are NaN when it did not.
    voltage_error_pu : float
        Largest difference between predicted and AC voltage [pu].
    branch_error_kw : float
        Largest difference between predicted and AC branch power [kW].
    head_error_kw, losses_error_kw : float
        Predicted less AC head power and losses [kW].
    balance_error_kw : float
        Head power and everything injected less served load and losses [kW].
    violations : tuple of Violation
        Every limit broken, worst first.
    """

    converged: bool
    voltage_error_pu: float
    branch_error_kw: float
    head_error_kw: float
    losses_error_kw: float
    balance_error_kw: float
    violations: tuple[Violation, ...]

    @property
    def unpriced(self) -> tuple[Violation, ...]:
        """Violations that the market had not reported."""
        return tuple(v for v in self.violations if not v.priced)


def judge(network: Network, limits: Limits, prediction: Prediction | None, state: AcState) -> Verdict:
    """Hold one interval's prediction and limits against its AC state.

    Parameters
    ----------
    network : Network
        The feeder.
    limits : Limits
        Limits and tolerances.
    prediction : Prediction or None
        What the market said; None judges the physics alone.
    state : AcState
        What the AC power flow says.
    """
    if not (state.converged and _is_whole(state)):
        nan = math.nan
        return Verdict(False, nan, nan, nan, nan, nan, ())
    errors = (math.nan,) * 4
    if prediction is not None:
        errors = (
            float(np.max(np.abs(prediction.voltage_magnitude - np.abs(state.voltage)))),
            float(np.max(np.abs(prediction.power - state.power.real), initial=0.0)),
            prediction.head_kw - float(state.head.real.sum()),
            prediction.losses_kw - state.losses.real,
        )
    priced = frozenset(prediction.priced) if prediction is not None else frozenset()
    return Verdict(True, *errors, balance_error(state), find_violations(network, limits, state, priced))


def _is_whole(state: AcState) -> bool:
    """Whether a state that calls itself converged has a number everywhere: comparisons pass over NaN."""
    parts = (
        *(state.voltage, state.power, state.current, state.head),
        *(state.load, state.machine, np.array(state.losses)),
    )
    return all(bool(np.isfinite(part).all()) for part in parts)


def balance_error(state: AcState) -> float:
    """Real power that enters the feeder and is neither served nor lost [kW]; 0 up to solver tolerance."""
    given = state.head.real.sum() + state.machine.real.sum() + state.injection.real.sum()
    return float(given - state.load.real.sum() - state.losses.real)


def find_violations(
    network: Network, limits: Limits, state: AcState, priced: Collection[tuple[str, str]] = ()
) -> tuple[Violation, ...]:
    """Every voltage or current beyond its limit by more than the tolerance, the worst first.

    Parameters
    ----------
    network : Network
        The feeder.
    limits : Limits
        Limits and tolerances.
    state : AcState
        A converged AC state.
    priced : collection of (str, str)
        Kind and place of the limits that the market gave a price; a violation says whether it is one.
    """
    if not state.voltage.any():
        # Without a source there is one thing to say, and not one for every node.
        where = network.head_ids[0].rpartition(".")[0]
        return (Violation("outage", where, 0.0, limits.voltage_min_pu, ("outage", where) in priced),)
    found = [*_voltages(network, limits, state.voltage, priced), *_currents(network, limits, state, priced)]
    return tuple(sorted(found, key=lambda violation: (-violation.excess, violation.where)))


def _voltages(
    network: Network, limits: Limits, voltage: ComplexArray, priced: Collection[tuple[str, str]]
) -> Iterable[Violation]:
    magnitude, slack = point_voltage(network, voltage), limits.voltage_tolerance_pu
    low, high = limits.voltage_min_pu, limits.voltage_max_pu
    for k in np.flatnonzero((magnitude < low - slack) | (magnitude > high + slack)):
        kind: Kind = "voltage_low" if magnitude[k] < low else "voltage_high"
        where = network.point_ids[k]
        limit = low if kind == "voltage_low" else high
        yield Violation(kind, where, float(magnitude[k]), limit, (kind, where) in priced)


def point_voltage(network: Network, voltage: ComplexArray) -> FloatArray:
    """Magnitude of every voltage that limits hold for, shape (n_point,) [pu of its nominal voltage].

    Parameters
    ----------
    network : Network
        The circuit.
    voltage : ndarray, shape (n_node,)
        Voltage of every node to ground [pu of `Network.base_v`].
    """
    index, points, grounded = network.node_index, network.voltage_points, np.append(voltage, 0.0)
    first = np.array([index[node_id(point.bus, point.phase)] for point in points], dtype=np.int64)
    second = [index[node_id(point.bus, point.other)] if point.other else -1 for point in points]
    nominal = np.array([1e3 * point.kv_base for point in points])
    across = np.abs(grounded[first] - grounded[second])
    return np.asarray(across * (network.base_v[first] / nominal))


def _currents(
    network: Network, limits: Limits, state: AcState, priced: Collection[tuple[str, str]]
) -> Iterable[Violation]:
    rating = limits.rating_scale * network.conductor_rating
    for c in np.flatnonzero(state.current > rating * (1 + limits.rating_tolerance)):
        where = network.conductor_ids[c]
        yield Violation(
            "rating", where, float(state.current[c]), float(rating[c]), ("rating", where) in priced
        )


@dataclass(frozen=True)
class IntervalRecord:
    """What the audit of a whole run needs from one interval.

    Attributes
    ----------
    settled : bool
        Whether prediction and AC agreed within the scenario's tolerances before controls acted.
    rounds : int
        Clearings that it took.
    voltage_error_pu, head_error_kw : float
        Final prediction against AC, before controls acted; NaN without a market.
    verdict : Verdict
        Judgement of the realised state.
    """

    settled: bool
    rounds: int
    voltage_error_pu: float
    head_error_kw: float
    verdict: Verdict


@dataclass(frozen=True)
class RunVerdict:
    """The judgement of a run; field names are those of ``dlmp verdict --json``."""

    intervals: int
    settled: int
    rounds_max: int
    voltage_error_max_pu: float
    head_error_max_kw: float
    violations: int
    violations_unpriced: int
    worst_violation_pu: float
    status: Literal["feasible", "violated", "unknown"]


def judge_run(records: Sequence[IntervalRecord]) -> RunVerdict:
    """Sum up a run: feasible, violated, or unknown when nothing ran or a power flow did not converge."""
    violations = [v for record in records for v in record.verdict.violations]
    known = bool(records) and all(record.verdict.converged for record in records)
    status: Literal["feasible", "violated", "unknown"] = "violated" if violations else "feasible"
    return RunVerdict(
        intervals=len(records),
        settled=sum(record.settled for record in records),
        rounds_max=max((record.rounds for record in records), default=0),
        voltage_error_max_pu=_largest(record.voltage_error_pu for record in records),
        head_error_max_kw=_largest(abs(record.head_error_kw) for record in records),
        violations=len(violations),
        violations_unpriced=sum(not v.priced for v in violations),
        worst_violation_pu=_largest(v.excess for v in violations) if violations else 0.0,
        status=status if known or violations else "unknown",
    )


def _largest(values: Iterable[float]) -> float:
    """Largest of the numbers that are there; NaN when none is."""
    there = [value for value in values if not math.isnan(value)]
    return max(there, default=math.nan)
