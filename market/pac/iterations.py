"""Compiled loops, one for each published or accelerated iteration."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dlmp_cosim.feeders.network import FloatArray
from dlmp_cosim.market.pac.kernels import Arrays, distance, dot, dual_step, primal_step, residuals, row_dual
from dlmp_cosim.market.problem.compiled import compiled


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
        Restart when this share of all iterations went by without.
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
    """Last iterate of a run.

    Attributes
    ----------
    x, y : ndarray
        Variables and duals.
    iterations : int
        Iterations done.
    primal, dual : float
        Residuals at the last check.
    weight : float
        Primal weight at the end.
    restarts : int
        Restarts done.
    trace : ndarray, shape (n_check, 3)
        Iteration, primal and dual residual of every check.
    """

    x: FloatArray
    y: FloatArray
    iterations: int
    primal: float
    dual: float
    weight: float
    restarts: int
    trace: FloatArray


@compiled
def way(moved: tuple[float, float], omega: float) -> float:
    """Distance in the metric of the weighted steps, from the squared ones of values and of duals."""
    return float(np.sqrt(moved[0] * omega + moved[1] / omega))


@compiled
def restart_due(
    rule: RestartRule, moved: float, first: float, last: float, k: int, done: int
) -> tuple[bool, float, float]:
    """Say whether to start afresh after moving so far, and what to hold the next distance against.

    Parameters
    ----------
    rule : RestartRule
        When to.
    moved, first, last : float
        Distance of this iteration, of the first after a restart, and of the last that was looked at.
    k, done : int
        Iterations since the last restart, and in all.
    """
    if k == 0:
        return False, moved, np.inf
    near, stalled = moved < rule.near * first, moved < rule.stalled * first and moved > last
    return near or stalled or k > rule.long * done, first, moved


@compiled
def next_weight(rule: RestartRule, far: tuple[float, float], omega: float) -> float:
    """Primal weight after a restart, from the squared distances of values and duals since the last one."""
    far_x, far_y = far
    if far_x > 1e-20 and far_y > 1e-20:
        balance = 0.5 * np.log(far_y / far_x)
        omega = np.exp((1.0 - rule.inertia) * balance + rule.inertia * np.log(omega))
    return omega


@compiled
def reflect(x: FloatArray, new: FloatArray, anchor: FloatArray, k: int) -> None:
    """Step to the reflected iterate, drawn towards the anchor, in place."""
    share = k / (k + 1.0)
    x[:] = share * (2.0 * new - x) + (1.0 - share) * anchor


@compiled
def note(trace: FloatArray, check: int, done: int, primal: float, dual: float) -> None:
    """Write down what the check of that number, the first being 1, found."""
    trace[check - 1, 0], trace[check - 1, 1], trace[check - 1, 2] = done, primal, dual


@compiled
def accelerated(
    a: Arrays,
    x0: FloatArray,
    y0: FloatArray,
    omega: float,
    rule: RestartRule,
    tolerance: float,
    limit: int,
    every: int,
) -> Outcome:
    """Run reflected Halpern iterations with restarts and an adaptive primal weight.

    Between restarts ``z <- (k+1)/(k+2) (2 T(z) - z) + 1/(k+2) z_anchor``, with T one iteration of the
    negotiation. Every `every` iterations the agents reduce three numbers over the tree: two residuals and the
    restart distance.
    """
    x, y, anchor_x, anchor_y = x0.copy(), y0.copy(), x0.copy(), y0.copy()
    new, new_dual = x0.copy(), y0.copy()
    trace = np.empty((limit // every + 2, 3))
    restarts, k, done = 0, 0, 0
    first, last, primal, dual = np.inf, np.inf, np.inf, np.inf
    while done < limit:
        primal_step(a, x, y, omega, new)
        dual_step(a, x, new, y, omega, new_dual)
        done += 1
        restart = False
        if k == 0 or done % every == 0:
            moved = way(distance(a, x, new, y, new_dual), omega)
            restart, first, last = restart_due(rule, moved, first, last, k, done)
        if done % every == 0:
            primal, dual = residuals(a, x, new, y, new_dual, omega)
            note(trace, done // every, done, primal, dual)
            if primal <= tolerance and dual <= tolerance:
                break
        if restart:
            omega = next_weight(rule, distance(a, new, anchor_x, new_dual, anchor_y), omega)
            x[:], y[:], anchor_x[:], anchor_y[:] = new, new_dual, new, new_dual
            k, restarts = 0, restarts + 1
        else:
            k += 1
            reflect(x, new, anchor_x, k)
            reflect(y, new_dual, anchor_y, k)
    return Outcome(new, new_dual, done, primal, dual, omega, restarts, trace[: done // every])


@compiled
def published(
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
    a+)`` with gammahat drawn for every row and iteration from [1 - mask, 1] gamma. Only `yhat` is ever sent.
    """
    x, y = x0.copy(), y0.copy()
    sent, sent_before = y0.copy(), y0.copy()
    new = np.empty_like(x)
    trace = np.empty((limit // every + 2, 3))
    done, primal, dual = 0, np.inf, np.inf
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
        checked = done % every == 0
        if checked:
            dual = residuals(a, x, new, sent_before, y, 1.0)[1]
            note(trace, done // every, done, primal, dual)
        x[:] = new
        if checked and primal <= tolerance and dual <= tolerance:
            break
    return Outcome(x, y, done, primal, dual, 1.0, 0, trace[: done // every])


@compiled
def nesterov(
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
    done, primal, dual = 0, np.inf, np.inf
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
        checked = done % every == 0
        if checked:
            dual = residuals(a, x, new, sent_before, y, 1.0)[1]
            note(trace, done // every, done, primal, dual)
        x[:] = new
        if checked and primal <= tolerance and dual <= tolerance:
            break
    return Outcome(x, y, done, primal, dual, 1.0, 0, trace[: done // every])
