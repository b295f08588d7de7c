"""The HELICS configuration of one federate (JSON), checked against the contract before anything starts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import Field

from dlmp_cosim.federates.contract.topics import (
    OFFER_QUANTITY,
    TOPICS,
    Topic,
    TopicType,
    find_topic,
    in_federation,
    published_by,
)
from dlmp_cosim.federates.runtime.clock import SLOT_S
from dlmp_cosim.federates.study.checked_file import read_json, validate
from dlmp_cosim.federates.study.section import Section
from dlmp_cosim.feeders.errors import InputError, nearest_name

CONTRACT_ROLES = frozenset(topic.key.split("/", 1)[0] for topic in TOPICS)
"""First parts of the keys that the contract fixes."""


class WiredTopic(Section):
    """One topic at one end of the wire."""

    key: Annotated[str, Field(pattern=r"^[^/\s]+/[^/\s]+$", description="topic, <federate>/<quantity>")]
    type: TopicType = Field(description="double, vector or string")
    unit: str = Field(default="", description="unit, the same text at both ends")
    info: str = Field(default="", description="one line for people")


class Publication(WiredTopic):
    """One topic that the federate publishes."""

    global_: Literal[True] = Field(alias="global", description="true: keys are not prefixed again")


class Subscription(WiredTopic):
    """One topic that the federate reads."""

    required: bool = Field(default=True, description="whether the federation fails without a publisher")


TopicT = TypeVar("TopicT", bound=WiredTopic)


class FederateConfig(Section):
    """What HELICS needs to know about one federate."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")] = Field(description="name in the federation")
    core_type: Literal["zmq"] = Field(description="zmq: the transport that neither loses nor limits messages")
    core_init_string: str = Field(default="--loglevel=warning", description="further options of the core")
    period: Annotated[float, Field(ge=SLOT_S, le=SLOT_S)] = Field(
        description="1.0, one slot: when to act follows from the scenario"
    )
    uninterruptible: Literal[True] = Field(description="true: a federate acts in its own slots only")
    terminate_on_error: Literal[True] = Field(description="true: one federate's error ends the federation")
    log_level: str = Field(default="warning", description="what HELICS itself reports")
    endpoints: tuple[str, ...] = Field(
        default=(), description="endpoints; with any, its times are as fine as those of the network"
    )
    peers: tuple[str, ...] = Field(
        default=(), description="federates whose messages it waits for: HELICS has to be told"
    )
    publications: tuple[Publication, ...] = Field(default=(), description="topics published")
    subscriptions: tuple[Subscription, ...] = Field(default=(), description="topics read")

    @property
    def offers(self) -> tuple[str, ...]:
        """Topics of offers that the federate reads, in file order."""
        ending = f"/{OFFER_QUANTITY}"
        return tuple(item.key for item in self.subscriptions if item.key.endswith(ending))


def load_config(file: Path) -> FederateConfig:
    """Read one federate's HELICS configuration and hold it against the contract.

    Parameters
    ----------
    file : Path
        A JSON file such as ``feeder.json``.

    Raises
    ------
    InputError
        Naming file, key, what was expected and the nearest valid name.
    """
    config = validate(FederateConfig, read_json(file), file)
    check_config(config, file)
    return config


def check_config(config: FederateConfig, file: Path) -> None:
    """Raise InputError unless every topic is the contract's, once, and published by its own publisher.

    Parameters
    ----------
    config : FederateConfig
        Configuration of one federate.
    file : Path
        Where it was read from, for messages.
    """
    for section in ("publications", "subscriptions"):
        seen: set[str] = set()
        for k, item in enumerate(getattr(config, section)):
            where = f"{file} {section}[{k}]"
            if item.key in seen:
                raise InputError(
                    f"topic {item.key!r} is listed twice", where=where, expected="each topic once"
                )
            seen.add(item.key)
            _check_topic(item, where)
    for k, item in enumerate(config.publications):
        _check_owner(item.key, config.name, f"{file} publications[{k}].key")


def _check_topic(item: WiredTopic, where: str) -> None:
    """Hold key, type and unit against the contract; others are their publisher's business."""
    topic = find_topic(item.key)
    if topic is None:
        if item.key.split("/", 1)[0] in CONTRACT_ROLES:
            near = nearest_name(item.key, (known.key for known in TOPICS))
            raise InputError(
                f"unknown topic {item.key!r}",
                where=f"{where}.key",
                expected="a topic of the contract",
                nearest=near,
            )
        return
    for field in ("type", "unit"):
        found, expected = getattr(item, field), getattr(topic, field)
        if found != expected:
            raise InputError(
                f"{field} of {item.key} is {found!r}", where=f"{where}.{field}", expected=repr(expected)
            )


def _check_owner(key: str, federate: str, where: str) -> None:
    owner = publisher_of(key)
    if owner != federate:
        raise InputError(
            f"{federate!r} may not publish {key!r}", where=where, expected=f"only {owner!r} to do so"
        )


def check_complete(config: FederateConfig, file: Path) -> None:
    """Raise InputError unless the federate publishes every topic that the contract asks of its name.

    Parameters
    ----------
    config : FederateConfig
        Configuration of one federate.
    file : Path
        Where it was read from, for messages.
    """
    there = {item.key for item in config.publications}
    missing = [topic.key for topic in published_by(config.name) if topic.key not in there]
    if missing:
        raise InputError(
            f"{config.name!r} does not publish {missing[0]!r}",
            where=f"{file} publications",
            expected="every topic that the contract asks of it",
            nearest=nearest_name(missing[0], there),
        )


def of_feeder(config: FederateConfig, feeder: str) -> FederateConfig:
    """Rename a federate and its topics as a federation of several feeders has them; none for one feeder.

    Parameters
    ----------
    config : FederateConfig
        Configuration with names as a feeder on its own has them.
    feeder : str
        Name of the feeder; empty for a feeder on its own, which changes nothing.
    """
    if not feeder:
        return config

    def renamed(topics: Sequence[TopicT]) -> tuple[TopicT, ...]:
        return tuple(item.model_copy(update={"key": in_federation(item.key, feeder)}) for item in topics)

    return config.model_copy(
        update={
            "name": in_federation(config.name, feeder),
            "publications": renamed(config.publications),
            "subscriptions": renamed(config.subscriptions),
        }
    )


def publisher_of(key: str) -> str:
    """Return the name of the federate that owns a topic."""
    return Topic(key, "string", "", "", "").publisher
