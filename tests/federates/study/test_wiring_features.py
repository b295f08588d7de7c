"""What federates of the package publish and read, by the features of a study and the place of a feeder."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from dlmp_cosim.federates.contract.topics import (
    BY_KEY,
    Topic,
    award_topic,
    offer_topic,
    present,
    published_by,
)
from dlmp_cosim.federates.study.checked_file import validate
from dlmp_cosim.federates.study.helics_config import FederateConfig, check_complete, check_config, load_config
from dlmp_cosim.federates.study.scenario import Scenario
from dlmp_cosim.federates.study.wiring import (
    AGENTS,
    BUILT_IN,
    OPTIONAL,
    agent_hosts,
    as_member,
    config_of,
    default_config,
    features,
    hearing,
    in_step,
    write_config,
)
from dlmp_cosim.feeders.errors import InputError

FOLDER = Path("nowhere")
BASE: dict[str, Any] = {
    "study": {"name": "day"},
    "time": {"start": datetime(2020, 8, 25), "intervals": 4},
    "wholesale": {"files": ["lmp.csv"]},
    "results": {"file": "out/results.h5"},
}
FEATURES: dict[str, dict[str, Any]] = {
    "horizon": {"market": {"horizon": [{"minutes": 5}]}},
    "supply": {"wholesale": BASE["wholesale"] | {"slope": 2.0}},
    "emissions": {"emissions": {"rate": 400.0}},
}


def scenario(**tables: Any) -> Scenario:
    return validate(Scenario, BASE | tables, FOLDER / "scenario.toml")


def config(
    name: str, shared: Collection[str] = (), /, folder: Path = FOLDER, **tables: Any
) -> FederateConfig:
    return default_config(name, scenario(**tables), folder, shared=shared)


def reads(found: FederateConfig) -> list[str]:
    return [item.key for item in found.subscriptions]


@pytest.mark.parametrize("feature", FEATURES)
def test_keys_of_a_scenario_bring_their_feature(feature: str) -> None:
    assert features(scenario()) == frozenset()
    assert features(scenario(**FEATURES[feature])) == {feature}
    assert features(scenario(), ("substation",)) == {"substation"}


@pytest.mark.parametrize("shared", [(), ("substation",), ("substation", "ancillary")])
@pytest.mark.parametrize("name", BUILT_IN)
def test_a_federate_publishes_all_that_the_contract_asks_and_honours_it(
    name: str, shared: tuple[str, ...]
) -> None:
    found = config(name, shared, **FEATURES["supply"])
    check_config(found, Path("x.json"))
    check_complete(found, Path("x.json"))
    expected = published_by(name, {"supply", *shared}) or (offer_topic(name),)
    assert [item.key for item in found.publications] == [topic.key for topic in expected]


def test_everything_that_is_published_is_recorded() -> None:
    tables = {name: table for feature in FEATURES.values() for name, table in feature.items()}
    found = config("recorder", ("substation", "ancillary"), **tables)
    all_of_them = {t.key for t in present({*FEATURES, "substation", "ancillary"})}
    assert all_of_them - set(reads(found)) == {"audit/verdict", "substation/call"}


def test_the_recorder_reads_the_offers_of_all_owners_once() -> None:
    found = reads(config("recorder", owner=[{"name": "pv"}, {"name": "ev"}]))
    assert [key for key in found if key.endswith("/offer")] == ["assets/offer", "pv/offer", "ev/offer"]
    assert len(set(found)) == len(found)


def test_the_market_tells_an_owner_in_one_piece_that_reads_it(tmp_path: Path) -> None:
    write_config(config_of("pv", [offer_topic("pv")], [award_topic("pv")]), tmp_path / "pv.json")
    write_config(config_of("ev", [offer_topic("ev")], []), tmp_path / "ev.json")
    owners = [{"name": "pv"}, {"name": "ev"}, {"name": "no_file"}]
    found = config("market", folder=tmp_path, owner=owners)
    check_config(found, Path("x.json"))
    more = {item.key for item in found.publications} - {topic.key for topic in published_by("market")}
    assert more == {"market/award_pv"}
    assert not more & set(reads(config("recorder", folder=tmp_path, owner=owners)))


def test_figures_that_owners_publish_are_recorded_with_their_unit(tmp_path: Path) -> None:
    energy = Topic("pv/energy", "double", "kWh", "", "given so far")
    write_config(config_of("pv", [offer_topic("pv"), energy], []), tmp_path / "pv.json")
    found = config("recorder", folder=tmp_path, owner=[{"name": "pv"}]).subscriptions[-1]
    assert (found.key, found.type, found.unit) == ("pv/energy", "double", "kWh")


@pytest.mark.parametrize(
    ("shared", "topic", "there"),
    [
        ((), "substation/call", False),
        (("substation",), "substation/call", True),
        (("substation",), "wholesale/emission_rate", False),
        (("ancillary",), "feeder/response_real", False),
        ((), "feeder/network", True),
        ((), "audit/verdict", True),
    ],
)
def test_the_market_reads_what_it_has_a_use_for(shared: tuple[str, ...], topic: str, there: bool) -> None:
    assert (topic in reads(config("market", shared, **FEATURES["emissions"]))) is there


@pytest.mark.parametrize(("shared", "there"), [((), False), (("substation",), False), (("ancillary",), True)])
def test_a_feeder_follows_calls_where_there_are_any(shared: tuple[str, ...], there: bool) -> None:
    assert ("market/called_real" in reads(config("feeder", shared))) is there


def test_what_need_not_be_there_is_not_required() -> None:
    found = {item.key: item.required for item in config("market").subscriptions}
    assert {key for key, required in found.items() if not required} == set(OPTIONAL)


@pytest.mark.parametrize("name", ["pv", "substation", "Market", ""])
def test_a_federate_that_the_contract_does_not_know_needs_a_file(name: str) -> None:
    with pytest.raises(InputError) as caught:
        config(name)
    assert str(caught.value) == (
        f"{FOLDER / f'{name}.json'}: there is no such file; expected the HELICS configuration of {name!r}"
    )


def test_agents_have_endpoints_and_wait_for_each_other_and_the_market() -> None:
    wire: dict[str, Any] = {"agents": {"wire": True, "federates": 2}}
    assert agent_hosts(scenario(**wire)) == (f"{AGENTS}1", f"{AGENTS}2")
    host, market, feeder = (config(name, **wire) for name in (f"{AGENTS}1", "market", "feeder"))
    assert (host.endpoints, host.peers) == ((f"{AGENTS}1/post",), ("market", f"{AGENTS}2"))
    assert (host.publications, host.subscriptions) == ((), ())
    assert market.peers == (f"{AGENTS}1", f"{AGENTS}2")
    assert (feeder.endpoints, feeder.peers) == ((), ())


def test_a_host_that_nobody_asked_for_needs_a_file() -> None:
    with pytest.raises(InputError, match="there is no such file"):
        config(f"{AGENTS}1")


def test_a_users_configuration_gets_what_a_substation_brings_and_keeps_its_order() -> None:
    own = config_of("market", [BY_KEY["market/clearing"]], [BY_KEY["wholesale/lmp"]])
    found = as_member(own, config("market", ("substation", "ancillary")))
    assert [item.key for item in found.publications] == [
        "market/clearing",
        "market/dlmp_real_substation",
        "market/response",
        "market/called_real",
    ]
    assert reads(found) == ["wholesale/lmp", "substation/call"]
    assert as_member(found, config("market", ("substation", "ancillary"))) == found


@pytest.mark.parametrize(
    ("keys", "heard"),
    [
        (["market/dispatch_real"], ["market/dispatch_real", "feeder/response_real"]),
        (["feeder/response_real", "market/dispatch_real"], ["feeder/response_real", "market/dispatch_real"]),
        (["wholesale/lmp"], ["wholesale/lmp"]),
        ([], []),
    ],
)
def test_who_hears_of_awards_hears_of_calls(keys: list[str], heard: list[str]) -> None:
    assert reads(hearing(config_of("pv", [], [BY_KEY[key] for key in keys]))) == heard


@pytest.mark.parametrize(("name", "waits"), [("market", True), ("feeder", False), ("my_market", False)])
def test_a_users_market_waits_for_the_recorder(name: str, waits: bool) -> None:
    own = config_of(name, [], [BY_KEY["wholesale/lmp"]])
    found = in_step(own)
    assert ("audit/verdict" in reads(found)) is waits
    assert in_step(found) == found


@pytest.mark.parametrize("name", BUILT_IN)
def test_what_is_written_is_json_that_reads_back_with_a_topic_a_line(tmp_path: Path, name: str) -> None:
    file, made = tmp_path / f"{name}.json", config(name)
    file.write_text("older")
    write_config(made, file)
    assert load_config(file) == made
    lines = file.read_text(encoding="utf-8").splitlines()
    assert sum('"key"' in line for line in lines) == len(made.publications) + len(made.subscriptions)
    assert "endpoints" not in json.loads(file.read_text())
