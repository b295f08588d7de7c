"""Small networks in the shape of feeders: power flows up a tree, voltage is told down it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp

from dlmp_cosim.market.problem.atoms import AtomicProblem

FREE = np.inf


def network(
    parent: Sequence[int],
    *,
    price: float = 1.0,
    load: float = 0.3,
    low: float = -2.0,
    penalty: float = 40.0,
    per_bus: int = 1,
    seed: int = 0,
    loops: Sequence[tuple[int, int]] = (),
) -> AtomicProblem:
    """A bus per atom with a flow from its parent, a voltage, and resources that give power.

    Rows: what flows in and is given covers the load and what flows on; voltage falls with the flow. A loop
    lets a bus's voltage follow another bus's as well.
    """
    n, rng = len(parent), np.random.default_rng(seed)
    m, total = 2 * n, 2 * n + per_bus * n
    rows = sp.lil_matrix((m, total))
    right = np.zeros(m)
    for bus, up in enumerate(parent):
        rows[bus, bus] = 1.0
        for k in range(per_bus):
            rows[bus, m + bus * per_bus + k] = 1.0
        right[bus] = load
        rows[n + bus, n + bus] = 1.0
        rows[n + bus, bus] = 0.2 + 0.1 * rng.random()
        if up >= 0:
            rows[up, bus] = -1.0
            rows[n + bus, n + up] = -1.0
    for one, other in loops:
        rows[n + one, n + other] = -0.3
        rows[n + one, n + one] = 1.3
    free, bounds = np.full(m, FREE), (np.zeros(per_bus * n), 0.2 + 0.4 * rng.random(per_bus * n))
    linear = np.concatenate([np.zeros(m), 0.5 + rng.random(per_bus * n)])
    linear[0] = price
    return AtomicProblem(
        quadratic=np.concatenate([np.zeros(m), 0.1 + rng.random(per_bus * n)]),
        linear=linear,
        lower=np.concatenate([-free, bounds[0]]),
        upper=np.concatenate([free, bounds[1]]),
        soft_lower=np.concatenate([-free[:n], np.full(n, low), np.full(per_bus * n, -FREE)]),
        soft_upper=np.full(total, FREE),
        penalty=np.concatenate([np.zeros(n), np.full(n, penalty), np.zeros(per_bus * n)]),
        rows=rows.tocsr(),
        row_lower=right,
        row_upper=right,
        row_penalty=np.full(m, FREE),
        variable_atom=np.concatenate([np.arange(n), np.arange(n), np.repeat(np.arange(n), per_bus)]),
        row_atom=np.tile(np.arange(n), 2),
        parent=np.array(parent),
        discs=np.zeros((0, 2), dtype=np.int64),
        disc_radius=np.zeros(0),
        cones=np.zeros((0, 4), dtype=np.int64),
        offset=0.0,
        cost_unit=1.0,
        n_state=m,
    )


def chain(n: int) -> list[int]:
    """Parents of a chain."""
    return list(range(-1, n - 1))
