"""Energy and capacity of all who sell capacity, as one small program of the substation.

Every seller has its energy p and its capacities u (regulation up), s (reserve) and d (regulation down):

    p + u + s <= p_max,   p - d >= p_min,   u, s, d <= ramp * minutes,   u + s <= ramp * most minutes
    p + n(u) u + n(s) s <= give,   n(u) u + n(s) s <= give,   and the same downwards with what it can take

so that no kW is sold twice, and what is sold can be there in time, both products called together, and for all
n intervals for which each may be called: energy that comes in meanwhile does not count. What the
rest of a feeder costs is a convex function of its sellers' energy, known from below by the planes of the
quotes so far. The multiplier of a requirement is the price of its product.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import clarabel
import numpy as np
import scipy.sparse as sp

from dlmp_cosim.feeders.errors import ClearingError
from dlmp_cosim.feeders.network import FloatArray
from dlmp_cosim.market.ancillary.products import UPWARDS, Awards, Need, Product
from dlmp_cosim.market.ancillary.quotes import Quote, Seller

UNIT_KW = 100.0
"""Unit of power of the program: brings its numbers to order one."""
USD = UNIT_KW / 1e3
"""What a unit costs at 1 $/MWh [$/h]."""
NOTHING_KW = 1e-5
"""Capacity that is rounding of the solver [kW]."""
ACCURACIES = (1e-10, 1e-8)
"""What the solver is asked for in turn: where penalties are in the cost, its digits end before the first."""


@dataclass(frozen=True)
class Answer:
    """What the program says.

    Attributes
    ----------
    cost : float
        Its optimum [$/h]: no holding of capacity costs less.
    awards : dict
        Capacity by feeder and resource [kW].
    prices : dict of str to float
        Price of every product [$/MW for an hour].
    """

    cost: float
    awards: Awards
    prices: dict[Product, float]


@dataclass
class _Rows:
    """Rows ``a @ x <= b`` as they are collected."""

    row: list[int] = field(default_factory=list)
    column: list[int] = field(default_factory=list)
    value: list[float] = field(default_factory=list)
    bound: list[float] = field(default_factory=list)

    def add(self, terms: Mapping[int, float], bound: float) -> int:
        """Add a row and return its number."""
        for column, value in terms.items():
            self.row.append(len(self.bound))
            self.column.append(column)
            self.value.append(value)
        self.bound.append(bound)
        return len(self.bound) - 1

    def matrix(self, columns: int) -> sp.csc_matrix:
        """Matrix of all rows."""
        shape = (len(self.bound), columns)
        return sp.csc_matrix((self.value, (self.row, self.column)), shape=shape)


class Program:
    """The program of one interval.

    Parameters
    ----------
    needs : sequence of Need
        Requirements above 0, each product once.
    quotes : mapping of str to sequence of Quote
        Quotes of every feeder so far, all with the same sellers in the same order.
    """

    def __init__(self, needs: Sequence[Need], quotes: Mapping[str, Sequence[Quote]]) -> None:
        self._needs, self._quotes = needs, quotes
        self._sellers = [(name, item) for name, found in quotes.items() for item in found[0].sellers]
        self._n, self._k = len(self._sellers), len(needs)
        self._size = self._n * (1 + self._k) + self._k + len(quotes)

    def solve(self) -> Answer:
        """Solve it.

        Raises
        ------
        ClearingError
            When the solver finds no optimum.
        """
        quadratic, linear = self._costs()
        rows = _Rows()
        for i, (_, seller) in enumerate(self._sellers):
            self._seller_rows(rows, i, seller)
        required = [self._requirement(rows, k, need) for k, need in enumerate(self._needs)]
        self._planes(rows)
        found = _solved(sp.diags(quadratic).tocsc(), linear, rows.matrix(self._size), np.array(rows.bound))
        pairs = zip(self._needs, required, strict=True)
        prices = {need.product: float(found.z[row]) / USD for need, row in pairs}
        return Answer(float(found.obj_val), self._awards(np.array(found.x)), prices)

    def _capacity(self, i: int, k: int) -> int:
        """Column of a seller's capacity of a product."""
        return self._n * (1 + k) + i

    def _short(self, k: int) -> int:
        """Column of what a requirement misses."""
        return self._n * (1 + self._k) + k

    def _costs(self) -> tuple[FloatArray, FloatArray]:
        quadratic, linear = np.zeros(self._size), np.zeros(self._size)
        for i, (_, seller) in enumerate(self._sellers):
            quadratic[i], linear[i] = seller.cost_quadratic * USD * UNIT_KW, seller.cost_linear * USD
            for k, need in enumerate(self._needs):
                linear[self._capacity(i, k)] = (seller.capacity.price(need.product) or 0.0) * USD
        for k, need in enumerate(self._needs):
            linear[self._short(k)] = need.cap * USD
        linear[self._size - len(self._quotes) :] = 1.0
        return quadratic, linear

    def _seller_rows(self, rows: _Rows, i: int, seller: Seller) -> None:
        """State what one seller can give of energy and capacity together."""
        ramp = seller.capacity.ramp_kw_per_minute
        up: dict[int, float] = {}
        down: dict[int, float] = {}
        lasts = {self._capacity(i, k): need.lasts for k, need in enumerate(self._needs)}
        for k, need in enumerate(self._needs):
            column = self._capacity(i, k)
            rows.add({column: -1.0}, 0.0)
            sold = seller.capacity.price(need.product) is not None
            if not sold or np.isfinite(ramp):
                rows.add({column: 1.0}, ramp * need.minutes / UNIT_KW if sold else 0.0)
            (up if need.product in UPWARDS else down)[column] = 1.0
        rows.add({i: 1.0, **up}, seller.highest_kw / UNIT_KW)
        rows.add({i: -1.0, **down}, -seller.lowest_kw / UNIT_KW)
        if seller.highest_kw > seller.p_max_kw:
            rows.add({i: 1.0}, seller.p_max_kw / UNIT_KW)
        if seller.lowest_kw < seller.p_min_kw:
            rows.add({i: -1.0}, -seller.p_min_kw / UNIT_KW)
        _energy_rows(rows, {i: 1.0}, {k: lasts[k] for k in up}, max(seller.give_kw, seller.p_min_kw))
        _energy_rows(rows, {i: -1.0}, {k: lasts[k] for k in down}, max(seller.take_kw, -seller.p_max_kw))
        if len(up) > 1 and np.isfinite(ramp):
            minutes = max(need.minutes for need in self._needs if need.product in UPWARDS)
            rows.add(up, ramp * minutes / UNIT_KW)

    def _requirement(self, rows: _Rows, k: int, need: Need) -> int:
        """State a requirement, which gives way at its cap; return the number of its row."""
        rows.add({self._short(k): -1.0}, 0.0)
        terms = {self._capacity(i, k): -1.0 for i in range(self._n)}
        return rows.add({**terms, self._short(k): -1.0}, -need.kw / UNIT_KW)

    def _planes(self, rows: _Rows) -> None:
        """State what the rest of every feeder costs at least, by each of its quotes."""
        first = 0
        for f, found in enumerate(self._quotes.values()):
            rest = self._size - len(self._quotes) + f
            for item in found:
                slopes = {first + j: -seller.worth * USD for j, seller in enumerate(item.sellers)}
                there = sum(seller.worth * seller.kw for seller in item.sellers) / 1e3
                rows.add({rest: -1.0, **slopes}, -item.others - there)
            first += len(found[0].sellers)

    def _awards(self, x: FloatArray) -> Awards:
        """Read the awards; free capacity beyond a requirement, which costs nothing to hold, is let go."""
        awards: Awards = {name: {} for name in self._quotes}
        held = np.array([[x[self._capacity(i, k)] for k in range(self._k)] for i in range(self._n)]) * UNIT_KW
        held = np.maximum(held.reshape(self._n, self._k), 0.0)
        required, got = np.array([need.kw for need in self._needs]), held.sum(axis=0)
        held *= np.minimum(required / np.maximum(got, required), 1.0)
        for (name, seller), row in zip(self._sellers, held.tolist(), strict=True):
            pairs = zip(self._needs, row, strict=True)
            award = {need.product: kw for need, kw in pairs if kw > NOTHING_KW}
            if award:
                awards[name][seller.resource] = award
        return awards


def _energy_rows(rows: _Rows, power: Mapping[int, float], called: Mapping[int, float], kw: float) -> None:
    """State that energy lasts for what may be called, beside the energy of the interval and without it."""
    if called and np.isfinite(kw):
        rows.add({**power, **called}, kw / UNIT_KW)
        rows.add(called, max(kw, 0.0) / UNIT_KW)


def _solved(quadratic: sp.csc_matrix, linear: FloatArray, rows: sp.csc_matrix, bound: FloatArray) -> Any:
    """Minimise ``x @ quadratic @ x / 2 + linear @ x`` with ``rows @ x <= bound``, as exactly as it goes."""
    cones = [clarabel.NonnegativeConeT(len(bound))]
    for accuracy in ACCURACIES:
        settings = clarabel.DefaultSettings()
        settings.verbose = False
        settings.tol_feas = settings.tol_gap_abs = settings.tol_gap_rel = accuracy
        found = clarabel.DefaultSolver(quadratic, linear, rows, bound, cones, settings).solve()
        if str(found.status) == "Solved":
            return found
    raise ClearingError(f"the program of the ancillary market ends with {found.status}")
