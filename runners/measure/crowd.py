"""`dlmp crowd`: what more offering federates cost a run, as processes, forked ones, and hosted in one."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Literal

import click
from rich.console import Console
from rich.progress import Progress

from dlmp_cosim.federates.contract.topics import OFFER_QUANTITY, award_topic, find_topic
from dlmp_cosim.federates.runtime.hosting import APART_OPTION
from dlmp_cosim.federates.study.study import Study
from dlmp_cosim.feeders.errors import DlmpError, FederationError, InputError
from dlmp_cosim.runners.arguments import StudyName
from dlmp_cosim.runners.compare.variants import Variant, write_variant
from dlmp_cosim.runners.measure.timing import machine
from dlmp_cosim.runners.plain_table import Rows
from dlmp_cosim.runners.run.runner_file import HOST_MODULE, Runner, find_runner, load_runner
from dlmp_cosim.runners.run.supervise import supervise

OWNER = "dlmp_cosim.federates.assets"
READS = ("wholesale/lmp", "wholesale/demand_ratio")
"""What an owner reads before it offers; of award and price it hears in one piece."""
RUNNER = "runner.json"
Start = Literal["alone", "forked", "hosted"]
"""How owners start: each by itself, forked from one process, or all in one."""


@click.command("crowd", epilog="\b\nExample:\n  dlmp crowd ieee123_day --owners 20 --repeats 3")
@click.argument("study", type=StudyName(), default="ieee123_day")
@click.option("--owners", type=click.IntRange(1), default=20, show_default=True, help="Federates more.")
@click.option("--repeats", type=click.IntRange(1), default=3, show_default=True, help="Rounds of runs.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def crowd_command(study: str, owners: int, repeats: int, as_json: bool) -> None:
    """Measure what more offering federates cost a run of STUDY.

    Flexible loads of the asset table are handed to federates of their own, one each, which offer them on the
    same terms and hear of award and price. The market clears the same market, so what is measured is the
    federates: none more, one more, and all of them, as processes that start by themselves, as processes
    forked from one, and hosted in one, in turn. Times are wall times of whole runs; ratios are those of one
    round of runs.
    """
    try:
        found = measure(study, owners, repeats, quiet=as_json)
    except DlmpError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    table = Rows("federates more", "seconds, median", "over none, median", "least", "most")
    for name, row in found["runs"].items():
        figures = (row["seconds"], row["ratio"], row["ratio_min"], row["ratio_max"])
        table.add_row(name, *(f"{value:.3g}" for value in figures))
    table.print(Console())


def measure(name: str, owners: int, repeats: int, *, quiet: bool) -> dict[str, Any]:
    """Run every arrangement in turn and sum up the times.

    Raises
    ------
    FederationError
        When a run fails.
    """
    cases: dict[str, tuple[int, Start]] = {
        "none": (0, "alone"),
        "1": (1, "alone"),
        f"{owners}": (owners, "alone"),
        f"{owners}, forked": (owners, "forked"),
        f"{owners}, hosted": (owners, "hosted"),
    }
    took: dict[str, list[float]] = {case: [] for case in cases}
    with (
        TemporaryDirectory() as folder,
        Progress(console=Console(stderr=True), transient=True, disable=quiet) as bar,
    ):
        task = bar.add_task("runs", total=repeats * len(cases))
        for case, (count, start) in cases.items():
            write_crowd(name, count, Path(folder) / case, start)
        for _ in range(repeats):
            for case in cases:
                took[case].append(_run(Path(folder) / case / RUNNER))
                bar.advance(task)
    return {
        "machine": machine(),
        "runs": {case: _sum_up(times, took["none"]) for case, times in took.items()},
    }


def _run(runner: Path) -> float:
    began = time.perf_counter()
    failure = supervise(load_runner(runner))
    if failure is not None:
        raise FederationError(f"{failure.culprit}: {failure.message}")
    return time.perf_counter() - began


def _sum_up(times: Sequence[float], alone: Sequence[float]) -> dict[str, Any]:
    ratios = [own / base for own, base in zip(times, alone, strict=True)]
    return {
        "seconds": median(times),
        "ratio": median(ratios),
        "ratio_min": min(ratios),
        "ratio_max": max(ratios),
    }


def write_crowd(name: str, count: int, folder: Path, start: Start = "alone") -> Path:
    """Write a study in which `count` flexible loads have owners of their own, and its runner file.

    Parameters
    ----------
    name : str
        Study, as `dlmp run` takes it.
    count : int
        Owners more.
    folder : Path
        Where to; results go there as well.
    start : {"alone", "forked", "hosted"}
        How they start.

    Raises
    ------
    InputError
        When the study has fewer flexible loads than that.
    """
    runner = load_runner(find_runner(name))
    flexible = [r.name for r in runner.single.network.resources if r.load and r.owner == "assets"]
    if len(flexible) < count:
        raise InputError(
            f"there are {len(flexible)} flexible loads to hand over",
            where=str(runner.single.scenario_file),
            expected=f"{count} at least",
        )
    variant = Variant((runner.single.name,), (), {})
    study = write_variant(runner.single, variant, runner.single.folder, folder)
    owners = {f"owner_{k + 1}": load for k, load in enumerate(flexible[:count])}
    _add_owners(study, owners)
    content = _moved(runner, folder, [*runner.expected, *owners])
    directory = content["federates"][0]["directory"]
    content["federates"] += _members(list(owners), folder, directory, start)
    (folder / RUNNER).write_text(json.dumps(content, indent=2))
    return folder / RUNNER


def _add_owners(study: Study, owners: Mapping[str, str]) -> None:
    """Give every owner its load and its HELICS file; market and recorder read the offers of all owners."""
    with study.scenario_file.open("a") as scenario:
        for owner, load in owners.items():
            scenario.write(f'[[owner]]\nname = "{owner}"\ntakes = ["{load}"]\n\n')
            (study.folder / f"{owner}.json").write_text(json.dumps(_config(owner)))


def _moved(runner: Runner, folder: Path, expected: Sequence[str]) -> dict[str, Any]:
    """Read a runner file, point it at a study in another folder, and let its broker wait for more."""
    content: dict[str, Any] = json.loads(runner.path.read_text())
    for member in content["federates"]:
        words = shlex.split(member["exec"])
        words[words.index(runner.broker.operands[0])] = str(folder)
        if "--federates" in words:
            words[words.index("--federates") + 1] = ",".join(expected)
        member |= {"exec": shlex.join(words), "directory": str(runner.folder(runner.broker))}
    return content


def _members(owners: Sequence[str], folder: Path, directory: str, start: Start) -> list[dict[str, str]]:
    if not owners:
        return []
    if start == "alone":
        lines = {owner: [OWNER, str(folder), "--name", owner] for owner in owners}
    else:
        words = [f"{owner}={OWNER}:Assets" for owner in owners]
        options = [APART_OPTION] if start == "forked" else []
        lines = {"owners": [HOST_MODULE, str(folder), *options, *words]}
    python = ("python", "-u", "-m")
    return [
        {"name": name, "directory": directory, "exec": shlex.join([*python, *line])}
        for name, line in lines.items()
    ]


def _topic(key: str) -> dict[str, str]:
    """Key, type and unit of a topic, as a HELICS file lists them."""
    topic = find_topic(key)
    return {"key": key, "type": topic.type, "unit": topic.unit} if topic else {"key": key}


def _config(owner: str) -> Mapping[str, Any]:
    return {
        "name": owner,
        "core_type": "zmq",
        "period": 1.0,
        "uninterruptible": True,
        "terminate_on_error": True,
        "publications": [_topic(f"{owner}/{OFFER_QUANTITY}") | {"global": True}],
        "subscriptions": [_topic(key) for key in (*READS, award_topic(owner).key)],
    }
