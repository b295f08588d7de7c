"""From a results file to its settlement, and back into the file as ``/settlement``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np

from federates.anchoring.demand import nominal_demand
from federates.results.run import Results
from federates.study.scenario import ZONE
from feeders.errors import ResultsError
from feeders.network import ComplexArray, FloatArray
from market.money.payment_schemes import (
    Metered,
    Money,
    Rates,
    Scenario,
    bill_market,
    bill_tariff,
    read_meters,
    scenario_of,
)
from market.money.settlement import KWH_PER_MWH, NodalPrices, Readings, Settlement, settle

GROUP = "settlement"
Owner = Literal["", "node", "load", "resource"]


@dataclass(frozen=True)
class Column:
    """One dataset of the settlement: key, what its second axis lists, unit, meaning, values."""

    key: str
    ids: Owner
    unit: str
    meaning: str
    values: FloatArray


def read_readings(results: Results) -> Readings:
    """Read what the meters of a run say, for its finished intervals.

    Raises
    ------
    ResultsError
        When the file lacks a quantity, or no interval finished.
    """
    if not results.intervals:
        raise ResultsError(f"{results.path}: no interval of {results.expected} finished: nothing to settle")
    ratio = results.values("wholesale/demand_ratio")
    scale = float(results.scenario["feeder"]["load_scale"])
    asked = np.array([nominal_demand(results.network, k, float(r), scale) for k, r in enumerate(ratio)])
    magnitude, angle = results.values("feeder/voltage_magnitude"), results.values("feeder/voltage_angle")
    return Readings(
        hours=results.period_h,
        lmp=results.values("wholesale/lmp"),
        voltage=magnitude * np.exp(1j * angle),
        load=complex_values(results, "feeder/load"),
        curtailed=asked - complex_values(results, "feeder/demand"),
        injection=complex_values(results, "feeder/injection"),
        machine=complex_values(results, "feeder/machine"),
        head=complex_values(results, "feeder/head_power"),
        losses=results.values("feeder/losses_real"),
    )


def read_prices(results: Results) -> NodalPrices:
    """Read the nodal prices of a run.

    Raises
    ------
    ResultsError
        When the file lacks one.
    """
    return NodalPrices(
        real=results.values("market/dlmp_real"),
        reactive=results.values("market/dlmp_reactive"),
        loss=results.values("market/dlmp_real_loss"),
        voltage=results.values("market/dlmp_real_voltage"),
        congestion=results.values("market/dlmp_real_congestion"),
    )


@dataclass(frozen=True)
class Account:
    """What a run costs whom, whichever scenario it is.

    Attributes
    ----------
    scenario : str
        Name of the scenario.
    metered : Metered
        Energy at the meters.
    money : Money
        Payments.
    settlement : Settlement or None
        Settlement at nodal prices; None under a tariff.
    """

    scenario: Scenario
    metered: Metered
    money: Money
    settlement: Settlement | None

    @property
    def imbalance_usd(self) -> float:
        """What does not add up [$]: of the ledger, or under a tariff of the metered energy at the LMP."""
        if self.settlement is not None:
            return self.settlement.imbalance_usd
        seen = self.metered
        lost = seen.head - seen.load.sum(axis=1) + seen.generation.sum(axis=1) - seen.losses
        return float((lost * seen.lmp).sum()) / KWH_PER_MWH


def account_for(results: Results, rates: Rates | None = None) -> Account:
    """Settle a run as its scenario says: at d-LMPs, or at the rates of a tariff.

    Raises
    ------
    ResultsError
        When the file lacks a quantity, or no interval finished.
    """
    scenario = scenario_of(str(results.scenario["market"]["model"]))
    readings = read_readings(results)
    if scenario != "market":
        metered = read_meters(results.network, readings)
        return Account(scenario, metered, bill_tariff(scenario, metered, rates or Rates()), None)
    settlement = settle(results.network, readings, read_prices(results))
    metered = read_meters(results.network, readings, settlement.flexible.energy_kwh.sum(axis=1))
    return Account(scenario, metered, bill_market(metered, settlement), settlement)


def complex_values(results: Results, stem: str) -> ComplexArray:
    """Read a quantity whose real and reactive parts are two topics [kVA]."""
    joined: ComplexArray = results.values(f"{stem}_real") + 1j * results.values(f"{stem}_reactive")
    return joined


def missing_part(results: Results) -> str:
    """Say which part of the run is missing; empty when nothing is."""
    if results.complete:
        return ""
    begin = (
        local_time(int(results.time[-1]) + int(3600 * results.period_h)) if results.intervals else "its start"
    )
    return f"the run stopped: {results.intervals} of {results.expected} intervals, missing from {begin} on"


def local_time(when: int) -> str:
    """Write a time as local date and time of the feeder."""
    return datetime.fromtimestamp(when, UTC).astimezone(ZONE).strftime("%Y-%m-%d %H:%M")


def columns(settlement: Settlement) -> Iterator[Column]:
    """List every dataset of a settlement."""
    for name, payments in (
        ("load", settlement.load),
        ("generation", settlement.generation),
        ("flexible", settlement.flexible),
    ):
        owner: Owner = "resource" if name == "generation" else "load"
        verb = "pays" if name == "load" else "is paid"
        yield Column(f"{name}_real", "node", "$", f"{name} {verb} for real energy", payments.real_usd)
        yield Column(
            f"{name}_reactive", "node", "$", f"{name} {verb} for reactive energy", payments.reactive_usd
        )
        yield Column(f"{name}_energy", "node", "kWh", f"real energy of {name}", payments.energy_kwh)
        yield Column(f"{name}_account", owner, "$", f"each {owner}'s sum for {name}", payments.owner_usd)
    yield Column("wholesale", "", "$", "power at the head at the LMP", settlement.wholesale_usd)
    yield Column("net_revenue", "", "$", "net revenue of the operator, from payments", settlement.net_revenue)
    parts = settlement.parts
    for key, meaning, values in (
        ("loss_collected", "collected through the loss part of prices", parts.loss_collected),
        ("loss_cost", "losses bought at the LMP", parts.loss_cost),
        ("voltage", "collected through the voltage part of prices", parts.voltage),
        ("congestion", "collected through the congestion part of prices", parts.congestion),
        ("reactive", "reactive energy collected less paid", parts.reactive),
        ("curtailment", "paid for demand not consumed", parts.curtailment),
        ("net", "net revenue of the operator, from parts of prices", parts.net),
    ):
        yield Column(f"parts/{key}", "", "$", meaning, values)


def store_settlement(path: Path, settlement: Settlement) -> None:
    """Write a settlement into its results file, instead of an older one.

    Raises
    ------
    ResultsError
        When the file cannot be written, or a run is still writing it.
    """
    try:
        with h5py.File(path, "r+") as file:
            if GROUP in file:
                del file[GROUP]
            rows = len(file["time"])
            for column in columns(settlement):
                _write(file, column, rows)
    except OSError as error:
        raise ResultsError(f"{path}: the settlement cannot be stored: {error}") from None


def _write(file: h5py.File, column: Column, rows: int) -> None:
    """Write one dataset; intervals that did not finish are NaN."""
    values = np.full((rows, *column.values.shape[1:]), np.nan)
    values[: len(column.values)] = column.values
    data: Any = file.create_dataset(
        f"{GROUP}/{column.key}", data=values, compression="gzip", track_times=False
    )
    data.attrs.update({"units": column.unit, "long_name": column.meaning})
    data.dims[0].attach_scale(file["time"])
    if column.ids:
        data.dims[1].attach_scale(file[column.ids])
