"""Several feeders and what they share as one program: the reference that the search for the adder is held to.

It joins the programs of `market.central.nodal`, one for each feeder at its own AC state, by rows on the sum
of their head powers, whose multiplier is the adder, and by rows on the capacity that all of them hold back,
whose multipliers are the prices of the ancillary products. Nothing of it comes from `market.substation` or
`market.ancillary` but the limits and the requirements themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cvxpy as cp
import numpy as np

from dlmp_cosim.feeders.network import ComplexArray, FloatArray, IntArray
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.market.ancillary.products import Need, Product
from dlmp_cosim.market.central.ancillary import reserve
from dlmp_cosim.market.central.circuit import POWER_UNIT
from dlmp_cosim.market.central.nodal import CentralCase, CentralNodal, Statement
from dlmp_cosim.market.central.solver import solve
from dlmp_cosim.market.offers import Offer, WholesalePrice
from dlmp_cosim.market.substation.limits import SharedLimit


@dataclass(frozen=True)
class FeederCase:
    """One feeder's part: its central market, and what `CentralNodal.case` takes.

    Attributes
    ----------
    market : CentralNodal
        The market of its circuit.
    state : AcState
        Where it is differentiated.
    demand : ndarray, shape (n_load,)
        Nominal demand of the interval before curtailment [kVA].
    offers : sequence of Offer
        Accepted offers.
    price : WholesalePrice
        LMP at the head, without an adder.
    """

    market: CentralNodal
    state: AcState
    demand: ComplexArray
    offers: Sequence[Offer]
    price: WholesalePrice


@dataclass(frozen=True)
class CentralAdder:
    """What the joint program says.

    Attributes
    ----------
    adder : float
        Multiplier of the shared limits [$/MWh].
    cost : float
        Cost of all feeders at their LMPs, with the penalties of shared limits and the cost of capacity [$/h].
    head_kw : ndarray, shape (n_feeder,)
        Power that each draws [kW].
    dispatch : tuple of ndarray
        Complex power awarded, for each feeder [kVA].
    products : dict of str to float
        Multiplier of every requirement [$/MW for an hour].
    procured : dict of str to float
        Capacity of every product [kW].
    """

    adder: float
    cost: float
    head_kw: FloatArray
    dispatch: tuple[ComplexArray, ...]
    products: dict[Product, float] = field(default_factory=dict)
    procured: dict[Product, float] = field(default_factory=dict)


class CentralSubstation:
    """All feeders of one interval in one program.

    Parameters
    ----------
    feeders : sequence of FeederCase
        The feeders.
    limits : sequence of SharedLimit
        What they share.
    solver : str, optional
        Any installed CVXPY solver for quadratic programs.
    needs : sequence of Need, optional
        Requirements of ancillary products.
    hours : float, optional
        Length of the interval [h]; it says for how long energy has to last.
    """

    def __init__(
        self,
        feeders: Sequence[FeederCase],
        limits: Sequence[SharedLimit],
        solver: str = "CLARABEL",
        needs: Sequence[Need] = (),
        hours: float = 1.0,
    ) -> None:
        self._hours = hours
        self._feeders, self._limits, self._solver, self._needs = feeders, limits, solver, needs
        self._cases = [part.market.case(part.state, part.demand, part.offers, part.price) for part in feeders]
        self._heads = [_head(case) for case in self._cases]

    def solve(self) -> CentralAdder:
        """Solve it, with limits of the feeders joining as they turn out exceeded.

        Raises
        ------
        ClearingError
            When the solver finds no optimum.
        """
        joined = [np.zeros(0, dtype=np.int64) for _ in self._cases]
        while True:
            found, stated = self._attempt(joined)
            missed = [
                case.program.missed(np.asarray(part.r.value), known)
                for case, part, known in zip(self._cases, stated, joined, strict=True)
            ]
            if not any(len(item) for item in missed):
                return found
            joined = [np.concatenate(pair) for pair in zip(joined, missed, strict=True)]

    def _attempt(self, joined: Sequence[IntArray]) -> tuple[CentralAdder, list[Statement]]:
        """Solve with the limits of the feeders that have joined."""
        stated = [case.program.state(known) for case, known in zip(self._cases, joined, strict=True)]
        units = [case.program.unit for case in self._cases]
        scale = max(units)
        powers = [slope @ part.r + kw for part, (slope, kw) in zip(stated, self._heads, strict=True)]
        rows, penalty = self._shared(sum(powers) / POWER_UNIT, scale)
        own = [(part.cost + part.offset) * unit / scale for part, unit in zip(stated, units, strict=True)]
        constraints = [row for part in stated for row in part.constraints]
        energy = [
            (item.market.network, item.offers, part.r[: len(item.market.network.resources)])
            for item, part in zip(self._feeders, stated, strict=True)
        ]
        held = reserve(energy, self._needs, scale, self._hours)
        constraints += [*rows, *held.constraints, *held.requirements]
        problem = cp.Problem(cp.Minimize(sum(own) + penalty + held.cost), constraints)
        solve(problem, self._solver)
        signs = [1.0 if limit.above else -1.0 for limit in self._limits]
        duals = [sign * float(row.dual_value) for sign, row in zip(signs, rows, strict=True)]
        answer = CentralAdder(
            adder=sum(duals) * scale / POWER_UNIT * 1e3,
            cost=float(problem.value) * scale + sum(map(_bought, self._cases)),
            head_kw=np.array([float(power.value) for power in powers]),
            dispatch=tuple(_dispatch(case, part) for case, part in zip(self._cases, stated, strict=True)),
            products={
                need.product: float(row.dual_value) * scale / POWER_UNIT * 1e3
                for need, row in zip(self._needs, held.requirements, strict=True)
            },
            procured={
                need.product: POWER_UNIT * sum(float(np.sum(item.value)) for item in row)
                for need, row in zip(self._needs, held.capacity, strict=True)
            },
        )
        return answer, stated

    def _shared(self, total: cp.Expression, scale: float) -> tuple[list[cp.Constraint], cp.Expression]:
        """State the shared limits on the power of all [units], and what exceeding them costs."""
        over = cp.Variable(max(len(self._limits), 1), nonneg=True)
        rows, penalty = [], cp.Constant(0.0)
        for k, limit in enumerate(self._limits):
            sign = 1.0 if limit.above else -1.0
            rows.append(sign * total - over[k] <= sign * limit.kw / POWER_UNIT)
            penalty = penalty + limit.cap * POWER_UNIT / 1e3 / scale * over[k]
        return rows, penalty


def _bought(case: CentralCase) -> float:
    """Cost of the power at the anchor's head [$/h]: programs state what comes to it."""
    head = case.state.head.sum()
    return float(case.price.lmp * head.real + case.price.reactive * head.imag) / 1e3


def _head(case: CentralCase) -> tuple[FloatArray, float]:
    """Head power [kW] as slope and constant in the powers of the resources."""
    _, slope, constant = case.circuit.along(case.circuit.head[:, :1])
    return slope[0] / 1e3, float(case.state.head.real.sum()) + float(constant[0]) / 1e3


def _dispatch(case: CentralCase, part: Statement) -> ComplexArray:
    r = np.asarray(part.r.value)
    n = len(r) // 2
    return np.asarray(POWER_UNIT * (r[:n] * (1 + 1j * case.ratio) + 1j * r[n:]), dtype=np.complex128)
