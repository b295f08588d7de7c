"""Feeders without a line: a bus alone, a switch, a transformer; every market clears them by every method."""

from __future__ import annotations

import numpy as np
import pytest

from dlmp_cosim.feeders.network import Resource, wye
from dlmp_cosim.market.models import find_model
from dlmp_cosim.market.offers import Offer, WholesalePrice
from dlmp_cosim.market.settings import MarketSettings, Method
from tests.market.support import Sample, load, sample, solve, switch

PRICE = WholesalePrice(50.0)
OFFER = Offer("gen", 0.0, 50.0, 20.0, 0.0, -10.0, 10.0, 60.0)


def without_a_line(kind: str) -> Sample:
    """A load of 20 kW and a generator of 50 kW that is cheaper than the LMP."""
    bus = "src" if kind == "bus" else "end"
    resources = [Resource("gen", "generator", bus, wye((1, 2, 3)), 50.0, 60.0)]
    own = load("a", bus, (1,), 1, 20.0, 5.0)
    if kind == "bus":
        return sample("alone", [own], resources)
    if kind == "switch":
        return sample("switched", [switch("src", "end"), own], resources)
    transformer = (
        "new transformer.t phases=3 windings=2 buses=[src end] conns=[wye wye] kvs=[4.16 0.48] "
        "kvas=[500 500] xhl=4 %rs=[0.5 0.5]"
    )
    low = "new load.a bus1=end phases=3 kv=0.48 kw=20 kvar=5"
    return sample(
        "stepped", [transformer, low], resources, ("set voltagebases=[4.16 0.48]", "calcvoltagebases")
    )


@pytest.mark.parametrize("kind", ["bus", "switch", "transformer"])
@pytest.mark.parametrize("model", ["nodal", "branch_flow", "uniform"])
@pytest.mark.parametrize("method", ["pac-accelerated", "interior-point", "central", "pac", "nst-pac"])
def test_a_feeder_without_a_line_clears(kind: str, model: str, method: Method) -> None:
    found = without_a_line(kind)
    state = solve(found.feeder())
    settings = MarketSettings(model=model, method=method, negotiation_rounds=200_000)
    market = find_model(model, where="model")(found.network, settings)
    clearing = market.clear(state, found.network.listed_demand, [OFFER], PRICE)
    assert clearing.status == "solved"
    # 30 kW through a transformer of 500 kVA with a resistance of 1 %: marginal losses of 0.12 %.
    assert clearing.prices.real == pytest.approx(np.full(len(found.network.node_ids), 50.0), rel=1.3e-3)
    if model != "uniform":
        assert clearing.dispatch[0].real == pytest.approx(50.0, abs=0.1)
        assert clearing.head.real.sum() == pytest.approx(-30.0, abs=0.2)
