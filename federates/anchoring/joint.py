"""An interval of a market whose feeder meets others at a substation: rounds at terms that may move.

All feeders play their rounds side by side. Before each trial the market says what its feeder draws, hears
which adder holds and what is to be kept free for the ancillary market, and clears at these terms. A market
that agrees with its feeder stays as it is until they move, which starts its rounds anew at the last AC
answer, or until the substation calls all final. While the terms stay as they are, everything is as it would
be alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from dlmp_cosim.federates.anchoring.rounds import Decision, Outcome, Round, RoundRules, anchor
from dlmp_cosim.federates.contract.shared import Call, Response, Terms, Turn
from dlmp_cosim.feeders.errors import ClearingError
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.market.clearing import Clearing


@dataclass(frozen=True)
class Doing:
    """What a market does in an interval, given by the federate.

    Attributes
    ----------
    clear : callable
        Clears at terms and an AC state; may raise ClearingError.
    head : callable
        Tells the head power of a clearing at terms and an AC state, which nobody dispatches [kW].
    quote : callable
        Answers a call for a quote at terms and an AC state: what a response then says in place of another.
    describe : callable
        Tells how the head follows the adder around a clearing: what a response adds to its power.
    exchange : callable
        Publishes a response and returns the call that it gets.
    answer : callable
        Tries a clearing on the feeder, from the round of all feeders and the number of earlier trials.
    wait : callable
        Lets the feeder know that there is nothing to try in a round of all feeders.
    cost : callable
        Cost at terms of a clearing's dispatch in an AC state [$/h].
    """

    clear: Callable[[Terms, AcState], Clearing]
    head: Callable[[Terms, AcState], float]
    quote: Callable[[Response, Terms, AcState], Response]
    describe: Callable[[Response, Terms, Clearing], Response]
    exchange: Callable[[Response], Call]
    answer: Callable[[int, int, Clearing], AcState | None]
    wait: Callable[[int], None]
    cost: Callable[[Terms, Clearing, AcState], float]


@dataclass(frozen=True)
class JointOutcome:
    """How an interval ended: this market's rounds, the terms that held, and what is called of resources."""

    outcome: Outcome
    terms: Terms
    called: Mapping[str, float] = field(default_factory=dict)


class JointRounds:
    """Plays one interval.

    Parameters
    ----------
    rules : RoundRules
        What settles the market and its feeder.
    interval : int
        Which interval.
    terms : Terms
        What holds at its start.
    forecast : AcState
        AC state before the first clearing.
    doing : Doing
        What the market does.
    controls : sequence of str
        Names of all regulators, then of all switched capacitors.
    """

    def __init__(
        self,
        rules: RoundRules,
        interval: int,
        terms: Terms,
        forecast: AcState,
        doing: Doing,
        controls: Sequence[str],
    ) -> None:
        self._rules, self._interval, self._doing, self._controls = rules, interval, doing, controls
        self._terms, self._state = terms, forecast
        self._called_of: Mapping[str, float] = {}
        self._window, self._tried = 0, 0
        self._called = self._over = False

    def play(self) -> JointOutcome:
        """Play until the substation calls all final.

        Raises
        ------
        ClearingError
            When nothing settles and the policy is to fail.
        """
        rounds: tuple[Round, ...] = ()
        while True:
            before, solved = self._tried, sum(item.state is not None for item in rounds)
            found = anchor(self._rules, self._state, self._clear, self._answer, self._cost, self._controls)
            rounds += found.rounds
            decision = _counted(found.decision, before, solved)
            whole = Outcome(rounds, self._tried, decision)
            if self._over or self._rest(whole.accepted):
                return JointOutcome(whole, self._terms, self._called_of)

    def _clear(self, state: AcState) -> Clearing:
        """Clear at the terms that the exchanges of this round end with."""
        if not self._called:
            cleared, error = self._attempt(state)
            call = self._exchange(cleared, state, agreed=False)
            if call.final:
                self._over = True
                raise ClearingError("the substation called the interval final before the rounds settled")
            if call.terms == self._terms:
                if cleared is None:
                    raise error or ClearingError("the market found no clearing")
                return cleared
            self._terms = call.terms
        self._called = False
        return self._doing.clear(self._terms, state)

    def _attempt(self, state: AcState) -> tuple[Clearing | None, ClearingError | None]:
        try:
            return self._doing.clear(self._terms, state), None
        except ClearingError as error:
            return None, error

    def _cost(self, clearing: Clearing, state: AcState) -> float:
        return self._doing.cost(self._terms, clearing, state)

    def _answer(self, trials: int, clearing: Clearing) -> AcState | None:
        """Try a clearing in this round of all feeders; the next begins with the answer."""
        del trials
        found = self._doing.answer(self._window, self._tried, clearing)
        self._tried += 1
        self._window += 1
        self._state = found if found is not None else self._state
        return found

    def _rest(self, accepted: Round | None) -> bool:
        """Stay with what is accepted, or held; True when all is final, False when the terms have moved."""
        while True:
            clearing = accepted.clearing if accepted is not None else None
            call = self._exchange(clearing, self._state, agreed=True)
            if call.final:
                return True
            if call.terms != self._terms:
                self._terms, self._called = call.terms, True
                return False
            self._doing.wait(self._window)
            self._window += 1

    def _exchange(self, clearing: Clearing | None, state: AcState, *, agreed: bool) -> Call:
        """Say what the feeder draws, cleared or as it is, until the exchanges of this round are over."""
        head = clearing.head.sum() if clearing is not None else state.head.sum()
        response = Response(
            Turn(self._interval, self._window, 0),
            agreed,
            self._terms.adder,
            float(head.real),
            float(head.imag),
        )
        if clearing is not None:
            response = self._doing.describe(response, self._terms, clearing)
        while not (call := self._doing.exchange(response)).done:
            turn = replace(response.turn, exchange=response.turn.exchange + 1)
            response = replace(response, turn=turn)
            if call.quotes:
                response = self._quoted(call.terms, state, clearing, response)
                continue
            trials = [(adder, replace(call.terms, adder=adder)) for adder in call.adders]
            heads = tuple((adder, self._head(terms, state, clearing, response)) for adder, terms in trials)
            response = replace(response, heads=heads)
        if call.final:
            self._called_of = call.called
        return call

    def _quoted(
        self, terms: Terms, state: AcState, clearing: Clearing | None, response: Response
    ) -> Response:
        """Answer a call for a quote; what cannot be cleared has none."""
        try:
            return self._doing.quote(response, terms, state) if clearing is not None else response
        except ClearingError:
            return replace(response, quote=None)

    def _head(self, terms: Terms, state: AcState, clearing: Clearing | None, response: Response) -> float:
        """Head power at an adder [kW]; one that cannot be cleared does not follow the price."""
        if clearing is None:
            return response.head_kw
        try:
            return self._doing.head(terms, state)
        except ClearingError:
            return response.head_kw


def _counted(decision: Decision, before: int, solved: int) -> Decision:
    """Count a trial that is resumed from the start of the interval; its positions are known by that number.

    Parameters
    ----------
    decision : Decision
        What the last rounds ended with.
    before, solved : int
        Trials before them, and how many of these the power flow solved.
    """
    if decision.trial < 0:
        return decision
    if before != solved:
        return Decision(
            "hold", reason=f"{decision.reason}; an earlier trial had no power flow to resume from"
        )
    return replace(decision, trial=decision.trial + before)
