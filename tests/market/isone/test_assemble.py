"""Blocks of several files joined into one series."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.market.isone.assemble import Request, assemble
from dlmp_cosim.market.isone.blocks import Block
from dlmp_cosim.market.isone.clock import HOUR, day_start
from dlmp_cosim.market.isone.places import find_place
from dlmp_cosim.market.isone.series import Quantity, Series

MIDNIGHT = day_start(date(2020, 8, 25))


def block(
    values: list[float],
    *,
    first: int = 0,
    source: str = "a.csv",
    market: str = "real_time",
    keys: list[str] | str = "4008",
    quantity: Quantity = "lmp",
    **more: Any,
) -> Block:
    """Hourly rows from an hour of the day on, without parts."""
    n = len(values)
    table = np.full((n, 4), np.nan)
    table[:, 0] = values
    start = MIDNIGHT + HOUR * np.arange(first, first + n, dtype=np.int64)
    names = np.array([keys] * n if isinstance(keys, str) else keys)
    whole: dict[str, Any] = {"step_s": HOUR, "names": {}, "derived": (), "warnings": ()} | more
    return Block(quantity, market, source, "table", keys=names, start=start, values=table, **whole)


def joined(*blocks: Block, location: str | None = None, market: str | None = None, day: date | None = None,
           quantity: Quantity = "lmp") -> Series:  # fmt: skip
    place = None if location is None else find_place(location, quantity)
    return assemble(blocks, Request(quantity, place, market, day), "files")


def test_files_follow_each_other_whatever_their_order() -> None:
    found = joined(block([3.0, 4.0], first=2, source="b.csv"), block([1.0, 2.0]))
    assert found.values.tolist() == [1.0, 2.0, 3.0, 4.0]
    assert found.sources == ("b.csv", "a.csv")
    assert (found.location, found.location_id, found.unit) == (".Z.NEMASSBOST", "4008", "$/MWh")
    assert found.gaps == ((MIDNIGHT + 4 * HOUR, MIDNIGHT + 24 * HOUR),)


def test_equal_rows_count_once() -> None:
    found = joined(block([1.0, 2.0]), block([2.0, 3.0], first=1, source="b.csv"))
    assert (found.values.tolist(), found.duplicates) == ([1.0, 2.0, 3.0], 1)


def test_rows_that_differ_are_refused_with_both_files() -> None:
    with pytest.raises(InputError) as caught:
        joined(block([1.0, 2.0]), block([2.5], first=1, source="b.csv"))
    assert str(caught.value) == (
        "a.csv, b.csv: 2 and 2.5 for the same interval 2020-08-25 01:00-04:00; expected one value "
        "for one interval"
    )


def test_final_rows_take_the_place_of_preliminary_ones() -> None:
    early = block([1.0, 2.0, 3.0], market="real_time_preliminary")
    late = block([1.5, 2.5], market="real_time_final", source="b.csv")
    found = joined(early, late)
    assert found.values.tolist() == [1.5, 2.5, 3.0]
    assert (found.superseded, found.duplicates, found.market) == (2, 0, "real_time")
    assert found.derived == ("rows of 2 real_time_final, 1 real_time_preliminary",)


@settings(max_examples=40)
@given(st.permutations(range(3)))
def test_the_order_of_files_changes_no_value(order: list[int]) -> None:
    blocks = [
        block([1.0, 2.0], market="real_time_preliminary"),
        block([2.5, 3.0], first=1, market="real_time_final", source="b.csv"),
        block([3.0, 4.0], first=2, market="real_time_final", source="c.csv"),
    ]
    found = joined(*(blocks[k] for k in order))
    assert found.values.tolist() == [1.0, 2.5, 3.0, 4.0]
    assert (found.superseded, found.duplicates) == (1, 1)


@pytest.mark.parametrize(
    ("have", "asked", "taken"),
    [
        (["day_ahead", "real_time"], None, "real_time"),
        (["day_ahead", "real_time_final"], None, "real_time_final"),
        (["day_ahead", "unstated"], None, "unstated"),
        (["day_ahead", "real_time"], "day_ahead", "day_ahead"),
    ],
)
def test_a_market_that_is_not_asked_for_is_taken_in_order(
    have: list[str], asked: str | None, taken: str
) -> None:
    blocks = [block([float(k)], market=name, source=name) for k, name in enumerate(have)]
    assert joined(*blocks, market=asked).market == taken


def test_a_market_that_a_file_does_not_state_is_that_of_the_request() -> None:
    found = joined(block([1.0], market="unstated"), market="day_ahead")
    assert found.derived == ("market day_ahead stated by the request, not by the file",)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"quantity": "load"}, "files: no load in the files (they hold lmp)"),
        (
            {"market": "day_ahed"},
            ("files: unknown market 'day_ahed'; expected one of real_time, day_ahead; did you mean "
            "'day_ahead'?"),
        ),
        (
            {"location": "NEMASSBOS"},
            ("files: no rows of location 'NEMASSBOS'; expected one of 4008 .Z.NEMASSBOST; "
            "did you mean 'NEMASSBOST'?"),
        ),
        ({"location": "4001"}, "files: no rows of location '.Z.MAINE'; expected one of 4008 .Z.NEMASSBOST"),
        (
            {"day": date(2020, 8, 27)},
            ("files: no rows on 2020-08-27; "
            "expected a day within 2020-08-25 00:00-04:00 to 2020-08-25 02:00-04:00"),
        ),
    ],
)  # fmt: skip
def test_what_is_not_there(asked: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        joined(block([1.0, 2.0]), block([5.0], market="day_ahead", source="b.csv"), **asked)
    assert str(caught.value) == message


def test_two_locations_have_to_be_told_apart() -> None:
    both = block([1.0, 2.0], keys=["4008", "77"], names={"77": "UN.A 1"})
    with pytest.raises(InputError) as caught:
        joined(both)
    assert str(caught.value) == (
        "files: 2 locations in the files; expected location: one of 4008 .Z.NEMASSBOST, 77 UN.A 1"
    )
    assert joined(both, location="NEMA").values.tolist() == [1.0]
    assert joined(both, location="un.a 1").location_id == "77"


def test_a_file_that_states_no_location_is_of_the_one_asked_for() -> None:
    found = joined(block([1.0], keys=""), location="VT")
    assert found.location == ".Z.VERMONT"
    assert found.derived == ("location stated by the request, not by the file",)


def test_steps_do_not_mix() -> None:
    with pytest.raises(InputError) as caught:
        joined(block([1.0]), block([2.0], first=5, step_s=300, source="b.csv"))
    assert (
        str(caught.value) == "files: files of different steps: 5 min and 60 min; expected files of one step"
    )


def test_parts_are_there_where_every_row_has_them() -> None:
    whole = block([3.0, 6.0])
    whole.values[:, 1:] = [[1.0, 1.0, 1.0], [2.0, 2.0, 2.0]]
    assert [part.tolist() for part in joined(whole).parts] == [[1.0, 2.0]] * 3
    whole.values[1, 2] = np.nan
    assert joined(whole).parts == ()


def test_warnings_name_their_file_where_there_are_several() -> None:
    odd, plain = block([1.0], warnings=("odd",)), block([2.0], first=1, source="b.csv")
    assert joined(odd).warnings == ("odd",)
    assert joined(odd, plain).warnings == ("a.csv: odd",)


def test_a_day_is_cut_out_by_eastern_time() -> None:
    long = block([float(k) for k in range(-2, 26)], first=-2)
    found = joined(long, day=date(2020, 8, 25))
    assert found.values.tolist() == [float(k) for k in range(24)]
    assert found.gaps == ()
