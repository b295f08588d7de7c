"""`dlmp compare`: run variants of a study side by side and hold them against AC physics."""

from __future__ import annotations

import itertools
import json
import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import numpy as np
from rich import box
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from federates.results.run import Results
from federates.study.study import Study, load_study
from feeders.errors import DlmpError, InputError, nearest_name
from feeders.network import FloatArray
from market.audit import IntervalRecord
from runners.compare.variants import Variant, read_cases, write_variant
from runners.judge.verdict import read_records

COLUMNS = (
    ("violations", "broken"),
    ("minutes", "min"),
    ("worst_voltage_pu", "volt pu"),
    ("worst_overload", "load pu"),
    ("unpriced", "unpriced"),
    ("voltage_error_pu", "error pu"),
    ("head_error_kw", "error kW"),
    ("cost_usd", "cost $"),
    ("dlmp_spread", "spread"),
    ("rounds_mean", "rounds"),
)
"""Columns of the table: metric, and its head."""
LEGEND = (
    "broken: limits broken in AC, over nodes, conductors and intervals; min: minutes with any; "
    "volt, load: largest excess of a voltage, and of a current over its rating; "
    "unpriced: broken without a price from the market; "
    "error: prediction against AC before controls acted, voltage and head power; "
    "spread: mean of highest less lowest d-LMP [$/MWh]"
)


@dataclass(frozen=True)
class Metrics:
    """What one variant came to.

    Attributes
    ----------
    name : str
        Name of the variant.
    titles : tuple of str
        Title on every axis.
    intervals : int
        Intervals finished.
    violations, unpriced : int
        Limits broken in AC, over nodes, conductors and intervals, and how many of them had no price.
    minutes : float
        Time with at least one limit broken [min].
    worst_voltage_pu, worst_overload : float
        Largest excess of a voltage [pu], and of a current over its rating [pu of the rating].
    voltage_error_pu, head_error_kw : float
        Largest difference between the final prediction and AC, before controls acted.
    cost_usd : float
        Wholesale purchase and offered costs of what was dispatched, from AC quantities [$].
    dlmp_low, dlmp_high, dlmp_spread : float
        Lowest and highest price of real power, and the mean over time of highest less lowest [$/MWh].
    rounds_mean, rounds_max : float
        Clearings per interval.
    unsettled : int
        Intervals in which prediction and AC did not agree.
    voltage_low, voltage_high : float
        Lowest and highest AC voltage [pu].
    predicted_low : float
        Lowest voltage that the market expected [pu].
    """

    name: str
    titles: tuple[str, ...]
    intervals: int
    violations: int
    unpriced: int
    minutes: float
    worst_voltage_pu: float
    worst_overload: float
    voltage_error_pu: float
    head_error_kw: float
    cost_usd: float
    dlmp_low: float
    dlmp_high: float
    dlmp_spread: float
    rounds_mean: float
    rounds_max: float
    unsettled: int
    voltage_low: float
    voltage_high: float
    predicted_low: float


def choose(variants: Sequence[Variant], only: Sequence[str], cases: Path) -> list[Variant]:
    """Choose the variants whose name contains any of some texts; all when there are none.

    Raises
    ------
    InputError
        When a text is in no name.
    """
    names = [variant.name for variant in variants]
    for part in only:
        if not any(part in name for name in names):
            raise InputError(
                f"no variant's name contains {part!r}",
                where=f"{cases} --only",
                expected="a part of a name such as " + names[0],
                nearest=nearest_name(part, names),
            )
    return [variant for variant in variants if not only or any(part in variant.name for part in only)]


@click.command("compare")
@click.argument("cases", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path, file_okay=False), required=True)
@click.option("--jobs", type=click.IntRange(1), default=2, show_default=True, help="Runs at once.")
@click.option("--only", multiple=True, help="Run only variants whose name contains this; repeatable.")
@click.option("--figures/--no-figures", default=True, show_default=True, help="Draw pictures (report extra).")
def compare_command(cases: Path, output: Path, jobs: int, only: tuple[str, ...], figures: bool) -> None:
    """Run every variant of CASES and compare their verdicts.

    CASES is a file such as configs/comparison/cases.toml: a base study, and lists of named overrides whose
    product is run. Each variant becomes a study of its own below the output folder, with its results; the
    comparison is printed and written to comparison.json and comparison.md.
    """
    try:
        base, variants = read_cases(cases)
        chosen = choose(variants, only, cases)
        studies = [write_variant(base, variant, cases.parent, output / variant.name) for variant in chosen]
        found = run_all(studies, chosen, jobs)
    except DlmpError as error:
        raise click.ClickException(str(error)) from error
    (output / "comparison.json").write_text(json.dumps([asdict(item) for item in found], indent=2))
    (output / "comparison.md").write_text(markdown(found))
    console = Console()
    for table in as_tables(found):
        console.print(table)
    console.print(LEGEND)
    if figures:
        from runners.compare.figures import draw

        for path in draw(found, output):
            click.echo(path)


