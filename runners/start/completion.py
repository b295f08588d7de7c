"""`dlmp completion`: what a shell needs to complete commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

FILES = {"bash": "~/.bashrc", "zsh": "~/.zshrc", "fish": "~/.config/fish/completions/dlmp.fish"}


@click.command(
    "completion",
    epilog="\b\nExamples:\n  dlmp completion bash >> ~/.bashrc\n  dlmp completion zsh >> ~/.zshrc"
    "\n  dlmp completion fish > ~/.config/fish/completions/dlmp.fish",
)
@click.argument("shell", type=click.Choice(list(FILES)))
@click.pass_context
def completion_command(ctx: click.Context, shell: str) -> None:
    """Print the lines by which SHELL completes commands and options of dlmp."""
    group = ctx.find_root().command
    kind = get_completion_class(shell)
    if kind is None:
        raise click.ClickException(f"click does not know how to complete in {shell}")
    click.echo(kind(group, {}, "dlmp", "_DLMP_COMPLETE").source())
