"""`dlmp new`: a copy of an example study, under a name of one's own."""

from __future__ import annotations

from pathlib import Path

import click

from dlmp_cosim.runners.start.examples import DEMO, copy_example, examples, find_example


def _list(ctx: click.Context, _param: click.Parameter, wanted: bool) -> None:
    if not wanted or ctx.resilient_parsing:
        return
    for example in examples().values():
        click.echo(f"{example.name}: {example.title} Verdict: {example.verdict}.")
    ctx.exit()


@click.command(
    "new",
    epilog="\b\nExamples:\n  dlmp new my_study\n  dlmp new fleet --like ieee123_ev"
    "\n  dlmp new hour --set time.intervals=12 --set time.start=2020-08-25T16:00:00",
)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--like", default=DEMO, show_default=True, metavar="EXAMPLE", help="Example study to copy.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Change a value of the scenario.")
@click.option("--name", default="", help="Name of the study; by default that of the folder.")
@click.option(
    "--list",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_list,
    help="List the example studies.",
)
def new_command(folder: Path, like: str, settings: tuple[str, ...], name: str) -> None:
    """Write a study like an example into FOLDER, with all that it needs.

    The copy has its own name, results file and runner file, and runs at once. Change scenario.toml, then:
    dlmp check FOLDER, dlmp run FOLDER. `dlmp keys` lists what a scenario may say.
    """
    called = name or folder.resolve().name
    copy_example(find_example(like), folder, called, settings)
    click.echo(f"{folder} is a study like {like}. Next:")
    click.echo(f"  edit {folder / 'scenario.toml'}\n  dlmp check {folder}\n  dlmp run {folder}")
