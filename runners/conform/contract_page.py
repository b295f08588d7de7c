"""`dlmp contract`: the topics that federates exchange, as a page generated from the contract itself."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import click

from federates.contract.topics import TOPICS, Topic, offer_topic
from market.offers import Offer

PAGE = Path("docs/contract.md")
HEAD = """# What federates exchange

Generated from `federates/contract/topics.py` by `dlmp contract`; a test holds this page to it.

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
}


def contract_page() -> str:
    """Return the page as Markdown."""
    rows = [_row(topic) for topic in (*TOPICS, offer_topic("<federate>"))]
    names = [field.name for field in fields(Offer)]
    offers = [f"| `{name}` | {FIELDS[name][0]} | {FIELDS[name][1]} |" for name in names]
    return HEAD + "\n".join(rows) + "\n" + OFFER + "\n".join(offers) + "\n"


def _row(topic: Topic) -> str:
    ids = IDS.get(topic.ids, "")
    return f"| `{topic.key}` | {topic.type} | {topic.unit} | {ids} | {topic.meaning} |"


@click.command("contract")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), default=PAGE, show_default=True, help="Where to write."
)
def contract_command(output: Path) -> None:
    """Write the page of topics that federates exchange."""
    output.write_text(contract_page(), encoding="utf-8")
    click.echo(output)
