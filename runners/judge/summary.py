"""`dlmp summary`: what came out of a run, in a few lines."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import click
import numpy as np
from rich.console import Console

from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.feeders.errors import DlmpError
from dlmp_cosim.feeders.network import FloatArray
from dlmp_cosim.runners.arguments import ResultsFile
from dlmp_cosim.runners.judge.holdings import penalised
from dlmp_cosim.runners.judge.metrics_shown import metric_figures
from dlmp_cosim.runners.judge.performance import Performance, as_plain, performance
from dlmp_cosim.runners.judge.voltage_quality import lit
from dlmp_cosim.runners.plain_json import finite
from dlmp_cosim.runners.plain_table import Rows

KINDS = {
    "voltage_high": "upper voltage at",
    "voltage_low": "lower voltage at",
    "rating": "rating of",
    "outage": "supply at",
}
SHOWN = 3
"""Limits that a summary names."""


@dataclass(frozen=True)
class Summary:
    """Figures of one run; energies are sums over all finished intervals [kWh].

    Attributes
    ----------
    intervals, expected : int
        Intervals finished and asked for.
    lmp_mean, dlmp_mean : float
        Averages over time, and over time and nodes [$/MWh].
    dlmp_low, dlmp_high : float
        Lowest and highest price of real power at any node [$/MWh].
    wholesale_kwh, generation_kwh, curtailed_kwh, losses_kwh, served_kwh : float
        Energy from the source, from resources on the feeder, not consumed (at nominal voltage), lost, served.
    voltage_low, voltage_high : float
        Lowest and highest voltage of what was not dark [pu].
    voltage_low_node, voltage_high_node : str
        Where.
    settled : int
        Intervals in which market and physics agreed.
    rounds_mean, rounds_max : float
        Clearings per interval.
    voltage_error, head_error : float
        Largest difference between prediction and AC before controls acted [pu, kW].
    violations, violations_unpriced : int
        Limits that AC states broke, and how many of them the market had not priced.
    penalty_intervals : int
        Intervals whose prices contain a penalty, because a limit could not be held.
    dlmp_low_unpenalised, dlmp_high_unpenalised : float
        Lowest and highest price in the others [$/MWh].
    binding : mapping of str to int
        Intervals in which a limit had a price, by kind and bus or element, the most frequent first.
    """

    intervals: int
    expected: int
    lmp_mean: float
    dlmp_mean: float
    dlmp_low: float
    dlmp_high: float
    wholesale_kwh: float
    generation_kwh: float
    curtailed_kwh: float
    losses_kwh: float
    served_kwh: float
    voltage_low: float
    voltage_low_node: str
    voltage_high: float
    voltage_high_node: str
    settled: int
    rounds_mean: float
    rounds_max: float
    voltage_error: float
    head_error: float
    violations: int
    violations_unpriced: int
    penalty_intervals: int = 0
    dlmp_low_unpenalised: float = math.nan
    dlmp_high_unpenalised: float = math.nan
    binding: Mapping[str, int] = field(default_factory=dict)


def summarise(results: Results) -> Summary:
    """Sum up the finished intervals of a run.

    Raises
    ------
    ResultsError
        When the file lacks a topic.
    """
    hours = results.period_h
    price, voltage = results.values("market/dlmp_real"), lit(results.values("feeder/voltage_magnitude"))
    nodes = results.ids("feeder/voltage_magnitude")
    flexible = np.array([bool(resource.load) for resource in results.network.resources], dtype=bool)
    lowest, highest = np.fmin.reduce(voltage, axis=None), np.fmax.reduce(voltage, axis=None)
    low, high = (int((voltage == end).argmax()) % len(nodes) for end in (lowest, highest))
    rounds = results.values("audit/rounds")
    high_priced = penalised(results)
    others = np.delete(price, high_priced, axis=0)
    return Summary(
        intervals=results.intervals,
        expected=results.expected,
        lmp_mean=float(results.values("wholesale/lmp").mean()),
        dlmp_mean=float(price.mean()),
        dlmp_low=float(price.min()),
        dlmp_high=float(price.max()),
        wholesale_kwh=hours * float(results.values("feeder/head_power_real").sum()),
        generation_kwh=hours * float(results.values("feeder/injection_real").sum()),
        curtailed_kwh=hours * float(results.values("market/dispatch_real")[:, flexible].sum()),
        losses_kwh=hours * float(results.values("feeder/losses_real").sum()),
        served_kwh=hours * float(results.values("feeder/load_real").sum()),
        voltage_low=float(lowest),
        voltage_low_node=nodes[low],
        voltage_high=float(highest),
        voltage_high_node=nodes[high],
        settled=int(results.values("audit/settled").sum()),
        rounds_mean=float(rounds.mean()),
        rounds_max=float(rounds.max()),
        voltage_error=_largest(results.values("audit/trial_voltage_error")),
        head_error=_largest(results.values("audit/trial_head_error")),
        violations=int(results.values("audit/violations").sum()),
        violations_unpriced=int(results.values("audit/violations_unpriced").sum()),
        binding=binding_limits(results),
        penalty_intervals=len(high_priced),
        dlmp_low_unpenalised=float(others.min()) if others.size else math.nan,
        dlmp_high_unpenalised=float(others.max()) if others.size else math.nan,
    )


def binding_limits(results: Results) -> dict[str, int]:
    """Count the intervals in which each bus or element had a limit with a price, the most frequent first."""
    found: Counter[str] = Counter()
    for record in results.records("market/clearing"):
        limits = record.get("limits", ())
        found.update({f"{KINDS.get(limit['kind'], limit['kind'])} {_owner(limit)}" for limit in limits})
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def _owner(limit: Mapping[str, str]) -> str:
    """Element of a conductor, bus of a voltage."""
    where, mark = limit["where"], {"rating": ":", "outage": ""}.get(limit["kind"], ".")
    return where.rpartition(mark)[0] if mark and mark in where else where


def _largest(values: FloatArray) -> float:
    there = np.abs(values[np.isfinite(values)])
    return float(there.max()) if there.size else float("nan")


def lines(summary: Summary) -> list[tuple[str, str]]:
    """Write the figures for a person."""
    s = summary
    return [
        ("intervals finished", f"{s.intervals} of {s.expected}"),
        ("average LMP", f"{s.lmp_mean:.2f} $/MWh"),
        ("average real d-LMP", f"{s.dlmp_mean:.2f} $/MWh ({s.dlmp_low:.2f} to {s.dlmp_high:.2f})"),
        *_penalties(s),
        ("limits that set prices", _bound(s.binding)),
        ("energy from wholesale", f"{s.wholesale_kwh:,.0f} kWh"),
        ("energy from generators on the feeder", f"{s.generation_kwh:,.0f} kWh"),
        ("demand curtailed", f"{s.curtailed_kwh:,.0f} kWh"),
        ("demand served", f"{s.served_kwh:,.0f} kWh"),
        ("losses", f"{s.losses_kwh:,.0f} kWh"),
        ("lowest voltage", f"{s.voltage_low:.4f} pu at {s.voltage_low_node}"),
        ("highest voltage", f"{s.voltage_high:.4f} pu at {s.voltage_high_node}"),
        ("market and physics agreed", f"in {s.settled} intervals, {s.rounds_mean:.1f} rounds on average"),
        ("largest difference between them", f"{s.voltage_error:.1e} pu, {s.head_error:.2g} kW"),
        ("limits that AC broke", f"{s.violations}, of them not priced by the market {s.violations_unpriced}"),
    ]


def _bound(binding: Mapping[str, int]) -> str:
    shown = [f"{name} in {count}" for name, count in list(binding.items())[:SHOWN]]
    more = [f"{len(binding) - SHOWN} more"] if len(binding) > SHOWN else []
    return "; ".join([*shown, *more]) + (" intervals" if shown else "none")


def _penalties(s: Summary) -> list[tuple[str, str]]:
    if not s.penalty_intervals:
        return []
    span = f"{s.dlmp_low_unpenalised:.2f} to {s.dlmp_high_unpenalised:.2f} $/MWh"
    rest = f"without them {span}" if s.penalty_intervals < s.intervals else "all of them"
    return [("it contains penalty prices", f"in {s.penalty_intervals} intervals; {rest}")]


def show_summary(console: Console, summary: Summary, name: str, results: Path) -> None:
    """Print the figures of a run as a table.

    Parameters
    ----------
    console : Console
        Where to.
    summary : Summary
        The figures.
    name : str
        Title of the table.
    results : Path
        Results file, to be named in it.
    """
    table = Rows("", "", title=name)
    for label, value in lines(summary):
        table.add_row(label, value)
    table.add_row("results", str(results))
    table.print(console)


def show_metrics(console: Console, measured: Performance) -> None:
    """Print the metrics of a run as a table.

    Parameters
    ----------
    console : Console
        Where to.
    measured : Performance
        The metrics; one that is NaN reads "none".
    """
    table = Rows("", "", "", title="Metrics")
    for figure in metric_figures(measured):
        value = "none" if math.isnan(figure.value) else f"{figure.value:,.{figure.digits}f} {figure.unit}"
        table.add_row(figure.title, value.strip(), figure.note)
    table.print(console)


@click.command("summary", epilog="\b\nExample:\n  dlmp summary results/ieee123_day/results.h5")
@click.argument("results", type=ResultsFile())
@click.option("--metrics", is_flag=True, help="The operator's performance too: docs/metrics.md.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def summary_command(results: Path, metrics: bool, as_json: bool) -> None:
    """Say what came out of the run in RESULTS, an HDF5 file."""
    try:
        with Results(results) as found:
            if not found.intervals:
                raise click.ClickException(f"{results}: no interval finished")
            summary, name = summarise(found), str(found.scenario["study"]["name"])
            measured = performance(found) if metrics else None
    except DlmpError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        more = {} if measured is None else {"metrics": as_plain(measured)}
        click.echo(json.dumps(finite(asdict(summary)) | more, indent=2))
    else:
        show_summary(Console(), summary, name, results)
        if measured is not None:
            show_metrics(Console(), measured)
    if summary.intervals < summary.expected:
        raise click.ClickException(f"{summary.expected - summary.intervals} intervals are missing")
