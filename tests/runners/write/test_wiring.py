from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from dlmp_cosim.federates.study.helics_config import load_config
from dlmp_cosim.federates.study.study import load_study
from dlmp_cosim.federates.study.wiring import BUILT_IN
from dlmp_cosim.runners.write.wiring import wiring_command

DAY = Path(__file__).parents[3] / "configs" / "ieee123_day"


def test_it_writes_what_the_federates_would_use(tmp_path: Path) -> None:
    result = CliRunner().invoke(wiring_command, [str(DAY), "-o", str(tmp_path / "files")])
    assert result.exit_code == 0, result.output
    assert {path.stem for path in (tmp_path / "files").iterdir()} == set(BUILT_IN)
    for name in BUILT_IN:
        assert load_config(tmp_path / "files" / f"{name}.json") == load_study(DAY).config(name)


def test_an_unknown_study_is_one_clear_error() -> None:
    result = CliRunner().invoke(wiring_command, ["ieee123_dya"])
    assert result.exit_code == 1
    assert "did you mean 'ieee123_day'?" in result.output
