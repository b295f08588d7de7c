"""`dlmp scenarios` runs the same day under four tariffs and under the market, and compares them."""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from federates.results.run import Results
from federates.runtime.heartbeat import read_sign
from federates.runtime.local import ROLES, run_local
from federates.study.series import load_series
from federates.study.study import RESULTS_VARIABLE, Study
from feeders.errors import DlmpError
from feeders.validate import check_network
from market.models import find_model
from market.money.payment_schemes import MODELS, TITLES, Money, Rates, Scenario
from runners.judge.ledger import Account, account_for, store_settlement
from runners.run.find import find_study

REPORT = "scenarios.json"
POLL_S = 0.3
WATCHED = "recorder"


@dataclass(frozen=True)
class Outcome:
    """What one scenario came to.

    Attributes
    ----------
    scenario : str
        Name.
    money : Money
        Who pays and who is paid.
    energy_kwh : dict
        Energy of loads, generators, curtailment, wholesale and losses.
    use_by_hour_kwh : list of float
        Generation and curtailment in each hour of the run, of whole days hour 0 to 23.
    dearest_hour : int
        Hour of the highest mean LMP.
    voltage_low_pu, voltage_high_pu : float
        Extremes of the AC voltage [pu].
    violations : int
        Limits that AC states broke.
    """

    scenario: Scenario
    money: Money
    energy_kwh: dict[str, float]
    use_by_hour_kwh: list[float]
    dearest_hour: int
    voltage_low_pu: float
    voltage_high_pu: float
    violations: int


@click.command("scenarios", epilog="\b\nExample:\n  dlmp scenarios ieee123_day -o results/scenarios")
@click.argument("study")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path, file_okay=False))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--retail", default=Rates().retail, show_default=True, help="Retail rate [$/kWh].")
@click.option("--purchase", default=Rates().purchase, show_default=True, help="Rate of exports [$/kWh].")
@click.option("--jobs", type=click.IntRange(1), help="Runs at a time; as many as there are cores by default.")
def scenarios_command(
    study: str, output: Path, as_json: bool, retail: float, purchase: float, jobs: int | None
) -> None:
    """Run STUDY under four tariffs and under its market, and compare who pays.

    STUDY is a study folder, a runner file, or the name of one in runners/. Every scenario goes through the AC
    physics and leaves its own results file in the output folder.
    """
    try:
        found = find_study(study)
        run_all(found, output, jobs or os.cpu_count() or 1)
        outcomes = [read_outcome(output, name, Rates(retail, purchase)) for name in MODELS]
    except DlmpError as error:
        raise click.ClickException(str(error)) from error
    text = json.dumps(as_table(outcomes), indent=2)
    (output / REPORT).write_text(text + "\n")
    if as_json:
        click.echo(text)
    else:
        show(outcomes, Console())
        click.echo(f"results and {REPORT} are in {output}; look at them with: dlmp report {output}/*.h5")


def variant(study: Study, name: Scenario, output: Path) -> Study:
    """Return the study that runs one scenario, with its results in the output folder."""
    scenario, model = study.scenario, study.scenario.market.model
    named = scenario.study.model_copy(update={"name": f"{scenario.study.name}_{name}"})
    market = scenario.market.model_copy(update={"model": model if name == "market" else MODELS[name]})
    results = scenario.results.model_copy(update={"file": str(results_file(output, name).absolute())})
    changed = scenario.model_copy(update={"study": named, "market": market, "results": results})
    return replace(study, scenario=changed)


def results_file(output: Path, name: Scenario) -> Path:
    """Where a scenario's results are."""
    return output / f"{name}.h5"


def run_all(study: Study, output: Path, jobs: int) -> None:
    """Run every scenario, several at a time; the market first, because it takes longest.

    Raises
    ------
    DlmpError
        The first error of a scenario.
    """
    _check(study)
    output.mkdir(parents=True, exist_ok=True)
    names: list[Scenario] = sorted(MODELS, key=lambda name: name != "market")
    context = multiprocessing.get_context("spawn")
    with (
        TemporaryDirectory() as signs,
        ProcessPoolExecutor(min(jobs, len(names)), mp_context=context) as pool,
    ):
        folders = {name: Path(signs) / name for name in names}
        running = {name: pool.submit(run_one, variant(study, name, output), folders[name]) for name in names}
        _watch(running, folders, study.clock.intervals)
    for future in running.values():
        future.result()


def _check(study: Study) -> None:
    """Read everything that the runs will read, so that what is wrong is said once and before they start."""
    load_series(study)
    find_model(study.scenario.market.model, where=f"{study.scenario_file} market.model")
    for name in ROLES:
        study.config(name)
    check_network(study.network)


def run_one(study: Study, signs: Path) -> None:
    """Run one scenario in a process of its own, which says in a folder how far it is."""
    os.environ.pop(RESULTS_VARIABLE, None)
    run_local(study, signs=signs)


