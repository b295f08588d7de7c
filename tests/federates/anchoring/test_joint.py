"""Rounds of a market in step with others: scripted calls of a substation, scripted physics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from dlmp_cosim.federates.anchoring.joint import Doing, JointOutcome, JointRounds
from dlmp_cosim.federates.anchoring.rounds import RoundRules
from dlmp_cosim.federates.contract.shared import Call, Response, Terms, Turn
from dlmp_cosim.feeders.errors import ClearingError
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.market.ancillary.quotes import Quote
from dlmp_cosim.market.clearing import Clearing, Prices

RULES = RoundRules(rounds_max=4)
NO_PRICES = Prices(*([np.zeros(1)] * 10))


def clearing(head: float, voltage: float = 1.0) -> Clearing:
    one = np.array([head + 0j])
    return Clearing(0 * one, np.array([voltage + 0j]), one, one, 0.0, NO_PRICES, 0.0)


def state(head: float, voltage: float = 1.0, tap: int = 0) -> AcState:
    power, none = np.array([head + 0j]), np.zeros(0, dtype=np.complex128)
    return AcState(
        voltage=np.array([voltage + 0j]), power=power, current=np.ones(1), load=power, demand=power,
        injection=0 * power, machine=none, tap=np.array([tap]), capacitor=np.zeros(0, dtype=np.int64),
        admittance=none, head=power, losses=0j,
    )  # fmt: skip


def at(adder: float) -> float:
    """Head power that the market clears: 100 kW less 2 for each $/MWh."""
    return 100.0 - 2.0 * adder


class Stage:
    """A market whose head follows the adder, a feeder that agrees, and calls that a test wrote down."""

    def __init__(self, calls: Sequence[tuple[tuple[float, ...], float, bool] | Call]) -> None:
        self.calls, self.said, self.waited = iter(calls), list[Response](), list[int]()
        self.tried: list[tuple[int, int, float]] = []
        self.answers: Callable[[int, Clearing], AcState | None] = lambda _, found: state(found.head[0].real)
        self.clears: Callable[[float], Clearing] = lambda adder: clearing(at(adder))

    def exchange(self, response: Response) -> Call:
        self.said.append(response)
        found = next(self.calls)
        if isinstance(found, Call):
            return replace(found, turn=response.turn)
        adders, adder, final = found
        return Call(response.turn, adder, adders, final)

    def answer(self, window: int, trials: int, found: Clearing) -> AcState | None:
        self.tried.append((window, trials, float(found.head[0].real)))
        return self.answers(trials, found)

    def kept(self, terms: Terms) -> float:
        """Room kept free above, which costs as much as an adder here."""
        return sum(up for up, _ in terms.held.values())

    def play(self, rules: RoundRules = RULES, adder: float = 0.0) -> JointOutcome:
        doing = Doing(
            clear=lambda terms, _: self.clears(terms.adder + self.kept(terms)),
            head=lambda terms, _: at(terms.adder + self.kept(terms)),
            quote=lambda said, terms, _: replace(
                said, head_kw=at(self.kept(terms)), quote=Quote(self.kept(terms), ())
            ),
            describe=lambda said, terms, _: replace(said, curve=((terms.adder, at(terms.adder)),)),
            exchange=self.exchange,
            answer=self.answer,
            wait=self.waited.append,
            cost=lambda terms, _, found: terms.adder + float(found.head.real.sum()),
        )
        return JointRounds(rules, 5, Terms(adder), state(120.0), doing, ("reg",)).play()


def test_while_the_adder_stays_the_rounds_are_those_of_a_market_alone() -> None:
    stage = Stage([((), 0.0, False), ((), 0.0, False), ((), 0.0, True)])
    ended = stage.play()
    assert stage.tried == [(0, 0, 100.0)]
    assert stage.waited == [1]
    assert [(said.turn.window, said.agreed, said.head_kw) for said in stage.said] == [
        (0, False, 100.0), (1, True, 100.0), (2, True, 100.0),
    ]  # fmt: skip
    assert (ended.terms.adder, ended.outcome.trials, ended.outcome.decision.settled) == (0.0, 1, True)


def test_what_is_tried_is_cleared_at_the_adder_that_the_exchanges_end_with() -> None:
    stage = Stage([((5.0, 9.0), 0.0, False), ((), 7.0, False), ((), 7.0, True)])
    ended = stage.play()
    assert dict(stage.said[1].heads) == {5.0: 90.0, 9.0: 82.0}
    assert stage.said[1].turn.exchange == 1
    assert stage.tried == [(0, 0, 86.0)]
    assert stage.said[2].adder == ended.terms.adder == 7.0


def test_an_adder_that_moves_begins_the_rounds_anew() -> None:
    stage = Stage([((), 0.0, False), ((), 3.0, False), ((), 3.0, True)])
    ended = stage.play()
    assert stage.tried == [(0, 0, 100.0), (1, 1, 94.0)]
    assert ended.outcome.trials == 2
    assert ended.outcome.accepted is not None
    assert ended.outcome.accepted.clearing is not None
    assert ended.outcome.accepted.clearing.head[0].real == 94.0


def test_called_final_before_it_settles_it_holds() -> None:
    stage = Stage([((), 0.0, False), ((), 0.0, True)])
    stage.answers = lambda _, found: state(found.head[0].real, voltage=0.9)
    ended = stage.play()
    assert ended.outcome.accepted is None
    assert "called the interval final" in ended.outcome.decision.reason
    stage = Stage([((), 0.0, False), ((), 0.0, True)])
    stage.answers = lambda _, found: state(found.head[0].real, voltage=0.9)
    with pytest.raises(ClearingError, match="called the interval final"):
        stage.play(replace(RULES, policy="fail"))


def test_without_a_clearing_it_draws_what_it_draws() -> None:
    stage = Stage([((4.0,), 0.0, False), ((), 0.0, False), ((), 0.0, True)])

    def helpless(_: float) -> Clearing:
        raise ClearingError("no numbers today")

    stage.clears = helpless
    ended = stage.play()
    assert [(said.head_kw, dict(said.heads)) for said in stage.said[:2]] == [
        (120.0, {}),
        (120.0, {4.0: 120.0}),
    ]
    assert stage.said[2].agreed
    assert ended.outcome.decision.reason == "no numbers today"


def test_a_resumed_trial_is_counted_from_the_start_of_the_interval() -> None:
    rules = replace(RULES, controls="together", rounds_max=2)
    calls = [((), 0.0, False), ((), 3.0, False), ((), 3.0, False), ((), 3.0, True)]
    taps = {0: 0, 1: 1, 2: 2}
    stage = Stage(calls)
    stage.answers = lambda trials, found: state(found.head[0].real, tap=taps[trials])
    ended = stage.play(rules)
    assert [window for window, _, _ in stage.tried] == [0, 1, 2]
    assert (ended.outcome.decision.action, ended.outcome.decision.trial) == ("resume", 1)
    assert ended.outcome.accepted is ended.outcome.rounds[1]


def test_after_a_trial_without_a_power_flow_nothing_is_resumed() -> None:
    rules = replace(RULES, controls="together", rounds_max=2)
    calls = [((), 0.0, False), ((), 3.0, False), ((), 3.0, False), ((), 3.0, True)]
    stage = Stage(calls)
    stage.answers = lambda trials, found: state(found.head[0].real, tap=trials) if trials else None
    ended = stage.play(rules)
    assert ended.outcome.decision.action == "hold"
    assert "no power flow to resume from" in ended.outcome.decision.reason


TURN = Turn(5, 0, 0)


def test_what_is_kept_free_is_cleared_and_quoted() -> None:
    """Exchanges ask for a quote first; what is tried then keeps the room that they end with."""
    held = {"dg": (4.0, 0.0)}
    stage = Stage(
        [
            Call(TURN, 0.0, quotes=True, held=held),
            Call(TURN, 0.0, held=held),
            Call(TURN, 0.0, held=held),
            Call(TURN, 0.0, final=True, held=held, called={"dg": 3.0}),
        ]
    )
    ended = stage.play()
    assert [said.quote for said in stage.said[:2]] == [None, Quote(4.0, ())]
    assert [said.head_kw for said in stage.said] == [100.0, 92.0, 92.0, 92.0]
    assert stage.tried == [(0, 0, 92.0)]
    assert (ended.terms, ended.called) == (Terms(0.0, held), {"dg": 3.0})
    assert ended.outcome.decision.settled


def test_room_that_moves_begins_the_rounds_anew() -> None:
    more, less = {"dg": (4.0, 0.0)}, {"dg": (2.0, 0.0)}
    calls = [Call(TURN, 0.0, held=more), Call(TURN, 0.0, held=less), Call(TURN, 0.0, held=less, final=True)]
    ended = Stage(calls).play()
    assert ended.terms.held == less
    assert ended.outcome.trials == 2
