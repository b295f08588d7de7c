"""Whether somebody's federate honours the contract, topic by topic: judged from what was seen on the wire."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import helics as h
import numpy as np

from dlmp_cosim.federates.conformance.partners import RATIO, Sabotage, Trouble, partner_roles, watcher_name
from dlmp_cosim.federates.conformance.watcher import Sample, Watched, Watcher, numbers
from dlmp_cosim.federates.contract.award import read_award
from dlmp_cosim.federates.contract.messages import read_offers, read_status
from dlmp_cosim.federates.contract.topics import OFFER_QUANTITY, Topic, find_topic, offer_topic, published_by
from dlmp_cosim.federates.runtime.base import Connection, live, summary
from dlmp_cosim.federates.runtime.clock import Clock, last_slot_needed
from dlmp_cosim.federates.runtime.heartbeat import Heartbeat
from dlmp_cosim.federates.runtime.link import FederationStopped
from dlmp_cosim.federates.runtime.ports import reserve_block
from dlmp_cosim.federates.study.helics_config import publisher_of
from dlmp_cosim.federates.study.study import Study
from dlmp_cosim.feeders.errors import DlmpError, nearest_name
from dlmp_cosim.feeders.network import Network
from dlmp_cosim.feeders.readers.network_json import network_from_json
from dlmp_cosim.feeders.validate import check_network

CONSTANT = ("feeder/network", "wholesale/source")
ERROR_CODE = 97


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes
    ----------
    topic : str
        Topic, or the trial where no topic is at stake.
    check : str
        What was looked at.
    problem : str
        What is wrong; empty when nothing is.
    """

    topic: str
    check: str
    problem: str = ""


@dataclass(frozen=True)
class Trial:
    """What one trial showed.

    Attributes
    ----------
    seen : Watched
        Topics and values.
    exit_code : int or None
        Exit code of the command; None when it did not end by itself.
    partner_error : str
        What a partner complained of.
    log : str
        Last lines that the command wrote.
    """

    seen: Watched
    exit_code: int | None
    partner_error: str = ""
    log: str = ""


def expected_topics(name: str) -> tuple[Topic, ...]:
    """Topics that a federate of this name has to publish: the contract's, or an offer."""
    return published_by(name) or (offer_topic(name),)


@contextmanager
def staged(name: str, study: Study, trouble: Trouble) -> Iterator[tuple[int, Callable[[float], Any]]]:
    """Start broker, partners and watcher for one trial.

    Parameters
    ----------
    name : str
        Federate under test.
    study : Study
        The staged study.
    trouble : Trouble
        What a partner does wrong.

    Yields
    ------
    port : int
        Where the federate under test finds the broker; its key is the study's name.
    finish : callable
        Takes seconds to wait; returns what was seen and what a partner complained of.
    """
    port, guard = reserve_block()
    roles = partner_roles(name, study, trouble)
    watcher = Watcher(watcher_name(name), name, expected_topics(name), study.network, study.clock)
    errors: list[str] = []
    connection = Connection("zmq", f"--brokerport={port}")

    def guarded(run: Callable[[], None]) -> None:
        try:
            run()
        except (FederationStopped, Sabotage):
            return
        # The outermost guard of a partner's thread: what it raises is a finding, not a traceback nobody sees.
        except Exception as error:  # noqa: BLE001
            errors.append(summary(error))

    runs: list[Callable[[], None]] = [
        lambda n=partner, b=build: live(n, b, study, connection, Heartbeat(None, n), _admit_all)  # type: ignore[misc]
        for partner, build in roles.items()
    ]
    runs.append(lambda: watcher.run(connection, study.name))
    options = f"-f{len(runs) + 1} --port={port} --loglevel=no_print --brokerkey={study.name}"
    broker = h.helicsCreateBroker("zmq", f"conform_{uuid4().hex[:8]}", options)
    threads = [threading.Thread(target=guarded, args=(run,), daemon=True) for run in runs]

    def finish(seconds: float) -> tuple[Watched, str]:
        limit = time.monotonic() + seconds
        for thread in threads:
            thread.join(max(limit - time.monotonic(), 0.0))
        return watcher.seen, "; ".join(errors)

    for thread in threads:
        thread.start()
    try:
        yield port, finish
    finally:
        if any(thread.is_alive() for thread in threads):
            h.helicsBrokerGlobalError(broker, ERROR_CODE, b"the trial is over")
            finish(2.0)
        h.helicsBrokerDisconnect(broker)
        guard.close()


