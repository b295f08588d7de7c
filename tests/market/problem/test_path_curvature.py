"""Bounds on the curvature of losses, on circuits whose losses can be written out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.feeders.network import GROUND, Network, Resource, wye
from dlmp_cosim.market.problem.path_curvature import path_curvature
from tests.handmade import ABC, KV, chain, generator, line

PER_KW = 1e3 * 0.5 / (1e3 * KV) ** 2
"""Losses of 0.5 ohm at 1 pu: r P**2 / U**2, so much for a kW squared [kW/kW**2]."""


def one_phase(name: str, bus: str, kw: float = 50.0, kva: float = 50.0) -> Resource:
    return Resource(name, "generator", bus, wye((1,)), kw, kva)


def bound(*resources: Resource, buses: str = "abc") -> tuple[list[float], list[float]]:
    real, reactive = path_curvature(chain(*buses, resources=resources))
    return real.tolist(), reactive.tolist()


def test_a_resource_alone_curves_by_the_resistance_on_its_way() -> None:
    real, reactive = bound(one_phase("g", "b"))
    assert real == pytest.approx([2 * PER_KW], rel=1e-6)
    assert reactive == [0.0]
    assert bound(one_phase("g", "c"))[0] == pytest.approx([4 * PER_KW], rel=1e-6)


def test_power_on_three_phases_has_a_third_of_the_losses() -> None:
    assert bound(generator("g", "b", 60.0, 60.0))[0] == pytest.approx([2 * PER_KW / 3], rel=1e-6)


def test_reactive_power_that_is_free_curves_as_much_as_real_power() -> None:
    real, reactive = bound(one_phase("g", "b", 50.0, 60.0))
    assert reactive == pytest.approx(real)


def test_a_resource_at_the_source_loses_next_to_nothing() -> None:
    assert bound(one_phase("g", "a"))[0] == pytest.approx([0.0], abs=1e-12)


def test_two_of_a_kind_on_one_wire_count_double() -> None:
    real, _ = bound(one_phase("g", "b"), one_phase("h", "b"))
    assert real == pytest.approx([4 * PER_KW] * 2, rel=1e-6)


def test_phases_that_do_not_see_each_other_do_not_add_up() -> None:
    other = Resource("h", "generator", "b", wye((2,)), 50.0, 50.0)
    assert bound(one_phase("g", "b"), other)[0] == pytest.approx([2 * PER_KW] * 2, rel=1e-6)


def test_between_phases_a_leg_has_the_smaller_current() -> None:
    """S / (sqrt(3) U) in two conductors, with each counted by its size: 2/3 of a leg's to ground."""
    between = Resource("g", "generator", "b", ((1, 2),), 50.0, 50.0)
    assert bound(between)[0] == pytest.approx([2 * 2 * PER_KW / 3], rel=1e-6)


def test_nobody_has_no_curvature() -> None:
    real, reactive = path_curvature(chain("a", "b"))
    assert real.shape == reactive.shape == (0,)


def losses(network: Network, kw: np.ndarray) -> float:
    """Losses [kW] of real powers at nominal voltage, currents added conductor by conductor."""
    inject = dict.fromkeys(network.node_ids, 0.0)
    for resource, power in zip(network.resources, kw, strict=True):
        for leg in resource.legs:
            phase = next(phase for phase in leg if phase != GROUND)
            inject[f"{resource.bus}.{phase}"] += power / len(resource.legs)
    names = [bus.name for bus in network.buses]
    total = 0.0
    for far in range(1, len(names)):
        for phase in ABC:
            behind = sum(inject[f"{name}.{phase}"] for name in names[far:])
            total += PER_KW * behind**2
    return total


sites = st.lists(
    st.tuples(st.sampled_from("abcd"), st.sampled_from([(1,), (2,), ABC, (1, 3)]), st.floats(5.0, 80.0)),
    min_size=1,
    max_size=4,
)


@settings(max_examples=40)
@given(sites, st.lists(st.floats(-1, 1), min_size=4, max_size=4))
def test_the_bound_lies_above_losses_in_any_direction(
    drawn: list[tuple[str, tuple[int, ...], float]], way: list[float]
) -> None:
    resources = [
        Resource(f"g{k}", "generator", bus, wye(phases), kw, kw) for k, (bus, phases, kw) in enumerate(drawn)
    ]
    network = chain(*"abcd", resources=resources)
    kw = np.array(way[: len(drawn)]) * np.array([kw for *_, kw in drawn])
    real, _ = path_curvature(network)
    assert losses(network, kw) <= float(real @ kw**2) / 2 * (1 + 1e-6) + 1e-9


def test_a_way_around_a_loop_is_not_counted() -> None:
    """The tree goes straight; with the loop closed losses are smaller, and the bound stays one."""
    here = chain("a", "b", "c", resources=[one_phase("g", "c")])
    closed = replace(here, elements=(*here.elements, line("line.tie", ("a", "c"))))
    assert path_curvature(closed)[0] == pytest.approx([2 * PER_KW], rel=1e-6)
