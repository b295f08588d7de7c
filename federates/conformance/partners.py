"""Toy partners for trials of somebody's federate: small, tolerant, and wrong on purpose when asked."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dlmp_cosim.federates.contract.exchange import state_values
from dlmp_cosim.federates.contract.messages import FeederStatus, offers_text
from dlmp_cosim.federates.contract.topics import OFFER_QUANTITY, find_topic, offer_topic, published_by
from dlmp_cosim.federates.feeder import Feeder
from dlmp_cosim.federates.runtime.base import Role
from dlmp_cosim.federates.runtime.clock import FORECAST_SLOT, OFFER_SLOT, PRICE_SLOT, answer_slot
from dlmp_cosim.federates.runtime.link import HelicsLink, Link, Value
from dlmp_cosim.federates.study.checked_file import read_text
from dlmp_cosim.federates.study.study import SCENARIO_FILE, Study, load_study
from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.feeders.network import Network
from dlmp_cosim.feeders.readers.network_json import network_to_json
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.market.offers import Offer

INTERVALS = 3
INTERVALS_KEY = re.compile(
    r"(?m)^(\s*(?:time\s*\.\s*)?intervals\s*=\s*|\s*time\s*=\s*\{[^}\n]*\bintervals\s*=\s*)[\d_]+"
)
"""Where a scenario says how many intervals there are: in its table, dotted, or in an inline table."""
TROUBLE_AT = 1
"""Interval in which something is wrong on purpose."""
RATIO = 0.5


class Sabotage(RuntimeError):  # noqa: N818 - not an error of this program
    """A partner fails on purpose."""


@dataclass(frozen=True)
class Trouble:
    """What a partner does wrong from interval `TROUBLE_AT` on.

    Attributes
    ----------
    not_a_number : bool
        Prices and demand are NaN.
    failure : str
        Name of the partner that fails; empty for none.
    """

    not_a_number: bool = False
    failure: str = ""

    def strike(self, name: str, interval: int) -> None:
        """Fail when it is this partner's turn.

        Parameters
        ----------
        name : str
            Name of the partner that asks.
        interval : int
            Interval that it is in, from 0.

        Raises
        ------
        Sabotage
            When it is the one to fail, from interval `TROUBLE_AT` on.
        """
        if name == self.failure and interval >= TROUBLE_AT:
            raise Sabotage("a partner fails on purpose")


class ToyPartner:
    """What the toys share: they publish while initialising what they are given, and keep nothing open."""

    def __init__(self, study: Study, trouble: Trouble) -> None:
        self.study, self.clock, self.trouble = study, study.clock, trouble

    def initial(self) -> Mapping[str, Value]:
        """Publish nothing while initialising."""
        return {}

    def close(self) -> None:
        """Nothing to release."""


class ToyWholesale(ToyPartner):
    """Prices that rise by the interval: 20, 21, 22 $/MWh; demand at half of the listed load."""

    def initial(self) -> Mapping[str, Value]:
        """Publish a source."""
        return {"wholesale/source": '{"toy":true}'}

    def run(self, link: Link) -> None:
        """Publish every interval; not a number where trouble is asked for."""
        for interval in range(self.clock.intervals):
            if interval:
                link.wait_until(self.clock.at(interval, PRICE_SLOT))
            self.trouble.strike("wholesale", interval)
            broken = self.trouble.not_a_number and interval >= TROUBLE_AT
            price, ratio = (np.nan, np.nan) if broken else (20.0 + interval, RATIO)
            values = {"lmp": price, "lmp_energy": price, "lmp_congestion": 0.0, "lmp_loss": 0.0}
            for name, value in {**values, "demand_ratio": ratio}.items():
                _send(link, f"wholesale/{name}", float(value))


class ToyFeeder(ToyPartner):
    """A feeder at nominal voltage whatever is dispatched."""

    def initial(self) -> Mapping[str, Value]:
        """Publish the network."""
        return {"feeder/network": network_to_json(self.study.network)}

    def run(self, link: Link) -> None:
        """Publish the forecast, the answer to one trial, and the final state."""
        link.adopt(self.study.network)
        state = state_values(nominal_state(self.study.network))
        for interval in range(self.clock.intervals):
            slots = (
                (FORECAST_SLOT, "forecast", 0),
                (answer_slot(0), "trial", 0),
                (answer_slot(1), "final", 1),
            )
            for slot, stage, trials in slots:
                link.wait_until(self.clock.at(interval, slot))
                self.trouble.strike("feeder", interval)
                for key, value in state.items():
                    link.publish(key, value)
                status = FeederStatus(interval, stage, trials, True, 1)  # type: ignore[arg-type]
                link.publish("feeder/status", status.text())


class ToyOwner(ToyPartner):
    """Offers a part of every resource of one owner."""

    def __init__(self, study: Study, trouble: Trouble, name: str) -> None:
        super().__init__(study, trouble)
        self._name = name
        self._offers = [
            Offer(resource.name, 0.0, 0.4 * resource.kw_max, cost_linear=25.0)
            for resource in study.network.resources
            if resource.owner == name
        ]

    def run(self, link: Link) -> None:
        """Offer the same in every interval."""
        for interval in range(self.clock.intervals):
            link.wait_until(self.clock.at(interval, OFFER_SLOT))
            link.publish(f"{self._name}/{OFFER_QUANTITY}", offers_text(interval, self._offers))


class ToyRecorder(ToyPartner):
    """Says that it recorded the interval, and nothing of it."""

    def run(self, link: Link) -> None:
        """Publish an empty verdict in the last slot of every interval."""
        for interval in range(self.clock.intervals):
            link.wait_until(self.clock.recording(interval))
            link.publish("audit/verdict", json.dumps({"interval": interval}))


def nominal_state(network: Network) -> AcState:
    """Return a state at 1 pu without flows: plausible in every number, and no solution."""
    angles = np.exp(-2j * np.pi / 3 * (np.array([int(n.rsplit(".", 1)[1]) for n in network.node_ids]) - 1))
    branches = np.zeros(len(network.conductor_ids), dtype=np.complex128)
    demand = network.listed_demand * RATIO
    return AcState(
        voltage=angles,
        power=branches,
        current=np.zeros(len(branches)),
        load=demand,
        demand=demand,
        injection=np.zeros(len(network.resources), dtype=np.complex128),
        machine=np.zeros(len(network.machines), dtype=np.complex128),
        tap=network.initial_taps,
        capacitor=np.array([bank.closed for bank in network.capacitor_banks], dtype=np.int64),
        admittance=network.initial_admittance,
        head=np.full(len(network.head_ids), demand.sum() / len(network.head_ids)),
        losses=0j,
    )


def _send(link: Link, key: str, value: float) -> None:
    """Publish a number that may be wrong on purpose."""
    if isinstance(link, HelicsLink):
        link.publish_as_it_is(key, value)
    else:
        link.publish(key, value)


def partner_roles(tested: str, study: Study, trouble: Trouble) -> dict[str, Callable[[Study], Role]]:
    """Return the partners of the federate under test, but for the watcher: see `watcher_name`.

    Parameters
    ----------
    tested : str
        Name of the federate under test.
    study : Study
        The staged study.
    trouble : Trouble
        What goes wrong.
    """
    roles: dict[str, Callable[[Study], Role]] = {
        "wholesale": lambda study: ToyWholesale(study, trouble),
        "feeder": lambda study: ToyFeeder(study, trouble),
        "recorder": lambda study: ToyRecorder(study, trouble),
    }
    if tested == "market":
        roles["feeder"] = Feeder
        for name in _offered(study):
            roles[name] = lambda study, name=name: ToyOwner(study, trouble, name)  # type: ignore[misc]
    return {name: role for name, role in roles.items() if name not in (tested, watcher_name(tested))}


def watcher_name(tested: str) -> str:
    """Name under which the kit watches: the market, or the recorder when the market is under test."""
    return "recorder" if tested == "market" else "market"


def _offered(study: Study) -> list[str]:
    """Owners whose offers the market under test reads."""
    return [key.split("/")[0] for key in study.config("market").offers]


def _reads(name: str, tested: str) -> tuple[str, ...]:
    """Topics that a partner reads; a toy reads the watcher's, to keep in step."""
    if name == "feeder" and tested == "market":
        dispatch = ("market/dispatch_real", "market/dispatch_reactive", "market/clearing")
        return ("wholesale/demand_ratio", *dispatch)
    return ("audit/verdict",) if tested == "market" else ("market/clearing",)


