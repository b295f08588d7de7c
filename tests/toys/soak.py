"""A federation of toys that weighs its process after every interval: ``python soak.py FOLDER INTERVALS``.

A process of its own, because what tests before it left to the allocator would be weighed as well. Python
keeps up to 2,000 tuples of every length that nobody uses any more, nearly a kB of them an interval, until it
collects all garbage: here it does so from time to time.
"""

from __future__ import annotations

import gc
import json
import resource
import sys
from collections.abc import Mapping
from pathlib import Path

from toys import ROLES, make_study

from dlmp_cosim.federates.runtime.link import Link
from dlmp_cosim.federates.runtime.local import run_local
from dlmp_cosim.federates.study.study import load_study

WEIGHTS = "weights.json"
"""File of the weights [kB], one an interval."""
COLLECTED = 50
"""After how many intervals garbage is collected, and a weight is comparable."""


def soak(folder: Path, intervals: int) -> list[int]:
    """Run a federation and return the memory of this process after every interval [kB]."""
    weights: list[int] = []

    class Weighing(ROLES["recorder"]):  # type: ignore[misc]
        def run(self, link: Link) -> None:
            show = link.show

            def weigh(figures: Mapping[str, float | str]) -> None:
                if (len(weights) + 1) % COLLECTED == 0:
                    gc.collect()
                weights.append(resident_kb())
                show(figures)

            link.show = weigh  # type: ignore[method-assign]
            super().run(link)

    run_local(load_study(make_study(folder / "study", intervals=intervals)), {**ROLES, "recorder": Weighing})
    return weights


def resident_kb() -> int:
    """Memory of this process [kB]."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() // 1024


if __name__ == "__main__":
    place = Path(sys.argv[1])
    (place / WEIGHTS).write_text(json.dumps(soak(place, int(sys.argv[2]))))
