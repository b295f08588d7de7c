"""`dlmp network`: what a network's delay and loss do to agents that negotiate over it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import click
import numpy as np
from rich.console import Console
from rich.progress import Progress

from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.federates.runtime.direct import run_direct
from dlmp_cosim.federates.study.agents import LONGEST_MEETING_S, AgentsSection
from dlmp_cosim.federates.study.study import Study
from dlmp_cosim.feeders.errors import DlmpError
from dlmp_cosim.feeders.network import FloatArray
from dlmp_cosim.market.settings import Method
from dlmp_cosim.runners.arguments import StudyName
from dlmp_cosim.runners.measure.network_figure import draw_network
from dlmp_cosim.runners.plain_table import Rows
from dlmp_cosim.runners.report.figure_file import check_figure
from dlmp_cosim.runners.run.find import find_study

DELAYS_S = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
LOSSES = (0.0, 0.01, 0.05, 0.1, 0.2)
DELAY_S = 0.02
"""Delay at which losses are varied [s]."""
WAYS: tuple[tuple[Method, int], ...] = (("interior-point", 4), ("interior-point", 0), ("pac-accelerated", 4))
"""Methods, and agents of each; 0 is one a bus."""
SUBJECT = "market/dlmp_real"


@dataclass(frozen=True)
class Sample:
    """One method on one network.

    Attributes
    ----------
    method, agents : str, int
        Who negotiates; 0 agents for one a bus.
    delay_s, loss : float
        Delay of every link [s], and share of lost packets.
    rounds : int
        Negotiation rounds of an interval, median.
    seconds, most : float
        Time that an interval's negotiations take [s of the network]: median, and longest.
    packets, repeated : int, float
        Packets of an interval, median, and the share of all that are repetitions.
    late : int
        Intervals of which the negotiations take longer than the market has.
    price_error : float
        Largest error of a real d-LMP when late intervals keep the prices before [$/MWh]; infinite when every
        interval is late.
    """

    method: Method
    agents: int
    delay_s: float
    loss: float
    rounds: int
    seconds: float
    most: float
    packets: int
    repeated: float
    late: int
    price_error: float

    @property
    def way(self) -> str:
        """Method and agents, for a person."""
        return f"{self.method}, {self.agents or 'one a bus'}{' agents' if self.agents else ''}"


@click.command("network", epilog="\b\nExample:\n  dlmp network ieee123_agents --plot network.png")
@click.argument("study", type=StudyName(), default="ieee123_agents")
@click.option("--within", default=60.0, show_default=True, help="Seconds that the market has.")
@click.option("--plot", type=click.Path(path_type=Path, dir_okay=False), help="Draw into this file.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def network_command(study: str, within: float, plot: Path | None, as_json: bool) -> None:
    """Measure what delay and loss do to the negotiation of STUDY.

    Agents talk over a simulated network, which treats packets as HELICS endpoints do (a test holds the two
    equal). Delays run from 1 ms to 1 s without loss, losses from 0 to 20 % at 20 ms. Times are those of the
    network alone: agents compute in no time.
    """
    try:
        if plot is not None:
            check_figure(plot)
        samples = list(_measure(find_study(study), within, quiet=as_json))
    except DlmpError as error:
        raise click.ClickException(str(error)) from error
    if plot is not None:
        draw_network(samples, within, DELAY_S, plot)
    if as_json:
        click.echo(json.dumps([asdict(sample) for sample in samples], indent=2))
        return
    heads = (
        "agents",
        "delay [s]",
        "loss",
        "rounds",
        "seconds",
        "most",
        "packets",
        "repeated",
        "late",
        "error",
    )
    table = Rows(*heads, title="seconds of the network and packets, an interval; error in $/MWh")
    for item in samples:
        figures = (item.delay_s, item.loss, item.rounds, item.seconds, item.most, item.packets, item.repeated)
        table.add_row(
            item.way, *(f"{value:.3g}" for value in figures), str(item.late), f"{item.price_error:.2g}"
        )
    table.print(Console())


def _measure(study: Study, within: float, *, quiet: bool) -> Iterator[Sample]:
    """Run every method on every network."""
    networks = [(delay, 0.0) for delay in DELAYS_S] + [(DELAY_S, loss) for loss in LOSSES]
    with (
        TemporaryDirectory() as folder,
        Progress(console=Console(stderr=True), transient=True, disable=quiet) as bar,
    ):
        results = study.scenario.results.model_copy(update={"file": str(Path(folder) / "results.h5")})
        there = Study(study.folder, study.scenario.model_copy(update={"results": results}))
        task = bar.add_task("runs", total=len(WAYS) * len(networks))
        for method, agents in WAYS:
            for delay, loss in networks:
                yield measure(there, method, agents, (delay, loss), within)
                bar.advance(task)


def measure(study: Study, method: Method, agents: int, network: tuple[float, float], within: float) -> Sample:
    """Run a study by one method on one network.

    Parameters
    ----------
    study : Study
        The study.
    method : str
        The method.
    agents : int
        Agents; 0 for one a bus.
    network : (float, float)
        Delay of every link [s], and share of lost packets.
    within : float
        Seconds that the market has.
    """
    delay, loss = network
    wire = {
        "wire": True,
        "federates": agents or 1,
        "deadline_s": LONGEST_MEETING_S,
        "word_s": LONGEST_MEETING_S,
        "link": [{"delay_s": delay, "loss": loss}],
    }
    scenario = study.scenario
    changed = scenario.model_copy(
        update={
            "market": scenario.market.model_copy(update={"method": method, "agents": agents}),
            "agents": AgentsSection.model_validate(wire),
        }
    )
    run_direct(run := Study(study.folder, changed))
    with Results(run.results_file) as results:
        records, prices = results.records("market/clearing"), results.values(SUBJECT)
    talked = [record["agents"] for record in records]
    seconds = [item["seconds"] for item in talked]
    late = [took > within or bool(record["held"]) for took, record in zip(seconds, records, strict=True)]
    sent = sum(item["packets"] for item in talked)
    return Sample(
        method=method,
        agents=agents,
        delay_s=delay,
        loss=loss,
        rounds=round(median(sum(r.get("negotiation_rounds", 0) for r in x["rounds"]) for x in records)),
        seconds=median(seconds),
        most=max(seconds),
        packets=round(median(item["packets"] for item in talked)),
        repeated=sum(item["repetitions"] for item in talked) / max(sent, 1),
        late=sum(late),
        price_error=_kept_error(prices, late),
    )


def _kept_error(prices: FloatArray, late: Sequence[bool]) -> float:
    """Largest error when late intervals keep the last prices that came in time; infinite when none did."""
    if all(late):
        return math.inf
    worst, kept = 0.0, prices[list(late).index(False)]
    for now, is_late in zip(prices, late, strict=True):
        if is_late:
            worst = max(worst, float(np.abs(now - kept).max()))
        else:
            kept = now
    return worst
