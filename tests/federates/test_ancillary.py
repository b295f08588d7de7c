"""Toy feeders that sell capacity at a substation: what is bought, what is called, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toys import ROLES, ROOT, make_substation

from dlmp_cosim.federates.contract.messages import Case
from dlmp_cosim.federates.market import MarketFederate
from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.federates.runtime.direct import run_together
from dlmp_cosim.federates.runtime.link import Link
from dlmp_cosim.federates.study.substation import SubstationStudy, load_substation
from dlmp_cosim.feeders.errors import ClearingError, InputError, ResultsError
from dlmp_cosim.feeders.network import Network
from dlmp_cosim.runners.judge.central_adder import adder_gaps
from dlmp_cosim.runners.judge.substation import judge_substation
from dlmp_cosim.runners.judge.tiers import read_tiers

COLUMNS = "resource,kind,bus,phases,load,kw_max,kva_max,curtailable_share,cost_linear,cost_quadratic"
CAPACITY = "regulation_up,regulation_down,reserve,called,ramp_kw_per_minute"
ASSETS = f"""{COLUMNS},{CAPACITY}
dg,generator,b,abc,,300,300,,18,0.05,4,3,2,60,80
big,generator,b,abc,,250,250,,10,0.01,,,,,
flex,flexible_load,,,load_a,,,0.2,25,0.1,,,1,,
"""
RESERVE = """
[ancillary]
band_kw = 10
gate_minutes = 6
[ancillary.reserve]
requirement_kw = 300
minutes = 2
"""
TRIP = """
[[disruption]]
feeder = "one"
resource = "big"
begin_minutes = 1
minutes = 4
"""
SLOW = """
[[disruption]]
feeder = "two"
resource = "dg"
begin_minutes = 0
minutes = 6
ramp_kw_per_minute = 1
"""


def study_of(folder: Path, settings: str, assets: str = ASSETS, model: str = "nodal") -> SubstationStudy:
    made = make_substation(folder / "all", "one", "two", settings=settings, model=model)
    for name in ("one", "two"):
        (made / name / "assets.csv").write_text(assets)
    return load_substation(made)


Play = Callable[..., Mapping[str, Any]]


@pytest.fixture(scope="module")
def play(tmp_path_factory: pytest.TempPathFactory) -> Play:
    """What `played` finds, of the same settings once for all tests."""

    @cache
    def once(settings: str, model: str = "nodal") -> Mapping[str, Any]:
        return played(tmp_path_factory.mktemp("played"), settings, model=model)

    return once


def played(folder: Path, settings: str, assets: str = ASSETS, model: str = "nodal") -> dict[str, Any]:
    """Run two feeders; rows of the substation, its records, and rows of each feeder."""
    study = study_of(folder, settings, assets, model)
    run_together(study, {"one": ROLES, "two": ROLES})
    with Results(study.results_file) as results:
        found: dict[str, Any] = {
            key: results.values(key) for key in results.keys if key != "substation/record"
        }
        found["records"] = results.records("substation/record")
    for name in ("one", "two"):
        with Results(study.results_file.parent / f"{name}.h5") as results:
            for key in ("market/dispatch_real", "market/called_real", "feeder/response_real"):
                found[f"{name}.{key}"] = results.values(key)
            found[f"{name}.clearing"] = results.records("market/clearing")
            found[f"{name}.injection"] = results.values("feeder/injection_real")
    return found


@pytest.mark.parametrize("model", ["nodal", "branch_flow"])
def test_a_requirement_is_met_at_one_price(play: Play, model: str) -> None:
    found = play(RESERVE, model)
    # Two toy intervals of the balanced model do not settle with these generators, with a market or without.
    assert found["substation/settled"][2 if model == "branch_flow" else 0 :].all()
    assert np.allclose(found["reserve/requirement"], 300.0)
    assert np.allclose(found["reserve/procured"], 300.0, atol=1e-2)
    assert (found["reserve/price"] >= 1.0).all()
    for record, one in zip(found["records"], found["one.market/dispatch_real"], strict=True):
        awards = record["ancillary"]["awards"]
        assert sum(a["reserve"] for feeder in awards.values() for a in feeder.values()) == pytest.approx(
            300.0, abs=1e-2
        )
        assert "big" not in awards["one"], "it sells none"
        held = awards["one"].get("dg", {}).get("reserve", 0.0)
        assert one[0] + held <= 300.0 + 1e-6
        assert held <= 80.0 * 2 + 1e-6


def test_a_price_has_what_the_seller_gives_up_in_it(play: Play) -> None:
    """With the reserve of both generators used up to the ramp, the next kW is a load's."""
    found = play(RESERVE.replace("= 300", "= 70"))
    cheapest = play(RESERVE.replace("= 300", "= 5"))
    assert (found["reserve/price"] >= cheapest["reserve/price"] - 1e-6).all()


