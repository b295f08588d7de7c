"""What a store earned at the prices that came, what it could have earned, and what would make it whole."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from scipy.optimize import linprog

from dlmp_cosim.feeders.errors import ClearingError
from dlmp_cosim.feeders.network import FloatArray
from dlmp_cosim.market.horizon.terms import Store


@dataclass(frozen=True)
class StoreAccount:
    """The books of one store over a run.

    Attributes
    ----------
    revenue : ndarray, shape (n_interval,)
        What each interval's power was worth at its d-LMP, less wear [$].
    energy_kwh : ndarray, shape (n_interval,)
        Energy at the end of every interval [kWh].
    conserved_kwh : float
        Largest difference of that energy from what its owner says [kWh]; NaN when the owner says nothing.
    kept : float
        What the energy gained or lost over the run is worth, at the mean price and the efficiency [$].
    foresight : float
        Most that the same store could have earned at the same prices, ending with the same energy [$].
    """

    revenue: FloatArray
    energy_kwh: FloatArray
    conserved_kwh: float
    kept: float
    foresight: float

    @property
    def earned(self) -> float:
        """Sum of the revenues [$]."""
        return float(self.revenue.sum())

    @property
    def uplift(self) -> float:
        """What makes the owner whole where following the market lost him money [$]."""
        return max(-(self.earned + self.kept), 0.0)


def account_store(
    store: Store, kw_max: float, power: FloatArray, price: FloatArray, hours: float, said: FloatArray | None
) -> StoreAccount:
    """Keep the books of a store.

    Parameters
    ----------
    store : Store
        Its terms in the first interval.
    kw_max : float
        Nameplate [kW].
    power : ndarray, shape (n_interval,)
        What it gave [kW].
    price : ndarray, shape (n_interval,)
        The d-LMP where it is [$/MWh].
    hours : float
        Length of an interval [h].
    said : ndarray, shape (n_interval,), optional
        Energy at the end of every interval as its owner says [kWh].
    """
    energy, level = [], store.energy_kwh
    for kw in power.tolist():
        level = store.after(level, kw, hours)
        energy.append(level)
    energies = np.array(energy)
    revenue = (price * power - store.wear * np.abs(power)) * hours / 1e3
    gained = level - store.energy_kwh
    kept = gained * store.discharge_efficiency * float(price.mean()) / 1e3
    # What was lost at the very end by rounding must not make the same end unreachable.
    end = min(max(level, store.min_kwh), store.max_kwh)
    best = foresight(replace(store, end_kwh=end, end_value=0.0), kw_max, price, hours)
    gap = float(np.abs(energies - said).max(initial=0.0)) if said is not None else float("nan")
    return StoreAccount(revenue, energies, gap, kept, best)


def foresight(store: Store, kw_max: float, price: FloatArray, hours: float) -> float:
    """Most that a store can earn at prices that it knows and cannot move [$].

    Parameters
    ----------
    store : Store
        The store; it ends with at least `end_kwh`.
    kw_max : float
        Nameplate [kW].
    price : ndarray, shape (n_interval,)
        Prices [$/MWh].
    hours : float
        Length of an interval [h].

    Raises
    ------
    ClearingError
        When its terms leave it no way.
    """
    n = len(price)
    eye = sp.identity(n, format="csr")
    step = sp.diags([np.ones(n), np.full(n - 1, -((1 - store.loss_per_hour) ** hours))], [0, -1])
    rows = sp.hstack([-hours * store.charge_efficiency * eye, hours / store.discharge_efficiency * eye, step])
    right = np.zeros(n)
    right[0] = store.kept(store.energy_kwh, hours)
    wear = np.full(n, store.wear)
    worth = np.zeros(n)
    worth[-1] = -store.end_value
    cost = np.concatenate([hours * (price + wear), hours * (wear - price), worth]) / 1e3
    low = [store.min_kwh] * (n - 1) + [max(store.min_kwh, store.end_kwh)]
    bounds = [(0.0, kw_max)] * (2 * n) + [(least, store.max_kwh) for least in low]
    either, most = _either_way(price, kw_max)
    m = len(most) // 2
    found = linprog(
        np.concatenate([cost, np.zeros(m)]),
        A_ub=either if m else None,
        b_ub=most if m else None,
        A_eq=sp.hstack([rows, sp.csr_matrix((n, m))]).tocsr(),
        b_eq=right,
        bounds=bounds + [(0.0, 1.0)] * m,
        integrality=np.repeat([0, 1], [3 * n, m]),
        method="highs",
    )
    if found.status != 0:
        raise ClearingError(f"the store's best course cannot be found: {found.message}")
    return -float(found.fun)


def _either_way(price: FloatArray, kw_max: float) -> tuple[sp.csr_matrix, FloatArray]:
    """Rows by which a store draws or gives where the price is negative, and what they are at most.

    There it would pay to do both at once, which burns energy and which no store can. Each such interval has a
    variable of its own, 1 for drawing, after those of `foresight`.
    """
    paid, n = np.flatnonzero(price < 0.0), len(price)
    one, flag = sp.identity(n, format="csr")[paid], kw_max * sp.identity(len(paid), format="csr")
    none = sp.csr_matrix((len(paid), n))
    rows = sp.vstack([sp.hstack([one, none, none, -flag]), sp.hstack([none, one, none, flag])])
    return rows.tocsr(), np.repeat([0.0, kw_max], len(paid))
