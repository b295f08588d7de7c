"""A study of several feeders that meet at a substation: a scenario that lists them, each with its own study.

Every feeder's study stays as it is: its circuit, its resources, its market. The scenario adds what the
feeders share, and where results go.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from dlmp_cosim.federates.contract.topics import SUBSTATION, find_topic, in_federation, published_by
from dlmp_cosim.federates.runtime.clock import SLOT_S, Clock, last_slot_needed
from dlmp_cosim.federates.study.ancillary import (
    AncillaryPlan,
    AncillarySection,
    DisruptionSection,
    disruptions_of,
    read_plan,
)
from dlmp_cosim.federates.study.checked_file import read_toml, validate
from dlmp_cosim.federates.study.helics_config import FederateConfig
from dlmp_cosim.federates.study.scenario import (
    NotNegative,
    Positive,
    ResultsSection,
    Section,
    StudySection,
)
from dlmp_cosim.federates.study.study import (
    RESULTS_VARIABLE,
    SCENARIO_FILE,
    Membership,
    Study,
    load_study,
)
from dlmp_cosim.federates.study.wiring import config_of
from dlmp_cosim.feeders.errors import InputError, nearest_name, unknown_name
from dlmp_cosim.market.substation.limits import SharedRules

FEEDERS = "feeders"
"""Key by which a scenario is one of a substation."""

READ_OF_FEEDERS = (
    "wholesale/lmp",
    "feeder/head_power_real",
    "feeder/head_power_reactive",
    "market/response",
    "market/clearing",
)
"""What the substation reads of every feeder."""

RESPONSES = ("feeder/response_real",)
"""What it reads besides where it has an ancillary market."""


class MemberSection(Section):
    """A feeder that meets the others."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")] = Field(description="name among the feeders")
    study: str = Field(description="folder of its study, relative to this file")


class SubstationSection(Section):
    """What the feeders share."""

    rating_kva: Positive | None = Field(
        default=None, description="rating of the transformer, both ways [kVA]; without it none"
    )
    import_max_kw: NotNegative | None = Field(
        default=None, description="most that the feeders may draw together [kW]; without it no limit"
    )
    export_max_kw: NotNegative | None = Field(
        default=None, description="most that they may feed back together [kW]; without it no limit"
    )
    ramp_kw_per_minute: Positive | None = Field(
        default=None, description="fastest change from interval to interval [kW/min]; without it no limit"
    )
    peak_target_kw: NotNegative | None = Field(
        default=None, description="power not to be exceeded unless it costs more than `peak_price` [kW]"
    )
    peak_price: NotNegative = Field(
        default=0.0, description="what a MWh above the target is worth avoiding [$/MWh]"
    )
    penalty: Positive = Field(default=1000.0, description="price at which a shared limit gives way [$/MWh]")
    margin_kw: NotNegative = Field(default=0.0, description="how far inside the limits the feeders stay [kW]")
    settle_kw: Positive = Field(
        default=0.5, description="power beyond a limit, or room below it, that counts as held [kW]"
    )
    settle_price: Positive = Field(
        default=0.005, description="difference of the adder that counts as none [$/MWh]"
    )
    tolerance_kw: NotNegative = Field(
        default=10.0, description="realised power beyond a limit that is no violation [kW]"
    )
    exchanges: Annotated[int, Field(ge=2)] = Field(
        default=8, description="exchanges with the feeders in one of their rounds"
    )
    rounds_max: Annotated[int, Field(ge=2)] = Field(
        default=8, description="rounds of all feeders before each makes final what it has"
    )
    on_stop: Literal["end", "go_on"] = Field(
        default="end", description="when a feeder stops: all end, or the others go on"
    )

    @property
    def rules(self) -> SharedRules:
        """What the market side needs of this table."""
        return SharedRules(**self.model_dump(include=set(SharedRules.__dataclass_fields__)))


