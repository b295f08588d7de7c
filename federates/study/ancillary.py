"""What a scenario says of the ancillary market: products, what calls them, who pays, and what goes wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from dlmp_cosim.federates.runtime.clock import SECONDS_PER_MINUTE, Clock
from dlmp_cosim.federates.study.section import NotNegative, Positive, Section
from dlmp_cosim.federates.study.steps_table import read_steps
from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.feeders.network import FloatArray
from dlmp_cosim.market.ancillary.products import PRODUCTS, Need, Product

IMBALANCE = "imbalance"
"""Signal of a product that is called by what is drawn beyond what was bought."""

ROUNDING = 1e-9
"""Share of an interval by which a time may miss the one that it is meant for."""

Payer = Literal["energy", "peak", "deviation"]
"""By what the cost of ancillary services is shared among the feeders."""


Counted = Literal["unpriced", "all", "none"]
"""What of missed requirements and of calls makes the verdict of the substation violated."""


class ProductSection(Section):
    """One product of the ancillary market."""

    requirement_kw: NotNegative | str = Field(
        description="capacity that is required [kW], or a table of minutes,value"
    )
    minutes: Positive = Field(description="time within which called energy has to be there [min]")
    duration_minutes: Positive | None = Field(
        default=None,
        description="how long it may be called: so much energy stands behind what a storage sells [min]; "
        "without it, until the next gate",
    )
    cap: Positive = Field(
        default=1000.0, description="price at which the requirement gives way [$/MW for an hour]"
    )
    signal: str = Field(
        default=IMBALANCE,
        description='what calls it: "imbalance", what is drawn beyond what was bought; or a table of '
        "minutes,value in [-1, 1] of what was procured, positive for upwards",
    )


class AncillarySection(Section):
    """Regulation and reserve that the substation buys of its feeders' resources."""

    regulation_up: ProductSection | None = Field(default=None, description="more power at once, or less load")
    regulation_down: ProductSection | None = Field(default=None, description="less power at once")
    reserve: ProductSection | None = Field(
        default=None, description="more power within minutes, called after regulation"
    )
    band_kw: NotNegative = Field(
        default=50.0, description="deviation from what was bought that needs no answer [kW]"
    )
    gate_minutes: Positive = Field(
        default=60.0,
        description="how long what the markets bought together stands, before it is bought anew [min]",
    )
    tolerance_kw: NotNegative = Field(default=1.0, description="called power that may be missing [kW]")
    verdict: Counted = Field(
        default="unpriced",
        description='what makes the verdict of the substation violated: "unpriced", a requirement missed at '
        'a price below its cap, and a call that is short; "all", any requirement missed, and a call that is '
        'late or short; "none", neither',
    )
    paid_by: Payer = Field(
        default="energy",
        description="how feeders share the cost: by the energy that each draws, by its peak, or by "
        "how far it is off what its market expected",
    )

    @property
    def tables(self) -> tuple[str, ...]:
        """Files that products name, relative to the scenario."""
        named = [(item.requirement_kw, item.signal) for item in self.products.values()]
        found = (name for pair in named for name in pair if isinstance(name, str) and name != IMBALANCE)
        return tuple(dict.fromkeys(found))

    @property
    def products(self) -> dict[Product, ProductSection]:
        """Products that there are."""
        found = {name: getattr(self, name) for name in PRODUCTS}
        return {name: section for name, section in found.items() if section is not None}


class CapacitySettings(Section):
    """What an owner asks for capacity, where a substation buys it; a product without a price is not sold."""

    regulation_up: NotNegative | None = Field(
        default=None, description="price of regulation upwards [$/MW for an hour]"
    )
    regulation_down: NotNegative | None = Field(
        default=None, description="price of regulation downwards [$/MW for an hour]"
    )
    reserve: NotNegative | None = Field(default=None, description="price of reserve [$/MW for an hour]")
    called: float | None = Field(
        default=None, description="price of called energy [$/MWh]; without it, the d-LMP"
    )


