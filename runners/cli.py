"""The command `dlmp`: one line per subcommand; each is imported only when it is asked for."""

from __future__ import annotations

import click

from dlmp_cosim.runners.group import LazyGroup

COMMANDS: dict[str, tuple[str, str]] = {
    "demo": (
        "dlmp_cosim.runners.start.demo:demo_command",
        "Run the example day here, and show what came out.",
    ),
    "new": ("dlmp_cosim.runners.start.new:new_command", "Copy an example study that runs, to change it."),
    "check": (
        "dlmp_cosim.runners.run.commands:check_command",
        "Say what is wrong with a study before anything starts.",
    ),
    "import": (
        "dlmp_cosim.runners.write.import_circuit:import_command",
        "Write a study around an OpenDSS circuit of your own.",
    ),
    "wiring": ("dlmp_cosim.runners.write.wiring:wiring_command", "Write out the HELICS files of a study."),
    "run": ("dlmp_cosim.runners.run.commands:run_command", "Run a study under supervision."),
    "summary": (
        "dlmp_cosim.runners.judge.summary:summary_command",
        "Say what came out of a run, in a few lines.",
    ),
    "verdict": (
        "dlmp_cosim.runners.judge.verdict:verdict_command",
        "Judge a run by its AC states; the exit code says it.",
    ),
    "substation": (
        "dlmp_cosim.runners.judge.together:substation_command",
        "Say when limits that feeders share had a price; draw it.",
    ),
    "ancillary": (
        "dlmp_cosim.runners.judge.ancillary_command:ancillary_command",
        "Say what a substation bought of regulation and reserve, and what came.",
    ),
    "verify": (
        "dlmp_cosim.runners.judge.verify:verify_command",
        "Hold negotiated clearings to the central reference.",
    ),
    "bench": (
        "dlmp_cosim.runners.measure.bench:bench_command",
        "Measure rounds and times of a clearing against alternatives.",
    ),
    "horizon": (
        "dlmp_cosim.runners.measure.horizon:horizon_command",
        "Hold clearings over a horizon to the central reference.",
    ),
    "crowd": (
        "dlmp_cosim.runners.measure.crowd:crowd_command",
        "Measure what more offering federates cost a run.",
    ),
    "network": (
        "dlmp_cosim.runners.measure.network:network_command",
        "Measure what delay and loss do to agents that negotiate.",
    ),
    "convergence": (
        "dlmp_cosim.runners.measure.convergence:convergence_command",
        "Find out what makes a negotiation converge.",
    ),
    "compare": (
        "dlmp_cosim.runners.compare.compare:compare_command",
        "Run variants of a study and compare their verdicts.",
    ),
    "table": ("dlmp_cosim.runners.tables.command:table_command", "Write a run as Parquet or CSV."),
    "sweep": (
        "dlmp_cosim.runners.sweep.command:sweep_command",
        "Run a study many times, as a sweep file says.",
    ),
    "findings": (
        "dlmp_cosim.runners.findings.command:findings_command",
        "Show what a sweep of the project found.",
    ),
    "settle": (
        "dlmp_cosim.runners.judge.settle:settle_command",
        "Say who pays whom in a run, and store it with the results.",
    ),
    "ahead": (
        "dlmp_cosim.runners.judge.ahead:ahead_command",
        "Say how a run looked ahead, and what its stores earned.",
    ),
    "aggregation": (
        "dlmp_cosim.runners.measure.aggregation:aggregation_command",
        "Say what an aggregator loses by one offer for many devices.",
    ),
    "scenarios": (
        "dlmp_cosim.runners.compare.scenarios:scenarios_command",
        "Run a day under four tariffs and the market.",
    ),
    "replication": (
        "dlmp_cosim.runners.compare.replication:replication_command",
        "Hold runs against the published study.",
    ),
    "tariffs": (
        "dlmp_cosim.runners.judge.tariffs:tariffs_command",
        "Say what a day costs customers under retail tariffs.",
    ),
    "report": ("dlmp_cosim.runners.report.command:report_command", "Show runs on one page, or as pictures."),
    "conform": (
        "dlmp_cosim.runners.conform.command:conform_command",
        "Try your own federate against the contract.",
    ),
    "contract": (
        "dlmp_cosim.runners.conform.contract_page:contract_command",
        "Say what topics federates exchange.",
    ),
    "keys": (
        "dlmp_cosim.runners.conform.keys_page:keys_command",
        "Say what a scenario may hold, key by key.",
    ),
    "schema": (
        "dlmp_cosim.runners.conform.schema:schema_command",
        "Write the JSON schemas that editors complete by.",
    ),
    "isone": (
        "dlmp_cosim.runners.prices.isone:isone_command",
        "Say what ISO New England files hold.",
    ),
    "isone-fetch": (
        "dlmp_cosim.runners.prices.isone:isone_fetch_command",
        "Download a day of ISO New England files.",
    ),
    "doctor": ("dlmp_cosim.runners.start.doctor:doctor_command", "Say what is installed and what works."),
    "completion": (
        "dlmp_cosim.runners.start.completion:completion_command",
        "Let a shell complete commands and options.",
    ),
}
"""Subcommands: where they are, and their line in ``dlmp --help``."""

GUIDE = """
\b
From nothing to a result:
  dlmp demo                           one day on IEEE's 123-node feeder
  dlmp new my_study                   a copy of it, to change
  dlmp check my_study                 under two seconds, starts nothing
  dlmp run my_study                   or: helics run --path=my_study/runner.json
  dlmp summary my_study/results/results.h5

\b
A study is a folder: scenario.toml says what is simulated, runner.json which processes run.

\b
Exit codes: 0 it was done, and the answer is good; 1 it could not be done ("error:" says why);
2 the answer is no (a study not sound, a limit violated), or the command line is wrong.
"""


@click.group(
    cls=LazyGroup,
    table=COMMANDS,
    help=f"Test retail electricity markets against unbalanced AC physics.\n{GUIDE}",
)
@click.version_option(package_name="dlmp-cosim")
def main() -> None:
    """Run the command line."""


if __name__ == "__main__":
    main()
