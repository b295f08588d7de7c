"""What a network does to a negotiation, measured: delay times hops, and what is late keeps old prices."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from dlmp_cosim.federates.study.study import Study, load_study
from dlmp_cosim.runners.cli import main
from dlmp_cosim.runners.measure import network
from dlmp_cosim.runners.measure.network import Sample, measure

STUDY = Path(__file__).parents[3] / "configs" / "ieee123_agents"


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """Two intervals of the example."""
    scenario = load_study(STUDY).scenario
    time = scenario.time.model_copy(update={"intervals": 2})
    results = scenario.results.model_copy(update={"file": str(tmp_path / "results.h5")})
    return Study(STUDY, scenario.model_copy(update={"time": time, "results": results}))


def test_time_grows_with_the_delay_and_the_agreement_stays(study: Study) -> None:
    short, long = (measure(study, "interior-point", 4, (delay, 0.0), 60.0) for delay in (0.01, 0.1))
    assert long.seconds == pytest.approx(10 * short.seconds)
    assert long.most == pytest.approx(10 * short.most)
    assert (short.rounds, short.packets, short.late) == (long.rounds, long.packets, 0)
    assert short.price_error == long.price_error == 0.0


def test_loss_costs_time_and_repetitions(study: Study) -> None:
    clean, lossy = (measure(study, "interior-point", 4, (0.02, loss), 60.0) for loss in (0.0, 0.1))
    assert clean.repeated == 0.0
    assert 0.02 < lossy.repeated < 0.5
    assert lossy.seconds > 2 * clean.seconds


def test_a_late_interval_keeps_the_prices_before(study: Study) -> None:
    whole = measure(study, "interior-point", 4, (0.1, 0.0), 60.0)
    late = measure(study, "interior-point", 4, (0.1, 0.0), 0.01)
    assert (late.late, late.price_error) == (2, np.inf)
    between = measure(study, "interior-point", 4, (0.1, 0.0), (whole.seconds + whole.most) / 2)
    assert between.late == 1


def test_kept_prices_are_those_of_the_last_interval_in_time() -> None:
    prices = np.array([[10.0, 10.0], [12.0, 10.0], [11.0, 15.0]])
    assert network._kept_error(prices, [False, True, True]) == 5.0
    assert network._kept_error(prices, [True, False, True]) == 5.0
    assert network._kept_error(prices, [True, True, False]) == 5.0
    assert network._kept_error(prices, [False, False, False]) == 0.0


def test_the_command_prints_and_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fake(
        _study: Study, method: network.Method, agents: int, net: tuple[float, float], _within: float
    ) -> Sample:
        delay, loss = net
        return Sample(method, agents, delay, loss, 90, 30 * delay + loss, 60 * delay + loss, 44, loss, 0, 0.0)

    monkeypatch.setattr(network, "measure", fake)
    picture = tmp_path / "network.png"
    done = CliRunner().invoke(main, ["network", str(STUDY), "--plot", str(picture), "--json"])
    assert done.exit_code == 0, done.output
    rows = json.loads(done.output)
    assert len(rows) == len(network.WAYS) * (len(network.DELAYS_S) + len(network.LOSSES))
    assert picture.stat().st_size > 10_000
    table = CliRunner().invoke(main, ["network", str(STUDY)])
    assert "interior-point, one a bus" in table.output