def test_what_trips_is_made_up_for(play: Play) -> None:
    found = play(RESERVE + TRIP)
    bare = play("[ancillary]\nband_kw = 10\ngate_minutes = 6\n" + TRIP)
    assert found["one.injection"][0, 1] > 200.0
    assert not found["one.injection"][1:5, 1].any()
    assert found["one.market/dispatch_real"][1, 1] > 200.0, "the market does not know yet"
    assert not found["one.market/dispatch_real"][2:5, 1].any()
    refused = [record["refused"] for record in found["one.clearing"]]
    assert refused[2] == ["big: is out of service"]
    assert refused[1] == []
    off, bare_off = found["substation/deviation"], bare["substation/deviation"]
    assert (bare_off[1:5] > 120.0).all()
    assert off[1] > 200.0
    assert (np.abs(off[3:5]) < 0.25 * bare_off[3:5]).all()
    assert found["reserve/called"][1] == 0.0
    assert found["reserve/called"][2] > 200.0
    assert (found["reserve/delivered"] <= found["reserve/called"] + 1e-6).all()


def test_a_response_follows_its_ramp_and_no_faster(play: Play) -> None:
    found = play(RESERVE + TRIP)
    for name in ("one", "two"):
        given, called = (
            found[f"{name}.{key}"][:, 0] for key in ("feeder/response_real", "market/called_real")
        )
        assert np.abs(np.diff(given)).max() <= 80.0 + 1e-9
        assert (given[:2] == 0.0).all()
        assert given[3] == pytest.approx(min(called[3], 160.0))


def test_a_slow_resource_is_late_or_short(play: Play) -> None:
    found = play(RESERVE + TRIP + SLOW)
    given = found["two.feeder/response_real"][:, 0]
    assert given[2] == pytest.approx(1.0)
    assert given[3] == pytest.approx(2.0)


def test_a_replayed_signal_calls_its_share(tmp_path: Path) -> None:
    settings = """
[ancillary]
gate_minutes = 6
[ancillary.regulation_up]
requirement_kw = "need.csv"
minutes = 1
signal = "agc.csv"
[ancillary.regulation_down]
requirement_kw = 20
minutes = 1
signal = "agc.csv"
"""
    folder = tmp_path / "all"
    folder.mkdir()
    (folder / "agc.csv").write_text("minutes,value\n0,0\n1,0.5\n3,-1\n5,0\n")
    (folder / "need.csv").write_text("minutes,value\n0,10\n2,30\n")
    found = played(tmp_path, settings)
    assert np.allclose(found["regulation_up/requirement"], [10, 10, 30, 30, 30, 30])
    assert np.allclose(found["regulation_up/procured"], [10, 10, 30, 30, 30, 30], atol=1e-2)
    assert np.allclose(found["regulation_up/called"], [0, 5, 15, 0, 0, 0], atol=1e-2)
    assert np.allclose(found["regulation_down/called"], [0, 0, 0, 20, 20, 0], atol=1e-2)
    assert np.allclose(found["regulation_down/delivered"], found["regulation_down/called"], atol=1e-2)
    down = found["one.feeder/response_real"] + found["two.feeder/response_real"]
    assert np.allclose(down.sum(axis=1), [0, 5, 15, -20, -20, 0], atol=0.05)
    quiet = played(tmp_path / "quiet", "[ancillary]\ngate_minutes = 6\n")
    same = np.abs(found["substation/deviation"] - quiet["substation/deviation"])
    assert (same < 5.0).all(), "a call by a file is no deviation, but for its losses"


