"""The page of the contract: a row for all that there is, and a file where one is wanted."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from itertools import groupby
from pathlib import Path

import pytest
from click.testing import CliRunner

from dlmp_cosim.federates.contract.topics import TOPICS
from dlmp_cosim.market.offers import Offer
from dlmp_cosim.runners.cli import main
from dlmp_cosim.runners.conform.contract_page import (
    FIELDS,
    IDS,
    NEEDS,
    TERM_CLASSES,
    _default,
    _term_rows,
    contract_page,
)


def test_every_topic_has_one_row_with_its_unit() -> None:
    lines = contract_page().splitlines()
    for topic in TOPICS:
        (row,) = (line for line in lines if line.startswith(f"| `{topic.key}` |"))
        assert row.split(" | ")[1:3] == [topic.type, topic.unit]


def test_rows_have_as_many_cells_as_their_heading() -> None:
    tables = groupby(contract_page().splitlines(), lambda line: line.startswith("|"))
    widths = [{line.count("|") for line in lines} for is_table, lines in tables if is_table]
    assert len(widths) == 4
    assert all(len(width) == 1 for width in widths)


def test_what_an_offer_may_say_is_told() -> None:
    assert set(FIELDS) == {field.name for field in fields(Offer)}


def test_topics_are_listed_by_what_is_known_of_them() -> None:
    assert {topic.ids for topic in TOPICS} - {""} <= set(IDS)
    assert {topic.needs for topic in TOPICS} <= set(NEEDS)


@dataclass
class Term:
    """A term.

    Attributes
    ----------
    kwh, max_kwh : float
        Energy now,
        and most of it [kWh].
    wear : float
        What a kWh costs.
    """

    kwh: float
    max_kwh: float = 5.0
    wear: float = math.nan


def test_a_term_is_told_in_the_words_of_its_documentation() -> None:
    assert _term_rows("store", Term) == [
        "| `store` | `kwh` | needed | Energy now, and most of it [kWh] |",
        "| `store` | `max_kwh` | 5 | Energy now, and most of it [kWh] |",
        "| `store` | `wear` | the mean LMP | What a kWh costs |",
    ]


@pytest.mark.parametrize("term", TERM_CLASSES)
def test_every_field_of_a_term_is_documented(term: str) -> None:
    assert len(_term_rows(term, TERM_CLASSES[term])) == len(fields(TERM_CLASSES[term]))


@pytest.mark.parametrize(
    ("value", "said"), [((), "none"), (math.nan, "the mean LMP"), (0.0, "0"), (0.95, "0.95"), (1e20, "1e+20")]
)
def test_what_holds_unless_given(value: object, said: str) -> None:
    assert _default(value) == said


def test_a_page_is_written_where_it_is_wanted(tmp_path: Path) -> None:
    file = tmp_path / "contract.md"
    result = CliRunner().invoke(main, ["contract", "-o", str(file)])
    assert (result.exit_code, result.output) == (0, f"{file}\n")
    assert file.read_text(encoding="utf-8") == CliRunner().invoke(main, ["contract"]).output


@pytest.mark.parametrize("words", [["contract", "-o", "none/page.md"], ["schema", "--folder", "file/schema"]])
def test_a_place_that_cannot_be_written_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 1
    assert result.output.startswith(f"error: {words[-1]}")
    assert result.output.count("\n") == 1
