"""`dlmp compare`: run variants of a study side by side and hold them against AC physics."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.federates.study.study import Study
from dlmp_cosim.feeders.errors import DlmpError, InputError, nearest_name
from dlmp_cosim.runners.compare.metrics import Metrics, blocks, measure
from dlmp_cosim.runners.compare.variants import Variant, read_cases, write_variant
from dlmp_cosim.runners.judge.figure import Figure
from dlmp_cosim.runners.judge.metrics_shown import metric_figures
from dlmp_cosim.runners.judge.performance import as_plain
from dlmp_cosim.runners.plain_json import finite
from dlmp_cosim.runners.plain_table import Rows
from dlmp_cosim.runners.sweep.studies import run_studies

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

    Parameters
    ----------
    variants : sequence of Variant
        What there is to run, in order.
    only : sequence of str
        Parts of names.
    cases : Path
        File that lists the variants, for the message.

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
@click.option("--jobs", type=click.IntRange(1), help="Runs at once on this machine; one a core by default.")
@click.option("--scheduler", default="", help="Address of a Dask scheduler to use instead.")
@click.option("--only", multiple=True, help="Run only variants whose name contains this; repeatable.")
@click.option("--figures/--no-figures", default=True, show_default=True, help="Draw pictures (report extra).")
def compare_command(
    cases: Path, output: Path, jobs: int | None, scheduler: str, only: tuple[str, ...], figures: bool
) -> None:
    """Run every variant of CASES and compare their verdicts.

    CASES is a file such as configs/comparison/cases.toml: a base study, and lists of named overrides whose
    product is run. Each variant becomes a study of its own below the output folder, with its results; the
    comparison is printed and written to comparison.json and comparison.md.
    """
    try:
        base, variants = read_cases(cases)
        chosen = choose(variants, only, cases)
        studies = [write_variant(base, variant, cases.parent, output / variant.name) for variant in chosen]
        run_studies(studies, title="variants", scheduler=scheduler, workers=jobs or 0)
        found = [measured(study, variant) for study, variant in zip(studies, chosen, strict=True)]
    except DlmpError as error:
        raise click.ClickException(str(error)) from error
    (output / "comparison.json").write_text(json.dumps([plain(item) for item in found], indent=2))
    (output / "comparison.md").write_text(markdown(found), encoding="utf-8")
    console = Console()
    for table in as_tables(found):
        table.print(console)
    console.print(LEGEND)
    if figures:
        from dlmp_cosim.runners.compare.figures import draw

        for path in draw(found, output):
            click.echo(path)


def plain(item: Metrics) -> dict[str, Any]:
    """Return a variant as plain data; metrics that its scenario does not ask for are not there."""
    table: dict[str, Any] = finite(asdict(item))
    return table | {"metrics": as_plain(item.metrics)}


def measured(study: Study, variant: Variant) -> Metrics:
    """Measure a variant that has run.

    Parameters
    ----------
    study : Study
        The study of the variant; its results file is read.
    variant : Variant
        Gives the titles.
    """
    with Results(study.results_file) as run:
        return measure(run, study, variant.titles)


def as_tables(found: list[Metrics]) -> list[Rows]:
    """One table for each group, one line for each variant."""
    tables = []
    for titles, items in blocks(found).items():
        table = Rows("market", *(head for _, head in COLUMNS), title=", ".join(titles))
        for item in items:
            table.add_row(item.titles[-1], *(_text(getattr(item, key)) for key, _ in COLUMNS))
        tables += [table, _metrics_table(items)]
    return tables


def _metrics_table(items: list[Metrics]) -> Rows:
    """One line for each metric, one column for each variant."""
    table = Rows("metric", *(item.titles[-1] for item in items))
    for row in metric_rows(items):
        table.add_row(*row)
    return table


def metric_rows(items: list[Metrics]) -> list[tuple[str, ...]]:
    """Write every metric of variants that are shown side by side; one that a variant lacks is empty there."""
    columns = [{figure.title: figure for figure in metric_figures(item.metrics)} for item in items]
    rows = []
    for title in dict.fromkeys(title for column in columns for title in column):
        unit = next(column[title].unit for column in columns if title in column)
        cells = [_cell(column.get(title)) for column in columns]
        rows.append((f"{title} [{unit}]" if unit else title, *cells))
    return rows


def _cell(figure: Figure | None) -> str:
    return "" if figure is None or math.isnan(figure.value) else f"{figure.value:,.{figure.digits}f}"


def markdown(found: list[Metrics]) -> str:
    """Write the table in Markdown, one block per loading and regulation."""
    heads = ["market", *(head for _, head in COLUMNS)]
    lines = [LEGEND, ""]
    for titles, items in blocks(found).items():
        lines += [
            f"**{', '.join(titles)}**",
            "",
            _markdown_row(heads),
            "| --- " * len(heads) + "|",
        ]
        lines += [
            _markdown_row([item.titles[-1], *(_text(getattr(item, key)) for key, _ in COLUMNS)])
            for item in items
        ]
        lines += ["", _markdown_row(["metric", *(item.titles[-1] for item in items)])]
        lines.append("| --- " * (1 + len(items)) + "|")
        lines += map(_markdown_row, metric_rows(items))
        lines.append("")
    return "\n".join(lines)


def _markdown_row(cells: Sequence[str]) -> str:
    """Write a row; a line within a name is none between cells."""
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


def _text(value: float) -> str:
    if isinstance(value, int) or float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2g}"
