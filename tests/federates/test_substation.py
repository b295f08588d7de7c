"""Toy feeders that meet at a substation: as alone while nothing binds, at one adder where something does."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toys import ROLES, ROOT, make_study, make_substation

from dlmp_cosim.federates.contract.messages import Case
from dlmp_cosim.federates.market import MarketFederate
from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.federates.runtime.direct import run_direct, run_together
from dlmp_cosim.federates.runtime.link import Link
from dlmp_cosim.federates.study.study import load_study
from dlmp_cosim.federates.study.substation import SubstationStudy, load_any, load_substation
from dlmp_cosim.feeders.errors import ClearingError, FederationError, InputError, ResultsError
from dlmp_cosim.feeders.network import Network
from dlmp_cosim.runners.judge.substation import judge_substation
from dlmp_cosim.runners.judge.tiers import read_tiers

TWO = {"one": ROLES, "two": ROLES}


def rows(path: Path) -> dict[str, Any]:
    """Everything that has a row per interval."""
    with Results(path) as results:
        found: dict[str, Any] = {}
        for key in results.keys:
            try:
                found[key] = results.values(key)
            except ResultsError:
                found[key] = results.texts(key)
        return found


def together(tmp_path: Path, settings: str, **study: Any) -> dict[str, dict[str, Any]]:
    """Run two feeders; rows of the substation and of each."""
    loaded = load_substation(make_substation(tmp_path / "all", "one", "two", settings=settings, **study))
    run_together(loaded, TWO)
    folder = loaded.results_file.parent
    return {name: rows(folder / f"{name}.h5") for name in ("results", "one", "two")}


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, Any]]:
    """Rows of a feeder without a substation, by the model of its market."""

    @cache
    def once(model: str) -> dict[str, Any]:
        study = load_study(make_study(tmp_path_factory.mktemp("alone") / "study", model=model))
        run_direct(study, ROLES)
        return rows(study.results_file)

    return once


@pytest.mark.parametrize("settings", ["", "import_max_kw = 5000", "rating_kva = 4000\nexport_max_kw = 3000"])
@pytest.mark.parametrize("model", ["nodal", "branch_flow"])
def test_with_nothing_that_binds_a_feeder_is_as_alone(
    alone: Callable[[str], dict[str, Any]], tmp_path: Path, settings: str, model: str
) -> None:
    found = together(tmp_path, settings, model=model)
    for key, values in alone(model).items():
        own = found["one"][key]
        if isinstance(values, np.ndarray):
            assert np.array_equal(own, values, equal_nan=True), key
        else:
            assert own == values, key
    assert not found["one"]["market/dlmp_real_substation"].any()
    assert not found["results"]["substation/adder"].any()
    assert found["results"]["substation/settled"].all()


def test_a_limit_that_binds_is_held_at_one_adder(tmp_path: Path) -> None:
    free = together(tmp_path / "free", "", model="nodal")
    drawn = free["results"]["substation/head_power_real"]
    limit = float(np.sort(drawn)[-3]) - 20.0
    found = together(tmp_path / "held", f"import_max_kw = {limit}\nsettle_kw = 0.2", model="nodal")
    adder, total = (found["results"][f"substation/{key}"] for key in ("adder", "head_power_real"))
    assert (adder > 0.0).sum() >= 3
    assert (total <= limit + 0.5).all()
    assert np.allclose(total[adder > 0.0], limit, atol=0.5)
    for name in ("one", "two"):
        assert np.array_equal(found[name]["substation/adder"], adder)
        part = found[name]["market/dlmp_real_substation"]
        assert np.allclose(part[:, 0], adder, rtol=1e-6)
        energy = found[name]["market/dlmp_real_energy"]
        assert np.allclose(energy, found[name]["wholesale/lmp"][:, None])


def test_each_feeder_is_served_by_the_others(tmp_path: Path) -> None:
    """A limit on the sum moves no power of a feeder that has nothing to give, and it pays the same adder."""
    found = together(tmp_path, "import_max_kw = 500", model="nodal")
    record = [json.loads(text) for text in found["results"]["substation/record"]]
    assert all(item["binding"] == "import" for item in record if item["adder"] > 0.0)
    assert all(set(item["feeders"]) == {"one", "two"} for item in record)
    flexibility = record[0]["feeders"]["one"]["flexibility"]
    assert flexibility["up_kw"] + flexibility["down_kw"] > 0.0


def test_a_ramp_holds_from_interval_to_interval(tmp_path: Path) -> None:
    free = together(tmp_path / "free", "", model="nodal")["results"]["substation/head_power_real"]
    fastest = float(np.abs(np.diff(free)).max())
    rate = fastest / 2
    found = together(tmp_path / "held", f"ramp_kw_per_minute = {rate}", model="nodal")["results"]
    assert np.abs(np.diff(found["substation/head_power_real"])).max() <= rate + 1.0
    assert found["substation/adder"].any()


def test_what_cannot_be_held_gives_way_at_its_price(tmp_path: Path) -> None:
    found = together(tmp_path, "import_max_kw = 0\npenalty = 70", model="nodal")["results"]
    adder, records = found["substation/adder"], [json.loads(text) for text in found["substation/record"]]
    beyond = adder == 70.0
    assert beyond.any()
    assert all((item["shared_cost"] > 0.05) == out for item, out in zip(records, beyond, strict=True))
    assert (found["substation/head_power_real"][~beyond] <= 1.0).all()


def test_a_peak_target_is_worth_its_price_and_no_more(tmp_path: Path) -> None:
    free = together(tmp_path / "free", "", model="nodal")["results"]["substation/head_power_real"]
    settings = f"peak_target_kw = {float(free.min()) - 30.0}\npeak_price = 2"
    found = together(tmp_path / "wished", settings, model="nodal")["results"]
    adder, drawn = found["substation/adder"], found["substation/head_power_real"]
    assert ((adder > 0.0) & (adder <= 2.0)).all()
    assert (drawn <= free + 0.5).all()
    assert (adder == 2.0).any()


def test_feeders_of_a_substation_have_the_same_intervals(tmp_path: Path) -> None:
    folder = make_substation(tmp_path / "all", "one", "two")
    scenario = folder / "two" / "scenario.toml"
    scenario.write_text(scenario.read_text().replace("intervals = 6", "intervals = 7"))
    with pytest.raises(InputError, match=r"time\.intervals = 7, and 'one' has 6"):
        _ = load_substation(folder).members


def test_rounds_of_all_feeders_fit_into_an_interval(tmp_path: Path) -> None:
    folder = make_substation(tmp_path / "all", "one", settings="")
    scenario = folder / "scenario.toml"
    scenario.write_text(scenario.read_text().replace("exchanges = 3", "exchanges = 9"))
    with pytest.raises(InputError, match=r"5 rounds of 9 exchanges take \d+ s of 60 s"):
        _ = load_substation(folder).members


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (('name = "two"', 'name = "one"'), "feeder 'one' is taken"),
        (('name = "two"', 'name = "substation"'), "feeder 'substation' is taken"),
        (('study = "two"', 'study = "tow"'), "'tow' is no study.*did you mean 'two'"),
        (("exchanges = 3", "exchange = 3"), "did you mean 'exchanges'"),
    ],
)
def test_a_wrong_scenario_is_named(tmp_path: Path, change: tuple[str, str], says: str) -> None:
    folder = make_substation(tmp_path / "all", "one", "two")
    scenario = folder / "scenario.toml"
    scenario.write_text(scenario.read_text().replace(*change))
    with pytest.raises(InputError, match=says):
        _ = load_substation(folder).members


def test_an_unknown_feeder_is_named(tmp_path: Path) -> None:
    folder = make_substation(tmp_path / "all", "one", "two")
    with pytest.raises(InputError, match=r"no feeder 'tow'.*did you mean 'two'"):
        load_any(folder, "tow")
    with pytest.raises(InputError, match="the scenario lists none"):
        load_any(folder / "one", "two")


def test_a_feeder_that_lacks_a_federate_is_named(tmp_path: Path) -> None:
    loaded = load_substation(make_substation(tmp_path / "all", "one", "two"))
    lacking = {name: build for name, build in ROLES.items() if name != "market"}
    with pytest.raises(FederationError, match=r"reads two\.market/.*, which nobody publishes"):
        run_together(loaded, {"one": ROLES, "two": lacking})


class _Failing(MarketFederate):
    """A market that fails in its third interval."""

    def _read_case(self, link: Link, interval: int, network: Network) -> Case:
        case = super()._read_case(link, interval, network)
        if interval == 2:
            raise ClearingError("no more today")
        return case


def failing(tmp_path: Path, on_stop: str) -> SubstationStudy:
    folder = make_substation(tmp_path / "all", "one", "two", "three", on_stop=on_stop, model="nodal")
    study = load_substation(folder)
    run_together(study, {"one": ROLES, "two": {**ROLES, "market": _Failing}, "three": ROLES})
    return study


def test_a_feeder_that_stops_ends_all(tmp_path: Path) -> None:
    with pytest.raises(ClearingError, match="no more today"):
        failing(tmp_path, "end")
    with Results(tmp_path / "together" / "results.h5") as results:
        assert results.intervals == 2


def test_or_is_named_and_the_others_go_on(tmp_path: Path) -> None:
    study = failing(tmp_path, "go_on")
    with Results(study.results_file) as results:
        assert results.complete
        records = results.records("substation/record")
        drawn = results.values("two/head_power_real")
        verdict = judge_substation(results)
    assert [len(item["stopped"]) for item in records] == [0, 0, 1, 1, 1, 1]
    assert "two stopped in interval 2 (2020-08-25T04:02Z): two.market/response" in records[-1]["stopped"][0]
    assert set(records[-1]["feeders"]) == {"one", "three"}
    assert (drawn[2:] == drawn[1]).all(), "it is taken to draw what it drew last"
    assert {item.name: item.status for item in verdict.feeders} == {
        "one": "feasible",
        "two": "unknown",
        "three": "feasible",
    }
    assert verdict.status == "unknown"
    with Results(study.results_file.parent / "two.h5") as results:
        assert results.intervals == 2


def test_both_tiers_close_on_one_ledger(tmp_path: Path) -> None:
    """Every dollar that leaves a participant, an operator or the wholesale market arrives somewhere."""
    folder = make_substation(tmp_path / "all", "one", "two", settings="import_max_kw = 50", model="nodal")
    study = load_substation(folder)
    run_together(study, TWO)
    with Results(study.results_file) as results:
        tiers = read_tiers(results)
        adder, drawn = results.values("substation/adder"), results.values("substation/head_power_real")
    assert abs(tiers.imbalance_usd) <= 1e-6
    assert adder.any()
    assert tiers.substation == pytest.approx(float((adder * drawn).sum()) / 60 / 1e3)
    assert tiers.substation == pytest.approx(tiers.bought - tiers.wholesale, abs=1e-6)
    for account in tiers.feeders.values():
        assert abs(account.balance) <= 1e-6
        assert account.resources["dg"] > 0.0
        assert all(value < 0.0 for value in account.customers.values())


def test_a_meter_that_disagrees_is_no_balance(tmp_path: Path) -> None:
    study = load_substation(make_substation(tmp_path / "all", "one", "two", model="nodal"))
    run_together(study, TWO)
    with Results(study.results_file) as results:
        tiers = read_tiers(results)
    assert abs(tiers.imbalance_usd) <= 1e-4
    wrong = replace(tiers, wholesale=tiers.wholesale + 1.0)
    assert wrong.imbalance_usd == pytest.approx(1.0, abs=1e-4)


EXAMPLE = ROOT / "configs" / "substation_day"


def test_the_feeders_of_the_example_are_as_alone_while_nothing_binds(tmp_path: Path) -> None:
    """Regulators, capacitors, exports and two circuits: value by value what each leaves by itself."""
    shutil.copytree(EXAMPLE, tmp_path / "all")
    names = ("north", "village", "solar")
    for scenario in (tmp_path / "all" / name / "scenario.toml" for name in names):
        text = scenario.read_text().replace("intervals = 144", "intervals = 3")
        scenario.write_text(
            text.replace("T00:00:00", "T16:10:00").replace('file = "', f'file = "{tmp_path}/')
        )
    scenario = tmp_path / "all" / "scenario.toml"
    text = scenario.read_text().replace("rating_kva = 6750", "rating_kva = 20000")
    scenario.write_text(text.replace('file = "', f'file = "{tmp_path}/'))
    study = load_substation(tmp_path / "all")
    run_together(study)
    for name in names:
        alone = load_study(tmp_path / "all" / name)
        run_direct(alone)
        found = rows(study.results_file.parent / f"{name}.h5")
        for key, values in rows(alone.results_file).items():
            same = (
                np.array_equal(found[key], values, equal_nan=True)
                if isinstance(values, np.ndarray)
                else found[key] == values
            )
            assert same, f"{name} {key}"
