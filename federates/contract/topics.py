"""The one list of topics that federates exchange: key, type, unit, order of ids and who may publish.

Everything that joins a federation honours this list, whatever language it is written in. Vectors are real and
ordered as the `Network` that the feeder publishes while initialising.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from dlmp_cosim.feeders.network import Network

TopicType = Literal["double", "vector", "string"]
Feature = Literal["", "horizon", "emissions", "supply", "substation", "ancillary"]
"""What of a scenario brings a topic with it: steps ahead, emission rates, a wholesale price that answers,
feeders that meet at a substation, and an ancillary market there."""
IdKind = Literal[
    "", "node", "conductor", "load", "machine", "head", "tap", "capacitor", "admittance", "resource"
]


@dataclass(frozen=True)
class Topic:
    """One published quantity.

    Attributes
    ----------
    key : str
        Global HELICS key, ``<role>/<quantity>``.
    type : {"double", "vector", "string"}
        HELICS type; a string holds JSON.
    unit : str
        Unit, the same text at both ends.
    ids : str
        What the entries of a vector stand for; empty for a double or a string.
    meaning : str
        One line for people.
    needs : str
        Feature of a scenario without which it does not exist; empty for a topic of every study.
    """

    key: str
    type: TopicType
    unit: str
    ids: IdKind
    meaning: str
    needs: Feature = ""

    @property
    def publisher(self) -> str:
        """Name of the one federate that may publish it."""
        feeder, mark, role = self.key.split("/", 1)[0].rpartition(FEEDER_MARK)
        return f"{feeder}{mark}{PUBLISHER_OF.get(role, role)}"

    @property
    def largest(self) -> float:
        """Magnitude beyond which a value is absurd [unit of the topic]."""
        return LARGEST[self.unit]

    def id_list(self, network: Network) -> tuple[str, ...]:
        """Ids of the entries, in order; empty for a double or a string."""
        table: dict[str, Sequence[str]] = {
            "": (),
            "node": network.node_ids,
            "conductor": network.conductor_ids,
            "load": network.load_ids,
            "machine": network.machine_ids,
            "head": network.head_ids,
            "tap": network.tap_ids,
            "capacitor": network.capacitor_ids,
            "admittance": network.admittance_ids,
            "resource": network.resource_ids,
        }
        return tuple(table[self.ids])


PRICE, REACTIVE_PRICE = "$/MWh", "$/(MVAR*h)"
AWARD_UNIT = f"kW, kvar, {PRICE}, {REACTIVE_PRICE}"
"""Unit of what an owner hears in one piece."""

FEEDER_MARK = "."
"""Stands between the name of a feeder and that of its federate where several feeders share a federation."""
SUBSTATION = "substation"
"""The federate that feeders share, and its role in keys."""

PUBLISHER_OF: dict[str, str] = {"audit": "recorder"}
"""Federate that publishes a role's topics, where the two names differ."""

LARGEST: dict[str, float] = {
    "": 1e3, "pu": 10.0, "rad": 10.0, "kW": 1e7, "kvar": 1e7, "A": 1e6, "S": 1e12,
    PRICE: 1e8, REACTIVE_PRICE: 1e8, AWARD_UNIT: 1e8, "kg/MWh": 1e5,
}  # fmt: skip
"""Magnitude that no sound value of a unit exceeds."""

