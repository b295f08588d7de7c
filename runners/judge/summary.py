"""`dlmp summary`: what came out of a run, in a few lines."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from federates.results.run import Results
from feeders.errors import DlmpError
from feeders.network import FloatArray


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
        Lowest and highest voltage [pu].
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


def summarise(results: Results) -> Summary:
    """Sum up the finished intervals of a run.

    Raises
    ------
    ResultsError
        When the file lacks a topic.
    """
    hours = results.period_h
    price, voltage = results.values("market/dlmp_real"), results.values("feeder/voltage_magnitude")
    nodes = results.ids("feeder/voltage_magnitude")
    flexible = np.array([bool(resource.load) for resource in results.network.resources], dtype=bool)
    low, high = int(voltage.argmin()) % len(nodes), int(voltage.argmax()) % len(nodes)
    rounds = results.values("audit/rounds")
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
        voltage_low=float(voltage.min()),
        voltage_low_node=nodes[low],
        voltage_high=float(voltage.max()),
        voltage_high_node=nodes[high],
        settled=int(results.values("audit/settled").sum()),
        rounds_mean=float(rounds.mean()),
        rounds_max=float(rounds.max()),
        voltage_error=_largest(results.values("audit/trial_voltage_error")),
        head_error=_largest(results.values("audit/trial_head_error")),
        violations=int(results.values("audit/violations").sum()),
        violations_unpriced=int(results.values("audit/violations_unpriced").sum()),
    )


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


@click.command("summary", epilog="\b\nExample:\n  dlmp summary results/ieee123_day/results.h5")
@click.argument("results", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def summary_command(results: Path, as_json: bool) -> None:
    """Say what came out of the run in RESULTS, an HDF5 file."""
    try:
        with Results(results) as found:
            if not found.intervals:
                raise click.ClickException(f"{results}: no interval finished")
            summary, name = summarise(found), str(found.scenario["study"]["name"])
    except DlmpError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps(asdict(summary), indent=2))
        return
    table = Table(title=name, show_header=False, title_justify="left")
    for label, value in lines(summary):
        table.add_row(label, value)
    table.add_row("results", str(results))
    Console().print(table)
    if summary.intervals < summary.expected:
        raise click.ClickException(f"{summary.expected - summary.intervals} intervals are missing")