class DisruptionSection(Section):
    """A resource that does not do what it was awarded, or the head of a feeder that is open."""

    feeder: str = Field(description="feeder of the resource, or whose head is open")
    resource: str | None = Field(
        default=None, description="resource that trips; without one, the head of the feeder is open"
    )
    head: bool = Field(
        default=False, description="says in so many words that the head is open, where no resource is given"
    )
    begin_minutes: NotNegative = Field(description="when, from the start of the run [min]")
    minutes: Positive = Field(description="for how long [min]")
    ramp_kw_per_minute: Annotated[float | None, Field(gt=0.0)] = Field(
        default=None, description="given: it does not trip, and follows calls no faster than this [kW/min]"
    )

    @model_validator(mode="after")
    def _one_thing(self) -> DisruptionSection:
        if self.resource is not None and self.head:
            raise ValueError(
                f"resource {self.resource!r} and head are both given; expected one of the two: with the head "
                "open nothing of the feeder is in service"
            )
        if self.resource is None and self.ramp_kw_per_minute is not None:
            raise ValueError("ramp_kw_per_minute is given and no resource; a head is open or closed")
        return self

    @property
    def what(self) -> str:
        """What it befalls, for messages."""
        return f"the head of {self.feeder!r}" if self.resource is None else f"{self.feeder}.{self.resource}"

    def at_once_with(self, other: DisruptionSection) -> bool:
        """Whether both befall the same thing in the same way at the same time."""
        same = (self.feeder, self.resource) == (other.feeder, other.resource)
        alike = (self.ramp_kw_per_minute is None) == (other.ramp_kw_per_minute is None)
        first, last = sorted((self, other), key=lambda item: item.begin_minutes)
        return same and alike and last.begin_minutes < first.begin_minutes + first.minutes


@dataclass(frozen=True)
class Disruption:
    """A disruption in intervals: from `first` on, before `end`; with a ramp it is slow, without it trips.

    Without a `resource` it is the head of the feeder that is open.
    """

    resource: str
    first: int
    end: int
    ramp_kw_per_minute: float | None = None

    def within(self, interval: int) -> bool:
        """Whether it lasts in an interval."""
        return self.first <= interval < self.end


def tripped(disruptions: Sequence[Disruption], interval: int, *, known: bool) -> frozenset[str]:
    """Name the resources that are out.

    Parameters
    ----------
    disruptions : sequence of Disruption
        What goes wrong.
    interval : int
        When.
    known : bool
        Whether only those count of which the market knows: not what trips in this interval.
    """
    return frozenset(
        item.resource
        for item in disruptions
        if item.resource and item.ramp_kw_per_minute is None and _lasts(item, interval, known=known)
    )


def head_open(disruptions: Sequence[Disruption], interval: int, *, known: bool) -> bool:
    """Tell whether the head of the feeder is open.

    Parameters
    ----------
    disruptions : sequence of Disruption
        What goes wrong.
    interval : int
        When.
    known : bool
        Whether only that counts of which the market knows: not what opens in this interval.
    """
    return any(_lasts(item, interval, known=known) for item in disruptions if not item.resource)


def out_of_service(
    disruptions: Sequence[Disruption], interval: int, names: Iterable[str], *, known: bool
) -> frozenset[str]:
    """Name the resources that give nothing: those that trip, and with the head open all.

    Parameters
    ----------
    disruptions : sequence of Disruption
        What goes wrong.
    interval : int
        When.
    names : iterable of str
        All resources of the feeder.
    known : bool
        Whether only that counts of which the market knows.
    """
    if head_open(disruptions, interval, known=known):
        return frozenset(names)
    return tripped(disruptions, interval, known=known)


def _lasts(item: Disruption, interval: int, *, known: bool) -> bool:
    return item.within(interval) and not (known and item.first == interval)