def _watch(
    running: Mapping[Scenario, Future[None]], folders: Mapping[Scenario, Path], intervals: int
) -> None:
    """Show how far every scenario is, until all have ended or one has failed."""
    with _progress(running, intervals) as (bar, tasks):
        while True:
            ended, left = wait(running.values(), timeout=POLL_S)
            for name, task in tasks.items():
                sign = read_sign(folders[name], WATCHED)
                if sign is not None and "interval" in sign.beat.figures:
                    bar.update(task, completed=float(sign.beat.figures["interval"]))
            if any(future.exception() for future in ended):
                for future in left:
                    future.cancel()
                return
            if not left:
                return


@contextmanager
def _progress(names: Iterable[Scenario], intervals: int) -> Iterator[tuple[Progress, dict[Scenario, TaskID]]]:
    """Show one bar per scenario on a terminal; nothing elsewhere."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), MofNCompleteColumn())
    with Progress(
        *columns, TimeElapsedColumn(), console=console, disable=not console.is_terminal, transient=True
    ) as bar:
        yield bar, {name: bar.add_task(TITLES[name], total=intervals) for name in names}


def read_outcome(output: Path, name: Scenario, rates: Rates) -> Outcome:
    """Read what a scenario came to; the market's settlement is stored in its file.

    Raises
    ------
    ResultsError
        When its results cannot be used.
    """
    path = results_file(output, name)
    with Results(path) as results:
        account = account_for(results, rates)
        voltage = results.values("feeder/voltage_magnitude")
        outcome = Outcome(
            scenario=name,
            money=account.money,
            energy_kwh=energy(account),
            use_by_hour_kwh=by_hour(account, results.period_h),
            dearest_hour=dearest_hour(account, results.period_h),
            voltage_low_pu=float(voltage.min()),
            voltage_high_pu=float(voltage.max()),
            violations=int(results.values("audit/violations").sum()),
        )
    if account.settlement is not None:
        store_settlement(path, account.settlement)
    return outcome


def energy(account: Account) -> dict[str, float]:
    """Sum the energy of a run up by kind [kWh]."""
    seen = account.metered
    return {
        "load": float(seen.load.sum()),
        "dg": float(seen.generation.sum()),
        "flex": float(seen.spared.sum()),
        "wholesale": float(seen.head.sum()),
        "losses": float(seen.losses.sum()),
    }


def by_hour(account: Account, hours: float) -> list[float]:
    """Sum generation and curtailment of every hour of the run up [kWh]."""
    use = account.metered.generation.sum(axis=1) + account.metered.spared
    return [float(use[first:last].sum()) for first, last in _hours(len(use), hours)]


def dearest_hour(account: Account, hours: float) -> int:
    """Hour of the run with the highest mean LMP, counted from 0."""
    lmp = account.metered.lmp
    means = [float(lmp[first:last].mean()) for first, last in _hours(len(lmp), hours)]
    return means.index(max(means))


def _hours(n: int, hours: float) -> Iterator[tuple[int, int]]:
    step = max(round(1.0 / hours), 1)
    return ((k, min(k + step, n)) for k in range(0, n, step))


def as_table(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Write the comparison as plain data; money in $, energy in kWh."""
    return {
        item.scenario: {
            **asdict(item),
            "net_revenue_usd": item.money.net_usd,
            "net_revenue_printed_usd": item.money.net_printed_usd,
        }
        for item in outcomes
    }


def show(outcomes: Sequence[Outcome], console: Console) -> None:
    """Print the comparison for people."""
    money = Table("$", *(TITLES[item.scenario] for item in outcomes), title="Money", title_justify="left")
    for label, name in (
        ("load revenue", "load_usd"),
        ("paid to generators", "dg_usd"),
        ("paid for curtailment", "flex_usd"),
        ("wholesale purchase", "wholesale_usd"),
        ("net revenue of the operator", "net_usd"),
        ("wholesale cost of all loads", "wholesale_of_loads_usd"),
        ("net revenue by the printed formulas", "net_printed_usd"),
    ):
        money.add_row(label, *(f"{getattr(item.money, name):,.2f}" for item in outcomes))
    rest = Table("kWh", *(TITLES[item.scenario] for item in outcomes), title="Energy", title_justify="left")
    for label, key in (
        ("loads", "load"), ("generators", "dg"), ("curtailed", "flex"),
        ("wholesale", "wholesale"), ("losses", "losses"),
    ):  # fmt: skip
        rest.add_row(label, *(f"{item.energy_kwh[key]:,.0f}" for item in outcomes))
    rest.add_row("lowest voltage, pu", *(f"{item.voltage_low_pu:.4f}" for item in outcomes))
    rest.add_row("highest voltage, pu", *(f"{item.voltage_high_pu:.4f}" for item in outcomes))
    rest.add_row("limits broken", *(f"{item.violations}" for item in outcomes))
    console.print(money)
    console.print(rest)
