"""The recorder: writes every interval to the results file, with the judgement of the market by AC physics."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from dlmp_cosim.federates.contract.exchange import read_topic, state_of
from dlmp_cosim.federates.contract.messages import decode, encode
from dlmp_cosim.federates.contract.topics import OFFER_QUANTITY, Topic, find_topic
from dlmp_cosim.federates.results.foreign import refuse_foreign
from dlmp_cosim.federates.results.store import ResultsWriter, create_results, manifest_text
from dlmp_cosim.federates.runtime.base import main
from dlmp_cosim.federates.runtime.clock import PRICE_SLOT
from dlmp_cosim.federates.runtime.link import Link, Value
from dlmp_cosim.federates.study.study import Study
from dlmp_cosim.feeders.errors import FederationError
from dlmp_cosim.feeders.network import Network
from dlmp_cosim.feeders.readers.network_json import network_from_json
from dlmp_cosim.market.audit import Limits, Prediction, Verdict, judge

NAME = "recorder"

CONSTANT = ("feeder/network", "wholesale/source")
"""Topics published once; the file keeps them as texts of their own."""

AUDIT_TOPICS: tuple[Topic, ...] = (
    Topic("audit/settled", "double", "", "", "1: prediction and AC agreed before controls acted"),
    Topic("audit/rounds", "double", "", "", "clearings of the interval"),
    Topic("audit/negotiation_rounds", "double", "", "", "negotiation rounds over all its clearings"),
    Topic(
        "audit/trial_voltage_error", "double", "pu", "", "final prediction against AC before controls acted"
    ),
    Topic("audit/trial_head_error", "double", "kW", "", "the same, head power"),
    Topic("audit/voltage_error", "double", "pu", "", "largest difference of prediction and realised AC"),
    Topic("audit/branch_error", "double", "kW", "", "the same, branch power"),
    Topic("audit/head_error", "double", "kW", "", "the same, head power, predicted less AC"),
    Topic("audit/losses_error", "double", "kW", "", "the same, losses, predicted less AC"),
    Topic("audit/balance_error", "double", "kW", "", "head power less served load, losses and generation"),
    Topic("audit/violations", "double", "", "", "limits that the realised AC state breaks"),
    Topic("audit/violations_unpriced", "double", "", "", "of these, limits that the market gave no price"),
    Topic("audit/worst_violation", "double", "pu", "", "largest excess, of voltage or of the rating"),
)
"""Numeric rows that the recorder adds to the recorded topics."""


class Recorder:
    """Reads everything in the last slot of an interval, judges it, and appends it to the file.

    Parameters
    ----------
    study : Study
        Names the file, and the limits that the market has to hold.
    """

    def __init__(self, study: Study) -> None:
        self._study = study
        self._clock = study.clock
        section = study.scenario.market
        self._limits = Limits(section.voltage_min_pu, section.voltage_max_pu, section.rating_scale)
        self._writer: ResultsWriter | None = None

    def initial(self) -> Mapping[str, Value]:
        """Publish nothing while initialising; but see that no other study's results stand in the way."""
        refuse_foreign(self._study.results_file, self._study.name)
        return {}

    def run(self, link: Link) -> None:
        """Record every interval."""
        text = link.text("feeder/network")
        network = network_from_json(text, where="feeder/network")
        link.adopt(network)
        topics = recorded_topics(self._study)
        verdict = find_topic("audit/verdict")
        recorded = [*topics, *AUDIT_TOPICS, *([verdict] if verdict else [])]
        constant = {"network": text, "source": link.text("wholesale/source")}
        manifest = manifest_text(self._study, text)
        self._writer = create_results(
            self._study.results_file, network, self._clock, recorded, constant=constant, manifest=manifest
        )
        for interval in range(self._clock.intervals):
            self._interval(link, self._writer, network, topics, interval)

    def close(self) -> None:
        """Close the file; every finished interval is in it already."""
        if self._writer is not None:
            self._writer.close()

    def _interval(
        self, link: Link, writer: ResultsWriter, network: Network, topics: list[Topic], interval: int
    ) -> None:
        start = self._clock.at(interval, PRICE_SLOT)
        link.wait_until(self._clock.recording(interval))
        values = {topic.key: _read(link, topic, start) for topic in topics}
        record = decode("market/clearing", str(values["market/clearing"]))
        state = state_of(values)
        verdict = judge(network, self._limits, prediction(values, record), state)
        values |= audit_row(record, verdict)
        values["audit/verdict"] = encode({"interval": interval, **asdict(verdict)})
        writer.append(values)
        link.publish("audit/verdict", values["audit/verdict"])
        link.show(figures(self._clock.label(interval), interval, network, values))


