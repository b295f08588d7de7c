"""What a user writes in ``scenario.toml``: one file a study, every key checked.

Data files are relative to the scenario file. The results file is relative to the folder that federates run
in, which the runner file names.
"""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator

from dlmp_cosim.federates.anchoring.rounds import Controls, Policy
from dlmp_cosim.federates.runtime.clock import SLOT_S, Clock, last_slot_needed
from dlmp_cosim.federates.study.agents import AgentsSection
from dlmp_cosim.federates.study.checked_file import read_toml, validate
from dlmp_cosim.federates.study.performance_sections import EmissionsSection, GroupSection
from dlmp_cosim.federates.study.section import NotNegative, Positive, Section
from dlmp_cosim.federates.study.series_sections import ForecastSection, ProfileSection
from dlmp_cosim.feeders.network import ResourceKind
from dlmp_cosim.market.models import DEFAULT_MODEL
from dlmp_cosim.market.money.settlement import CurtailmentRule
from dlmp_cosim.market.settings import MarketSettings, Method

__all__ = ["NotNegative", "Positive", "Scenario", "Section", "load_scenario"]

ZONE = ZoneInfo("America/New_York")
"""Local time of ISO New England, in which scenarios give their start."""

ON_THE_WIRE: tuple[Method, ...] = ("interior-point", "pac-accelerated")
"""Methods that agents on the wire know."""
YEARS = range(1900, 2200)
"""Years that a run may begin in."""