def test_the_market_is_judged_and_settled(tmp_path: Path) -> None:
    study = study_of(tmp_path, RESERVE + TRIP + SLOW, ASSETS.replace("4,3,2,60,80", "4,3,2,90,80"))
    run_together(study, {"one": ROLES, "two": ROLES})
    with Results(study.results_file) as results:
        judged = judge_substation(results)
        verdict, status = judged.ancillary, judged.status
        tiers = read_tiers(results)
        price = results.values("reserve/price")
    assert verdict is not None
    (reserve,) = verdict.products
    assert reserve.short_intervals == 0
    answered = {(item.feeder, item.resource): item for item in verdict.answers}
    assert answered["one", "dg"].answer == "delivered"
    slow = answered["two", "dg"]
    assert slow.answer == "short"
    assert slow.missed_kw > 50.0
    assert slow.delivered_kwh < 0.1 * slow.called_kwh
    assert verdict.out_of_band >= 1
    assert (verdict.counted, verdict.counted_calls, status) == ("unpriced", 1, "violated")
    ledger = tiers.ancillary
    assert ledger is not None
    assert abs(ledger.imbalance_usd) <= 1e-6
    assert abs(tiers.imbalance_usd) <= 1e-6
    paid = {(item.feeder, item.resource): item for item in ledger.sellers}
    assert paid["one", "dg"].called_usd > paid["two", "dg"].called_usd
    assert paid["two", "dg"].capacity_usd < paid["one", "dg"].capacity_usd, "what did not come is not paid"
    assert ledger.collected <= float(price.sum()) * 300.0 / 1e3 / 60.0 + paid["one", "dg"].called_usd + 1e-2


SCARCE = RESERVE.replace("= 300", "= 900")
"""More reserve than there is: the requirement gives way at its cap."""
JUDGED = {
    "": (SCARCE, "feasible", 0, 0),
    "none": (SCARCE + TRIP + SLOW, "feasible", 0, 0),
    "all": (SCARCE, "violated", 6, 0),
    "late": (RESERVE + TRIP + SLOW.replace("minutes = 6", "minutes = 4"), "violated", 0, 1),
}


@pytest.mark.parametrize("rule", JUDGED)
def test_the_scenario_says_what_makes_a_verdict_violated(tmp_path: Path, rule: str) -> None:
    settings, status, intervals, calls = JUDGED[rule]
    word = "all" if rule == "late" else rule
    key = f'band_kw = 10\nverdict = "{word}"' if word else "band_kw = 10"
    study = study_of(tmp_path, settings.replace("band_kw = 10", key))
    run_together(study, {"one": ROLES, "two": ROLES})
    with Results(study.results_file) as results:
        found = judge_substation(results)
        assert (results.values("reserve/price") > 999.0).all() == (rule != "late")
    assert found.ancillary is not None
    (reserve,) = found.ancillary.products
    assert found.status == status
    assert reserve.counted_intervals == intervals
    assert (found.ancillary.counted_calls >= 1) == bool(calls)
    assert reserve.short_intervals == (0 if rule == "late" else 6)


