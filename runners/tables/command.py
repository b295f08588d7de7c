"""`dlmp table`: a run as Parquet or CSV, for whatever reads those."""

from __future__ import annotations

from pathlib import Path

import click

from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.feeders.errors import DlmpError, InputError
from dlmp_cosim.runners.tables.columns import SUFFIXES, write_table
from dlmp_cosim.runners.tables.topics import check_topic, long_table, scalar_keys, wide_table


@click.command(
    "table",
    epilog="\b\nExamples:\n  dlmp table results/ieee123_day/results.h5 -o day.parquet\n"
    "  dlmp table results/ieee123_day/results.h5 -o prices.csv --topic market/dlmp_real\n"
    "  dlmp table results/ieee123_day/results.h5 -o prices.parquet --topic market/dlmp_real --long",
)
@click.argument("results", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, help="A .parquet or .csv file."
)
@click.option("--topic", "topics", multiple=True, help="Topic to write; repeatable.")
@click.option("--long", "as_long", is_flag=True, help="A row for each interval and place, of one topic.")
def table_command(results: Path, output: Path, topics: tuple[str, ...], as_long: bool) -> None:
    """Write the run in RESULTS as a table with a row for each interval.

    Without --topic it has everything that is one number an interval: prices at the head, losses, the audit
    and the operator's account. Units are in the metadata of the columns (Parquet) or in their heads (CSV).
    """
    try:
        _check(output, topics, as_long)
        with Results(results) as run:
            if as_long:
                key, how = check_topic(topics[0], where="--topic")
                table = long_table(run, key, how)
            else:
                keys = [check_topic(text, where="--topic")[0] for text in topics]
                table = wide_table(run, keys or scalar_keys(run))
        write_table(table, output)
    except DlmpError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{table.num_rows} rows, {table.num_columns} columns -> {output}")


def _check(output: Path, topics: tuple[str, ...], as_long: bool) -> None:
    if output.suffix not in SUFFIXES:
        raise InputError(
            f"{output.suffix!r} is no kind of table", where=f"-o {output}", expected=" or ".join(SUFFIXES)
        )
    if as_long and len(topics) != 1:
        raise InputError(f"is given {len(topics)} topics", where="--long", expected="one --topic")
    for text in topics:
        if not as_long and check_topic(text, where="--topic")[1]:
            raise InputError(
                f"{text!r} has no row for each interval", where="--topic", expected="--long with it"
            )
