"""`dlmp verdict`: the judgement of a run by AC physics, as a table, as JSON and as an exit code."""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console

from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.feeders.errors import DlmpError, ResultsError
from dlmp_cosim.market.audit import IntervalRecord, RunVerdict, Verdict, Violation, judge_run
from dlmp_cosim.runners.arguments import ResultsFile
from dlmp_cosim.runners.plain_table import Rows

EXIT_CODES = {"feasible": 0, "unknown": 1, "violated": 2}
SUBSTATION_MARK = "substation/record"
"""Dataset by which results are those of several feeders."""
WORST = 10
"""Places that the table names."""


@dataclass(frozen=True)
class Place:
    """Everything that one limit suffered in a run.

    Attributes
    ----------
    kind, where : str
        Which limit.
    intervals : int
        Intervals in which it was broken.
    unpriced : int
        Of these, without a price from the market.
    worst : Violation
        The worst of them.
    """

    kind: str
    where: str
    intervals: int
    unpriced: int
    worst: Violation


@click.command("verdict", epilog="\b\nExample:\n  dlmp verdict results/ieee123_day/results.h5 --json")
@click.argument("results", type=ResultsFile())
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def verdict_command(results: Path, as_json: bool) -> None:
    """Judge a run by its AC states: prediction against physics, and every limit broken.

    Results of a substation are judged with those of its feeders, which lie beside them.

    Exit code 0: feasible, no limit broken beyond tolerance; 2: violated; 1: cannot tell, because nothing ran,
    the run is cut short or a power flow did not converge.
    """
    try:
        with Results(results) as run:
            if SUBSTATION_MARK in run:
                from dlmp_cosim.runners.judge.substation import tell_substation

                raise SystemExit(tell_substation(run, as_json=as_json))
            records = read_records(run)
            notes = read_notes(run)
            verdict, unserved = judge_run(records), unserved_kwh(run, records)
            finished, expected = run.intervals, run.expected
    except DlmpError as error:
        click.echo(f"error: {error}", err=True)
        raise SystemExit(EXIT_CODES["unknown"]) from None
    cut_short = finished < expected
    status = "unknown" if cut_short and verdict.status == "feasible" else verdict.status
    if as_json:
        more = {"notes": notes, "unserved_kwh": unserved}
        click.echo(json.dumps(_plain(verdict, status) | more, indent=2))
    else:
        show(Console(), verdict, places(records), f"{finished} of {expected}", status)
        for note, count in notes.items():
            click.echo(f"in {count} of {finished} intervals {note}")
        if unserved:
            click.echo(f"{unserved:,.1f} kWh were not served: the head of the feeder was open")
    raise SystemExit(EXIT_CODES[status])


def read_records(run: Results) -> list[IntervalRecord]:
    """Read what the audit needs of every finished interval.

    Raises
    ------
    ResultsError
        When the file holds no audit.
    """
    if "audit/verdict" not in run:
        raise ResultsError(f"{run.path}: holds no audit/verdict; was the recorder part of the run?")
    columns = zip(
        run.values("audit/settled"),
        run.values("audit/rounds"),
        run.values("audit/trial_voltage_error"),
        run.values("audit/trial_head_error"),
        run.records("audit/verdict"),
        strict=True,
    )
    return [
        IntervalRecord(bool(settled), int(rounds), float(voltage), float(head), _verdict(record))
        for settled, rounds, voltage, head, record in columns
    ]


def unserved_kwh(run: Results, records: Sequence[IntervalRecord]) -> float:
    """Energy that customers asked for and did not get, because the head of their feeder was open [kWh].

    Parameters
    ----------
    run : Results
        Results of the feeder.
    records : sequence of IntervalRecord
        Its audit, which says when.
    """
    dark = [any(item.kind == "outage" for item in record.verdict.violations) for record in records]
    if not any(dark):
        return 0.0
    return float(run.values("feeder/demand_real")[np.array(dark)].sum()) * run.period_h


def read_notes(run: Results) -> dict[str, int]:
    """Count the intervals in which the market model said something of its own clearing."""
    records = run.records("market/clearing") if "market/clearing" in run else []
    return dict(Counter(str(note) for record in records for note in record.get("notes", ())))


def places(records: Iterable[IntervalRecord]) -> list[Place]:
    """Gather violations by the limit that they break, the worst first."""
    found: dict[tuple[str, str], list[Violation]] = defaultdict(list)
    for record in records:
        for violation in record.verdict.violations:
            found[violation.kind, violation.where].append(violation)
    table = [
        Place(kind, where, len(group), sum(not v.priced for v in group), max(group, key=lambda v: v.excess))
        for (kind, where), group in found.items()
    ]
    return sorted(table, key=lambda place: (-place.worst.excess, place.where))


def show(console: Console, verdict: RunVerdict, found: list[Place], finished: str, status: str) -> None:
    """Print the judgement and the worst places.

    Parameters
    ----------
    console : Console
        Where to.
    verdict : RunVerdict
        The judgement.
    found : list of Place
        Places where limits were broken, the worst first.
    finished : str
        How many intervals have finished, in words.
    status : str
        The judgement in a word.
    """
    head = Rows("", "", title=f"verdict: {status}")
    head.add_row("intervals finished", finished)
    head.add_row("market and physics agreed in", f"{verdict.settled} intervals")
    head.add_row("rounds, at most", str(verdict.rounds_max))
    head.add_row("largest voltage error before controls acted", f"{verdict.voltage_error_max_pu:.2g} pu")
    head.add_row("largest head power error before controls acted", f"{verdict.head_error_max_kw:.2g} kW")
    head.add_row("limits broken, over all intervals", str(verdict.violations))
    head.add_row("of these without a price", str(verdict.violations_unpriced))
    head.print(console)
    if found:
        table = Rows("limit", "where", "intervals", "unpriced", "worst", "limit value")
        for place in found[:WORST]:
            value, limit = f"{place.worst.value:.5g}", f"{place.worst.limit:.5g}"
            table.add_row(place.kind, place.where, str(place.intervals), str(place.unpriced), value, limit)
        table.print(console)
        if len(found) > WORST:
            console.print(f"and {len(found) - WORST} more places")


def _verdict(record: Mapping[str, Any]) -> Verdict:
    numbers = {
        key: math.nan if record[key] is None else float(record[key])
        for key in (
            "voltage_error_pu",
            "branch_error_kw",
            "head_error_kw",
            "losses_error_kw",
            "balance_error_kw",
        )
    }
    violations = tuple(Violation(**violation) for violation in record["violations"])
    return Verdict(converged=bool(record["converged"]), violations=violations, **numbers)


def _plain(verdict: RunVerdict, status: str) -> dict[str, Any]:
    """Plain JSON: not-a-number becomes null."""
    table = {**asdict(verdict), "status": status}
    return {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in table.items()}
