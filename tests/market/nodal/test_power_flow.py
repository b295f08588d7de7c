"""The market's own power flow against OpenDSS."""

from __future__ import annotations

import numpy as np
import pytest

from dlmp_cosim.federates.anchoring.demand import apply_dispatch
from dlmp_cosim.feeders.errors import ClearingError
from dlmp_cosim.market.nodal.power_flow import PowerFlow, set_points
from tests.market.conftest import Situation
from tests.market.support import mixed, solve


def test_it_finds_what_opendss_finds(usual: Situation) -> None:
    network, n = usual.network, len(usual.network.resources)
    demands = [ratio * network.listed_demand for ratio in (0.4, 0.9, 1.1)]
    injection = np.array([20.0 + 5.0j if not r.load else 0.0 for r in network.resources])
    injections = [np.zeros(n, dtype=np.complex128), injection, injection]
    found = PowerFlow(network).solve(usual.state, demands, injections)
    for demand, power, mine in zip(demands, injections, found, strict=True):
        theirs = usual.feeder.solve(demand, power, controls=False)
        assert np.abs(mine.voltage - theirs.voltage).max() < 1e-7
        assert np.abs(mine.power - theirs.power).max() < 1e-3
        assert np.abs(mine.current - theirs.current).max() < 1e-3
        assert np.abs(mine.load - theirs.load).max() < 1e-4
        assert mine.losses == pytest.approx(theirs.losses, abs=1e-3)
        assert np.abs(mine.head - theirs.head).max() < 1e-3


def test_loads_of_every_kind_and_connection() -> None:
    circuit = mixed()
    feeder = circuit.feeder()
    state = solve(feeder, circuit.network.listed_demand, controls=False)
    demand = 0.7 * circuit.network.listed_demand
    nothing = np.zeros(len(circuit.network.resources), dtype=np.complex128)
    (mine,) = PowerFlow(circuit.network).solve(state, [demand], [nothing])
    theirs = feeder.solve(demand, nothing, controls=False)
    assert np.abs(mine.voltage - theirs.voltage).max() < 1e-7


def test_what_has_no_solution_is_said() -> None:
    circuit = mixed()
    state = solve(circuit.feeder(), circuit.network.listed_demand, controls=False)
    nothing = np.zeros(len(circuit.network.resources), dtype=np.complex128)
    demands = [circuit.network.listed_demand, 1e5 * circuit.network.listed_demand]
    with pytest.raises(ClearingError, match="own power flow 2 did not converge"):
        PowerFlow(circuit.network).solve(state, demands, [nothing, nothing])


def test_set_points_are_those_that_the_feeder_applies() -> None:
    """Injections and curtailments of every resource of the nine-bus circuit."""
    network = mixed().network
    rng, demand = np.random.default_rng(0), 0.9 * network.listed_demand
    reach = np.array([item.kw_max for item in network.resources])
    dispatch = (0.5 * rng.random(len(reach)) * reach).astype(np.complex128)
    left, injection = set_points(network, demand, dispatch)
    asked = apply_dispatch(network, demand, dispatch, held=False)
    np.testing.assert_allclose(left, asked.demand, rtol=1e-12)
    np.testing.assert_array_equal(injection, asked.injection)