class StudySection(Section):
    """Which study this is."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")] = Field(description="name of the study")
    seed: int = Field(default=0, description="seed of everything random")


class TimeSection(Section):
    """Market intervals; an interval has one slot a second."""

    start: datetime = Field(description="start of the first interval, local time (America/New_York)")
    intervals: Annotated[int, Field(ge=1, le=10_000_000)] = Field(description="market intervals to run")
    period_s: Annotated[int, Field(ge=60)] = Field(default=300, description="length of an interval [s]")
    rounds_max: Annotated[int, Field(ge=1)] = Field(
        default=4, description="clearings tried against the AC physics before `on_failure` applies"
    )

    @model_validator(mode="after")
    def _fits(self) -> TimeSection:
        if self.start.tzinfo is not None:
            raise ValueError("start has an offset; expected local time without one")
        if self.start.year not in YEARS:
            raise ValueError(
                f"start is in the year {self.start.year}; expected one from {YEARS[0]} to {YEARS[-1]}"
            )
        if last_slot_needed(self.rounds_max) * SLOT_S >= self.period_s - SLOT_S:
            most = (self.period_s - 5) // 2
            raise ValueError(
                f"rounds_max does not fit into {self.period_s} s; expected at most {most} rounds"
            )
        return self

    @property
    def start_utc(self) -> int:
        """Start of the first interval [s since 1970-01-01 UTC]."""
        return int(self.start.replace(tzinfo=ZONE).timestamp())


class FeederSection(Section):
    """Which feeder, and how its physics is solved."""

    case: str = Field(
        default="ieee123",
        description="ieee123, or the master .dss file of any OpenDSS circuit, relative to this file",
    )
    demand: Literal["wholesale", "load_shapes"] = Field(
        default="wholesale",
        description="what demand follows: the wholesale demand ratio, or the circuit's own load shapes",
    )
    engine: Literal["opendss", "power_grid_model"] = Field(
        default="opendss", description="which program solves it; power_grid_model leaves regulators alone"
    )
    regulators: Literal["automatic", "held", "neutral"] = Field(
        default="automatic", description="tap changers act, stay where they are, or stay at 0"
    )
    control_mode: Literal["static", "off"] = Field(
        default="static", description="whether controls settle within each power flow"
    )
    load_scale: Positive = Field(default=1.0, description="factor on every listed load")
    tolerance: Annotated[float, Field(gt=0.0, lt=1e-2)] = Field(
        default=1e-8, description="voltage change at which a power flow counts as solved [pu]"
    )
    assets: str = Field(default="", description="table of resources; empty: the one of the case")


class WholesaleSection(Section):
    """Price and demand series at the feeder head."""

    files: Annotated[list[str], Field(min_length=1)] = Field(description="price files of ISO New England")
    location: str = Field(default=".Z.NEMASSBOST", description="name or number of the pricing location")
    market: str = Field(default="real_time", description="which price to take: real_time or day_ahead")
    demand_files: list[str] = Field(default_factory=list, description="demand files; empty: the price files")
    demand_location: str = Field(default="", description="location of the demand; empty: that of the price")
    scale_to_mean: NotNegative = Field(
        default=0.0, description="scale the price to this mean [$/MWh]; 0: as read"
    )
    reactive_price: NotNegative = Field(
        default=0.0, description="price of reactive power at the head [$/(MVAR*h)]"
    )
    slope: NotNegative = Field(
        default=0.0, description="rise of the LMP for each MW that the feeder draws [$/MWh per MW]"
    )
    slope_from_kw: float = Field(
        default=0.0, description="power drawn at which the LMP is as read [kW]", allow_inf_nan=False
    )
    supply: str = Field(
        default="", description="table of kw,rise with the rise of the LMP [$/MWh], in place of `slope`"
    )

    @model_validator(mode="after")
    def _one_curve(self) -> WholesaleSection:
        if self.slope and self.supply:
            raise ValueError("both slope and supply are given; expected a number or a table")
        return self

    @property
    def answers(self) -> bool:
        """Whether the LMP answers what the feeder draws."""
        return bool(self.slope or self.supply)


class HorizonGroup(Section):
    """Steps ahead of one length."""

    minutes: Annotated[int, Field(ge=1)] = Field(description="length of each step [min]")
    steps: Annotated[int, Field(ge=0)] = Field(
        default=0, description="how many; 0, in the last table: as many as there is time for"
    )


class MarketSection(Section):
    """How the market clears, and when prediction and physics count as agreed."""

    model: str = Field(
        default=DEFAULT_MODEL,
        description='nodal, branch_flow, uniform, none, or a class "package.module:Class"',
    )
    method: Method = Field(default="interior-point", description="how the optimum is found")
    voltage_min_pu: Positive = Field(default=0.95, description="lower voltage limit [pu]")
    voltage_max_pu: Positive = Field(default=1.05, description="upper voltage limit [pu]")
    voltage_margin_pu: NotNegative = Field(
        default=0.0, description="how far inside the limits the market stays [pu]"
    )
    voltage_penalty: NotNegative = Field(
        default=1e4, description="price of a voltage excess [$/h per pu and node]"
    )
    rating_penalty: NotNegative = Field(
        default=1e4, description="price of a rating excess [$/h per 100 % of the rating and conductor]"
    )
    veto_price: Annotated[float, Field(gt=0.0, le=1e5)] = Field(
        default=1e3,
        description="what must be saved by it before a schedule of a wholesale participant is cut [$/MWh]",
    )
    rating_scale: Positive = Field(default=1.0, description="factor on every line rating")
    loss_weight: NotNegative = Field(
        default=0.0, description="extra weight of losses, as a multiple of the LMP"
    )
    agents: Annotated[int, Field(ge=0)] = Field(
        default=4,
        description="agents of pac-accelerated, and of every method on the wire, each with an area of buses; "
        "0: one agent a bus",
    )
    tolerance: Positive = Field(default=3e-5, description="relative residual at which agents stop")
    negotiation_rounds: Annotated[int, Field(ge=1)] = Field(
        default=20_000, description="one-hop messages in sequence of one clearing, after which agents stop"
    )
    anchored: bool = Field(
        default=True, description="clear again at the AC answer until market and physics agree"
    )
    settle_voltage_pu: Positive = Field(
        default=1e-4, description="voltage difference that counts as agreed [pu]"
    )
    settle_head_kw: Positive = Field(
        default=0.1, description="head power difference that counts as agreed [kW]"
    )
    settle_price: Positive | None = Field(
        default=None,
        description="play further rounds, while they last, when a clearing at the AC answer changes a price "
        "by more than this [$/MWh]; by default what settled is final",
    )
    on_failure: Policy = Field(default="hold_last", description="what is dispatched when no clearing settles")
    controls: Controls = Field(
        default="after",
        description="regulators and capacitors act after the final dispatch, or are settled together with it",
    )

    horizon: list[HorizonGroup] = Field(
        default_factory=list,
        description="steps ahead that every interval clears, the interval itself first; empty: it alone",
    )
    horizon_end: Literal["run", "midnight", "none"] = Field(
        default="run", description="where steps ahead are cut off: end of the run, local midnight, nowhere"
    )

    horizon_voltage_pu: NotNegative = Field(
        default=0.02,
        description="how far voltages of later steps may exceed limits: regulators will have moved [pu]",
    )

    @model_validator(mode="after")
    def _counted(self) -> MarketSection:
        open_ended = [k for k, group in enumerate(self.horizon) if not group.steps]
        if open_ended and open_ended[0] < len(self.horizon) - 1:
            raise ValueError(
                "horizon has a table without steps that is not the last; expected a number of steps"
            )
        if open_ended and self.horizon_end == "none":
            raise ValueError(
                'horizon has a table without steps and no end; expected steps, or horizon_end = "run"'
            )
        return self

    @model_validator(mode="after")
    def _band(self) -> MarketSection:
        if self.voltage_min_pu + self.voltage_margin_pu >= self.voltage_max_pu - self.voltage_margin_pu:
            raise ValueError(
                "voltage_min_pu is not below voltage_max_pu; expected a band such as 0.95 to 1.05"
            )
        return self

    @property
    def settings(self) -> MarketSettings:
        """The part of this table that every market model reads."""
        names = set(MarketSettings.__dataclass_fields__) - {"model"}
        return MarketSettings(model=self.model, **self.model_dump(include=names))


class OwnedResource(Section):
    """One resource that a scenario adds to the feeder."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")] = Field(description="name of its own")
    kind: ResourceKind = Field(description="generator, storage (any sign) or flexible_load")
    bus: str = Field(default="", description="where it is connected; empty for a flexible load")
    phases: Annotated[str, Field(pattern=r"^a?b?c?$")] = Field(
        default="", description="such as abc; empty: all of the bus, or those of the load"
    )
    connection: Literal["wye", "delta"] = Field(default="wye", description="to ground, or between phases")
    load: str = Field(default="", description="the load that a flexible load curtails")
    kw_max: Positive = Field(description="nameplate real power [kW]")
    kva_max: Positive | None = Field(default=None, description="rating [kVA]; by default that of kw_max")

    @model_validator(mode="after")
    def _placed(self) -> OwnedResource:
        flexible = self.kind == "flexible_load"
        if flexible == bool(self.bus) or flexible != bool(self.load) or (flexible and self.phases):
            raise ValueError(
                f"{self.name} is out of place; expected "
                + ("a load and neither bus nor phases" if flexible else "a bus and no load")
            )
        if self.kva_max is not None and self.kva_max < self.kw_max:
            raise ValueError(f"kva_max of {self.name} is too small; expected at least {self.kw_max:g} kVA")
        return self


