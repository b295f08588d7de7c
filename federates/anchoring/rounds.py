"""When a market interval is settled: the loop between market and physics as decisions, without either.

A clearing is first tried on the physics. Prediction and answer agree: it becomes final. They do not: the
market clears again, anchored at the answer. When the rounds run out, or a clearing cannot be used, the
scenario's policy decides, and the record says so.

Controls (regulators, switched capacitors) either act after the final dispatch only, and trials are answered
with controls frozen; or they are settled together with the market: trials are answered with controls acting,
and prediction and answer agree only where no control moves. A dispatch that moves a control which moves the
dispatch back is a cycle: it is named, and ended at the trial whose AC state costs least.

A settled dispatch is priced by one more clearing, anchored at its own AC answer. Where that changes a price,
the dispatch was not at rest yet: on request, while rounds last, the clearing made for prices is tried next.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from dlmp_cosim.feeders.errors import ClearingError

if TYPE_CHECKING:
    # Names of types alone: every scenario needs the rules of this module, and few the rest.
    from dlmp_cosim.feeders.state import AcState
    from dlmp_cosim.market.clearing import Clearing

Policy = Literal["hold_last", "dispatch_anyway", "fail"]
Action = Literal["try", "clear", "accept", "resume", "hold"]
"""Try the clearing on the physics; clear again; make it final; make an earlier trial final; or repeat the
last final dispatch."""
Controls = Literal["after", "together"]
"""Controls act after the final dispatch, or within every trial."""


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
    controls : {"after", "together"}
        When regulators and switched capacitors act.
    repriced : bool
        Whether a settled dispatch gets the prices of one more clearing, anchored at its own AC answer.
    price : float, optional
        Change of a price by that clearing up to which the dispatch is at rest [$/MWh]; by default it is
        at rest in any case.
    """

    rounds_max: int
    voltage_pu: float = 1e-4
    head_kw: float = 0.1
    anchored: bool = True
    policy: Policy = "hold_last"
    controls: Controls = "after"
    repriced: bool = False
    price: float | None = None


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
    action : {"try", "clear", "accept", "resume", "hold"}
        See `Action`.
    settled : bool
        Whether prediction and answer agreed.
    reason : str
        Why a policy applied, which controls cycle, or why prices are those before the answer; else empty.
    trial : int
        The earlier trial to resume, 0 the first; -1 otherwise.
    """

    action: Action
    settled: bool = False
    reason: str = ""
    trial: int = -1


@dataclass(frozen=True)
class Round:
    """One clearing and its AC answer; None where there was neither.

    Attributes
    ----------
    clearing : Clearing or None
        What was cleared.
    difference : Mismatch or None
        How far the answer was from it.
    state : AcState or None
        The answer.
    moved : tuple of str
        Controls that moved in the answer.
    """

    clearing: Clearing | None
    difference: Mismatch | None
    state: AcState | None = None
    moved: tuple[str, ...] = ()


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
    def accepted(self) -> Round | None:
        """The round whose clearing is dispatched; None to hold the last final one."""
        if self.decision.action == "resume":
            return _tried(self.rounds)[self.decision.trial]
        return self.rounds[-1] if self.decision.action == "accept" else None


def anchor(
    rules: RoundRules,
    forecast: AcState,
    clear: Callable[[AcState], Clearing],
    answer: Callable[[int, Clearing], AcState | None],
    cost: Callable[[Clearing, AcState], float],
    controls: Sequence[str] = (),
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
    cost : callable
        Cost of a clearing's dispatch in an AC state, penalties of broken limits with it [$/h].
    controls : sequence of str
        Names of all regulators, then of all switched capacitors.

    Raises
    ------
    ClearingError
        When nothing settles and the policy is to fail.
    """
    rounds: list[Round] = []
    state, trials, settled = forecast, 0, -1
    known: Clearing | None = None
    while True:
        clearing, decision = _clear(rules, clear, state) if known is None else (known, Decision("try"))
        known, tried = None, Round(clearing, None)
        if clearing is not None and decision.action == "try":
            found = answer(trials, clearing)
            trials += 1
            tried = _compare(clearing, state, found, controls)
            decision = after_answer(rules, trials, clearing, difference=tried.difference, moved=tried.moved)
            state = found if found is not None else state
        rounds.append(tried)
        if rules.controls == "together" and _wanders(rounds, decision):
            decision = _resume_cheapest(rounds, cost) or decision
        if decision.settled and rules.repriced:
            rest = rules.price if trials < rules.rounds_max else None
            rounds[-1], decision, known = _repriced(clear, tried, decision, rest)
        if known is not None:
            # What settled once is dispatched, should the rounds that follow it not settle.
            settled, rules = len(_tried(rounds)) - 1, replace(rules, policy="hold_last")
        elif decision.action != "clear":
            if not decision.settled and settled >= 0:
                decision = Decision("resume", settled=True, trial=settled)
            return Outcome(tuple(rounds), trials, decision)


