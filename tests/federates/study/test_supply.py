"""The supply curve of a scenario: a slope, a table, and what is wrong with one."""

from __future__ import annotations

from pathlib import Path

import pytest
from toys import make_study

from dlmp_cosim.federates.study.study import Study, load_study
from dlmp_cosim.federates.study.supply import supply_curve
from dlmp_cosim.feeders.errors import InputError


def study(folder: Path, text: str, table: str = "") -> Study:
    made = make_study(folder / "study")
    file = made / "scenario.toml"
    file.write_text(file.read_text().replace("[wholesale]\n", f"[wholesale]\n{text}\n"))
    if table:
        (made / "supply.csv").write_text(table)
    return load_study(made)


def test_there_is_none_unless_it_is_stated(tmp_path: Path) -> None:
    assert supply_curve(study(tmp_path, "slope = 0")) is None


def test_a_slope_is_a_line(tmp_path: Path) -> None:
    curve = supply_curve(study(tmp_path, "slope = 8\nslope_from_kw = 1000"))
    assert curve is not None
    assert [curve.rise_at(kw) for kw in (0.0, 1000.0, 2500.0)] == [-8.0, 0.0, 12.0]


def test_a_table_is_its_knots(tmp_path: Path) -> None:
    curve = supply_curve(study(tmp_path, 'supply = "supply.csv"', "# made up\nkw,rise\n0,0\n2000,4\n"))
    assert curve is not None
    assert curve.rise_at(1000.0) == 2.0


@pytest.mark.parametrize(
    ("text", "table", "says"),
    [
        ('slope = 1\nsupply = "supply.csv"', "kw,rise\n0,0\n1,1\n", "both slope and supply"),
        ('supply = "supply.csv"', "", "cannot be read"),
        ('supply = "supply.csv"', "kw,price\n0,0\n1,1\n", "is no supply curve; expected kw,rise"),
        ('supply = "supply.csv"', "kw,rise\n0,0\n", "does not rise"),
        ('supply = "supply.csv"', "kw,rise\n0,3\n1,2\n", "a rise that never falls"),
        ('supply = "supply.csv"', "kw,rise\n5,0\n1,2\n", "kw ascending"),
        ("slope = -1", "", "wholesale.slope"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, table: str, says: str) -> None:
    with pytest.raises(InputError) as caught:
        supply_curve(study(tmp_path, text, table))
    assert says in str(caught.value)
