"""Clearings that the physics cannot be asked are refused by name, and the run goes on."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dlmp_cosim.federates.anchoring.soundness import check_clearing
from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.federates.runtime.direct import run_direct
from dlmp_cosim.federates.study.study import load_study
from dlmp_cosim.feeders import ieee123
from dlmp_cosim.feeders.errors import ClearingError
from dlmp_cosim.feeders.network import ComplexArray, Network
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.market.baselines.uniform import UniformMarket
from dlmp_cosim.market.clearing import Clearing, Prices
from dlmp_cosim.market.offers import Offer, WholesalePrice
from dlmp_cosim.market.settings import MarketSettings
from tests.runners.conftest import make_study

NETWORK = ieee123.load()
DEMAND = NETWORK.listed_demand
NODES, NOTHING = len(NETWORK.node_ids), np.zeros(len(NETWORK.node_ids))
SOUND = Clearing(
    dispatch=np.zeros(len(NETWORK.resources), dtype=complex),
    voltage=np.ones(NODES, dtype=complex),
    power=np.zeros(len(NETWORK.conductor_ids), dtype=complex),
    head=np.zeros(3, dtype=complex),
    losses_kw=0.0,
    prices=Prices(*([NOTHING] * 10)),
    cost=0.0,
)


def with_dispatch(name: str, power: complex) -> Clearing:
    dispatch = SOUND.dispatch.copy()
    dispatch[NETWORK.resource_ids.index(name)] = power
    return replace(SOUND, dispatch=dispatch)


def test_a_sound_clearing_is_returned() -> None:
    assert check_clearing(NETWORK, DEMAND, SOUND) is SOUND


@pytest.mark.parametrize(
    ("clearing", "message"),
    [
        (with_dispatch("dg_48", math.nan), "dispatch of dg_48 is not finite"),
        (with_dispatch("dg_48", 5000.0), "dg_48"),
        (with_dispatch("flex_s1a", 400.0), "flex_s1a"),
        (with_dispatch("flex_s1a", -1.0), "flex_s1a"),
        (replace(SOUND, dispatch=SOUND.dispatch[:-1]), "dispatch has shape"),
        (
            replace(SOUND, voltage=np.full(NODES, complex(math.inf))),
            f"150.1 is not finite, and {NODES - 1} more",
        ),
        (replace(SOUND, prices=replace(SOUND.prices, real=NOTHING[:3])), "prices.real has shape"),
    ],
)
def test_what_cannot_be_tried_is_named(clearing: Clearing, message: str) -> None:
    with pytest.raises(ClearingError, match="the clearing is refused") as caught:
        check_clearing(NETWORK, DEMAND, clearing)
    assert message in str(caught.value)


class SickMarket(UniformMarket):
    """A market of somebody else: fine at first, then it asks a generator for more than it has."""

    def __init__(self, network: Network, settings: MarketSettings) -> None:
        super().__init__(network, settings)
        self._position, self._calls = network.resource_ids.index("dg_48"), 0

    def clear(
        self, state: AcState, demand: ComplexArray, offers: list[Offer], price: WholesalePrice
    ) -> Clearing:
        self._calls += 1
        clearing = super().clear(state, demand, offers, price)
        if self._calls == 2:
            clearing.dispatch[self._position] = 1e6
        return clearing


def test_the_last_dispatch_holds_and_the_record_says_why(tmp_path: Path) -> None:
    study = load_study(
        make_study(
            tmp_path / "sick",
            model='"tests.federates.anchoring.test_soundness:SickMarket"',
            start='"2020-08-25T15:00:00"',
            intervals="3",
            period_s="3600",
            anchored="false",
            file=f'"{tmp_path / "sick.h5"}"',
        )
    )
    run_direct(study)
    with Results(study.results_file) as run:
        dispatch, records = run.values("market/dispatch_real"), run.records("market/clearing")
        assert run.intervals == 3
    assert [record["held"] for record in records][1] is True
    assert "dg_48" in records[1]["reason"]
    assert dispatch[1].max() < 500