def stage_study(folder: Path, tested: str, place: Path, intervals: int = INTERVALS) -> Study:
    """Copy a study for a trial: a few intervals, HELICS files of the partners rewritten.

    Parameters
    ----------
    folder : Path
        The study.
    tested : str
        Name of the federate under test, whose own file stays.
    place : Path
        Empty folder; neighbours of the study are linked beside the copy, so that relative paths hold.
    intervals : int
        Intervals of the trial.

    Raises
    ------
    InputError
        When the study cannot be used.
    """
    folder = folder.resolve()
    for neighbour in folder.parent.iterdir():
        if neighbour != folder:
            (place / neighbour.name).symlink_to(neighbour)
    copy = place / folder.name
    copy.mkdir()
    for file in folder.iterdir():
        (copy / file.name).symlink_to(file)
    text = INTERVALS_KEY.sub(rf"\g<1>{intervals}", read_text(folder / SCENARIO_FILE))
    _replace(copy / SCENARIO_FILE, text)
    study = load_study(copy)
    if study.scenario.wholesale.answers and tested in ("wholesale", "market"):
        raise InputError(
            f"{tested!r} is tried at a given LMP, and the scenario has a supply curve",
            where=f"{folder / SCENARIO_FILE} wholesale",
            expected="a study without slope and supply",
        )
    for name in partner_roles(tested, study, Trouble()):
        _replace(copy / f"{name}.json", partner_config(name, _reads(name, tested)))
    return study


def partner_config(name: str, reads: Sequence[str]) -> str:
    """Return the HELICS file of a partner (JSON): what the contract asks of it, and what it reads.

    Parameters
    ----------
    name : str
        Name of the partner.
    reads : sequence of str
        Keys that it reads; those that the contract does not know are left out.
    """
    topics = published_by(name) or (offer_topic(name),)
    head = {
        "name": name,
        "core_type": "zmq",
        "core_init_string": "--loglevel=no_print",
        "log_level": "no_print",
        "period": 1.0,
        "uninterruptible": True,
        "terminate_on_error": True,
    }
    publications = [{"key": t.key, "type": t.type, "unit": t.unit, "global": True} for t in topics]
    read = [topic for key in reads if (topic := find_topic(key))]
    subscriptions = [{"key": t.key, "type": t.type, "unit": t.unit} for t in read]
    return json.dumps({**head, "publications": publications, "subscriptions": subscriptions})


def _replace(file: Path, text: str) -> None:
    file.unlink(missing_ok=True)
    file.write_text(text, encoding="utf-8")
