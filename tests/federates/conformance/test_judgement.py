from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dlmp_cosim.federates.conformance.judgement import (
    Trial,
    expected_topics,
    judge_failure,
    judge_normal,
    judge_not_a_number,
    slots_of,
)
from dlmp_cosim.federates.conformance.partners import (
    Trouble,
    nominal_state,
    partner_roles,
    stage_study,
    watcher_name,
)
from dlmp_cosim.federates.conformance.watcher import Sample, Watched
from dlmp_cosim.federates.contract.messages import FeederStatus
from dlmp_cosim.federates.contract.topics import published_by
from dlmp_cosim.federates.study.study import Study, load_study
from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.feeders.readers.network_json import network_to_json
from dlmp_cosim.feeders.validate import check_network

CONFIGS = Path(__file__).parents[3] / "configs"


def good_offer(interval: int) -> str:
    row = {"resource": "dg", "p_min_kw": 0, "p_max_kw": 300, "cost_linear": 20}
    return json.dumps({"interval": interval, "offers": [row]})


def seen_owner(study: Study) -> Watched:
    """What a sound owner named assets shows."""
    samples = [Sample("assets/offer", k, 1, good_offer(k)) for k in range(study.clock.intervals)]
    unit = {"assets/offer": "kW, kvar, $/MWh"}
    return Watched({"assets/offer": "string"}, unit, ("assets/offer",), samples)


def problems(study: Study, seen: Watched, name: str = "assets", code: int | None = 0) -> list[str]:
    return [
        f"{finding.topic} {finding.check}: {finding.problem}"
        for finding in judge_normal(name, study, Trial(seen, code, log="bye"))
        if finding.problem
    ]


def test_a_sound_owner_has_no_problem(toy_study: Study) -> None:
    assert problems(toy_study, seen_owner(toy_study)) == []


def test_a_misspelt_key_is_named_with_the_nearest(toy_study: Study) -> None:
    seen = Watched(published=("assets/offers",))
    assert problems(toy_study, seen)[0] == (
        "assets/offer key: nobody publishes it (it publishes assets/offers)"
    )


def test_wrong_type_unit_and_foreign_topics_are_named(toy_study: Study) -> None:
    seen = seen_owner(toy_study)
    seen.types["assets/offer"], seen.units["assets/offer"] = "vector", "MW"
    seen.published += ("market/advice", "assets/mood")
    assert problems(toy_study, seen) == [
        "assets/offer type: is a vector; expected a string",
        "assets/offer unit: is in 'MW'; expected 'kW, kvar, $/MWh'",
        "market/advice key: belongs to 'market'; 'assets' publishes assets/offer and topics assets/...",
    ]


def test_a_gap_and_a_wrong_slot_are_named(toy_study: Study) -> None:
    seen = seen_owner(toy_study)
    seen.samples[2] = replace(seen.samples[2], slot=4)
    assert problems(toy_study, seen) == [
        "assets/offer timing: was published at t+4 s in interval 2; expected t+0, t+1 s"
    ]
    del seen.samples[2]
    assert problems(toy_study, seen) == ["assets/offer timing: was not published in interval 2"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (good_offer(0), "is for interval 0; expected 3"),
        (good_offer(3).replace("dg", "gd"), "offers unknown resource 'gd'"),
        (good_offer(3).replace("300", "301"), "offers 0 to 301 kW; it has 300"),
        ("nothing", "is not JSON"),
    ],
)
def test_a_wrong_offer_is_told_as_the_market_would(toy_study: Study, text: str, reason: str) -> None:
    seen = seen_owner(toy_study)
    seen.samples[3] = replace(seen.samples[3], value=text)
    (problem,) = problems(toy_study, seen)
    assert problem.startswith("assets/offer content: ")
    assert reason in problem


@pytest.mark.parametrize(("code", "text"), [(None, "did not end by itself"), (7, "ended with exit code 7")])
def test_an_unclean_end_is_told_with_what_it_wrote(toy_study: Study, code: int | None, text: str) -> None:
    (problem,) = problems(toy_study, seen_owner(toy_study), code=code)
    assert f"federation clean end: {text}; it wrote: bye" in problem


def seen_feeder(study: Study) -> Watched:
    """One interval of a feeder that publishes something sound on every topic."""
    network = study.network
    seen = Watched(published=tuple(topic.key for topic in published_by("feeder")))
    for topic in published_by("feeder"):
        seen.types[topic.key], seen.units[topic.key] = topic.type, topic.unit
        if topic.key == "feeder/network":
            seen.samples.append(Sample(topic.key, 0, -1, network_to_json(network)))
            continue
        for slot, stage, trials in ((1, "forecast", 0), (3, "final", 0)):
            status = FeederStatus(0, stage, trials, True, 1).text()  # type: ignore[arg-type]
            vector = np.ones(len(topic.id_list(network)))
            value = status if topic.type == "string" else 1.0 if topic.type == "double" else vector
            seen.samples.append(Sample(topic.key, 0, slot, value))
    return seen


