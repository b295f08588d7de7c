"""`dlmp report`: runs on one page, or as pictures for papers."""

from __future__ import annotations

from pathlib import Path

import click

from dlmp_cosim.feeders.errors import DlmpError, InputError
from dlmp_cosim.runners.arguments import ResultsFile
from dlmp_cosim.runners.report.runs import load_views

PICTURES = ("png", "svg", "pdf")


@click.command("report", epilog="\b\nExample:\n  dlmp report results/ieee123_day/results.h5 -o report.html")
@click.argument("results", nargs=-1, required=True, type=ResultsFile())
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="File of the page, or folder of the pictures."
)
@click.option(
    "--format",
    "kind",
    type=click.Choice(["html", *PICTURES]),
    default="html",
    show_default=True,
    help="One page that works offline, or pictures of the first run and of the comparison.",
)
def report_command(results: tuple[Path, ...], output: Path | None, kind: str) -> None:
    """Show RESULTS, the files of one run or of several side by side."""
    try:
        views = load_views(results)
        for view in views:
            if view.missing:
                click.echo(f"{view.path}: {view.missing}", err=True)
        if kind == "html":
            from dlmp_cosim.runners.report.page import build_page

            written = [_write(output or Path("report.html"), build_page(views))]
        else:
            from dlmp_cosim.runners.report.pictures import draw_all

            written = draw_all(views, output or Path(), kind)
    except DlmpError as error:
        raise click.ClickException(str(error)) from error
    for path in written:
        click.echo(f"{path} ({path.stat().st_size / 1e6:.1f} MB)")


def _write(path: Path, text: str) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"cannot be written: {error.strerror}", where=str(path), expected="a writable path"
        ) from None
    return path
