"""Findings of a trial in the corners: times, types, owners and texts that are almost right."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from dlmp_cosim.federates.conformance.judgement import (
    Finding,
    Trial,
    expected_topics,
    judge_failure,
    judge_normal,
    judge_not_a_number,
    judge_topic,
    slots_of,
)
from dlmp_cosim.federates.conformance.watcher import Sample, Watched
from dlmp_cosim.federates.contract.topics import BY_KEY, Topic, published_by
from dlmp_cosim.federates.runtime.clock import Clock
from dlmp_cosim.federates.study.study import Study
from tests.handmade import chain, load

NETWORK = chain("a", "b", loads=[load("x", "b"), load("y", "b")])
CLOCK = Clock(0, 300, 2, rounds_max=1)
LMP, DEMAND, ANGLE = (BY_KEY[key] for key in ("wholesale/lmp", "feeder/demand_real", "feeder/voltage_angle"))


def seen(topic: Topic, *samples: tuple[int, int, Any], kind: str = "", unit: str | None = None) -> Watched:
    """A topic as it was published: interval, slot and value."""
    rows = [Sample(topic.key, interval, slot, value) for interval, slot, value in samples]
    return Watched(
        {topic.key: kind or topic.type}, {topic.key: topic.unit if unit is None else unit}, (topic.key,), rows
    )


def wrong(topic: Topic, watched: Watched) -> list[tuple[str, str]]:
    found = judge_topic(topic, NETWORK, CLOCK, watched)
    return [(finding.check, finding.problem) for finding in found if finding.problem]


def test_a_topic_is_looked_at_from_key_to_length() -> None:
    sound = seen(DEMAND, (0, 1, np.ones(2)), (1, 1, np.ones(2)))
    checks = [finding.check for finding in judge_topic(DEMAND, NETWORK, CLOCK, sound)]
    assert checks == ["key", "type", "unit", "timing", "finite", "length"]
    assert wrong(DEMAND, sound) == []


@pytest.mark.parametrize(
    ("published", "hint"),
    [((), ""), (("feeder/demand_raal",), " (it publishes feeder/demand_raal)"), (("x/y",), "")],
)
def test_a_topic_that_nobody_publishes_is_all_there_is_to_say(published: tuple[str, ...], hint: str) -> None:
    assert wrong(DEMAND, Watched(published=published)) == [("key", f"nobody publishes it{hint}")]


@pytest.mark.parametrize(
    ("samples", "problem"),
    [
        ([(0, 0, 30.0), (1, 0, 30.0)], ""),
        ([(0, 0, 30.0), (0, 0, 31.0), (1, 0, 30.0)], ""),
        ([(0, -1, 30.0), (0, 0, 30.0), (1, 0, 30.0)], ""),
        ([(0, 0, 30.0)], "was not published in interval 1"),
        ([(1, 0, 30.0)], "was not published in interval 0"),
        ([], "was not published in interval 0"),
        ([(0, -1, 30.0), (1, 0, 30.0)], "was not published in interval 0"),
        ([(0, 0, 30.0), (1, 2, 30.0)], "was published at t+2 s in interval 1; expected t+0 s"),
        ([(0, 0, 30.0), (1, 0, 30.0), (1, 5, 1.0)], "was published at t+5 s in interval 1; expected t+0 s"),
    ],
)
def test_a_price_is_published_at_the_start_of_every_interval(
    samples: list[tuple[int, int, Any]], problem: str
) -> None:
    found = dict(wrong(LMP, seen(LMP, *samples)))
    assert found.get("timing", "") == problem


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (0.0, ""),
        (-500.0, ""),
        (1e8, ""),
        (1.1e8, "is 1.1e+08 in interval 1; expected within 1e+08"),
        (float("nan"), "is nan in interval 1; expected within 1e+08"),
        (float("-inf"), "is -inf in interval 1; expected within 1e+08"),
    ],
)
def test_a_number_is_finite_and_not_absurd(value: float, problem: str) -> None:
    found = dict(wrong(LMP, seen(LMP, (0, 0, 30.0), (1, 0, value))))
    assert found.get("finite", "") == problem


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (np.zeros(6), []),
        (np.zeros(5), [("length", "has 5 values; expected 6, one for each node")]),
        (np.zeros(0), [("length", "has 0 values; expected 6, one for each node")]),
        (
            np.array([0, 0, 0, np.inf, 0, 0]),
            [("finite", "is inf at b.1 in interval 0; expected within 10")],
        ),
        (
            np.array([99.0] * 7),
            [
                ("finite", "is 99 in interval 0; expected within 10"),
                ("length", "has 7 values; expected 6, one for each node"),
            ],
        ),
    ],
)
def test_a_vector_has_a_sound_value_for_each_of_its_ids(values: Any, found: list[tuple[str, str]]) -> None:
    assert wrong(ANGLE, seen(ANGLE, (0, 1, values), (1, 1, np.zeros(6)))) == found


def test_values_of_another_type_are_not_looked_at() -> None:
    found = wrong(LMP, seen(LMP, (0, 0, "30"), (1, 0, "30"), kind="string", unit="EUR"))
    assert found == [("type", "is a string; expected a double"), ("unit", "is in 'EUR'; expected '$/MWh'")]


CLEARING = BY_KEY["market/clearing"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"interval":0,"trials":0,"status":"trial"}', ""),
        ('{"interval":1,"trials":0,"status":"trial"}', "is for interval 1 in interval 0"),
        ('{"interval":0}', "market/clearing, published by 'market', lacks "),
        ("", "market/clearing, published by 'market', is not JSON"),
    ],
)
def test_a_clearing_is_read_as_the_feeder_reads_it(text: str, problem: str) -> None:
    sound = '{"interval":1,"trials":0,"status":"final"}'
    found = dict(wrong(CLEARING, seen(CLEARING, (0, 2, text), (1, 2, sound))))
    assert found.get("content", "").startswith(problem)
    assert bool(found) is bool(problem)


@pytest.mark.parametrize(
    ("text", "fine"), [("{}", True), ("[1]", True), ('"x"', True), ("{", False), ("", False)]
)
def test_other_texts_have_to_be_json(text: str, fine: bool) -> None:
    topic = Topic("feeder/notes", "string", "", "", "")
    found = wrong(topic, seen(topic, (0, 1, text), (1, 1, "{}")))
    assert (found == []) is fine


@pytest.mark.parametrize(
    ("key", "rounds", "slots"),
    [
        ("wholesale/lmp", 9, (0,)),
        ("anybody/offer", 1, (0, 1)),
        ("wholesale/offer", 1, (0, 1)),
        ("feeder/status", 1, (1, 3, 5)),
        ("market/clearing", 1, (2, 4, 6)),
        ("battery/energy", 1, ()),
    ],
)
def test_slots_follow_from_the_role(key: str, rounds: int, slots: tuple[int, ...]) -> None:
    assert slots_of(key, rounds) == slots


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("pv", ["pv/offer"]),
        ("wholesale", [topic.key for topic in published_by("wholesale")]),
        ("recorder", ["audit/verdict"]),
    ],
)
def test_a_federate_is_expected_to_publish_what_its_name_says(name: str, keys: list[str]) -> None:
    assert [topic.key for topic in expected_topics(name)] == keys


def foreign(toy_study: Study, name: str, *published: str) -> list[Finding]:
    known = {topic.key for topic in expected_topics(name)}
    trial = Trial(Watched(published=published), 0)
    return [f for f in judge_normal(name, toy_study, trial) if f.problem and f.topic not in known]


@pytest.mark.parametrize(
    ("name", "key", "problem"),
    [
        ("pv", "pv/energy", ""),
        ("pv", "market/lmp", "belongs to 'market'; 'pv' publishes pv/offer and topics pv/..."),
        ("pv", "audit/x", "belongs to 'recorder'; 'pv' publishes pv/offer and topics pv/..."),
        ("wholesale", "wholesale/lpm", "is not in the contract (nearest: wholesale/lmp)"),
        ("wholesale", "wholesale/offer", ""),
        ("wholesale", "wholesale/lmp_answer", ""),
    ],
)
def test_topics_beside_the_contract_are_ones_own_business(
    toy_study: Study, name: str, key: str, problem: str
) -> None:
    assert [finding.problem for finding in foreign(toy_study, name, key)] == ([problem] if problem else [])


@pytest.mark.parametrize("code", [0, 1, 97])
def test_what_a_partner_complains_of_is_told_first(toy_study: Study, code: int) -> None:
    trial = Trial(Watched(), code, "the price is NaN", "bye")
    first, second, *_ = judge_normal("pv", toy_study, trial)
    assert first == Finding("federation", "partners", "the price is NaN")
    assert bool(second.problem) is bool(code)


@pytest.mark.parametrize(("code", "fine"), [(None, False), (0, False), (1, True), (-9, True)])
def test_a_federate_whose_partner_failed_ends_and_says_so(code: int | None, fine: bool) -> None:
    (finding,) = judge_failure(Trial(Watched(), code, log="bye"))
    assert (finding.problem == "") is fine


@pytest.mark.parametrize(("code", "fine"), [(None, False), (0, True), (1, True)])
def test_prices_that_are_no_numbers_may_be_refused_or_borne(
    toy_study: Study, code: int | None, fine: bool
) -> None:
    findings = judge_not_a_number("pv", toy_study, Trial(Watched(), code))
    assert [(f.check, f.problem == "") for f in findings] == [("ends", fine)]


def test_a_finding_without_a_problem_is_fine() -> None:
    assert Finding("market/clearing", "key").problem == ""
    assert replace(Finding("a", "b"), problem="c") == Finding("a", "b", "c")