class SubstationScenario(Section):
    """Everything that a study of several feeders fixes beside theirs."""

    study: StudySection
    substation: SubstationSection = SubstationSection()
    ancillary: AncillarySection | None = Field(
        default=None, description="regulation and reserve; without it there is no ancillary market"
    )
    feeders: Annotated[list[MemberSection], Field(min_length=1)] = Field(description="feeders that meet here")
    disruption: list[DisruptionSection] = Field(
        default_factory=list, description="resources that trip or follow calls slowly, heads that open"
    )
    results: ResultsSection

    @model_validator(mode="after")
    def _distinct(self) -> SubstationScenario:
        names = [feeder.name for feeder in self.feeders]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice or SUBSTATION in names:
            raise ValueError(
                f"feeder {(twice or [SUBSTATION])[0]!r} is taken; expected each name once, "
                f"and none {SUBSTATION!r}"
            )
        for item in self.disruption:
            if item.feeder not in names:
                near = nearest_name(item.feeder, names)
                hint = f", did you mean {near!r}?" if near else ""
                valid = ", ".join(names)
                raise ValueError(
                    f"disruption: there is no feeder {item.feeder!r}{hint}; expected one of {valid}"
                )
        for one, other in combinations(self.disruption, 2):
            if one.at_once_with(other):
                raise ValueError(
                    f"disruption: {one.what} is out twice from {other.begin_minutes:g} min on; expected one "
                    "disruption at a time"
                )
        return self


