"""The comparison: two hours of two markets, measured from real runs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from dlmp_cosim.runners.compare.compare import choose, compare_command, markdown, plain
from dlmp_cosim.runners.compare.metrics import Metrics, blocks
from dlmp_cosim.runners.compare.variants import read_cases
from dlmp_cosim.runners.judge.outside import Emissions
from dlmp_cosim.runners.judge.performance import (
    Curtailment,
    Energy,
    LimitHours,
    Peak,
    Performance,
    ResourceUse,
)
from dlmp_cosim.runners.judge.voltage_quality import VoltageQuality

BASE = Path(__file__).parents[3] / "configs" / "ieee123_day"
CASES = f'''
base = "{BASE}"

[[loading]]
name = "evening"
title = "three dear hours"
"time.start" = "2020-08-25T15:00:00"
"time.intervals" = 3
"time.period_s" = 3600
"feeder.regulators" = "neutral"

[[market]]
name = "balanced"
title = "balanced"
"market.model" = "branch_flow"
"market.anchored" = false
"market.on_failure" = "dispatch_anyway"

[[market]]
name = "anchored"
title = "anchored"
'''
METRICS = Performance(
    Peak(2500.0, "2020-08-25 18:00", 0.0, 0.6, 900.0),
    Energy(9e3, 0.0, 1e3, 0.0, 9.8e3, 200.0, 0.02),
    VoltageQuality(0.94, 1.0, 0.01, 1e-5, 1e-3, 0.005, 0.01, "95", 9.0, 0.0),
    ResourceUse(4e3, 0.25, 0.0, float("nan"), 0.0, 0.0),
    Curtailment(100.0, 0.1, 0.0, 0.0),
    LimitHours(1.0, 1.0, 0.0, 0.0, 1.0),
)
SAMPLE = Metrics(
    "a_b",
    ("day", "b"),
    3,
    12,
    4,
    60.0,
    0.02,
    0.15,
    1e-3,
    2.0,
    1234.5,
    20.0,
    40.0,
    5.5,
    1.5,
    2.0,
    1,
    0.94,
    1.0,
    0.95,
    METRICS,
)


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory, quick_workers: None) -> tuple[Path, str]:
    del quick_workers
    folder = tmp_path_factory.mktemp("compare")
    cases = folder / "cases.toml"
    cases.write_text(CASES)
    # One worker: starting another and compiling twice takes longer than the two runs.
    result = CliRunner().invoke(compare_command, [str(cases), "-o", str(folder / "out"), "--jobs", "1"])
    assert result.exit_code == 0, result.output
    return folder / "out", result.output


@pytest.mark.federation
@pytest.mark.timeout(300)
def test_the_anchored_market_sees_what_the_balanced_one_does_not(compared: tuple[Path, str]) -> None:
    folder, output = compared
    balanced, anchored = json.loads((folder / "comparison.json").read_text())
    assert (balanced["name"], anchored["name"]) == ("evening_balanced", "evening_anchored")
    assert balanced["predicted_low"] >= 0.95 > balanced["voltage_low"]
    assert balanced["unpriced"] > 20
    assert anchored["violations"] == anchored["unsettled"] == 0
    assert anchored["voltage_error_pu"] <= 1e-4 < balanced["voltage_error_pu"]
    assert anchored["rounds_max"] <= 4
    assert anchored["metrics"]["limits"]["broken"] == 0.0 < balanced["metrics"]["limits"]["broken"]
    assert balanced["metrics"]["voltage"]["violation_pu"] > 0.0
    for name in ("violations.png", "lowest_voltage.png", "comparison.md"):
        assert (folder / name).stat().st_size > 200
    assert "anchored" in output
    assert "peak at the head [kW]" in output


def test_an_empty_choice_is_an_empty_comparison() -> None:
    assert blocks([]) == {}
    assert markdown([]).strip()


def test_markdown_has_a_block_for_each_group() -> None:
    other = replace(SAMPLE, name="c_b", titles=("night", "b"))
    text = markdown([SAMPLE, other, replace(SAMPLE, titles=("day", "c"))])
    assert text.count("**day**") == text.count("**night**") == 1
    assert "| b | 12 | 60 | 0.02 | 0.15 | 4 | 0.001 | 2 | 1,234 | 5.5 | 1.5 |" in text


def test_markdown_has_a_line_for_each_metric_of_any_variant() -> None:
    emits = replace(METRICS, emissions=Emissions(1.5, 0.5, 2.0, 200.0, 30.0, 60.0))
    other = replace(SAMPLE, titles=("day", "c"), metrics=emits)
    text = markdown([SAMPLE, other])
    assert "| metric | b | c |" in text
    assert "| peak at the head [kW] | 2,500 | 2,500 |" in text
    assert "| CO2 [t] |  | 2.000 |" in text
    assert "| flexible demand used [%] |  |  |" in text
    assert "emissions" not in plain(SAMPLE)["metrics"]
    assert plain(other)["metrics"]["emissions"]["total_t"] == 2.0
    assert plain(SAMPLE)["metrics"]["resources"]["flexible_share"] is None


def test_a_wrong_cases_file_ends_with_one_line(tmp_path: Path) -> None:
    result = CliRunner().invoke(compare_command, [str(tmp_path / "none.toml"), "-o", str(tmp_path)])
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert "none.toml" in result.output


def test_a_part_of_no_name_is_refused_before_anything_runs(tmp_path: Path) -> None:
    cases = tmp_path / "cases.toml"
    cases.write_text(CASES)
    command = [str(cases), "-o", str(tmp_path / "out"), "--only", "evening_ancored"]
    done = CliRunner().invoke(compare_command, command)
    assert done.exit_code == 1
    assert "no variant's name contains 'evening_ancored'" in done.output
    assert "did you mean 'evening_anchored'?" in done.output
    assert not (tmp_path / "out").exists()


def test_parts_of_names_choose(tmp_path: Path) -> None:
    cases = tmp_path / "cases.toml"
    cases.write_text(CASES)
    _, variants = read_cases(cases)
    assert [item.name for item in choose(variants, ["balan"], cases)] == ["evening_balanced"]
    assert choose(variants, [], cases) == list(variants)


def test_a_figure_that_there_is_not_is_null_in_json() -> None:
    """A variant without a market predicts nothing; infinity is no JSON either."""
    nothing = plain(replace(SAMPLE, voltage_error_pu=float("nan"), predicted_low=float("inf")))
    assert (nothing["voltage_error_pu"], nothing["predicted_low"]) == (None, None)
    json.dumps(nothing, allow_nan=False)
