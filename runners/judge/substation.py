"""The verdict of a run of several feeders: the substation's own, and that of every feeder beside it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import click
import numpy as np
from rich.console import Console

from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.federates.study.substation import SubstationScenario
from dlmp_cosim.feeders.errors import ResultsError
from dlmp_cosim.feeders.network import FloatArray
from dlmp_cosim.market.audit import judge_run
from dlmp_cosim.market.substation.verdict import SharedViolation, find_shared_violations, worst
from dlmp_cosim.runners.judge.ancillary import AncillaryVerdict, judge_ancillary
from dlmp_cosim.runners.judge.ancillary_shown import show_ancillary
from dlmp_cosim.runners.judge.verdict import EXIT_CODES, SUBSTATION_MARK, read_records, unserved_kwh
from dlmp_cosim.runners.plain_table import Rows, say

Status = Literal["feasible", "violated", "unknown"]


@dataclass(frozen=True)
class FeederVerdict:
    """What became of one feeder.

    Attributes
    ----------
    name : str
        The feeder.
    status : str
        Its own verdict; unknown when its results are not there, cut short, or it stopped.
    intervals, settled : int
        Intervals that finished, and in which its market and physics agreed.
    violations : int
        Limits of its own that were broken, over all intervals.
    unserved_kwh : float
        Demand of customers while its head was open [kWh].
    stopped : str
        Why it stopped; empty when it did not.
    """

    name: str
    status: Status
    intervals: int
    settled: int
    violations: int
    unserved_kwh: float = 0.0
    stopped: str = ""


@dataclass(frozen=True)
class SubstationVerdict:
    """The judgement of a run of several feeders.

    Attributes
    ----------
    status : str
        Worst of all: violated, unknown, or feasible.
    intervals, expected : int
        Intervals that finished, and that there are.
    settled : int
        Intervals in which every feeder settled at the adder that holds.
    with_adder : int
        Intervals with an adder.
    adder_max : float
        Largest adder by magnitude [$/MWh].
    peak_kw : float
        Most power that all feeders drew [kW].
    violations : tuple of SharedViolation
        Shared limits that were broken.
    feeders : tuple of FeederVerdict
        Every feeder.
    ancillary : AncillaryVerdict, optional
        How its ancillary market did; what of it is part of the status its scenario says.
    """

    status: Status
    intervals: int
    expected: int
    settled: int
    with_adder: int
    adder_max: float
    peak_kw: float
    violations: tuple[SharedViolation, ...]
    feeders: tuple[FeederVerdict, ...]
    ancillary: AncillaryVerdict | None = None


def judge_substation(run: Results) -> SubstationVerdict:
    """Judge a run by its results; those of the feeders lie beside them.

    Parameters
    ----------
    run : Results
        Results of the substation.

    Raises
    ------
    ResultsError
        When they lack something.
    """
    scenario = SubstationScenario.model_validate(run.scenario)
    rules, adder = scenario.substation, run.values("substation/adder")
    kw = run.values("substation/head_power_real")
    drawn = kw + 1j * run.values("substation/head_power_reactive")
    broken = find_shared_violations(rules.rules, drawn, 60.0 * run.period_h, rules.tolerance_kw)
    stopped = _stopped(run)
    folder = run.path.parent
    feeders = tuple(
        _feeder(folder / f"{item.name}.h5", item.name, stopped.get(item.name, ""))
        for item in scenario.feeders
    )
    found = {feeder.status for feeder in feeders} | {"violated" if broken else "feasible"}
    if not run.complete:
        found.add("unknown")
    ancillary = judge_ancillary(run)
    if ancillary is not None and ancillary.violated:
        found.add("violated")
    order: tuple[Status, ...] = ("violated", "unknown", "feasible")
    return SubstationVerdict(
        status=next(status for status in order if status in found),
        intervals=run.intervals,
        expected=run.expected,
        settled=int(run.values("substation/settled").sum()),
        with_adder=int(np.count_nonzero(adder)),
        adder_max=_furthest(adder),
        peak_kw=float(kw.max(initial=0.0)),
        violations=broken,
        feeders=feeders,
        ancillary=ancillary,
    )


def _furthest(values: FloatArray) -> float:
    return float(values[int(np.abs(values).argmax())]) if len(values) else 0.0


def _stopped(run: Results) -> dict[str, str]:
    """Why feeders stopped, by their names, which each reason begins with."""
    records = run.records(SUBSTATION_MARK)
    reasons = records[-1]["stopped"] if records else []
    return {str(reason).split(" ", 1)[0]: str(reason) for reason in reasons}


def _feeder(path: Path, name: str, stopped: str) -> FeederVerdict:
    try:
        with Results(path) as run:
            records = read_records(run)
            verdict, unserved = judge_run(records), unserved_kwh(run, records)
            complete = run.complete
    except ResultsError:
        return FeederVerdict(name, "unknown", 0, 0, 0, stopped=stopped)
    known = complete and not stopped
    status = verdict.status if known or verdict.status == "violated" else "unknown"
    numbers = (verdict.intervals, verdict.settled, verdict.violations, unserved)
    return FeederVerdict(name, status, *numbers, stopped)


def tell_substation(run: Results, *, as_json: bool) -> int:
    """Print the judgement of a run of several feeders.

    Parameters
    ----------
    run : Results
        Results of the substation; those of the feeders lie beside them.
    as_json : bool
        Whether to print JSON in place of tables.

    Returns
    -------
    int
        Exit code: 0 feasible, 2 violated, 1 unknown.
    """
    verdict = judge_substation(run)
    if as_json:
        table = asdict(verdict)
        if verdict.ancillary is None:
            del table["ancillary"]
        click.echo(json.dumps(table, indent=2))
    else:
        _show(Console(), verdict)
    return EXIT_CODES[verdict.status]


def _show(console: Console, verdict: SubstationVerdict) -> None:
    head = Rows("", "", title=f"verdict: {verdict.status}")
    head.add_row("intervals finished", f"{verdict.intervals} of {verdict.expected}")
    head.add_row("every feeder settled at the adder in", f"{verdict.settled} intervals")
    head.add_row("intervals with an adder", str(verdict.with_adder))
    head.add_row("largest adder", f"{verdict.adder_max:.2f} $/MWh")
    head.add_row("most power drawn together", f"{verdict.peak_kw:,.0f} kW")
    head.add_row("shared limits broken, over all intervals", str(len(verdict.violations)))
    head.print(console)
    furthest = worst(verdict.violations)
    if furthest is not None:
        console.print(
            f"worst: {furthest.cause} in interval {furthest.interval}, "
            f"{furthest.kw:,.1f} kW at a limit of {furthest.limit_kw:,.1f} kW"
        )
    table = Rows("feeder", "verdict", "intervals", "settled", "limits broken")
    for item in verdict.feeders:
        numbers = (item.intervals, item.settled, item.violations)
        table.add_row(item.name, item.status, *map(str, numbers))
    table.print(console)
    for item in verdict.feeders:
        if item.unserved_kwh:
            console.print(f"{item.name}: {item.unserved_kwh:,.1f} kWh were not served, its head was open")
        if item.stopped:
            say(console, item.stopped)
    if verdict.ancillary is not None:
        show_ancillary(console, verdict.ancillary)
