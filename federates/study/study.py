"""A study: one folder with a scenario and one HELICS configuration per federate."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from federates.runtime.clock import Clock
from federates.study.helics_config import FederateConfig, load_config
from federates.study.owners import with_owners
from federates.study.profiles import with_profiles
from federates.study.scenario import Scenario, load_scenario
from federates.study.wiring import default_config
from feeders import ieee123
from feeders.errors import InputError, unknown_name
from feeders.network import Network, Resource
from feeders.opendss.case import Case, Circuit
from feeders.readers.assets import AssetTerms, read_assets
from feeders.validate import check_network

SCENARIO_FILE = "scenario.toml"

RESULTS_VARIABLE = "DLMP_RESULTS_DIR"
"""Environment variable that puts the results of a run into another folder."""

CASES = ("ieee123",)
"""Feeders that come with the package."""


def driven(network: Network, resources: tuple[Resource, ...]) -> Network:
    """Hand resources to the market; the circuit's own machines that they drive are no longer on their own."""
    elements = {resource.element for resource in resources}
    machines = tuple(machine for machine in network.machines if machine.element not in elements)
    return replace(network, resources=resources, machines=machines)


def _beside(folder: Path, case: str) -> list[str]:
    """OpenDSS files in the folder of a circuit, as the scenario would write them."""
    home = Path(case).parent
    return sorted(
        str(home / path.name) for path in (folder / home).iterdir() if path.suffix.lower() == ".dss"
    )


@dataclass(frozen=True)
class Study:
    """A study folder and its scenario.

    Attributes
    ----------
    folder : Path
        Folder of the study.
    scenario : Scenario
        The scenario as read.
    """

    folder: Path
    scenario: Scenario

    @property
    def name(self) -> str:
        """Name of the study."""
        return self.scenario.study.name

    @property
    def clock(self) -> Clock:
        """When each interval starts."""
        return self.scenario.clock

    @property
    def scenario_file(self) -> Path:
        """The scenario's own file."""
        return self.folder / SCENARIO_FILE

    @property
    def results_file(self) -> Path:
        """Where the results go: the scenario's file, or its name in the folder that the environment names."""
        file = Path(self.scenario.results.file)
        elsewhere = os.environ.get(RESULTS_VARIABLE)
        return Path(elsewhere) / file.name if elsewhere else file

    @property
    def run_folder(self) -> Path:
        """Where the federates of a run report that they are alive, beside the results."""
        return self.results_file.parent / f"{self.results_file.stem}.run"

    @property
    def network(self) -> Network:
        """The feeder with its resources, and those that the scenario's owners add.

        Raises
        ------
        InputError
            When the case or a table of it cannot be used.
        """
        return self._assets[0]

    @property
    def terms(self) -> tuple[AssetTerms, ...]:
        """Terms of every resource of the asset table.

        Raises
        ------
        InputError
            When the case or a table of it cannot be used.
        """
        return self._assets[1]

    @cached_property
    def _assets(self) -> tuple[Network, tuple[AssetTerms, ...]]:
        """Feeder and terms, with owners as the scenario says."""
        network, terms = self._feeder()
        if self.scenario.owner:
            network = with_owners(network, self.scenario.owner, self.scenario_file)
            check_network(network)
        return network, terms

    @cached_property
    def case(self) -> Case:
        """The circuit: one that comes with the package, or the user's own file.

        Raises
        ------
        InputError
            When there is no such circuit.
        """
        name = self.scenario.feeder.case
        if name in CASES:
            return ieee123.case()
        if not name.lower().endswith(".dss"):
            raise unknown_name("feeder", name, CASES, where=f"{self.scenario_file} feeder.case")
        file = self.data_file(name)
        if not file.is_file():
            near = [path.name for path in file.parent.glob("*.dss")] if file.parent.is_dir() else []
            raise unknown_name("circuit", name, near, where=f"{self.scenario_file} feeder.case")
        return Case(file.stem, path=file)

    @cached_property
    def circuit(self) -> Circuit:
        """What the circuit holds, and what of it the market cannot use.

        Raises
        ------
        InputError, FeederError
            When it cannot be compiled or used.
        """
        from feeders.opendss.circuit import read_circuit

        return read_circuit(self.case)

    @property
    def _start_hour(self) -> float:
        """Local time of the first interval [h after midnight]."""
        start = self.scenario.time.start
        return start.hour + start.minute / 60 + start.second / 3600

    def _feeder(self) -> tuple[Network, tuple[AssetTerms, ...]]:
        """Feeder and terms; without an asset table there is nothing to dispatch but what owners add."""
        feeder = self.scenario.feeder
        table = self.data_file(feeder.assets) if feeder.assets else None
        bare = with_profiles(self.circuit, self.clock, self._start_hour, feeder.demand)
        if feeder.case in CASES:
            table = table or ieee123.ASSETS
        if table is None:
            return bare, ()
        resources, terms = read_assets(table, bare, self.circuit.plants)
        network = driven(bare, resources)
        check_network(network)
        return network, terms

    def data_file(self, name: str) -> Path:
        """Path of a file that the scenario names, relative to the scenario."""
        return self.folder / name

    def config_file(self, federate: str) -> Path:
        """Path of a federate's HELICS configuration."""
        return self.folder / f"{federate}.json"

    def config(self, federate: str) -> FederateConfig:
        """HELICS configuration of a federate: its file, checked, or what the contract says without one.

        Raises
        ------
        InputError
            When the file cannot be used, or names another federate.
        """
        file = self.config_file(federate)
        if not file.is_file():
            return default_config(federate, self.scenario, self.folder)
        config = load_config(file)
        if config.name != federate:
            raise InputError(
                f"the federate is called {config.name!r}", where=f"{file} name", expected=repr(federate)
            )
        return config

    def input_hashes(self) -> dict[str, str]:
        """SHA-256 of every file that the study reads, by its path as the scenario writes it."""
        scenario = self.scenario
        names = [SCENARIO_FILE, *sorted(path.name for path in self.folder.glob("*.json"))]
        names += [*scenario.wholesale.files, *scenario.wholesale.demand_files]
        names += [name for name in (scenario.feeder.assets, scenario.feeder.case) if name not in ("", *CASES)]
        # A master file may redirect to others beside it: all of them count.
        names += [] if scenario.feeder.case in CASES else _beside(self.folder, scenario.feeder.case)
        told = [value for owner in scenario.owner for value in owner.settings.values()]
        names += [text for text in told if isinstance(text, str) and self.data_file(text).is_file()]
        return {
            name: hashlib.sha256(self.data_file(name).read_bytes()).hexdigest()
            for name in dict.fromkeys(names)
        }


def load_study(folder: Path) -> Study:
    """Read a study's scenario.

    Parameters
    ----------
    folder : Path
        Folder with a ``scenario.toml``.

    Raises
    ------
    InputError
        When there is none, or it cannot be used.
    """
    return Study(folder, load_scenario(folder / SCENARIO_FILE))
