from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from federates.anchoring.rounds import (
    Mismatch,
    Policy,
    RoundRules,
    after_answer,
    after_clearing,
    mismatch,
    negotiate,
)
from feeders.errors import ClearingError
from feeders.network import FloatArray
from feeders.state import AcState
from market.clearing import Clearing, Prices, Status

RULES = RoundRules(rounds_max=4, voltage_pu=1e-4, head_kw=0.1)
NOTHING = np.zeros(1)
NO_PRICES = Prices(*([NOTHING] * 10))


def clearing(voltage: float = 1.0, head: float = 100.0, status: Status = "solved") -> Clearing:
    return Clearing(
        dispatch=np.zeros(1, dtype=complex),
        voltage_magnitude=np.array([voltage]),
        power_from=np.array([head + 0j]),
        head=np.array([head + 0j]),
        losses_kw=0.0,
        prices=NO_PRICES,
        cost=0.0,
        status=status,
    )


def state(voltage: float = 1.0, head: float = 100.0) -> AcState:
    one: FloatArray = np.ones(1)
    power = np.array([head + 0j])
    return AcState(
        voltage=np.array([voltage + 0j]),
        power_from=power,
        power_to=power,
        current=one,
        load=power,
        demand=power,
        injection=0 * power,
        tap=np.zeros(0, dtype=np.int64),
        head=power,
        losses=0j,
    )


class Physics:
    """Answers what a test wrote down, and counts the trials."""

    def __init__(self, answers: list[AcState | None]) -> None:
        self.answers, self.asked = answers, 0

    def __call__(self, trials: int, _tried: Clearing) -> AcState | None:
        assert trials == self.asked, "trials are counted one by one"
        self.asked += 1
        return self.answers[trials]


def constant(found: Clearing) -> Callable[[AcState], Clearing]:
    return lambda _state: found


def test_mismatch_is_the_largest_voltage_and_the_signed_head() -> None:
    found = mismatch(clearing(1.01, 90.0), state(1.0, 100.0))
    assert found == Mismatch(pytest.approx(0.01), pytest.approx(-10.0))


@pytest.mark.parametrize(
    ("voltage", "head", "action"),
    [(0.9e-4, 0.05, "accept"), (1.1e-4, 0.05, "clear"), (0.0, -0.2, "clear"), (1e-4, -0.1, "accept")],
)
def test_settles_only_within_both_tolerances(voltage: float, head: float, action: str) -> None:
    decision = after_answer(RULES, 1, clearing(), difference=Mismatch(voltage, head))
    assert decision.action == action
    assert decision.settled == (action == "accept")


def test_settles_at_once_when_they_agree() -> None:
    physics = Physics([state()])
    outcome = negotiate(RULES, state(0.9), constant(clearing()), physics)
    assert (outcome.trials, len(outcome.rounds), outcome.decision.settled) == (1, 1, True)
    assert outcome.accepted is not None


def test_clears_again_at_the_answer() -> None:
    seen: list[float] = []

    def clear(at: AcState) -> Clearing:
        seen.append(float(abs(at.voltage[0])))
        return clearing(seen[-1])

    outcome = negotiate(RULES, state(0.9), clear, Physics([state(0.97), state(0.97)]))
    assert seen == [0.9, 0.97]
    assert (outcome.trials, outcome.decision.settled) == (2, True)
    assert [item.difference and round(item.difference.voltage_pu, 3) for item in outcome.rounds] == [
        0.07,
        0.0,
    ]


@pytest.mark.parametrize(("policy", "held"), [("hold_last", True), ("dispatch_anyway", False)])
def test_policy_when_rounds_run_out(policy: Policy, held: bool) -> None:
    physics = Physics([state(0.9)] * 4)
    outcome = negotiate(replace(RULES, policy=policy), state(), constant(clearing()), physics)
    assert outcome.trials == physics.asked == 4
    assert (outcome.accepted is None) == held
    assert not outcome.decision.settled
    assert "after 4 rounds" in outcome.decision.reason


@pytest.mark.parametrize(("status", "answer"), [("solved", None), ("failed", state())])
def test_what_cannot_be_used_is_never_dispatched(status: Status, answer: AcState | None) -> None:
    rules = replace(RULES, policy="dispatch_anyway")
    outcome = negotiate(rules, state(), constant(clearing(status=status)), Physics([answer]))
    assert outcome.accepted is None
    assert outcome.decision.reason


def test_a_missed_tolerance_is_tried_but_not_settled() -> None:
    missed = clearing(status="not_converged")
    assert after_clearing(RULES, missed).action == "try"
    assert after_answer(RULES, 1, missed, difference=Mismatch(0.0, 0.0)).action == "clear"
    last = after_answer(RULES, 4, missed, difference=Mismatch(0.0, 0.0))
    assert (last.action, last.settled) == ("hold", False)
    assert "missed its tolerance" in last.reason


def test_without_anchoring_the_first_clearing_is_final() -> None:
    rules = replace(RULES, anchored=False)
    outcome = negotiate(rules, state(), constant(clearing()), Physics([state(0.9)]))
    assert (outcome.trials, outcome.decision.action, outcome.decision.settled) == (1, "accept", False)
    missed = negotiate(rules, state(), constant(clearing(status="not_converged")), Physics([state()]))
    assert missed.accepted is None


def test_a_model_that_raises_has_no_clearing() -> None:
    def clear(_at: AcState) -> Clearing:
        raise ClearingError("the numbers ran away")

    outcome = negotiate(RULES, state(), clear, Physics([]))
    assert (outcome.trials, outcome.accepted, outcome.decision.reason) == (0, None, "the numbers ran away")


@pytest.mark.parametrize("answers", [[None], [state(0.9)] * 4])
def test_fail_is_an_error(answers: list[AcState | None]) -> None:
    with pytest.raises(ClearingError):
        negotiate(replace(RULES, policy="fail"), state(), constant(clearing()), Physics(answers))
