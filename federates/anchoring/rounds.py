"""When a market interval is settled: the loop between market and physics as decisions, without either.

A clearing is first tried: the feeder answers it with controls frozen. Prediction and answer agree: it becomes
final. They do not: the market clears again, anchored at the answer. When the rounds run out, or a clearing
cannot be used, the scenario's policy decides, and the record says so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from feeders.errors import ClearingError
from feeders.state import AcState
from market.clearing import Clearing

Policy = Literal["hold_last", "dispatch_anyway", "fail"]
Action = Literal["try", "clear", "accept", "hold"]
"""Try the clearing on the physics; clear again; make it final; make the last final dispatch final again."""


@dataclass(frozen=True)
class RoundRules:
    """What settles an interval.

    Attributes
    ----------
    rounds_max : int
        Clearings that may be tried.
    voltage_pu, head_kw : float
        Differences between prediction and answer that count as agreed [pu, kW].
    anchored : bool
        Whether the market clears again at the answer; otherwise the first clearing is final.
    policy : {"hold_last", "dispatch_anyway", "fail"}
        What happens when nothing settles.
    """

    rounds_max: int
    voltage_pu: float = 1e-4
    head_kw: float = 0.1
    anchored: bool = True
    policy: Policy = "hold_last"


@dataclass(frozen=True)
class Mismatch:
    """Difference between a prediction and the AC answer: largest voltage [pu] and head power, signed [kW]."""

    voltage_pu: float
    head_kw: float


@dataclass(frozen=True)
class Decision:
    """What the market does next.

    Attributes
    ----------
    action : {"try", "clear", "accept", "hold"}
        See `Action`.
    settled : bool
        Whether prediction and answer agreed.
    reason : str
        Why a policy applied; empty when none did.
    """

    action: Action
    settled: bool = False
    reason: str = ""


@dataclass(frozen=True)
class Round:
    """One clearing and how far the AC answer was from it; None where there was neither."""

    clearing: Clearing | None
    difference: Mismatch | None


@dataclass(frozen=True)
class Outcome:
    """How the rounds of an interval ended.

    Attributes
    ----------
    rounds : tuple of Round
        Every clearing of the interval.
    trials : int
        How many of them the feeder answered.
    decision : Decision
        The last one: accept the last clearing, or hold.
    """

    rounds: tuple[Round, ...]
    trials: int
    decision: Decision

    @property
    def accepted(self) -> Clearing | None:
        """The clearing to be dispatched; None to hold the last final one."""
        return self.rounds[-1].clearing if self.decision.action == "accept" else None


def negotiate(
    rules: RoundRules,
    forecast: AcState,
    clear: Callable[[AcState], Clearing],
    answer: Callable[[int, Clearing], AcState | None],
) -> Outcome:
    """Play the rounds of one interval.

    Parameters
    ----------
    rules : RoundRules
        What settles an interval.
    forecast : AcState
        AC state before the first clearing.
    clear : callable
        Clears at an AC state; a ClearingError counts as no clearing.
    answer : callable
        Gives the AC answer to a trial, from the number of earlier trials and the clearing; None when the
        power flow did not converge.

    Raises
    ------
    ClearingError
        When nothing settles and the policy is to fail.
    """
    rounds: list[Round] = []
    state, trials = forecast, 0
    while True:
        clearing, decision = _clear(rules, clear, state)
        difference = None
        if clearing is not None and decision.action == "try":
            found = answer(trials, clearing)
            trials += 1
            difference = mismatch(clearing, found) if found is not None else None
            decision = after_answer(rules, trials, clearing, difference=difference)
            state = found if found is not None else state
        rounds.append(Round(clearing, difference))
        if decision.action != "clear":
            return Outcome(tuple(rounds), trials, decision)


def _clear(
    rules: RoundRules, clear: Callable[[AcState], Clearing], state: AcState
) -> tuple[Clearing | None, Decision]:
    try:
        clearing = clear(state)
    except ClearingError as error:
        return None, give_up(rules, str(error), usable=False)
    return clearing, after_clearing(rules, clearing)


def mismatch(clearing: Clearing, state: AcState) -> Mismatch:
    """Compare what a clearing predicted with what the AC physics answered."""
    voltage = np.abs(np.abs(state.voltage) - clearing.voltage_magnitude)
    head = float(clearing.head.real.sum() - state.head.real.sum())
    return Mismatch(float(voltage.max()), head)


def after_clearing(rules: RoundRules, clearing: Clearing) -> Decision:
    """Decide what to do with a new clearing: try it, unless there is none.

    Raises
    ------
    ClearingError
        When it failed and the policy is to fail.
    """
    if clearing.status != "failed":
        return Decision("try")
    return give_up(rules, "the market found no clearing", usable=False)


def after_answer(
    rules: RoundRules, trials: int, clearing: Clearing, *, difference: Mismatch | None
) -> Decision:
    """Decide what to do when the feeder has answered a trial.

    Parameters
    ----------
    rules : RoundRules
        What settles an interval.
    trials : int
        Clearings tried so far in this interval.
    clearing : Clearing
        The one that was tried.
    difference : Mismatch or None
        How far prediction and answer are apart; None when the power flow did not converge.

    Raises
    ------
    ClearingError
        When nothing settles and the policy is to fail.
    """
    if difference is None:
        return give_up(rules, "the power flow of the trial did not converge", usable=False)
    agreed = difference.voltage_pu <= rules.voltage_pu and abs(difference.head_kw) <= rules.head_kw
    solved = clearing.status == "solved"
    if solved and (agreed or not rules.anchored):
        return Decision("accept", settled=agreed)
    if rules.anchored and trials < rules.rounds_max:
        return Decision("clear")
    return give_up(rules, _why(rules, trials, difference, solved=solved), usable=True)


def _why(rules: RoundRules, trials: int, difference: Mismatch, *, solved: bool) -> str:
    if not solved:
        return f"the negotiation missed its tolerance in round {trials}"
    return (
        f"prediction and physics differ by {difference.voltage_pu:.2g} pu and {difference.head_kw:.2g} kW "
        f"after {trials} rounds (agreed: {rules.voltage_pu:g} pu, {rules.head_kw:g} kW)"
    )


def give_up(rules: RoundRules, reason: str, *, usable: bool) -> Decision:
    """Apply the policy; a clearing that cannot be used is never dispatched."""
    if rules.policy == "fail":
        raise ClearingError(reason)
    return Decision("accept" if usable and rules.policy == "dispatch_anyway" else "hold", reason=reason)
