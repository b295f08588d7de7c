"""What one federate sees of the federation: checked reads, checked writes, plain times.

Every value is checked where it enters and where it leaves, so that an error names the topic and its publisher
instead of surfacing as a strange number elsewhere.
"""

from __future__ import annotations

import math
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Protocol

import helics as h
import numpy as np

from dlmp_cosim.federates.contract.limits import largest_offer, owned, too_long
from dlmp_cosim.federates.contract.topics import Topic, find_topic
from dlmp_cosim.federates.contract.wire import publish_vector, read_vector
from dlmp_cosim.federates.runtime.heartbeat import Heartbeat
from dlmp_cosim.federates.study.helics_config import FederateConfig, WiredTopic, publisher_of
from dlmp_cosim.federates.wire.post import Post
from dlmp_cosim.feeders.errors import FederationError, nearest_name
from dlmp_cosim.feeders.network import FloatArray, Network

Value = float | str | FloatArray
NEVER_PUBLISHED = -1e48
"""HELICS reads a value that nobody published as -1e49."""
NEVER_PUBLISHED_TEXT = "-99999999999999994649"
"""Read as a text, the same number begins so."""
LARGEST_UNKNOWN = 1e12
WIRE_TYPES = {"double": "double", "vector": "double_vector", "string": "string"}
"""HELICS' own names of the types."""

WIRE_HEADER = 8
"""Bytes that HELICS puts before a text."""
OWN_FAULTS = frozenset({"[-1", "[-2", "[-4"})
"""Numbers of the errors that HELICS raises in the federate at fault: registration, connection, argument."""
BROKEN = frozenset({"[-6", "[-10"})
"""Numbers of the errors in a federate that had joined when HELICS gave the federation up."""
BROKE = (
    "the federation broke while its members joined, as it does when one is refused "
    "(for another key, or a name that is taken)"
)
ENDED_BEFORE = "already moved to operating state"
"""How HELICS refuses a federate whose federation ended while it was about to join."""


class FederationStopped(FederationError):  # noqa: N818 - not this federate's error
    """The federation ended because of somebody else."""


class Link(Protocol):
    """The federation as a federate's role sees it; tests script their own."""

    @property
    def offers(self) -> tuple[str, ...]:
        """Topics of offers that this federate reads."""

    @property
    def keys(self) -> tuple[str, ...]:
        """Every topic that this federate reads."""

    @property
    def publishes(self) -> tuple[str, ...]:
        """Every topic that this federate publishes."""

    def adopt(self, network: Network) -> None:
        """Take the network whose ids fix the length of every vector."""

    def wait_until(self, time: float) -> None:
        """Wait for a simulated time [s]."""

    def number(self, key: str, *, since: float = 0.0) -> float:
        """Read a double that was published at `since` [s] or later."""

    def vector(self, key: str, *, since: float = 0.0) -> FloatArray:
        """Read a vector that was published at `since` [s] or later."""

    def text(self, key: str, *, since: float = 0.0) -> str:
        """Read a string that was published at `since` [s] or later."""

    def publish(self, key: str, value: Value) -> None:
        """Publish a value of this federate."""

    def show(self, figures: Mapping[str, float | str]) -> None:
        """Give figures for a progress line."""

    @property
    def post(self) -> Post | None:
        """Endpoint of this federate, when it has one and there is HELICS to carry its messages."""


