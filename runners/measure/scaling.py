"""How the time of a clearing grows with the circuit: one clearing of each, cold and warm, set-up apart.

Times are processor time of this process: what others do on the machine changes them least.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import TypeVar

import numpy as np

from dlmp_cosim.feeders.errors import FeederError
from dlmp_cosim.feeders.network import Network
from dlmp_cosim.feeders.opendss.case import Case
from dlmp_cosim.feeders.opendss.circuit import read_circuit
from dlmp_cosim.feeders.opendss.feeder import OpenDssFeeder
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.market.interior_point.fronts import make_plan
from dlmp_cosim.market.interior_point.method import iterate
from dlmp_cosim.market.nodal.market import NodalMarket
from dlmp_cosim.market.offers import Offer, WholesalePrice
from dlmp_cosim.market.problem.atoms import AtomicProblem, objective
from dlmp_cosim.market.settings import MarketSettings
from dlmp_cosim.runners.judge.gaps import make_reference
from dlmp_cosim.runners.measure.clarabel_direct import solve_directly
from dlmp_cosim.runners.measure.copies import copy_network, copy_offers, copy_state
from dlmp_cosim.runners.measure.population import populate

T = TypeVar("T")

SETTINGS = MarketSettings(method="interior-point", negotiation_rounds=1_000_000)
PRICE, NEXT_PRICE = WholesalePrice(50.0), WholesalePrice(51.0)
"""Prices of the first clearing and of the one after it [$/MWh]."""
CENTRAL_NODES = 1_000
"""Nodes up to which the market is stated in CVXPY as well; its dense rows take minutes beyond."""


@dataclass(frozen=True)
class Subject:
    """A circuit ready to be cleared."""

    name: str
    network: Network
    state: AcState
    offers: tuple[Offer, ...]


@dataclass(frozen=True)
class Growth:
    """What clearing one circuit takes.

    Attributes
    ----------
    name : str
        The circuit.
    nodes, resources, binding : int
        Its nodes, its resources, and limits with a price.
    hops : int
        One-hop messages in sequence of a sweep up and down.
    rounds_cold, rounds_warm : int
        One-hop messages in sequence of a clearing, all sweeps.
    setup, cold, warm : float
        Processor time to state the network and plan the sweeps, and of a clearing [s].
    clarabel : float
        Processor time of Clarabel on the same problem [s].
    clarabel_ended : str
        How Clarabel says that it ended; its cost is exact only where it is solved.
    cvxpy : float or None
        Processor time of the statement in CVXPY, parametrised and warmed up [s]; None where it is too large.
    gap : float
        Relative difference of the two costs.
    """

    name: str
    nodes: int
    resources: int
    binding: int
    hops: int
    rounds_cold: int
    rounds_warm: int
    setup: float
    cold: float
    warm: float
    clarabel: float
    clarabel_ended: str
    cvxpy: float | None
    gap: float


def open_subject(path: Path) -> Subject:
    """Read a circuit and solve it at its listed demand with its controls acting.

    Parameters
    ----------
    path : Path
        Master file of OpenDSS.

    Raises
    ------
    FeederError
        When OpenDSS does not compile or solve it.
    """
    case = Case(path.stem, path=path)
    network, offers = populate(read_circuit(case).network)
    idle = np.zeros(len(network.resources), dtype=np.complex128)
    state = OpenDssFeeder(case, network).solve(network.listed_demand, idle, controls=True)
    if not state.converged:
        raise FeederError(f"{path}: the power flow at listed demand does not converge")
    return Subject(path.stem, network, state, offers)


def copied(subject: Subject, count: int) -> Subject:
    """Many copies of a circuit behind one substation."""
    network = copy_network(subject.network, count)
    state = copy_state(subject.network, subject.state, count)
    return Subject(network.name, network, state, copy_offers(subject.offers, count))


def measure_growth(subject: Subject, repeats: int) -> Growth:
    """Clear one circuit cold and warm, and hand the same problem to Clarabel.

    Parameters
    ----------
    subject : Subject
        The circuit, its state and its offers.
    repeats : int
        Times that each is timed; medians count.
    """
    began = time.process_time()
    market = NodalMarket(subject.network, SETTINGS)
    clear = partial(market.clear, subject.state, subject.network.listed_demand, subject.offers)
    first = clear(PRICE)
    setup = time.process_time() - began
    times: dict[str, list[float]] = {"cold": [], "warm": [], "clarabel": []}
    problem = _problem(market, subject)
    for _ in range(repeats):
        market.warmth = None
        times["cold"].append(_processor_time(partial(clear, PRICE))[0])
        took, warm = _processor_time(partial(clear, NEXT_PRICE))
        times["warm"].append(took)
        cost, took, ended = solve_directly(problem)
        times["clarabel"].append(took)
    cold, plan = median(times["cold"]), make_plan(problem)
    reached = iterate(problem, plan, np.zeros(len(problem.linear)), tolerance=SETTINGS.tolerance)
    return Growth(
        name=subject.name,
        nodes=len(subject.network.node_ids),
        resources=len(subject.network.resources),
        binding=len(first.limits),
        hops=2 * plan.height,
        rounds_cold=first.rounds,
        rounds_warm=warm.rounds,
        setup=max(setup - cold, 0.0),
        cold=cold,
        warm=median(times["warm"]),
        clarabel=median(times["clarabel"]),
        clarabel_ended=ended,
        cvxpy=_central_time(subject, repeats),
        gap=float(abs(objective(problem, reached.x) - cost) / max(abs(cost), 1.0)),
    )


def _central_time(subject: Subject, repeats: int) -> float | None:
    """Time the central statement of the same market [s]; None where it is too large."""
    if len(subject.network.node_ids) > CENTRAL_NODES:
        return None
    central = make_reference(subject.network, SETTINGS)
    solve = partial(central.answer, subject.state, subject.network.listed_demand, subject.offers, PRICE)
    solve()
    return median(_processor_time(solve)[0] for _ in range(repeats))


def _processor_time(work: Callable[[], T]) -> tuple[float, T]:
    """Do some work, and say what processor time it took [s]."""
    began = time.process_time()
    done = work()
    return time.process_time() - began, done


def _problem(market: NodalMarket, subject: Subject) -> AtomicProblem:
    """State the problem that the market clears."""
    anchor = market.model.anchor(subject.state, subject.network.listed_demand, subject.offers)
    return market.model.problem(anchor, subject.offers, PRICE)


def growth_exponent(found: Sequence[Growth]) -> float:
    """Slope of the logarithm of a cold clearing's time over that of the nodes."""
    nodes, times = np.log([g.nodes for g in found]), np.log([g.cold for g in found])
    return float(np.polyfit(nodes, times, 1)[0])
