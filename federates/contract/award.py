"""What the feeder needs to know of ``market/clearing``: what to answer, and whether it is final."""

from __future__ import annotations

from dataclasses import dataclass

from dlmp_cosim.federates.contract.limits import is_count
from dlmp_cosim.federates.contract.messages import decode, encode, shown
from dlmp_cosim.federates.runtime.link import refusal

STATUSES = ("trial", "final", "wait")
"""What ``market/clearing`` may be; a market waits where its feeder meets others at a substation."""


@dataclass(frozen=True)
class Award:
    """What the feeder needs from ``market/clearing``.

    Attributes
    ----------
    interval : int
        Which interval.
    trials : int
        Trials answered before.
    final : bool
        Whether the dispatch is final; otherwise it is a trial.
    controls : bool
        Whether controls act in the answer.
    resume : int
        Trial whose control positions the final dispatch starts from; -1 for the present ones.
    waits : bool
        Whether there is nothing to answer in this round, because other feeders still have to settle.
    """

    interval: int
    trials: int
    final: bool
    controls: bool
    resume: int = -1
    waits: bool = False


def read_award(text: str) -> Award:
    """Read interval, trials and status of a clearing; FederationError when one is missing."""
    table = decode("market/clearing", text)
    interval, trials, status = (table.get(name) for name in ("interval", "trials", "status"))
    if not is_count(interval) or not is_count(trials) or status not in STATUSES:
        raise refusal("market/clearing", "lacks interval, trials or a status of trial or final")
    final, resume = status == "final", table.get("resume", -1)
    if not is_count(resume, least=-1) or resume >= max(trials, 1):
        raise refusal("market/clearing", f"resumes trial {shown(resume)} of {trials}")
    return Award(interval, trials, final, final or table.get("controls") is True, resume, status == "wait")


def wait_text(interval: int, trials: int) -> str:
    """Write that there is nothing to answer in this round, after so many trials.

    Parameters
    ----------
    interval : int
        Which interval, from 0.
    trials : int
        Trials answered before.
    """
    return encode({"interval": interval, "trials": trials, "status": "wait"})