def run_all(studies: list[Study], variants: list[Variant], jobs: int) -> list[Metrics]:
    """Run all studies, `jobs` at a time, each in a process of its own; returned in order."""
    found: dict[int, Metrics] = {}
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context, max_tasks_per_child=1) as pool, Progress() as progress:
        task = progress.add_task("variants", total=len(studies))
        waiting = {
            pool.submit(run_one, study.folder, variant.titles): k
            for k, (study, variant) in enumerate(zip(studies, variants, strict=True))
        }
        for done in as_completed(waiting):
            found[waiting[done]] = done.result()
            progress.advance(task)
    return [found[k] for k in range(len(studies))]


def run_one(folder: Path, titles: tuple[str, ...]) -> Metrics:
    """Run one study, all federates in this process, and measure it."""
    from federates.runtime.local import run_local

    study = load_study(folder)
    run_local(study)
    with Results(study.results_file) as run:
        return measure(run, study, titles)


def measure(run: Results, study: Study, titles: tuple[str, ...]) -> Metrics:
    """Measure a finished run.

    Parameters
    ----------
    run : Results
        Its results.
    study : Study
        Its study, for the terms of the assets.
    titles : tuple of str
        Titles of the variant.
    """
    records = read_records(run)
    price, voltage = run.values("market/dlmp_real"), run.values("feeder/voltage_magnitude")
    broken = [record.verdict.violations for record in records]
    rounds = run.values("audit/rounds")
    return Metrics(
        name=study.name,
        titles=titles,
        intervals=run.intervals,
        violations=sum(map(len, broken)),
        unpriced=sum(len(record.verdict.unpriced) for record in records),
        minutes=60 * run.period_h * sum(map(bool, broken)),
        worst_voltage_pu=max((v.excess for v in itertools.chain(*broken) if v.kind != "rating"), default=0.0),
        worst_overload=max((v.excess for v in itertools.chain(*broken) if v.kind == "rating"), default=0.0),
        voltage_error_pu=_largest(records, "voltage_error_pu"),
        head_error_kw=_largest(records, "head_error_kw"),
        cost_usd=realised_cost(run, study),
        dlmp_low=float(price.min()),
        dlmp_high=float(price.max()),
        dlmp_spread=float((price.max(axis=1) - price.min(axis=1)).mean()),
        rounds_mean=float(rounds.mean()),
        rounds_max=float(rounds.max()),
        unsettled=int((run.values("audit/settled") == 0).sum()),
        voltage_low=float(voltage.min()),
        voltage_high=float(voltage.max()),
        predicted_low=float(run.values("market/predicted_voltage_magnitude").min()),
    )


def realised_cost(run: Results, study: Study) -> float:
    """Wholesale purchase and offered costs of the dispatch, from AC quantities [$]."""
    head = run.values("feeder/head_power_real").sum(axis=1)
    power = run.values("market/dispatch_real")
    by_name = {terms.resource: terms for terms in study.terms}
    terms = [by_name[name] for name in run.ids("market/dispatch_real")]
    linear: FloatArray = np.array([item.cost_linear for item in terms])
    quadratic: FloatArray = np.array([item.cost_quadratic for item in terms])
    offered = power @ linear + power**2 @ quadratic / 2
    return float((run.values("wholesale/lmp") * head + offered).sum() * run.period_h / 1e3)


def blocks(found: list[Metrics]) -> dict[tuple[str, ...], list[Metrics]]:
    """Group variants that differ in the last axis only."""
    groups: dict[tuple[str, ...], list[Metrics]] = {}
    for item in found:
        groups.setdefault(item.titles[:-1], []).append(item)
    return groups


def as_tables(found: list[Metrics]) -> list[Table]:
    """One table for each group, one line for each variant."""
    tables = []
    for titles, items in blocks(found).items():
        table = Table(title=", ".join(titles), title_justify="left", box=box.SIMPLE, padding=(0, 1, 0, 0))
        table.add_column("", min_width=16)
        for _, head in COLUMNS:
            table.add_column(head, justify="right")
        for item in items:
            table.add_row(item.titles[-1], *(_text(getattr(item, key)) for key, _ in COLUMNS))
        tables.append(table)
    return tables


def markdown(found: list[Metrics]) -> str:
    """Write the table in Markdown, one block per loading and regulation."""
    heads = ["market", *(head for _, head in COLUMNS)]
    lines = [LEGEND, ""]
    for titles, items in blocks(found).items():
        lines += [
            f"**{', '.join(titles)}**",
            "",
            "| " + " | ".join(heads) + " |",
            "| --- " * len(heads) + "|",
        ]
        for item in items:
            cells = [item.titles[-1], *(_text(getattr(item, key)) for key, _ in COLUMNS)]
            lines.append("| " + " | ".join(cells) + " |")
        lines.append("")
    return "\n".join(lines)


def _largest(records: list[IntervalRecord], name: str) -> float:
    values = np.abs([getattr(record, name) for record in records])
    return float(np.nanmax(values)) if not np.isnan(values).all() else float("nan")


def _text(value: float) -> str:
    if isinstance(value, int) or float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2g}"
