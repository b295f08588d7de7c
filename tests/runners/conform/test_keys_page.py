"""The page of a scenario's keys: current, complete, and true of what is accepted."""

from __future__ import annotations

import re
from pathlib import Path

from click.testing import CliRunner

from dlmp_cosim.federates.study.scenario import MarketSection, OwnedResource, Scenario, TimeSection
from dlmp_cosim.runners.cli import main
from dlmp_cosim.runners.conform.keys_page import PAGE, keys_page

ROOT = Path(__file__).parents[3]


def test_the_page_is_current() -> None:
    assert (ROOT / PAGE).read_text() == keys_page(), "run `dlmp keys -o docs/scenario.md`"


def test_every_key_has_a_row_that_says_what_it_means() -> None:
    page, lists = keys_page(), ("owner", "group", "profile")
    for model in (TimeSection, MarketSection, OwnedResource):
        for name, field in model.model_fields.items():
            assert re.search(rf"(?m)^\| `{name}` \| .* \| {re.escape(str(field.description))} \|$", page), (
                name
            )
    assert [f"## `[{name}]`" in page for name in Scenario.model_fields if name not in lists] == [True] * 10
    assert "## `[[group]]`" in page
    assert "## `[[profile]]`" in page
    assert "## `[[owner]]`" in page
    assert "## `[[owner.resource]]`" in page


def test_defaults_and_bounds_are_those_that_are_checked() -> None:
    page = keys_page()
    assert "| `voltage_min_pu` | `0.95` | number above 0 | lower voltage limit [pu] |" in page
    assert "| `intervals` | **needed** | integer at least 1 and at most 10,000,000 |" in page
    assert "| `anchored` | `true` | true or false |" in page
    assert "| `kva_max` | `not given` | number above 0 |" in page


def test_it_is_printed_or_written(tmp_path: Path) -> None:
    assert CliRunner().invoke(main, ["keys"]).output == keys_page()
    file = tmp_path / "keys.md"
    assert CliRunner().invoke(main, ["keys", "-o", str(file)]).output.strip() == str(file)
    assert file.read_text() == keys_page()
    shown = CliRunner().invoke(main, ["contract", "-o", str(tmp_path / "no" / "page.md")])
    assert shown.exit_code == 1
    assert shown.output.startswith("error: ")