def _repriced(
    clear: Callable[[AcState], Clearing], agreed: Round, decision: Decision, rest: float | None
) -> tuple[Round, Decision, Clearing | None]:
    """Price a settled round where it led; with the clearing for that, if it moves a price beyond `rest`."""
    there = _clear_again(clear, agreed)
    if isinstance(there, str):
        return agreed, replace(decision, reason=there), None
    if rest is not None and _price_change(agreed.clearing, there) > rest:
        return _priced(agreed, there), decision, there
    return _priced(agreed, there, counted=True), decision, None


def reprice(outcome: Outcome, clear: Callable[[AcState], Clearing]) -> Outcome:
    """Price a settled dispatch where it led: near binding limits a tenth of a kW moves prices by a dollar.

    Parameters
    ----------
    outcome : Outcome
        How the rounds ended; one that did not settle stays as it is.
    clear : callable
        Clears at an AC state.
    """
    if not outcome.decision.settled:
        return outcome
    last, decision, _ = _repriced(clear, outcome.rounds[-1], outcome.decision, rest=None)
    return replace(outcome, rounds=(*outcome.rounds[:-1], last), decision=decision)


def _clear_again(clear: Callable[[AcState], Clearing], agreed: Round) -> Clearing | str:
    """Clear at the answer of a settled round; a text says why there are no prices of that."""
    why = "it has no power flow"
    if agreed.state is not None:
        try:
            there = clear(agreed.state)
        except ClearingError as error:
            why = str(error)
        else:
            if there.status == "solved":
                return there
            why = "the negotiation missed its tolerance"
    return f"prices are those before the AC answer, which could not be cleared again: {why}"


def _priced(agreed: Round, there: Clearing, *, counted: bool = False) -> Round:
    """Give a round the prices of a clearing at its answer, and count what that took."""
    if agreed.clearing is None:
        return agreed
    priced = replace(agreed.clearing, prices=there.prices, limits=there.limits)
    return replace(agreed, clearing=priced.after(there) if counted else priced)


def _price_change(before: Clearing | None, after: Clearing) -> float:
    """Say how far the farthest price moves between two clearings [$/MWh, $/(MVAR*h)]."""
    if before is None:
        return 0.0
    moves = np.abs(
        np.append(after.prices.real - before.prices.real, after.prices.reactive - before.prices.reactive)
    )
    return float(moves[np.isfinite(moves)].max(initial=0.0))


def _compare(clearing: Clearing, before: AcState, found: AcState | None, controls: Sequence[str]) -> Round:
    """Hold a clearing against its answer, and the answer's controls against those before."""
    if found is None:
        return Round(clearing, None)
    old, new = _positions(before), _positions(found)
    moved = tuple(name for name, a, b in zip(controls, old, new, strict=True) if a != b)
    return Round(clearing, mismatch(clearing, found), found, moved)


def _positions(state: AcState) -> tuple[int, ...]:
    """Where every regulator and switched capacitor stands."""
    return (*state.tap.tolist(), *state.capacitor.tolist())


def _tried(rounds: Sequence[Round]) -> list[Round]:
    """Keep the rounds whose clearing the feeder answered: one for each trial, in order."""
    return [item for item in rounds if item.state is not None]


def _wanders(rounds: Sequence[Round], decision: Decision) -> bool:
    """Whether controls came back to where they stood an earlier round, or never came to rest."""
    seen = [_positions(item.state) for item in rounds if item.state is not None]
    if not rounds[-1].moved or decision.action == "accept":
        return False
    return seen[-1] in seen[:-1] or decision.action == "hold"


def _resume_cheapest(rounds: Sequence[Round], cost: Callable[[Clearing, AcState], float]) -> Decision | None:
    """Make the solved trial final whose AC state costs least, and name the controls that would not rest."""
    costs = {
        k: cost(item.clearing, item.state)
        for k, item in enumerate(_tried(rounds))
        if item.clearing is not None and item.clearing.status == "solved" and item.state is not None
    }
    if not costs:
        return None
    best = min(costs, key=costs.__getitem__)
    names = ", ".join(dict.fromkeys(name for item in rounds for name in item.moved))
    reason = f"the market and {names} move each other; trial {best + 1} costs least ({costs[best]:.2f} $/h)"
    return Decision("resume", reason=reason, trial=best)


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
    voltage = np.abs(np.abs(state.voltage) - np.abs(clearing.voltage))
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
    rules: RoundRules,
    trials: int,
    clearing: Clearing,
    *,
    difference: Mismatch | None,
    moved: Sequence[str] = (),
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
    moved : sequence of str
        Controls that moved in the answer.

    Raises
    ------
    ClearingError
        When nothing settles and the policy is to fail.
    """
    if difference is None:
        return give_up(rules, "the power flow of the trial did not converge", usable=False)
    agreed = difference.voltage_pu <= rules.voltage_pu and abs(difference.head_kw) <= rules.head_kw
    agreed = agreed and not moved
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