class OwnerSection(Section):
    """A federate that offers resources of its own."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")] = Field(description="name of the federate")
    resource: list[OwnedResource] = Field(default_factory=list, description="resources that it adds")
    takes: list[str] = Field(default_factory=list, description="resources of the asset table that it offers")
    more_share: NotNegative = Field(
        default=0.0,
        description="power that its flexible loads can consume beyond their demand, as a share of the listed",
    )
    settings: dict[str, Any] = Field(
        default_factory=dict, description="what the federate itself wants to know"
    )


class SettlementSection(Section):
    """How a run is settled."""

    curtailment: CurtailmentRule = Field(
        default="paper",
        description="what a flexible load is paid for what it does not consume: paper, the d-LMP; net, the "
        "d-LMP less what it saves by not buying, which leaves nothing",
    )


class ResultsSection(Section):
    """Where the results go."""

    file: Annotated[str, Field(min_length=1)] = Field(
        description="HDF5 file, relative to the federates' folder"
    )

    @field_validator("file")
    @classmethod
    def _inside(cls, file: str) -> str:
        if ".." in Path(os.path.normpath(file)).parts:
            raise ValueError(
                f"{file!r} leads out of the folder that federates run in; expected a path inside it, "
                "or an absolute one"
            )
        return file


class Scenario(Section):
    """Everything that one study fixes."""

    study: StudySection
    time: TimeSection
    feeder: FeederSection = FeederSection()
    wholesale: WholesaleSection
    market: MarketSection = MarketSection()
    agents: AgentsSection = AgentsSection()
    forecast: ForecastSection = ForecastSection()
    emissions: EmissionsSection = EmissionsSection()
    settlement: SettlementSection = SettlementSection()
    owner: list[OwnerSection] = Field(
        default_factory=list, description="federates with resources of their own"
    )
    profile: list[ProfileSection] = Field(
        default_factory=list, description="loads whose demand follows a table of its own"
    )
    group: list[GroupSection] = Field(
        default_factory=list, description="customers whose cost is stated apart"
    )
    results: ResultsSection

    @model_validator(mode="after")
    def _divides(self) -> Scenario:
        period, groups = self.time.period_s, self.market.horizon
        for k, group in enumerate(groups):
            if 60 * group.minutes % period:
                raise ValueError(
                    f"market.horizon[{k}]: steps of {group.minutes} min do not divide into intervals of "
                    f"{period / 60:g} min; expected a multiple of {period / 60:g}"
                )
        if groups and 60 * groups[0].minutes != period:
            raise ValueError(
                f"market.horizon[0]: the first step is the interval; expected minutes = {period / 60:g}"
            )
        return self

    @model_validator(mode="after")
    def _on_the_wire(self) -> Scenario:
        if not self.agents.wire:
            return self
        market = self.market
        if market.method not in ON_THE_WIRE or market.model != DEFAULT_MODEL or market.horizon:
            raise ValueError(
                "agents.wire: agents on the wire clear one interval at a time; expected "
                f'market.model = "{DEFAULT_MODEL}", no horizon, and market.method one of '
                + ", ".join(ON_THE_WIRE)
            )
        if not self.agent_hosts:
            raise ValueError(
                "agents.federates is 0 and so is market.agents; expected how many federates host"
            )
        return self

    @property
    def agent_hosts(self) -> int:
        """Federates that host agents; 0 when they are not on the wire."""
        return (self.agents.federates or self.market.agents) if self.agents.wire else 0

    @property
    def clock(self) -> Clock:
        """When each interval starts and what its slots are for."""
        return Clock(self.time.start_utc, self.time.period_s, self.time.intervals, self.time.rounds_max)


def load_scenario(file: Path) -> Scenario:
    """Read and check a scenario.

    Parameters
    ----------
    file : Path
        A ``scenario.toml``.

    Raises
    ------
    InputError
        Naming file, key, what was expected and the nearest valid key.
    """
    return validate(Scenario, read_toml(file), file)
