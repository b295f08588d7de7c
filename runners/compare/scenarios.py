"""`dlmp scenarios` runs the same day under four tariffs and under the market, and compares them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.federates.runtime.local import ROLES
from dlmp_cosim.federates.study.series import load_series
from dlmp_cosim.federates.study.study import Study
from dlmp_cosim.feeders.errors import DlmpError
from dlmp_cosim.feeders.validate import check_network
from dlmp_cosim.market.models import find_model
from dlmp_cosim.market.money.payment_schemes import MODELS, TITLES, Money, Rates, Scenario
from dlmp_cosim.market.money.settlement import CurtailmentRule
from dlmp_cosim.runners.arguments import StudyName, finite
from dlmp_cosim.runners.judge.ledger import Account, account_for, curtailment_rule, store_settlement
from dlmp_cosim.runners.judge.performance import as_plain, performance
from dlmp_cosim.runners.plain_table import Rows
from dlmp_cosim.runners.run.find import find_study
from dlmp_cosim.runners.sweep.studies import run_studies

REPORT = "scenarios.json"


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
    rule : {"paper", "net"}
        What the market pays for curtailment.
    metrics : mapping
        How the operator performed.
    """

    scenario: Scenario
    money: Money
    energy_kwh: dict[str, float]
    use_by_hour_kwh: list[float]
    dearest_hour: int
    voltage_low_pu: float
    voltage_high_pu: float
    violations: int
    rule: CurtailmentRule = "paper"
    metrics: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Name of its own: the market is there by either rule."""
        return f"{self.scenario}_net" if self.rule == "net" else self.scenario

    @property
    def title(self) -> str:
        """Heading of its column."""
        return f"{TITLES[self.scenario]}, net" if self.rule == "net" else TITLES[self.scenario]


@click.command("scenarios", epilog="\b\nExample:\n  dlmp scenarios ieee123_day -o results/scenarios")
@click.argument("study", type=StudyName())
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path, file_okay=False))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--retail", default=Rates().retail, show_default=True, callback=finite, help="Retail rate [$/kWh]."
)
@click.option(
    "--purchase",
    default=Rates().purchase,
    show_default=True,
    callback=finite,
    help="Rate of exports [$/kWh].",
)
@click.option("--jobs", type=click.IntRange(1), help="Runs at once on this machine; one a core by default.")
@click.option("--scheduler", default="", help="Address of a Dask scheduler to use instead.")
def scenarios_command(
    study: str,
    output: Path,
    as_json: bool,
    retail: float,
    purchase: float,
    jobs: int | None,
    scheduler: str,
) -> None:
    """Run STUDY under four tariffs and under its market, and compare who pays.

    The market is there twice: "Market" pays flexible loads the d-LMP for what they do not consume, on top of
    not buying it, as the published formulas have it; "Market, net" leaves them the saving alone.

    STUDY is a study folder, a runner file, or the name of one in runners/. Every scenario goes through the AC
    physics and leaves its own results file in the output folder.
    """
    try:
        found = find_study(study)
        run_all(found, output, jobs or 0, scheduler)
        outcomes = [
            *(read_outcome(output, name, Rates(retail, purchase), "paper") for name in MODELS),
            read_outcome(output, "market", Rates(retail, purchase), "net"),
        ]
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
    """Return the study that runs one scenario, with its results in the output folder.

    Parameters
    ----------
    study : Study
        The study; its own market model is that of the scenario "market".
    name : str
        Name of the scenario.
    output : Path
        Output folder.
    """
    scenario, model = study.scenario, study.scenario.market.model
    named = scenario.study.model_copy(update={"name": f"{scenario.study.name}_{name}"})
    market = scenario.market.model_copy(update={"model": model if name == "market" else MODELS[name]})
    results = scenario.results.model_copy(update={"file": str(results_file(output, name).absolute())})
    changed = scenario.model_copy(update={"study": named, "market": market, "results": results})
    return replace(study, scenario=changed)


def results_file(output: Path, name: Scenario) -> Path:
    """Where a scenario's results are.

    Parameters
    ----------
    output : Path
        Output folder.
    name : str
        Name of the scenario.
    """
    return output / f"{name}.h5"


def run_all(study: Study, output: Path, jobs: int, scheduler: str = "") -> None:
    """Run every scenario, several at a time; the market first, because it takes longest.

    Parameters
    ----------
    study : Study
        The study.
    output : Path
        Output folder.
    jobs : int
        Scenarios that run at a time.
    scheduler : str
        Address of a Dask scheduler; empty for workers on this machine.

    Raises
    ------
    DlmpError
        The first error of a scenario.
    """
    _check(study)
    names: list[Scenario] = sorted(MODELS, key=lambda name: name != "market")
    studies = [variant(study, name, output) for name in names]
    run_studies(studies, title="scenarios", scheduler=scheduler, workers=jobs)


def _check(study: Study) -> None:
    """Read everything that the runs will read, so that what is wrong is said once and before they start."""
    load_series(study)
    find_model(study.scenario.market.model, where=f"{study.scenario_file} market.model")
    for name in ROLES:
        study.config(name)
    check_network(study.network)


def read_outcome(output: Path, name: Scenario, rates: Rates, rule: CurtailmentRule | None = None) -> Outcome:
    """Read what a scenario came to; the market's settlement is stored in its file, by its scenario's rule.

    Parameters
    ----------
    output : Path
        Where the results are.
    name : str
        Which scenario.
    rates : Rates
        Of the tariffs.
    rule : {"paper", "net"}, optional
        What the market pays for curtailment; by default as its scenario says.

    Raises
    ------
    ResultsError
        When its results cannot be used.
    """
    path = results_file(output, name)
    with Results(path) as results:
        own = curtailment_rule(results)
        account = account_for(results, rates, rule or own)
        voltage = results.values("feeder/voltage_magnitude")
        outcome = Outcome(
            scenario=name,
            rule=rule or own,
            money=account.money,
            energy_kwh=energy(account),
            use_by_hour_kwh=by_hour(account, results.period_h),
            dearest_hour=dearest_hour(account, results.period_h),
            voltage_low_pu=float(voltage.min()),
            voltage_high_pu=float(voltage.max()),
            violations=int(results.values("audit/violations").sum()),
            metrics=as_plain(performance(results, account)),
        )
    if account.settlement is not None and rule in (None, own):
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
    """Sum generation and curtailment of every hour of the run up [kWh].

    Parameters
    ----------
    account : Account
        Energy of every interval of the run.
    hours : float
        Length of an interval [h].
    """
    use = account.metered.generation.sum(axis=1) + account.metered.spared
    return [float(use[first:last].sum()) for first, last in _hours(len(use), hours)]


def dearest_hour(account: Account, hours: float) -> int:
    """Hour of the run with the highest mean LMP, counted from 0.

    Parameters
    ----------
    account : Account
        LMP of every interval of the run.
    hours : float
        Length of an interval [h].
    """
    lmp = account.metered.lmp
    means = [float(lmp[first:last].mean()) for first, last in _hours(len(lmp), hours)]
    return means.index(max(means))


def _hours(n: int, hours: float) -> Iterator[tuple[int, int]]:
    step = max(round(1.0 / hours), 1)
    return ((k, min(k + step, n)) for k in range(0, n, step))


def as_table(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Write the comparison as plain data; money in $, energy in kWh."""
    return {
        item.key: {
            **asdict(item),
            "net_revenue_usd": item.money.net_usd,
            "net_revenue_printed_usd": item.money.net_printed_usd,
        }
        for item in outcomes
    }


def show(outcomes: Sequence[Outcome], console: Console) -> None:
    """Print the comparison for people.

    Parameters
    ----------
    outcomes : sequence of Outcome
        What every scenario came to; a column each.
    console : Console
        Where to.
    """
    money = Rows("$", *(item.title for item in outcomes), title="Money")
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
    rest = Rows("kWh", *(item.title for item in outcomes), title="Energy")
    for label, key in (
        ("loads", "load"), ("generators", "dg"), ("curtailed", "flex"),
        ("wholesale", "wholesale"), ("losses", "losses"),
    ):  # fmt: skip
        rest.add_row(label, *(f"{item.energy_kwh[key]:,.0f}" for item in outcomes))
    rest.add_row("lowest voltage, pu", *(f"{item.voltage_low_pu:.4f}" for item in outcomes))
    rest.add_row("highest voltage, pu", *(f"{item.voltage_high_pu:.4f}" for item in outcomes))
    rest.add_row("limits broken", *(f"{item.violations}" for item in outcomes))
    money.print(console)
    rest.print(console)
