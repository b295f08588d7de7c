"""Compile the negotiation's loops, as the first run of each method would: ``python compile_loops.py``.

Every process that runs before this is done would compile them for itself, and the tests start many at once.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from dlmp_cosim.federates.battery import Battery
from dlmp_cosim.federates.runtime.direct import run_direct
from dlmp_cosim.federates.runtime.local import ROLES
from dlmp_cosim.federates.study.study import RESULTS_VARIABLE, Study, load_study

CONFIGS = Path(__file__).parents[2] / "configs"
LOOPS = (
    ("ieee123_battery", "interior-point"),
    ("ieee123_day", "interior-point"),
    ("ieee123_day", "nst-pac"),
    ("ieee123_day", "pac"),
    ("ieee123_day", "pac-accelerated"),
)
"""Studies and methods that between them run all that is compiled."""


def short(name: str, method: str) -> Study:
    """Return an example study of a minute, cleared by a method."""
    study = load_study(CONFIGS / name)
    scenario = study.scenario
    changes = {
        "time": scenario.time.model_copy(update={"intervals": 1}),
        "market": scenario.market.model_copy(update={"method": method}),
    }
    return Study(study.folder, scenario.model_copy(update=changes))


def main() -> None:
    for name, method in LOOPS:
        with tempfile.TemporaryDirectory() as place:
            os.environ[RESULTS_VARIABLE] = place
            study = short(name, method)
            run_direct(study, ROLES | {owner.name: Battery for owner in study.scenario.owner})


if __name__ == "__main__":
    main()