def _read(link: Link, topic: Topic, start: float) -> Value:
    """Read a topic of this interval; what offering federates publish may be late, absent or broken."""
    if find_topic(topic.key) is not None and not topic.key.endswith(f"/{OFFER_QUANTITY}"):
        return read_topic(link, topic, since=start)
    try:
        return read_topic(link, topic, since=0.0)
    except (FederationError, UnicodeDecodeError):
        return "" if topic.type == "string" else math.nan


def recorded_topics(study: Study) -> list[Topic]:
    """Return what the recorder's HELICS file lists: topics of the contract, and federates' own figures."""
    listed = [item for item in study.config(NAME).subscriptions if item.key not in CONSTANT]
    return [
        find_topic(item.key) or Topic(item.key, item.type, item.unit, "", item.info or item.key)
        for item in listed
        if item.type != "vector" or find_topic(item.key)
    ]


def prediction(values: Mapping[str, Value], record: Mapping[str, Any]) -> Prediction:
    """Return what the market said the feeder would do, from its own topics.

    Parameters
    ----------
    values : mapping of str to float, str or ndarray
        Topics of the interval, by key.
    record : mapping
        What ``market/clearing`` said.
    """
    return Prediction(
        voltage_magnitude=np.asarray(values["market/predicted_voltage_magnitude"]),
        power=np.asarray(values["market/predicted_branch_power_real"]),
        head_kw=float(np.sum(values["market/predicted_head_power_real"])),
        losses_kw=float(np.asarray(values["market/predicted_losses_real"])),
        priced=frozenset((limit["kind"], limit["where"]) for limit in record.get("limits", ())),
    )


def audit_row(record: Mapping[str, Any], verdict: Verdict) -> dict[str, Value]:
    """Numbers of `AUDIT_TOPICS`, in the same order.

    Parameters
    ----------
    record : mapping
        What ``market/clearing`` said; an error that it lacks is NaN, a flag or a count 0.
    verdict : Verdict
        What AC physics says of the interval.
    """
    rounds = record.get("rounds", [])
    numbers = (
        float(bool(record.get("settled"))),
        float(len(rounds)),
        float(sum(item.get("negotiation_rounds") or 0 for item in rounds)),
        _number(record.get("voltage_error_pu")),
        _number(record.get("head_error_kw")),
        verdict.voltage_error_pu,
        verdict.branch_error_kw,
        verdict.head_error_kw,
        verdict.losses_error_kw,
        verdict.balance_error_kw,
        float(len(verdict.violations)),
        float(len(verdict.unpriced)),
        max((violation.excess for violation in verdict.violations), default=0.0),
    )
    return {topic.key: number for topic, number in zip(AUDIT_TOPICS, numbers, strict=True)}


def figures(
    label: str, interval: int, network: Network, values: Mapping[str, Value]
) -> dict[str, float | str]:
    """Return what a progress line shows of an interval.

    Parameters
    ----------
    label : str
        Local time of the interval.
    interval : int
        Which interval, from 0.
    network : Network
        Gives names of nodes.
    values : mapping of str to float, str or ndarray
        Topics of the interval and its audit, by key.
    """
    voltage = np.asarray(values["feeder/voltage_magnitude"])
    return {
        "interval": interval + 1,
        "time": label,
        "lmp": float(np.asarray(values["wholesale/lmp"])),
        "dlmp_mean": float(np.asarray(values["market/dlmp_real"]).mean()),
        "rounds": float(np.asarray(values["audit/rounds"])),
        "voltage_min": float(voltage.min()),
        "voltage_min_node": network.node_ids[int(voltage.argmin())],
    }


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)


if __name__ == "__main__":
    raise SystemExit(main(NAME, Recorder))
