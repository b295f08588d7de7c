"""Balanced feeders, a power flow that knows nothing of the market, and clearings that several tests share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from dlmp_cosim.feeders.network import ComplexArray, FloatArray, Network, Resource, wye
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.market.balanced.equivalent import Equivalent, at_state, equivalent
from dlmp_cosim.market.balanced.market import BranchFlowMarket
from dlmp_cosim.market.balanced.model import BranchFlowModel
from dlmp_cosim.market.central.balanced import CentralBranchFlow, ConeSolution
from dlmp_cosim.market.clearing import Clearing
from dlmp_cosim.market.offers import Offer, WholesalePrice
from dlmp_cosim.market.problem.atoms import AtomicProblem
from dlmp_cosim.market.problem.reduction import ReducedTree
from dlmp_cosim.market.settings import MarketSettings
from tests.market.support import ABC, KV, Sample, line, load, mixed, mixed_offers, sample, solve

PRICE = WholesalePrice(30.0, reactive=2.0)
OHM_BASE = 3 * KV**2
"""Impedance of one pu at 1 MVA on three phases [ohm]."""
TIGHT = MarketSettings(
    model="branch_flow",
    tolerance=1e-6,
    negotiation_rounds=100_000,
    voltage_min_pu=0.85,
    voltage_max_pu=1.15,
    agents=3,
)
"""Settled far beyond what a study needs, with limits that nothing reaches."""

OHM = 0.8
FORK = (("src", "a"), ("a", "b"), ("b", "c"), ("a", "d"), ("d", "e"))
FORK_PARENT = (-1, 0, 1, 2, 1, 4)
FORK_IMPEDANCE = np.append(0.0, np.full(5, 0.7 * OHM * (1 + 1.7j) / OHM_BASE))
"""Self less mutual impedance of `line`, for the line into each bus [pu]."""
STIFF = "edit vsource.source x1=1e-5 x0=1e-5"
"""A source whose voltage does not feel what a market changes."""
RESOURCES = (
    Resource("gen", "generator", "c", wye(ABC), 300.0, 360.0),
    Resource("pv", "generator", "e", wye(ABC), 150.0, 150.0),
    Resource("flex", "flexible_load", "b", wye((1,)), 40.0, 45.0, load="b_1"),
)


def fork(
    *,
    ohm: float = OHM,
    model: int = 1,
    rating_a: float = 400.0,
    resources: Sequence[Resource] = RESOURCES,
    extra: Sequence[str] = (),
) -> Sample:
    """A balanced feeder with two ends, the same load on every phase of every bus."""
    names = ["src", *(end for _, end in FORK)]
    loads = [load(f"{name}_{p}", name, (p,), model, 60.0, 25.0) for name in names[1:] for p in ABC]
    lines = [line(a, b, ohm=ohm, rating_a=rating_a) for a, b in FORK]
    return sample("fork", [STIFF, *lines, *loads, *extra], resources)


def offers(less: float = 0.0) -> tuple[Offer, ...]:
    """One offer for each resource of `fork`, around the price at the head."""
    return (
        Offer("gen", 0.0, 300.0, 28.0 - less, 0.2, -150.0, 150.0, 330.0),
        Offer("pv", 0.0, 150.0, 25.0 - less, 0.3),
        Offer("flex", 0.0, 40.0, 29.0 - less, 0.5, reactive_ratio=25.0 / 60.0),
    )


@dataclass(frozen=True)
class Case:
    """One interval of a circuit before its market clears."""

    sample: Sample
    settings: MarketSettings = TIGHT
    offers: tuple[Offer, ...] = ()
    price: WholesalePrice = PRICE
    share: float = 1.0

    @property
    def network(self) -> Network:
        return self.sample.network

    @property
    def demand(self) -> ComplexArray:
        return self.share * self.network.listed_demand

    @property
    def state(self) -> AcState:
        return ac_state(self.sample, self.share)


@cache
def ac_state(circuit: Sample, share: float) -> AcState:
    """The AC state of a circuit at a share of its listed demand, without any dispatch."""
    return solve(circuit.feeder(), share * circuit.network.listed_demand)


def balanced_at(network: Network, tree: ReducedTree, state: AcState) -> Equivalent:
    """The equivalent of a circuit at an AC state."""
    return at_state(equivalent(network, tree, state.admittance), network, state)


def with_taps(circuit: Sample, tree: ReducedTree, taps: Sequence[int]) -> Equivalent:
    """The equivalent of a circuit at other taps, its head at nominal voltage."""
    feeder = circuit.feeder()
    feeder.set_taps(np.array(taps, dtype=np.int64))
    return equivalent(circuit.network, tree, solve(feeder).admittance)


def with_settings(case: Case, **changes: object) -> Case:
    """The same interval under other settings."""
    return replace(case, settings=replace(case.settings, **changes))  # type: ignore[arg-type]


def clear(case: Case) -> Clearing:
    """One cold clearing."""
    return BranchFlowMarket(case.network, case.settings).clear(
        case.state, case.demand, case.offers, case.price
    )


@cache
def central(network: Network, settings: MarketSettings) -> CentralBranchFlow:
    """The central market of a network; solving it again costs a fraction of stating it."""
    return CentralBranchFlow(network, settings)


def reference(case: Case, demand: ComplexArray | None = None) -> ConeSolution:
    """The central optimum of an interval."""
    market = central(case.network, case.settings)
    same = balanced_at(case.network, market.tree, case.state)
    demand = case.demand if demand is None else demand
    return market.solve(same, demand, case.offers, case.price)


@dataclass(frozen=True)
class Stated:
    """The problem of an interval, and what it was made from."""

    model: BranchFlowModel
    same: Equivalent
    problem: AtomicProblem


def stated(case: Case) -> Stated:
    """State the problem of an interval at the AC state before it."""
    model = BranchFlowModel(case.network, case.settings)
    same = balanced_at(case.network, model.tree, case.state)
    return Stated(model, same, model.problem(same, case.demand, case.offers, case.price))


@dataclass(frozen=True)
class Flow:
    """A balanced power flow [pu]: power sent into each bus (at the root from outside), squares of current
    in the line to it and of its voltage.
    """

    power: ComplexArray
    current: FloatArray
    v: FloatArray

    @property
    def head(self) -> complex:
        return complex(self.power[0])


def sweep(
    parent: Sequence[int],
    impedance: ComplexArray,
    demand: ComplexArray,
    slope: ComplexArray | float = 0.0,
    v_source: float = 1.0,
    gain: FloatArray | None = None,
) -> Flow:
    """Solve the DistFlow equations by backward and forward sweeps; demand is ``demand + slope v``.

    The line into bus j starts at ``gain[j]`` times the squared voltage of its parent.
    """
    n = len(parent)
    gain = np.ones(n) if gain is None else gain
    v, current = np.full(n, v_source), np.zeros(n)
    for _ in range(400):
        power, before = demand + slope * v, v.copy()
        for j in range(n - 1, 0, -1):
            power[j] += impedance[j] * current[j]
            power[parent[j]] += power[j]
        for j in range(1, n):
            start, z = gain[j] * v[parent[j]], impedance[j]
            current[j] = abs(power[j]) ** 2 / start
            v[j] = start - 2 * (z.conjugate() * power[j]).real + abs(z) ** 2 * current[j]
        if np.abs(v - before).max() < 1e-15:
            break
    assert np.abs(v - before).max() < 1e-13
    return Flow(power, current, v)


def point(model: BranchFlowModel, flow: Flow, same: Equivalent, resources: FloatArray) -> FloatArray:
    """The variables of the problem at a power flow of its atoms, with the resources' p and q [pu]."""
    lay, x = model.layout, np.zeros(model.layout.n)
    x[lay.p], x[lay.q] = flow.power.real, flow.power.imag
    x[lay.current], x[lay.v] = flow.current[1:], flow.v[1:]
    x[lay.v_from] = flow.v[model.tree.parent[1:]] * same.from_gain
    x[lay.loading] = flow.current[1:] / (same.rating * model.settings.rating_scale) ** 2
    x[[*lay.resource_p, *lay.resource_q]] = resources
    return x