@dataclass(frozen=True)
class SubstationStudy:
    """The folder of a study of several feeders, and its scenario.

    Attributes
    ----------
    folder : Path
        Folder of the study.
    scenario : SubstationScenario
        The scenario as read.
    """

    folder: Path
    scenario: SubstationScenario

    @property
    def name(self) -> str:
        """Name of the study."""
        return self.scenario.study.name

    @property
    def federation(self) -> str:
        """Name of the federation that it runs in."""
        return self.name

    @property
    def feeder(self) -> str:
        """No feeder of its own."""
        return ""

    @property
    def others_go_on(self) -> bool:
        """Nobody goes on without the substation."""
        return False

    @property
    def scenario_file(self) -> Path:
        """The scenario's own file."""
        return self.folder / SCENARIO_FILE

    @property
    def results_file(self) -> Path:
        """Where the substation's results go; those of its feeders lie beside it, by their names."""
        file = Path(self.scenario.results.file)
        elsewhere = os.environ.get(RESULTS_VARIABLE)
        return Path(elsewhere) / file.name if elsewhere else file

    @property
    def run_folder(self) -> Path:
        """Where all federates report that they are alive."""
        return self.results_file.parent / f"{self.results_file.stem}.run"

    @property
    def clock(self) -> Clock:
        """When each interval starts: the clock that all feeders share."""
        return next(iter(self.members.values())).clock

    @cached_property
    def members(self) -> Mapping[str, Study]:
        """Study of every feeder, by its name among them.

        Raises
        ------
        InputError
            When one cannot be used, or its intervals are not those of the others.
        """
        found = {feeder.name: self._member(feeder) for feeder in self.scenario.feeders}
        first, *others = found
        for name in others:
            self._same_time(found[first], found[name], first, name)
        self._fits(found[first])
        for item in self.scenario.disruption:
            known = found[item.feeder].network.resource_ids
            if item.resource is not None and item.resource not in known:
                raise unknown_name(
                    "resource", item.resource, known, where=f"{self.scenario_file} disruption.resource"
                )
        return found

    @cached_property
    def plan(self) -> AncillaryPlan | None:
        """Products of the ancillary market over the intervals; None where there is no such market.

        Raises
        ------
        InputError
            When a table that a product names cannot be used.
        """
        section = self.scenario.ancillary
        return None if section is None else read_plan(section, self.scenario_file, self.clock)

    def member(self, name: str) -> Study:
        """Study of one feeder.

        Raises
        ------
        InputError
            When there is no such feeder.
        """
        if name not in self.members:
            raise InputError(
                f"there is no feeder {name!r}",
                where=str(self.scenario_file),
                expected=f"one of {', '.join(self.members)}",
                nearest=nearest_name(name, self.members),
            )
        return self.members[name]

    def config(self, federate: str) -> FederateConfig:
        """HELICS configuration of the substation's own federate."""
        if federate != SUBSTATION:
            raise InputError(
                f"there is no federate {federate!r}", where=str(self.scenario_file), expected=SUBSTATION
            )
        wanted = READ_OF_FEEDERS + (RESPONSES if self.scenario.ancillary else ())
        keys = [in_federation(key, name) for name in self.members for key in wanted]
        reads = [replace(topic, key=key) for key in keys if (topic := find_topic(key))]
        return config_of(federate, published_by(federate, ("substation",)), reads)

    def config_file(self, federate: str) -> Path:
        """Path at which messages name a federate's configuration."""
        return self.folder / f"{federate}.json"

    def _member(self, feeder: MemberSection) -> Study:
        folder = self.folder / feeder.study
        if not (folder / SCENARIO_FILE).is_file():
            siblings = [path.name for path in folder.parent.iterdir()] if folder.parent.is_dir() else []
            raise InputError(
                f"{feeder.study!r} is no study",
                where=f"{self.scenario_file} feeders.{feeder.name}.study",
                expected=f"a folder with {SCENARIO_FILE}",
                nearest=nearest_name(folder.name, siblings),
            )
        table = self.scenario.substation
        member = Membership(
            feeder=feeder.name,
            federation=self.name,
            exchanges=table.exchanges,
            windows=table.rounds_max,
            results_file=self.results_file.parent / f"{feeder.name}.h5",
            run_folder=self.run_folder,
            others_go_on=table.on_stop == "go_on",
            ancillary=self.scenario.ancillary is not None,
        )
        study = load_study(folder)
        if study.scenario.agents.wire:
            raise InputError(
                f"feeder {feeder.name!r} meets others, and agents on the wire serve a feeder on its own",
                where=f"{study.scenario_file} agents.wire",
                expected="agents.wire = false: its agents then negotiate within its market",
            )
        period = study.scenario.time.period_s
        disruptions = disruptions_of(self.scenario.disruption, feeder.name, period)
        return replace(study, member=replace(member, disruptions=disruptions))

    def _same_time(self, one: Study, other: Study, first: str, name: str) -> None:
        """Raise InputError unless two feeders have the same intervals."""
        for key in ("start", "intervals", "period_s"):
            wanted, found = (getattr(study.scenario.time, key) for study in (one, other))
            if wanted != found:
                raise InputError(
                    f"feeder {name!r} has time.{key} = {found}, and {first!r} has {wanted}",
                    where=str(other.scenario_file),
                    expected="the same intervals for all feeders of a substation",
                )

    def _fits(self, study: Study) -> None:
        """Raise InputError unless the rounds of all feeders fit into an interval."""
        table, period = self.scenario.substation, study.scenario.time.period_s
        needed = last_slot_needed(table.rounds_max - 1, table.exchanges) * SLOT_S
        if needed >= period - 2 * SLOT_S:
            raise InputError(
                f"{table.rounds_max} rounds of {table.exchanges} exchanges take {needed} s of {period} s",
                where=f"{self.scenario_file} substation.rounds_max",
                expected="fewer rounds or exchanges, or longer intervals",
            )


def is_substation(folder: Path) -> bool:
    """Tell whether a study's scenario lists feeders."""
    return FEEDERS in read_toml(folder / SCENARIO_FILE)


def load_substation(folder: Path) -> SubstationStudy:
    """Read the scenario of a study of several feeders.

    Raises
    ------
    InputError
        Naming file, key, what was expected and the nearest valid key.
    """
    file = folder / SCENARIO_FILE
    return SubstationStudy(folder, validate(SubstationScenario, read_toml(file), file))


def load_any(folder: Path, feeder: str = "") -> Study | SubstationStudy:
    """Read a study, of one feeder or of several, or that of one feeder among several.

    Parameters
    ----------
    folder : Path
        Folder with a ``scenario.toml``.
    feeder : str
        Name of one feeder of several; empty for the study as a whole.

    Raises
    ------
    InputError
        When there is none, or it cannot be used.
    """
    if not is_substation(folder):
        if feeder:
            raise InputError(
                f"feeder {feeder!r} is asked for, and the scenario lists none",
                where=str(folder / SCENARIO_FILE),
                expected="[[feeders]]",
            )
        return load_study(folder)
    study = load_substation(folder)
    return study.member(feeder) if feeder else study
