"""Variants side by side: groups, tables and Markdown, from numbers made by hand."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.runners.compare.compare import (
    COLUMNS,
    as_tables,
    choose,
    markdown,
    metric_rows,
    plain,
)
from dlmp_cosim.runners.compare.metrics import blocks
from tests.runners.performances import FULL, PLAIN, metrics

THREE = [
    metrics("day_nodal", "full load", "nodal"),
    metrics("day_none", "full load", "none", violations=0),
    metrics("half_nodal", "half load", "nodal"),
]


def test_variants_that_differ_in_the_last_axis_are_one_group() -> None:
    found = blocks(THREE)
    assert {titles: [item.name for item in items] for titles, items in found.items()} == {
        ("full load",): ["day_nodal", "day_none"],
        ("half load",): ["half_nodal"],
    }


def lines(found: list[Any]) -> list[list[str]]:
    """Rows of the first table, cell by cell."""
    file = io.StringIO()
    as_tables(found)[0].print(Console(file=file))
    return [line.split("\t") for line in file.getvalue().splitlines()]


def test_a_line_has_a_cell_for_every_metric_of_the_table() -> None:
    title, heads, first, second = lines(THREE)
    assert title == ["full load"]
    assert heads == ["market", *(head for _, head in COLUMNS)]
    assert first == [
        "nodal", "1,234", "85", "0.026", "0.5", "34", "6.1e-05", "0.031", "1,890", "7.2", "2.5",
    ]  # fmt: skip
    assert second[:2] == ["none", "0"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (1e6, "1,000,000"),
        (99.4, "99"),
        (0.00012, "0.00012"),
        (-250.5, "-250"),
        (float("nan"), "nan"),
    ],
)
def test_numbers_have_as_many_digits_as_they_mean(value: float, text: str) -> None:
    assert lines([metrics("a", "x", "y", cost_usd=value)])[2][8] == text


def test_a_metric_that_one_variant_lacks_is_empty_there() -> None:
    rows = metric_rows([metrics("a", "x", found=FULL), metrics("b", "y", found=PLAIN)])
    table = {row[0]: row[1:] for row in rows}
    assert table["peak at the head [kW]"] == ("3,210", "3,210")
    assert table["CO2 [t]"] == ("23.625", "")
    assert table["regulator steps"] == ("17", "17")


def test_a_metric_that_is_no_number_is_empty() -> None:
    odd = replace(PLAIN, peak=replace(PLAIN.peak, load_factor=float("nan")))
    table = {row[0]: row[1:] for row in metric_rows([metrics("a", "x", found=odd)])}
    assert table["load factor [%]"] == ("",)


def test_markdown_is_a_table_of_equal_width_in_every_block() -> None:
    text = markdown(THREE)
    assert text.count("**full load**") == text.count("**half load**") == 1
    block = text.split("**full load**")[1].split("**half load**")[0]
    results, figures = (part.splitlines() for part in block.strip().split("\n\n"))
    assert {line.count("|") for line in results} == {len(COLUMNS) + 2}
    assert {line.count("|") for line in figures} == {4}
    assert results[2].startswith("| nodal | 1,234 | 85 |")


def test_a_variant_as_plain_data_can_be_written() -> None:
    found = json.loads(json.dumps(plain(metrics("a", "x", "y", found=FULL)), allow_nan=False))
    assert (found["name"], found["violations"], found["titles"]) == ("a", 1234, ["x", "y"])
    assert found["metrics"]["emissions"]["total_t"] == 23.625


VARIANTS: Any = [SimpleNamespace(name=name) for name in ("full_nodal", "full_none", "half_nodal")]


@pytest.mark.parametrize(
    ("only", "names"),
    [
        ((), ["full_nodal", "full_none", "half_nodal"]),
        (("nodal",), ["full_nodal", "half_nodal"]),
        (("half", "none"), ["full_none", "half_nodal"]),
    ],
)
def test_parts_of_names_choose_in_the_order_of_the_file(only: tuple[str, ...], names: list[str]) -> None:
    assert [item.name for item in choose(VARIANTS, only, Path("cases.toml"))] == names


def test_a_part_of_no_name_is_told() -> None:
    with pytest.raises(InputError) as caught:
        choose(VARIANTS, ("nodal", "haff_nodal"), Path("cases.toml"))
    assert str(caught.value) == (
        "cases.toml --only: no variant's name contains 'haff_nodal'; expected a part of a name such "
        "as full_nodal; "
        "did you mean 'half_nodal'?"
    )


@pytest.mark.parametrize("title", ["a|b", "| a |", "é ☃", "<b>&"])
def test_a_title_may_have_any_letters_in_markdown(title: str) -> None:
    rows = markdown([metrics("x", "full load", title)]).splitlines()
    escaped = title.replace("|", r"\|")
    assert sum(row.startswith(f"| {escaped} |") for row in rows) == 1
    assert f"| metric | {escaped} |" in rows
    widths = {
        row.replace(r"\|", "").count("|") for row in rows if row.startswith(("| market", f"| {escaped} "))
    }
    assert widths == {len(COLUMNS) + 2}
