"""Small devices behind an aggregator: what each can do in an interval, and what it does to its state.

Powers are positive towards the grid, so that an electric vehicle and a heat pump have negative ones.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dlmp_cosim.federates.ev import Session
from dlmp_cosim.federates.study.csv_rows import read_rows
from dlmp_cosim.feeders.errors import InputError, unknown_name
from dlmp_cosim.feeders.network import FloatArray, ResourceKind
from dlmp_cosim.feeders.readers.csv_table import plain_number

COLUMNS = ("device", "kind", "kw_max", "price")
"""Columns that every device needs; others by its kind."""
Row = tuple[float, float, float]
"""Least and most power [kW], and marginal cost [$/MWh]."""


@dataclass(frozen=True)
class Moment:
    """What a device knows of an interval.

    Attributes
    ----------
    start_h : float
        Its start, from the start of the run [h].
    hours : float
        Its length [h].
    sun : float
        Output of PV as a share of its nameplate.
    expected : ndarray, shape (n,)
        Prices that are expected from this interval on [$/MWh].
    """

    start_h: float
    hours: float
    sun: float
    expected: FloatArray


class Device(ABC):
    """One device.

    Attributes
    ----------
    name : str
        Its name.
    kw_max : float
        Most power, either way [kW].
    """

    name: str
    kw_max: float
    KIND: ResourceKind = "storage"

    @abstractmethod
    def row(self, now: Moment) -> Row:
        """Say what it can do, and at what cost."""

    @abstractmethod
    def idle(self, now: Moment) -> float:
        """Power that it would take or give with nobody to ask [kW]."""

    def move(self, kw: float, now: Moment) -> None:
        """Take notice of what it did.

        Parameters
        ----------
        kw : float
            Power over the interval, positive towards the grid [kW].
        now : Moment
            The interval.
        """
        del kw, now


@dataclass
class Car(Device):
    """An electric vehicle; bids the price that it expects for the hours that it needs, or less.

    Attributes
    ----------
    session : Session
        Arrival, deadline and energy still to come.
    price : float
        Most that a MWh is worth to it before it has to charge [$/MWh].
    """

    session: Session
    price: float

    @property
    def name(self) -> str:  # type: ignore[override]
        """Its name."""
        return self.session.car

    @property
    def kw_max(self) -> float:  # type: ignore[override]
        """Fastest charging [kW]."""
        return self.session.kw_max

    def row(self, now: Moment) -> Row:
        """Charge what cannot wait; offer the rest at what it expects to pay later."""
        session = self.session
        most, least = session.most(now.start_h, now.hours), session.least(now.start_h, now.hours)
        left = max(math.ceil((session.deadline_h - now.start_h) / now.hours), 1)
        ahead = sorted(now.expected[:left].tolist())
        needed = math.ceil(session.energy_kwh / (session.kw_max * now.hours) - 1e-9)
        worth = ahead[min(max(needed, 1), len(ahead)) - 1]
        return -most, -least, min(worth, self.price)

    def idle(self, now: Moment) -> float:
        """Charge at once."""
        return -self.session.most(now.start_h, now.hours)

    def move(self, kw: float, now: Moment) -> None:
        """Take what was charged off what is still to come.

        Parameters
        ----------
        kw : float
            Power over the interval, negative while charging [kW].
        now : Moment
            The interval.
        """
        self.session.charge(-kw * now.hours)


@dataclass
class HeatPump(Device):
    """A heat pump; bids more the colder it is, and runs in any case where it would leave its band.

    The deviation from the set point follows
    ``x = x exp(-h / time_constant_h) + kelvin_per_kwh h (drawn - hold_kw)``.

    Attributes
    ----------
    name : str
        Its name.
    kw_max : float
        Most power drawn [kW].
    price : float
        What a MWh is worth at the set point [$/MWh]; twice that at the cold end of the band, nothing at the
        warm one.
    hold_kw : float
        Power that keeps the set point [kW].
    band_k : float
        Largest deviation [K].
    time_constant_h : float
        How fast a deviation decays [h].
    kelvin_per_kwh : float
        What a kWh more does [K/kWh].
    deviation_k : float
        Deviation now [K].
    """

    name: str
    kw_max: float
    price: float
    hold_kw: float
    band_k: float
    time_constant_h: float
    kelvin_per_kwh: float
    deviation_k: float = 0.0

    def row(self, now: Moment) -> Row:
        """Stay within the band; the colder, the dearer."""
        kept = self._kept(now)
        most = self._drawn_to(self.band_k - kept, now)
        least = self._drawn_to(-self.band_k - kept, now)
        return -most, -least, max(self.price * (1.0 - self.deviation_k / self.band_k), 0.0)

    def idle(self, now: Moment) -> float:
        """Return to the set point."""
        return -self._drawn_to(-self._kept(now), now)

    def move(self, kw: float, now: Moment) -> None:
        """Warm up by what was drawn beyond what holds the set point.

        Parameters
        ----------
        kw : float
            Power over the interval, negative while running [kW].
        now : Moment
            The interval.
        """
        self.deviation_k = self._kept(now) + self.kelvin_per_kwh * now.hours * (-kw - self.hold_kw)

    def _kept(self, now: Moment) -> float:
        """Deviation at the end of an interval at the power that holds the set point [K]."""
        return self.deviation_k * math.exp(-now.hours / self.time_constant_h)

    def _drawn_to(self, change_k: float, now: Moment) -> float:
        """Power that changes the deviation by so much [kW]."""
        wanted = self.hold_kw + change_k / (self.kelvin_per_kwh * now.hours)
        return min(max(wanted, 0.0), self.kw_max)


@dataclass
class Roof(Device):
    """PV on a roof: gives what the sun gives, or less.

    Attributes
    ----------
    name : str
        Its name.
    kw_max : float
        Nameplate [kW].
    price : float
        Cost of a MWh [$/MWh].
    """

    name: str
    kw_max: float
    price: float
    KIND: ResourceKind = "generator"

    def row(self, now: Moment) -> Row:
        """Give up to what the sun gives."""
        return 0.0, self.kw_max * now.sun, self.price

    def idle(self, now: Moment) -> float:
        """Give all of it."""
        return self.kw_max * now.sun


def read_devices(file: Path) -> list[Device]:
    """Read a table of devices.

    Parameters
    ----------
    file : Path
        A CSV file with the columns ``device,kind,kw_max,price`` and those that a kind needs: ``car`` also
        ``arrival_h,deadline_h,energy_kwh,comfort_kwh``, ``heat_pump`` also
        ``hold_kw,band_k,time_constant_h,kelvin_per_kwh``, ``pv`` nothing more.

    Raises
    ------
    InputError
        When it cannot be used, two devices share a name, or a device cannot do what it has to.
    """
    devices, seen = [], set()
    for k, row in enumerate(read_rows(file), 1):
        where = f"{file} row {k}"
        device = _device(row, where)
        if device.name in seen:
            raise InputError(f"device {device.name!r} is listed twice", where=where, expected="each once")
        seen.add(device.name)
        devices.append(device)
    if not devices:
        raise InputError("lists no device", where=str(file), expected=",".join(COLUMNS))
    return devices


def _device(row: Mapping[str, str], where: str) -> Device:
    kind = row.get("kind") or ""
    if kind not in KINDS:
        raise unknown_name("kind of device", kind, KINDS, where=where)
    wanted = KINDS[kind]
    values = []
    for name in wanted:
        try:
            values.append(plain_number(row[name]))
        except (KeyError, ValueError):
            raise InputError(
                f"{name} is {row.get(name)!r}", where=where, expected=f"numbers for {','.join(wanted)}"
            ) from None
    if not row.get("device") or values[0] <= 0.0:
        raise InputError("has no name or no power", where=where, expected="device, and kw_max above 0")
    return _made(kind, row["device"], values, where)


def _made(kind: str, name: str, values: Sequence[float], where: str) -> Device:
    kw_max, price, *rest = values
    if kind == "pv":
        return Roof(name, kw_max, price)
    if kind == "car":
        arrival, deadline, energy, comfort = rest
        if not 0.0 <= comfort <= energy <= kw_max * (deadline - arrival) + 1e-9:
            raise InputError(
                f"{name} needs {energy:g} kWh and can take {kw_max * (deadline - arrival):g} kWh",
                where=where,
                expected="comfort_kwh <= energy_kwh <= kw_max * (deadline_h - arrival_h)",
            )
        return Car(Session(name, "", arrival, deadline, energy, comfort, kw_max), price)
    hold, band, constant, kelvin = rest
    if not 0.0 <= hold <= kw_max or min(band, constant, kelvin) <= 0.0:
        raise InputError(
            f"{name} cannot hold its set point",
            where=where,
            expected="0 <= hold_kw <= kw_max, and band_k, time_constant_h, kelvin_per_kwh above 0",
        )
    return HeatPump(name, kw_max, price, hold, band, constant, kelvin)


KINDS: dict[str, tuple[str, ...]] = {
    "car": ("kw_max", "price", "arrival_h", "deadline_h", "energy_kwh", "comfort_kwh"),
    "heat_pump": ("kw_max", "price", "hold_kw", "band_k", "time_constant_h", "kelvin_per_kwh"),
    "pv": ("kw_max", "price"),
}
"""Kinds of device, and the numbers that each needs."""
