"""Prices and network state that follow exactly from a dispatch and the multipliers of the limits.

The network rows are square in the network variables, so one transposed solve (a sweep over the tree) turns
the head price and the limits' multipliers into the duals of all rows, and one forward solve turns the
dispatch into flows and voltages. Duals are linear in their causes, which gives prices their exact split:

    rows_x' y = c_head + c_loss_weight + g_voltage + g_rating
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dlmp_cosim.feeders.network import FloatArray
from dlmp_cosim.market.clearing import Prices
from dlmp_cosim.market.offers import WholesalePrice
from dlmp_cosim.market.problem.atoms import AtomicProblem
from dlmp_cosim.market.problem.compiled import compiled
from dlmp_cosim.market.problem.factors import Factors, SquareFronts, WholeFactors, factorise

BISECTIONS = 100
"""Doublings and halvings of a disc's multiplier: down to rounding."""
LEAST_MULTIPLIER = 1e-9
"""Where the doubling starts, in units of the problem."""


@dataclass(frozen=True)
class NetworkSolver:
    """The factorised network rows of one problem."""

    problem: AtomicProblem
    factors: Factors | WholeFactors

    def state(self, resources: FloatArray) -> FloatArray:
        """Network variables under a dispatch: rows_x x = rhs - rows_r r, shape (n_state,)."""
        problem, n = self.problem, self.problem.n_state
        given = problem.rows @ np.concatenate([np.zeros(n), resources])
        return self.factors.solve(problem.row_lower[:n] - given[:n])

    def duals(self, gradient: FloatArray) -> FloatArray:
        """Duals of the network rows for cost gradients on the network variables, one column a cause."""
        if gradient.ndim > 1:
            return np.stack([self.duals(column) for column in gradient.T], axis=1)
        return self.factors.solve_transposed(gradient) if gradient.any() else np.zeros(len(gradient))

    def gain(self, duals: FloatArray) -> FloatArray:
        """Value of a unit of each resource variable at duals of the network rows, shape (n - n_state,)."""
        problem, n = self.problem, self.problem.n_state
        pull: FloatArray = problem.rows.T @ np.append(duals, np.zeros(problem.rows.shape[0] - n))
        return pull[n:]

    def worth(self, limits: FloatArray) -> FloatArray:
        """Value to the network of a unit of each resource variable, shape (n - n_state,).

        Parameters
        ----------
        limits : ndarray, shape (n_state,)
            Multipliers of the limits.
        """
        return self.gain(self.duals(self.problem.linear[: self.problem.n_state] + limits))

    def best_response(self, duals: FloatArray, fallback: FloatArray) -> FloatArray:
        """Cheapest resource powers under the prices `duals`; `fallback` where the marginal cost is flat.

        Parameters
        ----------
        duals : ndarray, shape (n_state,)
            Duals of the network rows.
        fallback : ndarray, shape (n - n_state,)
            Powers of the resources whose cost is linear: prices alone do not settle those.
        """
        n, problem = self.problem.n_state, self.problem
        gain = self.gain(duals) - problem.linear[n:]
        curve, low, high = problem.quadratic[n:], problem.lower[n:], problem.upper[n:]
        wanted = np.where(curve > 0, gain / np.where(curve > 0, curve, 1.0), fallback)
        response: FloatArray = np.clip(wanted, low, high)
        for pair, radius in zip(problem.discs - n, problem.disc_radius, strict=True):
            if np.hypot(*response[pair]) > radius:
                response[pair] = _on_disc(gain[pair], curve[pair], low[pair], high[pair], float(radius))
        return response


@compiled
def _on_disc(
    gain: FloatArray, curve: FloatArray, low: FloatArray, high: FloatArray, radius: float
) -> FloatArray:
    """Maximise ``gain @ x - curve @ x**2 / 2`` in a box and a disc, by bisection on the disc's multiplier."""
    least, most = 0.0, LEAST_MULTIPLIER
    for _ in range(BISECTIONS):
        if _distance(gain, curve, low, high, most) <= radius:
            break
        least, most = most, 2 * most
    for _ in range(BISECTIONS):
        middle = (least + most) / 2
        if _distance(gain, curve, low, high, middle) > radius:
            least = middle
        else:
            most = middle
    return np.minimum(np.maximum(gain / (curve + most), low), high)


@compiled
def _distance(
    gain: FloatArray, curve: FloatArray, low: FloatArray, high: FloatArray, multiplier: float
) -> float:
    """Distance from the centre of the disc of the best powers in the box at a multiplier of the disc."""
    p = min(max(gain[0] / (curve[0] + multiplier), low[0]), high[0])
    q = min(max(gain[1] / (curve[1] + multiplier), low[1]), high[1])
    return float(np.hypot(p, q))


def network_solver(problem: AtomicProblem, fronts: SquareFronts | None) -> NetworkSolver:
    """Factorise the network rows in the network variables.

    Parameters
    ----------
    problem : AtomicProblem
        The problem.
    fronts : SquareFronts, optional
        Fronts of its network rows; none where no elimination bus by bus determines the network.

    Raises
    ------
    ClearingError
        When they do not determine the network, as where a negotiation has run away.
    """
    return NetworkSolver(problem, factorise(problem.rows, problem.n_state, fronts))


def prices_by_cause(real: FloatArray, reactive: FloatArray, price: WholesalePrice) -> Prices:
    """Name the parts of prices; the energy part is the price at the head, the rest of its column is losses.

    Parameters
    ----------
    real, reactive : ndarray, shape (n_node, 3) or (n_node, 4)
        Prices caused by the head, by voltage limits, by ratings, and by what a substation adds where it does
        [$/MWh, $/(MVAR*h)].
    price : WholesalePrice
        Price at the head.
    """
    energy, energy_q = np.full(len(real), price.lmp - price.adder), np.full(len(real), price.reactive)
    nothing = np.zeros(0)
    return Prices(
        real=real.sum(axis=1),
        reactive=reactive.sum(axis=1),
        real_energy=energy,
        real_loss=real[:, 0] - energy,
        real_voltage=real[:, 1],
        real_congestion=real[:, 2],
        reactive_energy=energy_q,
        reactive_loss=reactive[:, 0] - energy_q,
        reactive_voltage=reactive[:, 1],
        reactive_congestion=reactive[:, 2],
        real_substation=real[:, 3] if price.adder else nothing,
        reactive_substation=reactive[:, 3] if price.adder else nothing,
    )
