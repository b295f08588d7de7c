"""`dlmp aggregation`: a day of an aggregator against the same day of a market that sees every device."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import click
import numpy as np
from rich.console import Console

from dlmp_cosim.federates.aggregator import AggregatorSettings
from dlmp_cosim.federates.devices import read_devices
from dlmp_cosim.federates.host import find_build
from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.federates.runtime.direct import run_direct
from dlmp_cosim.federates.runtime.hosting import FORM, hosted
from dlmp_cosim.federates.runtime.local import ROLES
from dlmp_cosim.federates.study.owners import read_settings
from dlmp_cosim.federates.study.scenario import OwnedResource, OwnerSection
from dlmp_cosim.federates.study.study import Study
from dlmp_cosim.feeders.errors import DlmpError, InputError, unknown_name
from dlmp_cosim.runners.arguments import StudyName
from dlmp_cosim.runners.judge.holdings import costs_by_resource
from dlmp_cosim.runners.plain_table import Rows
from dlmp_cosim.runners.run.find import find_study

AGGREGATOR = "dlmp_cosim.federates.aggregator:Aggregator"
Way = Literal["together", "apart"]


@dataclass(frozen=True)
class Cost:
    """What a day comes to with the devices offered together, or apart.

    Attributes
    ----------
    offers : {"together", "apart"}
        How they are offered.
    wholesale_usd : float
        Power at the head at the LMP [$].
    others_usd : float
        Cost of all other resources, by their own offers [$].
    devices_usd : float
        Cost of what the devices gave, less the worth of what they took [$].
    total_usd : float
        All of it [$].
    lost_usd : float
        What the devices lost by doing something else than the best at the price where they are [$].
    shortfall_kwh : float
        Energy that cars lacked when they left [kWh].
    lowest_dlmp, highest_dlmp : float
        Prices of real power [$/MWh].
    processor_s : float
        Processor time of the run [s].
    """

    offers: Way
    wholesale_usd: float
    others_usd: float
    devices_usd: float
    total_usd: float
    lost_usd: float
    shortfall_kwh: float
    lowest_dlmp: float
    highest_dlmp: float
    processor_s: float


def apart(study: Study, owner: str) -> Study:
    """Return a study whose market sees every device of an aggregator as a resource of its own.

    Parameters
    ----------
    study : Study
        With an aggregator that offers its devices together.
    owner : str
        Its name.

    Raises
    ------
    InputError
        When it is no aggregator, or owns something else than one resource.
    """
    rules = read_settings(study.scenario, study.scenario_file, owner, AggregatorSettings)
    table = next(item for item in study.scenario.owner if item.name == owner)
    if rules.offers == "apart" or len(table.resource) != 1:
        raise InputError(
            f"{owner!r} offers {len(table.resource)} resources {rules.offers}",
            where=f"{study.scenario_file} owner.{owner}",
            expected='one resource, and offers = "together"',
        )
    (whole,) = table.resource
    devices = read_devices(study.data_file(rules.devices, f"owner.{owner}.settings.devices"))
    each = [
        OwnedResource(
            name=device.name,
            kind=device.KIND,
            bus=whole.bus,
            phases=whole.phases,
            connection=whole.connection,
            kw_max=device.kw_max,
        )
        for device in devices
    ]
    changed = OwnerSection(name=owner, resource=each, settings={**table.settings, "offers": "apart"})
    owners = [changed if item.name == owner else item for item in study.scenario.owner]
    return replace(study, scenario=study.scenario.model_copy(update={"owner": owners}))


def measure(study: Study, owner: str, way: Way, federates: Mapping[str, str], folder: Path) -> Cost:
    """Run a day and sum it up.

    Parameters
    ----------
    study : Study
        The study, its devices together or apart.
    owner : str
        Name of the aggregator.
    way : {"together", "apart"}
        Which of the two it is.
    federates : mapping of str to str
        ``module:Class`` of every owner.
    folder : Path
        Where results go.

    Raises
    ------
    DlmpError
        When the run fails.
    """
    section = study.scenario.results.model_copy(update={"file": str(folder / f"{way}.h5")})
    placed = replace(study, scenario=study.scenario.model_copy(update={"results": section}))
    builds = {**ROLES, **{name: find_build(name, path) for name, path in federates.items()}}
    began = time.process_time()
    run_direct(placed, builds)
    seconds = time.process_time() - began
    with Results(Path(section.file)) as run:
        return _summed(run, owner, way, seconds)


def _summed(run: Results, owner: str, way: Way, seconds: float) -> Cost:
    head = run.values("feeder/head_power_real").sum(axis=1)
    wholesale = run.period_h / 1e3 * float(run.values("wholesale/lmp") @ head)
    mine = np.array([resource.owner == owner for resource in run.network.resources])
    others = float(costs_by_resource(run)[~mine].sum())
    devices = float(run.values(f"{owner}/cost").sum())
    price = run.values("market/dlmp_real")
    return Cost(
        offers=way,
        wholesale_usd=wholesale,
        others_usd=others,
        devices_usd=devices,
        total_usd=wholesale + others + devices,
        lost_usd=float(run.values(f"{owner}/lost")[-1]),
        shortfall_kwh=float(run.values(f"{owner}/shortfall")[-1]),
        lowest_dlmp=float(price.min()),
        highest_dlmp=float(price.max()),
        processor_s=seconds,
    )


@click.command("aggregation", epilog="\b\nExample:\n  dlmp aggregation ieee123_operator homes")
@click.argument("study", type=StudyName())
@click.argument("owner")
@click.option(
    "--federate",
    "others",
    multiple=True,
    metavar=FORM,
    help="What offers for an owner that is no aggregator.",
)
@click.option("--figure", type=click.Path(path_type=Path), help="Draw marginal costs and the day's power.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def aggregation_command(
    study: str, owner: str, others: tuple[str, ...], figure: Path | None, as_json: bool
) -> None:
    """Say what OWNER, an aggregator of STUDY, loses by offering its devices as one.

    The study runs twice in this process: as it is, and with every device as a resource that the market sees.
    """
    try:
        content = find_study(study)
        names = [item.name for item in content.scenario.owner]
        if owner not in names:
            raise unknown_name("owner", owner, names, where=str(content.scenario_file))
        federates = dict.fromkeys(names, AGGREGATOR) | dict(map(hosted, others))
        with TemporaryDirectory(prefix="dlmp-aggregation-") as folder:
            costs = [
                measure(content, owner, "together", federates, Path(folder)),
                measure(apart(content, owner), owner, "apart", federates, Path(folder)),
            ]
            if figure is not None:
                from dlmp_cosim.runners.measure.aggregation_figure import draw_aggregation

                draw_aggregation(Path(folder) / "together.h5", Path(folder) / "apart.h5", owner, figure)
    except DlmpError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps([asdict(cost) for cost in costs], indent=2))
    else:
        as_rows(costs).print(Console())


def as_rows(costs: list[Cost]) -> Rows:
    """One column for each way, and what aggregation loses."""
    together, every = (asdict(cost) for cost in costs)
    table = Rows("", "together", "apart", "difference")
    for name, value in together.items():
        if name != "offers":
            table.add_row(name, f"{value:,.3f}", f"{every[name]:,.3f}", f"{value - every[name]:+,.3f}")
    return table