class CheckedLink(ABC):
    """What every link checks, however values travel.

    Parameters
    ----------
    config : FederateConfig
        Topics of the federate.
    beat : Heartbeat
        Where it says what it is doing.
    """

    def __init__(self, config: FederateConfig, beat: Heartbeat) -> None:
        self._config, self._beat = config, beat
        self._ids: dict[str, tuple[str, ...]] = {}
        self._longest: dict[str, int] = {}
        self._largest = {
            item.key: _largest(item.key) for item in (*config.subscriptions, *config.publications)
        }
        self._reads = tuple(item.key for item in config.subscriptions)
        self._writes = tuple(item.key for item in config.publications)

    @property
    def offers(self) -> tuple[str, ...]:
        """Topics of offers that this federate reads."""
        return self._config.offers

    @property
    def keys(self) -> tuple[str, ...]:
        """Every topic that this federate reads."""
        return self._reads

    @property
    def publishes(self) -> tuple[str, ...]:
        """Every topic that this federate publishes."""
        return self._writes

    def adopt(self, network: Network) -> None:
        """Take the network whose ids fix the length of every vector."""
        for item in (*self._config.subscriptions, *self._config.publications):
            topic = find_topic(item.key)
            if topic is not None and topic.ids:
                self._ids[item.key] = topic.id_list(network)
        counts = owned(network)
        self._longest = {key: largest_offer(counts[publisher_of(key)]) for key in self.offers}

    def number(self, key: str, *, since: float = 0.0) -> float:
        """Read a double that was published at `since` [s] or later.

        Raises
        ------
        FederationError
            When it is missing, old, not finite or absurd; names topic and publisher.
        """
        value = float(self._take_number(key, since))
        self._check(key, np.array([value]), ("",))
        return value

    def vector(self, key: str, *, since: float = 0.0) -> FloatArray:
        """Read a vector that was published at `since` [s] or later.

        Raises
        ------
        FederationError
            When it is missing, old, of the wrong length, not finite or absurd; names topic and publisher.
        """
        values = self._take_vector(key, since)
        self._check(key, values, self._ids.get(key))
        return values

    def text(self, key: str, *, since: float = 0.0) -> str:
        """Read a string that was published at `since` [s] or later.

        Raises
        ------
        FederationError
            When it is missing, old, or an offer far too long for its owner's resources; names topic and
            publisher.
        """
        value = self._take_text(key, since)
        if not value or value.startswith(NEVER_PUBLISHED_TEXT):
            raise refusal(key, "was never published")
        return value

    def publish(self, key: str, value: Value) -> None:
        """Publish a value of this federate.

        Raises
        ------
        FederationError
            When the topic is not listed, or the value is of the wrong length, not finite or absurd.
        """
        if key not in self._writes:
            near = nearest_name(key, self._writes)
            raise FederationError(
                f"{self._config.name} does not list {key} among its publications (nearest: {near})"
            )
        if isinstance(value, float):
            self._check(key, np.array([value]), ("",))
        elif not isinstance(value, str):
            self._check(key, value, self._ids.get(key))
        self._send(key, value)

    def show(self, figures: Mapping[str, float | str]) -> None:
        """Give figures for a progress line."""
        self._beat.tell("working", figures=figures)

    @abstractmethod
    def _take_number(self, key: str, since: float) -> float:
        """Take the last double as it came."""

    @abstractmethod
    def _take_vector(self, key: str, since: float) -> FloatArray:
        """Take the last vector as it came."""

    @abstractmethod
    def _take_text(self, key: str, since: float) -> str:
        """Take the last text, once its length is known to be bearable."""

    @abstractmethod
    def _send(self, key: str, value: Value) -> None:
        """Send a checked value on its way."""

    def _check_length(self, key: str, size: int) -> None:
        most = self._longest.get(key, sys.maxsize)
        if size > most:
            raise refusal(key, too_long(size, most))

    def _check_age(self, key: str, published: float, since: float) -> None:
        if published < since:
            raise refusal(key, f"was last published at {published:g} s; expected {since:g} s or later")

    def _not_listed(self, key: str) -> FederationError:
        near = nearest_name(key, self._reads)
        return FederationError(
            f"{self._config.name} does not list {key} among its subscriptions (nearest: {near})"
        )

    def _check(self, key: str, values: FloatArray, ids: tuple[str, ...] | None) -> None:
        if ids is not None and len(values) != len(ids):
            raise refusal(key, f"has {len(values)} values; expected {len(ids)}")
        largest = self._largest[key]
        if values.size and not np.abs(values).max() <= largest:
            raise refusal(key, _what_is_wrong(values, ids, largest, find_topic(key)))


