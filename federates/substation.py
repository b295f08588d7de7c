"""The substation: holds what feeders share, by a price adder, and runs the ancillary market there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import numpy as np

from dlmp_cosim.federates.anchoring.desk import DESK_TOPICS, PRODUCT_TOPICS, Desk, called_by, held_by
from dlmp_cosim.federates.contract.messages import encode
from dlmp_cosim.federates.contract.shared import (
    CALL,
    RESPONSE,
    Call,
    Held,
    Response,
    Turn,
    call_text,
    read_response,
)
from dlmp_cosim.federates.contract.topics import PRICE, SUBSTATION, Topic, in_federation
from dlmp_cosim.federates.results.foreign import refuse_foreign
from dlmp_cosim.federates.results.store import ResultsWriter, create_results, versions
from dlmp_cosim.federates.runtime.base import main
from dlmp_cosim.federates.runtime.clock import PRICE_SLOT, SECONDS_PER_MINUTE
from dlmp_cosim.federates.runtime.link import Link, Value
from dlmp_cosim.federates.study.ancillary import head_open
from dlmp_cosim.federates.study.inputs import hashes_of
from dlmp_cosim.federates.study.study import Study
from dlmp_cosim.federates.study.substation import SubstationStudy
from dlmp_cosim.feeders.errors import FederationError
from dlmp_cosim.feeders.network import Network
from dlmp_cosim.market.ancillary.products import Awards, Product
from dlmp_cosim.market.ancillary.quotes import Seller
from dlmp_cosim.market.ancillary.rounds import CapacityRound
from dlmp_cosim.market.substation.curve import HeadCurve
from dlmp_cosim.market.substation.limits import SharedLimit, binding, limits_of, shared_cost
from dlmp_cosim.market.substation.rounds import AdderRound, Said, Tolerances

NAME = SUBSTATION

SHARED_TOPICS = (
    Topic("substation/adder", "double", PRICE, "", "what shared limits add to the LMP"),
    Topic("substation/head_power_real", "double", "kW", "", "drawn by all feeders together"),
    Topic("substation/head_power_reactive", "double", "kvar", "", "the same, reactive"),
    Topic("substation/predicted_head_power_real", "double", "kW", "", "what their markets expect together"),
    Topic("substation/limit_upper", "double", "kW", "", "tightest limit on what they draw"),
    Topic("substation/limit_lower", "double", "kW", "", "tightest limit on what they feed back, negative"),
    Topic("substation/rounds", "double", "", "", "rounds of all feeders"),
    Topic("substation/exchanges", "double", "", "", "exchanges with the feeders, over all rounds"),
    Topic("substation/settled", "double", "", "", "1: every feeder settled at the adder that holds"),
    Topic("substation/record", "string", "", "", "limits, what binds, what every feeder said (JSON)"),
)
"""What the substation's own results file holds beside two rows for each feeder."""

RESTATED = 3
"""Rounds in which a rating in kVA makes room for the reactive power as it is; later ones would chase it."""
NO_LIMIT = 1e7
"""Stands in the results for a limit that there is not [kW]."""


def feeder_topics(name: str) -> tuple[Topic, ...]:
    """Rows of one feeder in the results of the substation."""
    return (
        Topic(f"{name}/head_power_real", "double", "kW", "", f"drawn by {name}"),
        Topic(f"{name}/predicted_head_power_real", "double", "kW", "", f"what the market of {name} expects"),
        Topic(f"{name}/lmp", "double", PRICE, "", f"LMP at the head of {name}"),
    )


@dataclass
class Ended:
    """How an interval went: what every feeder said last, the adder, awards, sellers, rounds and exchanges."""

    adder: float
    responses: Mapping[str, Response]
    limits: tuple[SharedLimit, ...] = ()
    rounds: int = 0
    exchanges: int = 0
    settled: bool = False
    awards: Awards = field(default_factory=dict)
    prices: dict[Product, float] = field(default_factory=dict)
    sellers: dict[str, tuple[Seller, ...]] = field(default_factory=dict)


