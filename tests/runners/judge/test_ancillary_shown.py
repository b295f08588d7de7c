"""What people read of an ancillary market: requirements, calls, and what the verdict counts."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from dlmp_cosim.market.ancillary.calls import CallAnswer
from dlmp_cosim.runners.judge.ancillary import AncillaryVerdict, ProductVerdict
from dlmp_cosim.runners.judge.ancillary_shown import show_ancillary, show_calls

PRODUCT = ProductVerdict("reserve", 3, 12.5, 2, 4.25, 1000.0, {"delivered": 5, "late": 1, "short": 2})
CALLS = (
    CallAnswer("south", "cell", "reserve", 7, 9, 20.0, 12.25, 31.0, "short"),
    CallAnswer("north", "dg", "reserve", 4, 5, 10.0, 10.0, 0.0, "delivered"),
)


def verdict(**changes: Any) -> AncillaryVerdict:
    whole: dict[str, Any] = {
        "band_kw": 50.0, "out_of_band": 4, "longest_minutes": 15.0, "within_minutes": 10.0,
        "products": (PRODUCT,), "answers": CALLS, "counted": "unpriced", "counted_calls": 1,
    }  # fmt: skip
    return AncillaryVerdict(**(whole | changes))


def shown(show: Any, found: AncillaryVerdict) -> list[str]:
    file = io.StringIO()
    show(Console(file=file, width=300), found)
    return file.getvalue().splitlines()


def test_requirements_and_calls_are_summed_up() -> None:
    title, heads, row, *rest = shown(show_ancillary, verdict())
    assert title == "Ancillary services"
    assert heads.split("\t")[0] == "product"
    assert row.split("\t") == ["reserve", "3 intervals", "12.50", "4.25", "1,000.00", "5", "1", "2"]
    assert rest == [
        "south.cell, reserve called in interval 7: short, 31.0 kW missing at most",
        "the verdict counts (unpriced) requirements missed in 2 intervals, and 1 calls",
        "more than 50 kW off what was bought in 4 intervals, for 15 min at the longest; products have 10 min",
    ]


def test_without_products_only_the_band_is_told() -> None:
    bare = verdict(products=(), answers=(), counted_calls=0, within_minutes=0.0)
    assert shown(show_ancillary, bare) == [
        "more than 50 kW off what was bought in 4 intervals, for 15 min at the longest"
    ]
    assert not bare.violated


def test_calls_are_told_in_the_order_of_time() -> None:
    _, first, second = shown(show_calls, verdict())
    assert first.split("\t") == ["north.dg", "reserve", "4", "1", "10.0", "10.0", "delivered"]
    assert second.split("\t") == ["south.cell", "reserve", "7", "2", "20.0", "12.2", "short"]


def test_nothing_called_is_said() -> None:
    assert shown(show_calls, verdict(answers=())) == ["nothing was called"]


def test_a_requirement_or_a_call_that_counts_makes_it_violated() -> None:
    met = ProductVerdict("reserve", 1, 1.0, 0, 1.0, 1.0, {})
    assert verdict().violated
    assert verdict(products=(met,)).violated
    assert verdict(counted_calls=0).violated
    assert not verdict(products=(met,), counted_calls=0).violated


def test_calls_of_one_interval_are_told_by_product_and_feeder() -> None:
    told = [("south", "reserve", 4), ("north", "reserve", 4), ("south", "regulation_up", 4)]
    told += [("south", "regulation_up", 9), ("south", "reserve", 2)]
    calls = tuple(
        CallAnswer(feeder, "cell", product, begin, begin + 1, 1.0, 1.0, 0.0, "delivered")
        for feeder, product, begin in told
    )
    _, *rows = shown(show_calls, verdict(answers=calls))
    assert [tuple(row.split("\t")[:3]) for row in rows] == [
        ("south.cell", "reserve", "2"),
        ("south.cell", "regulation_up", "4"),
        ("north.cell", "reserve", "4"),
        ("south.cell", "reserve", "4"),
        ("south.cell", "regulation_up", "9"),
    ]
