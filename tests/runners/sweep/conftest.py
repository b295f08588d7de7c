"""Two workers that all tests of sweeps share, and a sweep of runs that take a second."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dlmp_cosim.runners.sweep.cluster import Workers, open_cluster

CONFIGS = Path(__file__).parents[3] / "configs"
SWEEP = f"""
name = "small"
base = "{CONFIGS / "ieee123_day"}"
draws = 3
seed = 4
keep = ["market/dlmp_real:mean"]

[fixed]
time.start = 2020-08-25T16:00:00
time.intervals = 2
time.period_s = 3600

[[axis]]
key = "feeder.load_scale"
uniform = [0.8, 1.2]

[[axis]]
name = "market"
cases = [
    {{ name = "none", market.model = "none", market.anchored = false }},
    {{ name = "broken", market.model = "toy_market:Helpless", market.on_failure = "fail" }},
]
"""


@pytest.fixture(scope="session")
def workers(quick_workers: None) -> Iterator[Workers]:
    del quick_workers
    with open_cluster(workers=2) as found:
        yield found


@pytest.fixture
def sweep_file(tmp_path: Path) -> Path:
    file = tmp_path / "small.toml"
    file.write_text(SWEEP)
    return file
