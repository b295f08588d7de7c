"""What each federate of the package publishes and reads, derived from the contract: no file has to say it."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from dlmp_cosim.federates.contract.topics import (
    Topic,
    award_topic,
    find_topic,
    offer_topic,
    present,
    published_by,
)
from dlmp_cosim.federates.study.helics_config import FederateConfig, TopicT, load_config
from dlmp_cosim.federates.study.scenario import Scenario
from dlmp_cosim.feeders.errors import InputError

ASSETS = "assets"
"""Owner of the resources in the asset table."""

OPTIONAL = ("audit/verdict",)
"""Topics that may have no publisher: a run without a recorder is a run."""

AGENTS = "agents_"
"""What names of federates that host agents begin with."""

FOR_THE_RECORD = ("wholesale/source", "wholesale/emission_rate", "feeder/response_real")
"""Topics that the market has no use for."""

CALLS = ("substation/call",)
"""Topics of a substation that markets read; what comes of them is in the records of the markets."""

FOLLOWED = ("market/called_real",)
"""Topics that the feeder follows where there is an ancillary market."""

AWARDED, RESPONDED = "market/dispatch_real", "feeder/response_real"
"""Topics by which an owner hears of its awards, and of what its resources gave beside them."""

SHARED = ("substation", "ancillary")
"""Features that come with a substation."""

IN_STEP = {"market": "audit/verdict", "wholesale": "market/clearing"}
"""Topic that a federate reads so as not to run ahead: what the market cleared is recorded before it goes on.

Two that read each other answer each other's time requests without end while both wait. The market waits
least: it is what others wait for.
"""

READS: dict[str, tuple[str, ...]] = {
    "wholesale": (IN_STEP["wholesale"],),
    "feeder": (
        "wholesale/demand_ratio",
        "market/dispatch_real",
        "market/dispatch_reactive",
        "market/clearing",
    ),
    ASSETS: ("wholesale/demand_ratio",),
}
"""Topics that a federate reads, beside those of `market` and `recorder`, which follow from the owners."""

BUILT_IN = (*READS, "market", "recorder")
"""Federates of the package, which need no file."""


def default_config(
    federate: str, scenario: Scenario, folder: Path, *, shared: Collection[str] = ()
) -> FederateConfig:
    """HELICS configuration of a federate of the package, as the contract has it.

    Parameters
    ----------
    federate : str
        Name of the federate.
    scenario : Scenario
        Names the owners whose offers the market reads.
    folder : Path
        The study, where owners have files of their own.
    shared : collection of str
        Features that come with a substation at which the feeder meets others.

    Raises
    ------
    InputError
        When the contract does not know such a federate: it needs a file of its own.
    """
    owners = (ASSETS, *(owner.name for owner in scenario.owner))
    has = features(scenario, shared)
    talkers = ("market", *agent_hosts(scenario))
    peers = tuple(name for name in talkers if name != federate) if federate in talkers else ()
    if federate.startswith(AGENTS) and peers:
        return config_of(federate, (), (), peers)
    if federate in READS:
        more = FOLLOWED if federate == "feeder" and "ancillary" in has else ()
        reads: Sequence[Topic] = [_known(key) for key in (*READS[federate], *more)]
    elif federate == "market":
        calls = [_known(key) for key in CALLS] if "substation" in has else []
        reads = [*_wholesale_and_feeder(has), *calls, *map(offer_topic, owners), _known(IN_STEP[federate])]
    elif federate == "recorder":
        reads = _everything(owners, folder, has)
    else:
        raise InputError(
            "there is no such file",
            where=str(folder / f"{federate}.json"),
            expected=f"the HELICS configuration of {federate!r}",
        )
    publishes = published_by(federate, has) or (offer_topic(federate),)
    if federate == "market":
        publishes += tuple(map(award_topic, _hearing_at_once(owners, folder)))
    return config_of(federate, publishes, reads, peers)


def features(scenario: Scenario, shared: Collection[str] = ()) -> frozenset[str]:
    """Tell what of a study brings topics of its own: keys of its scenario, and feeders beside it."""
    found = {
        "horizon": bool(scenario.market.horizon),
        "emissions": scenario.emissions.known,
        "supply": scenario.wholesale.answers,
    }
    return frozenset(name for name, there in found.items() if there) | frozenset(shared)


def as_member(config: FederateConfig, default: FederateConfig) -> FederateConfig:
    """Add to a user's configuration what a federate exchanges where feeders meet at a substation.

    Parameters
    ----------
    config : FederateConfig
        As the user's file has it.
    default : FederateConfig
        What the contract says of the federate there.
    """

    def completed(own: Sequence[TopicT], wanted: Sequence[TopicT]) -> tuple[TopicT, ...]:
        there = {item.key for item in own}
        more = [item for item in wanted if (topic := find_topic(item.key)) and topic.needs in SHARED]
        return (*own, *(item for item in more if item.key not in there))

    return config.model_copy(
        update={
            "publications": completed(config.publications, default.publications),
            "subscriptions": completed(config.subscriptions, default.subscriptions),
        }
    )


def hearing(config: FederateConfig) -> FederateConfig:
    """Let an owner that hears of its awards hear what was called beside them.

    Parameters
    ----------
    config : FederateConfig
        As the user's file has it.
    """
    heard = {AWARDED, award_topic(config.name).key} & {item.key for item in config.subscriptions}
    return _reading(config, RESPONDED) if heard else config


def in_step(config: FederateConfig) -> FederateConfig:
    """Let a market of a user wait for the recorder, so that a run that breaks has recorded what was cleared.

    Parameters
    ----------
    config : FederateConfig
        As the user's file has it.
    """
    return _reading(config, IN_STEP["market"]) if config.name == "market" else config


def _reading(config: FederateConfig, key: str) -> FederateConfig:
    """Add a topic to what a federate reads."""
    if key in {item.key for item in config.subscriptions}:
        return config
    more = config_of(config.name, (), [_known(key)]).subscriptions
    return config.model_copy(update={"subscriptions": (*config.subscriptions, *more)})


def agent_hosts(scenario: Scenario) -> tuple[str, ...]:
    """Names of the federates that host agents; none when agents are not on the wire."""
    return tuple(f"{AGENTS}{k + 1}" for k in range(scenario.agent_hosts))


def _known(key: str) -> Topic:
    found = find_topic(key)
    if found is None:
        raise InputError(f"unknown topic {key!r}", where="contract", expected="a topic of the contract")
    return found


def _wholesale_and_feeder(has: Collection[str]) -> list[Topic]:
    """Everything that the market needs to know, the network first."""
    wanted = [topic for topic in present(has) if topic.publisher in ("wholesale", "feeder")]
    return [topic for topic in wanted if topic.key not in FOR_THE_RECORD]


def _hearing_at_once(owners: Sequence[str], folder: Path) -> list[str]:
    """Owners whose files say that they read their awards and prices in one piece."""
    files = {owner: folder / f"{owner}.json" for owner in owners}
    read = {
        owner: {item.key for item in load_config(file).subscriptions}
        for owner, file in files.items()
        if file.is_file()
    }
    return [owner for owner, keys in read.items() if award_topic(owner).key in keys]


def _everything(owners: Sequence[str], folder: Path, has: Collection[str]) -> list[Topic]:
    """All topics of the contract, the owners' offers, and the figures that owners publish beside them."""
    topics = [topic for topic in present(has) if topic.publisher != "recorder" and topic.key not in CALLS]
    topics += map(offer_topic, owners)
    seen = {topic.key for topic in topics}
    for owner in owners:
        file = folder / f"{owner}.json"
        for item in load_config(file).publications if file.is_file() else ():
            if item.key not in seen:
                topics.append(Topic(item.key, item.type, item.unit, "", item.info))
    return topics


