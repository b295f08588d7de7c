"""Feeders, offers and the loop between market and physics that several market tests share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import cvxpy as cp
import numpy as np

from feeders import ieee123
from feeders.network import (
    Branch,
    BranchKind,
    Bus,
    Capacitor,
    ComplexArray,
    FloatArray,
    Load,
    Network,
    Regulator,
    Resource,
)
from feeders.opendss.feeder import OpenDssFeeder
from feeders.readers.assets import AssetTerms, read_assets
from feeders.state import AcState
from market.clearing import Clearing
from market.offers import Offer, WholesalePrice
from market.problem.atoms import AtomicProblem
from market.three_phase.market import Market

KV = 2.4


def conductors(
    from_bus: str,
    to_bus: str,
    phases: tuple[int, ...] = (1, 2, 3),
    *,
    ohm: float = 0.2,
    kind: BranchKind = "line",
    rating_a: float = 400.0,
    microsiemens: float = 0.0,
) -> Branch:
    """A branch whose phases couple, with more reactance than resistance."""
    n = len(phases)
    shape = np.full((n, n), 0.3) + 0.7 * np.eye(n)
    scale = {"line": ohm, "switch": 1e-5, "regulator": 0.0}[kind]

    def rows(matrix: np.ndarray) -> tuple[tuple[float, ...], ...]:
        return tuple(tuple(float(value) for value in row) for row in matrix)

    charging = microsiemens * (np.eye(n) * 1.2 - 0.2) if kind == "line" else np.zeros((n, n))
    return Branch(
        name=f"{from_bus}-{to_bus}",
        from_bus=from_bus,
        to_bus=to_bus,
        phases=phases,
        kind=kind,
        resistance_ohm=rows(scale * shape),
        reactance_ohm=rows(1.7 * scale * shape),
        susceptance_us=rows(charging),
        rating_a=rating_a,
    )


def regulator(name: str, branch: str, phase: int, tap: int) -> Regulator:
    """A single-phase tap changer."""
    return Regulator(name, branch, (phase,), phase, 122.0, 2.0, 20.0, 300.0, 0.0, 0.0, tap)


def mixed(ohm: float = 0.25, microsiemens: float = 0.0) -> Network:
    """Nine buses with one of everything: taps of each phase, a switch, laterals of two and one phases.

    Loads: wye and delta of every voltage exponent. Resources: generators on three, two and one phases,
    storage, and flexible loads in wye and delta.
    """
    return Network(
        name="mixed",
        buses=(
            Bus("src", (1, 2, 3), KV),
            Bus("a", (1, 2, 3), KV),
            Bus("b", (1, 2, 3), KV),
            Bus("c", (1, 2, 3), KV),
            Bus("d", (1, 2, 3), KV),
            Bus("two", (1, 3), KV),
            Bus("end", (3,), KV),
            Bus("one", (2,), KV),
            Bus("tip", (2,), KV),
        ),
        branches=(
            conductors("src", "a", ohm=ohm, microsiemens=microsiemens),
            conductors("a", "b", kind="regulator"),
            conductors("b", "c", ohm=ohm, microsiemens=microsiemens),
            conductors("c", "d", kind="switch"),
            conductors("d", "two", (1, 3), ohm=2 * ohm, microsiemens=microsiemens),
            conductors("two", "end", (3,), ohm=2 * ohm, microsiemens=microsiemens),
            conductors("c", "one", (2,), ohm=3 * ohm, microsiemens=microsiemens),
            conductors("one", "tip", (2,), ohm=3 * ohm, microsiemens=microsiemens),
        ),
        loads=(
            Load("pq1", "c", (1,), 0, 90.0, 40.0),
            Load("i2", "d", (2,), 1, 110.0, 50.0),
            Load("z3", "b", (3,), 2, 70.0, 30.0),
            Load("delta_pq", "two", (1, 3), 0, 60.0, 25.0),
            Load("delta_i", "d", (2, 3), 1, 80.0, 35.0),
            Load("delta_z", "c", (3, 1), 2, 75.0, 20.0),
            Load("pq_end", "end", (3,), 0, 45.0, 20.0),
            Load("i_one", "one", (2,), 1, 30.0, 10.0),
            Load("z_tip", "tip", (2,), 2, 50.0, 25.0),
        ),
        capacitors=(Capacitor("cap_c", "c", 2, 60.0), Capacitor("cap_end", "end", 3, 30.0)),
        regulators=(
            regulator("r1", "a-b", 1, 4),
            regulator("r2", "a-b", 2, 7),
            regulator("r3", "a-b", 3, -3),
        ),
        resources=(
            Resource("gen3", "generator", "d", (1, 2, 3), 150.0, 180.0),
            Resource("gen2", "generator", "two", (1, 3), 40.0, 40.0),
            Resource("gen1", "generator", "tip", (2,), 60.0, 75.0),
            Resource("store", "storage", "end", (3,), 20.0, 25.0),
            Resource("flex_wye", "flexible_load", "d", (2,), 40.0, 45.0, load="i2"),
            Resource("flex_delta", "flexible_load", "two", (1, 3), 30.0, 33.0, load="delta_pq"),
        ),
    )


def mixed_offers() -> tuple[Offer, ...]:
    """One offer for each resource of `mixed`, with marginal costs around 30 $/MWh."""
    return (
        Offer("gen3", 0.0, 150.0, 28.0, 0.05, -99.0, 99.0, 180.0),
        Offer("gen2", 0.0, 40.0, 31.0, 0.10),
        Offer("gen1", 0.0, 60.0, 26.0, 0.15, -45.0, 45.0, 75.0),
        Offer("store", -20.0, 20.0, 30.0, 0.30, -15.0, 15.0, 25.0),
        Offer("flex_wye", 0.0, 40.0, 33.0, 0.20, reactive_ratio=50.0 / 110.0),
        Offer("flex_delta", 0.0, 30.0, 29.0, 0.25, reactive_ratio=25.0 / 60.0),
    )


def ladder(
    n: int = 4,
    *,
    ohm: float = 0.5,
    kw: float = 60.0,
    kvar: float = 25.0,
    rating_a: float = 400.0,
    resources: Sequence[Resource] = (),
) -> Network:
    """A three-phase line of `n` buses behind the source, with a load on every phase of each."""
    names = ["src", *(f"n{k}" for k in range(1, n + 1))]
    return Network(
        name="ladder",
        buses=tuple(Bus(name, (1, 2, 3), KV) for name in names),
        branches=tuple(conductors(a, b, ohm=ohm, rating_a=rating_a) for a, b in pairwise(names)),
        loads=tuple(
            Load(f"{name}_{phase}", name, (phase,), 0, kw, kvar) for name in names[1:] for phase in (1, 2, 3)
        ),
        resources=tuple(resources),
    )


def idle(network: Network) -> ComplexArray:
    """No injection at all."""
    return np.zeros(len(network.resources), dtype=np.complex128)


def solve(feeder: OpenDssFeeder, demand: ComplexArray | None = None, *, controls: bool = False) -> AcState:
    """The AC state of a feeder without any dispatch."""
    network = feeder.network
    demand = network.listed_demand if demand is None else demand
    state = feeder.solve(demand, idle(network), controls=controls)
    assert state.converged
    return state


def apply(feeder: OpenDssFeeder, demand: ComplexArray, dispatch: ComplexArray) -> AcState:
    """The AC answer to a dispatch, controls frozen: generators inject, flexible loads take less."""
    network = feeder.network
    left, injection = demand.copy(), dispatch.copy()
    position = {name: k for k, name in enumerate(network.load_ids)}
    for k, resource in enumerate(network.resources):
        if resource.kind == "flexible_load":
            left[position[resource.load]] -= dispatch[k]
            injection[k] = 0.0
    state = feeder.solve(left, injection, controls=False)
    assert state.converged
    return state


@dataclass(frozen=True)
class Anchoring:
    """One clearing, the AC answer to it, and how far apart they are [pu, kW]."""

    clearing: Clearing
    state: AcState
    voltage_pu: float
    head_kw: float


def anchored_rounds(
    market: Market,
    feeder: OpenDssFeeder,
    state: AcState,
    demand: ComplexArray,
    offers: Sequence[Offer],
    price: WholesalePrice,
    rounds: int,
    *,
    voltage_pu: float = 0.0,
    head_kw: float = 0.0,
) -> list[Anchoring]:
    """Clear, let the physics answer, clear again there; stop when prediction and answer agree."""
    done: list[Anchoring] = []
    for _ in range(rounds):
        clearing = market.clear(state, demand, offers, price)
        state = apply(feeder, demand, clearing.dispatch)
        gap = float(np.abs(np.abs(state.voltage) - clearing.voltage_magnitude).max())
        head = float(clearing.head.real.sum() - state.head.real.sum())
        done.append(Anchoring(clearing, state, gap, head))
        if gap <= voltage_pu and abs(head) <= head_kw:
            break
    return done


def money(
    state: AcState, dispatch: ComplexArray, network: Network, offers: Iterable[Offer], price: WholesalePrice
) -> float:
    """Wholesale purchase at an AC state and the cost of the dispatch [$/h]."""
    position = {name: k for k, name in enumerate(network.resource_ids)}
    head = complex(state.head.sum())
    cost = (price.lmp * head.real + price.reactive * head.imag) / 1e3
    for offer in offers:
        kw = float(dispatch[position[offer.resource]].real)
        cost += (offer.cost_linear * kw + offer.cost_quadratic * kw**2 / 2) / 1e3
    return cost


def study_case() -> tuple[Network, tuple[AssetTerms, ...]]:
    """The 123-node feeder with its resources, and their terms."""
    network = ieee123.load()
    return network, read_assets(ieee123.ASSETS, network)[1]


def terms_to_offers(
    network: Network, terms: Iterable[AssetTerms], demand: ComplexArray, *, quadratic: bool = True
) -> tuple[Offer, ...]:
    """Offer generators up to their nameplate and flexible loads up to their share of the demand."""
    resources = {resource.name: resource for resource in network.resources}
    kw = dict(zip(network.load_ids, demand.real.tolist(), strict=True))
    offers = []
    for term in terms:
        resource = resources[term.resource]
        top = term.curtailable_share * kw[resource.load] if resource.load else resource.kw_max
        offers.append(
            Offer(
                resource.name,
                0.0,
                top,
                term.cost_linear,
                term.cost_quadratic if quadratic else 0.0,
                -term.q_max_kvar,
                term.q_max_kvar,
                resource.kva_max if not resource.load else np.inf,
                term.reactive_ratio,
            )
        )
    return tuple(offers)


def only(network: Network, *names: str) -> Network:
    """The network with only the resources named."""
    return replace(network, resources=tuple(r for r in network.resources if r.name in names))


def central_optimum(problem: AtomicProblem) -> tuple[float, FloatArray]:
    """The optimum by a solver that knows nothing of this project."""
    x = cp.Variable(len(problem.linear))
    value = problem.rows @ x
    cost = cp.sum(cp.multiply(problem.quadratic / 2, cp.square(x))) + problem.linear @ x + problem.offset
    for weight, low, high, at in (
        (problem.penalty, problem.soft_lower, problem.soft_upper, x),
        (problem.row_penalty, problem.row_lower, problem.row_upper, value),
    ):
        for k in np.flatnonzero(np.isfinite(weight) & (weight > 0)):
            cost += weight[k] * (cp.pos(low[k] - at[k]) if np.isfinite(low[k]) else 0.0)
            cost += weight[k] * (cp.pos(at[k] - high[k]) if np.isfinite(high[k]) else 0.0)
    low, high = np.flatnonzero(np.isfinite(problem.lower)), np.flatnonzero(np.isfinite(problem.upper))
    hard = np.flatnonzero(np.isinf(problem.row_penalty))
    constraints = [x[low] >= problem.lower[low], x[high] <= problem.upper[high]]
    if len(hard):
        constraints.append(value[hard] == problem.row_lower[hard])
    constraints += [
        cp.norm(x[pair]) <= radius for pair, radius in zip(problem.discs, problem.disc_radius, strict=True)
    ]
    central = cp.Problem(cp.Minimize(cost), constraints)
    central.solve(solver="CLARABEL")
    assert central.status == "optimal"
    return float(central.value), np.asarray(x.value)
