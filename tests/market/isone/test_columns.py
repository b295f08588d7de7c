"""Which column holds what, whatever a layout calls it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.market.isone.columns import LOADS, PRICES, STAMPS, Measure, find_roles, plain


@pytest.mark.parametrize(
    ("name", "plainly"),
    [
        ("Hr_End", "hr end"),
        ("  Location   ID ", "location id"),
        ("RT_LMP", "rt lmp"),
        ("Energy\tComponent", "energy component"),
        ("Date/Time", "date/time"),
        ("", ""),
    ],
)
def test_names_are_read_without_case_and_blanks(name: str, plainly: str) -> None:
    assert plain(name) == plainly
    assert plain(plainly) == plainly


SMD = [
    "Date",
    "Hr_End",
    "DA_Demand",
    "RT_Demand",
    *(f"{market}_{part}" for market in ("DA", "RT") for part in ("LMP", "EC", "CC", "MLC")),
]


def test_an_smd_sheet_has_two_prices_and_two_demands() -> None:
    roles = find_roles(SMD)
    assert (roles.date, roles.hour, roles.stamps, roles.clock) == (0, 1, (), None)
    assert roles.measures == (
        Measure("lmp", "day_ahead", 4, (5, 6, 7)),
        Measure("lmp", "real_time", 8, (9, 10, 11)),
        Measure("load", "day_ahead", 2),
        Measure("load", "real_time", 3),
    )


@pytest.mark.parametrize(
    ("header", "measures"),
    [
        pytest.param(
            ["LMP", "Energy", "Congestion", "Loss"], (Measure("lmp", "", 0, (1, 2, 3)),), id="gridstatus"
        ),
        pytest.param(
            ["LmpTotal", "EnergyComponent", "CongestionComponent", "LossComponent"],
            (Measure("lmp", "", 0, (1, 2, 3)),),
            id="web services",
        ),
        pytest.param(
            [
                "Locational Marginal Price",
                "Energy Component",
                "Congestion Component",
                "Marginal Loss Component",
            ],
            (Measure("lmp", "", 0, (1, 2, 3)),),
            id="report",
        ),
        pytest.param(["LMP", "Energy", "Loss"], (Measure("lmp", "", 0),), id="two parts are no sum"),
        pytest.param(["Energy", "Congestion", "Loss"], (), id="parts alone are no price"),
        pytest.param(["DA_EC", "DA_CC", "DA_MLC"], (), id="nor are those of a day ahead"),
        pytest.param(
            ["Total Load", "Native Load"],
            (Measure("load", "total", 0), Measure("load", "native", 1)),
            id="two kinds of load",
        ),
        pytest.param(["Location", "Hour Ending"], (), id="nothing measured"),
    ],
)
def test_what_is_measured(header: list[str], measures: tuple[Measure, ...]) -> None:
    assert find_roles(header).measures == measures


@pytest.mark.parametrize(
    ("header", "role", "column"),
    [
        (["Interval End", "Interval Start"], "end", 0),
        (["Day", "HE"], "date", 0),
        (["Day", "HE"], "hour", 1),
        (["Local Time"], "clock", 0),
        (["LocId", "Location"], "id", 0),
        (["LocId", "Location"], "name", 1),
        (["Zone Name", "Load Zone ID"], "id", 1),
        (["Market", "LMP"], "market", 0),
        (["LMP"], "end", None),
        (["LMP"], "name", None),
    ],
)
def test_where_things_are(header: list[str], role: str, column: int | None) -> None:
    assert getattr(find_roles(header), role) == column


def test_the_surest_stamp_comes_first() -> None:
    """A start in UTC says more than a local one, and that more than a column called time."""
    roles = find_roles(["Time", "Interval Start", "Interval Start UTC"])
    assert roles.stamps == (2, 1, 0)


def test_of_two_columns_of_one_name_the_first_counts() -> None:
    assert find_roles(["LMP", "Date", "lmp", "DATE"]).measures[0].value == 0
    assert find_roles(["LMP", "Date", "lmp", "DATE"]).date == 1


@settings(max_examples=40)
@given(st.permutations([*SMD, "Interval Start", "Location"]))
def test_the_order_of_columns_means_nothing(header: list[str]) -> None:
    roles = find_roles(header)
    found = {header[part] for measure in roles.measures for part in (measure.value, *measure.parts)}
    assert found == set(SMD[2:])
    assert roles.date is not None
    assert header[roles.date] == "Date"
    assert [header[at] for at in roles.stamps] == ["Interval Start"]


@settings(max_examples=40)
@given(st.sampled_from(STAMPS + PRICES + tuple(LOADS)), st.sampled_from([str.upper, str.title, str.lower]))
def test_case_means_nothing(name: str, spell: object) -> None:
    spelt = spell(name)  # type: ignore[operator]
    assert find_roles([spelt, spelt.replace(" ", "_")]) == find_roles([name, name])
