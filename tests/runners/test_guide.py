"""The guide's own files, run as a reader would: the federate, its HELICS file, its study, the kit."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

import pytest

from dlmp_cosim.federates.contract.topics import TOPICS
from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.market.offers import Offer
from dlmp_cosim.runners.conform.contract_page import PAGE, contract_page
from dlmp_cosim.runners.conform.pytest_plugin import try_federate
from dlmp_cosim.runners.run.preflight import check_study
from dlmp_cosim.runners.run.runner_file import Member, load_runner
from dlmp_cosim.runners.run.supervise import supervise

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "federates.md").read_text()


def blocks(language: str) -> list[str]:
    """Code blocks of the guide in one language, without their indentation."""
    found = re.findall(rf"(?ms)^( *)```{language}\n(.*?)^ *```$", GUIDE)
    return ["\n".join(line.removeprefix(indent) for line in text.splitlines()) for indent, text in found]


def test_the_contract_page_is_current() -> None:
    assert (ROOT / PAGE).read_text() == contract_page()


def test_the_contract_page_names_every_topic_and_every_field() -> None:
    page = contract_page()
    assert all(f"| `{topic.key}` | {topic.type} |" in page for topic in TOPICS)
    assert all(f"| `{name}` |" in page for name in Offer.__dataclass_fields__)


def test_every_study_and_file_that_the_guide_names_is_there() -> None:
    names = re.findall(r"`(ieee123_\w+)`", GUIDE)
    assert len(names) >= 7
    for name in names:
        assert (ROOT / "configs" / name / "scenario.toml").is_file(), name
        assert (ROOT / "runners" / f"{name}.json").is_file(), name
    for path in re.findall(r"`((?:federates|market|docs|configs)/[\w./]+\.\w+)`", GUIDE):
        assert (ROOT / path).is_file(), path


def write_study(place: Path) -> tuple[Path, Path]:
    """Follow the guide's four steps; return script and runner file."""
    (place / "configs").mkdir()
    (place / "runners").mkdir()
    study = place / "configs" / "cold_store"
    shutil.copytree(ROOT / "configs" / "ieee123_day", study)
    script = place / "cold_store.py"
    script.write_text(next(text for text in blocks("python") if "class ColdStore" in text))
    scenario = (study / "scenario.toml").read_text().replace("intervals = 288", "intervals = 6")
    scenario = scenario.replace("period_s = 300", "period_s = 3600").replace("T00:00", "T14:00")
    owner = next(text for text in blocks("toml") if "cold_store" in text)
    (study / "scenario.toml").write_text(f"{scenario}\n{owner}\n")
    config, member, _ = blocks("json")
    (study / "cold_store.json").write_text(config)
    text = (ROOT / "runners" / "ieee123_day.json").read_text().replace("ieee123_day", "cold_store")
    runner = json.loads(text.replace("market,recorder", "cold_store,market,recorder"))
    runner["federates"].append(json.loads(member))
    for item in runner["federates"]:
        item["env"] = {"PYTHONPATH": str(ROOT)}
    file = place / "runners" / "cold_store.json"
    file.write_text(json.dumps(runner))
    return script, file


def test_the_guides_host_is_a_process_of_a_runner_file() -> None:
    host = Member.model_validate_json(blocks("json")[2])
    assert host.federates == {
        "pv_66": "dlmp_cosim.federates.pv:Pv",
        "pv_114": "dlmp_cosim.federates.pv:Pv",
        "store": "cold_store:ColdStore",
    }


@pytest.mark.federation
@pytest.mark.usefixtures("quick_starts")
def test_the_guides_federate_runs_and_keeps_its_goods_cold(tmp_path: Path) -> None:
    _, file = write_study(tmp_path)
    runner = load_runner(file)
    assert check_study(runner).errors == ()
    assert supervise(runner, results_folder=tmp_path / "out", time_limit_s=90.0) is None
    with Results(tmp_path / "out" / "results.h5") as results:
        assert results.complete
        assert not any(record["refused"] for record in results.records("market/clearing"))
        temperature = results.values("cold_store/temperature")
        kw = results.values("market/dispatch_real")[:, results.ids("market/dispatch_real").index("flex_s48a")]
        price = results.values("market/dlmp_real")[:, results.ids("market/dlmp_real").index("48.1")]
    assert -22.0 <= temperature.min() < temperature.max() <= -18.0 + 1e-9
    assert kw.max() > 1.0
    assert price[kw > 0.1].min() > 20.0


@pytest.mark.federation
@pytest.mark.usefixtures("quick_starts")
def test_the_guides_federate_honours_the_contract(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script, _ = write_study(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    findings = try_federate(f"{sys.executable} {script} {tmp_path / 'configs' / 'cold_store'}")
    assert {"cold_store/offer", "cold_store/temperature"} < {finding.topic for finding in findings}
