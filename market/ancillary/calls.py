"""What is called of awarded capacity, and whether it came: delivered, late or short."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dlmp_cosim.feeders.network import FloatArray
from dlmp_cosim.market.ancillary.products import Award, Awards, Product
from dlmp_cosim.market.spells import in_a_row

ORDER: tuple[Product, ...] = ("regulation_up", "reserve", "regulation_down")
"""Order in which an imbalance calls products: regulation before reserve."""
SIGN: dict[Product, float] = {"regulation_up": 1.0, "reserve": 1.0, "regulation_down": -1.0}
"""Direction of a called product: more power towards the grid, or less."""


def shares_called(
    procured: Mapping[Product, float], imbalance_kw: float, signals: Mapping[Product, float]
) -> dict[Product, float]:
    """Say which share of every product is called, 0 to 1.

    Parameters
    ----------
    procured : mapping of str to float
        Capacity of every product [kW].
    imbalance_kw : float
        What is drawn beyond what was bought [kW]; it calls the products that no file does.
    signals : mapping of str to float
        For products called by a file, its value now in [-1, 1]: positive calls what is upwards.
    """
    shares: dict[Product, float] = {}
    left = {1.0: max(imbalance_kw, 0.0), -1.0: max(-imbalance_kw, 0.0)}
    for product in ORDER:
        there = procured.get(product, 0.0)
        if there <= 0.0:
            continue
        if product in signals:
            shares[product] = min(max(SIGN[product] * signals[product], 0.0), 1.0)
            continue
        shares[product] = min(left[SIGN[product]] / there, 1.0)
        left[SIGN[product]] -= shares[product] * there
    return shares


def calls_of(awards: Awards, shares: Mapping[Product, float]) -> Awards:
    """Call every resource by the same share of its award [kW]; resources that are not called are left out."""
    found: Awards = {}
    for name, feeder in awards.items():
        for resource, award in feeder.items():
            called: Award = {
                product: kw * shares[product] for product, kw in award.items() if shares.get(product)
            }
            if called:
                found.setdefault(name, {})[resource] = called
    return found


def set_point(called: Mapping[Product, float]) -> float:
    """Power that a resource is to give beside its energy, positive towards the grid [kW]."""
    return sum(SIGN[product] * kw for product, kw in called.items())


def delivered_of(called: Mapping[Product, float], response_kw: float) -> dict[Product, float]:
    """Split what a resource gave beside its energy over the products that called it [kW].

    What it gave counts for regulation first, which is due first, and for no product beyond what that called.
    Called upwards and downwards at a time it has one set-point, and gave the same share of both.
    """
    signs = {SIGN[product] for product in called}
    wanted = set_point(called)
    if len(signs) > 1:
        share = min(max(response_kw / wanted, 0.0), 1.0) if wanted else 1.0
        return {product: kw * share for product, kw in called.items()}
    left = max(response_kw * sum(signs), 0.0)
    found: dict[Product, float] = {}
    for product in ORDER:
        if product in called:
            found[product] = min(called[product], left)
            left -= found[product]
    return found


Answer = Literal["delivered", "late", "short"]


@dataclass(frozen=True)
class CallAnswer:
    """How one resource answered one call: the intervals in a row in which a product called it.

    Attributes
    ----------
    feeder, resource, product : str
        Who, and for what.
    begin, end : int
        First interval of the call, and the one after its last.
    called_kwh, delivered_kwh : float
        Energy asked for, and given, over all of it [kWh].
    missed_kw : float
        Most that was not there when it was due [kW].
    answer : {"delivered", "late", "short"}
        Whether all was there whenever it was due, only later, or not at all.
    """

    feeder: str
    resource: str
    product: Product
    begin: int
    end: int
    called_kwh: float
    delivered_kwh: float
    missed_kw: float
    answer: Answer


def due_kw(called: FloatArray, intervals: int) -> FloatArray:
    """Power that has to be there in each interval: what has been asked for as long as the product allows.

    Parameters
    ----------
    called : ndarray, shape (n,)
        Power asked for in every interval [kW].
    intervals : int
        Intervals within which it has to be there, the one of the call with them.
    """
    padded = np.concatenate([np.zeros(max(intervals - 1, 0)), called])
    return np.array([padded[k : k + intervals].min() for k in range(len(called))])


def missed_kw(called: FloatArray, given: FloatArray, minutes: tuple[float, float]) -> FloatArray:
    """Say how much called power was due and not there, shape (n,) [kW].

    Parameters
    ----------
    called, given : ndarray, shape (n,)
        Power asked for and given in every interval [kW].
    minutes : (float, float)
        Length of an interval, and the time within which called power has to be there [min].
    """
    step, within = minutes
    due = due_kw(called, max(math.ceil(within / step - 1e-9), 1))
    return np.maximum(due - given, 0.0)


def answers(
    who: tuple[str, str, Product],
    called: FloatArray,
    given: FloatArray,
    minutes: tuple[float, float],
    tolerance_kw: float,
) -> list[CallAnswer]:
    """Judge every call of one resource for one product.

    Parameters
    ----------
    who : (str, str, str)
        Feeder, resource and product.
    called, given : ndarray, shape (n,)
        Power asked for and given in every interval [kW].
    minutes : (float, float)
        Length of an interval, and the time within which called power has to be there [min].
    tolerance_kw : float
        What may be missing [kW].
    """
    missed, hours = missed_kw(called, given, minutes), minutes[0] / 60.0
    found = []
    for begin, end in in_a_row(called > 0.0):
        inside = slice(begin, end)
        late = np.flatnonzero(missed[inside] > tolerance_kw)
        answer: Answer = "delivered"
        if len(late):
            answer = "short" if int(late[-1]) == end - begin - 1 else "late"
        found.append(
            CallAnswer(
                *who,
                begin,
                end,
                float(called[inside].sum()) * hours,
                float(given[inside].sum()) * hours,
                float(missed[inside].max()),
                answer,
            )
        )
    return found


def counted(found: Sequence[CallAnswer]) -> dict[Answer, int]:
    """Count calls by how they were answered."""
    return {
        "delivered": sum(item.answer == "delivered" for item in found),
        "late": sum(item.answer == "late" for item in found),
        "short": sum(item.answer == "short" for item in found),
    }
