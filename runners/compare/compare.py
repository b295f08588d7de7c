"""`dlmp compare`: run variants of a study side by side and hold them against AC physics."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path

import click
from rich import box
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from federates.results.run import Results
from federates.study.study import Study, load_study
from feeders.errors import DlmpError, InputError, nearest_name
from runners.compare.metrics import Metrics, blocks, measure
from runners.compare.variants import Variant, read_cases, write_variant

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


def _text(value: float) -> str:
    if isinstance(value, int) or float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2g}"