def test_a_requirement_missed_below_its_cap_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody asked the market to give way: awards that fall short at a low price are its own failure."""
    study = study_of(tmp_path, RESERVE)
    run_together(study, {"one": ROLES, "two": ROLES})
    with Results(study.results_file) as results:
        values = results.values

        def fewer(key: str) -> Any:
            return values(key) - (5.0 if key == "reserve/procured" else 0.0)

        monkeypatch.setattr(results, "values", fewer)
        found = judge_substation(results)
    assert found.ancillary is not None
    assert found.ancillary.products[0].counted_intervals == 6
    assert found.status == "violated"


def test_products_and_a_limit_hold_together(play: Play) -> None:
    free = play(RESERVE)
    limit = float(free["substation/head_power_real"].max()) - 15.0
    found = play(f"import_max_kw = {limit}\n" + RESERVE)
    assert found["substation/adder"].any()
    assert found["substation/settled"].all()
    assert (found["substation/head_power_real"] <= limit + 0.6).all()
    assert np.allclose(found["reserve/procured"], 300.0, atol=1e-2)


class _Failing(MarketFederate):
    """A market that fails in its third interval."""

    def _read_case(self, link: Link, interval: int, network: Network) -> Case:
        case = super()._read_case(link, interval, network)
        if interval == 2:
            raise ClearingError("no more today")
        return case


def test_when_a_feeder_stops_the_others_sell_what_they_have(tmp_path: Path) -> None:
    made = make_substation(tmp_path / "all", "one", "two", settings=RESERVE, on_stop="go_on", model="nodal")
    for name in ("one", "two"):
        (made / name / "assets.csv").write_text(ASSETS)
    study = load_substation(made)
    run_together(study, {"one": ROLES, "two": {**ROLES, "market": _Failing}})
    with Results(study.results_file) as results:
        assert results.complete
        procured, price = results.values("reserve/procured"), results.values("reserve/price")
        records = results.records("substation/record")
        verdict = judge_substation(results)
    assert np.allclose(procured[:2], 300.0, atol=1e-2)
    assert (procured[3:] < 200.0).all()
    assert np.allclose(price[3:], 1000.0)
    assert not records[-1]["ancillary"]["awards"].get("two")
    assert verdict.status == "unknown"
    assert verdict.ancillary is not None
    assert verdict.ancillary.products[0].short_intervals >= 3


def test_without_products_every_feeder_clears_as_before(tmp_path: Path) -> None:
    """A schedule is kept, and nothing else is said or done: the same bytes of everything."""
    kept = study_of(tmp_path / "kept", "[ancillary]\n")
    bare = study_of(tmp_path / "bare", "", ASSETS)
    for study in (kept, bare):
        run_together(study, {"one": ROLES, "two": ROLES})
    for name in ("one", "two"):
        with (
            Results(kept.results_file.parent / f"{name}.h5") as mine,
            Results(bare.results_file.parent / f"{name}.h5") as alone,
        ):
            assert set(mine.keys) - set(alone.keys) == {"market/called_real", "feeder/response_real"}
            assert not mine.values("feeder/response_real").any()
            for key in set(alone.keys) - {"market/response"}:
                try:
                    same = np.array_equal(mine.values(key), alone.values(key), equal_nan=True)
                except ResultsError:
                    same = mine.texts(key) == alone.texts(key)
                assert same, key


EXAMPLES = ROOT / "configs"


def played_example(
    name: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Results, SubstationStudy]:
    monkeypatch.setenv("DLMP_RESULTS_DIR", str(folder / name))
    study = load_substation(EXAMPLES / name)
    run_together(study)
    return Results(study.results_file), study


def test_the_trip_of_the_example_is_made_up_for_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare, _ = played_example("substation_trip/bare", tmp_path, monkeypatch)
    run, study = played_example("substation_trip", tmp_path, monkeypatch)
    trip = slice(3, 9)
    with bare, run:
        assert (bare.values("substation/deviation")[trip] > 700.0).all()
        off = run.values("substation/deviation")
        verdict, without = (judge_substation(item) for item in (run, bare))
        tiers = read_tiers(run)
        settled = run.values("substation/settled")
        gaps = adder_gaps(run, 2)
    assert off[3] > 700.0
    assert (np.abs(off[5:9]) <= 100.0).all()
    assert settled.all()
    market, other = verdict.ancillary, without.ancillary
    assert market is not None
    assert other is not None
    assert market.longest_minutes <= market.within_minutes == 10.0
    assert other.longest_minutes == 30.0
    assert all(item.short_intervals == 0 for item in market.products)
    assert {item.answer for item in market.answers} == {"delivered"}
    assert verdict.status == without.status == "feasible"
    assert abs(tiers.imbalance_usd) <= 1e-6
    assert tiers.ancillary is not None
    assert abs(tiers.ancillary.imbalance_usd) <= 1e-9
    assert study.scenario.ancillary is not None
    assert len(gaps) >= 3
    assert max(item.gap for item in gaps) <= 0.1
    assert max(abs(item.cost) for item in gaps) <= 1e-4


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (RESERVE.replace("[ancillary.reserve]", "[ancillary.reserves]"), "did you mean 'reserve'"),
        (RESERVE.replace("minutes = 2", "minutes = 0"), "greater than 0"),
        (RESERVE.replace("= 300", "= -1"), "requirement_kw"),
        (RESERVE.replace("gate_minutes = 6", "gate_minutes = 0.5"), "multiple of 1 min"),
        (RESERVE.replace("= 300", '= "none.csv"'), "none.csv cannot be read"),
        (
            RESERVE.replace("minutes = 2", 'minutes = 2\nsignal = "far.csv"'),
            r"far.csv leaves the range.*-1 to 1",
        ),
        (RESERVE.replace("band_kw", 'paid_by = "nobody"\nband_kw'), "paid_by"),
        (RESERVE + TRIP.replace('"one"', '"oen"'), "no feeder 'oen', did you mean 'one'"),
        (RESERVE + TRIP.replace('"big"', '"bgi"'), "unknown resource 'bgi'.*did you mean 'big'"),
        (RESERVE + TRIP.replace("minutes = 4", "minutes = 0"), "greater than 0"),
    ],
)
def test_a_wrong_scenario_is_named(tmp_path: Path, settings: str, says: str) -> None:
    (tmp_path / "all").mkdir()
    (tmp_path / "all" / "far.csv").write_text("minutes,value\n0,0\n1,1.5\n")

    def read() -> None:
        study = study_of(tmp_path, settings)
        _ = study.members, study.plan

    with pytest.raises(InputError, match=says):
        read()
