"""From a results file to its settlement, and back into the file as ``/settlement``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np

from dlmp_cosim.federates.anchoring.demand import nominal_demand
from dlmp_cosim.federates.results.layout import describe
from dlmp_cosim.federates.results.pack import rewritten
from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.federates.study.scenario import ZONE
from dlmp_cosim.feeders.errors import ResultsError
from dlmp_cosim.feeders.network import ComplexArray, FloatArray
from dlmp_cosim.market.money.equipment import Equipment, equipment_of
from dlmp_cosim.market.money.payment_schemes import (
    Metered,
    Money,
    Rates,
    Scenario,
    bill_market,
    bill_tariff,
    read_meters,
    scenario_of,
)
from dlmp_cosim.market.money.settlement import (
    KWH_PER_MWH,
    CurtailmentRule,
    NodalPrices,
    Readings,
    Settlement,
    settle,
)
from dlmp_cosim.runners.judge.offered import sold_at_lmp

GROUP = "settlement"
SUBSTATION_PART = "market/dlmp_real_substation"
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
        at_lmp=sold_at_lmp(results),
        adder=results.values("substation/adder") if "substation/adder" in results else 0.0,
        reactive_price=float(results.scenario.get("wholesale", {}).get("reactive_price", 0.0)),
    )


def read_equipment(results: Results) -> Equipment:
    """Value the operator's own equipment at the prices of a run.

    Raises
    ------
    ResultsError
        When the file lacks a quantity.
    """
    admittance = results.values("feeder/conductance") + 1j * results.values("feeder/susceptance")
    return equipment_of(results.network, read_readings(results), read_prices(results), admittance)


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
        substation=results.values(SUBSTATION_PART) if SUBSTATION_PART in results else None,
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
    rates : Rates or None
        Rates of the tariff; None under a market.
    """

    scenario: Scenario
    metered: Metered
    money: Money
    settlement: Settlement | None
    rates: Rates | None = None

    @property
    def imbalance_usd(self) -> float:
        """What does not add up [$]: of the ledger, or under a tariff of the metered energy at the LMP."""
        if self.settlement is not None:
            return self.settlement.imbalance_usd
        seen = self.metered
        lost = seen.head - seen.load.sum(axis=1) + seen.generation.sum(axis=1) - seen.losses
        return float((lost * seen.lmp).sum()) / KWH_PER_MWH


def account_for(results: Results, rates: Rates | None = None, rule: CurtailmentRule | None = None) -> Account:
    """Settle a run as its scenario says: at d-LMPs, or at the rates of a tariff.

    Parameters
    ----------
    results : Results
        The run.
    rates : Rates, optional
        Of a tariff.
    rule : {"paper", "net"}, optional
        What flexible loads are paid; by default as the scenario says.

    Raises
    ------
    ResultsError
        When the file lacks a quantity, or no interval finished.
    """
    scenario = scenario_of(str(results.scenario["market"]["model"]))
    readings = read_readings(results)
    if scenario != "market":
        metered = read_meters(results.network, readings)
        rates = rates or Rates()
        return Account(scenario, metered, bill_tariff(scenario, metered, rates), None, rates)
    settlement = settle(results.network, readings, read_prices(results), rule or curtailment_rule(results))
    metered = read_meters(results.network, readings, settlement.flexible.energy_kwh.sum(axis=1))
    return Account(scenario, metered, bill_market(metered, settlement), settlement)


def curtailment_rule(results: Results) -> CurtailmentRule:
    """Rule of a run's scenario; that of the paper in files older than the choice."""
    chosen = results.scenario.get("settlement", {}).get("curtailment", "paper")
    return "net" if chosen == "net" else "paper"


def complex_values(results: Results, stem: str) -> ComplexArray:
    """Read a quantity whose real and reactive parts are two topics [kVA].

    Parameters
    ----------
    results : Results
        The run.
    stem : str
        Key of the two without ``_real`` and ``_reactive``.

    Returns
    -------
    ndarray, shape (n, n_id)
        Complex power of every interval [kVA].

    Raises
    ------
    ResultsError
        When the file lacks either.
    """
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
        ("substation", "collected through the substation's part of prices, less the adder", parts.substation),
        ("net", "net revenue of the operator, from parts of prices", parts.net),
    ):
        if key == "substation" and not values.any():
            continue
        yield Column(f"parts/{key}", "", "$", meaning, values)


def store_settlement(path: Path, settlement: Settlement) -> None:
    """Write a settlement into its results file, instead of an older one.

    Parameters
    ----------
    path : Path
        The results file.
    settlement : Settlement
        What to write.

    Raises
    ------
    ResultsError
        When the file cannot be written, or a run is still writing it.
    """
    with rewritten(path, without=GROUP) as file:
        rows = len(file["time"])
        for column in columns(settlement):
            _write(file, column, rows)


def _write(file: h5py.File, column: Column, rows: int) -> None:
    """Write one dataset; intervals that did not finish are NaN."""
    values = np.full((rows, *column.values.shape[1:]), np.nan)
    values[: len(column.values)] = column.values
    data: Any = file.create_dataset(
        f"{GROUP}/{column.key}", data=values, compression="gzip", track_times=False
    )
    describe(data, units=column.unit, long_name=column.meaning)
    data.dims[0].attach_scale(file["time"])
    if column.ids:
        data.dims[1].attach_scale(file[column.ids])