TOPICS: tuple[Topic, ...] = (
    Topic("wholesale/lmp", "double", PRICE, "", "LMP at the feeder head"),
    Topic("wholesale/lmp_energy", "double", PRICE, "", "energy part of the LMP"),
    Topic("wholesale/lmp_congestion", "double", PRICE, "", "congestion part of the LMP"),
    Topic("wholesale/lmp_loss", "double", PRICE, "", "marginal loss part of the LMP"),
    Topic("wholesale/lmp_answer", "double", PRICE, "", "rise of the LMP by what is drawn", needs="supply"),
    Topic(
        "wholesale/emission_rate", "double", "kg/MWh", "", "marginal emission rate there", needs="emissions"
    ),
    Topic("wholesale/demand_ratio", "double", "", "", "demand as a share of the feeder's listed load"),
    Topic("wholesale/source", "string", "", "", "where the series come from and what was derived (JSON)"),
    Topic("feeder/network", "string", "", "", "the Network (JSON), published while initialising"),
    Topic("feeder/voltage_magnitude", "vector", "pu", "node", "voltage to ground"),
    Topic("feeder/voltage_angle", "vector", "rad", "node", "voltage angle"),
    Topic(
        "feeder/branch_power_real", "vector", "kW", "conductor", "power entering a branch at each terminal"
    ),
    Topic("feeder/branch_power_reactive", "vector", "kvar", "conductor", "the same, reactive"),
    Topic("feeder/branch_current", "vector", "A", "conductor", "current there"),
    Topic("feeder/load_real", "vector", "kW", "load", "served, by the loads' voltage dependence"),
    Topic("feeder/load_reactive", "vector", "kvar", "load", "the same, reactive"),
    Topic("feeder/demand_real", "vector", "kW", "load", "asked for at nominal voltage, after curtailment"),
    Topic("feeder/demand_reactive", "vector", "kvar", "load", "the same, reactive"),
    Topic("feeder/injection_real", "vector", "kW", "resource", "injected; 0 for flexible loads"),
    Topic("feeder/injection_reactive", "vector", "kvar", "resource", "the same, reactive"),
    Topic("feeder/machine_real", "vector", "kW", "machine", "injected by what no resource drives"),
    Topic("feeder/machine_reactive", "vector", "kvar", "machine", "the same, reactive"),
    Topic("feeder/head_power_real", "vector", "kW", "head", "drawn from the source"),
    Topic("feeder/head_power_reactive", "vector", "kvar", "head", "the same, reactive"),
    Topic("feeder/losses_real", "double", "kW", "", "power into all elements: their losses"),
    Topic("feeder/losses_reactive", "double", "kvar", "", "the same, reactive; capacitors count negative"),
    Topic("feeder/regulator_tap", "vector", "", "tap", "regulator positions"),
    Topic("feeder/capacitor_steps", "vector", "", "capacitor", "closed steps of switched capacitors"),
    Topic("feeder/conductance", "vector", "S", "admittance", "blocks of elements under control, real part"),
    Topic("feeder/susceptance", "vector", "S", "admittance", "the same, imaginary part"),
    Topic(
        "feeder/response_real",
        "vector",
        "kW",
        "resource",
        "given beside the award, as called",
        needs="ancillary",
    ),
    Topic("feeder/status", "string", "", "", "round, converged, iterations, tap changes, refusals (JSON)"),
    Topic("market/dispatch_real", "vector", "kW", "resource", "award, positive towards the grid"),
    Topic("market/dispatch_reactive", "vector", "kvar", "resource", "the same, reactive"),
    Topic("market/dlmp_real", "vector", PRICE, "node", "price of real power, d cost / d load"),
    Topic("market/dlmp_reactive", "vector", REACTIVE_PRICE, "node", "price of reactive power"),
    Topic("market/dlmp_real_energy", "vector", PRICE, "node", "energy part"),
    Topic("market/dlmp_real_loss", "vector", PRICE, "node", "loss part"),
    Topic("market/dlmp_real_voltage", "vector", PRICE, "node", "voltage part"),
    Topic("market/dlmp_real_congestion", "vector", PRICE, "node", "congestion part"),
    Topic("market/predicted_voltage_magnitude", "vector", "pu", "node", "voltage that the market expects"),
    Topic("market/predicted_branch_power_real", "vector", "kW", "conductor", "branch power that it expects"),
    Topic("market/predicted_head_power_real", "vector", "kW", "head", "head power that it expects"),
    Topic("market/predicted_losses_real", "double", "kW", "", "losses that it expects"),
    Topic("market/clearing", "string", "", "", "round, status (trial or final), convergence, limits (JSON)"),
    Topic(
        "market/horizon",
        "string",
        "",
        "",
        "steps ahead: forecasts, plan, advisory prices (JSON)",
        needs="horizon",
    ),
    Topic(
        "market/dlmp_real_substation",
        "vector",
        PRICE,
        "node",
        "part by what feeders share",
        needs="substation",
    ),
    Topic(
        "market/response",
        "string",
        "",
        "",
        "head power at the prices that the substation called for (JSON)",
        needs="substation",
    ),
    Topic(
        "market/called_real",
        "vector",
        "kW",
        "resource",
        "called beside the award by the substation",
        needs="ancillary",
    ),
    Topic("substation/adder", "double", PRICE, "", "what shared limits add to the LMP", needs="substation"),
    Topic(
        "substation/call",
        "string",
        "",
        "",
        "the adder that holds, and adders to respond to (JSON)",
        needs="substation",
    ),
    Topic("audit/verdict", "string", "", "", "prediction against AC and violations of the interval (JSON)"),
)

OFFER_QUANTITY = "offer"
"""An offering federate publishes ``<federate>/offer``: one JSON text an interval, a list of offers."""

AWARD_PREFIX = "award_"
"""Where an owner reads ``market/award_<owner>``, the market publishes it: once an interval, in one piece."""

BY_KEY: dict[str, Topic] = {topic.key: topic for topic in TOPICS}


def offer_topic(federate: str) -> Topic:
    """Topic on which a federate offers its resources."""
    return Topic(
        f"{federate}/{OFFER_QUANTITY}", "string", "kW, kvar, $/MWh", "", "offers for this interval (JSON)"
    )


def award_topic(owner: str) -> Topic:
    """Topic on which an owner that reads it hears of its awards and prices in one piece."""
    meaning = "award and price of each of its resources, in order: four values each"
    return Topic(f"market/{AWARD_PREFIX}{owner}", "vector", AWARD_UNIT, "", meaning)


def published_by(federate: str, features: Collection[str] = ()) -> tuple[Topic, ...]:
    """Every topic that one federate has to publish in a study with these features.

    Parameters
    ----------
    federate : str
        Name of the federate, without its feeder.
    features : collection of str
        What brings topics of its own: "horizon", "emissions", "supply", "substation".
    """
    return tuple(topic for topic in present(features) if topic.publisher == federate)


def present(features: Collection[str] = ()) -> tuple[Topic, ...]:
    """Every topic of a study with these features."""
    return tuple(topic for topic in TOPICS if not topic.needs or topic.needs in features)


def find_topic(key: str) -> Topic | None:
    """Topic with this key, of whatever feeder, or None; any ``<federate>/offer`` is one, and any award."""
    federate, _, quantity = key.partition("/")
    if quantity == OFFER_QUANTITY and federate:
        return offer_topic(federate)
    role, owner = federate.rpartition(FEEDER_MARK)[2], quantity.removeprefix(AWARD_PREFIX)
    if role == "market" and owner not in ("", quantity):
        return award_topic(owner)
    return BY_KEY.get(f"{role}/{quantity}")


def in_federation(name: str, feeder: str) -> str:
    """Name or key as a federation of several feeders has it.

    Parameters
    ----------
    name : str
        Name of a federate, or key of a topic, as the feeder's own study has it.
    feeder : str
        Name of the feeder; empty for a federation of one, which needs no other names.
    """
    role = name.split("/", 1)[0]
    return name if not feeder or role == SUBSTATION else f"{feeder}{FEEDER_MARK}{name}"
