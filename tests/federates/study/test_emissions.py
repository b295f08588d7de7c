"""Rates of CO2 and what its price adds to offers; names that a scenario gets wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from toys import make_study

from dlmp_cosim.federates.study.emissions import carbon_cost, emission_rates, own_cost, with_carbon
from dlmp_cosim.federates.study.performance_sections import EmissionsSection
from dlmp_cosim.federates.study.study import Study, load_study
from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.market.horizon.terms import Ahead, Later
from dlmp_cosim.market.offers import Offer


def study(folder: Path, text: str, rates: str = "") -> Study:
    made = make_study(folder / "study")
    with (made / "scenario.toml").open("a") as file:
        file.write(text)
    if rates:
        (made / "rates.csv").write_text(f"minutes,value\n{rates}")
    return load_study(made)


def read_all(folder: Path, text: str, rates: str) -> None:
    """Read everything that a scenario says of CO2 and customers."""
    made = study(folder, text, rates)
    assert made.network.loads
    emission_rates(made, made.clock)


def test_a_table_of_rates_holds_from_its_minute_on(tmp_path: Path) -> None:
    made = study(tmp_path, '[emissions]\nrates = "rates.csv"\nprice = 20\n', "0,100\n2,400\n")
    assert emission_rates(made, made.clock).tolist() == [100.0, 100.0, 400.0, 400.0, 400.0, 400.0]
    assert carbon_cost(made, made.clock).tolist() == [2.0, 2.0, 8.0, 8.0, 8.0, 8.0]


def test_without_a_price_nothing_is_added(tmp_path: Path) -> None:
    made = study(tmp_path, "[emissions]\nrate = 500\nown = {dg = 300}\n")
    assert not carbon_cost(made, made.clock).any()
    assert own_cost(made.scenario.emissions) == {}


def test_offers_rise_by_their_own_rate_in_every_step() -> None:
    more = own_cost(EmissionsSection(rate=1.0, own={"dg": 500.0, "sun": 0.0}, price=30.0))
    assert more == {"dg": 15.0}
    first = Offer("dg", 0.0, 10.0, 20.0, ahead=Ahead(later=Later(cost_linear=(21.0, 22.0))))
    raised, other = with_carbon([first, Offer("sun", 0.0, 10.0, 1.0)], more)
    assert raised.cost_linear == 35.0
    assert raised.ahead is not None
    assert raised.ahead.later.cost_linear == (36.0, 37.0)
    assert other.cost_linear == 1.0


WRONG = {
    "negative": ('[emissions]\nrates = "rates.csv"\n', "0,-1\n", "a rate of -1 kg/MWh"),
    "both": ('[emissions]\nrate = 1\nrates = "rates.csv"\n', "0,1\n", "both rate and rates"),
    "no table": ('[emissions]\nrates = "rate.csv"\n', "", "cannot be read"),
    "generator": ("[emissions]\nown = {dgs = 1}\n", "", "did you mean 'dg'?"),
    "no generator": ("[emissions]\nown = {flex = 1}\n", "", "unknown generator 'flex'"),
    "load": ('[[group]]\nname = "a"\nloads = ["load_d"]\n', "", "unknown load 'load_d'"),
    "twice": (
        '[[group]]\nname = "a"\nloads = ["load_a"]\n[[group]]\nname = "b"\nloads = ["load_a"]\n',
        "",
        "load 'load_a' is in 'a' already",
    ),
    "same group": (
        '[[group]]\nname = "a"\nloads = ["load_a"]\n[[group]]\nname = "a"\nloads = ["load_b"]\n',
        "",
        "listed twice",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_named(tmp_path: Path, case: str) -> None:
    text, rates, says = WRONG[case]
    with pytest.raises(InputError) as caught:
        read_all(tmp_path, text, rates)
    assert says in str(caught.value)
