from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from told import DISPATCH, PRICE, final_text
from toys import ToyEngine

from dlmp_cosim.federates.contract.messages import read_status, trial_text
from dlmp_cosim.federates.feeder import Feeder
from dlmp_cosim.federates.runtime.clock import market_slot
from dlmp_cosim.federates.study.study import Study
from dlmp_cosim.feeders.errors import FederationError, FeederError
from dlmp_cosim.feeders.network import IntArray
from dlmp_cosim.feeders.state import AcState


def play_feeder(study: Study, scripted: Any, script: dict[float, Any], engine: Any = None) -> Any:
    link = scripted({0.0: PRICE, **script})
    Feeder(study, engine or ToyEngine(study.network)).run(link)
    return link


def test_the_feeder_answers_the_forecast_every_trial_and_the_final(study: Study, scripted: Any) -> None:
    trial, final = float(market_slot(0)), float(market_slot(1))
    script = {
        trial: {**DISPATCH, "market/clearing": trial_text(0, 0, controls=False)},
        final: {**DISPATCH, "market/clearing": final_text()},
    }
    link = play_feeder(study, scripted, script)
    told = [(time, what) for time, what in link.trace if what in ("wait", "feeder/status")]
    assert told == [(t, what) for t in (1.0, 3.0, 5.0) for what in ("wait", "feeder/status")]
    assert read_status(link.outputs["feeder/status"]).stage == "final"
    assert link.outputs["feeder/injection_real"].tolist() == [90.0, 0.0]
    assert link.outputs["feeder/demand_real"].tolist() == [90.0, 100.0, 100.0]


class Watching(ToyEngine):
    """Remembers whether controls acted, and may fail."""

    def __init__(self, study: Study, fail_at: int = -1) -> None:
        super().__init__(study.network)
        self.controls: list[bool] = []
        self._fail_at = fail_at

    def solve(self, demand: Any, injection: Any, *, controls: bool) -> AcState:
        self.controls.append(controls)
        found = super().solve(demand, injection, controls=controls)
        return replace(found, converged=len(self.controls) - 1 != self._fail_at)


def test_controls_act_on_forecast_and_final_only(study: Study, scripted: Any) -> None:
    engine = Watching(study)
    script = {
        2.0: {**DISPATCH, "market/clearing": trial_text(0, 0, controls=False)},
        4.0: {**DISPATCH, "market/clearing": trial_text(0, 1, controls=False)},
        6.0: {**DISPATCH, "market/clearing": final_text(2)},
    }
    play_feeder(study, scripted, script, engine)
    assert engine.controls == [True, False, False, True]


def test_controls_act_in_trials_that_say_so(study: Study, scripted: Any) -> None:
    engine = Watching(study)
    script = {
        2.0: {**DISPATCH, "market/clearing": trial_text(0, 0, controls=True)},
        4.0: {**DISPATCH, "market/clearing": final_text()},
    }
    play_feeder(study, scripted, script, engine)
    assert engine.controls == [True, True, True]


class Stepping(Watching):
    """A tap and a capacitor that controls move up by one and two in a solution; knows where each began."""

    def __init__(self, study: Study) -> None:
        super().__init__(study)
        self.tap, self.closed, self.began = 0, 0, list[tuple[int, int]]()

    @property
    def capacitors(self) -> IntArray:
        return np.array([self.closed])

    def set_capacitors(self, closed: IntArray) -> None:
        (self.closed,) = closed.tolist()

    @property
    def taps(self) -> IntArray:
        return np.array([self.tap])

    def set_taps(self, taps: IntArray) -> None:
        (self.tap,) = taps.tolist()

    def solve(self, demand: Any, injection: Any, *, controls: bool) -> AcState:
        self.began.append((self.tap, self.closed))
        self.tap += controls
        self.closed += 2 * controls
        return super().solve(demand, injection, controls=controls)


@pytest.mark.parametrize(("resume", "began"), [(0, 1), (1, 2), (-1, 3)])
def test_a_resumed_trial_starts_from_the_taps_and_capacitors_that_it_had(
    study: Study, scripted: Any, resume: int, began: int
) -> None:
    engine = Stepping(study)
    final = json.dumps({**json.loads(final_text(2)), "resume": resume})
    script = {
        2.0: {**DISPATCH, "market/clearing": trial_text(0, 0, controls=True)},
        4.0: {**DISPATCH, "market/clearing": trial_text(0, 1, controls=True)},
        6.0: {**DISPATCH, "market/clearing": final},
    }
    link = play_feeder(study, scripted, script, engine)
    assert engine.began == [(tap, 2 * tap) for tap in (0, 1, 2, began)]
    assert link.outputs["feeder/regulator_tap"].tolist() == [began + 1]


def test_a_trial_that_does_not_converge_is_told_and_survived(study: Study, scripted: Any) -> None:
    seen: list[bool] = []

    def look(link: Any) -> None:
        seen.append(read_status(link.outputs["feeder/status"]).converged)
        link.inputs |= {**DISPATCH, "market/clearing": final_text()}
        link.published |= dict.fromkeys(link.inputs, 4.0)

    script = {2.0: {**DISPATCH, "market/clearing": trial_text(0, 0, controls=False)}, 4.0: look}
    play_feeder(study, scripted, script, Watching(study, fail_at=1))
    assert seen == [False]


@pytest.mark.parametrize("fail_at", [0, 1])
def test_a_forecast_or_final_that_does_not_converge_is_an_error(
    study: Study, scripted: Any, fail_at: int
) -> None:
    script = {2.0: {**DISPATCH, "market/clearing": final_text(0)}}
    with pytest.raises(FeederError, match=r"did not converge in interval 0 \(2020-08-25T04:00Z"):
        play_feeder(study, scripted, script, Watching(study, fail_at=fail_at))


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (trial_text(3, 0, controls=False), "is for interval 3 after 0 trials; expected interval 0 after 0"),
        (trial_text(0, 2, controls=False), "after 2 trials"),
        ("{}", "lacks interval"),
    ],
)
def test_a_market_out_of_step_is_named(study: Study, scripted: Any, record: str, message: str) -> None:
    with pytest.raises(FederationError, match=rf"market/clearing, published by 'market', .*{message}"):
        play_feeder(study, scripted, {2.0: {**DISPATCH, "market/clearing": record}})


def test_a_market_that_never_ends_is_named(study: Study, scripted: Any) -> None:
    script = {
        float(market_slot(n)): {**DISPATCH, "market/clearing": trial_text(0, n, controls=False)}
        for n in range(5)
    }
    with pytest.raises(FederationError, match="was never final in interval 0"):
        play_feeder(study, scripted, script)


def test_a_dispatch_that_is_old_is_refused(study: Study, scripted: Any) -> None:
    with pytest.raises(FederationError, match="market/dispatch_real"):
        play_feeder(
            study, scripted, {1.0: DISPATCH, 2.0: {"market/clearing": trial_text(0, 0, controls=False)}}
        )
