"""Circuits, offers and the loop between market and physics that several market tests share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import cvxpy as cp
import numpy as np

from dlmp_cosim.feeders.network import ComplexArray, FloatArray, Network, Resource, delta, wye
from dlmp_cosim.feeders.opendss.case import Case
from dlmp_cosim.feeders.opendss.circuit import read_circuit
from dlmp_cosim.feeders.opendss.feeder import OpenDssFeeder
from dlmp_cosim.feeders.readers.assets import AssetTerms
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.market.clearing import Clearing
from dlmp_cosim.market.models import RetailMarket
from dlmp_cosim.market.offers import Offer, WholesalePrice
from dlmp_cosim.market.problem.atoms import AtomicProblem
from dlmp_cosim.market.resources import curtails

KV = 2.4
LINE_KV = KV * 3**0.5
ABC = (1, 2, 3)


@dataclass(frozen=True)
class Sample:
    """A circuit that OpenDSS builds, and what is read from it."""

    case: Case
    network: Network

    def feeder(self, **options: Any) -> OpenDssFeeder:
        """An engine of it, solved to rounding."""
        return OpenDssFeeder(self.case, self.network, **{"tolerance": 1e-10, "regulators": "held"} | options)

    def with_resources(self, *resources: Resource) -> Sample:
        """The same circuit with other resources."""
        return Sample(self.case, replace(self.network, resources=resources))


def sample(
    name: str,
    commands: Iterable[str],
    resources: Sequence[Resource] = (),
    bases: Sequence[str] = (f"set voltagebases=[{LINE_KV}]", "calcvoltagebases"),
) -> Sample:
    """Build a circuit behind a stiff source of 4.16 kV at bus ``src``."""
    source = f"new circuit.{name} bus1=src basekv={LINE_KV} pu=1.0 r1=0 x1=1e-4 r0=0 x0=1e-4"
    case = Case(name, commands=(source, *commands, *bases))
    return Sample(case, replace(read_circuit(case).network, resources=tuple(resources)))


def at(bus: str, phases: Sequence[int]) -> str:
    """A terminal as OpenDSS writes it."""
    return ".".join([bus, *map(str, phases)])


def line(
    from_bus: str,
    to_bus: str,
    phases: Sequence[int] = ABC,
    *,
    ohm: float = 0.2,
    rating_a: float = 400.0,
    nanofarad: float = 0.0,
    name: str = "",
) -> str:
    """A line whose phases couple, with more reactance than resistance."""
    n = len(phases)
    shape = np.full((n, n), 0.3) + 0.7 * np.eye(n)

    def matrix(values: np.ndarray) -> str:
        return "[" + " | ".join(" ".join(f"{v:.12g}" for v in row) for row in values) + "]"

    return (
        f"new line.{name or f'{from_bus}-{to_bus}'} bus1={at(from_bus, phases)} bus2={at(to_bus, phases)} "
        f"phases={n} rmatrix={matrix(ohm * shape)} xmatrix={matrix(1.7 * ohm * shape)} "
        f"cmatrix={matrix(nanofarad * (1.2 * np.eye(n) - 0.2))} length=1 normamps={rating_a}"
    )


def switch(from_bus: str, to_bus: str, phases: Sequence[int] = ABC) -> str:
    """A closed switch."""
    return (
        f"new line.{from_bus}-{to_bus} bus1={at(from_bus, phases)} bus2={at(to_bus, phases)} "
        f"phases={len(phases)} switch=yes normamps=600"
    )


def regulator(name: str, from_bus: str, to_bus: str, phase: int, tap: int) -> tuple[str, str]:
    """A single-phase tap changer and its control."""
    return (
        (
            f"new transformer.{name} phases=1 windings=2 buses=[{from_bus}.{phase} {to_bus}.{phase}] "
            f"kvs=[{KV} {KV}] kvas=[5000 5000] xhl=0.01 %loadloss=0.001 taps=[1.0 {1 + 0.00625 * tap}]"
        ),
        f"new regcontrol.{name} transformer={name} winding=2 vreg=122 band=2 ptratio=20",
    )


def load(
    name: str, bus: str, phases: Sequence[int], model: int, kw: float, kvar: float, *, between: bool = False
) -> str:
    """A load of one leg (or three) to ground, or between phases."""
    n = len(phases)
    kv = LINE_KV if between or n == 3 else KV
    legs = (1 if n == 2 else n) if between else n
    return (
        f"new load.{name} bus1={at(bus, phases)} phases={legs} conn={'delta' if between else 'wye'} kv={kv} "
        f"model={model} kw={kw} kvar={kvar} vminpu=0.7 vlowpu=0.4 vmaxpu=1.4"
    )


def capacitor(name: str, bus: str, phase: int, kvar: float) -> str:
    """A shunt capacitor on one phase."""
    return f"new capacitor.{name} bus1={bus}.{phase} phases=1 kv={KV} kvar={kvar}"


def mixed(ohm: float = 0.25, nanofarad: float = 0.0, extra: Sequence[str] = ()) -> Sample:
    """Nine buses with one of everything: taps of each phase, a switch, laterals of two and one phases.

    Loads: wye and delta of constant power, current and impedance. Resources: generators on three, two and one
    phases, storage, and flexible loads in wye and delta.
    """
    commands = (
        line("src", "a", ohm=ohm, nanofarad=nanofarad),
        *regulator("r1", "a", "b", 1, 4),
        *regulator("r2", "a", "b", 2, 7),
        *regulator("r3", "a", "b", 3, -3),
        line("b", "c", ohm=ohm, nanofarad=nanofarad),
        switch("c", "d"),
        line("d", "two", (1, 3), ohm=2 * ohm, nanofarad=nanofarad),
        line("two", "end", (3,), ohm=2 * ohm, nanofarad=nanofarad),
        line("c", "one", (2,), ohm=3 * ohm, nanofarad=nanofarad),
        line("one", "tip", (2,), ohm=3 * ohm, nanofarad=nanofarad),
        load("pq1", "c", (1,), 1, 90.0, 40.0),
        load("i2", "d", (2,), 5, 110.0, 50.0),
        load("z3", "b", (3,), 2, 70.0, 30.0),
        load("delta_pq", "two", (1, 3), 1, 60.0, 25.0, between=True),
        load("delta_i", "d", (2, 3), 5, 80.0, 35.0, between=True),
        load("delta_z", "c", (3, 1), 2, 75.0, 20.0, between=True),
        load("pq_end", "end", (3,), 1, 45.0, 20.0),
        load("i_one", "one", (2,), 5, 30.0, 10.0),
        load("z_tip", "tip", (2,), 2, 50.0, 25.0),
        capacitor("cap_c", "c", 2, 60.0),
        capacitor("cap_end", "end", 3, 30.0),
        *extra,
    )
    resources = (
        Resource("gen3", "generator", "d", wye(ABC), 150.0, 180.0),
        Resource("gen2", "generator", "two", wye((1, 3)), 40.0, 40.0),
        Resource("gen1", "generator", "tip", wye((2,)), 60.0, 75.0),
        Resource("store", "storage", "end", wye((3,)), 20.0, 25.0),
        Resource("flex_wye", "flexible_load", "d", wye((2,)), 40.0, 45.0, load="i2"),
        Resource("flex_delta", "flexible_load", "two", delta((1, 3)), 30.0, 33.0, load="delta_pq"),
    )
    return sample("mixed", commands, resources)


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
    extra: Sequence[str] = (),
) -> Sample:
    """A three-phase line of `n` buses behind the source, with a load on every phase of each."""
    names = ["src", *(f"n{k}" for k in range(1, n + 1))]
    loads = [load(f"{name}_{p}", name, (p,), 1, kw, kvar) for name in names[1:] for p in ABC]
    lines = [line(a, b, ohm=ohm, rating_a=rating_a) for a, b in pairwise(names)]
    return sample("ladder", [*lines, *loads, *extra], resources)


def loop(n: int = 5, *, rating_a: float = 400.0, resources: Sequence[Resource] = ()) -> Sample:
    """A ladder whose end is tied back to the source: a meshed circuit."""
    back = line(f"n{n}", "src", ohm=0.8, name="back", rating_a=rating_a)
    return ladder(n, rating_a=rating_a, resources=resources, extra=(back,))


def service(resources: Sequence[Resource] = ()) -> Sample:
    """A substation in delta and wye, a delta load behind it, and a centre-tapped service with three loads."""
    kv = 120e-3
    commands = (
        (
            "new transformer.sub phases=3 windings=2 buses=[src mid] conns=[delta wye] "
            f"kvs=[{LINE_KV} 12.47] kvas=[3000 3000] xhl=6 %loadloss=1"
        ),
        line("mid", "far", ohm=1.5),
        "new load.ring bus1=far.1.2.3 phases=3 conn=delta kv=12.47 kw=600 kvar=250 model=1",
        (
            "new transformer.ct phases=1 windings=3 buses=[far.1.0 low.1.0 low.0.2] kvs=[7.2 0.12 0.12] "
            "kvas=[50 50 50] xhl=2.04 xht=2.04 xlt=1.36 %rs=[0.6 1.2 1.2] normhkva=50"
        ),
        line("low", "house", (1, 2), ohm=0.02),
        f"new load.one bus1=house.1 phases=1 kv={kv} kw=6 kvar=2 model=1 vminpu=0.7",
        f"new load.two bus1=house.2 phases=1 kv={kv} kw=4 kvar=1 model=2 vminpu=0.7",
        "new load.both bus1=house.1.2 phases=1 kv=0.24 kw=9 kvar=3 model=4 cvrwatts=0.8 cvrvars=2 vminpu=0.7",
    )
    bases = (
        f"set voltagebases=[{LINE_KV} 12.47 0.208]",
        "calcvoltagebases",
        "setkvbase bus=low kvln=0.12",
        "setkvbase bus=house kvln=0.12",
    )
    return sample("service", commands, resources, bases)


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
        if curtails(resource):
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
    market: RetailMarket,
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
    """The optimum by a solver that knows nothing of this project, over the variables that are free.

    The network's variables are eliminated first: given to an interior point as rows they ruin its accuracy.
    """
    n, size = problem.n_state, len(problem.linear)
    inner = problem.rows[:n, :n].toarray()
    constant, slope = np.zeros(size), np.zeros((size, size - n))
    constant[:n] = np.linalg.solve(inner, problem.row_lower[:n])
    slope[:n] = -np.linalg.solve(inner, problem.rows[:n, n:].toarray())
    slope[n:] = np.eye(size - n)
    free = cp.Variable(size - n)
    cost = problem.linear @ (slope @ free + constant) + problem.offset
    cost += cp.sum(cp.multiply(problem.quadratic[n:] / 2, cp.square(free)))
    rest = problem.rows[n:] @ slope, problem.rows[n:] @ constant
    for weight, low, high, (by, at) in (
        (problem.penalty, problem.soft_lower, problem.soft_upper, (slope, constant)),
        (problem.row_penalty[n:], problem.row_lower[n:], problem.row_upper[n:], rest),
    ):
        soft = np.isfinite(weight) & (weight > 0)
        for k in np.flatnonzero(soft & np.isfinite(low)):
            cost += weight[k] * cp.pos(low[k] - at[k] - by[k] @ free)
        for k in np.flatnonzero(soft & np.isfinite(high)):
            cost += weight[k] * cp.pos(at[k] + by[k] @ free - high[k])
    low, high = np.flatnonzero(np.isfinite(problem.lower[n:])), np.flatnonzero(np.isfinite(problem.upper[n:]))
    hard = np.flatnonzero(np.isinf(problem.row_penalty[n:]))
    constraints = [free[low] >= problem.lower[n:][low], free[high] <= problem.upper[n:][high]]
    if len(hard):
        constraints.append(rest[0][hard] @ free + rest[1][hard] == problem.row_lower[n:][hard])
    constraints += [
        cp.norm(free[pair - n]) <= radius
        for pair, radius in zip(problem.discs, problem.disc_radius, strict=True)
    ]
    central = cp.Problem(cp.Minimize(cost), constraints)
    central.solve(solver="CLARABEL")
    assert central.status == "optimal"
    return float(central.value), slope @ np.asarray(free.value) + constant