def disruptions_of(
    sections: Sequence[DisruptionSection], feeder: str, period_s: int
) -> tuple[Disruption, ...]:
    """Bring the disruptions of one feeder to its intervals."""
    step = period_s / SECONDS_PER_MINUTE
    return tuple(
        Disruption(
            item.resource or "",
            int(np.floor(item.begin_minutes / step + ROUNDING)),
            int(np.ceil((item.begin_minutes + item.minutes) / step - ROUNDING)),
            item.ramp_kw_per_minute,
        )
        for item in sections
        if item.feeder == feeder
    )


@dataclass(frozen=True)
class AncillaryPlan:
    """Products over the intervals of a run.

    Attributes
    ----------
    section : AncillarySection
        What the scenario says.
    required : mapping of str to ndarray, shape (n,) each
        Requirement of every product [kW].
    signals : mapping of str to ndarray, shape (n,) each
        Signal of the products that a file calls, -1 to 1.
    gate : int
        Intervals for which what was bought stands.
    period_s : int
        Length of an interval [s].
    """

    section: AncillarySection
    required: Mapping[Product, FloatArray] = field(default_factory=dict)
    signals: Mapping[Product, FloatArray] = field(default_factory=dict)
    gate: int = 1
    period_s: int = 60

    def needs(self, interval: int) -> tuple[Need, ...]:
        """Return the requirements of an interval."""
        return tuple(
            Need(
                name,
                float(self.required[name][interval]),
                item.minutes,
                item.cap,
                self._lasts(item, interval),
            )
            for name, item in self.section.products.items()
        )

    def _lasts(self, item: ProductSection, interval: int) -> float:
        """How long a product may be called from an interval on, this one with it [intervals]."""
        if item.duration_minutes is None:
            return float(self.gate - interval % self.gate)
        return max(item.duration_minutes * SECONDS_PER_MINUTE / self.period_s, 1.0)

    def signal(self, interval: int) -> dict[Product, float]:
        """Signals of an interval."""
        return {name: float(values[interval]) for name, values in self.signals.items()}


def read_plan(section: AncillarySection, file: Path, clock: Clock) -> AncillaryPlan:
    """Read the tables that products name.

    Parameters
    ----------
    section : AncillarySection
        What the scenario says.
    file : Path
        The scenario file, which tables are relative to.
    clock : Clock
        Intervals of the run.

    Raises
    ------
    InputError
        When a table cannot be used, or the gate is no whole number of intervals.
    """
    gate = gate_of(section, clock.period_s)
    if gate < 1.0 or gate != int(gate):
        raise InputError(
            f"{section.gate_minutes:g} min are {gate:g} intervals",
            where=f"{file} ancillary.gate_minutes",
            expected=f"a multiple of {clock.period_s / SECONDS_PER_MINUTE:g} min",
        )
    required, signals = {}, {}
    for name, item in section.products.items():
        where = f"{file} ancillary.{name}"
        required[name] = _required(item.requirement_kw, file, clock, f"{where}.requirement_kw")
        if item.signal != IMBALANCE:
            signals[name] = _signal(file.parent / item.signal, clock, f"{where}.signal")
    return AncillaryPlan(section, required, signals, int(gate), clock.period_s)


def gate_of(section: AncillarySection, period_s: int) -> float:
    """Say for how many intervals what was bought stands."""
    return section.gate_minutes * SECONDS_PER_MINUTE / period_s


def _required(given: float | str, file: Path, clock: Clock, where: str) -> FloatArray:
    if not isinstance(given, str):
        return np.full(clock.intervals, float(given))
    values = read_steps(file.parent / given, clock, where)
    if (values < 0.0).any():
        raise InputError(f"{given} has negative values", where=where, expected="requirements of 0 kW or more")
    return values


def _signal(table: Path, clock: Clock, where: str) -> FloatArray:
    values = read_steps(table, clock, where)
    if (np.abs(values) > 1.0).any():
        raise InputError(f"{table} leaves the range", where=where, expected="values of -1 to 1")
    return values