def _admit_all(federate: Any) -> None:
    """Let who is tried publish what it likes: the watcher tells, and sees the rest of the trial."""


def judge_normal(name: str, study: Study, trial: Trial) -> list[Finding]:
    """Judge an undisturbed trial: topics, values, times, start and end.

    Parameters
    ----------
    name : str
        Federate under test.
    study : Study
        Gives network and clock.
    trial : Trial
        What was seen.
    """
    seen, topics = trial.seen, expected_topics(name)
    findings = [
        Finding("federation", "partners", trial.partner_error),
        Finding("federation", "clean end", _end(trial, sound=True)),
    ]
    for topic in topics:
        findings += judge_topic(topic, study.network, study.clock, seen)
    known = {topic.key for topic in topics}
    for key in seen.published:
        if key not in known:
            findings.append(Finding(key, "key", _foreign(key, name, known)))
    return findings


def judge_topic(topic: Topic, network: Network, clock: Clock, seen: Watched) -> list[Finding]:
    """Judge one topic: key, type, unit, times, and every value.

    Parameters
    ----------
    topic : Topic
        What the contract says of it.
    network : Network
        Gives the ids that a vector goes by.
    clock : Clock
        Gives the times at which it may be published.
    seen : Watched
        What was seen in the trial.
    """
    if topic.key not in seen.types:
        near = nearest_name(topic.key, seen.published)
        hint = f" (it publishes {near})" if near else ""
        return [Finding(topic.key, "key", f"nobody publishes it{hint}")]
    kind, unit = seen.types[topic.key], seen.units[topic.key]
    findings = [
        Finding(topic.key, "key"),
        Finding(topic.key, "type", "" if kind == topic.type else f"is a {kind}; expected a {topic.type}"),
        Finding(topic.key, "unit", "" if unit == topic.unit else f"is in {unit!r}; expected {topic.unit!r}"),
    ]
    samples = [sample for sample in seen.samples if sample.key == topic.key]
    findings.append(Finding(topic.key, "timing", _timing(topic, clock, samples)))
    if kind == topic.type:
        findings += _values(topic, network, samples)
    return findings


def _timing(topic: Topic, clock: Clock, samples: Sequence[Sample]) -> str:
    if topic.key in CONSTANT:
        return "" if any(s.slot == -1 for s in samples) else "was not published while initialising"
    allowed = slots_of(topic.key, clock.rounds_max)
    for k in range(clock.intervals):
        slots = [sample.slot for sample in samples if sample.interval == k and sample.slot >= 0]
        if not slots:
            return f"was not published in interval {k}"
        wrong = [slot for slot in slots if slot not in allowed]
        if wrong:
            shown = ", ".join(f"t+{slot}" for slot in allowed)
            return f"was published at t+{wrong[0]} s in interval {k}; expected {shown} s"
    return ""


def slots_of(key: str, rounds_max: int) -> tuple[int, ...]:
    """Slots of an interval in which a topic may be published.

    Parameters
    ----------
    key : str
        Key of the topic.
    rounds_max : int
        Trials that an interval has room for.
    """
    last = last_slot_needed(rounds_max)
    role, quantity = key.split("/", 1)
    if quantity == OFFER_QUANTITY:
        return (0, 1)
    odd = range(1, last + 1, 2)
    return {"wholesale": (0,), "feeder": tuple(odd), "market": tuple(slot + 1 for slot in odd)}.get(role, ())