def config_of(
    federate: str, publishes: Iterable[Topic], reads: Iterable[Topic], peers: tuple[str, ...] = ()
) -> FederateConfig:
    """Write a configuration with the usual settings of the core.

    Parameters
    ----------
    federate : str
        Name of the federate.
    publishes : iterable of Topic
        What it publishes.
    reads : iterable of Topic
        What it reads; those that need not be there are not required.
    peers : tuple of str
        Federates that it sends messages to; without any it has no endpoint.
    """

    def row(topic: Topic, **more: Any) -> dict[str, Any]:
        return {"key": topic.key, "type": topic.type, "unit": topic.unit, **more}

    return FederateConfig.model_validate(
        {
            "name": federate,
            "core_type": "zmq",
            "period": 1.0,
            "uninterruptible": True,
            "terminate_on_error": True,
            "endpoints": (f"{federate}/post",) if peers else (),
            "peers": peers,
            "publications": [row(topic, **{"global": True}) for topic in publishes],
            "subscriptions": [row(topic, required=topic.key not in OPTIONAL) for topic in reads],
        }
    )


def write_config(config: FederateConfig, file: Path) -> None:
    """Write a configuration as a HELICS file that a user may edit, one topic a line.

    Parameters
    ----------
    config : FederateConfig
        Configuration of one federate.
    file : Path
        Where to; an older file is replaced.
    """
    whole = config.model_dump(by_alias=True)
    lines = [
        f'  "{key}": {json.dumps(value)}'
        for key, value in whole.items()
        if key not in ("publications", "subscriptions") and (key not in ("endpoints", "peers") or value)
    ]
    for section in ("publications", "subscriptions"):
        rows = [{name: v for name, v in row.items() if v != ""} for row in whole[section]]
        text = ",\n".join(f"    {json.dumps(row)}" for row in rows)
        lines.append(f'  "{section}": [\n{text}\n  ]')
    file.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
