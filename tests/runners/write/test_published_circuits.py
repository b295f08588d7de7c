"""Published circuits, imported and run for two hours: they settle; what AC breaks had a price or a tap."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.federates.runtime.direct import run_direct
from dlmp_cosim.federates.study.study import load_study
from dlmp_cosim.runners.write.import_circuit import import_command
from tests.circuits import LARGE, PUBLISHED, case

TWO_HOURS = 24
MOST_ROUNDS = 4
TAP = 0.1 / 16
"""What a regulator's step changes [pu]."""


@pytest.mark.parametrize(
    "name",
    [*PUBLISHED, *(pytest.param(n, marks=[pytest.mark.slow, pytest.mark.timeout(900)]) for n in LARGE)],
)
def test_two_hours_settle_and_no_limit_is_broken_without_a_price_or_a_tap(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The two hours around the dearest one, controls acting after each final dispatch."""
    circuit = case(name)
    made = CliRunner().invoke(
        import_command, [str(circuit.path), "-o", str(tmp_path / "study"), "--intervals", str(TWO_HOURS)]
    )
    assert made.exit_code == 0, made.output
    file = tmp_path / "study" / "scenario.toml"
    file.write_text(file.read_text().replace("T00:00:00", "T15:00:00"))
    monkeypatch.setenv("DLMP_RESULTS_DIR", str(tmp_path))
    study = load_study(tmp_path / "study")
    run_direct(study)
    with Results(study.results_file) as run:
        assert run.intervals == TWO_HOURS
        assert run.values("audit/settled").all()
        assert run.values("audit/rounds").max() <= MOST_ROUNDS
        verdicts, clearings = run.records("audit/verdict"), run.records("market/clearing")
    for verdict, record in zip(verdicts, clearings, strict=True):
        broken = {(item["kind"], item["where"]) for item in verdict["violations"]}
        priced = {(item["kind"], item["where"]) for item in record["limits"]}
        # What nobody priced was broken by a regulator that moved after the final dispatch.
        assert broken <= priced or verdict["voltage_error_pu"] > TAP / 2
