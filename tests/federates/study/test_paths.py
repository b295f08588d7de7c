"""Where the files that a scenario names may lie."""

from __future__ import annotations

from pathlib import Path

import pytest
from toys import make_study

from dlmp_cosim.federates.study.study import Study, load_study
from dlmp_cosim.feeders.errors import InputError


@pytest.fixture
def study(tmp_path: Path) -> Study:
    make_study(tmp_path / "beside")
    (tmp_path / "elsewhere").mkdir()
    return load_study(make_study(tmp_path / "study"))


@pytest.mark.parametrize(
    "name", ["prices.csv", "data/../prices.csv", "../beside/prices.csv", "/data/prices.csv", "./a/b/..c"]
)
def test_a_file_in_a_study_or_named_outright_is_read(study: Study, name: str) -> None:
    assert study.data_file(name) == study.folder / name


@pytest.mark.parametrize(
    "name",
    ["..", "../prices.csv", "../elsewhere/prices.csv", "../../etc/passwd", "a/../../x", "../beside/../x/y"],
)
def test_a_path_that_leads_out_is_refused_with_its_key(study: Study, name: str) -> None:
    with pytest.raises(InputError, match=r"scenario\.toml wholesale\.files: .* leads out of the study"):
        study.data_file(name, "wholesale.files")
