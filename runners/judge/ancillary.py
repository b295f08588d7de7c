"""What a run sold of ancillary services, from its results: awards, calls, answers, and who paid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.federates.study.ancillary import AncillarySection, Counted
from dlmp_cosim.federates.study.substation import SubstationScenario
from dlmp_cosim.feeders.errors import ResultsError
from dlmp_cosim.feeders.network import FloatArray
from dlmp_cosim.market.ancillary.calls import Answer, CallAnswer, answers, counted, missed_kw
from dlmp_cosim.market.ancillary.money import AncillaryLedger, Sold, cost_shares, settle_ancillary
from dlmp_cosim.market.ancillary.products import PRODUCTS, Product
from dlmp_cosim.market.ancillary.quotes import worth_of
from dlmp_cosim.market.spells import in_a_row

MINUTES_PER_HOUR = 60.0
MET_KW = 1e-2
"""Capacity that a requirement may miss for rounding [kW]."""
AT_CAP = 1e-3
"""Share by which a price at its cap may be below it."""
COUNTED_CALLS: dict[Counted, tuple[Answer, ...]] = {
    "unpriced": ("short",),
    "all": ("late", "short"),
    "none": (),
}
"""Answers to calls that make the verdict of the substation violated."""


@dataclass(frozen=True)
class ProductVerdict:
    """How the requirement of one product was met.

    Attributes
    ----------
    product : str
        Which.
    short_intervals : int
        Intervals in which less was awarded than required.
    short_kw : float
        Most that was missing [kW].
    counted_intervals : int
        Intervals whose missing capacity makes the verdict violated, by the rule of the scenario.
    price_mean, price_max : float
        Price over the intervals [$/MW for an hour].
    calls : mapping of str to int
        Calls by how they were answered: delivered, late, short.
    """

    product: Product
    short_intervals: int
    short_kw: float
    counted_intervals: int
    price_mean: float
    price_max: float
    calls: Mapping[Answer, int]


@dataclass(frozen=True)
class AncillaryVerdict:
    """How the ancillary market of a run did.

    Attributes
    ----------
    band_kw : float
        Deviation that needs no answer [kW].
    out_of_band : int
        Intervals with more.
    longest_minutes : float
        Longest time out of the band in a row [min].
    within_minutes : float
        Longest time that a product has to answer [min]; 0 without products.
    products : tuple of ProductVerdict
        Every product.
    answers : tuple of CallAnswer
        Every call of every resource.
    counted : {"unpriced", "all", "none"}
        What makes the verdict of the substation violated, as its scenario says.
    counted_calls : int
        Calls that do.
    """

    band_kw: float
    out_of_band: int
    longest_minutes: float
    within_minutes: float
    products: tuple[ProductVerdict, ...]
    answers: tuple[CallAnswer, ...]
    counted: Counted
    counted_calls: int

    @property
    def violated(self) -> bool:
        """Whether a requirement or a call makes the verdict of the substation violated."""
        return bool(self.counted_calls) or any(item.counted_intervals for item in self.products)


def section_of(run: Results) -> AncillarySection | None:
    """Return what the scenario of a run says of an ancillary market; None without one."""
    return SubstationScenario.model_validate(run.scenario).ancillary


def judge_ancillary(run: Results) -> AncillaryVerdict | None:
    """Judge the ancillary market of a run; None where there was none.

    Parameters
    ----------
    run : Results
        Results of the substation.
    """
    section = section_of(run)
    if section is None:
        return None
    minutes = MINUTES_PER_HOUR * run.period_h
    out = np.abs(run.values("substation/deviation")) > section.band_kw
    found = [
        answer
        for item in read_sold(run, section)
        for answer in answers(
            (item.feeder, item.resource, item.product),
            item.called,
            item.given,
            (minutes, section.products[item.product].minutes),
            section.tolerance_kw,
        )
    ]
    return AncillaryVerdict(
        band_kw=section.band_kw,
        out_of_band=int(out.sum()),
        longest_minutes=float(max((end - begin for begin, end in in_a_row(out)), default=0)) * minutes,
        within_minutes=max((item.minutes for item in section.products.values()), default=0.0),
        products=tuple(_product(run, section, name, found) for name in section.products),
        answers=tuple(found),
        counted=section.verdict,
        counted_calls=sum(item.answer in COUNTED_CALLS[section.verdict] for item in found),
    )


def _product(
    run: Results, section: AncillarySection, name: Product, found: Sequence[CallAnswer]
) -> ProductVerdict:
    missing = run.values(f"{name}/requirement") - run.values(f"{name}/procured")
    price = run.values(f"{name}/price")
    counts = (missing > section.tolerance_kw) & (section.verdict != "none")
    if section.verdict == "unpriced":
        counts &= price < section.products[name].cap * (1.0 - AT_CAP)
    return ProductVerdict(
        product=name,
        short_intervals=int((missing > MET_KW).sum()),
        short_kw=max(float(missing.max(initial=0.0)), 0.0),
        counted_intervals=int(counts.sum()),
        price_mean=float(price.mean()) if len(price) else 0.0,
        price_max=float(price.max(initial=0.0)),
        calls=counted([item for item in found if item.product == name]),
    )


def read_sold(run: Results, section: AncillarySection, *, priced: bool = False) -> list[Sold]:
    """Read what every resource sold of every product.

    Parameters
    ----------
    run : Results
        Results of the substation.
    section : AncillarySection
        What its scenario says.
    priced : bool, optional
        Whether d-LMPs are wanted, which are in the results of the feeders beside it.

    Raises
    ------
    ResultsError
        When results lack something.
    """
    rows = [record.get("ancillary") or {} for record in run.records("substation/record")]
    names = dict.fromkeys(
        (feeder, resource)
        for row in rows
        for table in (row.get("awards", {}), row.get("called", {}))
        for feeder, held in table.items()
        for resource in held
    )
    worth = _worth(run, list(names)) if priced else {}
    minutes, found = MINUTES_PER_HOUR * run.period_h, []
    for feeder, resource in names:
        for name in PRODUCTS:
            if name not in section.products:
                continue
            award, called, given = (
                _series(rows, key, feeder, resource, name) for key in ("awards", "called", "delivered")
            )
            if not award.any() and not called.any():
                continue
            missed = missed_kw(called, given, (minutes, section.products[name].minutes))
            asked = [row.get("asked", {}).get(feeder, {}).get(resource, np.nan) for row in rows]
            price = run.values(f"{name}/price")
            dlmp = worth.get((feeder, resource), np.zeros(len(rows)))
            found.append(
                Sold(feeder, resource, name, award, called, given, missed, price, dlmp, np.array(asked))
            )
    return found


def _series(
    rows: Sequence[Mapping[str, Any]], key: str, feeder: str, resource: str, product: Product
) -> FloatArray:
    found = [row.get(key, {}).get(feeder, {}).get(resource, {}).get(product, 0.0) for row in rows]
    return np.array(found, dtype=np.float64)


def _worth(run: Results, names: Sequence[tuple[str, str]]) -> dict[tuple[str, str], FloatArray]:
    """Read what the ledger of each feeder pays for a MWh of its sellers, interval by interval."""
    found: dict[tuple[str, str], FloatArray] = {}
    for feeder in dict.fromkeys(name for name, _ in names):
        with Results(run.path.parent / f"{feeder}.h5") as own:
            ratios = _ratios(own, [resource for name, resource in names if name == feeder])
            real, reactive = own.values("market/dlmp_real"), own.values("market/dlmp_reactive")
            angle = own.values("feeder/voltage_angle")
            voltage = own.values("feeder/voltage_magnitude") * np.exp(1j * angle)
            paid = [
                worth_of(own.network, (real[k], reactive[k]), voltage[k], ratios)
                for k in range(own.intervals)
            ]
        table = np.array(paid).reshape(-1, len(ratios))
        if len(table) != run.intervals:
            raise ResultsError(
                f"{run.path.parent / feeder}.h5: has {len(table)} of {run.intervals} intervals"
            )
        found |= {(feeder, name): table[:, k] for k, name in enumerate(ratios)}
    return found


def _ratios(own: Results, resources: Sequence[str]) -> dict[str, float]:
    """Reactive power that goes with each kW: that of its load, for a flexible load [kvar/kW]."""
    loads = {load.name: load for load in own.network.loads}
    table = {item.name: item for item in own.network.resources}
    found = {}
    for name in resources:
        load = loads.get(table[name].load)
        found[name] = load.kvar / load.kw if load is not None and load.kw else 0.0
    return found


def ancillary_ledger(
    run: Results, head_kw: Mapping[str, FloatArray], expected_kw: Mapping[str, FloatArray]
) -> AncillaryLedger | None:
    """Settle the ancillary market of a run; None where there was none.

    Parameters
    ----------
    run : Results
        Results of the substation; those of its feeders lie beside them.
    head_kw, expected_kw : mapping of str to ndarray, shape (n,) each
        What every feeder drew, and what its market expected [kW].
    """
    section = section_of(run)
    if section is None:
        return None
    shares = cost_shares(section.paid_by, head_kw, expected_kw)
    return settle_ancillary(read_sold(run, section, priced=True), shares, run.period_h, run.intervals)