def _values(topic: Topic, network: Network, samples: Sequence[Sample]) -> list[Finding]:
    if topic.type == "string":
        return [Finding(topic.key, "content", _first(_content(topic, network, s) for s in samples))]
    findings = [Finding(topic.key, "finite", _first(_finite(topic, network, s) for s in samples))]
    if topic.type == "vector":
        count = len(topic.id_list(network))
        wrong = [len(numbers(s.value)) for s in samples if len(numbers(s.value)) != count]
        problem = f"has {wrong[0]} values; expected {count}, one for each {topic.ids}" if wrong else ""
        findings.append(Finding(topic.key, "length", problem))
    return findings


def _finite(topic: Topic, network: Network, sample: Sample) -> str:
    values = numbers(sample.value)
    bad = np.flatnonzero(~(np.abs(values) <= topic.largest))
    if not bad.size:
        return ""
    ids = topic.id_list(network)
    where = f" at {ids[bad[0]]}" if len(ids) == len(values) else ""
    return f"is {values[bad[0]]:g}{where} in interval {sample.interval}; expected within {topic.largest:g}"


def _content(topic: Topic, network: Network, sample: Sample) -> str:
    """Say what is wrong with a JSON text."""
    text = str(sample.value)
    try:
        if topic.key == "feeder/network":
            check_network(network_from_json(text, where=topic.key))
        elif topic.key == "feeder/status":
            return _interval(read_status(text).interval, sample)
        elif topic.key == "market/clearing":
            return _interval(read_award(text).interval, sample)
        elif topic.key.endswith(f"/{OFFER_QUANTITY}"):
            return _offers(topic.key, text, network, sample)
        else:
            json.loads(text)
    except (DlmpError, ValueError) as error:
        return str(error)
    return ""


def _interval(found: int, sample: Sample) -> str:
    return "" if found == sample.interval else f"is for interval {found} in interval {sample.interval}"


def _offers(key: str, text: str, network: Network, sample: Sample) -> str:
    demand = dict(zip(network.load_ids, (network.listed_demand.real * RATIO).tolist(), strict=True))
    return "; ".join(read_offers({key: text}, sample.interval, network, demand).refused)


def _first(problems: Iterator[str]) -> str:
    return next((problem for problem in problems if problem), "")


def _foreign(key: str, name: str, known: set[str]) -> str:
    """Say what is wrong with a topic that the contract does not ask for."""
    owner = publisher_of(key)
    if owner != name:
        return (
            f"belongs to {owner!r}; {name!r} publishes {', '.join(sorted(known)[:3])} and topics {name}/..."
        )
    if find_topic(key) is None and published_by(name):
        return f"is not in the contract (nearest: {nearest_name(key, known) or 'none'})"
    return ""


def _end(trial: Trial, *, sound: bool) -> str:
    if trial.exit_code is None:
        return f"did not end by itself; it wrote: {trial.log}"
    if sound and trial.exit_code != 0:
        return f"ended with exit code {trial.exit_code}; it wrote: {trial.log}"
    if not sound and trial.exit_code == 0:
        return "ended with exit code 0; expected another, so that a failed run is noticed"
    return ""


def judge_not_a_number(name: str, study: Study, trial: Trial) -> list[Finding]:
    """Judge a trial in which prices and demand are NaN: refuse or bear them, but pass none on.

    Parameters
    ----------
    name : str
        Federate under test.
    study : Study
        Gives the network.
    trial : Trial
        What was seen.
    """
    findings = [Finding("trial with NaN", "ends", _end(trial, sound=trial.exit_code == 0))]
    for topic in expected_topics(name):
        samples = [s for s in trial.seen.samples if s.key == topic.key]
        if trial.seen.types.get(topic.key) == topic.type:
            found = [f for f in _values(topic, study.network, samples) if f.check in ("finite", "content")]
            findings += [Finding(topic.key, "passes no NaN on", f.problem) for f in found]
    return findings


def judge_failure(trial: Trial) -> list[Finding]:
    """Judge a trial in which a partner fails: the federate has to end, and say that it was not well."""
    return [Finding("trial with a failing partner", "ends", _end(trial, sound=False))]
