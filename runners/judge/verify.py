"""`dlmp verify`: clear a day by negotiation and by the central reference, and print the gaps."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from statistics import median

import click
import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from feeders.errors import DlmpError
from feeders.network import ComplexArray, FloatArray, Network
from feeders.state import AcState
from market.balanced.equivalent import equivalent
from market.balanced.layout import BASE_KVA
from market.balanced.market import BranchFlowMarket
from market.clearing import Clearing
from market.settings import MarketSettings, Model
from market.three_phase.market import Market
from runners.judge.walk import Case, Day
from runners.run.find import find_study

MODELS: tuple[Model, ...] = ("three_phase", "branch_flow")
COST_GAP, PRICE_GAP = 1e-4, 0.1
"""Gaps that pass: relative cost, and real d-LMP [$/MWh]."""
EXACT_PU = 1e-3
"""A cone relaxation with a larger slack is not exact, and its optimum no reference."""
COLD_EVERY_S = 3600
"""Cold clearings are tried at this interval of the day [s]."""

AnyMarket = Market | BranchFlowMarket
Reference = Callable[[Case, AcState], "Answer"]


@dataclass(frozen=True)
class Answer:
    """What the central reference says: cost [$/h], real prices [$/MWh], awards [kW], slack of cones [pu]."""

    cost: float
    price: FloatArray
    award: FloatArray
    slack: float


@dataclass(frozen=True)
class Gaps:
    """Negotiation against the reference over a day; field names are those of ``dlmp verify --json``.

    Attributes
    ----------
    intervals : int
        Intervals cleared both ways.
    inexact : int
        Of these, intervals whose cone relaxation is not exact: left out of the gaps.
    inexact_cost_gap_max : float
        In those, how far the negotiated cost is above the relaxed optimum, which is only a lower bound.
    binding : int
        Intervals in which a limit has a price; in all others agents have little to negotiate.
    cost_gap_max : float
        Largest relative difference in cost.
    dlmp_gap_max : float
        Largest difference of a real d-LMP [$/MWh].
    dispatch_gap_max_kw : float
        Largest difference of an award [kW].
    exactness_gap_max : float
        Largest slack of the reference's cones [pu].
    rounds_cold : int
        Most rounds of a clearing that starts from nothing.
    rounds_warm_median, rounds_warm_max : float
        Rounds of clearings that start at the last interval's.
    rounds_binding_median : float
        The same over the intervals in which a limit has a price.
    not_converged : int
        Clearings that missed their tolerance.
    """

    intervals: int
    inexact: int
    inexact_cost_gap_max: float
    binding: int
    cost_gap_max: float
    dlmp_gap_max: float
    dispatch_gap_max_kw: float
    exactness_gap_max: float
    rounds_cold: int
    rounds_warm_median: float
    rounds_warm_max: int
    rounds_binding_median: float
    not_converged: int

    @property
    def passed(self) -> bool:
        """Whether cost and prices are within what passes, and every clearing converged."""
        return self.cost_gap_max <= COST_GAP and self.dlmp_gap_max <= PRICE_GAP and not self.not_converged


@click.command("verify", epilog="\b\nExample:\n  dlmp verify ieee123_day --every 12")
@click.argument("study")
@click.option("--every", type=click.IntRange(1), default=1, show_default=True, help="Step of intervals.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def verify_command(study: str, every: int, as_json: bool) -> None:
    """Clear STUDY's day by negotiation and centrally, with both models; print the gaps.

    STUDY is a study folder, a runner file, or the name of one in runners/. The forecast AC state of every
    interval is cleared twice: by the negotiating agents, warm from the interval before, and by Clarabel on a
    statement of the market of its own. Exit code 0: all gaps pass (1e-4 of the cost, 0.1 $/MWh); 2: one does
    not.
    """
    try:
        content = find_study(study)
        settings, day = negotiated(content.scenario.market.settings), Day(content)
        cold_every = max(1, COLD_EVERY_S // content.clock.period_s)
        with Progress(console=Console(stderr=True), transient=True, disable=as_json) as progress:
            found = {
                model: verify_model(day, replace(settings, model=model), every, cold_every, progress)
                for model in MODELS
            }
    except DlmpError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps({model: asdict(gaps) for model, gaps in found.items()}, indent=2))
    else:
        Console().print(as_table(found))
    raise SystemExit(0 if all(gaps.passed for gaps in found.values()) else 2)


def verify_model(day: Day, settings: MarketSettings, every: int, cold_every: int, progress: Progress) -> Gaps:
    """Clear every `every`-th interval both ways and gather the gaps.

    Parameters
    ----------
    day : Day
        The day.
    settings : MarketSettings
        Model and tolerances.
    every, cold_every : int
        Intervals between clearings, and between cold ones.
    progress : Progress
        Where to show how far it is.
    """
    market, ask = make_market(day.network, settings), reference(day.network, settings)
    task = progress.add_task(settings.model, total=len(range(0, day.intervals, every)))
    dispatches: list[ComplexArray] = []
    pairs: list[tuple[Clearing, Answer]] = []
    cold: list[int] = []
    for case, state in day.forecasts(dispatches, every):
        if case.interval % cold_every == 0:
            fresh = make_market(day.network, settings)
            cold.append(fresh.clear(state, case.demand, case.offers, case.price).rounds)
        clearing = market.clear(state, case.demand, case.offers, case.price)
        pairs.append((clearing, ask(case, state)))
        dispatches[:] = [clearing.dispatch]
        progress.advance(task)
    return gather(pairs, cold)


def negotiated(settings: MarketSettings) -> MarketSettings:
    """Let a market that clears centrally negotiate."""
    return replace(settings, method="pac-accelerated") if settings.method == "central" else settings


def make_market(network: Network, settings: MarketSettings) -> AnyMarket:
    """Make the market of the settings' model."""
    return (
        Market(network, settings) if settings.model == "three_phase" else BranchFlowMarket(network, settings)
    )