class HelicsLink(CheckedLink):
    """The link of a federate that has joined a HELICS federation.

    Parameters
    ----------
    federate : HelicsFederate
        The federate, in any mode.
    config : FederateConfig
        Its topics.
    beat : Heartbeat
        Where it says what it is doing.
    """

    def __init__(self, federate: Any, config: FederateConfig, beat: Heartbeat) -> None:
        super().__init__(config, beat)
        self._federate = federate
        self._post: Post | None = None
        self._inputs = {
            s.key: h.helicsFederateGetInputByIndex(federate, k) for k, s in enumerate(config.subscriptions)
        }
        self._outputs = {
            p.key: h.helicsFederateGetPublicationByIndex(federate, k)
            for k, p in enumerate(config.publications)
        }

    def wait_until(self, time: float) -> None:
        """Wait for a simulated time [s].

        Raises
        ------
        FederationStopped
            When the federation ended because of somebody else.
        """
        self._beat.tell("waiting", wanted=time)
        try:
            granted = h.helicsFederateRequestTime(self._federate, time)
        except h.HelicsException as error:
            raise FederationStopped(plain_message(error)) from None
        if granted != time:
            raise FederationStopped(f"the federation ended at {granted:g} s, before {time:g} s")
        self._beat.tell("working", time=granted)

    @property
    def post(self) -> Post | None:
        """Endpoint of this federate, if it has one."""
        if self._post is None and self._config.endpoints:
            self._post = Post(self._federate, self._config.name, self._beat)
        return self._post

    def publish_as_it_is(self, key: str, value: Value) -> None:
        """Publish a value without checking it, for trials of how others bear a wrong one."""
        send(self._outputs[key], value)

    def check_inputs(self) -> None:
        """Raise FederationError unless every connected input has the publisher's own type and unit."""
        for item in self._config.subscriptions:
            found = self._inputs[item.key]
            wire_type = h.helicsInputGetPublicationType(found)
            if wire_type and wire_type != WIRE_TYPES[item.type]:
                raise refusal(item.key, f"is a {wire_type}; expected a {WIRE_TYPES[item.type]}")
            unit = h.helicsInputGetInjectionUnits(found)
            if wire_type and unit != item.unit:
                raise refusal(item.key, f"is in {unit!r}; expected {item.unit!r}")

    def _take_number(self, key: str, since: float) -> float:
        return float(h.helicsInputGetDouble(self._input(key, since)))

    def _take_vector(self, key: str, since: float) -> FloatArray:
        return read_vector(self._input(key, since))

    def _take_text(self, key: str, since: float) -> str:
        found = self._input(key, since)
        # The length is asked for first: a text is copied three times on its way out of HELICS.
        self._check_length(key, h.helicsInputGetByteCount(found) - WIRE_HEADER)
        return str(h.helicsInputGetString(found))

    def _send(self, key: str, value: Value) -> None:
        send(self._outputs[key], value)

    def _input(self, key: str, since: float) -> Any:
        found = self._inputs.get(key)
        if found is None:
            raise self._not_listed(key)
        self._check_age(key, h.helicsInputLastUpdateTime(found), since)
        return found


def send(output: Any, value: Value) -> None:
    """Publish a value as it is, sound or not."""
    if isinstance(value, str):
        h.helicsPublicationPublishString(output, value)
    elif isinstance(value, float):
        h.helicsPublicationPublishDouble(output, value)
    else:
        publish_vector(output, value)


def _largest(key: str) -> float:
    topic = find_topic(key)
    return topic.largest if topic is not None and topic.type != "string" else LARGEST_UNKNOWN


def refusal(key: str, what: str) -> FederationError:
    """Build the error that names a topic and its publisher."""
    return FederationError(f"{key}, published by {publisher_of(key)!r}, {what}")


def plain_message(error: Exception) -> str:
    """Text of a HELICS error without its number."""
    return str(error).partition("] ")[2] or str(error)


def start_error(doing: str, error: Exception) -> FederationError:
    """Say what kept a federate from starting, and whether that was its own fault.

    Parameters
    ----------
    doing : str
        What it could not do.
    error : HelicsException
        What HELICS raised.

    Returns
    -------
    FederationError
        FederationStopped when the federation ended because of somebody else.
    """
    number, message = str(error).partition("]")[0], plain_message(error)
    if number in OWN_FAULTS and ENDED_BEFORE not in message:
        return FederationError(f"{doing}: {message}")
    return FederationStopped(f"{doing}: {BROKE + ': ' if number in BROKEN else ''}{message}")


def _what_is_wrong(
    values: FloatArray, ids: tuple[str, ...] | None, largest: float, topic: Topic | None
) -> str:
    """Say which entry is not finite, never published or absurd."""
    k = int(np.flatnonzero(~(np.abs(values) <= largest))[0])
    where = f" at {ids[k]}" if ids and ids[k] else ""
    if values[k] < NEVER_PUBLISHED and math.isfinite(values[k]):
        return "was never published"
    unit = topic.unit if topic else ""
    return f"is {values[k]:g}{where}; expected a finite number within {largest:g} {unit}".rstrip()


def wired(config: FederateConfig) -> dict[str, list[dict[str, Any]]]:
    """Topics as HELICS reads them: the contract's fields and nothing else."""

    def row(item: WiredTopic) -> dict[str, Any]:
        return {name: value for name, value in item.model_dump(by_alias=True).items() if value != ""}

    return {
        "endpoints": [{"name": name, "global": True} for name in config.endpoints],
        "publications": [row(item) for item in config.publications],
        "subscriptions": [row(item) for item in config.subscriptions],
    }
