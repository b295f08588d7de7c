"""`dlmp import`: a study around the user's own circuit that runs at once."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import click

from dlmp_cosim.federates.study.study import driven
from dlmp_cosim.federates.study.wiring import BUILT_IN
from dlmp_cosim.feeders.errors import DlmpError, InputError
from dlmp_cosim.feeders.network import Network
from dlmp_cosim.feeders.opendss.case import Case, Circuit
from dlmp_cosim.feeders.readers.propose import propose_assets, write_assets
from dlmp_cosim.runners.write.drawing import draw_circuit
from dlmp_cosim.runners.write.found import found_page, sizes

PRICES = (
    Path(__file__).parents[2] / "configs" / "ieee123_day" / "data" / "smd_hourly_NEMA_20200824-20200826.csv"
)
"""Prices and demand that a study begins with: ISO New England, 25 August 2020."""

SCENARIO = """# {title}, imported from {case}.
# Every key is checked; `dlmp check {runner}` names what is wrong.

[study]
name = "{name}"

[time]
start = "2020-08-25T00:00:00"   # local time, America/New_York
intervals = {intervals}
period_s = 300                  # length of a market interval [s]
rounds_max = 4                  # clearings tried against the AC physics in one interval

[feeder]
case = "{case}"
assets = "assets.csv"
demand = "{demand}"             # "load_shapes" of the circuit, or "wholesale": the demand ratio
tolerance = 1e-10               # of the power flow [pu]

[wholesale]
files = ["{prices}"]
location = ".Z.NEMASSBOST"

[market]
model = "nodal"
settle_head_kw = {head_kw:g}    # what counts as agreed: 1e-5 of the listed load, 0.1 kW at least

[results]
file = "results/results.h5"     # beside this file
"""


@click.command("import", epilog="\b\nExample:\n  dlmp import IEEE13Nodeckt.dss -o configs/ieee13")
@click.argument("master", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path, file_okay=False), required=True)
@click.option("--name", default="", help="Name of the study; by default that of the folder.")
@click.option("--intervals", type=click.IntRange(1), default=288, show_default=True, help="Intervals to run.")
@click.option(
    "--prices", type=click.Path(path_type=Path), help="ISO New England price file; else the demo's."
)
def import_command(master: Path, output: Path, name: str, intervals: int, prices: Path | None) -> None:
    """Write a study around the OpenDSS circuit MASTER.

    OpenDSS compiles the file as it is, in every run; nothing of it is copied or changed. The study gets a
    scenario, an asset table proposed from the circuit (its own generators, PV and storage at their ratings,
    and every load curtailable by a fifth), a runner file, a page that says what was found, and a drawing
    where the circuit has coordinates. Edit them, then: dlmp run OUTPUT/runner.json
    """
    called = name or output.resolve().name
    try:
        circuit = read(master)
        proposal = propose_assets(circuit)
        network = driven(circuit.network, proposal.resources)
        write_study(network, circuit, master, output, called, intervals, prices or PRICES)
        write_assets(proposal, output / "assets.csv")
    except DlmpError as error:
        raise click.ClickException(str(error)) from error
    width = max(len(label) for label, _ in sizes(network, circuit))
    for label, value in sizes(network, circuit):
        click.echo(f"{label:<{width}}  {value}")
    for finding in circuit.findings[:10]:
        click.echo(f"{finding.verdict}: {finding.element}: {finding.reason}")
    if len(circuit.findings) > 10:
        click.echo(f"and {len(circuit.findings) - 10} more, in {output / 'FOUND.md'}")
    click.echo(f"\nwritten to {output}; run it with: dlmp run {output / 'runner.json'}")


def read(master: Path) -> Circuit:
    """Read a circuit.

    Raises
    ------
    InputError, FeederError
        When there is no such file, or it cannot be compiled or used.
    """
    from dlmp_cosim.feeders.opendss.circuit import read_circuit

    if not master.is_file():
        raise InputError("there is no such file", where=str(master), expected="the master file of a circuit")
    return read_circuit(Case(master.stem, path=master))


def write_study(
    network: Network, circuit: Circuit, master: Path, output: Path, name: str, intervals: int, prices: Path
) -> None:
    """Write scenario, runner file, page and drawing.

    Parameters
    ----------
    network : Network
        The circuit with its proposed resources.
    circuit : Circuit
        What was read.
    master : Path
        The circuit's file.
    output : Path
        Folder of the study, new or empty.
    name : str
        Name of the study.
    intervals : int
        Intervals to run.
    prices : Path
        Price file, copied into the study.

    Raises
    ------
    InputError
        When the folder holds a study already, or there is no price file.
    """
    if (output / "scenario.toml").exists():
        raise InputError("there is a study already", where=str(output), expected="a new or an empty folder")
    if not prices.is_file():
        raise InputError(
            "there is no such file", where=f"{prices} --prices", expected="an ISO New England file"
        )
    (output / "data").mkdir(parents=True, exist_ok=True)
    shutil.copy(prices, output / "data" / prices.name)
    circuit_file, folder = master.resolve(), output.resolve()
    inside = circuit_file.is_relative_to(folder)
    case = (circuit_file.relative_to(folder) if inside else circuit_file).as_posix()
    listed = abs(network.listed_demand.sum())
    scenario = SCENARIO.format(
        title=circuit.network.name,
        name=name,
        case=case,
        runner=output / "runner.json",
        intervals=intervals,
        demand="load_shapes" if circuit.shapes else "wholesale",
        prices=f"data/{prices.name}",
        head_kw=max(0.1, 1e-5 * listed),
    )
    (output / "scenario.toml").write_text(scenario, encoding="utf-8")
    (output / "runner.json").write_text(json.dumps(_runner(name), indent=1) + "\n", encoding="utf-8")
    (output / "FOUND.md").write_text(found_page(network, circuit, case), encoding="utf-8")
    drawing = draw_circuit(replace(network, name=name))
    if drawing:
        (output / "circuit.svg").write_text(drawing, encoding="utf-8")


def _runner(name: str) -> dict[str, object]:
    """Runner file of a study in its own folder."""
    execs = {"broker": f"dlmp_cosim.runners.broker . --federates {','.join(BUILT_IN)}"}
    execs |= {federate: f"dlmp_cosim.federates.{federate} ." for federate in BUILT_IN}
    common = {"directory": ".", "host": "localhost"}
    rows = [{"name": key, **common, "exec": f"python -u -m {text}"} for key, text in execs.items()]
    return {"name": name, "federates": rows}
