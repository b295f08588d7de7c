"""Loads and generators that a scenario names outside its owners: they have to be there."""

from __future__ import annotations

from pathlib import Path

from dlmp_cosim.federates.study.scenario import Scenario
from dlmp_cosim.feeders.errors import InputError, unknown_name
from dlmp_cosim.feeders.network import Network


def check_names(network: Network, scenario: Scenario, file: Path) -> None:
    """Check the loads of customer groups, and the generators that emit.

    Parameters
    ----------
    network : Network
        The feeder with all resources.
    scenario : Scenario
        The scenario.
    file : Path
        Its file, for messages.

    Raises
    ------
    InputError
        When a load or a generator does not exist, or a group or a load is named twice.
    """
    generators = [item.name for item in network.resources if item.kind == "generator"]
    for name in scenario.emissions.own:
        if name not in generators:
            raise unknown_name("generator", name, generators, where=f"{file} emissions.own")
    first: dict[str, str] = {}
    groups: set[str] = set()
    for group in scenario.group:
        where = f"{file} group.{group.name}"
        if group.name in groups:
            raise InputError(f"group {group.name!r} is listed twice", where=where, expected="each group once")
        groups.add(group.name)
        for load in group.loads:
            if load not in network.load_ids:
                raise unknown_name("load", load, network.load_ids, where=f"{where}.loads")
            if load in first:
                raise InputError(
                    f"load {load!r} is in {first[load]!r} already",
                    where=f"{where}.loads",
                    expected="each load in one group",
                )
            first[load] = group.name
