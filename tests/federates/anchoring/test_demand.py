from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toys import toy_network

from dlmp_cosim.federates.anchoring.demand import apply_dispatch, nominal_demand
from dlmp_cosim.feeders.errors import FederationError
from dlmp_cosim.feeders.network import Network, Profile, Resource, wye

NETWORK: Network = replace(
    toy_network(),
    resources=(
        Resource("dg", "generator", "b", wye((1, 2, 3)), 300.0, 300.0),
        Resource("flex", "flexible_load", "b", wye((1,)), 40.0, 42.0, load="load_a"),
    ),
)
DEMAND = nominal_demand(NETWORK, 0, 0.5, 1.0)


def test_demand_scales_with_ratio_and_scenario() -> None:
    assert nominal_demand(NETWORK, 0, 0.5, 1.2) == pytest.approx(NETWORK.listed_demand * 0.6)


def test_a_load_with_a_profile_follows_it_and_the_others_the_ratio() -> None:
    first, *others = NETWORK.loads
    network = replace(
        NETWORK,
        loads=(replace(first, profile="shop"), *others),
        profiles=(Profile("shop", (0.2, 0.9), (0.1, 0.8)),),
    )
    demand = nominal_demand(network, 1, 0.5, 2.0)
    assert demand[0] == pytest.approx(complex(first.kw * 0.9, first.kvar * 0.8) * 2.0)
    assert demand[1:] == pytest.approx(NETWORK.listed_demand[1:] * 1.0)


def test_generators_inject_and_flexible_loads_ask_for_less() -> None:
    points = apply_dispatch(NETWORK, DEMAND, np.array([120.0 + 0j, 25.0 + 7.5j]), held=False)
    assert points.injection.tolist() == [120.0, 0.0]
    assert points.demand[0] == pytest.approx(75.0 + 22.5j)
    assert points.demand[1:].tolist() == DEMAND[1:].tolist()


@given(st.floats(0.0, 100.0))
def test_curtailment_keeps_the_power_factor(kw: float) -> None:
    points = apply_dispatch(NETWORK, DEMAND, np.array([0j, kw + 0j]), held=False)
    left = points.demand[0]
    assert left.real == pytest.approx(100.0 - kw)
    assert left.imag == pytest.approx(0.3 * left.real, abs=1e-9)


def test_a_held_curtailment_is_cut_to_the_demand() -> None:
    points = apply_dispatch(NETWORK, DEMAND, np.array([0j, 130.0 + 0j]), held=True)
    assert points.demand[0] == 0.0
    assert points.clipped == ("flex",)


@pytest.mark.parametrize(
    ("dispatch", "name"),
    [
        ((301.0, 0.0), "dg"),
        ((-301.0, 0.0), "dg"),
        ((300j, 0.0), ""),
        ((300.1j, 0.0), "dg"),
        ((0.0, 101.0), "flex"),
        ((0.0, -1.0), "flex"),
    ],
)
def test_what_a_resource_does_not_have_is_refused_by_name(
    dispatch: tuple[complex, complex], name: str
) -> None:
    power = np.array(dispatch, dtype=np.complex128)
    if not name:
        apply_dispatch(NETWORK, DEMAND, power, held=False)
        return
    with pytest.raises(FederationError, match=f"'market', asks .* of {name}"):
        apply_dispatch(NETWORK, DEMAND, power, held=False)


def test_a_load_without_demand_has_nothing_to_curtail() -> None:
    nothing = np.zeros(3, dtype=np.complex128)
    assert apply_dispatch(NETWORK, nothing, nothing[:2], held=False).demand.tolist() == [0, 0, 0]
