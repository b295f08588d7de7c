"""`dlmp contract`: the topics that federates exchange, as a page generated from the contract itself."""

from __future__ import annotations

import math
import re
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import click

from dlmp_cosim.federates.contract.ahead import TERMS
from dlmp_cosim.federates.contract.topics import TOPICS, Feature, Topic, award_topic, offer_topic
from dlmp_cosim.market.horizon.terms import Later, Owed
from dlmp_cosim.market.offers import Offer

PAGE = Path("docs/contract.md")
HEAD = """# What federates exchange

Generated from `federates/contract/topics.py` by
`dlmp contract -o docs/contract.md`; a test holds this page to it.

Keys are global in HELICS. Vectors are real and ordered as the network that the feeder publishes as
`feeder/network` while initialising. Signs: loads and flows away from the substation are positive, resources
are positive towards the grid, a d-LMP is d cost / d load. Each topic has one publisher, the first part
of its key (`audit/...`: the recorder). Units are the same text at both ends: HELICS converts none in vectors.

Times count from the start of a market interval: prices and demand at t+0 s, offers at t+0 or t+1, the
forecast AC state at t+1, the market at t+2, t+4, ..., the feeder's answers at t+3, t+5, ..., the recorder
in the last second. What is published in one second is read in the next. Owners read their award in the
last but one.

| key | HELICS type | unit | one value for each | meaning |
| --- | --- | --- | --- | --- |
"""
IDS = {
    "node": "node `bus.phase`",
    "conductor": "conductor `element:terminal.node`",
    "machine": "machine `class.name`",
    "capacitor": "switched capacitor",
    "admittance": "entry `element[row,column]`",
    "load": "load",
    "head": "phase of the source",
    "tap": "regulator",
    "resource": "resource",
}
NEEDS: dict[Feature, str] = {
    "": "",
    "horizon": ", where the market looks ahead",
    "emissions": ", where emission rates are stated",
    "supply": ", where the LMP answers what the feeder draws",
    "substation": ", where feeders meet at a substation",
    "ancillary": ", where a substation has an ancillary market",
}
"""When a topic is there that is not in every study."""
OFFER = """
## Offers

`<federate>/offer` is one JSON text an interval:

```json
{"interval": 0, "offers": [{"resource": "battery_76", "p_min_kw": -150, "p_max_kw": 0, "cost_linear": 21.5}]}
```

`interval` counts from 0. A resource is offered by its owner alone, once. `p_min_kw`, `p_max_kw` and
`cost_linear` are needed. An offer that is wrong, late or absent is refused by name in `market/clearing`
(`refused`); its resource is not dispatched, and the market goes on. A rating (`s_max_kva`) above its own is
cut to it.

| field | unless given | |
| --- | --- | --- |
"""
FIELDS = {
    "resource": ("needed", "name of the resource"),
    "p_min_kw": ("needed", "least real power [kW]"),
    "p_max_kw": ("needed", "most real power [kW]"),
    "cost_linear": ("needed", "marginal cost at 0 kW [$/MWh]"),
    "cost_quadratic": ("0", "rise of the marginal cost [$/MWh per kW]"),
    "q_min_kvar": ("0", "least reactive power [kvar]"),
    "q_max_kvar": ("0", "most reactive power [kvar]"),
    "s_max_kva": ("the resource's", "apparent power limit [kVA]"),
    "reactive_ratio": ("a flexible load's own", "kvar with each kW, in place of the limits above"),
    "ahead": ("nothing", "what ties this interval to later ones: see below"),
    "capacity": ("nothing", "what it sells to the ancillary market of a substation: see below"),
    "market": ("retail", "where it takes part: `retail`, `wholesale` or `out`; see aggregators.md"),
}
AHEAD = """
## Terms over time

A market that looks ahead (`[market] horizon`) clears every step and dispatches the first. What an offer says
holds for all steps; `ahead` says more, and an owner that knows of no horizon leaves it out. The powers of the
offer itself are those of this interval, so they have to be what the resource can do now.

```json
{"resource": "battery_76", "p_min_kw": -150, "p_max_kw": 150, "cost_linear": 0,
 "ahead": {"store": {"energy_kwh": 300, "max_kwh": 600, "min_kwh": 60, "charge_efficiency": 0.95,
                     "discharge_efficiency": 0.95, "end_kwh": 300, "wear": 1}}}
```

Terms stand beside each other, but `sessions` stand alone. `sessions` is a list, and so is `owed`. What cannot
be met in mid-run is named in `market/horizon` (`short`), held at what it can do, and the market goes on.

| term | field | unless given | |
| --- | --- | --- | --- |
"""
CAPACITY = """
## Capacity

Where a substation has an [ancillary market](ancillary.md), an offer may sell capacity beside its energy; an
owner that knows of none leaves it out. Both are cleared together, within the limits of the offer, and no more
is sold than the energy behind it lasts for while a product may be called. A storage says what energy it has,
here or in `ahead.store`; without, its offer is refused.

```json
{"resource": "battery_76", "p_min_kw": -150, "p_max_kw": 150, "cost_linear": 40,
 "capacity": {"regulation_up": 4, "reserve": 2, "called": 60, "ramp_kw_per_minute": 30, "up_kwh": 228}}
```

| field | unless given | |
| --- | --- | --- |
"""
SOLD = {
    "regulation_up": ("not sold", "price of regulation upwards [$/MW for an hour]"),
    "regulation_down": ("not sold", "price of regulation downwards [$/MW for an hour]"),
    "reserve": ("not sold", "price of the reserve [$/MW for an hour]"),
    "called": ("the d-LMP", "what called energy is to be paid [$/MWh]"),
    "ramp_kw_per_minute": ("at once", "how fast it follows a call [kW/min]"),
    "p_min_kw": ("that of its energy", "least power that it can be called to [kW]"),
    "p_max_kw": ("that of its energy", "most power that it can be called to [kW]"),
    "up_kwh": ("no limit", "energy that it can still give, at its terminals [kWh]; a storage states it"),
    "down_kwh": ("no limit", "energy that it can still take, at its terminals [kWh]; a storage states it"),
}
ATTRIBUTE = re.compile(r"^    ([\w, ]+) : .*\n        (.*(?:\n        .*)*)", re.MULTILINE)
"""Names of a class's documented attributes, and what is said of them."""
TERM_CLASSES = {**TERMS, "rebound.owed": Owed, "later": Later}


