from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from told import PRICE
from toys import ToyWholesale, make_study

from dlmp_cosim.federates.assets import Assets
from dlmp_cosim.federates.study.study import Study, load_study
from dlmp_cosim.feeders.readers.network_json import network_to_json


def test_assets_offer_what_the_table_says(study: Study, scripted: Any) -> None:
    link = scripted({0.0: {**PRICE, "feeder/network": network_to_json(study.network)}})
    link.offers = ()
    Assets(study).run(link)
    table = json.loads(link.outputs["assets/offer"])
    assert table["interval"] == 0
    assert table["offers"][0] | {"resource": "dg", "p_max_kw": 300.0} == table["offers"][0]
    assert (
        table["offers"][1] | {"resource": "flex", "p_max_kw": 20.0, "reactive_ratio": 0.3}
        == table["offers"][1]
    )


def test_wholesale_publishes_at_the_start_of_each_interval(tmp_path: Path, scripted: Any) -> None:
    study = load_study(make_study(tmp_path / "three", intervals=3))
    link = scripted({})
    ToyWholesale(study).run(link)
    assert [time for time, what in link.trace if what == "wholesale/lmp"] == [0.0, 60.0, 120.0]
