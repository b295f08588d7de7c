"""Small random radial feeders with an AC state, for properties that hold on any of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from dlmp_cosim.feeders.network import ComplexArray, Load, Network, Resource, wye
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.market.offers import Offer
from tests.market.support import Sample, capacitor, line, load, regulator, sample, solve, switch

SUBSETS = {
    (1, 2, 3): [(1, 2, 3), (1, 2, 3), (1, 3), (2,), (3,)],
    (1, 3): [(1, 3), (1,), (3,)],
    (2,): [(2,)],
    (1,): [(1,)],
    (3,): [(3,)],
}


@dataclass(frozen=True)
class RandomCase:
    """A circuit, its nominal demand, its AC state without dispatch, and an offer for each resource."""

    sample: Sample
    demand: ComplexArray
    state: AcState
    offers: tuple[Offer, ...]

    @property
    def network(self) -> Network:
        """What is read of the circuit."""
        return self.sample.network


@dataclass(frozen=True)
class Place:
    """A bus that has been drawn, and its phases."""

    name: str
    phases: tuple[int, ...]


@st.composite
def random_cases(draw: st.DrawFn, *, least_resources: int = 0, loops: bool = True) -> RandomCase:
    """A tree of up to nine buses: lines, some switches and regulators, loads of every kind, resources.

    Unless `loops` is false, a second line now and then runs beside the way to the source.
    """
    buses, commands = [Place("src", (1, 2, 3))], []
    for k in range(1, draw(st.integers(1, 8)) + 1):
        above = buses[draw(st.integers(0, k - 1))]
        kinds = ["line"] * 4 + (["switch", "regulator"] if k > 1 and above.phases == (1, 2, 3) else [])
        kind = draw(st.sampled_from(kinds))
        phases = above.phases if kind != "line" else draw(st.sampled_from(SUBSETS[above.phases]))
        here = Place(f"b{k}", phases)
        if kind == "regulator":
            taps = {phase: draw(st.integers(-8, 8)) for phase in phases}
            for phase, tap in taps.items():
                commands += regulator(f"r{k}_{phase}", above.name, here.name, phase, tap)
        elif kind == "switch":
            commands.append(switch(above.name, here.name, phases))
        else:
            commands.append(line(above.name, here.name, phases, ohm=draw(st.floats(0.05, 0.6))))
        buses.append(here)
    if loops and draw(st.integers(0, 3)) == 0:
        end = draw(st.sampled_from(buses[1:]))
        commands.append(line("src", end.name, end.phases, ohm=draw(st.floats(0.3, 0.9)), name="loop"))
    commands += _connected(draw, buses[1:])
    plain = sample("random", commands)
    resources = _resources(draw, buses[1:], plain.network.loads, least_resources)
    full = plain.with_resources(*resources)
    demand = full.network.listed_demand * draw(st.floats(0.2, 1.0))
    state = solve(full.feeder(tolerance=1e-9), demand)
    return RandomCase(full, demand, state, tuple(_offers(draw, full.network, demand)))


def _connected(draw: st.DrawFn, buses: list[Place]) -> list[str]:
    commands, loads = [], 0
    for bus in buses:
        for phase in bus.phases:
            if draw(st.booleans()):
                across = tuple(p for p in bus.phases if p != phase)
                other = draw(st.sampled_from([(), *((p,) for p in across)]))
                power = draw(st.floats(1.0, 40.0)), draw(st.floats(-5.0, 20.0))
                model = draw(st.sampled_from([1, 2, 5]))
                name = f"l{bus.name}_{phase}"
                commands.append(load(name, bus.name, (phase, *other), model, *power, between=bool(other)))
                loads += 1
        if draw(st.integers(0, 4)) == 0:
            commands.append(capacitor(f"c{bus.name}", bus.name, bus.phases[0], 20.0))
    if not loads:
        commands.append(load("l", buses[-1].name, buses[-1].phases[:1], 1, 20.0, 5.0))
    return commands


def _resources(draw: st.DrawFn, buses: list[Place], loads: tuple[Load, ...], least: int) -> list[Resource]:
    found = []
    for k in range(draw(st.integers(least, 4))):
        bus = draw(st.sampled_from(buses))
        kw = draw(st.floats(5.0, 50.0))
        kind = draw(st.sampled_from(["generator", "storage"]))
        wide = draw(st.sampled_from([1.0, 1.2]))
        found.append(Resource(f"g{k}", kind, bus.name, wye(bus.phases), kw, wide * kw))
    for item in loads:
        if draw(st.integers(0, 3)) == 0:
            at = (f"f{item.name}", "flexible_load", item.bus, item.legs, 0.3 * item.kw, 0.5 * item.kw)
            found.append(Resource(*at, load=item.name))  # type: ignore[arg-type]
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
