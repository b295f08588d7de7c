from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.federates.battery import Battery, BatterySettings, energy_values, stored
from dlmp_cosim.federates.offering import Awarded, Interval
from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.federates.runtime.direct import run_direct
from dlmp_cosim.federates.runtime.local import ROLES
from dlmp_cosim.federates.study.study import Study, load_study
from dlmp_cosim.feeders.errors import InputError

CONFIGS = Path(__file__).parents[2] / "configs"
RULES = BatterySettings(energy_kwh=100.0, reserve_kwh=10.0, start_kwh=50.0, wear=1.0)
LEVELS = np.linspace(10.0, 100.0, 181)
ONE = Battery(load_study(CONFIGS / "ieee123_battery"))


@pytest.fixture
def battery() -> Battery:
    return Battery(load_study(CONFIGS / "ieee123_battery"))


def test_power_and_energy_differ_by_the_losses_of_each_way() -> None:
    assert stored(95.0, RULES) == pytest.approx(-100.0)
    assert stored(-100.0, RULES) == pytest.approx(95.0)


def test_energy_is_worth_what_the_dearest_hour_ahead_pays_less_losses_and_wear() -> None:
    worth = energy_values(np.array([20.0, 80.0, 20.0]), LEVELS, RULES, 500.0)
    assert worth[1][50] == pytest.approx((80.0 - 1.0) * 0.95)
    assert worth[2][50] == pytest.approx((20.0 + 1.0) / 0.95), "a kWh more is a kWh less to buy"


def test_energy_that_cannot_be_sold_in_time_is_worth_less() -> None:
    worth = energy_values(np.array([20.0, 80.0, 20.0]), LEVELS, RULES, 19.0)
    assert worth[1][5] == pytest.approx((80.0 - 1.0) * 0.95)
    assert worth[1][150] < 45.0


@given(st.lists(st.floats(0.0, 200.0), min_size=1, max_size=12))
def test_more_energy_is_never_worth_more_a_kwh(prices: list[float]) -> None:
    worth = energy_values(np.array(prices), LEVELS, RULES, 19.0)
    assert (np.diff(worth[0][1:-1]) <= 1e-6 * (1 + np.abs(worth[0]).max())).all()


@settings(max_examples=30, deadline=None)
@given(levels=st.lists(st.floats(0.0, 1.0), min_size=1, max_size=24), lmp=st.floats(-50.0, 300.0))
def test_any_award_within_its_offers_keeps_the_limits(levels: list[float], lmp: float) -> None:
    battery = ONE
    battery.energy = 300.0
    for number, share in enumerate(levels):
        now = Interval(number, 1.0, lmp, 0.5)
        (offer,) = battery.offer(now)
        kw = offer.p_min_kw + share * (offer.p_max_kw - offer.p_min_kw)
        figures = battery.award(now, {"battery_76": Awarded(kw, 0.0, 20.0, 0.0)})
        assert 60.0 - 1e-9 <= figures["energy"] <= 600.0 + 1e-9


def test_it_buys_cheap_and_sells_dear_and_never_in_between(battery: Battery) -> None:
    (cheap,) = battery.offer(Interval(3, 1.0, 5.0, 0.5))
    (dear,) = battery.offer(Interval(3, 1.0, 200.0, 0.5))
    assert (cheap.p_max_kw, dear.p_min_kw) == (0.0, 0.0)
    assert cheap.p_min_kw == -150.0
    assert dear.p_max_kw == 150.0
    assert cheap.cost_linear < dear.cost_linear


def test_a_start_outside_of_its_limits_is_refused(tmp_path: Path) -> None:
    source = CONFIGS / "ieee123_battery"
    folder = tmp_path / "configs" / "study"
    folder.mkdir(parents=True)
    (tmp_path / "configs" / "ieee123_day").symlink_to(CONFIGS / "ieee123_day")
    text = (source / "scenario.toml").read_text().replace("start_kwh = 300", "start_kwh = 20")
    (folder / "scenario.toml").write_text(text)
    with pytest.raises(InputError, match=r"owner\.battery\.settings: start_kwh is 20; expected 60 to 600"):
        Battery(load_study(folder))


def run(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, roles: dict[str, type]) -> Study:
    monkeypatch.setenv("DLMP_RESULTS_DIR", str(tmp_path))
    study = load_study(CONFIGS / name)
    run_direct(study, {**ROLES, **roles})
    return study


def test_a_day_of_a_battery_conserves_energy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    study = run("ieee123_battery", monkeypatch, tmp_path, {"battery": Battery})
    with Results(study.results_file) as results:
        assert results.complete
        energy = np.concatenate([[300.0], results.values("battery/energy")])
        kw = results.values("market/dispatch_real")[
            :, results.ids("market/dispatch_real").index("battery_76")
        ]
        injected = results.values("feeder/injection_real")[:, -1]
        assert not any(record["refused"] for record in results.records("market/clearing"))
        assert np.abs(results.values("audit/balance_error")).max() < 1e-3
        lmp = results.values("wholesale/lmp")
    moved = np.where(kw > 0, -kw / 0.95, -kw * 0.95)
    assert np.abs(np.diff(energy) - moved).max() < 1e-9
    assert np.abs(injected - kw).max() < 1e-9
    assert energy.min() >= 60.0 - 1e-9
    assert energy.max() <= 600.0 + 1e-9
    assert lmp @ kw > 0
    assert lmp[kw > 1].mean() > lmp[kw < -1].mean()
