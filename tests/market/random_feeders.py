"""Small random radial feeders with an AC state, for properties that hold on any of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from feeders.network import Branch, Bus, Capacitor, ComplexArray, Load, Network, Resource
from feeders.opendss.feeder import OpenDssFeeder
from feeders.state import AcState
from market.offers import Offer
from tests.market.support import KV, conductors, regulator, solve

SUBSETS = {
    (1, 2, 3): [(1, 2, 3), (1, 2, 3), (1, 3), (2,), (3,)],
    (1, 3): [(1, 3), (1,), (3,)],
    (2,): [(2,)],
    (1,): [(1,)],
    (3,): [(3,)],
}


@dataclass(frozen=True)
class RandomCase:
    """A feeder, its nominal demand, its AC state without dispatch, and an offer for each resource."""

    network: Network
    demand: ComplexArray
    state: AcState
    offers: tuple[Offer, ...]


@st.composite
def random_cases(draw: st.DrawFn, *, least_resources: int = 0) -> RandomCase:
    """A tree of up to nine buses: lines, some switches and regulators, loads of every kind, resources."""
    n = draw(st.integers(1, 8))
    buses, branches = [Bus("b0", (1, 2, 3), KV)], []
    taps = []
    for k in range(1, n + 1):
        above = buses[draw(st.integers(0, k - 1))]
        kinds = ["line"] * 4 + (["switch", "regulator"] if k > 1 and above.phases == (1, 2, 3) else [])
        kind = draw(st.sampled_from(kinds))
        phases = above.phases if kind != "line" else draw(st.sampled_from(SUBSETS[above.phases]))
        ohm = draw(st.floats(0.05, 0.6))
        name = f"b{k}"
        branch: Branch = conductors(above.name, name, phases, ohm=ohm, kind=kind)
        buses.append(Bus(name, phases, KV))
        branches.append(branch)
        if kind == "regulator":
            taps += [
                regulator(f"r{k}_{phase}", branch.name, phase, draw(st.integers(-8, 8))) for phase in phases
            ]
    loads, capacitors = _connected(draw, buses[1:])
    network = Network(
        name="random",
        buses=tuple(buses),
        branches=tuple(branches),
        loads=tuple(loads),
        capacitors=tuple(capacitors),
        regulators=tuple(taps),
        resources=tuple(_resources(draw, buses[1:], loads, least_resources)),
    )
    demand = network.listed_demand * draw(st.floats(0.2, 1.0))
    feeder = OpenDssFeeder(network, regulators="held", tolerance=1e-9)
    return RandomCase(network, demand, solve(feeder, demand), tuple(_offers(draw, network, demand)))


def _connected(draw: st.DrawFn, buses: list[Bus]) -> tuple[list[Load], list[Capacitor]]:
    loads, capacitors = [], []
    for bus in buses:
        for phase in bus.phases:
            if draw(st.booleans()):
                across = tuple(p for p in bus.phases if p != phase)
                other = draw(st.sampled_from([(), *((p,) for p in across)]))
                kw = draw(st.floats(1.0, 40.0))
                kvar = draw(st.floats(-5.0, 20.0))
                exponent = draw(st.sampled_from([0, 1, 2]))
                name = f"l{bus.name}_{phase}"
                loads.append(Load(name, bus.name, (phase, *other), exponent, kw, kvar))  # type: ignore[arg-type]
        if draw(st.integers(0, 4)) == 0:
            capacitors.append(Capacitor(f"c{bus.name}", bus.name, bus.phases[0], 20.0))
    if not loads:
        loads.append(Load("l", buses[-1].name, buses[-1].phases[:1], 0, 20.0, 5.0))
    return loads, capacitors


def _resources(draw: st.DrawFn, buses: list[Bus], loads: list[Load], least: int) -> list[Resource]:
    found = []
    for k in range(draw(st.integers(least, 4))):
        bus = draw(st.sampled_from(buses))
        kw = draw(st.floats(5.0, 50.0))
        kind = draw(st.sampled_from(["generator", "storage"]))
        wide = draw(st.sampled_from([1.0, 1.2]))
        found.append(Resource(f"g{k}", kind, bus.name, bus.phases, kw, wide * kw))
    for load in loads:
        if draw(st.integers(0, 3)) == 0:
            at = (f"f{load.name}", "flexible_load", load.bus, load.phases, 0.3 * load.kw, 0.5 * load.kw)
            found.append(Resource(*at, load=load.name))  # type: ignore[arg-type]
    return found


def _offers(draw: st.DrawFn, network: Network, demand: ComplexArray) -> list[Offer]:
    position = {name: k for k, name in enumerate(network.load_ids)}
    offers = []
    for resource in network.resources:
        linear = draw(st.floats(5.0, 60.0))
        quadratic = draw(st.sampled_from([0.0, 0.05, 0.5]))
        if resource.load:
            power = demand[position[resource.load]]
            ratio = float(power.imag / power.real)
            offers.append(
                Offer(resource.name, 0.0, 0.3 * float(power.real), linear, quadratic, reactive_ratio=ratio)
            )
            continue
        low = -resource.kw_max if resource.kind == "storage" else 0.0
        spare = float(np.sqrt(resource.kva_max**2 - resource.kw_max**2)) * draw(
            st.sampled_from([0.0, 1.0, 1.5])
        )
        offers.append(
            Offer(resource.name, low, resource.kw_max, linear, quadratic, -spare, spare, resource.kva_max)
        )
    return offers
