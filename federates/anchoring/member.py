"""What a market does beside its own rounds where its feeder meets others at a substation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace

from dlmp_cosim.federates.anchoring.joint import Doing, JointRounds
from dlmp_cosim.federates.anchoring.rounds import Outcome, RoundRules, reprice
from dlmp_cosim.federates.contract.award import wait_text
from dlmp_cosim.federates.contract.messages import Case
from dlmp_cosim.federates.contract.shared import CALL, RESPONSE, Call, Response, Terms, read_call
from dlmp_cosim.federates.runtime.link import Link
from dlmp_cosim.federates.study.study import Study
from dlmp_cosim.feeders.network import Network
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.market.ancillary.quotes import quote
from dlmp_cosim.market.clearing import Clearing
from dlmp_cosim.market.offers import holding_back
from dlmp_cosim.market.substation.curve import flexibility, head_curve

SECONDS_PER_HOUR = 3600.0

ClearCase = Callable[[Case, AcState], Clearing]
"""Clears a case at an AC state."""


@dataclass(frozen=True)
class Playing:
    """How a market plays its rounds.

    Attributes
    ----------
    rules : RoundRules
        What settles them.
    clear : callable
        Clears a case at an AC state.
    probe : callable
        Makes another market of the same feeder that clears what is only asked for: the first one must not
        start warm from what was never dispatched.
    attempt : callable
        Tries a clearing: from the interval, the earlier trials, the clearing and the round of all feeders.
    cost : callable
        Cost [$/h] of a case's clearing in an AC state.
    """

    rules: RoundRules
    clear: ClearCase
    probe: Callable[[], ClearCase]
    attempt: Callable[[int, int, Clearing, int], AcState | None]
    cost: Callable[[Case, Clearing, AcState], float]


class Member:
    """Plays intervals in step with the markets of the other feeders; keeps the adder between them.

    Parameters
    ----------
    study : Study
        Study of the feeder, as a member of a substation.

    Attributes
    ----------
    called : mapping of str to float
        What the substation called of resources in the last interval, beside their energy [kW].
    """

    def __init__(self, study: Study) -> None:
        self._clock = study.clock
        self._hours = study.clock.period_s / SECONDS_PER_HOUR
        self._feeder = study.feeder
        self._quotes = study.member is not None and study.member.ancillary
        self._adder = 0.0
        self._probe: ClearCase | None = None
        self.called: Mapping[str, float] = {}

    def play(self, link: Link, network: Network, case: Case, playing: Playing) -> tuple[Case, Outcome]:
        """Play an interval until the substation calls it final.

        Parameters
        ----------
        link : Link
            The federation.
        network : Network
            The feeder.
        case : Case
            The interval, at the LMP.
        playing : Playing
            How this market plays.

        Returns
        -------
        Case, Outcome
            The case at the terms that held in the end, and how its rounds went.
        """
        clock, interval = self._clock, case.interval

        def attempt(window: int, trials: int, clearing: Clearing) -> AcState | None:
            return playing.attempt(interval, trials, clearing, window)

        def wait(window: int) -> None:
            link.publish("market/clearing", wait_text(interval, window))
            link.wait_until(clock.market(interval, window + 1))

        doing = Doing(
            clear=lambda terms, state: playing.clear(at_terms(case, terms), state),
            head=lambda terms, state: self._head(playing, at_terms(case, terms), state),
            quote=lambda said, terms, state: self._quote(playing, network, case, terms, said, state),
            describe=lambda said, terms, found: self._describe(network, case, terms, said, found),
            exchange=lambda response: self._exchange(link, response),
            answer=attempt,
            wait=wait,
            cost=lambda terms, clearing, state: playing.cost(at_terms(case, terms), clearing, state),
        )
        names = (*network.tap_ids, *network.capacitor_ids)
        rules = replace(playing.rules, repriced=False)
        ended = JointRounds(rules, interval, Terms(self._adder), case.forecast, doing, names).play()
        self._adder, self.called = ended.terms.adder, ended.called
        held = at_terms(case, ended.terms)
        if not playing.rules.repriced:
            return held, ended.outcome
        return held, reprice(ended.outcome, lambda state: playing.clear(held, state))

    def _exchange(self, link: Link, response: Response) -> Call:
        """Publish a response and wait for the call that follows it."""
        turn = response.turn
        at = self._clock.call(turn.interval, turn.window, turn.exchange)
        link.publish(RESPONSE, response.text())
        link.wait_until(at + 1.0)
        return read_call(link.text(CALL, since=at), turn, self._feeder)

    def _head(self, playing: Playing, case: Case, state: AcState) -> float:
        """Head power of a clearing that is asked for and not dispatched [kW]."""
        return float(self._probed(playing, case, state).head.real.sum())

    def _probed(self, playing: Playing, case: Case, state: AcState) -> Clearing:
        """Clear what is asked for and not dispatched."""
        if self._probe is None:
            self._probe = playing.probe()
        return self._probe(case, state)

    def _quote(
        self, playing: Playing, network: Network, case: Case, terms: Terms, response: Response, state: AcState
    ) -> Response:
        """Answer with what a clearing at terms costs, draws, and how its sellers stand."""
        found = self._probed(playing, at_terms(case, terms), state)
        head, told = found.head.sum(), quote(network, found, case.book.accepted, self._hours)
        return replace(response, head_kw=float(head.real), head_kvar=float(head.imag), quote=told)

    def _describe(
        self, network: Network, case: Case, terms: Terms, response: Response, clearing: Clearing
    ) -> Response:
        """Add what the clearing's sensitivities say of the feeder around it."""
        at = at_terms(case, terms)
        offers = at.book.accepted
        curve = head_curve(network, clearing, offers, at.price)
        room: Mapping[str, float] = asdict(flexibility(network, clearing, offers, self._hours))
        pairs = zip(curve.adder.tolist(), curve.kw.tolist(), strict=True)
        told = quote(network, clearing, case.book.accepted, self._hours) if self._quotes else None
        return replace(response, curve=tuple(pairs), flexibility=room, quote=told)


def at_terms(case: Case, terms: Terms) -> Case:
    """State a case at what a substation adds to its price, and with what it wants kept free.

    Steps ahead stay as they are expected.
    """
    adder = terms.adder
    if terms.held:
        nothing = (0.0, 0.0)
        kept = [holding_back(item, *terms.held.get(item.resource, nothing)) for item in case.book.accepted]
        case = replace(case, book=replace(case.book, accepted=tuple(kept)))
    if case.outlook is None:
        return replace(case, price=case.price.plus(adder))
    first, *later = case.outlook.steps
    steps = (replace(first, price=first.price.plus(adder)), *later)
    return replace(case, price=case.price.plus(adder), outlook=replace(case.outlook, steps=steps))
