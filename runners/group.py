"""The group of subcommands: imported when used, and no traceback reaches a user."""

from __future__ import annotations

import errno
import importlib
import os
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from dlmp_cosim.feeders.errors import DlmpError, nearest_name
from dlmp_cosim.runners.extras import extra_with, install_command

FAILED, INTERRUPTED = 1, 130
"""Exit codes: it could not be done; it was interrupted from the keyboard."""
TRACEBACK = "DLMP_TRACEBACK"
"""Environment variable that lets an unexpected error through with its traceback."""


class LazyGroup(click.Group):
    """A group whose commands are imported when used, so that ``--help`` is fast.

    Parameters
    ----------
    table : mapping of str to (str, str)
        By name of the subcommand: where it is, as ``module:member``, and its line in ``--help``.
    """

    def __init__(self, *args: Any, table: Mapping[str, tuple[str, str]], **more: Any) -> None:
        super().__init__(*args, **more)
        self.table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all subcommands."""
        del ctx
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one subcommand; None when there is none of this name."""
        del ctx
        if cmd_name not in self.table:
            return None
        module, _, member = self.table[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), member)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the subcommand; one that does not exist is refused with the nearest name."""
        if args and args[0] not in self.table and not args[0].startswith("-"):
            near = nearest_name(args[0], self.table)
            hint = f"; did you mean {near!r}?" if near else ""
            ctx.fail(f"there is no command {args[0]!r}{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of subcommands without importing any."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self.table.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete the name of a subcommand without importing any."""
        names = [
            CompletionItem(name, help=line)
            for name, (_, line) in self.table.items()
            if name.startswith(incomplete)
        ]
        return names or click.Command.shell_complete(self, ctx, incomplete)

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run the command line; whatever goes wrong is one line, ``error: ...``, and an exit code."""
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        try:
            code = super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        except click.Abort:
            code = _say("interrupted", INTERRUPTED)
        except click.ClickException as error:
            code = _refuse(error)
        except (DlmpError, OSError) as error:
            code = _operate(error)
        except Exception as error:  # noqa: BLE001 - the outermost guard
            code = _unexpected(error)
        sys.exit(code if isinstance(code, int) else 0)


def _say(text: str, code: int = FAILED) -> int:
    click.echo(f"error: {text}", err=True)
    return code


def _refuse(error: click.ClickException) -> int:
    """Say what click does not accept, with the usage of the command where that is at fault."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is not None:
        click.echo(f"{context.get_usage()}\nTry '{context.command_path} --help'.", err=True)
    return _say(error.format_message(), error.exit_code)


def _operate(error: DlmpError | OSError) -> int:
    """Say what is wrong with an input, or what the operating system does not allow."""
    if not isinstance(error, OSError):
        return _say(str(error))
    if error.errno == errno.EPIPE:
        # Whoever read our output has had enough, as `head` does: nothing more may be written at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    if error.filename is None:
        return _say(error.strerror or str(error))
    return _say(f"{error.filename}: {(error.strerror or str(error)).lower()}")


def _unexpected(error: Exception) -> int:
    """Name the optional part that is missing; of a defect of ours, keep the traceback and say where."""
    if os.environ.get(TRACEBACK):
        raise error
    if isinstance(error, ModuleNotFoundError) and error.name and extra_with(error.name):
        command = install_command(extra_with(error.name))
        return _say(f"this needs {error.name}, which is not installed; expected {command}")
    handle, name = tempfile.mkstemp(prefix="dlmp-", suffix=".log")
    os.close(handle)
    Path(name).write_text("".join(traceback.format_exception(error)), encoding="utf-8")
    return _say(f"a defect of dlmp-cosim, {type(error).__name__}: {error}; please report it with {name}")
