from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from dlmp_cosim.federates.runtime.clock import Clock
from dlmp_cosim.federates.runtime.heartbeat import Beat, Sign, Stage
from dlmp_cosim.runners.run.watch import (
    Finding,
    Patience,
    Signs,
    all_finished,
    certain_fault,
    find_fault,
    going_on,
)

CLOCK = Clock(1_598_328_000, 300, 288)
PATIENCE = Patience(start_s=30.0, stall_s=60.0)
FEEDER, MARKET = Beat("feeder", 11, "waiting", 601.0, 603.0), Beat("market", 12, "working", 602.0)


def fault(
    *beats: Beat, elapsed: float = 100.0, ages: float = 1.0, dead: tuple[int, ...] = (), **missing: Any
) -> Finding | None:
    signs: dict[str, Sign | None] = {beat.federate: Sign(beat, ages) for beat in beats}
    return find_fault({**signs, **missing}, CLOCK, PATIENCE, elapsed, lambda pid: pid not in dead)


def test_a_run_at_work_is_well() -> None:
    assert fault(FEEDER, MARKET) is None
    assert fault(feeder=None, elapsed=1.0) is None


def test_a_failure_is_told_with_place_and_reason() -> None:
    found = fault(FEEDER, replace(MARKET, stage="failed", error="out of numbers"))
    assert found == Finding(
        "market", "market failed at 602 s (interval 3 of 288, 2020-08-25T04:10Z): out of numbers"
    )


@pytest.mark.parametrize("stage", ["failed", "stopped"])
def test_the_first_of_several_is_at_fault(stage: Any) -> None:
    early = Sign(replace(MARKET, stage=stage, error="first"), 2.0)
    late = Sign(replace(FEEDER, stage=stage, error="second"), 1.5)
    found = find_fault({"feeder": late, "market": early}, CLOCK, PATIENCE, 9.0, lambda _: True)
    assert found is not None
    assert found.culprit == "market"


def test_a_killed_process_is_named() -> None:
    found = fault(FEEDER, MARKET, dead=(11,))
    assert found is not None
    assert (found.culprit, "(11) ended without a word at 601 s" in found.message) == ("feeder", True)


@pytest.mark.parametrize(("last", "accused"), [("finished", None), ("working", "market")])
def test_one_that_ends_while_it_is_looked_at_is_not_accused(last: Stage, accused: str | None) -> None:
    """Its sign was read before its last word, and its process looked for after it."""

    def signs(stage: Stage) -> Signs:
        return {"market": Sign(replace(MARKET, stage=stage), 0.0)}

    def judge(found: Signs) -> Finding | None:
        return find_fault(found, CLOCK, PATIENCE, 9.0, lambda _: False)

    found = certain_fault(signs("working"), lambda: signs(last), judge)
    assert (found.culprit if found else None) == accused


def test_nobody_looks_twice_while_all_is_well() -> None:
    def look() -> Signs:
        raise AssertionError("looked again")

    assert certain_fault({}, look, lambda _: None) is None


def test_one_that_was_stopped_counts_when_nobody_confesses() -> None:
    stopped = replace(MARKET, stage="stopped", error="somebody else")
    assert fault(FEEDER, stopped, ages=0.9) is None
    found = fault(FEEDER, stopped, ages=1.1)
    assert found is not None
    assert "somebody else" in found.message
    other = fault(replace(FEEDER, stage="failed", error="mine"), replace(MARKET, stage="stopped"))
    assert other is not None
    assert other.culprit == "feeder"


def test_an_ended_process_that_finished_is_well() -> None:
    assert fault(replace(FEEDER, stage="finished"), MARKET, dead=(11,)) is None


def test_a_stall_names_who_works_and_who_waits() -> None:
    found = fault(FEEDER, MARKET, ages=61.0)
    assert found == Finding(
        "market",
        "market has not answered for 60 s at 602 s (interval 3 of 288, 2020-08-25T04:10Z); "
        "waiting for it: feeder (until 603 s)",
    )


def test_waiting_long_is_no_fault_while_somebody_works() -> None:
    signs = {"feeder": Sign(FEEDER, 1000.0), "market": Sign(MARKET, 1.0)}
    assert find_fault(signs, CLOCK, PATIENCE, 2000.0, lambda _: True) is None


def test_when_all_wait_the_silent_one_is_named() -> None:
    found = fault(FEEDER, replace(MARKET, stage="waiting", wanted=604.0), ages=61.0, battery=None)
    assert found is not None
    assert found.culprit == "battery"
    waits = "feeder (until 603 s), market (until 604 s)"
    assert found.message == f"nothing moves for 60 s: {waits}; not known: battery"


@pytest.mark.parametrize("stage", ["starting", "joining"])
def test_one_that_does_not_join_is_named(stage: Any) -> None:
    beat = Beat("feeder", 11, stage)
    assert fault(beat, elapsed=29.0, market=None) is None
    found = fault(beat, elapsed=31.0, market=None)
    assert found is not None
    assert (found.culprit, "market did not join within 30 s" in found.message) == ("market", True)


def test_one_that_starts_for_too_long_holds_up_those_that_join() -> None:
    found = fault(Beat("feeder", 11, "starting"), Beat("market", 12, "joining"), elapsed=31.0)
    assert found is not None
    assert "feeder did not join within 30 s; waiting for it: market" in found.message


def test_a_federate_of_others_need_not_report() -> None:
    assert fault(FEEDER, MARKET, elapsed=1000.0, battery=None) is None


def test_finished_means_all_that_report() -> None:
    done = Sign(replace(FEEDER, stage="finished"), 0.0)
    assert all_finished({"feeder": done, "battery": None})
    assert not all_finished({"feeder": done, "market": Sign(MARKET, 0.0)})
    assert not all_finished({"feeder": None})


def together(stages: Mapping[str, Stage]) -> dict[str, Sign | None]:
    return {name: Sign(Beat(name, 1, stage, error="no more"), 0.1) for name, stage in stages.items()}


def test_a_feeder_that_stopped_is_put_aside_with_all_its_federates() -> None:
    signs = together(
        {"one.market": "failed", "one.feeder": "waiting", "two.market": "working", "substation": "waiting"}
    )
    left, gone = going_on(signs)
    assert set(left) == {"two.market", "substation"}
    assert gone == {"one": "one.market: no more"}


def test_when_no_feeder_is_left_the_run_is_at_fault() -> None:
    signs = together({"one.market": "failed", "two.feeder": "failed", "substation": "waiting"})
    assert going_on(signs) == (signs, {})


def test_the_substation_is_never_put_aside() -> None:
    signs = together({"one.market": "working", "substation": "failed"})
    assert going_on(signs) == (signs, {})
