"""What the doctor finds, and what it says when something does not work."""

from __future__ import annotations

import socket

import pytest
from click.testing import CliRunner

from dlmp_cosim.federates.runtime import ports
from dlmp_cosim.runners import extras
from dlmp_cosim.runners.cli import main
from dlmp_cosim.runners.start import doctor


def test_all_is_well_here() -> None:
    shown = CliRunner().invoke(main, ["doctor"])
    assert shown.exit_code == 0, shown.output
    assert shown.output.startswith("dlmp-cosim ")
    for part in (
        "OpenDSS\tworks",
        "HELICS\tworks",
        "Clarabel\tworks",
        "numba\tworks",
        "ports of dlmp run\tworks",
    ):
        assert part in shown.output
    assert all(f"extra {extra}\t" in shown.output for extra in extras.EXTRAS)


def test_a_library_that_dies_is_reported_and_the_code_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = {"OpenDSS": "import os; os.abort()", "HELICS": "raise ImportError('no such library')"}
    monkeypatch.setattr(doctor, "PROBES", broken)
    shown = CliRunner().invoke(main, ["doctor"])
    assert shown.exit_code == 2
    assert "OpenDSS\tfails\tended with exit code -6" in shown.output
    assert "HELICS\tfails\tImportError: no such library" in shown.output


def test_a_library_that_hangs_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "PROBES", {"OpenDSS": "import time; time.sleep(60)"})
    monkeypatch.setattr(doctor, "PROBE_S", 0.5)
    assert doctor.probe("OpenDSS").detail == "no answer within 0.5 s"


def test_a_missing_extra_is_named_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "_installed", lambda package: package != "matplotlib")
    found = {item.part: item for item in doctor.extras()}
    assert found["extra report"].state == "absent"
    assert 'pip install "dlmp-cosim[report]"' in found["extra report"].detail
    assert found["extra excel"].state == "works"


def test_a_port_in_use_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        monkeypatch.setattr(doctor, "DEFAULT_PORT", other.getsockname()[1])
        first, second = doctor.ports()
    assert first.state == "absent"
    assert ports.PORT_VARIABLE in first.detail
    assert second.state == "works"
