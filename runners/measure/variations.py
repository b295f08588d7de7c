"""The choices that `dlmp convergence` varies, one at a time around the usual one."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from dlmp_cosim.market.pac.iterations import RestartRule
from dlmp_cosim.market.pac.negotiate import CONE_RATIO, DUAL_RATIO, USUAL
from dlmp_cosim.market.pac.step_sizes import Gains, atom_gains, local_gains, uniform_gains
from dlmp_cosim.market.problem.atoms import AtomicProblem
from dlmp_cosim.market.settings import Method
from dlmp_cosim.runners.measure.tolerances import Choice

NEVER = 1e300
ALL = 1e9
"""Margin that watches every limit."""
USUAL_CHOICE = Choice("usual", "usual")


def steeper(problem: AtomicProblem, ratio: float) -> Gains:
    """Local gains with another ratio of dual over primal steps."""
    gains = local_gains(problem)
    return Gains(gains.tau / ratio**0.5, gains.sigma * ratio**0.5)


def _gains(name: str, **choice: object) -> Choice:
    return Choice("gains", name, replace(USUAL, gains=partial(local_gains, **choice)))  # type: ignore[arg-type]


def _restart(name: str, **rule: float) -> Choice:
    return Choice("restarts", name, replace(USUAL, restart=RestartRule(**rule)))


def _weight(name: str, ratio: float, inertia: float) -> Choice:
    tuning = replace(USUAL, gains=partial(steeper, ratio=ratio), restart=RestartRule(inertia=inertia))
    return Choice("primal weight", name, tuning)


def _agents(count: int) -> Choice:
    if not count:
        return Choice("agents", "one a bus", settings=(("agents", 0),))
    return Choice("agents", f"{count}", settings=(("agents", count),))


def _watch(name: str, margin: float) -> Choice:
    return Choice("watched limits", name, replace(USUAL, watch_margin=margin))


def _published(method: Method, name: str, ratio: float | None = None, **tuning: float) -> Choice:
    choice = replace(USUAL, **tuning)  # type: ignore[arg-type]
    if ratio is not None:
        choice = replace(choice, gains=partial(atom_gains, ratio=ratio))
    return Choice(method, name, choice, (("method", method), ("agents", 0)))


GROUPS: tuple[tuple[Choice, ...], ...] = (
    (USUAL_CHOICE,),
    (
        _gains("nameplates, no Ruiz pass", passes=0),
        _gains("nameplates, 2 Ruiz passes", passes=2),
        _gains("units of the model, 10 Ruiz passes", by_reach=False),
        _gains("units of the model, no Ruiz pass", by_reach=False, passes=0),
        Choice("gains", "one pair an agent", replace(USUAL, gains=partial(atom_gains, ratio=1.0))),
        Choice("gains", "one pair for everybody", replace(USUAL, gains=uniform_gains)),
    ),
    (
        _restart("never", near=-1.0, stalled=-1.0, long=NEVER),
        _restart("only after 36 % of all rounds", near=-1.0, stalled=-1.0),
        _restart("at a tenth of the residual", near=0.1),
        _restart("at 40 % of the residual", near=0.4),
        _restart("after 20 % of all rounds", long=0.2),
        _restart("after 50 % of all rounds", long=0.5),
    ),
    (
        _weight("fixed", 1.0, 1.0),
        _weight("fixed, dual steps 10 times primal", 10.0, 1.0),
        _weight("fixed, dual steps a tenth of primal", 0.1, 1.0),
        _weight("adaptive, first 10", 10.0, 0.5),
        _weight("adaptive, first 0.1", 0.1, 0.5),
        _weight("adaptive, keeps 80 %", 1.0, 0.8),
        _weight("adaptive, keeps 20 %", 1.0, 0.2),
    ),
    tuple(
        Choice("rounds between checks", f"{every}", replace(USUAL, check_every=every))
        for every in (1, 5, 20, 40)
    ),
    tuple(_agents(count) for count in (1, 2, 4, 8, 16, 32, 0)),
    (
        _watch("those exceeded, as they come up", 0.0),
        _watch("within 0.5 units", 0.5),
        _watch("all", ALL),
    ),
)

PUBLISHED: tuple[tuple[Choice, ...], ...] = (
    tuple(
        _published("pac", f"mask of {mask:g}, ratio {DUAL_RATIO:g} ({CONE_RATIO:g} with cones)", mask=mask)
        for mask in (0.0, 0.5, 0.9)
    ),
    tuple(_published("pac", f"mask of 0.5, ratio {ratio:g}", ratio) for ratio in (0.1, 1.0, 10.0, 100.0)),
    tuple(_published("nst-pac", f"momentum {share:g}", momentum=share) for share in (0.0, 0.3, 0.5)),
)
