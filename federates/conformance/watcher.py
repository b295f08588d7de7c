"""The eye of the conformance kit: a federate that sees every slot, and plays a toy market meanwhile."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import helics as h
import numpy as np

from dlmp_cosim.federates.anchoring.hold import hold, within
from dlmp_cosim.federates.conformance.partners import RATIO, nominal_state
from dlmp_cosim.federates.contract.exchange import clearing_values
from dlmp_cosim.federates.contract.heard import heard_values
from dlmp_cosim.federates.contract.messages import encode, read_offers
from dlmp_cosim.federates.contract.topics import OFFER_QUANTITY, Topic, award_topic, published_by
from dlmp_cosim.federates.contract.wire import read_vector
from dlmp_cosim.federates.runtime.base import JOINING, Connection, unique_name
from dlmp_cosim.federates.runtime.clock import Clock, last_slot_needed, market_slot
from dlmp_cosim.federates.runtime.link import FederationStopped, Value, plain_message, send
from dlmp_cosim.feeders.network import FloatArray, Network
from dlmp_cosim.market.clearing import Clearing
from dlmp_cosim.market.offers import WholesalePrice

TYPES = {"double": "double", "double_vector": "vector", "string": "string"}
"""Contract's names of HELICS' types."""
PACE = "feeder/status"
"""Read whoever is tried, and with it all who keep in step with the watcher: nobody is through before a feeder
fails that is to."""


@dataclass(frozen=True)
class Sample:
    """One value as it came over the wire.

    Attributes
    ----------
    key : str
        Topic.
    interval, slot : int
        When it was published; slot -1 while initialising.
    value : float, str or ndarray
        What was read.
    """

    key: str
    interval: int
    slot: int
    value: Value


@dataclass
class Watched:
    """Everything seen in one trial.

    Attributes
    ----------
    types, units : dict of str to str
        HELICS type and unit of every topic that has a publisher.
    published : tuple of str
        Keys that the federate under test publishes.
    samples : list of Sample
        In the order of time.
    """

    types: dict[str, str] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    published: tuple[str, ...] = ()
    samples: list[Sample] = field(default_factory=list)


class Watcher:
    """Watches the topics of one federate, and publishes what the contract asks of its own name.

    Parameters
    ----------
    name : str
        "market", or "recorder".
    tested : str
        Federate under test.
    topics : sequence of Topic
        What to look at.
    network : Network
        The feeder.
    clock : Clock
        The run.
    """

    def __init__(
        self, name: str, tested: str, topics: Sequence[Topic], network: Network, clock: Clock
    ) -> None:
        self._name, self._tested, self._topics = name, tested, {topic.key: topic for topic in topics}
        self._network, self._clock = network, clock
        self._last: Clearing | None = None
        self.seen = Watched()

    def run(self, connection: Connection, key: str) -> None:
        """Join, look at every slot, and leave.

        Parameters
        ----------
        connection : Connection
            How the broker is reached.
        key : str
            Key of the broker.

        Raises
        ------
        FederationStopped
            When the federation ends before the run does.
        """
        federate = self._join(connection, key)
        try:
            h.helicsFederateEnterInitializingMode(federate)
            query = h.helicsCreateQuery(self._tested, "publications")
            answer = h.helicsQueryExecute(query, federate)
            self.seen.published = tuple(map(str, answer)) if isinstance(answer, list) else ()
            h.helicsFederateEnterExecutingMode(federate)
            self._note_types()
            self._look(-1.0)
            for time in self._times():
                if h.helicsFederateRequestTime(federate, time) != time:
                    raise FederationStopped(f"the federation ended before {time:g} s")
                self._look(time - 1.0)
                self._act(time)
        except h.HelicsException as error:
            raise FederationStopped(plain_message(error)) from None
        finally:
            h.helicsFederateDisconnect(federate)

    def _join(self, connection: Connection, key: str) -> Any:
        own = self._own()
        settings = {
            "name": self._name,
            "core_type": connection.core_type,
            # Without a name HELICS puts it on a partner's core, which may have moved on meanwhile.
            "core_name": unique_name(self._name),
            "core_init_string": f"--loglevel=no_print --brokerkey={key} {connection.options}",
            "log_level": "no_print",
            "period": 1.0,
            "uninterruptible": True,
            "terminate_on_error": True,
            "publications": [
                {"key": t.key, "type": t.type, "global": True, **({"unit": t.unit} if t.unit else {})}
                for t in own
            ],
            "subscriptions": [
                {"key": topic, "required": False} for topic in dict.fromkeys((*self._topics, PACE))
            ],
        }
        with JOINING:
            federate = h.helicsCreateValueFederateFromConfig(json.dumps(settings))
        self._inputs = {k: h.helicsFederateGetInputByIndex(federate, n) for n, k in enumerate(self._topics)}
        self._outputs = {t.key: h.helicsFederateGetPublicationByIndex(federate, n) for n, t in enumerate(own)}
        return federate

    def _own(self) -> tuple[Topic, ...]:
        """Return what it publishes: as the market also what an owner under test may hear in one piece."""
        more = (award_topic(self._tested),) if self._name == "market" else ()
        return (*published_by(self._name), *more)

    def _note_types(self) -> None:
        for key, found in self._inputs.items():
            wire_type = h.helicsInputGetPublicationType(found)
            if wire_type:
                self.seen.types[key] = TYPES.get(wire_type, wire_type)
                self.seen.units[key] = h.helicsInputGetInjectionUnits(found)

    def _times(self) -> list[float]:
        """Return every slot that anybody acts in, the last slots of an interval included."""
        clock = self._clock
        busy = range(last_slot_needed(clock.rounds_max) + 2)
        late = (clock.period_s - 2, clock.period_s - 1)
        slots = sorted({*busy, *late})
        return [clock.at(k, slot) for k in range(clock.intervals) for slot in slots if k or slot] + [
            clock.end
        ]

    def _look(self, published: float) -> None:
        """Read what is new; `published` is when it was sent [s]."""
        interval = self._clock.interval_at(max(published, 0.0))
        slot = int(published - self._clock.at(interval, 0)) if published >= 0.0 else -1
        for key, found in self._inputs.items():
            if h.helicsInputIsUpdated(found):
                kind = self.seen.types.get(key, "")
                self.seen.samples.append(Sample(key, interval, slot, _read(found, kind)))

    def _act(self, time: float) -> None:
        """Publish as the market, one trial and a final clearing; or as the recorder, a verdict."""
        clock = self._clock
        interval = clock.interval_at(time)
        if time >= clock.end:
            return
        if self._name == "recorder" and time == clock.recording(interval):
            send(self._outputs["audit/verdict"], encode({"interval": interval}))
        for trials, status in ((0, "trial"), (1, "final")):
            if self._name == "market" and time == clock.at(interval, market_slot(trials)):
                if not trials:
                    self._last = self._clear(interval)
                self._publish_clearing(interval, trials, status)

    def _clear(self, interval: int) -> Clearing:
        """Award the middle of whatever is offered soundly."""
        key = f"{self._tested}/{OFFER_QUANTITY}"
        texts = [str(sample.value) for sample in self.seen.samples if sample.key == key]
        demand = dict(
            zip(self._network.load_ids, (self._network.listed_demand.real * RATIO).tolist(), strict=True)
        )
        book = read_offers({key: texts[-1]} if texts else {}, interval, self._network, demand)
        clearing = hold(
            self._network, None, nominal_state(self._network), book.accepted, WholesalePrice(25.0, 25.0)
        )
        position = {name: k for k, name in enumerate(self._network.resource_ids)}
        for offer in book.accepted:
            middle = complex((offer.p_min_kw + offer.p_max_kw) / 2, 0.0)
            clearing.dispatch[position[offer.resource]] = within(offer, middle)
        return clearing

    def _publish_clearing(self, interval: int, trials: int, status: str) -> None:
        if self._last is None:
            return
        heard = heard_values(self._network, self._last, [self._tested])
        for key, value in (clearing_values(self._last) | heard).items():
            send(self._outputs[key], value)
        record = {"interval": interval, "trials": trials, "status": status, "toy": True}
        send(self._outputs["market/clearing"], encode(record))


def _read(found: Any, kind: str) -> Value:
    if kind == "double":
        return float(h.helicsInputGetDouble(found))
    if kind == "vector":
        values: FloatArray = read_vector(found)
        return values
    try:
        return str(h.helicsInputGetString(found))
    except UnicodeDecodeError:
        return ""


def numbers(value: Value) -> FloatArray:
    """Numbers of a double or a vector; none of a text."""
    return np.zeros(0) if isinstance(value, str) else np.atleast_1d(np.asarray(value, dtype=np.float64))