@dataclass
class Substation:
    """Calls for adders and capacity until every feeder settles and what they share holds.

    Parameters
    ----------
    study : SubstationStudy
        What the feeders share, and who they are.
    """

    study: SubstationStudy
    _adder: float = 0.0
    _before_kw: float | None = None
    _writer: ResultsWriter | None = None
    _stopped: dict[str, str] = field(default_factory=dict)
    _last_heads: dict[str, complex] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Read what the ancillary market needs, where there is one."""
        self._desk = Desk(self.study.plan) if self.study.plan is not None else None

    def initial(self) -> Mapping[str, Value]:
        """Publish nothing while initialising; but see that no other study's results stand in the way."""
        refuse_foreign(self.study.results_file, self.study.name)
        return {}

    def run(self, link: Link) -> None:
        """Play every interval."""
        self._writer = open_results(self.study)
        for interval in range(self.study.clock.intervals):
            ended = self._play(link, interval)
            self._record(link, self._writer, interval, ended)

    def close(self) -> None:
        """Close the results; every finished interval is in them already."""
        if self._writer is not None:
            self._writer.close()

    def _play(self, link: Link, interval: int) -> Ended:
        """Play the rounds of all feeders."""
        ended, rules = Ended(self._adder, {}), self.study.scenario.substation
        for window in range(rules.rounds_max):
            ended.rounds = window + 1
            self._window(link, interval, window, ended)
            if ended.settled or window == rules.rounds_max - 1:
                break
        self._adder = ended.adder
        return ended

    def _window(self, link: Link, interval: int, window: int, ended: Ended) -> None:
        """Play the exchanges of one round; `ended` is brought up to date."""
        rules, clock = self.study.scenario.substation, self.study.clock
        found: AdderRound | None = None
        final = window == rules.rounds_max - 1
        needs = self._desk.needs(interval) if self._desk is not None else ()
        capacity = CapacityRound(needs, ended.awards, ended.prices) if needs else None
        for exchange in range(rules.exchanges):
            turn = Turn(interval, window, exchange)
            link.wait_until(clock.call(interval, window, exchange))
            ended.responses = self._hear(link, turn)
            ended.exchanges += 1
            last = final or exchange == rules.exchanges - 1
            if capacity is not None and found is None:
                asked_awards = self._ask(capacity, ended, last=last or exchange >= rules.exchanges // 2)
                if asked_awards is not None:
                    call = Call(turn, ended.adder, quotes=True)
                    link.publish(CALL, call_text(call, held_by(asked_awards, ended.sellers, needs)))
                    continue
            if found is None:
                if window < RESTATED:
                    ended.limits = self._limits(ended.responses)
                found = AdderRound(ended.limits, ended.adder, Tolerances(rules.settle_kw, rules.settle_price))
            asked = found.hear(self._said(ended.responses), last=last)
            held = held_by(ended.awards, ended.sellers, needs)
            if asked:
                link.publish(CALL, call_text(Call(turn, ended.adder, asked), held))
                continue
            agreed = all(said.agreed for said in ended.responses.values())
            ended.settled = agreed and found.held and (capacity is None or capacity.held)
            ended.adder = found.adder
            self._end_round(link, Call(turn, ended.adder, final=ended.settled or final), ended, held)
            return

    def _ask(self, capacity: CapacityRound, ended: Ended, *, last: bool) -> Awards | None:
        """Take in what markets quote; awards to ask quotes for, or None when those of `ended` hold."""
        quotes = {name: said.quote for name, said in ended.responses.items() if said.quote is not None}
        ended.sellers |= {name: quote.sellers for name, quote in quotes.items()}
        if len(quotes) < len(ended.responses):
            return None
        asked = capacity.hear(quotes, last=last)
        if asked is None:
            ended.awards, ended.prices = capacity.awards, capacity.prices
        return asked

    def _end_round(self, link: Link, call: Call, ended: Ended, held: Mapping[str, Held]) -> None:
        """End the exchanges of a round: say what holds, and in the end what is called."""
        called = {}
        if self._desk is not None and call.final:
            expected = sum(said.head_kw for said in ended.responses.values())
            expected += sum(self._last_heads.get(name, 0j).real for name in self._stopped)
            called = called_by(self._desk.calls(call.turn.interval, ended.awards, expected))
        link.publish(CALL, call_text(call, held, called))
        link.publish("substation/adder", ended.adder)

    def _hear(self, link: Link, turn: Turn) -> dict[str, Response]:
        """Read what every feeder that has not stopped says."""
        since = self.study.clock.call(turn.interval, turn.window, turn.exchange) - 1.0
        heard = {}
        for name in self.study.members:
            key = in_federation(RESPONSE, name)
            said = self._of(name, partial(link.text, key, since=since), turn.interval)
            if said is not None:
                heard[name] = read_response(key, said, turn)
        return heard

    def _of(self, name: str, read: Any, interval: int) -> Any:
        """Read something of a feeder; None when it has stopped and the others go on without it.

        Raises
        ------
        FederationError
            When it has stopped and all are to end.
        """
        if name in self._stopped:
            return None
        try:
            return read()
        except FederationError as error:
            if self.study.scenario.substation.on_stop == "end":
                raise
            label = self.study.clock.label(interval)
            self._stopped[name] = f"{name} stopped in interval {interval} ({label}): {error}"
            return None

    def _said(self, responses: Mapping[str, Response]) -> list[Said]:
        """State responses for the search; a feeder that has stopped draws what it drew last."""
        still = [self._last_heads.get(name, 0j).real for name in self._stopped]
        heads = {adder: adder for said in responses.values() for adder, _ in said.heads}
        fixed = [Said(kw, dict.fromkeys(heads, kw), None) for kw in still]
        return [_said(item) for item in responses.values()] + fixed

    def _limits(self, responses: Mapping[str, Response]) -> tuple[SharedLimit, ...]:
        gone = sum(self._last_heads.get(name, 0j).imag for name in self._stopped)
        kvar = sum(item.head_kvar for item in responses.values()) + gone
        minutes = self.study.clock.period_s / SECONDS_PER_MINUTE
        return limits_of(self.study.scenario.substation.rules, kvar, self._before_kw, minutes)

    def _record(self, link: Link, writer: ResultsWriter, interval: int, ended: Ended) -> None:
        """Read what the physics made of the interval, and append it to the results."""
        clock = self.study.clock
        link.wait_until(clock.recording(interval))
        rows: dict[str, Value] = {}
        for name in self.study.members:
            head = self._of(name, partial(self._read_head, link, name, interval), interval)
            self._last_heads[name] = head if head is not None else self._last_heads.get(name, 0j)
            said = ended.responses.get(name)
            expected = said.head_kw if said is not None else self._last_heads[name].real
            lmp = self._of(name, partial(self._read_lmp, link, name, interval), interval)
            values = (self._last_heads[name].real, expected, float("nan") if lmp is None else lmp)
            rows |= {t.key: float(v) for t, v in zip(feeder_topics(name), values, strict=True)}
        drawn = sum(self._last_heads.values())
        self._before_kw = drawn.real
        expected_kw = sum(float(np.asarray(rows[feeder_topics(name)[1].key])) for name in self.study.members)
        more: dict[str, Any] = {}
        if self._desk is not None:
            market, given = (ended.awards, ended.prices), self._responses(link, interval)
            quotes = {name: said.quote for name, said in ended.responses.items()}
            own, more = self._desk.close(interval, (drawn.real, expected_kw), market, quotes, given)
            rows |= own
        rows |= self._row(interval, ended, drawn, expected_kw, more)
        writer.append(rows)
        link.show(
            {"interval": interval + 1, "time": clock.label(interval), "adder": ended.adder, "kw": drawn.real}
        )

    def _responses(self, link: Link, interval: int) -> dict[str, dict[str, float]]:
        """Read what resources gave beside their energy; nothing of a feeder that has stopped."""
        since = self.study.clock.at(interval, PRICE_SLOT)
        found = {}
        for name, member in self.study.members.items():
            key = in_federation("feeder/response_real", name)
            values = self._of(name, partial(link.vector, key, since=since), interval)
            if values is not None:
                pairs = zip(member.network.resource_ids, values.tolist(), strict=True)
                found[name] = {resource: kw for resource, kw in pairs if kw}
        return found

    def _row(
        self, interval: int, ended: Ended, drawn: complex, expected_kw: float, more: Mapping[str, Any]
    ) -> dict[str, Value]:
        above = min((limit.kw for limit in ended.limits if limit.above), default=NO_LIMIT)
        below = max((limit.kw for limit in ended.limits if not limit.above), default=-NO_LIMIT)
        values: tuple[Value, ...] = (
            ended.adder, drawn.real, drawn.imag, expected_kw, above, below,
            float(ended.rounds), float(ended.exchanges), float(ended.settled),
            self._text(interval, ended, drawn, more),
        )  # fmt: skip
        return {topic.key: value for topic, value in zip(SHARED_TOPICS, values, strict=True)}

    def _text(self, interval: int, ended: Ended, drawn: complex, more: Mapping[str, Any]) -> str:
        """Write the record of an interval."""
        dark = [name for name, member in self.study.members.items() if _open(member, interval)]
        held = binding(ended.limits, ended.adder)
        feeders = {
            name: {
                "head_kw": said.head_kw, "agreed": said.agreed,
                "curve": [list(pair) for pair in said.curve], "flexibility": said.flexibility,
            }
            for name, said in ended.responses.items()
        }  # fmt: skip
        return encode(
            {
                "interval": interval,
                "adder": ended.adder,
                "binding": held.cause if held is not None else "",
                "limits": [asdict(limit) for limit in ended.limits],
                "shared_cost": shared_cost(ended.limits, drawn.real),
                "settled": ended.settled,
                "stopped": list(self._stopped.values()),
                "feeders": feeders,
            }
            | ({"ancillary": more} if more else {})
            | ({"open": dark} if dark else {})
        )

    def _read_head(self, link: Link, name: str, interval: int) -> complex:
        """Read the realised power at the head of a feeder [kVA]."""
        since = self.study.clock.at(interval, PRICE_SLOT)
        parts = [
            link.vector(in_federation(f"feeder/head_power_{part}", name), since=since).sum()
            for part in ("real", "reactive")
        ]
        return complex(*parts)

    def _read_lmp(self, link: Link, name: str, interval: int) -> float:
        since = self.study.clock.at(interval, PRICE_SLOT)
        return link.number(in_federation("wholesale/lmp", name), since=since)


def _open(member: Study, interval: int) -> bool:
    """Whether the head of a feeder is open."""
    return member.member is not None and head_open(member.member.disruptions, interval, known=False)


def _said(response: Response) -> Said:
    curve = None
    if response.curve:
        adders, powers = (np.array(side) for side in zip(*response.curve, strict=True))
        curve = HeadCurve(adders, powers)
    return Said(response.head_kw, dict(response.heads), curve)


def open_results(study: SubstationStudy) -> ResultsWriter:
    """Create the results file of the substation: rows of its own, and two for each feeder."""
    rows = [topic for name in study.members for topic in feeder_topics(name)]
    hashes = {
        f"{name}/{file}": value
        for name, member in study.members.items()
        for file, value in member.input_hashes().items()
    }
    section = study.scenario.ancillary
    tables = section.tables if section is not None else ()
    own = hashes_of(study.folder, (study.scenario_file.name, *tables))
    manifest = {
        "scenario": study.scenario.model_dump(mode="json"),
        "inputs": own | hashes,
        "versions": versions(),
        "seed": study.scenario.study.seed,
    }
    topics = [*SHARED_TOPICS, *((*DESK_TOPICS, *PRODUCT_TOPICS) if study.scenario.ancillary else ()), *rows]
    bare = Network(study.name, (), (), (), ())
    text = json.dumps(manifest, sort_keys=True)
    return create_results(study.results_file, bare, study.clock, topics, constant={}, manifest=text)


if __name__ == "__main__":
    raise SystemExit(main(NAME, Substation))
