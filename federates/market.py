"""The retail market: clears every interval, tries the clearing on the physics, and records how it went."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from federates.anchoring.demand import nominal_demand
from federates.anchoring.hold import hold
from federates.anchoring.realised import realised_cost
from federates.anchoring.rounds import RoundRules, anchor
from federates.anchoring.soundness import check_clearing
from federates.contract.exchange import clearing_values, dispatch_values, read_state
from federates.contract.messages import Case, Stage, clearing_text, read_offers, read_status, trial_text
from federates.runtime.base import main
from federates.runtime.clock import FORECAST_SLOT, PRICE_SLOT, answer_slot, market_slot
from federates.runtime.link import Link, Value
from federates.study.study import Study
from feeders.errors import FederationError
from feeders.network import Network
from feeders.readers.network_json import network_from_json
from feeders.state import AcState
from market.clearing import Clearing
from market.models import RetailMarket, find_model
from market.offers import WholesalePrice

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
        self._clock = study.clock
        self._load_scale = study.scenario.feeder.load_scale
        self._settings = section.settings
        self._model = find_model(section.model, where=f"{study.scenario_file} market.model")
        self._rules = RoundRules(
            rounds_max=study.clock.rounds_max,
            voltage_pu=section.settle_voltage_pu,
            head_kw=section.settle_head_kw,
            anchored=section.anchored,
            policy=section.on_failure,
            controls=section.controls,
        )

    def initial(self) -> Mapping[str, Value]:
        """Publish nothing while initialising."""
        return {}

    def run(self, link: Link) -> None:
        """Clear every interval."""
        network = network_from_json(link.text("feeder/network"), where="feeder/network")
        link.adopt(network)
        market = self._model(network, self._settings)
        last: Clearing | None = None
        for interval in range(self._clock.intervals):
            case = self._read_case(link, interval, network)
            outcome = anchor(
                self._rules,
                case.forecast,
                partial(self._clear, market, network, case),
                partial(self._try, link, interval),
                partial(realised_cost, network, self._settings, case.book.accepted, case.price),
                (*network.tap_ids, *network.capacitor_ids),
            )
            accepted = outcome.accepted.clearing if outcome.accepted else None
            last = accepted or hold(network, last, case.forecast, case.book.accepted, case.price)
            _publish(link, clearing_values(last), clearing_text(case, outcome, last))

    def close(self) -> None:
        """Nothing to release."""

    def _read_case(self, link: Link, interval: int, network: Network) -> Case:
        """Wait for the market's first slot and read what is known then."""
        at = self._clock.at
        link.wait_until(at(interval, market_slot(0)))
        start = at(interval, PRICE_SLOT)
        price = WholesalePrice(
            lmp=link.number("wholesale/lmp", since=start),
            energy=link.number("wholesale/lmp_energy", since=start),
            congestion=link.number("wholesale/lmp_congestion", since=start),
            loss=link.number("wholesale/lmp_loss", since=start),
        )
        ratio = link.number("wholesale/demand_ratio", since=start)
        demand = nominal_demand(network, interval, ratio, self._load_scale)
        forecast = self._read_answer(link, interval, 0, "forecast")
        if forecast is None:
            raise FederationError(
                "feeder/status, published by 'feeder', has no converged power flow to start from"
            )
        texts = {key: _offer_text(link, key) for key in link.offers}
        kw = dict(zip(network.load_ids, demand.real.tolist(), strict=True))
        return Case(interval, price, demand, read_offers(texts, interval, network, kw), forecast)

    def _read_answer(self, link: Link, interval: int, trials: int, stage: Stage) -> AcState | None:
        """Read the feeder's answer; None when its power flow did not converge."""
        slot = FORECAST_SLOT if stage == "forecast" else answer_slot(trials)
        since = self._clock.at(interval, slot)
        status = read_status(link.text("feeder/status", since=since))
        if (status.interval, status.trials, status.stage) != (interval, trials, stage):
            raise FederationError(
                f"feeder/status, published by 'feeder', is the {status.stage} of interval {status.interval} "
                f"after {status.trials} trials; expected the {stage} of interval {interval} after {trials}"
            )
        return read_state(link, since=since) if status.converged else None

    def _clear(self, market: RetailMarket, network: Network, case: Case, state: AcState) -> Clearing:
        """Clear at an AC state; a clearing that the physics cannot be asked is none."""
        clearing = market.clear(state, case.demand, case.book.accepted, case.price)
        return check_clearing(network, case.demand, clearing)

    def _try(self, link: Link, interval: int, trials: int, clearing: Clearing) -> AcState | None:
        """Publish a trial and wait for the AC answer; None when the power flow did not converge."""
        announcement = trial_text(interval, trials, controls=self._rules.controls == "together")
        _publish(link, dispatch_values(clearing), announcement)
        link.wait_until(self._clock.at(interval, market_slot(trials + 1)))
        return self._read_answer(link, interval, trials, "trial")


def _offer_text(link: Link, key: str) -> str:
    """Read an offer; empty when there is none or it is no text, which is refused and not an error."""
    try:
        return link.text(key)
    except (FederationError, UnicodeDecodeError):
        return ""


def _publish(link: Link, values: Mapping[str, Value], record: str) -> None:
    for key, value in values.items():
        link.publish(key, value)
    link.publish("market/clearing", record)


if __name__ == "__main__":
    raise SystemExit(main(NAME, MarketFederate))