def reference(network: Network, settings: MarketSettings) -> Reference:
    """Make the central reference of the settings' model."""
    if settings.model == "three_phase":
        from market.central.three_phase import CentralThreePhase

        central, model = CentralThreePhase(network, settings), Market(network, settings).model

        def ask(case: Case, state: AcState) -> Answer:
            found = central.solve(model.anchor(state, case.demand, case.offers), case.offers, case.price)
            return Answer(found.cost, found.price_real, found.dispatch.real, 0.0)

        return ask
    from market.central.balanced import CentralBranchFlow

    cones = CentralBranchFlow(network, settings)

    def ask_cones(case: Case, state: AcState) -> Answer:
        same = equivalent(network, cones.tree, state.tap)
        found = cones.solve(same, case.demand, case.offers, case.price)
        award = found.x[cones.layout.resource_p] * BASE_KVA
        return Answer(found.cost, found.price_real, award, found.exactness_gap)

    return ask_cones


def gather(pairs: list[tuple[Clearing, Answer]], cold: list[int]) -> Gaps:
    """Sum up the gaps; intervals whose relaxation is not exact are counted and left out."""
    exact = [(ours, theirs) for ours, theirs in pairs if theirs.slack <= EXACT_PU]
    loose = [(ours, theirs) for ours, theirs in pairs if theirs.slack > EXACT_PU]
    binding = [ours.rounds for ours, _ in pairs[1:] if ours.limits]
    warm = [ours.rounds for ours, _ in pairs[1:]] or [0]
    return Gaps(
        intervals=len(pairs),
        inexact=len(pairs) - len(exact),
        inexact_cost_gap_max=_cost_gap(loose),
        binding=len(binding),
        cost_gap_max=_cost_gap(exact),
        dlmp_gap_max=max((float(np.abs(a.prices.real - b.price).max()) for a, b in exact), default=0.0),
        dispatch_gap_max_kw=max(
            (float(np.abs(a.dispatch.real - b.award).max(initial=0.0)) for a, b in exact), default=0.0
        ),
        exactness_gap_max=max((b.slack for _, b in pairs), default=0.0),
        rounds_cold=max(cold, default=0),
        rounds_warm_median=float(median(warm)),
        rounds_warm_max=max(warm),
        rounds_binding_median=float(median(binding or [0])),
        not_converged=sum(ours.status != "solved" for ours, _ in pairs),
    )


def _cost_gap(pairs: list[tuple[Clearing, Answer]]) -> float:
    """Largest relative difference in cost."""
    return max((abs(a.cost - b.cost) / max(abs(b.cost), 1.0) for a, b in pairs), default=0.0)


def as_table(found: dict[Model, Gaps]) -> Table:
    """One column for each model."""
    table = Table("", *found)
    for name in Gaps.__dataclass_fields__:
        table.add_row(name, *(f"{getattr(gaps, name):.6g}" for gaps in found.values()))
    return table
