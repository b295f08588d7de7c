"""The command `dlmp`: one line per subcommand; each is imported only when it is asked for."""

from __future__ import annotations

import importlib

import click

COMMANDS: dict[str, tuple[str, str]] = {
    "check": ("runners.run.commands:check_command", "Say what is wrong with a study before anything starts."),
    "import": (
        "runners.write.import_circuit:import_command",
        "Write a study around an OpenDSS circuit of your own.",
    ),
    "wiring": ("runners.write.wiring:wiring_command", "Write out the HELICS files of a study."),
    "run": ("runners.run.commands:run_command", "Run a study under supervision."),
    "summary": ("runners.judge.summary:summary_command", "Say what came out of a run, in a few lines."),
    "verdict": (
        "runners.judge.verdict:verdict_command",
        "Judge a run by its AC states; the exit code says it.",
    ),
    "verify": ("runners.judge.verify:verify_command", "Hold negotiated clearings to the central reference."),
    "bench": (
        "runners.measure.bench:bench_command",
        "Measure rounds and times of a clearing against alternatives.",
    ),
    "crowd": ("runners.measure.crowd:crowd_command", "Measure what more offering federates cost a run."),
    "convergence": (
        "runners.measure.convergence:convergence_command",
        "Find out what makes a negotiation converge.",
    ),
    "compare": (
        "runners.compare.compare:compare_command",
        "Run variants of a study and compare their verdicts.",
    ),
    "settle": (
        "runners.judge.settle:settle_command",
        "Say who pays whom in a run, and store it with the results.",
    ),
    "scenarios": (
        "runners.compare.scenarios:scenarios_command",
        "Run a day under four tariffs and the market.",
    ),
    "replication": (
        "runners.compare.replication:replication_command",
        "Hold runs against the published study.",
    ),
    "tariffs": (
        "runners.judge.tariffs:tariffs_command",
        "Say what a day costs customers under retail tariffs.",
    ),
    "report": ("runners.report.command:report_command", "Show runs on one page, or as pictures."),
    "conform": (
        "runners.conform.command:conform_command",
        "Try your own federate against the contract.",
    ),
    "contract": (
        "runners.conform.contract_page:contract_command",
        "Write the page of topics that federates exchange.",
    ),
    "schema": ("runners.conform.schema:schema_command", "Write the JSON schemas that editors complete by."),
    "isone": (
        "runners.prices.isone:isone_command",
        "Say what ISO New England files hold.",
    ),
    "isone-fetch": ("runners.prices.isone:isone_fetch_command", "Download a day of ISO New England files."),
}
"""Subcommands: where they are, and their line in ``dlmp --help``."""

GUIDE = """
\b
A study is a folder of settings and a runner file that starts it:
  configs/ieee123_day/scenario.toml   what is simulated
  configs/ieee123_day/*.json          one HELICS file per federate
  runners/ieee123_day.json            the processes

\b
From nothing to a result:
  dlmp check ieee123_day              under two seconds, starts nothing
  dlmp run ieee123_day                or: helics run --path=runners/ieee123_day.json
  dlmp summary results/ieee123_day/results.h5
"""


class LazyGroup(click.Group):
    """A group whose commands are imported when used, so that ``--help`` is fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all subcommands."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one subcommand; None when there is none of this name."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module, _, member = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), member)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of subcommands without importing any."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(cls=LazyGroup, help=f"Test retail electricity markets against unbalanced AC physics.\n{GUIDE}")
@click.version_option(package_name="dlmp-cosim")
def main() -> None:
    """Run the command line."""


if __name__ == "__main__":
    main()
