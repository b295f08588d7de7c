"""Toy partners: what they publish when, what goes wrong on purpose, and the study that is staged for them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toys import make_study

from dlmp_cosim.federates.conformance.partners import (
    INTERVALS_KEY,
    RATIO,
    TROUBLE_AT,
    Sabotage,
    ToyFeeder,
    ToyOwner,
    ToyRecorder,
    ToyWholesale,
    Trouble,
    nominal_state,
    partner_config,
    partner_roles,
    stage_study,
    watcher_name,
)
from dlmp_cosim.federates.contract.topics import published_by
from dlmp_cosim.federates.study.study import Study
from dlmp_cosim.feeders.errors import InputError

FINE = Trouble()


def play(partner: Any, scripted: Any) -> tuple[list[tuple[float, str, Any]], Any]:
    """Let a partner run alone; return what it published when, and its link."""
    link, said = scripted({}), list[tuple[float, str, Any]]()

    def publish(key: str, value: Any) -> None:
        said.append((link.now, key, value))

    link.publish = publish
    partner.run(link)
    return said, link


@pytest.mark.parametrize(
    ("trouble", "name", "interval", "strikes"),
    [
        (Trouble(failure="feeder"), "feeder", TROUBLE_AT, True),
        (Trouble(failure="feeder"), "feeder", TROUBLE_AT + 5, True),
        (Trouble(failure="feeder"), "feeder", TROUBLE_AT - 1, False),
        (Trouble(failure="feeder"), "wholesale", TROUBLE_AT, False),
        (FINE, "feeder", TROUBLE_AT, False),
    ],
)
def test_a_partner_fails_when_it_is_its_turn(
    trouble: Trouble, name: str, interval: int, strikes: bool
) -> None:
    if strikes:
        with pytest.raises(Sabotage, match=r"^a partner fails on purpose$"):
            trouble.strike(name, interval)
    else:
        trouble.strike(name, interval)


def test_prices_rise_by_the_interval(toy_study: Study, scripted: Any) -> None:
    said, _ = play(ToyWholesale(toy_study, FINE), scripted)
    prices = [(time, value) for time, key, value in said if key == "wholesale/lmp"]
    assert prices == [(60.0 * k, 20.0 + k) for k in range(6)]
    assert {value for _, key, value in said if key == "wholesale/demand_ratio"} == {RATIO}


def test_prices_and_demand_are_no_numbers_from_an_interval_on(toy_study: Study, scripted: Any) -> None:
    said, _ = play(ToyWholesale(toy_study, Trouble(not_a_number=True)), scripted)
    broken = {time for time, key, value in said if key == "wholesale/lmp" and np.isnan(value)}
    assert broken == {60.0 * k for k in range(TROUBLE_AT, 6)}
    assert all(not np.isnan(value) for time, _, value in said if time < 60.0 * TROUBLE_AT)


def test_a_feeder_answers_forecast_trial_and_final(toy_study: Study, scripted: Any) -> None:
    said, link = play(ToyFeeder(toy_study, FINE), scripted)
    told = [(time, json.loads(value)) for time, key, value in said if key == "feeder/status"]
    assert [(time, row["stage"], row["trials"]) for time, row in told[:3]] == [
        (1.0, "forecast", 0),
        (3.0, "trial", 0),
        (5.0, "final", 1),
    ]
    assert len(told) == 3 * 6
    assert link.network == toy_study.network


def test_an_owner_offers_a_part_of_what_it_owns(toy_study: Study, scripted: Any) -> None:
    said, _ = play(ToyOwner(toy_study, FINE, "assets"), scripted)
    rows = json.loads(said[0][2])["offers"]
    assert [(row["resource"], row["p_max_kw"]) for row in rows] == [
        (resource.name, pytest.approx(0.4 * resource.kw_max)) for resource in toy_study.network.resources
    ]
    assert [time for time, *_ in said] == [60.0 * k + 1 for k in range(6)]
    assert json.loads(play(ToyOwner(toy_study, FINE, "nobody"), scripted)[0][0][2])["offers"] == []


def test_a_recorder_ends_every_interval(toy_study: Study, scripted: Any) -> None:
    said, _ = play(ToyRecorder(toy_study, FINE), scripted)
    assert [(time, json.loads(value)["interval"]) for time, _, value in said] == [
        (toy_study.clock.recording(k), k) for k in range(6)
    ]


def test_a_nominal_state_is_plausible_in_every_number(toy_study: Study) -> None:
    state = nominal_state(toy_study.network)
    assert np.abs(state.voltage) == pytest.approx(np.ones(6))
    assert np.angle(state.voltage[:3], deg=True) == pytest.approx([0.0, -120.0, 120.0])
    assert state.head.sum() == pytest.approx(toy_study.network.listed_demand.sum() * RATIO)
    assert state.converged


@pytest.mark.parametrize(
    ("tested", "partners", "watcher"),
    [
        ("battery", {"wholesale", "feeder", "recorder"}, "market"),
        ("feeder", {"wholesale", "recorder"}, "market"),
        ("wholesale", {"feeder", "recorder"}, "market"),
        ("market", {"wholesale", "feeder", "assets"}, "recorder"),
    ],
)
def test_partners_are_all_but_the_one_on_trial_and_the_watcher(
    toy_study: Study, tested: str, partners: set[str], watcher: str
) -> None:
    assert set(partner_roles(tested, toy_study, FINE)) == partners
    assert watcher_name(tested) == watcher


def test_a_partners_file_is_what_the_contract_asks_of_it() -> None:
    table = json.loads(partner_config("feeder", ("market/clearing", "no/topic")))
    assert [row["key"] for row in table["publications"]] == [topic.key for topic in published_by("feeder")]
    assert [row["key"] for row in table["subscriptions"]] == ["market/clearing"]
    assert table["uninterruptible"]
    own = json.loads(partner_config("battery", ()))
    assert [row["key"] for row in own["publications"]] == ["battery/offer"]


@pytest.fixture
def staged(tmp_path: Path) -> Study:
    make_study(tmp_path / "configs" / "study", intervals=6)
    (tmp_path / "configs" / "beside").mkdir()
    (tmp_path / "place").mkdir()
    return stage_study(tmp_path / "configs" / "study", "battery", tmp_path / "place", 2)


def test_a_staged_study_is_a_few_intervals_of_the_same(staged: Study, tmp_path: Path) -> None:
    assert (staged.clock.intervals, staged.name) == (2, "toy")
    assert (tmp_path / "place" / "beside").is_symlink()
    assert staged.network.resource_ids == ("dg", "flex")


def test_the_study_itself_is_not_touched(staged: Study, tmp_path: Path) -> None:
    own = tmp_path / "configs" / "study"
    assert "intervals = 6" in (own / "scenario.toml").read_text()
    assert not (staged.folder / "feeder.json").is_symlink()
    assert (staged.folder / "assets.csv").resolve() == own / "assets.csv"


def test_partners_read_the_watcher_to_keep_in_step(staged: Study) -> None:
    for name in ("wholesale", "feeder", "recorder"):
        assert [row.key for row in staged.config(name).subscriptions] == ["market/clearing"]


def test_a_price_that_answers_is_no_trial_for_a_market(tmp_path: Path) -> None:
    folder = make_study(tmp_path / "configs" / "study")
    text = (folder / "scenario.toml").read_text().replace("[market]", "slope = 2.0\n[market]")
    (folder / "scenario.toml").write_text(text)
    (tmp_path / "place").mkdir()
    with pytest.raises(InputError) as failure:
        stage_study(folder, "market", tmp_path / "place")
    assert str(failure.value) == (
        f"{folder / 'scenario.toml'} wholesale: 'market' is tried at a given LMP, and the scenario has a "
        "supply curve; expected a study without slope and supply"
    )


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("[time]\nintervals = 288\n", "[time]\nintervals = 3\n"),
        ("[time]\n  intervals=1_000 # a day\n", "[time]\n  intervals=3 # a day\n"),
        ("time.intervals = 4\n", "time.intervals = 3\n"),
        ("time = { start = 2020-08-25, intervals = 4 }\n", "time = { start = 2020-08-25, intervals = 3 }\n"),
        ("[agents]\nheld_intervals = 9\n", "[agents]\nheld_intervals = 9\n"),
        ("agents = { held_intervals = 9 }\n", "agents = { held_intervals = 9 }\n"),
    ],
)
def test_a_trial_has_its_own_number_of_intervals_however_it_is_written(written: str, found: str) -> None:
    assert INTERVALS_KEY.sub(r"\g<1>3", written) == found
