"""A feeder whose head is open: nothing of it is served, and everybody else goes on."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from toys import ROLES, ROOT, make_substation

from dlmp_cosim.federates.feeder import without_supply
from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.federates.runtime.direct import run_together
from dlmp_cosim.federates.study.substation import SubstationStudy, load_substation
from dlmp_cosim.feeders.errors import FeederError, InputError
from dlmp_cosim.runners.cli import main
from dlmp_cosim.runners.judge.central_adder import adder_gaps
from dlmp_cosim.runners.judge.substation import judge_substation
from dlmp_cosim.runners.judge.tiers import read_tiers
from dlmp_cosim.runners.report.headline import sentence
from dlmp_cosim.runners.report.runs import load_view

COLUMNS = "resource,kind,bus,phases,load,kw_max,kva_max,curtailable_share,cost_linear,cost_quadratic"
ASSETS = f"""{COLUMNS},reserve,regulation_down
dg,generator,b,abc,,300,300,,18,0.05,2,2
flex,flexible_load,,,load_a,,,0.2,25,0.1,,
"""
MARKET = """
[ancillary]
band_kw = 10
gate_minutes = 6
[ancillary.reserve]
requirement_kw = 60
minutes = 1
[ancillary.regulation_down]
requirement_kw = 60
minutes = 1
"""
OPEN = """
[[disruption]]
feeder = "two"
begin_minutes = 2
minutes = 2
"""
DARK = slice(2, 4)


def study_of(folder: Path, settings: str, model: str = "nodal") -> SubstationStudy:
    made = make_substation(folder / "all", "one", "two", settings=settings, model=model)
    for name in ("one", "two"):
        (made / name / "assets.csv").write_text(ASSETS)
    return load_substation(made)


def played(study: SubstationStudy) -> dict[str, Any]:
    run_together(study, {"one": ROLES, "two": ROLES})
    found: dict[str, Any] = {}
    for name in ("results", "one", "two"):
        with Results(study.results_file.parent / f"{name}.h5") as results:
            for key in results.keys:
                text = key.endswith(("record", "offer", "clearing", "status", "verdict", "call", "response"))
                found[f"{name}:{key}"] = results.records(key) if text else results.values(key)
    return found


@pytest.mark.parametrize("model", ["nodal", "branch_flow", "uniform"])
def test_nothing_of_it_is_served_while_its_head_is_open(tmp_path: Path, model: str) -> None:
    found = played(study_of(tmp_path, OPEN, model))
    whole = played(study_of(tmp_path / "whole", "", model))
    for key in ("head_power_real", "load_real", "losses_real", "voltage_magnitude"):
        assert not found[f"two:feeder/{key}"][DARK].any(), key
        assert found[f"two:feeder/{key}"][:2].all(), key
    assert not found["two:feeder/injection_real"][DARK].any()
    assert np.array_equal(found["two:feeder/head_power_real"][:2], whole["two:feeder/head_power_real"][:2])
    assert (found["two:feeder/demand_real"][DARK].sum(axis=1) > 300.0).all(), "it is asked for all the same"
    assert (found["two:feeder/head_power_real"][4:].sum(axis=1) > 0.0).all(), "it is back"
    one = "one:feeder/head_power_real"
    assert np.array_equal(found[one], whole[one]), "the other feeder does what it would"
    drawn = found["results:substation/head_power_real"]
    assert np.allclose(drawn, found[one].sum(axis=1) + found["two:feeder/head_power_real"].sum(axis=1))


def test_its_market_learns_of_it_an_interval_later(tmp_path: Path) -> None:
    found = played(study_of(tmp_path, OPEN))
    expected = found["two:market/predicted_head_power_real"].sum(axis=1)
    assert expected[2] > 100.0, "it does not know yet"
    assert expected[3] == 0.0
    assert found["two:market/dispatch_real"][2].any()
    assert not found["two:market/dispatch_real"][3].any()
    clearing = found["two:market/clearing"]
    assert clearing[3]["refused"] == ["dg: is out of service", "flex: is out of service"]
    assert clearing[3]["settled"]
    assert clearing[3]["notes"] == ["cleared nothing: the head of the feeder was open"]
    assert clearing[2]["refused"] == clearing[4]["refused"] == []
    assert clearing[4]["settled"]
    lmp = found["two:wholesale/lmp"]
    assert np.allclose(found["two:market/dlmp_real"][3], lmp[3])
    open_of = [record.get("open", []) for record in found["results:substation/record"]]
    assert open_of == [[], [], ["two"], ["two"], [], []]
    assert [status.get("head_open", False) for status in found["two:feeder/status"]] == [
        False, False, True, True, False, False
    ]  # fmt: skip


def test_the_verdict_says_how_many_kilowatt_hours_were_not_served(tmp_path: Path) -> None:
    study = study_of(tmp_path, OPEN)
    found = played(study)
    wanted = float(found["two:feeder/demand_real"][DARK].sum()) / 60.0
    with Results(study.results_file) as results:
        verdict = judge_substation(results)
        tiers = read_tiers(results)
    one, two = verdict.feeders
    assert (one.status, two.status, verdict.status) == ("feasible", "violated", "violated")
    assert two.unserved_kwh == pytest.approx(wanted)
    assert wanted > 10.0
    assert one.unserved_kwh == 0.0
    assert two.violations == 2, "one a interval, and not one for every node"
    assert abs(tiers.imbalance_usd) <= 1e-6
    path = study.results_file
    told = CliRunner().invoke(main, ["verdict", str(path)])
    assert told.exit_code == 2
    assert f"two: {wanted:,.1f} kWh were not served" in told.output
    alone = CliRunner().invoke(main, ["verdict", str(path.parent / "two.h5"), "--json"])
    assert json.loads(alone.output)["unserved_kwh"] == pytest.approx(wanted)
    assert "outage" in CliRunner().invoke(main, ["verdict", str(path.parent / "two.h5")]).output
    view = load_view(path.parent / "two.h5")
    assert view.breaches["outage"].tolist() == [0, 0, 1, 1, 0, 0]
    for voltage in (view.nodal["voltage"], view.point_voltage):
        assert np.isnan(voltage).all(axis=1).tolist() == [False, False, True, True, False, False]
    assert "the worst is no supply at a, in 2 intervals;" in sentence(view)


def test_nobody_is_paid_for_what_was_not_there(tmp_path: Path) -> None:
    """What was awarded where nobody knew yet is not paid for, and what was called there is short."""
    study = study_of(tmp_path, MARKET + OPEN)
    found = played(study)
    records = [record["ancillary"] for record in found["results:substation/record"]]
    assert records[2]["awards"]["two"], "sold before anybody knew"
    assert not records[3]["awards"].get("two")
    assert not found["two:feeder/response_real"][DARK].any()
    assert found["results:substation/deviation"][2] < -100.0, "less is drawn than was bought"
    assert found["results:regulation_down/called"][3] == pytest.approx(60.0, abs=0.1)
    assert found["results:regulation_down/delivered"][3] == pytest.approx(60.0, abs=0.1)
    with Results(study.results_file) as results:
        tiers, verdict = read_tiers(results), judge_substation(results)
        gaps = adder_gaps(results, 1)
    assert tiers.ancillary is not None
    assert verdict.ancillary is not None
    assert math.isfinite(tiers.ancillary.paid)
    assert abs(tiers.imbalance_usd) <= 1e-6
    assert not {2, 3} & {item.interval for item in gaps}
    assert gaps


def test_a_head_and_words_for_it_are_the_same(tmp_path: Path) -> None:
    says = study_of(tmp_path, OPEN.replace("begin", "head = true\nbegin"))
    (item,) = says.scenario.disruption
    assert (item.head, item.resource) == (True, None)
    member = says.members["two"].member
    assert member is not None
    assert [(d.resource, d.first, d.end) for d in member.disruptions] == [("", 2, 4)]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (OPEN.replace('"two"', '"tow"'), "there is no feeder 'tow', did you mean 'two'"),
        (
            OPEN.replace("begin", 'head = true\nresource = "dg"\nbegin'),
            "resource 'dg' and head are both given",
        ),
        (OPEN + "ramp_kw_per_minute = 3\n", "ramp_kw_per_minute is given and no resource"),
        (OPEN + OPEN.replace("= 2\nm", "= 3\nm"), "the head of 'two' is out twice from 3 min on"),
        (OPEN.replace("begin", "heat = true\nbegin"), "did you mean 'head'"),
    ],
)
def test_wrong_input_is_named(tmp_path: Path, settings: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        _ = study_of(tmp_path, settings).members


def test_disruptions_one_after_the_other_are_none_at_a_time(tmp_path: Path) -> None:
    study = study_of(tmp_path, OPEN + OPEN.replace("= 2\nm", "= 4\nm") + OPEN.replace('"two"', '"one"'))
    assert len(study.scenario.disruption) == 3


def test_a_state_without_supply_needs_one_to_start_from() -> None:
    with pytest.raises(FeederError, match="open before the first power flow"):
        without_supply(None, np.zeros(3, dtype=np.complex128))


def test_a_real_circuit_is_dark_and_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The 13-node feeder of the example: half an hour dark, and its regulators where they stood."""
    shutil.copytree(ROOT / "configs" / "substation_trip", tmp_path / "trip")
    monkeypatch.setenv("DLMP_RESULTS_DIR", str(tmp_path / "out"))
    file = tmp_path / "trip" / "bare" / "scenario.toml"
    text = file.read_text().replace('resource = "dg_671"             # 700 kW\n', "")
    assert text != file.read_text()
    file.write_text(text)
    study = load_substation(tmp_path / "trip" / "bare")
    run_together(study)
    with Results(study.results_file.parent / "village.h5") as results:
        volts, taps = results.values("feeder/voltage_magnitude"), results.values("feeder/regulator_tap")
        head, settled = results.values("feeder/head_power_real"), results.values("audit/settled")
    with Results(study.results_file) as results:
        verdict, drawn = judge_substation(results), results.values("substation/head_power_real")
    assert not volts[3:9].any()
    assert not head[3:9].any()
    assert (taps[3:9] == taps[3]).all()
    assert (volts[9:].min(axis=1) > 0.9).all()
    assert settled[4:].all()
    village = next(item for item in verdict.feeders if item.name == "village")
    assert village.unserved_kwh > 1000.0
    assert (drawn[3:9] < 0.7 * drawn[2]).all()
