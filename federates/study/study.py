"""A study: one folder with a scenario and one HELICS configuration per federate."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from dlmp_cosim.federates.runtime.clock import Clock
from dlmp_cosim.federates.study.ancillary import Disruption
from dlmp_cosim.federates.study.helics_config import FederateConfig, load_config
from dlmp_cosim.federates.study.inputs import files_named, hashes_of
from dlmp_cosim.federates.study.named import check_names
from dlmp_cosim.federates.study.owners import check_sellers, with_owners
from dlmp_cosim.federates.study.profiles import with_profiles, with_tables
from dlmp_cosim.federates.study.scenario import Scenario, load_scenario
from dlmp_cosim.federates.study.series_sections import ProfileSection
from dlmp_cosim.federates.study.steps_table import read_steps
from dlmp_cosim.federates.study.wiring import (
    ASSETS,
    BUILT_IN,
    SHARED,
    as_member,
    default_config,
    hearing,
    in_step,
)
from dlmp_cosim.feeders import ieee123
from dlmp_cosim.feeders.errors import InputError, unknown_name
from dlmp_cosim.feeders.network import FloatArray, Network, Resource
from dlmp_cosim.feeders.opendss.case import Case, Circuit
from dlmp_cosim.feeders.readers.assets import AssetTerms, read_assets
from dlmp_cosim.feeders.validate import check_network

SCENARIO_FILE = "scenario.toml"

RESULTS_VARIABLE = "DLMP_RESULTS_DIR"
"""Environment variable that puts the results of a run into another folder."""

CASES = ("ieee123",)
"""Feeders that come with the package."""


def driven(network: Network, resources: tuple[Resource, ...]) -> Network:
    """Hand resources to the market; the circuit's own machines that they drive are no longer on their own.

    Parameters
    ----------
    network : Network
        The circuit, without resources.
    resources : tuple of Resource
        What the market may dispatch.
    """
    elements = {resource.element for resource in resources}
    machines = tuple(machine for machine in network.machines if machine.element not in elements)
    return replace(network, resources=resources, machines=machines)


def _stays(folder: Path, name: str) -> bool:
    """Tell whether a relative path stays in a study's folder, or in that of a study beside or around it."""
    way = Path(os.path.normpath(name)).parts
    if ".." not in way or (way.count("..") == 1 and (folder / ".." / SCENARIO_FILE).is_file()):
        return True
    return len(way) > 2 and way.count("..") == 1 and (folder / ".." / way[1] / SCENARIO_FILE).is_file()


def _beside(folder: Path, case: str) -> list[str]:
    """OpenDSS files in the folder of a circuit, as the scenario would write them."""
    home = Path(case).parent
    return sorted(
        str(home / path.name) for path in (folder / home).iterdir() if path.suffix.lower() == ".dss"
    )


@dataclass(frozen=True)
class Membership:
    """What a study takes from the substation at which its feeder meets others.

    Attributes
    ----------
    feeder : str
        Name of the feeder among them.
    federation : str
        Name of the study of all.
    exchanges, windows : int
        Exchanges with the substation in each round of all feeders, and how many of these there may be.
    results_file, run_folder : Path
        Where results and signs of life go.
    others_go_on : bool
        Whether the other feeders go on when this one stops.
    ancillary : bool
        Whether the substation has an ancillary market.
    disruptions : tuple of Disruption
        What goes wrong with resources of this feeder.
    """

    feeder: str
    federation: str
    exchanges: int
    windows: int
    results_file: Path
    run_folder: Path
    others_go_on: bool = False
    ancillary: bool = False
    disruptions: tuple[Disruption, ...] = ()


