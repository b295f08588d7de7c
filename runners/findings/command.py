"""`dlmp findings`: the table and the figure of a sweep that comes with the project."""

from __future__ import annotations

import importlib
from pathlib import Path

import click
import pyarrow.parquet

from dlmp_cosim.feeders.errors import DlmpError, ResultsError, unknown_name
from dlmp_cosim.runners.api import read_sweep
from dlmp_cosim.runners.sweep.folder import SUMMARY

FINDINGS = {
    "hosting": "dlmp_cosim.runners.findings.hosting",
    "answer": "dlmp_cosim.runners.findings.answer",
    "days": "dlmp_cosim.runners.findings.days",
    "strategic_cost": "dlmp_cosim.runners.findings.strategic",
    "strategic_withheld": "dlmp_cosim.runners.findings.strategic",
}
"""What shows the sweep of each name."""


@click.command("findings", epilog="\b\nExample:\n  dlmp findings results/hosting -o docs/pictures")
@click.argument("results", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, file_okay=False), help="Folder of the figure."
)
def findings_command(results: Path, output: Path | None) -> None:
    """Show what the sweep in RESULTS found: a table in Markdown, and a figure with -o.

    RESULTS is the output folder of a sweep that comes with the project, such as configs/sweeps/hosting.toml.
    """
    try:
        sweep = read_sweep(results)
        name = (pyarrow.parquet.read_schema(results / SUMMARY).metadata or {}).get(b"sweep", b"").decode()
        if name not in FINDINGS:
            raise unknown_name("sweep", name, FINDINGS, where=str(results / SUMMARY))
        shown = importlib.import_module(FINDINGS[name])
        table = shown.table(sweep).reset_index()
        if output is not None:
            output.mkdir(parents=True, exist_ok=True)
            path = output / f"{name}.png"
            shown.draw(sweep).savefig(path, dpi=110, metadata={"Software": None})
            click.echo(f"{path}\n")
    except DlmpError as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(
            str(ResultsError(f"{output}: cannot be written: {error.strerror}"))
        ) from None
    heads = [str(column) for column in table.columns]
    rows = [["" if value != value else f"{value}" for value in row] for row in table.itertuples(index=False)]
    for cells in (heads, ["---"] * len(heads), *rows):
        click.echo("| " + " | ".join(cells) + " |")
