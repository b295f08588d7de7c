"""Curvature of losses along shared wires, against the losses themselves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.feeders.network import FloatArray
from dlmp_cosim.market.problem.damping import loss_curvature, nameplates
from tests.handmade import chain, generator, load


def curvature(parent: list[int], ohm: list[float], slots: list[int], reach: list[float]) -> FloatArray:
    """Resources with one terminal each, on conductors from slot k + 1 to its parent."""
    n = len(slots)
    return loss_curvature(
        np.arange(1, len(parent) + 1), np.array(parent), np.array(ohm), np.arange(n), np.array(slots),
        np.ones(n), np.array(reach),
    )  # fmt: skip


def test_a_resource_alone_curves_as_the_resistance_on_its_way() -> None:
    """Losses are r p**2, so the second derivative is 2 r summed over the way."""
    assert curvature([0, 1], [0.3, 0.5], [1, 2], [4.0, 0.0])[0] == pytest.approx(2 * 0.3)
    assert curvature([0, 1], [0.3, 0.5], [1, 2], [0.0, 4.0])[1] == pytest.approx(2 * 0.8)


def test_a_resource_that_cannot_move_stands_in_nobodys_way() -> None:
    assert curvature([0], [0.3], [1, 1], [4.0, 0.0])[0] == pytest.approx(0.6)


def test_resources_on_one_wire_share_its_curvature() -> None:
    """Two of equal reach: each sees the wire carry twice what it gives."""
    assert curvature([0], [0.3], [1, 1], [4.0, 4.0]) == pytest.approx([1.2, 1.2])


trees = st.integers(1, 7).flatmap(
    lambda n: st.tuples(
        st.tuples(*(st.integers(0, k) for k in range(n))).map(list),
        st.lists(st.floats(0.01, 2.0), min_size=n, max_size=n),
        st.lists(st.integers(1, n), min_size=1, max_size=4),
        st.lists(st.floats(0.1, 5.0), min_size=4, max_size=4),
    )
)


@settings(max_examples=40)
@given(trees, st.lists(st.floats(-1.0, 1.0), min_size=4, max_size=4))
def test_the_bound_lies_above_the_losses_in_any_direction(
    tree: tuple[list[int], list[float], list[int], list[float]], way: list[float]
) -> None:
    """x' H x <= sum h x**2, with H the Hessian of the losses written out wire by wire."""
    parent, ohm, slots, reach = tree
    reach = reach[: len(slots)]
    uses = np.zeros((len(ohm), len(slots)))
    for resource, slot in enumerate(slots):
        at = slot
        while at:
            uses[at - 1, resource] = 1.0
            at = parent[at - 1]
    x = np.array(way[: len(slots)]) * reach
    losses = 2 * float(np.array(ohm) @ (uses @ x) ** 2)
    bound = curvature(parent, ohm, slots, reach)
    assert losses <= float(bound @ x**2) * (1 + 1e-9) + 1e-12


@settings(max_examples=40)
@given(trees, st.floats(0.1, 10.0))
def test_the_bound_scales_with_resistance_and_not_with_the_unit_of_reach(
    tree: tuple[list[int], list[float], list[int], list[float]], factor: float
) -> None:
    parent, ohm, slots, reach = tree
    reach = reach[: len(slots)]
    bound = curvature(parent, ohm, slots, reach)
    np.testing.assert_allclose(curvature(parent, [factor * r for r in ohm], slots, reach), factor * bound)
    np.testing.assert_allclose(curvature(parent, ohm, slots, [factor * d for d in reach]), bound)


def test_nameplates_are_real_power_and_reactive_power_that_is_free() -> None:
    shed = replace(generator("shed", "b", 12.0, 20.0), kind="flexible_load", load="x")
    network = chain(
        "a", "b", loads=[load("x", "b")], resources=[generator("g", "b", 60.0, 75.0),
                                                     generator("p", "b", 50.0, 50.0), shed]
    )  # fmt: skip
    real, reactive = nameplates(network)
    assert real.tolist() == [60.0, 50.0, 12.0]
    assert reactive.tolist() == [75.0, 0.0, 0.0]
