"""`dlmp horizon`: clear recorded intervals once more over their horizon, beside the central reference."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import click
import numpy as np
from rich.console import Console

from dlmp_cosim.federates.contract.exchange import STATE_TOPICS, state_of
from dlmp_cosim.federates.contract.messages import read_offers
from dlmp_cosim.federates.contract.topics import OFFER_QUANTITY
from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.federates.study.outlook import Forecaster
from dlmp_cosim.federates.study.study import Study
from dlmp_cosim.feeders.errors import DlmpError, InputError
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.market.central.horizon import CentralHorizon
from dlmp_cosim.market.horizon.market import HorizonMarket
from dlmp_cosim.market.horizon.outlook import Outlook, offers_ahead
from dlmp_cosim.market.horizon.steps import Span
from dlmp_cosim.market.offers import Offer, WholesalePrice, accept_offers
from dlmp_cosim.market.settings import Method
from dlmp_cosim.runners.judge.ahead import store_accounts
from dlmp_cosim.runners.judge.day_cost import day_cost
from dlmp_cosim.runners.plain_table import Rows
from dlmp_cosim.runners.run.find import find_study


@dataclass(frozen=True)
class HorizonCase:
    """One recorded interval: where its market starts, what it expects and what is offered."""

    interval: int
    state: AcState
    outlook: Outlook
    offers: tuple[Offer, ...]


@dataclass(frozen=True)
class HorizonGap:
    """A clearing of one horizon against the central reference of the same.

    Attributes
    ----------
    interval, steps : int
        Which interval, and steps of its horizon.
    cost : float
        Relative gap of the cost of all steps.
    price : float
        Largest gap of a d-LMP, over nodes and steps [$/MWh].
    dispatch : float
        Largest gap of a power, over resources and steps [kVA].
    rounds : int
        One-hop messages in sequence, from the last clearing's prices.
    cold_s, warm_s, central_s : float
        Processor time of a clearing from nothing, of one from the last, and of the reference [s].
    """

    interval: int
    steps: int
    cost: float
    price: float
    dispatch: float
    rounds: int
    cold_s: float
    warm_s: float
    central_s: float


@dataclass(frozen=True)
class AtOnce:
    """A run that rolled, against all of its intervals planned at once by one who knew what would come.

    Attributes
    ----------
    rolled_usd : float
        What the run cost, as its AC states came out.
    at_once_usd : float
        Optimum of the central reference over all intervals, at the prices, demand and AC states that came.
    """

    rolled_usd: float
    at_once_usd: float

    @property
    def excess(self) -> float:
        """Cost of the run above that, as a share of it."""
        return self.rolled_usd / self.at_once_usd - 1.0


def recorded_cases(study: Study, results: Results, every: int) -> Iterator[HorizonCase]:
    """Read every so many intervals of a run as its market saw them, at the AC states that came.

    Parameters
    ----------
    study : Study
        The study of the run.
    results : Results
        What it left.
    every : int
        Take one interval out of so many.

    Raises
    ------
    InputError
        When the study does not look ahead.
    """
    if not study.scenario.market.horizon:
        raise InputError(
            "the study clears one interval at a time",
            where=f"{study.scenario_file} market.horizon",
            expected="steps ahead, such as [{minutes = 60}]",
        )
    network, forecaster = results.network, Forecaster(study)
    values = {topic.key: results.values(topic.key) for topic in STATE_TOPICS}
    lmp, ratio = results.values("wholesale/lmp"), results.values("wholesale/demand_ratio")
    texts = {key: results.texts(key) for key in results.keys if key.endswith(f"/{OFFER_QUANTITY}")}
    for k in range(0, results.intervals, every):
        state = state_of({key: rows[k] for key, rows in values.items()})
        price = WholesalePrice(float(lmp[k]), float(lmp[k]))
        outlook = forecaster.outlook(network, k, price, float(ratio[k]))
        kw = dict(zip(network.load_ids, outlook.steps[0].demand.real.tolist(), strict=True))
        book = read_offers({key: rows[k] for key, rows in texts.items()}, k, network, kw)
        yield HorizonCase(k, state, outlook, book.accepted)


def measure(study: Study, results: Results, every: int, method: Method) -> Iterator[HorizonGap]:
    """Clear every case from nothing, again until its anchors rest, and by the central reference."""
    settings = replace(study.scenario.market.settings, method=method)
    network = results.network
    for case in recorded_cases(study, results, every):
        market = HorizonMarket(network, settings)
        began = time.process_time()
        market.clear_ahead(case.state, case.outlook, case.offers)
        cold = time.process_time() - began
        market.clear_ahead(case.state, case.outlook, case.offers)
        began = time.process_time()
        clearing = market.clear_ahead(case.state, case.outlook, case.offers)
        warm = time.process_time() - began
        plan = clearing.plan
        if plan is None:
            continue
        accepted, _ = accept_offers(network, case.offers)
        began = time.process_time()
        reference = CentralHorizon(network, settings).solve(
            market.anchors, case.outlook, offers_ahead(network, accepted, case.outlook)
        )
        central = time.process_time() - began
        pairs = list(zip(plan.steps, reference.steps, strict=True))
        yield HorizonGap(
            interval=case.interval,
            steps=len(pairs),
            cost=abs(plan.cost / reference.cost - 1),
            price=max(float(np.abs(a.price - b.price_real).max()) for a, b in pairs),
            dispatch=max(float(np.abs(a.dispatch - b.dispatch).max()) for a, b in pairs),
            rounds=clearing.rounds,
            cold_s=cold,
            warm_s=warm,
            central_s=central,
        )


def plan_at_once(study: Study, results: Results) -> AtOnce:
    """Plan all intervals of a run at once, with what owners offered in the first.

    Stores end with what they ended with in the run, so that both costs are of the same.

    Parameters
    ----------
    study : Study
        The study of the run.
    results : Results
        What it left.

    Raises
    ------
    InputError
        When the study does not look ahead.
    ClearingError
        When the reference finds no optimum.
    """
    cases = list(recorded_cases(study, results, 1))
    steps = [replace(case.outlook.steps[0], span=Span(k, k + 1)) for k, case in enumerate(cases)]
    outlook, network = Outlook(tuple(steps)), results.network
    # Taps are those that came, so that later steps keep to the same limits as the first.
    settings = replace(study.scenario.market.settings, horizon_voltage_pu=0.0)
    accepted, _ = accept_offers(network, cases[0].offers)
    ends = {name: float(account.energy_kwh[-1]) for name, account in store_accounts(results).items()}
    offers = [_ending_with(offer, ends) for offer in accepted]
    course = CentralHorizon(network, settings).solve(
        [case.state for case in cases], outlook, offers_ahead(network, offers, outlook)
    )
    return AtOnce(day_cost(results).total_usd, course.cost)


def _ending_with(offer: Offer, ends: Mapping[str, float]) -> Offer:
    """Let a store end with so much energy [kWh], and what it holds then be worth nothing."""
    if offer.ahead is None or offer.ahead.store is None:
        return offer
    store = offer.ahead.store
    end = min(max(ends[offer.resource], store.min_kwh), store.max_kwh)
    return replace(offer, ahead=replace(offer.ahead, store=replace(store, end_kwh=end, end_value=0.0)))


@click.command("horizon")
@click.argument("study")
@click.argument("results", type=click.Path(path_type=Path))
@click.option("--every", default=24, show_default=True, help="Take one interval out of so many.")
@click.option("--method", default="interior-point", show_default=True, help="How the optimum is found.")
@click.option("--at-once", is_flag=True, help="Plan all intervals at once instead, knowing what came.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def horizon_command(
    study: str, results: Path, every: int, method: Method, at_once: bool, as_json: bool
) -> None:
    """Clear recorded intervals over their horizon, and hold them to the central reference."""
    try:
        with Results(results) as run:
            if at_once:
                _show_at_once(plan_at_once(find_study(study), run), as_json)
                return
            found = list(measure(find_study(study), run, every, method))
    except DlmpError as error:
        raise click.ClickException(str(error)) from error
    _show(found, as_json)


def _show_at_once(found: AtOnce, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(asdict(found) | {"excess": found.excess}, indent=2))
        return
    table = Rows("day", "cost $")
    table.add_row("as it rolled", f"{found.rolled_usd:,.2f}")
    table.add_row("planned at once, knowing what came", f"{found.at_once_usd:,.2f}")
    table.add_row("more, of it", f"{found.excess:.2%}")
    table.print(Console())


def _show(found: list[HorizonGap], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([asdict(gap) for gap in found], indent=2))
        return
    heads = (
        "interval",
        "steps",
        "cost gap",
        "price gap",
        "kVA gap",
        "rounds",
        "cold s",
        "warm s",
        "central s",
    )
    table = Rows(*heads)
    for g in found:
        gaps = (f"{g.cost:.1e}", f"{g.price:.1e}", f"{g.dispatch:.1e}", str(g.rounds))
        times = (f"{g.cold_s:.2f}", f"{g.warm_s:.2f}", f"{g.central_s:.2f}")
        table.add_row(str(g.interval), str(g.steps), *gaps, *times)
    table.print(Console())
