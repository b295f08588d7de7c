"""A market among others: what it clears at, what it says of itself, and what it keeps between intervals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dlmp_cosim.federates.anchoring import member as module
from dlmp_cosim.federates.anchoring.member import Member, Playing, at_terms
from dlmp_cosim.federates.anchoring.rounds import RoundRules
from dlmp_cosim.federates.contract.messages import Case, OfferBook
from dlmp_cosim.federates.contract.shared import CALL, RESPONSE, Call, Response, Terms, Turn
from dlmp_cosim.federates.study.study import Study
from dlmp_cosim.market.offers import Offer, WholesalePrice

PRICE = WholesalePrice(30.0, energy=28.0, congestion=2.0)
OFFERS = (Offer("dg", 10.0, 60.0, 18.0), Offer("cell", -40.0, 40.0, 25.0))


def case(**changes: Any) -> Case:
    usual = Case(3, PRICE, np.zeros(1, dtype=np.complex128), OfferBook(OFFERS, ("late",)), None)  # type: ignore[arg-type]
    return replace(usual, **changes)


def bounds(found: Case) -> list[tuple[float, float]]:
    return [(offer.p_min_kw, offer.p_max_kw) for offer in found.book.accepted]


@pytest.mark.parametrize("adder", [0.0, 12.5, -40.0])
def test_an_adder_is_part_of_the_price(adder: float) -> None:
    found = at_terms(case(), Terms(adder)).price
    assert (found.lmp, found.adder, found.energy) == (30.0 + adder, adder, 28.0)


def test_another_adder_takes_the_place_of_the_first() -> None:
    again = at_terms(at_terms(case(), Terms(7.0)), Terms(2.0)).price
    assert (again.lmp, again.adder) == (32.0, 2.0)


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        ({}, [(10.0, 60.0), (-40.0, 40.0)]),
        ({"dg": (15.0, 0.0)}, [(10.0, 45.0), (-40.0, 40.0)]),
        ({"cell": (5.0, 20.0)}, [(10.0, 60.0), (-20.0, 35.0)]),
        ({"dg": (0.0, 99.0)}, [(60.0, 60.0), (-40.0, 40.0)]),
        ({"dg": (99.0, 0.0)}, [(10.0, 10.0), (-40.0, 40.0)]),
        ({"nobody": (5.0, 5.0)}, [(10.0, 60.0), (-40.0, 40.0)]),
    ],
    ids=["nothing", "above", "both", "more than there is below", "more than above", "nobody"],
)
def test_room_is_kept_free_as_far_as_there_is_any(held: Any, expected: list[Any]) -> None:
    found = at_terms(case(), Terms(0.0, held))
    assert bounds(found) == expected
    assert found.book.refused == ("late",)


@dataclass(frozen=True)
class Step:
    price: WholesalePrice


@dataclass(frozen=True)
class Outlook:
    steps: tuple[Step, ...]


def test_steps_ahead_stay_as_they_are_expected() -> None:
    outlook: Any = Outlook((Step(PRICE), Step(PRICE), Step(replace(PRICE, lmp=50.0))))
    found = at_terms(case(outlook=outlook), Terms(4.0))
    assert found.outlook is not None
    assert [step.price.lmp for step in found.outlook.steps] == [34.0, 30.0, 50.0]
    assert found.price.lmp == 34.0


class Link:
    """A link that keeps what is published, and answers a call."""

    def __init__(self) -> None:
        self.said: list[tuple[str, Any]] = []

    def publish(self, key: str, text: str) -> None:
        self.said.append((key, text))

    def wait_until(self, time: float) -> None:
        self.said.append(("wait", time))

    def text(self, key: str, since: float) -> str:
        self.said.append((key, since))
        return "call"


class Stage:
    """Lets a market play an interval whose rounds are told."""

    def __init__(self, network: Any, patch: pytest.MonkeyPatch) -> None:
        self._network, self._patch = network, patch
        self.probes = 0
        self.begun: list[tuple[RoundRules, Terms]] = []
        self.link = Link()

    def play(
        self,
        member: Member,
        act: Callable[[Any], None] = lambda _: None,
        *,
        terms: Terms | None = None,
        repriced: bool = False,
    ) -> Any:
        """Play; what the rounds may do is in the hands of `act`, and they end at `terms`."""
        ended = SimpleNamespace(terms=terms or Terms(5.0), called={"cell": 2.0}, outcome="settled")

        def rounds(rules: RoundRules, _interval: int, at: Terms, *rest: Any) -> Any:
            def play() -> Any:
                act(rest[1])
                return ended

            self.begun.append((rules, at))
            return SimpleNamespace(play=play)

        self._patch.setattr(module, "JointRounds", rounds)
        self._patch.setattr(module, "reprice", lambda outcome, clear: (outcome, clear("state")))
        told: dict[str, Any] = {
            "clear": lambda at, state: ("cleared", at.price.lmp, state),
            "probe": self._probe,
            "attempt": lambda *words: words,
            "cost": lambda at, *_: at.price.lmp,
        }
        playing = Playing(RoundRules(rounds_max=4, repriced=repriced), **told)
        return member.play(self.link, self._network, case(), playing)  # type: ignore[arg-type]

    def _probe(self) -> Any:
        self.probes += 1
        return lambda at, _: SimpleNamespace(head=np.array([100.0 - at.price.lmp + 5j, 0.0]))


@pytest.fixture
def stage(study: Study, monkeypatch: pytest.MonkeyPatch) -> Stage:
    return Stage(study.network, monkeypatch)


def test_the_adder_of_an_interval_is_where_the_next_begins(study: Study, stage: Stage) -> None:
    member = Member(study)
    stage.play(member, terms=Terms(5.0))
    stage.play(member)
    assert [at for _, at in stage.begun] == [Terms(0.0), Terms(5.0)]
    assert member.called == {"cell": 2.0}


def test_the_case_comes_back_at_the_terms_that_hold(study: Study, stage: Stage) -> None:
    held, outcome = stage.play(Member(study), terms=Terms(5.0, {"dg": (15.0, 0.0)}))
    assert (held.price.lmp, outcome) == (35.0, "settled")
    assert bounds(held)[0] == (10.0, 45.0)


def test_prices_are_cleared_again_at_those_terms_and_not_within_the_rounds(
    study: Study, stage: Stage
) -> None:
    _, outcome = stage.play(Member(study), repriced=True)
    assert outcome == ("settled", ("cleared", 35.0, "state"))
    assert not stage.begun[0][0].repriced


def test_what_is_only_asked_for_is_cleared_by_a_market_of_its_own(study: Study, stage: Stage) -> None:
    member, heads = Member(study), list[float]()

    def act(doing: Any) -> None:
        heads.extend(doing.head(Terms(adder), None) for adder in (0.0, 10.0))

    stage.play(member, act)
    stage.play(member, act)
    assert heads == [70.0, 60.0] * 2
    assert stage.probes == 1


def test_clearing_and_cost_are_at_the_terms_asked_for(study: Study, stage: Stage) -> None:
    seen: list[Any] = []

    def act(doing: Any) -> None:
        seen.append(doing.clear(Terms(3.0), "state"))
        seen.append(doing.cost(Terms(-3.0), None, None))
        seen.append(doing.answer(2, 1, "clearing"))

    stage.play(Member(study), act)
    assert seen == [("cleared", 33.0, "state"), 27.0, (3, 1, "clearing", 2)]


def test_a_response_is_followed_by_its_call(
    study: Study, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    turn, asked = Turn(3, 1, 0), list[Any]()

    def read(text: str, at: Turn, feeder: str) -> Call:
        asked.append((text, at, feeder))
        return Call(turn, 1.0)

    monkeypatch.setattr(module, "read_call", read)
    response = Response(turn, agreed=True, adder=1.0, head_kw=1.0, head_kvar=0.0)
    stage.play(Member(study), lambda doing: doing.exchange(response))
    at = study.clock.call(3, 1, 0)
    assert stage.link.said == [(RESPONSE, response.text()), ("wait", at + 1.0), (CALL, at)]
    assert asked == [("call", turn, "")]


def test_who_waits_says_so_until_the_next_round(study: Study, stage: Stage) -> None:
    stage.play(Member(study), lambda doing: doing.wait(1))
    (key, _), waited = stage.link.said
    assert key == "market/clearing"
    assert waited == ("wait", study.clock.market(3, 2))
