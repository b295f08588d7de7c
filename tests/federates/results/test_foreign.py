"""What stands where a run is about to write: its own results give way, all else stays."""

from __future__ import annotations

from pathlib import Path

import pytest
from written import CLOCK, NETWORK, TOPICS, create

from dlmp_cosim.federates.recorder import Recorder
from dlmp_cosim.federates.results.foreign import refuse_foreign, remove
from dlmp_cosim.federates.results.store import create_results
from dlmp_cosim.federates.study.study import load_study
from dlmp_cosim.federates.study.substation import load_substation
from dlmp_cosim.federates.substation import Substation
from dlmp_cosim.feeders.errors import ResultsError
from dlmp_cosim.feeders.readers.network_json import network_to_json
from tests.toys.toys import make_study, make_substation


def left_by(name: str, path: Path) -> Path:
    manifest = f'{{"scenario": {{"study": {{"name": "{name}"}}}}}}'
    constant = {"network": network_to_json(NETWORK)}
    create_results(path, NETWORK, CLOCK, TOPICS, constant=constant, manifest=manifest).close()
    return path


def test_its_own_results_and_nothing_give_way(tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    refuse_foreign(path, "mine")
    path.touch()
    refuse_foreign(path, "mine")
    before = left_by("mine", path).read_bytes()
    refuse_foreign(path, "mine")
    assert path.read_bytes() == before


def test_results_of_another_study_are_kept(tmp_path: Path) -> None:
    path = left_by("yours", tmp_path / "run.h5")
    with pytest.raises(ResultsError, match=r"run.h5: holds the results of study 'yours', not of 'mine'"):
        refuse_foreign(path, "mine")
    remove(path)
    refuse_foreign(path, "mine")


@pytest.mark.parametrize("content", [b"notes of a year", b"\x89HDF\r\n\x1a\n" + bytes(100)])
def test_what_nobody_can_read_is_kept(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "run.h5"
    path.write_bytes(content)
    with pytest.raises(ResultsError, match=r"it is kept: expected another folder"):
        refuse_foreign(path, "mine")
    assert path.read_bytes() == content


def test_what_a_run_is_writing_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    writer = create(path)
    with pytest.raises(ResultsError, match="another run is writing this file"):
        remove(path)
    writer.close()
    assert path.exists()


def test_a_recorder_keeps_what_another_study_left(tmp_path: Path) -> None:
    """Also under plain `helics run`, which checks nothing before."""
    study = load_study(make_study(tmp_path / "toy"))
    study.results_file.parent.mkdir(parents=True, exist_ok=True)
    left_by("yours", study.results_file)
    with pytest.raises(ResultsError, match="holds the results of study 'yours', not of 'toy'"):
        Recorder(study).initial()


def test_a_substation_keeps_it_too(tmp_path: Path) -> None:
    study = load_substation(make_substation(tmp_path / "all", "one", "two"))
    study.results_file.parent.mkdir(parents=True, exist_ok=True)
    left_by("yours", study.results_file)
    with pytest.raises(ResultsError, match=rf"holds the results of study 'yours', not of '{study.name}'"):
        Substation(study).initial()
