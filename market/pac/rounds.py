"""Compiled loops over rounds, one for each published or accelerated iteration."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from feeders.network import FloatArray
from market.pac.kernels import Arrays, distance, dot, dual_step, primal_step, residuals, row_dual
from market.problem.compiled import compiled


class RestartRule(NamedTuple):
    """When the accelerated method starts afresh, and with which primal weight.

    The rule and its numbers are those of Lu and Yang, "Restarted Halpern PDHG for linear programming" (2024);
    on the IEEE 123-node feeder no other number does clearly better.

    Attributes
    ----------
    near : float
        Restart when the fixed-point residual fell to this share of what it was.
    stalled : float
        Restart when it grows again after falling to this share.
    long : float
        Restart when this share of all rounds went by without.
    inertia : float
        Share of the old primal weight that a restart keeps, on a logarithmic scale; 1 keeps it for good.
    """

    near: float = 0.2
    stalled: float = 0.8
    long: float = 0.36
    inertia: float = 0.5


USUAL_RESTARTS = RestartRule()
"""What agents use."""


class Outcome(NamedTuple):
    """Last iterate of a run of rounds.

    Attributes
    ----------
    x, y : ndarray
        Variables and duals.
    rounds : int
        Rounds done.
    primal, dual : float
        Residuals at the last check.
    weight : float
        Primal weight at the end.
    restarts : int
        Restarts done.
    trace : ndarray, shape (n_check, 3)
        Round, primal and dual residual of every check.
    """

    x: FloatArray
    y: FloatArray
    rounds: int
    primal: float
    dual: float
    weight: float
    restarts: int
    trace: FloatArray


@compiled
def accelerated_rounds(
    a: Arrays,
    x0: FloatArray,
    y0: FloatArray,
    omega: float,
    rule: RestartRule,
    tolerance: float,
    limit: int,
    every: int,
) -> Outcome:
    """Run reflected Halpern rounds with restarts and an adaptive primal weight.

    Between restarts ``z <- (k+1)/(k+2) (2 T(z) - z) + 1/(k+2) z_anchor``, with T one round of the
    negotiation. Every `every` rounds the agents reduce three numbers over the tree: two residuals and the
    restart distance.
    """
    x, y, anchor_x, anchor_y = x0.copy(), y0.copy(), x0.copy(), y0.copy()
    new, new_dual = x0.copy(), y0.copy()
    trace = np.empty((limit // every + 2, 3))
    checks, restarts, k, done = 0, 0, 0, 0
    first, last, primal, dual = np.inf, np.inf, np.inf, np.inf
    while done < limit:
        primal_step(a, x, y, omega, new)
        dual_step(a, x, new, y, omega, new_dual)
        done += 1
        restart = False
        if k == 0 or done % every == 0:
            moved_x, moved_y = distance(a, x, new, y, new_dual)
            moved = np.sqrt(moved_x * omega + moved_y / omega)
            if k == 0:
                first, last = moved, np.inf
            else:
                near, stalled = moved < rule.near * first, moved < rule.stalled * first and moved > last
                restart = near or stalled or k > rule.long * done
                last = moved
        if done % every == 0:
            primal, dual = residuals(a, x, new, y, new_dual, omega)
            trace[checks, 0], trace[checks, 1], trace[checks, 2] = done, primal, dual
            checks += 1
            if primal <= tolerance and dual <= tolerance:
                break
        if restart:
            far_x, far_y = distance(a, new, anchor_x, new_dual, anchor_y)
            if far_x > 1e-20 and far_y > 1e-20:
                balance = 0.5 * np.log(far_y / far_x)
                omega = np.exp((1.0 - rule.inertia) * balance + rule.inertia * np.log(omega))
            x[:], y[:], anchor_x[:], anchor_y[:] = new, new_dual, new, new_dual
            k, restarts = 0, restarts + 1
        else:
            k += 1
            share = k / (k + 1.0)
            x[:] = share * (2.0 * new - x) + (1.0 - share) * anchor_x
            y[:] = share * (2.0 * new_dual - y) + (1.0 - share) * anchor_y
    return Outcome(new, new_dual, done, primal, dual, omega, restarts, trace[:checks])


@compiled
def published_rounds(
    a: Arrays,
    x0: FloatArray,
    y0: FloatArray,
    mask: float,
    rng: np.random.Generator,
    tolerance: float,
    limit: int,
    every: int,
) -> Outcome:
    """Run the published PAC iteration, with over-relaxed duals and a private time-varying mask.

    ``a+ = prox(a - rho K' yhat)``, ``y+ = y + rho gamma (b - K a+)``, ``yhat+ = y+ + rho gammahat (b - K
    a+)`` with gammahat drawn for every row and round from [1 - mask, 1] gamma. Only `yhat` is ever sent.
    """
    x, y = x0.copy(), y0.copy()
    sent, sent_before = y0.copy(), y0.copy()
    new = np.empty_like(x)
    trace = np.empty((limit // every + 2, 3))
    checks, done, primal, dual = 0, 0, np.inf, np.inf
    while done < limit:
        primal_step(a, x, sent, 1.0, new)
        sent_before[:] = sent
        primal = 0.0
        for r in range(y.size):
            miss = a.row_lower[r] - dot(a.row_ptr, a.row_index, a.row_value, r, new)
            primal = max(primal, abs(miss))
            y[r] += a.sigma[r] * miss
            sent[r] = y[r] + a.sigma[r] * (1.0 - mask * rng.random()) * miss
        done += 1
        if done % every == 0:
            _, dual = residuals(a, x, new, sent_before, y, 1.0)
            trace[checks, 0], trace[checks, 1], trace[checks, 2] = done, primal, dual
            checks += 1
            if primal <= tolerance and dual <= tolerance:
                x[:] = new
                break
        x[:] = new
    return Outcome(x, y, done, primal, dual, 1.0, 0, trace[:checks])


@compiled
def nesterov_rounds(
    a: Arrays,
    x0: FloatArray,
    y0: FloatArray,
    momentum: float,
    mask: float,
    rng: np.random.Generator,
    tolerance: float,
    limit: int,
    every: int,
) -> Outcome:
    """Run NST-PAC: values and duals extrapolated by private, time-varying factors; linearised atom step.

    The published atom step minimises its full local penalty; here that penalty enters by its gradient at the
    last sent values, which keeps the step closed-form with cones and boxes.
    """
    x, ahead, y, sent, sent_before = x0.copy(), x0.copy(), y0.copy(), y0.copy(), y0.copy()
    new, pulled = np.empty_like(x), np.empty_like(y)
    trace = np.empty((limit // every + 2, 3))
    checks, done, primal, dual = 0, 0, np.inf, np.inf
    while done < limit:
        for r in range(y.size):
            miss = a.row_lower[r] - dot(a.row_ptr, a.row_index, a.row_value, r, ahead)
            pulled[r] = sent[r] + momentum * a.sigma[r] * miss
        primal_step(a, x, pulled, 1.0, new)
        sent_before[:] = pulled
        for i in range(x.size):
            ahead[i] = new[i] + (1.0 - mask * rng.random()) * (new[i] - x[i])
        primal = 0.0
        for r in range(y.size):
            miss = a.row_lower[r] - dot(a.row_ptr, a.row_index, a.row_value, r, ahead)
            primal = max(primal, abs(miss))
            after = row_dual(a, r, sent[r] + a.sigma[r] * (miss - a.row_lower[r]), a.sigma[r])
            sent[r] = after + momentum * (1.0 - mask * rng.random()) * (after - y[r])
            y[r] = after
        done += 1
        if done % every == 0:
            _, dual = residuals(a, x, new, sent_before, y, 1.0)
            trace[checks, 0], trace[checks, 1], trace[checks, 2] = done, primal, dual
            checks += 1
            if primal <= tolerance and dual <= tolerance:
                x[:] = new
                break
        x[:] = new
    return Outcome(x, y, done, primal, dual, 1.0, 0, trace[:checks])