def one_interval(study: Study) -> Study:
    time = study.scenario.time.model_copy(update={"intervals": 1})
    return replace(study, scenario=study.scenario.model_copy(update={"time": time}))


def test_vectors_are_held_to_their_ids_and_numbers_to_sense(toy_study: Study) -> None:
    study = one_interval(toy_study)
    seen = seen_feeder(study)
    assert problems(study, seen, "feeder") == []
    for k, sample in enumerate(seen.samples):
        if sample.key == "feeder/load_real" and sample.slot == 3:
            seen.samples[k] = replace(sample, value=np.ones(2))
        if sample.key == "feeder/voltage_angle":
            seen.samples[k] = replace(sample, value=np.array([0, 0, np.nan, 0, 0, 0]))
        if sample.key == "feeder/losses_real":
            seen.samples[k] = replace(sample, value=1e9)
    assert problems(study, seen, "feeder") == [
        "feeder/voltage_angle finite: is nan at a.3 in interval 0; expected within 10",
        "feeder/load_real length: has 2 values; expected 3, one for each load",
        "feeder/losses_real finite: is 1e+09 in interval 0; expected within 1e+07",
    ]


def test_the_network_is_published_while_initialising_and_sound(toy_study: Study) -> None:
    study = one_interval(toy_study)
    seen = seen_feeder(study)
    seen.samples[0] = replace(seen.samples[0], slot=1, value="{}")
    found = problems(study, seen, "feeder")
    assert found[0] == "feeder/network timing: was not published while initialising"
    assert found[1].startswith("feeder/network content: ")


def test_nan_may_be_refused_or_borne_but_not_passed_on(toy_study: Study) -> None:
    study = one_interval(toy_study)
    seen = seen_feeder(study)
    for code in (0, 1):
        assert not any(f.problem for f in judge_not_a_number("feeder", study, Trial(seen, code)))
    for k, sample in enumerate(seen.samples):
        if sample.key == "feeder/losses_real":
            seen.samples[k] = replace(sample, value=float("nan"))
    wrong = [f for f in judge_not_a_number("feeder", study, Trial(seen, None)) if f.problem]
    assert [(f.topic, f.check) for f in wrong] == [
        ("trial with NaN", "ends"),
        ("feeder/losses_real", "passes no NaN on"),
    ]


@pytest.mark.parametrize(("code", "problem"), [(3, ""), (0, "exit code 0"), (None, "did not end")])
def test_a_failing_partner_must_end_it_and_show(code: int | None, problem: str) -> None:
    (finding,) = judge_failure(Trial(Watched(), code))
    assert problem in finding.problem
    assert bool(finding.problem) is bool(problem)


def test_slots_follow_the_clock() -> None:
    assert slots_of("wholesale/lmp", 4) == (0,)
    assert slots_of("pv/offer", 4) == (0, 1)
    assert slots_of("feeder/status", 2) == (1, 3, 5, 7)
    assert slots_of("market/clearing", 2) == (2, 4, 6, 8)


@pytest.mark.parametrize("tested", ["wholesale", "feeder", "market", "battery"])
def test_partners_and_watcher_publish_everything_else_that_the_tested_federate_reads(
    tmp_path: Path, tested: str
) -> None:
    (tmp_path / "configs").mkdir()
    study = stage_study(CONFIGS / "ieee123_battery", tested, tmp_path / "configs")
    assert study.clock.intervals == 3
    partners = {*partner_roles(tested, study, Trouble()), watcher_name(tested)}
    assert tested not in partners
    published = {topic.key for name in partners for topic in expected_topics(name)}
    wanted = {item.key for item in study.config(tested).subscriptions}
    assert wanted <= published
    for name in partner_roles(tested, study, Trouble()):
        assert study.config(name).publications


def test_the_original_study_stays_as_it_is(tmp_path: Path) -> None:
    before = {file.name: file.read_bytes() for file in (CONFIGS / "ieee123_battery").iterdir()}
    stage_study(CONFIGS / "ieee123_battery", "battery", tmp_path)
    assert before == {file.name: file.read_bytes() for file in (CONFIGS / "ieee123_battery").iterdir()}


def test_the_toy_state_is_plausible_in_every_number() -> None:
    network = load_study(CONFIGS / "ieee123_battery").network
    check_network(network)
    state = nominal_state(network)
    assert np.abs(np.abs(state.voltage) - 1.0).max() < 1e-12
    assert state.head.sum() == pytest.approx(state.load.sum())


@pytest.mark.parametrize("tested", ["wholesale", "market"])
def test_a_wholesale_price_that_answers_is_not_tried(tested: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is tried at a given LMP"):
        stage_study(CONFIGS / "ieee123_operator", tested, tmp_path)
