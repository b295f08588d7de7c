from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from dlmp_cosim.federates.anchoring.rounds import (
    Mismatch,
    Outcome,
    Policy,
    RoundRules,
    after_answer,
    after_clearing,
    anchor,
    mismatch,
)
from dlmp_cosim.feeders.errors import ClearingError
from dlmp_cosim.feeders.network import FloatArray
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.market.clearing import Clearing, Prices, Status

RULES = RoundRules(rounds_max=4, voltage_pu=1e-4, head_kw=0.1)
NOTHING = np.zeros(1)
NO_PRICES = Prices(*([NOTHING] * 10))


def clearing(voltage: float = 1.0, head: float = 100.0, status: Status = "solved") -> Clearing:
    return Clearing(
        dispatch=np.zeros(1, dtype=complex),
        voltage=np.array([voltage + 0j]),
        power=np.array([head + 0j]),
        head=np.array([head + 0j]),
        losses_kw=0.0,
        prices=NO_PRICES,
        cost=0.0,
        status=status,
    )


def state(voltage: float = 1.0, head: float = 100.0, tap: int = 0) -> AcState:
    one: FloatArray = np.ones(1)
    power = np.array([head + 0j])
    none = np.zeros(0, dtype=np.complex128)
    return AcState(
        voltage=np.array([voltage + 0j]),
        power=power,
        current=one,
        load=power,
        demand=power,
        injection=0 * power,
        machine=none,
        tap=np.array([tap], dtype=np.int64),
        capacitor=np.zeros(0, dtype=np.int64),
        admittance=none,
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


def settle(
    rules: RoundRules, forecast: AcState, clear: Callable[[AcState], Clearing], answer: Physics
) -> Outcome:
    """Play an interval with one regulator; a state costs what its head draws."""
    return anchor(rules, forecast, clear, answer, lambda _, found: float(found.head.real.sum()), ("reg",))


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
    outcome = settle(RULES, state(0.9), constant(clearing()), physics)
    assert (outcome.trials, len(outcome.rounds), outcome.decision.settled) == (1, 1, True)
    assert outcome.accepted is not None


def test_clears_again_at_the_answer() -> None:
    seen: list[float] = []

    def clear(at: AcState) -> Clearing:
        seen.append(float(abs(at.voltage[0])))
        return clearing(seen[-1])

    outcome = settle(RULES, state(0.9), clear, Physics([state(0.97), state(0.97)]))
    assert seen == [0.9, 0.97]
    assert (outcome.trials, outcome.decision.settled) == (2, True)
    assert [item.difference and round(item.difference.voltage_pu, 3) for item in outcome.rounds] == [
        0.07,
        0.0,
    ]


@pytest.mark.parametrize(("policy", "held"), [("hold_last", True), ("dispatch_anyway", False)])
def test_policy_when_rounds_run_out(policy: Policy, held: bool) -> None:
    physics = Physics([state(0.9)] * 4)
    outcome = settle(replace(RULES, policy=policy), state(), constant(clearing()), physics)
    assert outcome.trials == physics.asked == 4
    assert (outcome.accepted is None) == held
    assert not outcome.decision.settled
    assert "after 4 rounds" in outcome.decision.reason


@pytest.mark.parametrize(("status", "answer"), [("solved", None), ("failed", state())])
def test_what_cannot_be_used_is_never_dispatched(status: Status, answer: AcState | None) -> None:
    rules = replace(RULES, policy="dispatch_anyway")
    outcome = settle(rules, state(), constant(clearing(status=status)), Physics([answer]))
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
    outcome = settle(rules, state(), constant(clearing()), Physics([state(0.9)]))
    assert (outcome.trials, outcome.decision.action, outcome.decision.settled) == (1, "accept", False)
    missed = settle(rules, state(), constant(clearing(status="not_converged")), Physics([state()]))
    assert missed.accepted is None


def test_a_model_that_raises_has_no_clearing() -> None:
    def clear(_at: AcState) -> Clearing:
        raise ClearingError("the numbers ran away")

    outcome = settle(RULES, state(), clear, Physics([]))
    assert (outcome.trials, outcome.accepted, outcome.decision.reason) == (0, None, "the numbers ran away")


@pytest.mark.parametrize("answers", [[None], [state(0.9)] * 4])
def test_fail_is_an_error(answers: list[AcState | None]) -> None:
    with pytest.raises(ClearingError):
        settle(replace(RULES, policy="fail"), state(), constant(clearing()), Physics(answers))


TOGETHER = replace(RULES, controls="together")


def test_together_nothing_settles_while_a_control_moves() -> None:
    physics = Physics([state(tap=1), state(tap=1)])
    outcome = settle(TOGETHER, state(tap=0), constant(clearing()), physics)
    assert (outcome.trials, outcome.decision.action, outcome.decision.settled) == (2, "accept", True)
    assert [item.moved for item in outcome.rounds] == [("reg",), ()]


def test_a_cycle_of_market_and_control_is_named_and_ends_at_the_cheapest_trial() -> None:
    physics = Physics([state(head=100.0, tap=1), state(head=90.0, tap=2), state(head=100.0, tap=1)])
    answers = iter([clearing(head=100.0), clearing(head=90.0), clearing(head=100.0)])
    outcome = settle(replace(TOGETHER, rounds_max=8), state(tap=2), lambda _: next(answers), physics)
    assert (outcome.decision.action, outcome.decision.trial, outcome.decision.settled) == ("resume", 1, False)
    assert "reg move each other" in outcome.decision.reason
    assert outcome.accepted is outcome.rounds[1]


def test_controls_that_never_rest_end_at_the_cheapest_trial_too() -> None:
    physics = Physics([state(head=100.0 - k, tap=k + 1) for k in range(4)])
    heads = iter(range(4))
    outcome = settle(TOGETHER, state(), lambda _: clearing(head=100.0 - next(heads)), physics)
    assert (outcome.trials, outcome.decision.action, outcome.decision.trial) == (4, "resume", 3)


def test_a_negotiation_that_missed_its_tolerance_is_not_resumed() -> None:
    physics = Physics([state(head=80.0, tap=1), state(head=90.0, tap=2), state(head=100.0, tap=1)])
    answers = iter([clearing(head=80.0, status="not_converged"), clearing(head=90.0), clearing(head=100.0)])
    outcome = settle(replace(TOGETHER, rounds_max=8), state(tap=2), lambda _: next(answers), physics)
    assert (outcome.decision.action, outcome.decision.trial) == ("resume", 1)


def test_without_any_solved_trial_the_policy_decides() -> None:
    physics = Physics([state(tap=k + 1) for k in range(4)])
    outcome = settle(TOGETHER, state(), constant(clearing(status="not_converged")), physics)
    assert (outcome.decision.action, outcome.accepted) == ("hold", None)


def test_together_a_trial_without_a_solution_is_not_resumed() -> None:
    physics = Physics([state(tap=1), None])
    outcome = settle(TOGETHER, state(), constant(clearing()), physics)
    assert (outcome.trials, outcome.decision.action) == (2, "hold")


def priced(at: AcState) -> Clearing:
    """A clearing whose price is the head power of the state that it is anchored at."""
    parts = [np.array([at.head.real.sum()])] * 10
    return replace(clearing(1.0, 105.0), prices=Prices(*parts), rounds=30)


@pytest.mark.parametrize(("repriced", "price", "rounds"), [(True, 105.05, 60), (False, 100.0, 30)])
def test_a_settled_dispatch_has_the_prices_of_where_it_led(repriced: bool, price: float, rounds: int) -> None:
    rules = replace(RULES, repriced=repriced)
    outcome = settle(rules, state(1.0, 100.0), priced, Physics([state(1.0, 105.05)]))
    assert (outcome.trials, outcome.decision.settled) == (1, True)
    assert outcome.accepted is not None
    found = outcome.accepted.clearing
    assert found is not None
    assert (found.prices.real.tolist(), found.rounds) == ([price], rounds)
    assert found.head.tolist() == [105.0 + 0j]


def test_what_did_not_settle_keeps_its_prices() -> None:
    rules = replace(RULES, rounds_max=1, policy="dispatch_anyway", repriced=True)
    outcome = settle(rules, state(1.0, 100.0), priced, Physics([state(1.0, 120.0)]))
    assert outcome.accepted is not None
    assert outcome.accepted.clearing is not None
    assert outcome.accepted.clearing.prices.real.tolist() == [100.0]


@pytest.mark.parametrize(
    ("status", "why"),
    [("failed", "missed its tolerance"), ("not_converged", "missed its tolerance"), ("raises", "no optimum")],
)
def test_a_clearing_that_misses_leaves_the_prices_before_and_says_so(status: str, why: str) -> None:
    def clear(at: AcState) -> Clearing:
        if at.head.real.sum() == 100.0:
            return priced(at)
        if status == "raises":
            raise ClearingError("no optimum there")
        return replace(priced(at), status=status)  # type: ignore[arg-type]

    rules = replace(RULES, repriced=True)
    outcome = settle(rules, state(1.0, 100.0), clear, Physics([state(1.0, 105.05)]))
    assert outcome.decision.settled
    assert why in outcome.decision.reason
    assert outcome.accepted is not None
    assert outcome.accepted.clearing is not None
    assert outcome.accepted.clearing.prices.real.tolist() == [100.0]


AT_REST = replace(RULES, repriced=True, price=0.05)


def test_a_dispatch_whose_prices_move_is_not_at_rest() -> None:
    cleared: list[float] = []

    def clear(at: AcState) -> Clearing:
        cleared.append(float(at.head.real.sum()))
        return priced(at)

    outcome = settle(AT_REST, state(1.0, 100.0), clear, Physics([state(1.0, 105.05), state(1.0, 105.06)]))
    assert (outcome.trials, outcome.decision.action, outcome.decision.settled) == (2, "accept", True)
    assert cleared == [100.0, 105.05, 105.06], "what was cleared for prices is tried, not cleared again"
    assert [item.clearing.prices.real.tolist() for item in outcome.rounds if item.clearing] == [
        [105.05],
        [105.06],
    ]
    assert sum(item.clearing.rounds for item in outcome.rounds if item.clearing) == 90


@pytest.mark.parametrize(("head", "trials"), [(105.0, 1), (105.09, 2)])
def test_a_change_of_prices_within_the_tolerance_counts_as_none(head: float, trials: int) -> None:
    answers = Physics([state(1.0, head), state(1.0, head)])
    outcome = settle(replace(AT_REST, price=5.05), state(1.0, 100.0), priced, answers)
    assert (outcome.trials, outcome.decision.settled) == (trials, True)


def test_prices_that_never_rest_end_with_the_rounds() -> None:
    answers = Physics([state(1.0, 105.0 + 0.02 * (-1) ** k) for k in range(4)])
    outcome = settle(replace(AT_REST, price=0.01), state(1.0, 100.0), priced, answers)
    assert (outcome.trials, outcome.decision.action, outcome.decision.settled) == (4, "accept", True)


@pytest.mark.parametrize("policy", ["hold_last", "dispatch_anyway", "fail"])
@pytest.mark.parametrize("later", [[None] * 3, [state(0.9)] * 3])
def test_what_settled_once_is_dispatched_when_the_rounds_after_it_do_not(
    policy: Policy, later: list[AcState | None]
) -> None:
    answers = Physics([state(1.0, 105.05), *later])
    outcome = settle(replace(AT_REST, policy=policy), state(1.0, 100.0), priced, answers)
    assert (outcome.decision.action, outcome.decision.settled, outcome.decision.trial) == ("resume", True, 0)
    assert outcome.accepted is outcome.rounds[0]
    assert outcome.accepted.clearing is not None
    assert outcome.accepted.clearing.prices.real.tolist() == [105.05]


def test_a_price_that_is_no_number_does_not_move() -> None:
    def clear(at: AcState) -> Clearing:
        nowhere = Prices(*([np.array([np.nan])] * 10))
        return replace(priced(at), prices=nowhere)

    outcome = settle(AT_REST, state(1.0, 100.0), clear, Physics([state(1.0, 105.05)]))
    assert (outcome.trials, outcome.decision.settled) == (1, True)
