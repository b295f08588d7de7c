"""The retail market: clears every interval, tries the clearing on the physics, and records how it went."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, cast

from dlmp_cosim.federates.anchoring.demand import nominal_demand
from dlmp_cosim.federates.anchoring.hold import hold, nothing_cleared
from dlmp_cosim.federates.anchoring.member import Member, Playing
from dlmp_cosim.federates.anchoring.realised import realised_cost
from dlmp_cosim.federates.anchoring.rounds import Outcome, RoundRules, anchor
from dlmp_cosim.federates.anchoring.soundness import check_clearing
from dlmp_cosim.federates.contract.exchange import (
    called_values,
    clearing_values,
    dispatch_values,
    read_state,
    substation_values,
)
from dlmp_cosim.federates.contract.heard import heard_values
from dlmp_cosim.federates.contract.horizon import horizon_text
from dlmp_cosim.federates.contract.limits import owned
from dlmp_cosim.federates.contract.messages import (
    Case,
    OfferBook,
    Stage,
    clearing_text,
    read_offers,
    read_status,
    trial_text,
)
from dlmp_cosim.federates.contract.topics import award_topic
from dlmp_cosim.federates.runtime.base import main
from dlmp_cosim.federates.runtime.clock import FORECAST_SLOT, PRICE_SLOT
from dlmp_cosim.federates.runtime.link import Link, Value, refusal
from dlmp_cosim.federates.study.ancillary import head_open, out_of_service
from dlmp_cosim.federates.study.emissions import own_cost, with_carbon
from dlmp_cosim.federates.study.outlook import Forecaster
from dlmp_cosim.federates.study.study import Study
from dlmp_cosim.federates.study.supply import supply_curve
from dlmp_cosim.feeders.errors import FederationError
from dlmp_cosim.feeders.network import Network
from dlmp_cosim.feeders.readers.network_json import network_from_json
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.market.answering import AnsweringMarket
from dlmp_cosim.market.clearing import Clearing
from dlmp_cosim.market.models import LookingAhead, RetailMarket, find_ahead, find_model
from dlmp_cosim.market.offers import Offer, WholesalePrice
from dlmp_cosim.market.participation import schedule_cost, scheduled, vetoes
from dlmp_cosim.market.settings import MarketSettings

if TYPE_CHECKING:
    from dlmp_cosim.federates.wire.apart import AgentsApart

NAME = "market"


class MarketFederate:
    """Plays the rounds between a market model and the feeder.

    Parameters
    ----------
    study : Study
        Names the model and the rules.
    """

    def __init__(self, study: Study) -> None:
        section = study.scenario.market
        self._clock, self._scenario = study.clock, study.scenario
        self._member = Member(study) if study.member else None
        self._ancillary = study.member is not None and study.member.ancillary
        self._disruptions = study.member.disruptions if study.member else ()
        self._load_scale = study.scenario.feeder.load_scale
        self._reactive_price = study.scenario.wholesale.reactive_price
        self._settings = section.settings
        where = f"{study.scenario_file} market.model"
        self._forecasts = study.scenario.forecast
        self._curve = supply_curve(study)
        self._veto_price = section.veto_price
        self._own_carbon = own_cost(study.scenario.emissions)
        self._forecaster = Forecaster(study) if section.horizon else None
        self._model: Callable[[Network, MarketSettings], RetailMarket]
        self._model = (find_ahead if section.horizon else find_model)(section.model, where=where)
        self._rules = RoundRules(
            rounds_max=study.scenario.time.rounds_max,
            voltage_pu=section.settle_voltage_pu,
            head_kw=section.settle_head_kw,
            anchored=section.anchored,
            policy=section.on_failure,
            controls=section.controls,
            # With a supply curve price and quantity belong together; a horizon takes too long to clear again.
            repriced=section.anchored and not section.horizon and self._curve is None,
            price=section.settle_price,
        )

    def initial(self) -> Mapping[str, Value]:
        """Publish nothing while initialising."""
        return {}

    def run(self, link: Link) -> None:
        """Clear every interval."""
        network = network_from_json(link.text("feeder/network"), where="feeder/network")
        link.adopt(network)
        hearing = [name for name in owned(network) if award_topic(name).key in link.publishes]
        agents = self._agents(link)
        market = self._market(network, agents)
        last: Clearing | None = None
        for interval in range(self._clock.intervals):
            case = self._read_case(link, interval, network)
            if agents is not None:
                agents.open(interval)
            if self._member is None:
                outcome = self._alone(link, market, network, case)
            else:
                case, outcome = self._member.play(link, network, case, self._play(link, market, network))
            accepted = outcome.accepted.clearing if outcome.accepted else None
            last = accepted or self._hold(network, last, case)
            self._report_ahead(link, network, case, last)
            record = clearing_text(case, outcome, last)
            if agents is not None:
                record = agents.recorded(record)
            values = clearing_values(last) | heard_values(network, last, hearing)
            if self._member is not None:
                values |= substation_values(last)
                if self._ancillary:
                    values |= called_values(network, self._member.called)
            _publish(link, values, record)
            link.wait_until(self._clock.recorded(interval))

    def close(self) -> None:
        """Nothing to release."""

    def _alone(self, link: Link, market: RetailMarket, network: Network, case: Case) -> Outcome:
        """Play the rounds of an interval between market and feeder."""
        return anchor(
            self._rules,
            case.forecast,
            partial(self._clear, market, network, case),
            partial(self._try, link, case.interval),
            partial(self._cost, network, case),
            (*network.tap_ids, *network.capacitor_ids),
        )

    def _play(self, link: Link, market: RetailMarket, network: Network) -> Playing:
        """Say how an interval is played with others: what `Member.play` takes of this market."""
        return Playing(
            rules=self._rules,
            clear=partial(self._clear, market, network),
            probe=lambda: partial(self._clear, self._market(network), network),
            attempt=partial(self._try, link),
            cost=partial(self._cost, network),
        )

    def _market(self, network: Network, agents: AgentsApart | None = None) -> RetailMarket:
        """Make a market of the feeder; its agents are apart where there are any."""
        market = self._model(network, self._settings)
        if agents is not None:
            agents.join(market)
        return market if self._curve is None else AnsweringMarket(market, self._curve)

    def _agents(self, link: Link) -> AgentsApart | None:
        """Return the agents that are apart; None for all in one loop here."""
        if not self._scenario.agent_hosts:
            return None
        # They bring the compiler, which a market that does not negotiate starts without.
        from dlmp_cosim.federates.wire.apart import AgentsApart

        return AgentsApart(self._scenario, link.post)

    def _as_cleared(self, offers: Sequence[Offer]) -> tuple[Offer, ...]:
        """State offers as the market clears them: with what CO2 costs, and schedules priced for a veto."""
        return scheduled(with_carbon(offers, self._own_carbon), self._veto_price)

    def _hold(self, network: Network, last: Clearing | None, case: Case) -> Clearing:
        """Hold the last final dispatch; where the LMP answers, it answers what the forecast draws."""
        held = hold(network, last, case.forecast, case.book.accepted, case.price)
        if self._curve is None:
            return held
        rise = self._curve.rise_at(float(case.forecast.head.real.sum()))
        return replace(held, head_price=case.price.lmp + rise)

    def _cost(self, network: Network, case: Case, clearing: Clearing, state: AcState) -> float:
        """Say what a dispatch costs in an AC state [$/h]."""
        book, settings = case.book.accepted, self._settings
        cost = realised_cost(network, settings, book, case.price, clearing, state)
        return cost + (self._curve.cost(float(state.head.real.sum())) if self._curve else 0.0)

    def _read_case(self, link: Link, interval: int, network: Network) -> Case:
        """Wait for the market's first slot and read what is known then."""
        at = self._clock.at
        link.wait_until(self._clock.market(interval, 0))
        start = at(interval, PRICE_SLOT)
        price = WholesalePrice(
            lmp=link.number("wholesale/lmp", since=start),
            energy=link.number("wholesale/lmp_energy", since=start),
            congestion=link.number("wholesale/lmp_congestion", since=start),
            loss=link.number("wholesale/lmp_loss", since=start),
            reactive=self._reactive_price,
        )
        if self._curve is not None:
            price = replace(price, lmp=price.lmp - link.number("wholesale/lmp_answer", since=start))
        ratio = link.number("wholesale/demand_ratio", since=start)
        demand = nominal_demand(network, interval, ratio, self._load_scale)
        forecast = self._read_answer(link, interval, 0, "forecast")
        if forecast is None:
            raise FederationError(
                "feeder/status, published by 'feeder', has no converged power flow to start from"
            )
        kw = dict(zip(network.load_ids, demand.real.tolist(), strict=True))
        book = _read_book(link, interval, network, kw)
        out = out_of_service(self._disruptions, interval, network.resource_ids, known=True)
        book = in_service(book, out)
        book = replace(book, accepted=self._as_cleared(book.accepted))
        outlook = self._forecaster.outlook(network, interval, price, ratio) if self._forecaster else None
        return Case(interval, price, demand, book, forecast, outlook)

    def _report_ahead(self, link: Link, network: Network, case: Case, final: Clearing) -> None:
        """Publish what is expected and planned of the steps ahead, where there are any."""
        if case.outlook is not None:
            text = horizon_text(network, self._forecasts, case.interval, case.outlook, final.plan)
            link.publish("market/horizon", text)

    def _read_answer(
        self, link: Link, interval: int, trials: int, stage: Stage, step: int = 0
    ) -> AcState | None:
        """Read the feeder's answer; None when its power flow did not converge."""
        clock = self._clock
        since = clock.at(interval, FORECAST_SLOT) if stage == "forecast" else clock.answer(interval, step)
        status = read_status(link.text("feeder/status", since=since))
        if (status.interval, status.trials, status.stage) != (interval, trials, stage):
            raise FederationError(
                f"feeder/status, published by 'feeder', is the {status.stage} of interval {status.interval} "
                f"after {status.trials} trials; expected the {stage} of interval {interval} after {trials}"
            )
        return read_state(link, since=since) if status.converged else None

    def _clear(self, market: RetailMarket, network: Network, case: Case, state: AcState) -> Clearing:
        """Clear at an AC state; a clearing that the physics cannot be asked is none."""
        if head_open(self._disruptions, case.interval, known=True):
            return nothing_cleared(network, case.price)
        if case.outlook is not None:
            ahead = cast("LookingAhead", market)
            clearing = ahead.clear_ahead(state, case.outlook, case.book.accepted)
        else:
            clearing = market.clear(state, case.demand, case.book.accepted, case.price)
        clearing = check_clearing(network, case.demand, clearing)
        return with_vetoes(network, clearing, case.book.accepted, self._veto_price)

    def _try(
        self, link: Link, interval: int, trials: int, clearing: Clearing, window: int | None = None
    ) -> AcState | None:
        """Publish a trial and wait for the AC answer; None when the power flow did not converge.

        Parameters
        ----------
        link : Link
            The federation.
        interval, trials : int
            Which interval, and trials answered before in it.
        clearing : Clearing
            What is tried.
        window : int, optional
            Round of all feeders that it is tried in; by default there are no others.
        """
        step = trials if window is None else window
        announcement = trial_text(interval, trials, controls=self._rules.controls == "together")
        _publish(link, dispatch_values(clearing), announcement)
        link.wait_until(self._clock.market(interval, step + 1))
        return self._read_answer(link, interval, trials, "trial", step)


