"""Who blocks a run, from the signs of life of its federates: pure judgement, no HELICS."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from dlmp_cosim.federates.contract.topics import FEEDER_MARK
from dlmp_cosim.federates.runtime.clock import Clock
from dlmp_cosim.federates.runtime.heartbeat import Beat, Sign, Stage

CONFESS_S = 1.0
"""Time that whoever ended the federation has to say so, after the first other was stopped by it [s]."""


@dataclass(frozen=True)
class Patience:
    """How long a watcher waits.

    Attributes
    ----------
    start_s : float
        For every federate to join [s of wall time].
    stall_s : float
        For a federate to answer [s of wall time].
    """

    start_s: float = 60.0
    stall_s: float = 120.0


@dataclass(frozen=True)
class Finding:
    """What ended a run before its time: the federate at fault and one line for a person."""

    culprit: str
    message: str


Signs = Mapping[str, Sign | None]


def find_fault(
    signs: Signs, clock: Clock, patience: Patience, elapsed_s: float, alive: Callable[[int], bool]
) -> Finding | None:
    """Judge a run by what its federates last said.

    Parameters
    ----------
    signs : mapping of str to Sign or None
        Last sign of life of every expected federate; None when there is none yet.
    clock : Clock
        Turns simulated times into intervals.
    patience : Patience
        How long to wait.
    elapsed_s : float
        Wall time since the run began [s].
    alive : callable
        Tells whether a process still runs.

    Returns
    -------
    Finding or None
        None while all is well.
    """
    found = [sign for sign in signs.values() if sign is not None]
    failed, stopped = _first(found, "failed"), _first(found, "stopped")
    if failed is not None:
        beat = failed.beat
        return Finding(beat.federate, f"{beat.federate} failed {_when(beat, clock)}: {beat.error}")
    for sign in found:
        if sign.beat.stage not in ("finished", "stopped") and not alive(sign.beat.pid):
            return Finding(sign.beat.federate, _gone(sign.beat, clock))
    if stopped is not None and stopped.age_s > CONFESS_S:
        beat = stopped.beat
        return Finding(beat.federate, f"{beat.federate} was stopped {_when(beat, clock)}: {beat.error}")
    return _not_started(signs, patience, elapsed_s) or _stalled(signs, clock, patience)


def certain_fault(
    signs: Signs, look: Callable[[], Signs], judge: Callable[[Signs], Finding | None]
) -> Finding | None:
    """Look again before somebody is accused: a process may have said its last word, and ended, meanwhile.

    Parameters
    ----------
    signs : mapping of str to Sign or None
        What was read.
    look : callable
        Reads the signs anew.
    judge : callable
        Finds a fault in signs, and in the processes as they are now.
    """
    return judge(look()) if judge(signs) is not None else None


def going_on(signs: Signs) -> tuple[Signs, dict[str, str]]:
    """Put feeders aside that have stopped and that the others go on without.

    Parameters
    ----------
    signs : mapping of str to Sign or None
        Last sign of life of every federate, ``<feeder>.<federate>`` and those that feeders share.

    Returns
    -------
    mapping of str to Sign or None
        Those of the feeders that are left, or of all when none is.
    dict of str to str
        What stopped each of the others, by feeder.
    """
    failed: dict[str, str] = {}
    ended = [sign for sign in signs.values() if sign is not None and sign.beat.stage == "failed"]
    for sign in sorted(ended, key=lambda sign: -sign.age_s):
        feeder = sign.beat.federate.rpartition(FEEDER_MARK)[0]
        if feeder:
            failed.setdefault(feeder, f"{sign.beat.federate}: {sign.beat.error}")
    feeders = {name.rpartition(FEEDER_MARK)[0] for name in signs} - {""}
    if feeders <= failed.keys():
        return signs, {}
    left = {name: sign for name, sign in signs.items() if name.rpartition(FEEDER_MARK)[0] not in failed}
    return left, failed


def all_finished(signs: Signs) -> bool:
    """Tell whether every federate that reports has finished, and at least one does."""
    stages = [sign.beat.stage for sign in signs.values() if sign is not None]
    return bool(stages) and all(stage == "finished" for stage in stages)


def _first(signs: Sequence[Sign], stage: Stage) -> Sign | None:
    """Sign of the federate that came to a stage before the others."""
    return max((sign for sign in signs if sign.beat.stage == stage), key=lambda s: s.age_s, default=None)


def _gone(beat: Beat, clock: Clock) -> str:
    return (
        f"{beat.federate} is gone: its process ({beat.pid}) ended without a word {_when(beat, clock)}, "
        "killed or out of memory"
    )


def _not_started(signs: Signs, patience: Patience, elapsed_s: float) -> Finding | None:
    if elapsed_s < patience.start_s:
        return None
    missing = [name for name, sign in signs.items() if sign is None]
    starting = [name for name, sign in signs.items() if sign is not None and sign.beat.stage == "starting"]
    joining = [name for name, sign in signs.items() if sign is not None and sign.beat.stage == "joining"]
    if not starting and not joining and len(missing) < len(signs):
        return None
    late = missing or starting or joining
    waiting = f"; waiting for it: {', '.join(joining)}" if joining and late != joining else ""
    return Finding(late[0], f"{', '.join(late)} did not join within {patience.start_s:g} s{waiting}")


def _stalled(signs: Signs, clock: Clock, patience: Patience) -> Finding | None:
    found = [sign for sign in signs.values() if sign is not None]
    for sign in found:
        if sign.beat.stage == "working" and sign.age_s > patience.stall_s:
            return Finding(sign.beat.federate, _blocks(sign.beat, [s.beat for s in found], clock, patience))
    waiting = [sign.beat for sign in found if sign.beat.stage == "waiting"]
    still = all(sign.age_s > patience.stall_s for sign in found)
    if found and still and len(waiting) == len(found):
        silent = [name for name, sign in signs.items() if sign is None]
        who = ", ".join(silent) or "none of the federates that report"
        return Finding(who, f"nothing moves for {patience.stall_s:g} s: {_waits(waiting)}; not known: {who}")
    return None


def _blocks(beat: Beat, others: Sequence[Beat], clock: Clock, patience: Patience) -> str:
    waiting = [other for other in others if other.stage == "waiting"]
    return (
        f"{beat.federate} has not answered for {patience.stall_s:g} s {_when(beat, clock)}; "
        f"waiting for it: {_waits(waiting)}"
    )


def _waits(beats: Sequence[Beat]) -> str:
    return ", ".join(f"{beat.federate} (until {beat.wanted:g} s)" for beat in beats) or "nobody"


def _when(beat: Beat, clock: Clock) -> str:
    """Where in the run a federate is."""
    if beat.time < 0.0:
        return f"while {beat.stage}" if beat.stage in ("starting", "joining") else "before its first step"
    interval = clock.interval_at(beat.time)
    return f"at {beat.time:g} s (interval {interval + 1} of {clock.intervals}, {clock.label(interval)})"
