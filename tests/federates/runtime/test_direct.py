"""A study in one process without HELICS: equal to a federation, and as careful."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from failing import failing_roles
from toys import ROLES, make_study

from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.federates.runtime.base import Role
from dlmp_cosim.federates.runtime.direct import Board, run_direct
from dlmp_cosim.federates.runtime.link import Link, Value
from dlmp_cosim.federates.runtime.local import run_local
from dlmp_cosim.federates.study.study import Study, load_study
from dlmp_cosim.feeders.errors import ClearingError, FederationError

IEEE123 = Path(__file__).parents[3] / "configs" / "ieee123_day"


def toy(folder: Path, **changes: object) -> Study:
    return load_study(make_study(folder / "study", **changes))  # type: ignore[arg-type]


@pytest.mark.federation
def test_a_helics_federation_leaves_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scenario = load_study(IEEE123).scenario
    time = scenario.time.model_copy(update={"intervals": 4, "period_s": 3600})
    study = Study(IEEE123, scenario.model_copy(update={"time": time}))
    written = []
    for run in (run_direct, run_local):
        monkeypatch.setenv("DLMP_RESULTS_DIR", str(tmp_path / run.__name__))
        run(study)
        written.append(study.results_file.read_bytes())
    assert written[0] == written[1]
    with Results(study.results_file) as results:
        assert results.complete
        assert np.ptp(results.values("wholesale/lmp")) > 0


def test_a_toy_run_is_complete(tmp_path: Path) -> None:
    study = toy(tmp_path, intervals=5)
    run_direct(study, ROLES)
    with Results(study.results_file) as results:
        assert results.complete
        assert results.values("wholesale/lmp").tolist() == [20.0, 21.0, 22.0, 23.0, 24.0]


def test_what_is_published_now_is_read_later() -> None:
    board = Board()
    board.post("a/x", 1.0, -1.0)
    board.post("a/x", 2.0, 5.0)
    board.post("a/x", 3.0, 5.0)
    found = [board.read("a/x", now) for now in (0.0, 5.0, 6.0)]
    assert [item and item.value for item in found] == [1.0, 1.0, 3.0]
    assert board.read("a/y", 9.0) is None


def test_a_reader_cannot_change_what_others_read() -> None:
    board, values = Board(), np.ones(3)
    board.post("a/x", values, 0.0)
    values[:] = 7.0
    found = board.read("a/x", 1.0)
    assert found is not None
    assert np.asarray(found.value).tolist() == [1.0, 1.0, 1.0]
    with pytest.raises(ValueError, match="read-only"):
        np.asarray(found.value)[0] = 2.0


def test_one_failure_stops_everybody_and_is_raised(tmp_path: Path) -> None:
    stopped: list[BaseException] = []

    with pytest.raises(RuntimeError, match="out of offers"):
        run_direct(toy(tmp_path), failing_roles(stopped))
    assert "assets: RuntimeError: out of offers" in str(stopped[0])


def test_a_failed_run_keeps_what_is_finished(tmp_path: Path) -> None:
    study = toy(tmp_path, intervals=3, model="toy_market:Stubborn", on_failure="fail")
    with pytest.raises(ClearingError, match="after 4 rounds"):
        run_direct(study, ROLES)
    with Results(study.results_file) as results:
        assert results.intervals == 1


class _Silent:
    def initial(self) -> Mapping[str, Value]:
        return {}

    def run(self, link: Link) -> None:
        """Publish nothing."""

    def close(self) -> None:
        """Nothing to release."""


def silent(study: Study) -> Role:
    del study
    return _Silent()


def test_a_value_that_never_came_names_its_publisher(tmp_path: Path) -> None:
    with pytest.raises(FederationError, match="published by 'wholesale', was never published"):
        run_direct(toy(tmp_path), {**ROLES, "wholesale": silent})


def test_a_missing_federate_is_named(tmp_path: Path) -> None:
    roles = {name: build for name, build in ROLES.items() if name != "feeder"}
    with pytest.raises(FederationError, match="reads feeder/network, which nobody publishes"):
        run_direct(toy(tmp_path), roles)


@pytest.mark.parametrize(
    ("change", "says"), [({"unit": "MW"}, "is in 'MW'; expected 'kW'"), ({"type": "double"}, "is a double")]
)
def test_another_unit_or_type_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, str], says: str
) -> None:
    folder = make_study(tmp_path / "study")
    file = folder / "feeder.json"
    config = json.loads(file.read_text())
    next(item for item in config["publications"] if item["key"] == "feeder/load_real").update(change)
    file.write_text(json.dumps(config))
    monkeypatch.setattr("dlmp_cosim.federates.study.helics_config.check_config", lambda *_: None)
    with pytest.raises(FederationError, match=says):
        run_direct(load_study(folder), ROLES)


def test_a_topic_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = toy(tmp_path)
    assets = study.config("assets")
    stolen = assets.publications[0].model_copy(update={"key": "feeder/anything"})
    changed = assets.model_copy(update={"publications": (*assets.publications, stolen)})
    monkeypatch.setattr(
        Study, "config", lambda self, name: changed if name == "assets" else _config(self, name)
    )
    with pytest.raises(FederationError, match="'assets' publishes feeder/anything, which only 'feeder' may"):
        run_direct(replace(study), ROLES)


_config = Study.config