def with_vetoes(network: Network, clearing: Clearing, offers: Sequence[Offer], veto_price: float) -> Clearing:
    """Count what is cut of wholesale schedules, not what is left, and name them; unchanged without any."""
    whole = schedule_cost(offers, veto_price)
    if not whole:
        return clearing
    power = dict(zip(network.resource_ids, clearing.dispatch.real.tolist(), strict=True))
    notes = (*clearing.notes, *vetoes(offers, power))
    return replace(clearing, cost=clearing.cost + whole, notes=notes)


def _read_book(link: Link, interval: int, network: Network, demand_kw: Mapping[str, float]) -> OfferBook:
    """Read all offers; one that is missing, far too long or no text is refused and no error."""
    texts, unread = {}, []
    for key in link.offers:
        try:
            texts[key] = link.text(key)
        except FederationError as error:
            unread.append(str(error))
        except UnicodeDecodeError as error:
            unread.append(str(refusal(key, f"is no text: {error}")))
    book = read_offers(texts, interval, network, demand_kw)
    return replace(book, refused=(*unread, *book.refused))


def in_service(book: OfferBook, out: frozenset[str]) -> OfferBook:
    """Refuse the offers of resources that are known to be out of service."""
    if not out:
        return book
    refused = tuple(f"{item.resource}: is out of service" for item in book.accepted if item.resource in out)
    kept = tuple(item for item in book.accepted if item.resource not in out)
    return OfferBook(kept, (*book.refused, *refused))


def _publish(link: Link, values: Mapping[str, Value], record: str) -> None:
    for key, value in values.items():
        link.publish(key, value)
    link.publish("market/clearing", record)


if __name__ == "__main__":
    raise SystemExit(main(NAME, MarketFederate))
