"""Rows that tie powers over steps, against what the terms themselves say happens step by step."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.feeders.network import FloatArray
from dlmp_cosim.market.horizon.coupling import Coupling, Timing, couple, open_share
from dlmp_cosim.market.horizon.terms import (
    MISSED_PRICE,
    Ahead,
    Comfort,
    Owed,
    Ramp,
    Rebound,
    Session,
    Store,
)
from dlmp_cosim.market.offers import Offer

HOURS = np.array([0.25, 0.5, 1.0, 2.0])
TIMING = Timing(HOURS, 0.1, 30.0)
"""Steps of growing length; a unit of energy at 1 $/MWh costs a tenth of the unit of cost."""


def coupled(offer: Offer) -> Coupling:
    return couple(3, [offer] * len(HOURS), TIMING)


def left_over(rows: Coupling, kw: FloatArray, own: FloatArray) -> FloatArray:
    """What powers [kW] and own variables leave of the rows."""
    residual: FloatArray = rows.power @ (kw / 100.0) + rows.own @ own - rows.right
    return residual


def offer(ahead: Ahead, low: float = -50.0, high: float = 50.0) -> Offer:
    return Offer("r", low, high, 20.0, 0.1, ahead=ahead)


powers = st.lists(st.floats(-40.0, 40.0), min_size=4, max_size=4).map(np.array)


@settings(max_examples=40)
@given(powers, st.floats(0.0, 0.2))
def test_the_energy_of_a_lossless_store_is_what_it_was_less_what_it_gave(kw: FloatArray, loss: float) -> None:
    store = Store(60.0, 100.0, loss_per_hour=loss)
    rows = coupled(offer(Ahead(store=store)))
    energy, at = [], store.energy_kwh
    for power, hours in zip(kw.tolist(), HOURS.tolist(), strict=True):
        at = store.after(at, power, hours)
        energy.append(at / 100.0)
    np.testing.assert_allclose(left_over(rows, kw, np.array(energy)), 0.0, atol=1e-9)
    assert rows.parts["store.energy"].tolist() == [0, 1, 2, 3]


@settings(max_examples=40)
@given(powers)
def test_a_store_with_losses_both_ways_is_told_apart_by_direction(kw: FloatArray) -> None:
    store = Store(60.0, 100.0, 10.0, 0.9, 0.8, 0.01, wear=5.0)
    rows = coupled(offer(Ahead(store=store)))
    own, at = np.zeros(rows.own.shape[1]), store.energy_kwh
    for t, (power, hours) in enumerate(zip(kw.tolist(), HOURS.tolist(), strict=True)):
        at = store.after(at, power, hours)
        own[rows.parts["store.energy"][t]] = at / 100.0
        own[rows.parts["store.drawn"][t]] = max(-power, 0.0) / 100.0
        own[rows.parts["store.given"][t]] = max(power, 0.0) / 100.0
    np.testing.assert_allclose(left_over(rows, kw, own), 0.0, atol=1e-9)
    wear = 5.0 * 0.1 * HOURS
    np.testing.assert_allclose(rows.linear[rows.parts["store.drawn"]], wear)
    np.testing.assert_allclose(rows.linear[rows.parts["store.given"]], wear)


def test_limits_of_a_store_are_in_units_and_missed_at_a_price() -> None:
    rows = coupled(offer(Ahead(store=Store(60.0, 100.0, 10.0, end_kwh=55.0, end_value=25.0))))
    assert rows.soft_lower.tolist() == pytest.approx([0.1, 0.1, 0.1, 0.55])
    assert rows.soft_upper.tolist() == pytest.approx([1.0] * 4)
    assert rows.penalty.tolist() == pytest.approx([MISSED_PRICE * 0.1] * 4)
    assert rows.linear.tolist() == pytest.approx([0.0, 0.0, 0.0, -2.5])


@pytest.mark.parametrize(
    ("store", "low", "high"),
    [
        pytest.param(
            Store(5.0, 100.0, 10.0), [10.0, 10.0, 10.0, 10.0], 100.0, id="it can charge to its least at once"
        ),
        pytest.param(Store(0.0, 100.0, 60.0), [12.5, 37.5, 60.0, 60.0], 100.0, id="or in three steps"),
        pytest.param(
            Store(50.0, 100.0, end_kwh=400.0),
            [0.0, 0.0, 0.0, 100.0],
            100.0,
            id="an end beyond its most is its most",
        ),
    ],
)
def test_what_is_out_of_reach_is_held_at_what_it_can_do(store: Store, low: list[float], high: float) -> None:
    rows = coupled(offer(Ahead(store=store)))
    assert (100 * rows.soft_lower).tolist() == pytest.approx(low)
    assert (100 * rows.soft_upper).tolist() == pytest.approx([high] * 4)


@settings(max_examples=40)
@given(
    st.floats(0.0, 100.0),
    st.floats(-60.0, 0.0),
    st.floats(0.0, 60.0),
    st.lists(st.floats(0, 1), min_size=4, max_size=4),
)
def test_no_powers_within_limits_leave_what_is_reachable(
    energy: float, low: float, high: float, shares: list[float]
) -> None:
    store = Store(energy, 100.0, 0.0, 0.9, 0.8, 0.01)
    least, most = store.reach([low] * 4, [high] * 4, HOURS.tolist())
    at = energy
    for t, share in enumerate(shares):
        hours = float(HOURS[t])
        take, give = store.bounds(at, hours)
        kw = max(low, take) + share * (min(high, give) - max(low, take))
        at = store.after(at, kw, hours)
        assert least[t] - 1e-9 <= at <= most[t] + 1e-9


@pytest.mark.parametrize(
    ("session", "share"),
    [
        (Session(5.0, 99.0, 7.0), [1.0, 1.0, 1.0, 1.0]),
        (Session(5.0, 0.75, 7.0), [1.0, 1.0, 0.0, 0.0]),
        (Session(5.0, 1.25, 7.0), [1.0, 1.0, 0.5, 0.0]),
        (Session(5.0, 1.75, 7.0, start_h=0.5), [0.0, 0.5, 1.0, 0.0]),
        (Session(5.0, 0.2, 7.0, start_h=0.1), [0.4, 0.0, 0.0, 0.0]),
        (Session(5.0, 0.25 + 1e-9, 7.0), [1.0, 0.0, 0.0, 0.0]),
    ],
)
def test_a_session_is_open_for_a_share_of_every_step(session: Session, share: list[float]) -> None:
    assert open_share(session, HOURS) == pytest.approx(share)


def test_a_session_takes_its_energy_or_goes_without_at_its_worth() -> None:
    """7 kW over the first two steps are 5.25 kWh of 6: the rest is short."""
    rows = coupled(offer(Ahead(sessions=(Session(6.0, 0.75, 7.0, value=80.0),))))
    (short,) = rows.parts["sessions.short"].tolist()
    own = np.zeros(rows.own.shape[1])
    own[[k for k in range(3) if k != short]] = 0.07
    own[short] = 0.0075
    np.testing.assert_allclose(left_over(rows, np.array([-7.0, -7.0, 0.0, 0.0]), own), 0.0, atol=1e-12)
    assert rows.linear[short] == pytest.approx(8.0)
    assert sorted(rows.soft_upper[np.isfinite(rows.soft_upper)].tolist()) == pytest.approx([0.07, 0.07])


def test_a_deadline_beyond_the_horizon_lets_energy_wait_at_the_mean_price() -> None:
    """The horizon is 3.75 h long; an hour of 7 kW is left after it."""
    rows = coupled(offer(Ahead(sessions=(Session(6.0, 4.75, 7.0),))))
    later = [k for k in range(rows.own.shape[1]) if rows.linear[k] == pytest.approx(3.0)]
    assert rows.soft_upper[later].tolist() == pytest.approx([0.07])


def test_a_session_that_has_its_energy_is_none() -> None:
    """Where its offer leaves room in the first step all the same, the power of that step is held at 0."""
    full = Ahead(sessions=(Session(0.0, 1.0, 7.0),))
    assert coupled(offer(full, 0.0, 0.0)).own.shape == (0, 0)
    rows = coupled(offer(full))
    np.testing.assert_array_equal(rows.power, [[1.0, 0.0, 0.0, 0.0]])
    assert (rows.own.tolist(), rows.soft_lower.tolist(), rows.soft_upper.tolist()) == ([[1.0]], [0.0], [0.0])
    assert rows.penalty.tolist() == pytest.approx([MISSED_PRICE * 0.1 * 0.25])


@settings(max_examples=40)
@given(powers, st.floats(-30.0, 30.0))
def test_a_ramp_is_the_change_from_step_to_step(kw: FloatArray, before: float) -> None:
    rows = coupled(offer(Ahead(ramp=Ramp(2.0, before))))
    change = np.diff(np.concatenate([[before], kw])) / 100.0
    np.testing.assert_allclose(left_over(rows, kw, change), 0.0, atol=1e-12)
    between = np.array([0.25, 0.375, 0.75, 1.5])
    np.testing.assert_allclose(rows.soft_upper, 120.0 * between / 100.0)
    np.testing.assert_allclose(rows.soft_lower, -rows.soft_upper)


@settings(max_examples=40)
@given(powers, st.sampled_from([0.5, -0.25]))
def test_comfort_follows_what_is_consumed(kw: FloatArray, kelvin: float) -> None:
    """Where consuming more warms, and where it cools."""
    comfort = Comfort(1.0, -2.0, 2.0, 4.0, kelvin)
    rows = coupled(offer(Ahead(comfort=comfort)))
    at, energy = comfort.deviation_k, []
    for power, hours in zip(kw.tolist(), HOURS.tolist(), strict=True):
        at = float(np.exp(-hours / 4.0)) * at - kelvin * power * hours
        energy.append(at / abs(kelvin) / 100.0)
    np.testing.assert_allclose(left_over(rows, kw, np.array(energy)), 0.0, atol=1e-9)
    np.testing.assert_allclose(rows.soft_upper, 2.0 / abs(kelvin) / 100.0)


@settings(max_examples=40)
@given(
    st.lists(st.floats(0.0, 20.0), min_size=4, max_size=4),
    st.lists(st.floats(0.0, 20.0), min_size=4, max_size=4),
)
def test_what_is_owed_rises_by_what_is_curtailed_and_falls_by_what_comes_back(
    curtailed: list[float], back: list[float]
) -> None:
    rebound = Rebound(0.8, 99.0, 20.0, (Owed(10.0, 99.0),))
    rows = coupled(offer(Ahead(rebound=rebound)))
    own, at = np.zeros(rows.own.shape[1]), 10.0
    for t in range(4):
        at += (0.8 * curtailed[t] - back[t]) * float(HOURS[t])
        own[rows.parts["rebound.owed"][t]] = at / 100.0
        own[rows.parts["rebound.curtailed"][t]] = curtailed[t] / 100.0
        own[rows.parts["rebound.back"][t]] = back[t] / 100.0
    kw = np.array(curtailed) - np.array(back)
    np.testing.assert_allclose(left_over(rows, kw, own), 0.0, atol=1e-9)


def test_what_is_due_within_its_window_is_late_beyond() -> None:
    """A window of an hour: from the third step on, what was curtailed in the first has to be back."""
    rows = coupled(offer(Ahead(rebound=Rebound(1.0, 1.0, 20.0))))
    assert len(rows.right) == 4 + 4 + 2
    assert coupled(offer(Ahead(rebound=Rebound(1.0, 99.0, 20.0)))).right.shape == (8,)


def test_curtailing_costs_what_is_offered_and_coming_back_nothing() -> None:
    rows = coupled(offer(Ahead(rebound=Rebound(1.0, 99.0, 20.0, end_value=12.0))))
    np.testing.assert_allclose(rows.linear[rows.parts["rebound.curtailed"]], 20.0 * 0.1 * HOURS)
    np.testing.assert_allclose(rows.quadratic[rows.parts["rebound.curtailed"]], 0.1 * 100.0 * 0.1 * HOURS)
    assert not rows.linear[rows.parts["rebound.back"]].any()
    assert rows.linear[rows.parts["rebound.owed"]].tolist() == pytest.approx([0.0, 0.0, 0.0, 1.2])


@pytest.mark.parametrize(
    "ahead",
    [
        Ahead(store=Store(60.0, 100.0, 0.0, 0.9, 0.8)),
        Ahead(sessions=(Session(6.0, 4.75, 7.0), Session(3.0, 0.5, 9.0))),
        Ahead(rebound=Rebound(1.0, 1.0, 20.0, (Owed(4.0, 0.5),))),
        Ahead(store=Store(60.0, 100.0), ramp=Ramp(2.0, 0.0), comfort=Comfort(1.0, -2.0, 2.0, 4.0, 0.5)),
    ],
    ids=["store", "sessions", "rebound", "several"],
)
def test_rows_can_be_met_whatever_the_powers(ahead: Ahead) -> None:
    """Own variables have full row rank: the network never meets rows that it cannot hold."""
    rows = coupled(offer(ahead))
    assert np.linalg.matrix_rank(rows.own) == len(rows.right)
    assert rows.resource == 3


def test_an_offer_without_terms_has_no_rows() -> None:
    plain = replace(offer(Ahead()), ahead=None)
    assert coupled(plain).power.shape == (0, 4)
