"""What each federate of the package publishes and reads, derived from the contract: no file has to say it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from federates.contract.topics import TOPICS, Topic, find_topic, offer_topic, published_by
from federates.study.helics_config import FederateConfig, load_config
from federates.study.scenario import Scenario
from feeders.errors import InputError

ASSETS = "assets"
"""Owner of the resources in the asset table."""

FOR_THE_RECORD = ("wholesale/source",)
"""Topics that the market has no use for."""

OPTIONAL = ("audit/verdict",)
"""Topics that may have no publisher: a run without a recorder is a run."""

READS: dict[str, tuple[str, ...]] = {
    "wholesale": ("audit/verdict",),
    "feeder": (
        "wholesale/demand_ratio",
        "market/dispatch_real",
        "market/dispatch_reactive",
        "market/clearing",
    ),
    ASSETS: ("wholesale/demand_ratio",),
}
"""Topics that a federate reads, beside those of `market` and `recorder`, which follow from the owners."""

BUILT_IN = (*READS, "market", "recorder")
"""Federates of the package, which need no file."""


def default_config(federate: str, scenario: Scenario, folder: Path) -> FederateConfig:
    """HELICS configuration of a federate of the package, as the contract has it.

    Parameters
    ----------
    federate : str
        Name of the federate.
    scenario : Scenario
        Names the owners whose offers the market reads.
    folder : Path
        The study, where owners have files of their own.

    Raises
    ------
    InputError
        When the contract does not know such a federate: it needs a file of its own.
    """
    owners = (ASSETS, *(owner.name for owner in scenario.owner))
    if federate in READS:
        reads: Sequence[Topic] = [_known(key) for key in READS[federate]]
    elif federate == "market":
        reads = [*_wholesale_and_feeder(), *map(offer_topic, owners)]
    elif federate == "recorder":
        reads = _everything(owners, folder)
    else:
        raise InputError(
            "there is no such file",
            where=str(folder / f"{federate}.json"),
            expected=f"the HELICS configuration of {federate!r}",
        )
    publishes = published_by(federate) or (offer_topic(federate),)
    return _config(federate, publishes, reads)


def _known(key: str) -> Topic:
    found = find_topic(key)
    if found is None:
        raise InputError(f"unknown topic {key!r}", where="contract", expected="a topic of the contract")
    return found


def _wholesale_and_feeder() -> list[Topic]:
    """Everything that the market needs to know, the network first."""
    wanted = [topic for topic in TOPICS if topic.publisher in ("wholesale", "feeder")]
    return [topic for topic in wanted if topic.key not in FOR_THE_RECORD]


def _everything(owners: Sequence[str], folder: Path) -> list[Topic]:
    """All topics of the contract, the owners' offers, and the figures that owners publish beside them."""
    topics = [topic for topic in TOPICS if topic.publisher != "recorder"]
    topics += map(offer_topic, owners)
    seen = {topic.key for topic in topics}
    for owner in owners:
        file = folder / f"{owner}.json"
        for item in load_config(file).publications if file.is_file() else ():
            if item.key not in seen:
                topics.append(Topic(item.key, item.type, item.unit, "", item.info))
    return topics


def _config(federate: str, publishes: Iterable[Topic], reads: Iterable[Topic]) -> FederateConfig:
    """Write a configuration with the usual settings of the core."""

    def row(topic: Topic, **more: Any) -> dict[str, Any]:
        return {"key": topic.key, "type": topic.type, "unit": topic.unit, **more}

    return FederateConfig.model_validate(
        {
            "name": federate,
            "core_type": "zmq",
            "period": 1.0,
            "uninterruptible": True,
            "terminate_on_error": True,
            "publications": [row(topic, **{"global": True}) for topic in publishes],
            "subscriptions": [row(topic, required=topic.key not in OPTIONAL) for topic in reads],
        }
    )


def write_config(config: FederateConfig, file: Path) -> None:
    """Write a configuration as a HELICS file that a user may edit, one topic a line."""
    whole = config.model_dump(by_alias=True)
    lines = [
        f'  "{key}": {json.dumps(value)}'
        for key, value in whole.items()
        if key not in ("publications", "subscriptions")
    ]
    for section in ("publications", "subscriptions"):
        rows = [{name: v for name, v in row.items() if v != ""} for row in whole[section]]
        text = ",\n".join(f"    {json.dumps(row)}" for row in rows)
        lines.append(f'  "{section}": [\n{text}\n  ]')
    file.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
