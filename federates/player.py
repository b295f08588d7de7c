"""Price files for HELICS' own player, which can then stand in for the wholesale federate.

``python -m dlmp_cosim.federates.player configs/ieee123_player`` writes ``prices.json`` beside the
scenario; the runner file starts ``helics_player`` with it under the name ``wholesale``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from dlmp_cosim.federates.contract.messages import encode
from dlmp_cosim.federates.contract.topics import published_by
from dlmp_cosim.federates.study.series import load_series
from dlmp_cosim.federates.study.study import Study, load_study

FILE = "prices.json"
BEFORE_START = -1
"""Time at which the player publishes while initialising [s]."""


def player_text(study: Study) -> str:
    """Return the study's wholesale series as a file for ``helics_player`` (JSON).

    Raises
    ------
    InputError
        When a price or demand file cannot be used.
    """
    series, clock = load_series(study), study.clock
    topics = [
        {"key": topic.key, "type": topic.type, "global": True} | ({"unit": topic.unit} if topic.unit else {})
        for topic in published_by("wholesale")
    ]
    columns = {
        "wholesale/lmp": series.lmp,
        "wholesale/lmp_energy": series.energy,
        "wholesale/lmp_congestion": series.congestion,
        "wholesale/lmp_loss": series.loss,
        "wholesale/demand_ratio": series.demand_ratio,
    }
    points: list[dict[str, object]] = [
        {"key": "wholesale/source", "time": BEFORE_START, "value": encode(series.source)}
    ]
    points += [
        {"key": key, "time": int(clock.at(k, 0)), "value": float(values[k])}
        for k in range(clock.intervals)
        for key, values in columns.items()
    ]
    rows = ",\n  ".join(json.dumps(point) for point in points)
    heads = ",\n  ".join(json.dumps(topic) for topic in topics)
    return f'{{"publications": [\n  {heads}\n ],\n "points": [\n  {rows}\n ]}}\n'


def main(arguments: list[str] | None = None) -> None:
    """Write the price file of a study."""
    parser = argparse.ArgumentParser(description="Write a study's prices and demand for helics_player.")
    parser.add_argument("study", type=Path, help="folder with scenario.toml")
    folder = parser.parse_args(arguments).study
    (folder / FILE).write_text(player_text(load_study(folder)), encoding="utf-8")


if __name__ == "__main__":
    main()
