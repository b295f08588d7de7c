"""Checks before a start on configurations that are told: topics without a publisher, offers not read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dlmp_cosim.federates.contract.topics import Topic, offer_topic
from dlmp_cosim.federates.study.helics_config import FederateConfig
from dlmp_cosim.federates.study.wiring import config_of
from dlmp_cosim.feeders.errors import DlmpError, InputError
from dlmp_cosim.runners.run.preflight import _absent, _agents, _gather, _names, _places, _unlike, _wiring

LMP = Topic("wholesale/lmp", "double", "$/MWh", "", "price")
FIGURE = Topic("pv/energy", "double", "kWh", "", "energy")
STUDY: Any = SimpleNamespace(config_file=lambda name: Path(f"{name}.json"))


def wired(*configs: FederateConfig, others: Sequence[str] = ()) -> list[str]:
    found = _wiring(STUDY, {config.name: config for config in configs}, set(others))
    return [str(error) for error in found]


def test_what_is_read_is_published() -> None:
    assert wired(config_of("wholesale", [LMP], []), config_of("pv", [], [LMP])) == []


def test_a_topic_that_nobody_publishes_is_named_with_the_nearest() -> None:
    near = replace(FIGURE, key="pv/enrgy")
    assert wired(config_of("pv", [near], []), config_of("recorder", [], [FIGURE])) == [
        (
            "recorder.json subscriptions[0].key: nobody publishes 'pv/energy'; "
            "expected a topic that a federate of the runner file publishes; did you mean 'pv/enrgy'?"
        )
    ]


def test_a_topic_that_need_not_be_there_may_be_missing() -> None:
    assert wired(config_of("market", [], [Topic("audit/verdict", "string", "", "", "verdict")])) == []


def test_a_topic_of_a_federate_that_was_not_looked_at_is_taken_on_trust() -> None:
    assert wired(config_of("recorder", [], [FIGURE]), others=["pv"]) == []
    assert len(wired(config_of("recorder", [], [FIGURE]), others=["ev"])) == 1


@pytest.mark.parametrize(
    ("change", "read"),
    [
        ({"unit": "MWh"}, "double in 'MWh'"),
        ({"type": "vector"}, "vector in 'kWh'"),
        ({"unit": ""}, "double in ''"),
    ],
)
def test_both_ends_have_the_same_type_and_unit(change: dict[str, Any], read: str) -> None:
    other = replace(FIGURE, **change)
    assert wired(config_of("pv", [FIGURE], []), config_of("recorder", [], [other])) == [
        (
            f"recorder.json subscriptions[0]: pv/energy is read as {read}; "
            "expected double in 'kWh', as 'pv' publishes it"
        )
    ]


def test_an_offer_that_the_market_does_not_read_is_told_with_the_line_to_add() -> None:
    (message,) = wired(config_of("pv", [offer_topic("pv")], []), config_of("market", [], []))
    assert message == (
        "market.json subscriptions: the market does not read 'pv/offer', which 'pv' publishes; expected "
        '{"key": "pv/offer", "type": "string", "unit": "kW, kvar, $/MWh"}'
    )


def test_without_a_market_nobody_has_to_read_offers() -> None:
    assert wired(config_of("pv", [offer_topic("pv")], [])) == []


def test_faults_come_in_the_order_of_federates_and_topics() -> None:
    found = wired(config_of("b", [], [FIGURE, LMP]), config_of("a", [], [FIGURE]))
    assert [message.partition(":")[0] for message in found] == [
        "b.json subscriptions[0].key",
        "b.json subscriptions[1].key",
        "a.json subscriptions[0].key",
    ]


def test_a_check_that_ends_in_an_error_keeps_what_it_found_before() -> None:
    def check() -> Any:
        yield InputError("one", where="a")
        raise InputError("two", where="b")

    assert [str(error) for error in _gather(check())] == ["a: one", "b: two"]


def test_an_error_that_is_none_of_ours_is_not_swallowed() -> None:
    def check() -> Any:
        yield DlmpError("one")
        raise RuntimeError("a fault of the program")

    with pytest.raises(RuntimeError, match="a fault of the program"):
        _gather(check())


@pytest.mark.parametrize(
    ("prices", "told"),
    [
        ({}, []),
        ({"a": [30.0, 40.0]}, []),
        ({"a": [30.0, 40.0], "b": [30.0, 40.0]}, []),
        ({"a": [30.0, 40.0], "b": [30.0, 37.5]}, ["b: its LMP differs from that of a by up to 2.50 $/MWh"]),
        (
            {"a": [30.0, 40.0], "b": [30.5, 40.0], "c": [30.0, 90.0]},
            [
                "b: its LMP differs from that of a by up to 0.50 $/MWh",
                "c: its LMP differs from that of a by up to 50.00 $/MWh",
            ],
        ),
    ],
)
def test_feeders_at_one_substation_have_one_price(prices: dict[str, list[float]], told: list[str]) -> None:
    assert list(_unlike({name: np.array(row) for name, row in prices.items()})) == told


def runner(*federates: str, folder: Path = Path()) -> Any:
    return SimpleNamespace(
        path=Path("runner.json"), federates=dict.fromkeys(federates), broker=None, folder=lambda _: folder
    )


ROLES = ("wholesale", "feeder", "market", "recorder", "assets")


def test_every_federate_of_every_feeder_is_started() -> None:
    whole = ["substation", *(f"{feeder}.{role}" for feeder in ("n", "s") for role in ROLES)]
    assert list(_absent(runner(*whole), ("n", "s"))) == []
    (error,) = _absent(runner(*(name for name in whole if name != "s.market")), ("n", "s"))
    assert str(error).startswith("runner.json federates: 's.market' is not started; expected the substation")


@pytest.mark.parametrize(("folder", "notes"), [("day", 0), ("copy", 1)])
def test_a_copied_folder_with_the_name_of_another_is_noted(tmp_path: Path, folder: str, notes: int) -> None:
    study: Any = SimpleNamespace(folder=tmp_path / folder, name="day", scenario_file="s.toml")
    found = list(_names(study))
    assert len(found) == notes
    assert not notes or found == ["the folder is 'copy' and study.name is 'day', in s.toml"]


@pytest.mark.parametrize("started", [("agents_1", "agents_2"), ("agents_1",), ()])
def test_federates_that_host_agents_are_started(started: tuple[str, ...]) -> None:
    study: Any = SimpleNamespace(scenario=SimpleNamespace(agent_hosts=2))
    missing = [name for name in ("agents_1", "agents_2") if name not in started]
    found = [str(error) for error in _agents(runner(*started), study)]
    assert [message.partition("'")[2].partition("'")[0] for message in found] == missing


@pytest.mark.parametrize("place", ["results.h5", "deep/er/results.h5"])
def test_results_may_go_into_a_folder_that_is_not_there_yet(tmp_path: Path, place: str) -> None:
    study: Any = SimpleNamespace(results_file=Path(place), scenario_file="s.toml")
    assert list(_places(runner(folder=tmp_path), study, None)) == []


def test_results_cannot_go_where_a_file_stands(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    study: Any = SimpleNamespace(results_file=Path("file/results.h5"), scenario_file="s.toml")
    (error,) = _places(runner(folder=tmp_path), study, None)
    assert str(error) == f"s.toml results.file: {tmp_path / 'file'} cannot be written to"