@dataclass(frozen=True)
class Study:
    """A study folder and its scenario.

    Attributes
    ----------
    folder : Path
        Folder of the study.
    scenario : Scenario
        The scenario as read.
    member : Membership, optional
        The substation at which its feeder meets others, where it does.
    """

    folder: Path
    scenario: Scenario
    member: Membership | None = field(default=None, kw_only=True)

    @property
    def name(self) -> str:
        """Name of the study."""
        return self.scenario.study.name

    @property
    def clock(self) -> Clock:
        """When each interval starts, with room for the exchanges with a substation."""
        clock = self.scenario.clock
        if self.member is None:
            return clock
        return replace(clock, exchanges=self.member.exchanges, rounds_max=self.member.windows - 1)

    @property
    def federation(self) -> str:
        """Name of the federation that it runs in: its own, or that of the substation."""
        return self.member.federation if self.member else self.name

    @property
    def feeder(self) -> str:
        """Name of its feeder among others; empty for a study on its own."""
        return self.member.feeder if self.member else ""

    @property
    def others_go_on(self) -> bool:
        """Whether a federation goes on when a federate of this study stops."""
        return self.member is not None and self.member.others_go_on

    @property
    def scenario_file(self) -> Path:
        """The scenario's own file."""
        return self.folder / SCENARIO_FILE

    @property
    def results_file(self) -> Path:
        """Where the results go: the scenario's file, or its name in the folder that the environment names."""
        if self.member is not None:
            return self.member.results_file
        file = Path(self.scenario.results.file)
        elsewhere = os.environ.get(RESULTS_VARIABLE)
        return Path(elsewhere) / file.name if elsewhere else file

    @property
    def run_folder(self) -> Path:
        """Where the federates of a run report that they are alive, beside the results."""
        if self.member is not None:
            return self.member.run_folder
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
        check_names(network, self.scenario, self.scenario_file)
        check_sellers(network, terms, (ASSETS,), self.scenario_file)
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
        file = self.data_file(name, "feeder.case")
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
        if self.scenario.feeder.case in CASES:
            return ieee123.circuit()
        from dlmp_cosim.feeders.opendss.circuit import read_circuit

        return read_circuit(self.case)

    @property
    def _start_hour(self) -> float:
        """Local time of the first interval [h after midnight]."""
        start = self.scenario.time.start
        return start.hour + start.minute / 60 + start.second / 3600

    def _feeder(self) -> tuple[Network, tuple[AssetTerms, ...]]:
        """Feeder and terms; without an asset table there is nothing to dispatch but what owners add."""
        feeder = self.scenario.feeder
        table = self.data_file(feeder.assets, "feeder.assets") if feeder.assets else None
        shaped = with_profiles(self.circuit, self.clock, self._start_hour, feeder.demand)
        bare = with_tables(shaped, self.scenario.profile, self._profile, str(self.scenario_file))
        if feeder.case in CASES:
            table = table or ieee123.ASSETS
        if table is None:
            return bare, ()
        resources, terms = read_assets(table, bare, self.circuit.plants)
        network = driven(bare, resources)
        check_network(network)
        return network, terms

    def _profile(self, section: ProfileSection) -> FloatArray:
        """Read a profile's value in every interval."""
        key = f"profile.{section.name}.file"
        return read_steps(self.data_file(section.file, key), self.clock, f"{self.scenario_file} {key}")

    def data_file(self, name: str, key: str = "") -> Path:
        """Path of a file that the scenario names: in the study's folder, in another study's, or absolute.

        Parameters
        ----------
        name : str
            As the scenario writes it.
        key : str
            Where in the scenario, for messages.

        Raises
        ------
        InputError
            When a relative path leads anywhere else.
        """
        if not Path(name).is_absolute() and not _stays(self.folder, name):
            raise InputError(
                f"{name!r} leads out of the study",
                where=f"{self.scenario_file} {key}".rstrip(),
                expected="a path in this study's folder or in that of a study around it or of "
                "a study beside it, or an absolute one",
            )
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
            return default_config(federate, self.scenario, self.folder, shared=self._shared)
        config = load_config(file)
        if config.name != federate:
            raise InputError(
                f"the federate is called {config.name!r}", where=f"{file} name", expected=repr(federate)
            )
        config = in_step(config)
        if self.member is None:
            return config
        if federate not in BUILT_IN:
            return hearing(config) if self.member.ancillary else config
        return as_member(config, default_config(federate, self.scenario, self.folder, shared=self._shared))

    @property
    def _shared(self) -> tuple[str, ...]:
        """Features that come with a substation."""
        if self.member is None:
            return ()
        return SHARED if self.member.ancillary else SHARED[:1]

    def input_hashes(self) -> dict[str, str]:
        """SHA-256 of every file that the study reads, by its path as the scenario writes it."""
        scenario = self.scenario
        names = [SCENARIO_FILE, *sorted(path.name for path in self.folder.glob("*.json"))]
        names += files_named(scenario.model_dump())
        if scenario.feeder.case not in CASES:
            # A master file may redirect to others beside it: all of them count.
            names += [scenario.feeder.case, *_beside(self.folder, scenario.feeder.case)]
        told = [value for owner in scenario.owner for value in owner.settings.values()]
        names += [text for text in told if isinstance(text, str) and (self.folder / text).is_file()]
        return hashes_of(self.folder, names)


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
