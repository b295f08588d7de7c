"""`dlmp wiring`: the HELICS files that a study leaves to the contract, written out."""

from __future__ import annotations

from pathlib import Path

import click

from dlmp_cosim.federates.study.wiring import BUILT_IN, write_config
from dlmp_cosim.feeders.errors import DlmpError
from dlmp_cosim.runners.arguments import StudyName
from dlmp_cosim.runners.run.find import find_study


@click.command("wiring", epilog="\b\nExample:\n  dlmp wiring ieee123_day -o /tmp/wiring")
@click.argument("study", type=StudyName())
@click.option("-o", "--output", type=click.Path(path_type=Path, file_okay=False), help="Default: the study.")
def wiring_command(study: str, output: Path | None) -> None:
    """Write the HELICS files of STUDY's built-in federates.

    A study needs none: who publishes and reads what follows from the contract. A file beside the scenario,
    such as market.json, takes the place of what the contract says; start from the ones that this writes.
    """
    try:
        found = find_study(study, own=True)
        folder = output or found.folder
        folder.mkdir(parents=True, exist_ok=True)
        for name in BUILT_IN:
            write_config(found.config(name), folder / f"{name}.json")
            click.echo(folder / f"{name}.json")
    except DlmpError as error:
        raise click.ClickException(str(error)) from error
