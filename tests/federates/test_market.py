from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from told import OFFERS, PRICE, state, status
from toys import make_study

from dlmp_cosim.federates.contract.award import read_award
from dlmp_cosim.federates.contract.exchange import state_values
from dlmp_cosim.federates.contract.messages import offers_text
from dlmp_cosim.federates.market import MarketFederate
from dlmp_cosim.federates.runtime.clock import answer_slot
from dlmp_cosim.federates.study.study import Study, load_study
from dlmp_cosim.feeders.errors import ClearingError, FederationError
from dlmp_cosim.feeders.network import CapacitorBank, Element, Network, Terminal
from dlmp_cosim.feeders.readers.network_json import network_to_json


def answers(study: Study, first: float = 0.0) -> dict[float, Any]:
    """Forecast, and the same answer to every trial."""
    values = state_values(state(study, first))
    script: dict[float, Any] = {
        0.0: {**PRICE, "feeder/network": network_to_json(study.network)},
        1.0: {**values, **status("forecast"), "assets/offer": offers_text(0, OFFERS)},
    }
    for n in range(4):
        script[float(answer_slot(n))] = {**values, **status("trial", n)}
    return script


def play_market(study: Study, scripted: Any, script: dict[float, Any]) -> Any:
    link = scripted(script)
    link.offers = ("assets/offer",)
    MarketFederate(study).run(link)
    return link


def test_the_market_tries_before_it_dispatches(study: Study, scripted: Any) -> None:
    link = play_market(study, scripted, answers(study))
    record = json.loads(link.outputs["market/clearing"])
    assert [time for time, what in link.trace if what == "market/clearing"] == [2.0, 4.0]
    assert (record["status"], record["settled"], record["trials"], record["held"]) == (
        "final",
        True,
        1,
        False,
    )
    assert record["rounds"][0]["voltage_error_pu"] == pytest.approx(0.0, abs=1e-12)
    assert link.outputs["market/dispatch_real"].tolist() == pytest.approx([240.0, 20.0])
    assert set(link.outputs["market/dlmp_real"].tolist()) == {30.0}


def test_it_clears_again_when_physics_answers_otherwise(study: Study, scripted: Any) -> None:
    script = answers(study)
    other = state_values(state(study, 100.0))
    script |= {float(answer_slot(n)): {**other, **status("trial", n)} for n in range(4)}
    link = play_market(study, scripted, script)
    record = json.loads(link.outputs["market/clearing"])
    assert (record["settled"], record["trials"]) == (True, 2)
    assert record["rounds"][0]["head_error_kw"] == pytest.approx(100.0, rel=0.05)


def test_it_holds_when_nothing_settles_and_says_so(study: Study, scripted: Any) -> None:
    script = answers(study)
    for n in range(4):
        script[float(answer_slot(n))] = {**state_values(state(study, 50.0 * (n + 1))), **status("trial", n)}
    link = play_market(study, scripted, script)
    record = json.loads(link.outputs["market/clearing"])
    assert (record["settled"], record["held"], record["trials"]) == (False, True, 4)
    assert record["voltage_error_pu"] is None
    assert "after 4 rounds" in record["reason"]
    assert link.outputs["market/dispatch_real"].tolist() == [0.0, 0.0]


def test_failing_is_a_policy(tmp_path: Path, scripted: Any) -> None:
    study = load_study(make_study(tmp_path / "failing", intervals=1, on_failure="fail"))
    script = answers(study) | {3.0: status("trial", 0, converged=False)}
    with pytest.raises(ClearingError, match="did not converge"):
        play_market(study, scripted, script)


def test_a_refused_offer_changes_nothing_and_is_recorded(study: Study, scripted: Any) -> None:
    script = answers(study)
    rows = json.loads(offers_text(0, OFFERS))
    rows["offers"][0]["p_max_kw"] = 1e6
    script[1.0]["assets/offer"] = json.dumps(rows)
    link = play_market(study, scripted, script)
    assert link.outputs["market/dispatch_real"].tolist() == pytest.approx([0.0, 20.0])
    assert "'dg' offers 0 to 1e+06 kW" in json.loads(link.outputs["market/clearing"])["refused"][0]


@pytest.mark.parametrize(
    ("told", "message"),
    [
        (status("forecast", converged=False), "no converged power flow"),
        (status("trial"), "is the trial of interval 0"),
        (status("forecast", interval=4), "of interval 4"),
    ],
)
def test_a_feeder_out_of_step_is_named(
    study: Study, scripted: Any, told: dict[str, str], message: str
) -> None:
    script = answers(study)
    script[1.0] |= told
    with pytest.raises(FederationError, match=rf"feeder/status, published by 'feeder', .*{message}"):
        play_market(study, scripted, script)


def banked(study: Study) -> Network:
    """The toy feeder with a capacitor that a control switches."""
    none = ((0.0,),)
    bank = Element("capacitor.c", "capacitor", (Terminal("b", (1,)),), none, none, (1.0,), controlled=True)
    elements = (*study.network.elements, bank)
    return replace(
        study.network, elements=elements, capacitor_banks=(CapacitorBank("sw", "capacitor.c", 1, 0),)
    )


def play_together(tmp_path: Path, scripted: Any, steps: list[int], injected_kw: list[float]) -> Any:
    """Play one interval whose trials are answered with the capacitor, and the injections, given."""
    folder = make_study(tmp_path / "together", intervals=1)
    scenario = folder / "scenario.toml"
    scenario.write_text(scenario.read_text().replace("on_failure", 'controls = "together"\non_failure'))
    study = load_study(folder)

    def values(step: int, kw: float) -> dict[str, Any]:
        found = replace(state(study, kw), capacitor=np.array([step]), admittance=np.zeros(1, dtype=complex))
        return state_values(found)

    script = answers(study)
    script[0.0]["feeder/network"] = network_to_json(banked(study))
    script[1.0] |= values(0, 0.0)
    for n, (step, kw) in enumerate(zip(steps, injected_kw, strict=True)):
        script[float(answer_slot(n))] = {**values(step, kw), **status("trial", n)}
    return play_market(study, scripted, script)


def test_together_it_goes_round_until_controls_rest(tmp_path: Path, scripted: Any) -> None:
    link = play_together(tmp_path, scripted, [1, 1], [0.0, 0.0])
    record = json.loads(link.outputs["market/clearing"])
    assert (record["settled"], record["trials"], record["resume"]) == (True, 2, -1)
    assert [row["moved"] for row in record["rounds"]] == [["sw"], []]


def test_together_a_cycle_is_named_and_the_cheaper_trial_resumed(tmp_path: Path, scripted: Any) -> None:
    link = play_together(tmp_path, scripted, [1, 0, 1], [0.0, 50.0, 0.0])
    record = json.loads(link.outputs["market/clearing"])
    assert (record["settled"], record["held"], record["trials"], record["resume"]) == (False, False, 3, 1)
    assert "the market and sw move each other; trial 2 costs least" in record["reason"]


def test_together_trials_ask_for_controls_to_act(tmp_path: Path, scripted: Any) -> None:
    asked: list[bool] = []

    class Listening(scripted):  # type: ignore[misc]
        def publish(self, key: str, value: Any) -> None:
            if key == "market/clearing":
                asked.append(read_award(value).controls)
            super().publish(key, value)

    play_together(tmp_path, Listening, [1, 1], [0.0, 0.0])
    assert asked == [True, True, True]
