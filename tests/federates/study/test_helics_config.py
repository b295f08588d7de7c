"""HELICS configurations against the contract: keys, types, units, owners, and names of feeders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dlmp_cosim.federates.contract.topics import TOPICS, published_by
from dlmp_cosim.federates.study.helics_config import (
    FederateConfig,
    check_complete,
    load_config,
    of_feeder,
    publisher_of,
)
from dlmp_cosim.feeders.errors import InputError

LMP = {"key": "wholesale/lmp", "type": "double", "unit": "$/MWh"}
FIXED = {"core_type": "zmq", "period": 1.0, "uninterruptible": True, "terminate_on_error": True}


def load(folder: Path, **changes: Any) -> FederateConfig:
    file = folder / "wholesale.json"
    file.write_text(json.dumps({"name": "wholesale", **FIXED, **changes}))
    return load_config(file)


def refused(folder: Path, **changes: Any) -> str:
    """The message, from the name of the file on."""
    with pytest.raises(InputError) as caught:
        load(folder, **changes)
    return str(caught.value).removeprefix(f"{folder}/")


def test_a_configuration_says_what_is_published_and_read(tmp_path: Path) -> None:
    own, other = (
        {"key": "battery/energy", "type": "double", "unit": "kWh"},
        {"key": "ev/offer", "type": "string", "unit": "kW, kvar, $/MWh"},
    )
    found = load(tmp_path, publications=[LMP | {"global": True}], subscriptions=[own, other])
    assert [item.key for item in found.publications] == ["wholesale/lmp"]
    assert found.offers == ("ev/offer",)
    assert found.subscriptions[0].required


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param(
            {"publications": [{**LMP, "global": True, "unit": "$/kWh"}]},
            "wholesale.json publications[0].unit: unit of wholesale/lmp is '$/kWh'; expected '$/MWh'",
            id="another unit",
        ),
        pytest.param(
            {"subscriptions": [{**LMP, "type": "vector"}]},
            "wholesale.json subscriptions[0].type: type of wholesale/lmp is 'vector'; expected 'double'",
            id="another type",
        ),
        pytest.param(
            {"subscriptions": [LMP, LMP]},
            "wholesale.json subscriptions[1]: topic 'wholesale/lmp' is listed twice; expected each "
            "topic once",
            id="twice",
        ),
        pytest.param(
            {"subscriptions": [{**LMP, "key": "wholesale/lpm"}]},
            "wholesale.json subscriptions[0].key: unknown topic 'wholesale/lpm'; expected a topic of "
            "the contract; "
            "did you mean 'wholesale/lmp'?",
            id="misspelt",
        ),
        pytest.param(
            {"publications": [LMP | {"key": "market/dlmp_real", "type": "vector", "global": True}]},
            "wholesale.json publications[0].key: 'wholesale' may not publish 'market/dlmp_real'; "
            "expected only 'market' to do so",
            id="somebody else's",
        ),
        pytest.param(
            {"publications": [{"key": "audit/verdict", "type": "string", "global": True}]},
            "wholesale.json publications[0].key: 'wholesale' may not publish 'audit/verdict'; "
            "expected only 'recorder' to do so",
            id="of a role with another federate",
        ),
        pytest.param(
            {"publications": [{**LMP, "global": False}]},
            "wholesale.json publications[0].global: False cannot be used; expected input should be True "
            "(true: keys are not prefixed again)",
            id="keys that HELICS would prefix",
        ),
        pytest.param(
            {"period": 5.0},
            "wholesale.json period: 5.0 cannot be used; expected input should be less than or equal to 1 "
            "(1.0, one slot: when to act follows from the scenario)",
            id="another grain of time",
        ),
        pytest.param(
            {"core_type": "tcp"},
            "wholesale.json core_type: 'tcp' cannot be used; expected input should be 'zmq' "
            "(zmq: the transport that neither loses nor limits messages)",
            id="another transport",
        ),
        pytest.param(
            {"coretype": "zmq"},
            "wholesale.json coretype: unknown key 'coretype'; expected one of name, core_type, "
            "core_init_string, "
            "period, uninterruptible, terminate_on_error, log_level, endpoints, peers, publications, "
            "subscriptions; did you mean 'core_type'?",
            id="a misspelt key",
        ),
    ],
)  # fmt: skip
def test_what_breaks_the_contract_is_told(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    assert refused(tmp_path, **changes) == message


@pytest.mark.parametrize("key", ["lmp", "a/b/c", "/lmp", "wholesale/", "a b/c"])
def test_a_key_is_a_federate_and_a_quantity(tmp_path: Path, key: str) -> None:
    message = refused(tmp_path, subscriptions=[LMP | {"key": key}])
    assert message.startswith(f"wholesale.json subscriptions[0].key: {key!r} cannot be used")


def whole(name: str) -> list[dict[str, Any]]:
    return [
        {"key": topic.key, "type": topic.type, "unit": topic.unit, "global": True}
        for topic in published_by(name)
    ]


def test_a_federate_publishes_all_that_is_asked_of_its_name(tmp_path: Path) -> None:
    check_complete(load(tmp_path, publications=whole("wholesale")), Path("w.json"))
    without = [item for item in whole("wholesale") if item["key"] != "wholesale/lmp_loss"]
    with pytest.raises(InputError) as caught:
        check_complete(load(tmp_path, publications=without), Path("w.json"))
    assert str(caught.value) == (
        "w.json publications: 'wholesale' does not publish 'wholesale/lmp_loss'; expected every "
        "topic that the "
        "contract asks of it; did you mean 'wholesale/lmp'?"
    )


def test_in_a_federation_of_several_feeders_names_begin_with_theirs(tmp_path: Path) -> None:
    alone = load(tmp_path, publications=[LMP | {"global": True}], subscriptions=[
        {"key": "feeder/losses_real", "type": "double", "unit": "kW"}])  # fmt: skip
    among = of_feeder(alone, "north")
    assert among.name == "north.wholesale"
    assert [item.key for item in among.publications] == ["north.wholesale/lmp"]
    assert [item.key for item in among.subscriptions] == ["north.feeder/losses_real"]
    assert of_feeder(alone, "") is alone


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.key)
def test_every_topic_has_one_owner_in_any_federation(topic: Any) -> None:
    assert publisher_of(topic.key) == topic.publisher
    role, _, quantity = topic.key.partition("/")
    assert publisher_of(f"north.{role}/{quantity}") == f"north.{topic.publisher}"
