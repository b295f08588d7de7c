"""When a market interval is settled: the loop between market and physics as decisions, without either.

A clearing is first tried: the feeder answers it with controls frozen. Prediction and answer agree: it becomes
final. They do not: the market clears again, anchored at the answer. When the rounds run out, or a clearing
cannot be used, the scenario's policy decides, and the record says so.
"""

from __future__ import annotations

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


def mismatch(clearing: Clearing, state: AcState) -> Mismatch:
    """Compare what a clearing predicted with what the AC physics answered."""
    voltage = np.abs(np.abs(state.voltage) - clearing.voltage_magnitude)
    head = float(clearing.head.real.sum() - state.head.real.sum())
    return Mismatch(float(voltage.max()), head)


def after_clearing(rules: RoundRules, clearing: Clearing) -> Decision:
    """Decide what to do with a new clearing.

    Raises
    ------
    ClearingError
        When it failed and the policy is to fail.
    """
    if clearing.status != "failed":
        return Decision("try")
    return _give_up(rules, "the market found no clearing", usable=False)


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
        return _give_up(rules, "the power flow of the trial did not converge", usable=False)
    agreed = difference.voltage_pu <= rules.voltage_pu and abs(difference.head_kw) <= rules.head_kw
    solved = clearing.status == "solved"
    if solved and (agreed or not rules.anchored):
        return Decision("accept", settled=agreed)
    if rules.anchored and trials < rules.rounds_max:
        return Decision("clear")
    return _give_up(rules, _why(rules, trials, difference, solved=solved), usable=True)


def _why(rules: RoundRules, trials: int, difference: Mismatch, *, solved: bool) -> str:
    if not solved:
        return f"the negotiation missed its tolerance in round {trials}"
    return (
        f"prediction and physics differ by {difference.voltage_pu:.2g} pu and {difference.head_kw:.2g} kW "
        f"after {trials} rounds (agreed: {rules.voltage_pu:g} pu, {rules.head_kw:g} kW)"
    )


def _give_up(rules: RoundRules, reason: str, *, usable: bool) -> Decision:
    """Apply the policy; a clearing that cannot be used is never dispatched."""
    if rules.policy == "fail":
        raise ClearingError(reason)
    return Decision("accept" if usable and rules.policy == "dispatch_anyway" else "hold", reason=reason)