def contract_page() -> str:
    """Return the page as Markdown."""
    rows = [_row(topic) for topic in (*TOPICS, offer_topic("<federate>"), award_topic("<federate>"))]
    names = [field.name for field in fields(Offer)]
    offers = [f"| `{name}` | {FIELDS[name][0]} | {FIELDS[name][1]} |" for name in names]
    terms = [row for term, kind in TERM_CLASSES.items() for row in _term_rows(term, kind)]
    sold = [f"| `{name}` | {unless} | {text} |" for name, (unless, text) in SOLD.items()]
    parts = (rows, offers, sold, terms)
    listed, offered, capacity, ahead = ("\n".join(part) + "\n" for part in parts)
    return HEAD + listed + OFFER + offered + CAPACITY + capacity + AHEAD + ahead


def _term_rows(term: str, kind: type[Any]) -> list[str]:
    """One row for each field of a term, in the words of its own documentation."""
    said = dict(ATTRIBUTE.findall(kind.__doc__ or ""))
    words = {
        name.strip(): " ".join(text.split()) for names, text in said.items() for name in names.split(",")
    }
    found = []
    for field in fields(kind):
        default = "needed" if field.default is MISSING else _default(field.default)
        found.append(f"| `{term}` | `{field.name}` | {default} | {words[field.name].rstrip('.')} |")
    return found


def _default(value: Any) -> str:
    if isinstance(value, tuple):
        return "none"
    return "the mean LMP" if math.isnan(value) else f"{value:g}"


def _row(topic: Topic) -> str:
    ids = IDS.get(topic.ids, "")
    meaning = topic.meaning + NEEDS[topic.needs]
    return f"| `{topic.key}` | {topic.type} | {topic.unit} | {ids} | {meaning} |"


@click.command("contract")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write the page here, do not print it.")
def contract_command(output: Path | None) -> None:
    """Say what topics federates exchange, as a page in Markdown."""
    show_page(contract_page(), output)


def show_page(page: str, output: Path | None) -> None:
    """Write a page into a file and name it, or print it."""
    if output is None:
        click.echo(page, nl=False)
    else:
        output.write_text(page, encoding="utf-8")
        click.echo(output)
