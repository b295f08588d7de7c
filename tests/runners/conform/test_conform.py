"""The kit on the project's own federates, on foreign ones, and on ones that break the contract."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from dlmp_cosim.federates.conformance.judgement import Finding
from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.runners.conform.command import conform_command, find_candidate, table
from dlmp_cosim.runners.conform.pytest_plugin import try_federate

ROOT = Path(__file__).parents[3]
PLAIN = ROOT / "configs" / "ieee123_plain"
OWN = ("wholesale", "feeder", "assets", "market", "battery")


@pytest.mark.federation
@pytest.mark.usefixtures("quick_starts")
@pytest.mark.parametrize("name", OWN)
def test_the_projects_own_federates_honour_the_contract(
    conform: Callable[..., list[Finding]], name: str
) -> None:
    findings = conform(f"python -m dlmp_cosim.federates.{name} {ROOT / 'configs' / 'ieee123_battery'}")
    assert len(findings) > 5


@pytest.mark.federation
@pytest.mark.usefixtures("quick_starts")
def test_an_aggregator_honours_it(conform: Callable[..., list[Finding]]) -> None:
    study = ROOT / "configs" / "ieee123_operator"
    findings = conform(f"python -m dlmp_cosim.federates.aggregator {study} --name homes")
    assert {"homes/offer", "homes/lost"} <= {finding.topic for finding in findings}


@pytest.mark.federation
@pytest.mark.usefixtures("quick_starts")
def test_a_program_without_the_project_honours_it() -> None:
    script = ROOT / "federates" / "plain.py"
    command = f"python {script} {PLAIN / 'plain.json'} --period 3600 --intervals 3"
    findings = try_federate(command, study=PLAIN)
    assert {finding.topic for finding in findings} == {
        "federation", "plain/offer", "trial with NaN", "trial with a failing partner",
    }  # fmt: skip


@pytest.mark.federation
@pytest.mark.usefixtures("quick_starts")
@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("resource", "offers unknown resource 'backup_74'"),
        ("late", "was published at t+5 s in interval 0; expected t+0, t+1 s"),
        ("foreign", "belongs to 'market'"),
    ],
)
def test_one_that_breaks_it_is_told_where(fault: str, told: str) -> None:
    words = ["python", str(ROOT / "tests" / "toys" / "rude_owner.py"), str(PLAIN / "plain.json"), fault]
    options = ["--study", str(PLAIN), "--name", "plain", "--"]
    done = CliRunner().invoke(conform_command, [*options, *words])
    assert done.exit_code == 2, done.output
    assert told in done.output
    assert "not honoured" in done.output.splitlines()[-1]


def test_the_study_and_the_name_follow_from_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    words = ["python", "-m", "dlmp_cosim.federates.battery", "configs/ieee123_battery"]
    found = find_candidate(words, None, None, 3)
    assert (found.name, found.study) == ("battery", Path("configs/ieee123_battery"))
    assert find_candidate([*words, "--name", "second"], None, None, 3).name == "second"
    assert find_candidate(["./my_pv.py"], PLAIN, None, 3).name == "my_pv"
    assert find_candidate(["./my_pv"], PLAIN, "pv", 3).name == "pv"
    with pytest.raises(InputError, match=r"no study is named; expected --study FOLDER"):
        find_candidate(["./my_pv"], None, None, 3)


def test_a_program_that_does_not_exist_is_one_clear_error() -> None:
    done = CliRunner().invoke(conform_command, ["--study", str(PLAIN), "--", "no_such_program"])
    assert done.exit_code == 2
    assert "there is no program 'no_such_program'" in done.output


def test_the_table_has_a_line_a_topic_and_a_line_a_problem() -> None:
    findings = [Finding("x/offer", "key"), Finding("x/offer", "unit", "is in 'MW'"), Finding("y", "ends")]
    assert table(findings) == [
        "no   x/offer: key",
        "       unit: is in 'MW'",
        "yes  y: ends",
        "1 of the above are not honoured",
    ]


def test_the_fixture_comes_with_the_package() -> None:
    from importlib.metadata import entry_points

    (point,) = (p for p in entry_points(group="pytest11") if p.value.startswith("dlmp_cosim.runners."))
    assert point.load().try_federate is try_federate
