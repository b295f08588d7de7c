"""Active sets: a guess in which piece every variable lies, solved for exactly, and the next guess.

For given pieces the optimality conditions are linear: one sweep up and one down solve them. A price or a
value that does not fit its piece tells the next guess. That is the primal-dual active set method, a
semismooth Newton method (Hintermueller, Ito and Kunisch, SIAM Journal on Optimization 13, 2003): one or two
steps from the pieces of five minutes ago, and no certainty from afar. Discs are round and stay with their
slacks and prices.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from dlmp_cosim.feeders.network import FloatArray, IntArray
from dlmp_cosim.market.interior_point.discs import add_discs, advance_discs
from dlmp_cosim.market.interior_point.fronts import BoolArray
from dlmp_cosim.market.interior_point.limits import Limits, Pairs
from dlmp_cosim.market.interior_point.pieces import Breaks, end_of, price_in, relocate
from dlmp_cosim.market.interior_point.sweeps import System
from dlmp_cosim.market.interior_point.workspace import Workspace
from dlmp_cosim.market.problem.compiled import compiled

STIFF = 1e6
"""Curvature that holds a network variable at its limit; a resource at its own is simply known."""
EXACT = 100.0
"""How much more closely than the tolerance says a limit is held: what a dear one is missed by costs."""
TRIES = 12
"""Steps within which pieces have to be found."""
ASTRAY, CLOSE = 10.0, 0.1
"""Misfits beyond which the first pieces are no use, and below which they may rise [units of the problem]."""
NEARER = 0.9
"""Share of a misfit beyond which the next one does not fall fast enough."""
FASTER = 1e-3
"""Factor by which products of discs fall in a step."""


@dataclass(frozen=True)
class Guess:
    """Where a search for the pieces ended.

    Attributes
    ----------
    x : ndarray, shape (n_known,)
        Variables, the agent's own first.
    prices : ndarray, shape (n,)
        What limits of own variables cost at the margin.
    multipliers : ndarray, shape (m_known,)
        Of the rows, the agent's own first.
    pieces : ndarray of int, shape (n,)
        Piece of every own variable.
    primal, dual : float
        Largest misfit of a value or price in its piece, and of a disc's price or a limit that is held;
        anybody's.
    """

    x: FloatArray
    prices: FloatArray
    multipliers: FloatArray
    pieces: IntArray
    primal: float = np.inf
    dual: float = np.inf


def may_arrive(before: float, misfit: float) -> bool:
    """Whether a search may go on from `misfit` after `before`, infinite at first [units of the problem].

    From pieces that are nearly right misfits fall at once. Where many pieces change in a step, limits come
    together that nearly say the same, and the next prices would explode.
    """
    return misfit <= max(min(NEARER * before, ASTRAY), CLOSE)


def known_variables(work: Workspace) -> BoolArray:
    """Variables whose value is simply known at a limit, shape (n,)."""
    known: BoolArray = work.direct | (work.problem.lower == work.problem.upper)
    return known


async def next_guess(
    work: Workspace,
    breaks: Breaks,
    known: BoolArray,
    limits: Limits,
    pairs: Pairs,
    guess: Guess,
    t: float,
) -> Guess:
    """Solve for given pieces, and find those that the solution points to.

    Parameters
    ----------
    work : Workspace
        The agent's part.
    breaks : Breaks
        Where the pieces of its variables end.
    known : ndarray of bool, shape (n,)
        From `known_variables`.
    limits, pairs : Limits, Pairs
        The discs, and their slacks and prices, which change in place.
    guess : Guess
        The guess before; of `x` and `multipliers` those of others count as well.
    t : float
        What the product of a disc's slack and price is to become.
    """
    problem, pieces, n = work.problem, guess.pieces.copy(), work.n
    x = guess.x.copy()
    costs = problem.quadratic, problem.linear
    sound = _hold(breaks, pieces, known, x[:n], guess.prices, *costs, work.system)
    if sound and work.curved:
        add_discs(limits, pairs, x, work.system)
    solved = await work.solve(x, t, sound=sound)
    if solved is None:
        return replace(guess, primal=np.inf)
    step, multipliers = solved
    missed, lag = advance_discs(limits, pairs, x, step, t) if work.curved else (0.0, 0.0)
    x = x + step
    await work.near.share_prices(multipliers)
    prices = -(problem.quadratic * x[:n] + problem.linear + work.columns @ multipliers)
    for part in limits.discs.T:
        prices[part] -= pairs.disc_price * x[part] / limits.radius
    off = relocate(breaks, pieces, x[:n], prices)
    held = np.abs(prices - guess.prices)[work.system.curve[:n] == STIFF] / STIFF
    dual = max(lag, min(EXACT * held.max(initial=0.0), 1.0))
    primal, dual = await work.near.largest(max(off, missed), dual)
    return Guess(x, prices, multipliers, pieces, primal, dual)


@compiled
def _hold(
    breaks: Breaks,
    pieces: IntArray,
    known: BoolArray,
    x: FloatArray,
    prices: FloatArray,
    quadratic: FloatArray,
    linear: FloatArray,
    system: System,
) -> bool:
    """Write the system for given pieces, with what is at a limit moved there: whether it may be solved.

    It may not when a resource without a curve in its cost is not at a limit: nothing says where it lies.
    """
    sound = True
    for j in range(len(x)):
        end, curve = end_of(breaks, j, pieces[j]), quadratic[j]
        price = price_in(breaks, j, pieces[j])
        if not np.isnan(end):
            x[j], curve, price = end, np.inf if known[j] else STIFF, prices[j]
        sound &= curve != 0.0 or not known[j]
        system.curve[j], system.cross[j], system.cost[1, j] = curve, 0.0, 0.0
        system.cost[0, j] = linear[j] + quadratic[j] * x[j] + price
    return sound
