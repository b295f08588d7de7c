"""`dlmp bench`: rounds and times of a clearing, each as a ratio to a named alternative, in one run."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from statistics import median

import click
import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from feeders.errors import DlmpError
from feeders.network import ComplexArray, Network
from feeders.state import AcState
from market.clearing import Clearing
from market.engine import Market
from market.settings import MarketSettings, Method
from runners.runner_file import find_runner, load_runner
from runners.verify import COST_GAP, EXACT_PU, MODELS, PRICE_GAP, Answer, AnyMarket, make_market, reference
from runners.walk import Case, Day

BUDGETS = (10, 20, 30, 50, 70, 100, 150, 200, 300, 400, 500, 700, 1000, 1500, 2000, 3000, 5000, 10_000)
"""Round budgets tried until cost and prices are within what passes."""
AGENTS = (1, 2, 4, 8, 16, 32, 0)
"""Numbers of agents compared; 0 is one agent a bus."""
TOLERANCES = (1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5)
"""Stopping tolerances whose price and cost errors are measured."""


@dataclass(frozen=True)
class Sample:
    """One interval of the day, ready to be cleared: warm from the interval before it, and its reference."""

    case: Case
    state: AcState
    before: Case
    state_before: AcState
    answer: Answer


@click.command("bench", epilog="\b\nExample:\n  dlmp bench ieee123_day --json")
@click.argument("study", default="ieee123_day")
@click.option(
    "--samples", type=click.IntRange(1), default=24, show_default=True, help="Intervals of the day."
)
@click.option("--published/--no-published", default=True, show_default=True, help="Also pac and nst-pac.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def bench_command(study: str, samples: int, published: bool, as_json: bool) -> None:
    """Measure STUDY's clearings: rounds to the optimum, and times against CVXPY, Clarabel and distopf.

    Rounds are counted until cost is within 1e-4 and every real d-LMP within 0.1 $/MWh of the central optimum,
    cold and warm from the interval before. Times are medians over the samples, each alternative in turn on
    the same interval, in this process.
    """
    try:
        content = load_runner(find_runner(study)).study
        settings, day = content.scenario.market.settings, Day(content)
        with Progress(transient=True, disable=as_json) as progress:
            task = progress.add_task("measuring", total=None)
            found = {
                "machine": machine(),
                "rounds": {m: count_rounds(day, replace(settings, model=m), samples) for m in MODELS},
                "published": published_rounds(day, settings) if published else {},
                "agents": compare_agents(day, settings),
                "tolerance": compare_tolerances(day, settings),
                **measure_times(day, settings, samples),
            }
            progress.update(task, completed=1)
    except DlmpError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        show(Console(), found)


def take_samples(day: Day, settings: MarketSettings, count: int) -> list[Sample]:
    """Pick intervals evenly over the day, each with the one before, on states that the market leads to."""
    market, ask = make_market(day.network, settings), reference(day.network, settings)
    wanted = set(np.linspace(1, day.intervals - 1, count).astype(int).tolist())
    dispatches: list[ComplexArray] = []
    samples = []
    last: tuple[Case, AcState] | None = None
    for case, state in day.forecasts(dispatches):
        if case.interval in wanted and last is not None:
            answer = ask(case, state)
            if answer.slack <= EXACT_PU:
                samples.append(Sample(case, state, *last, answer))
        dispatches[:] = [market.clear(state, case.demand, case.offers, case.price).dispatch]
        last = case, state
    return samples


def clear(market: AnyMarket, case: Case, state: AcState) -> Clearing:
    """Clear one case."""
    return market.clear(state, case.demand, case.offers, case.price)


def errors(clearing: Clearing, answer: Answer) -> tuple[float, float]:
    """Relative cost error, and largest error of a real price [$/MWh]."""
    cost = abs(clearing.cost - answer.cost) / max(abs(answer.cost), 1.0)
    return cost, float(np.abs(clearing.prices.real - answer.price).max())


def rounds_needed(network: Network, settings: MarketSettings, sample: Sample, *, warm: bool) -> int | None:
    """Fewest rounds of the budgets after which cost and prices pass; None when none does."""
    for budget in BUDGETS:
        market = make_market(network, settings)
        if warm:
            clear(market, sample.before, sample.state_before)
        market.settings = replace(settings, max_rounds=budget, tolerance=1e-12)
        clearing = clear(market, sample.case, sample.state)
        cost, price = errors(clearing, sample.answer)
        if cost <= COST_GAP and price <= PRICE_GAP:
            return clearing.rounds
    return None


def count_rounds(day: Day, settings: MarketSettings, count: int) -> dict[str, float]:
    """Count rounds to the optimum over samples of the day; those that never pass count as infinite."""
    samples = take_samples(day, settings, count)
    cold = [rounds_needed(day.network, settings, sample, warm=False) for sample in samples]
    warm = [rounds_needed(day.network, settings, sample, warm=True) for sample in samples]
    as_numbers = [[float("inf") if rounds is None else rounds for rounds in found] for found in (cold, warm)]
    return {
        "samples": len(samples),
        "cold_median": float(median(as_numbers[0])),
        "cold_max": float(max(as_numbers[0])),
        "warm_median": float(median(as_numbers[1])),
        "warm_max": float(max(as_numbers[1])),
    }


def published_rounds(day: Day, settings: MarketSettings) -> dict[str, dict[str, float | None]]:
    """Count rounds of the published iterations, one agent a bus, cold, at three hours of the day."""
    samples = take_samples(day, settings, 3)
    methods: tuple[Method, ...] = ("pac", "nst-pac", "pac-accelerated")
    return {
        method: {
            f"interval {sample.case.interval}": rounds_needed(
                day.network, replace(settings, method=method, agents=0), sample, warm=False
            )
            for sample in samples
        }
        for method in methods
    }


def compare_agents(day: Day, settings: MarketSettings) -> dict[str, dict[str, float]]:
    """Count cold rounds, messages and numbers sent for different numbers of agents."""
    samples = take_samples(day, settings, 6)
    table = {}
    for agents in AGENTS:
        found = [
            clear(make_market(day.network, replace(settings, agents=agents)), sample.case, sample.state)
            for sample in samples
        ]
        rounds = max(sum(clearing.rounds for clearing in found), 1)
        table[str(agents or "one a bus")] = {
            "rounds_median": float(median(clearing.rounds for clearing in found)),
            "rounds_max": float(max(clearing.rounds for clearing in found)),
            "messages_per_round": sum(clearing.messages for clearing in found) / rounds,
            "scalars_per_round": sum(clearing.scalars for clearing in found) / rounds,
        }
    return table


def compare_tolerances(day: Day, settings: MarketSettings) -> dict[str, dict[str, float]]:
    """How the tolerance that agents stop at maps to rounds, price error and cost error, cold."""
    samples = take_samples(day, settings, 8)
    table = {}
    for tolerance in TOLERANCES:
        chosen = replace(settings, tolerance=tolerance)
        found = [clear(make_market(day.network, chosen), sample.case, sample.state) for sample in samples]
        gaps = [errors(clearing, sample.answer) for clearing, sample in zip(found, samples, strict=True)]
        table[f"{tolerance:g}"] = {
            "rounds_median": float(median(clearing.rounds for clearing in found)),
            "price_error_max": max(price for _, price in gaps),
            "cost_error_max": max(cost for cost, _ in gaps),
        }
    return table


def measure_times(day: Day, settings: MarketSettings, count: int) -> dict[str, object]:
    """Time one clearing of the three-phase market against the alternatives, on the same intervals in turn."""
    from market.central import CentralThreePhase

    chosen = replace(settings, model=MODELS[0])
    samples = take_samples(day, chosen, count)
    central, warm_market = CentralThreePhase(day.network, chosen), Market(day.network, chosen)
    times: dict[str, list[float]] = {"pac_warm": [], "pac_cold": [], "cvxpy": [], "clarabel": []}
    clear(warm_market, samples[0].case, samples[0].state)
    for sample in samples:
        clear(warm_market, sample.before, sample.state_before)
        for name, market in (("pac_warm", warm_market), ("pac_cold", Market(day.network, chosen))):
            times[name].append(_seconds(partial(clear, market, sample.case, sample.state)))
        anchor = warm_market.model.anchor(sample.state, sample.case.demand, sample.case.offers)
        solve = partial(central.solve, anchor, sample.case.offers, sample.case.price)
        times["cvxpy"].append(_seconds(solve))
        times["clarabel"].append(central.solver_seconds)
    middle = {name: median(values) for name, values in times.items()}
    distopf = distopf_seconds()
    return {
        "seconds": middle | {"distopf": distopf},
        "pac_warm_over_cvxpy": middle["pac_warm"] / middle["cvxpy"],
        "pac_cold_over_cvxpy": middle["pac_cold"] / middle["cvxpy"],
        "pac_warm_over_clarabel": middle["pac_warm"] / middle["clarabel"],
        "pac_warm_over_distopf": None if distopf is None else middle["pac_warm"] / distopf,
    }


def distopf_seconds() -> float | None:
    """Time distopf on its own IEEE-123 case, minimising losses; None when it is not installed."""
    try:
        import distopf
    except ModuleNotFoundError:
        return None
    case = distopf.create_case(distopf.CASES_DIR / "csv" / "ieee123_30der")
    return median(_seconds(lambda: case.run_opf(wrapper="matrix", objective="loss")) for _ in range(3))


def machine() -> dict[str, str | int | None]:
    """Say what the figures were measured on."""
    return {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }


def show(console: Console, found: dict[str, object]) -> None:
    """Print every table."""
    for name, value in found.items():
        if isinstance(value, dict) and value and all(isinstance(row, dict) for row in value.values()):
            heads = list(next(iter(value.values())))
            table = Table(name, *heads, title_justify="left")
            for key, row in value.items():
                table.add_row(str(key), *(_text(row[head]) for head in heads))
            console.print(table)
        elif isinstance(value, dict):
            console.print(name, {key: _text(item) for key, item in value.items()})
        else:
            console.print(f"{name}: {_text(value)}")


def _text(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