def fork_demand(case: Case, dispatch: ComplexArray) -> ComplexArray:
    """Demand less dispatch of every bus of `fork` [pu]."""
    index = case.network.bus_index
    drawn = np.zeros(len(index), dtype=np.complex128)
    np.add.at(drawn, [index[load.bus] for load in case.network.loads], case.demand / 1e3)
    np.add.at(drawn, [index[item.bus] for item in case.network.resources], -dispatch / 1e3)
    return drawn


def fork_flow(case: Case, dispatch: ComplexArray, more: ComplexArray | float = 0.0) -> Flow:
    """Flow of `fork` with constant-power loads under a dispatch, with `more` demand [pu] at its buses."""
    head = float(np.mean(np.abs(case.state.voltage[case.network.head_node])) ** 2)
    return sweep(FORK_PARENT, FORK_IMPEDANCE, fork_demand(case, dispatch) + more, v_source=head)


EASY = Case(fork(), TIGHT, offers())
LIGHT = Case(fork(), replace(TIGHT, voltage_max_pu=1.01), offers(20.0), share=0.1)
"""Little demand and cheap generators: lines run backwards into an upper voltage limit."""
RUNAWAY = Case(
    fork(resources=(Resource("gen", "generator", "c", wye(ABC), 1500.0, 1500.0),)),
    replace(TIGHT, voltage_max_pu=1.02),
    (Offer("gen", 0.0, 1500.0, 5.0, 0.02),),
    share=0.2,
)
"""So much cheap generation that the relaxed cones burn power to hold the upper voltage limit."""
CASES = {
    "no_limit": EASY,
    "voltage_low": with_settings(EASY, voltage_min_pu=0.942),
    "exceeded": with_settings(EASY, voltage_min_pu=0.955),
    "voltage_high": LIGHT,
    "rating": Case(fork(rating_a=104.0), TIGHT, offers()),
    "loss_weight": with_settings(EASY, loss_weight=1.0),
    "no_offers": Case(fork(), TIGHT),
    "one_offer": Case(fork(), TIGHT, offers()[:1]),
    "negative_offers": Case(fork(), TIGHT, offers(60.0)),
    "must_run": Case(fork(), TIGHT, (Offer("gen", 60.0, 60.0, 90.0), Offer("pv", 40.0, 150.0, 60.0, 0.1))),
    "mixed": Case(mixed(), TIGHT, mixed_offers()),
    "mixed_voltage": Case(mixed(), replace(TIGHT, voltage_min_pu=0.997), mixed_offers()),
}
