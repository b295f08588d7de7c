"""The judgement of a market by AC physics, on states made by hand and by OpenDSS."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlmp_cosim.feeders.network import ComplexArray, FloatArray
from dlmp_cosim.feeders.setpoints import failed_state
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.market.audit import (
    IntervalRecord,
    Limits,
    Prediction,
    Verdict,
    Violation,
    balance_error,
    find_violations,
    judge,
    judge_run,
)
from tests.market.support import Sample, idle, ladder, loop, mixed, service, solve

NETWORK = ladder(2, rating_a=100.0).network
CONDUCTORS = NETWORK.conductor_ids
WIDE = Limits(voltage_min_pu=0.0, voltage_max_pu=9.0, rating_scale=100.0)


def state(
    voltage: FloatArray | float = 1.0, current: FloatArray | float = 0.0, *, converged: bool = True
) -> AcState:
    """A state of the two-bus ladder with the magnitudes given."""
    n, b = len(NETWORK.node_ids), len(CONDUCTORS)
    flow = np.arange(b) * (1.0 + 0.5j)
    return AcState(
        voltage=np.broadcast_to(voltage, n) * np.exp(1j * np.arange(n)),
        power=flow,
        current=np.array(np.broadcast_to(current, b), dtype=np.float64),
        load=np.full(len(NETWORK.loads), 60.0 + 25.0j),
        demand=np.full(len(NETWORK.loads), 60.0 + 25.0j),
        injection=idle(NETWORK),
        machine=np.zeros(0, dtype=np.complex128),
        tap=np.zeros(0, dtype=np.int64),
        capacitor=np.zeros(0, dtype=np.int64),
        admittance=np.zeros(0, dtype=np.complex128),
        head=np.full(3, 121.0 + 50.0j),
        losses=3.0 + 4.0j,
        converged=converged,
    )


def at(where: str, value: float, ids: tuple[str, ...], rest: float) -> FloatArray:
    vector = np.full(len(ids), rest)
    vector[ids.index(where)] = value
    return vector


@pytest.mark.parametrize(
    ("pu", "kind"),
    [
        (0.95, None),
        (0.95 - 0.9e-4, None),
        (0.95 - 1.1e-4, "voltage_low"),
        (0.90, "voltage_low"),
        (0.0, "voltage_low"),
        (1.05, None),
        (1.05 + 0.9e-4, None),
        (1.05 + 1.1e-4, "voltage_high"),
        (1.30, "voltage_high"),
    ],
)
def test_a_voltage_is_a_violation_beyond_the_tolerance(pu: float, kind: str | None) -> None:
    found = find_violations(NETWORK, Limits(), state(at("n2.3", pu, NETWORK.node_ids, 1.0)))
    if kind is None:
        assert found == ()
        return
    (one,) = found
    assert (one.kind, one.where, one.priced) == (kind, "n2.3", False)
    assert one.value == pytest.approx(pu)
    assert one.limit == (0.95 if kind == "voltage_low" else 1.05)
    assert one.excess == pytest.approx(abs(pu - one.limit))


@pytest.mark.parametrize(
    ("amps", "scale", "broken"),
    [(100.0, 1.0, False), (100.09, 1.0, False), (100.11, 1.0, True), (60.0, 0.5, True), (110.0, 1.2, False)],
)
def test_a_current_is_a_violation_beyond_the_tolerance(amps: float, scale: float, broken: bool) -> None:
    limits = Limits(rating_scale=scale)
    found = find_violations(NETWORK, limits, state(current=at("line.n1-n2:1.2", amps, CONDUCTORS, 1.0)))
    assert bool(found) == broken
    if broken:
        (one,) = found
        assert (one.kind, one.where) == ("rating", "line.n1-n2:1.2")
        assert (one.value, one.limit) == (amps, pytest.approx(100.0 * scale))
        assert one.excess == pytest.approx(amps / (100.0 * scale) - 1)


def test_tolerances_are_settings() -> None:
    low = state(at("n1.1", 0.94, NETWORK.node_ids, 1.0), at("line.n1-n2:1.1", 105.0, CONDUCTORS, 0.0))
    assert len(find_violations(NETWORK, Limits(), low)) == 2
    assert len(find_violations(NETWORK, Limits(voltage_tolerance_pu=0.02), low)) == 1
    assert len(find_violations(NETWORK, Limits(rating_tolerance=0.06), low)) == 1
    assert find_violations(NETWORK, Limits(voltage_tolerance_pu=0.02, rating_tolerance=0.06), low) == ()


def test_the_worst_comes_first_whatever_its_kind() -> None:
    """0.04 pu below, 30 % over and 0.02 pu above; names settle ties."""
    voltage = np.ones(len(NETWORK.node_ids))
    for name, pu in (("n1.1", 0.91), ("n2.2", 1.07), ("n2.1", 1.07)):
        voltage[NETWORK.node_ids.index(name)] = pu
    found = find_violations(NETWORK, Limits(), state(voltage, at("line.n1-n2:1.2", 130.0, CONDUCTORS, 0.0)))
    assert [(v.kind, v.where) for v in found] == [
        ("rating", "line.n1-n2:1.2"),
        ("voltage_low", "n1.1"),
        ("voltage_high", "n2.1"),
        ("voltage_high", "n2.2"),
    ]


def test_a_violation_is_priced_only_for_its_own_kind_and_place() -> None:
    voltage = np.ones(len(NETWORK.node_ids))
    voltage[NETWORK.node_ids.index("n1.1")] = 0.9
    voltage[NETWORK.node_ids.index("n2.1")] = 0.9
    answer = state(voltage)
    prediction = Prediction(
        np.abs(answer.voltage),
        answer.power.real,
        0.0,
        0.0,
        priced=[("voltage_low", "n1.1"), ("voltage_high", "n2.1"), ("rating", "line.n1-n2:1.1")],
    )
    verdict = judge(NETWORK, Limits(), prediction, answer)
    assert {v.where: v.priced for v in verdict.violations} == {"n1.1": True, "n2.1": False}
    assert [v.where for v in verdict.unpriced] == ["n2.1"]


def test_errors_have_their_signs() -> None:
    """Head and losses: predicted less AC; voltages and branches: largest, without a sign."""
    answer = state(np.linspace(0.97, 1.0, len(NETWORK.node_ids)))
    voltage = np.abs(answer.voltage).copy()
    voltage[4] -= 0.003
    flow = answer.power.real.copy()
    flow[2] += 7.0
    verdict = judge(NETWORK, Limits(), Prediction(voltage, flow, 360.0, 5.5), answer)
    assert verdict.voltage_error_pu == pytest.approx(0.003)
    assert verdict.branch_error_kw == pytest.approx(7.0)
    assert verdict.head_error_kw == pytest.approx(360.0 - 3 * 121.0)
    assert verdict.losses_error_kw == pytest.approx(2.5)
    assert verdict.balance_error_kw == pytest.approx(3 * 121.0 - 6 * 60.0 - 3.0)
    assert verdict.converged
    assert verdict.violations == ()


def test_without_a_market_only_the_physics_is_judged() -> None:
    verdict = judge(NETWORK, Limits(), None, state(0.9))
    assert math.isnan(verdict.voltage_error_pu)
    assert math.isnan(verdict.head_error_kw)
    assert len(verdict.violations) == len(verdict.unpriced) == len(NETWORK.node_ids)
    assert math.isfinite(verdict.balance_error_kw)


def test_a_power_flow_that_did_not_converge_is_not_judged() -> None:
    lost = failed_state(
        NETWORK, NETWORK.listed_demand, idle(NETWORK), np.zeros(0, dtype=np.int64), iterations=9
    )
    for prediction in (None, Prediction(np.ones(9), np.ones(12), 1.0, 1.0)):
        verdict = judge(NETWORK, Limits(), prediction, lost)
        assert not verdict.converged
        assert verdict.violations == ()
        assert all(
            math.isnan(value)
            for value in (
                verdict.voltage_error_pu,
                verdict.branch_error_kw,
                verdict.head_error_kw,
                verdict.losses_error_kw,
                verdict.balance_error_kw,
            )
        )


@pytest.mark.parametrize("field", ["voltage", "current", "head"])
def test_a_state_with_a_hole_is_no_converged_state(field: str) -> None:
    """Another simulator may say converged and mean nothing: not a number is never feasible."""
    good = state()
    values: ComplexArray | FloatArray = getattr(good, field).copy()
    values[1] = np.nan
    verdict = judge(NETWORK, Limits(), None, replace(good, **{field: values}))
    assert not verdict.converged
    assert judge_run([record(verdict)]).status == "unknown"


@pytest.mark.parametrize("make", [mixed, ladder, loop, service])
def test_real_states_balance(make: Callable[[], Sample]) -> None:
    sample = make()
    network, answer = sample.network, solve(sample.feeder(tolerance=1e-12))
    assert abs(balance_error(answer)) < 1e-5
    verdict = judge(network, WIDE, None, answer)
    assert verdict.violations == ()
    tight = judge(network, replace(WIDE, voltage_min_pu=0.999), None, answer)
    low = np.flatnonzero(np.abs(answer.voltage) < 0.999 - 1e-4)
    assert {v.where for v in tight.violations} == {network.node_ids[k] for k in low}
    excesses = [v.excess for v in tight.violations]
    assert excesses == sorted(excesses, reverse=True)


def record(
    verdict: Verdict, *, settled: bool = True, rounds: int = 2, voltage: float = 1e-5, head: float = -0.02
) -> IntervalRecord:
    return IntervalRecord(settled, rounds, voltage, head, verdict)


def clean(*violations: Violation) -> Verdict:
    return Verdict(True, 0.0, 0.0, 0.0, 0.0, 0.0, violations)


LOST = Verdict(False, *[math.nan] * 5, ())
LOW = Violation("voltage_low", "n1.1", 0.93, 0.95, priced=False)
OVER = Violation("rating", "line.n1-n2:1.2", 103.0, 100.0, priced=True)


@pytest.mark.parametrize(
    ("verdicts", "status"),
    [
        ((), "unknown"),
        ((clean(),), "feasible"),
        ((clean(), clean()), "feasible"),
        ((clean(), clean(OVER)), "violated"),
        ((LOST,), "unknown"),
        ((clean(), LOST), "unknown"),
        ((clean(LOW), LOST), "violated"),
    ],
)
def test_a_run_is_feasible_violated_or_unknown(verdicts: tuple[Verdict, ...], status: str) -> None:
    assert judge_run([record(verdict) for verdict in verdicts]).status == status


def test_a_run_is_summed_up() -> None:
    run = judge_run(
        [
            record(clean(), voltage=2e-5, head=0.03),
            record(clean(LOW, OVER), settled=False, rounds=4, voltage=8e-4, head=-0.7),
            record(clean(LOW), voltage=math.nan, head=math.nan),
        ]
    )
    assert (run.intervals, run.settled, run.rounds_max) == (3, 2, 4)
    assert run.voltage_error_max_pu == 8e-4
    assert run.head_error_max_kw == 0.7
    assert (run.violations, run.violations_unpriced) == (3, 2)
    assert run.worst_violation_pu == pytest.approx(0.03)


def test_nothing_to_sum_up_is_nothing_known() -> None:
    run = judge_run([])
    assert (run.intervals, run.settled, run.rounds_max, run.violations) == (0, 0, 0, 0)
    assert math.isnan(run.voltage_error_max_pu)
    assert run.worst_violation_pu == 0.0


@given(st.lists(st.floats(0.85, 1.15), min_size=9, max_size=9), st.floats(0, 0.05))
def test_violations_are_exactly_what_lies_outside(magnitudes: list[float], slack: float) -> None:
    limits = Limits(voltage_tolerance_pu=slack)
    answer = state(np.array(magnitudes))
    found = {v.where: v for v in find_violations(NETWORK, limits, answer)}
    for name, pu in zip(NETWORK.node_ids, np.abs(answer.voltage), strict=True):
        assert (name in found) == bool(pu < 0.95 - slack or pu > 1.05 + slack)
        if name in found:
            assert found[name].excess == pytest.approx(max(0.95 - pu, pu - 1.05))
            assert found[name].excess > slack
