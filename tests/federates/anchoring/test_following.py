"""How set-points follow calls: ramps, ratings, demand, and what trips."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from toys import toy_network

from dlmp_cosim.federates.anchoring.following import Following
from dlmp_cosim.federates.study.ancillary import Disruption
from dlmp_cosim.feeders.network import Network, Resource, wye

ABC = wye((1, 2, 3))
DEMAND = np.array([60 + 20j, 50 + 10j, 40 + 10j])


def network() -> Network:
    loads = toy_network().load_ids
    resources = (
        Resource("dg", "generator", "b", ABC, 300.0, 320.0),
        Resource("store", "storage", "b", ABC, 100.0, 100.0),
        Resource("flex", "flexible_load", "b", wye((1,)), 12.0, 13.0, loads[0]),
    )
    return replace(toy_network(), resources=resources)


def following(
    *disruptions: Disruption, ramps: Mapping[str, float] | None = None, period_s: float = 300.0
) -> Following:
    return Following(network(), disruptions, ramps or {}, period_s)


def kva(dg: complex = 0.0, store: complex = 0.0, flex: complex = 0.0) -> np.ndarray:
    return np.array([dg, store, flex], dtype=np.complex128)


def called(dg: float = 0.0, store: float = 0.0, flex: float = 0.0) -> np.ndarray:
    return np.array([dg, store, flex])


def test_without_a_call_a_dispatch_is_as_it_was() -> None:
    found = following()
    dispatch = kva(120 + 30j, -40 + 5j, 6)
    assert np.array_equal(found.realise(0, dispatch, called(), DEMAND), dispatch)
    assert not found.given.any()


def test_what_is_called_comes_on_top() -> None:
    found = following()
    power = found.realise(0, kva(120, 20, 4), called(50, -30, 3), DEMAND)
    assert power.real.tolist() == [170.0, -10.0, 7.0]
    assert found.given.tolist() == [50.0, -30.0, 3.0]


def test_a_ramp_takes_its_time_up_and_down() -> None:
    found = following(ramps={"dg": 10.0})
    given = []
    for wanted in (120.0, 120.0, 120.0, 0.0, 0.0, 0.0):
        found.realise(len(given), kva(100), called(wanted), DEMAND)
        given.append(float(found.given[0]))
    assert given == [50.0, 100.0, 120.0, 70.0, 20.0, 0.0]


def test_nobody_gives_more_than_there_is() -> None:
    found = following()
    power = found.realise(0, kva(280, 90, 55), called(50, 50, 20), DEMAND)
    assert power.real.tolist() == [300.0, 100.0, 60.0], "the last by its load's demand"
    power = found.realise(1, kva(20, -90, 5), called(-50, -50, -20), DEMAND)
    assert power.real.tolist() == [0.0, -100.0, 0.0]
    assert found.given.tolist() == [-20.0, -10.0, -5.0]


def test_reactive_power_gives_way_to_real() -> None:
    power = following().realise(0, kva(200 + 200j), called(100), DEMAND)
    assert power[0] == pytest.approx(300 + 1j * np.sqrt(320.0**2 - 300.0**2))


TRIP = Disruption("dg", 2, 4)


def test_what_trips_gives_nothing_and_the_market_learns_of_it_an_interval_later() -> None:
    found = following(TRIP)
    dispatch = kva(120 + 30j, 20)
    assert [found.known(k, dispatch)[0] for k in range(5)] == [120 + 30j] * 3 + [0.0, 120 + 30j]
    power = [found.realise(k, dispatch, called(40), DEMAND)[0].real for k in range(5)]
    assert power == [160.0, 160.0, 0.0, 0.0, 160.0]
    found.realise(2, dispatch, called(40), DEMAND)
    assert found.given[0] == 0.0


def test_a_slow_resource_is_slow_while_it_lasts() -> None:
    found = following(Disruption("store", 0, 2, ramp_kw_per_minute=1.0))
    given = []
    for k in range(3):
        found.realise(k, kva(), called(store=40), DEMAND)
        given.append(float(found.given[1]))
    assert given == [5.0, 10.0, 40.0]
    assert np.array_equal(found.known(1, kva(50)), kva(50)), "it is no trip"
