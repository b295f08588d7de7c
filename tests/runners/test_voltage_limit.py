"""Why the demo day's upper voltage limit binds, and the study that cures it: the page's own figures."""

from __future__ import annotations

import contextlib
import csv
import io
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.federates.runtime.direct import run_direct
from dlmp_cosim.federates.study.study import load_study

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "voltage_limit.md").read_text()
DEMO, REMEDY = ROOT / "configs" / "ieee123_day", ROOT / "configs" / "ieee123_inverters"


CODE = re.findall(r"(?ms)^```python\n(.*?)^```$", PAGE)


def printed(code: str) -> list[str]:
    """Run a code block of the page; what it prints."""
    with contextlib.redirect_stdout(io.StringIO()) as text:
        exec(code, {})  # noqa: S102
    return text.getvalue().splitlines()


def test_the_page_states_what_its_code_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    rows = printed(CODE[0])
    assert len(rows) == 5
    assert [row for row in rows if f"| {row} |" not in PAGE] == []


def table(path: Path) -> list[dict[str, str]]:
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    return list(csv.DictReader(lines))


def test_the_remedy_changes_apparent_power_alone() -> None:
    before = table(ROOT / "feeders" / "ieee123" / "assets.csv")
    after = table(REMEDY / "assets.csv")
    assert [{**row, "kva_max": ""} for row in after] == [{**row, "kva_max": ""} for row in before]
    for old, new in zip(before, after, strict=True):
        if new["kind"] == "generator":
            assert float(new["kva_max"]) >= max(float(new["kw_max"]) / 0.9, float(old["kva_max"]))
        else:
            assert new == old


def test_the_two_studies_differ_in_their_assets_alone() -> None:
    demo, remedy = (load_study(folder).scenario.model_dump() for folder in (DEMO, REMEDY))
    assert remedy["feeder"].pop("assets") == "assets.csv"
    demo["feeder"].pop("assets")
    for section in ("time", "feeder", "market", "owner"):
        assert demo[section] == remedy[section]


def run(folder: Path, place: Path) -> dict[str, Any]:
    """Run the dearest hour's first interval of a study; prices and prices of the upper voltage limit."""
    shutil.copytree(ROOT / "configs", place / "configs", dirs_exist_ok=True)
    copy, file = place / "configs" / folder.name, place / "results" / folder.name / "results.h5"
    text = (copy / "scenario.toml").read_text()
    for key, value in (("start", '"2020-08-25T16:00:00"'), ("intervals", "1"), ("file", f'"{file}"')):
        text = re.sub(rf"(?m)^{key} = .*$", f"{key} = {value}", text)
    (copy / "scenario.toml").write_text(text)
    run_direct(load_study(copy))
    with Results(file) as results:
        limits = results.records("market/clearing")[0]["limits"]
        return {
            "price": results.values("market/dlmp_real")[0],
            "reactive": np.abs(results.values("market/dlmp_reactive")[0]).max(),
            "high": sum(row["price"] for row in limits if row["kind"] == "voltage_high"),
            "violations": results.values("audit/violations")[0],
        }


def test_reactive_power_calms_the_prices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    demo, remedy = run(DEMO, tmp_path), run(REMEDY, tmp_path)
    assert demo["high"] > 100.0
    assert demo["price"].min() < 0.0
    assert remedy["high"] < demo["high"]
    assert np.ptp(remedy["price"]) < np.ptp(demo["price"])
    assert remedy["reactive"] < demo["reactive"]
    assert remedy["violations"] == 0
    monkeypatch.chdir(tmp_path)
    low, high = demo["price"].min().round(1), demo["price"].max().round(1)
    assert printed(CODE[1])[:2] == [
        "ieee123_day the upper voltage limit has a price in 1 intervals",
        f"16 {low} {high}",
    ]
