"""Wrong, late and absent offers in a real federation: refused by name, and the market clears the others."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from toys import ROLES, make_study

from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.federates.runtime.link import Link, Value
from dlmp_cosim.federates.runtime.local import run_local
from dlmp_cosim.federates.study.study import Study, load_study

OFFER = {"key": "rude/offer", "type": "string", "unit": "kW, kvar, $/MWh"}
HUGE = 100_000_000
UNIT = (
    '[[owner]]\nname = "rude"\n[[owner.resource]]\nname = "cell"\nkind = "storage"\nbus = "b"\nkw_max = 50\n'
)


def offer(interval: int, kw: float = 50.0) -> str:
    row = {"resource": "cell", "p_min_kw": 0.0, "p_max_kw": kw, "cost_linear": 1.0}
    return json.dumps({"interval": interval, "offers": [row]})


class Rude:
    """Says nothing, then nonsense, then too much, then something late, then 100 MB, then what is right."""

    def __init__(self, study: Study) -> None:
        self._clock = study.clock

    def initial(self) -> Mapping[str, Value]:
        return {}

    def run(self, link: Link) -> None:
        at = self._clock.at
        for interval, slot, text in (
            (1, 1, "nonsense"),
            (2, 1, offer(2, 51.0)),
            (3, 5, offer(3)),
            (4, 1, "x" * HUGE),
            (5, 1, offer(5)),
        ):
            link.wait_until(at(interval, slot))
            link.publish("rude/offer", text)

    def close(self) -> None:
        return


@pytest.fixture
def rude_study(tmp_path: Path) -> Study:
    folder = make_study(tmp_path / "study")
    scenario = folder / "scenario.toml"
    scenario.write_text(f"{scenario.read_text()}\n{UNIT}")
    for name in ("market", "recorder"):
        table = json.loads((folder / f"{name}.json").read_text())
        table["subscriptions"].append(OFFER | {"required": True})
        (folder / f"{name}.json").write_text(json.dumps(table))
    table = json.loads((folder / "assets.json").read_text())
    table |= {"name": "rude", "publications": [OFFER | {"global": True}]}
    (folder / "rude.json").write_text(json.dumps(table))
    return load_study(folder)


@pytest.mark.federation
def test_no_offer_stops_the_market(rude_study: Study) -> None:
    run_local(rude_study, {**ROLES, "rude": Rude})
    with Results(rude_study.results_file) as results:
        assert results.complete
        refused = [record["refused"] for record in results.records("market/clearing")]
        kw = results.values("market/dispatch_real")
        ids = results.ids("market/dispatch_real")
        texts = results.texts("rude/offer")
    reasons = [
        "rude/offer, published by 'rude', was never published",
        "rude/offer, published by 'rude', is not JSON: Expecting value at character 0",
        "rude: 'cell' offers 0 to 51 kW; it has 50.0001 kW",
        "rude/offer, published by 'rude', is for interval 2; expected 3",
        f"rude/offer, published by 'rude', has {HUGE} bytes; expected at most 12288",
    ]
    assert refused == [*([reason] for reason in reasons), []]
    assert texts[0] == ""
    assert texts[1] == "nonsense"
    assert texts[4] == "", "not recorded either"
    assert np.array_equal(kw[:, ids.index("cell")], [0, 0, 0, 0, 0, 50])
    assert kw[:, ids.index("dg")].min() > 0.0, "the others were cleared all the time"
