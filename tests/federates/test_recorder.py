from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from told import OFFERS, PRICE, state, status

from dlmp_cosim.federates.anchoring.hold import hold
from dlmp_cosim.federates.contract.exchange import clearing_values, state_values
from dlmp_cosim.federates.contract.messages import encode, offers_text
from dlmp_cosim.federates.recorder import Recorder
from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.federates.study.study import Study
from dlmp_cosim.feeders.readers.network_json import network_to_json
from dlmp_cosim.market.offers import WholesalePrice


def everything(study: Study, held: bool = False) -> dict[float, Any]:
    """All topics of one interval, as they stand in its last slot."""
    ac = state(study)
    clearing = hold(study.network, None, ac, OFFERS, WholesalePrice(30.0, 30.0))
    limits = [
        {"kind": "voltage_low", "where": "b.1", "value": 0.9, "limit": 0.95, "price": 1.0, "exceeded": False}
    ]
    record = {
        "interval": 0,
        "trials": 1,
        "status": "final",
        "settled": not held,
        "held": held,
        "limits": limits,
    }
    record |= {"rounds": [{"round": 1, "negotiation_rounds": 7}], "voltage_error_pu": None if held else 1e-5}
    return {
        0.0: {**PRICE, "feeder/network": network_to_json(study.network)},
        1.0: {**state_values(ac), **status("final", 1), "assets/offer": offers_text(0, OFFERS)},
        2.0: {**clearing_values(clearing), "market/clearing": encode(record)},
    }


@pytest.mark.parametrize("held", [False, True])
def test_the_recorder_writes_and_judges_an_interval(study: Study, scripted: Any, held: bool) -> None:
    link = scripted(everything(study, held))
    recorder = Recorder(study)
    recorder.run(link)
    recorder.close()
    recorder.close()
    assert link.now == 59.0
    verdict = json.loads(link.outputs["audit/verdict"])
    assert verdict["voltage_error_pu"] == pytest.approx(0.0, abs=1e-12)
    assert link.shown[0]["interval"] == 1
    with Results(study.results_file) as results:
        assert results.complete
        assert results.values("wholesale/lmp").tolist() == [30.0]
        assert results.values("audit/negotiation_rounds").tolist() == [7.0]
        assert np.isnan(results.values("audit/trial_voltage_error")[0]) == held
        assert results.values("audit/settled").tolist() == [float(not held)]
        assert results.records("audit/verdict") == [verdict]
        assert results.manifest["scenario"]["study"]["name"] == "toy"


def test_a_recorder_that_never_ran_closes(study: Study) -> None:
    Recorder(study).close()
    assert not study.results_file.exists()
