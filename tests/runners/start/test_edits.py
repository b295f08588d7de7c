"""Values of a scenario changed in place."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.runners.cli import main
from dlmp_cosim.runners.start.edits import read_setting, set_value

TEXT = """# A study.
[study]
name = "old"   # its name

[time]
intervals = 288
[[owner]]
name = "else"
[results]
file = "a#b.h5"
files = ["one.csv", "two.csv"]  # several
"""


def test_a_value_changes_and_nothing_else() -> None:
    found = set_value(TEXT, "study.name", '"new"')
    assert found == TEXT.replace('"old"', '"new"')
    assert set_value(TEXT, "results.file", '"c"') == TEXT.replace('"a#b.h5"', '"c"')
    assert set_value(TEXT, "results.files", "[]") == TEXT.replace('["one.csv", "two.csv"]', "[]")


def test_a_key_that_is_not_there_joins_its_table() -> None:
    table = tomllib.loads(set_value(set_value(TEXT, "time.period_s", "60"), "market.model", '"none"'))
    assert table["time"] == {"period_s": 60, "intervals": 288}
    assert table["market"] == {"model": "none"}


@given(
    st.sampled_from(["study.name", "time.intervals", "results.file", "market.model"]), st.integers(0, 10**6)
)
def test_what_was_set_is_read_and_the_rest_stays(key: str, value: int) -> None:
    section, name = key.split(".")
    expected = tomllib.loads(TEXT)
    expected.setdefault(section, {})[name] = value
    assert tomllib.loads(set_value(TEXT, key, str(value))) == expected


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("time = { intervals = 288 }\n", "time.intervals"),
        ("time = { intervals = 288 }\n", "time.period_s"),
        ("time.intervals = 288\n", "time.intervals"),
        ('[owner]\nsettings = """\nname = 3\n"""\n', "owner.name"),
        ("[[owner]]\nname = 'pv'\n", "owner.name"),
        ("owner = 3\n", "owner.name"),
    ],
)
def test_a_table_that_is_written_otherwise_is_told_and_not_spoilt(text: str, key: str) -> None:
    with pytest.raises(InputError) as caught:
        set_value(text, key, "1")
    assert str(caught.value) == (
        f"{key}: cannot be set in this scenario; "
        f"expected a key of a table that begins with a line [{key.partition('.')[0]}]"
    )


def test_a_value_may_be_a_table_and_no_number() -> None:
    text = "[emissions]\nown = { a = 1, b = 2 }  # both\n"
    assert set_value(text, "emissions.own", "{ a = 3 }") == "[emissions]\nown = { a = 3 }  # both\n"
    assert set_value(text, "emissions.own", "nan") == "[emissions]\nown = nan  # both\n"


def test_a_setting_is_toml_or_a_bare_text() -> None:
    assert read_setting("time.intervals=24") == ("time.intervals", "24")
    assert read_setting("market.model = none") == ("market.model", '"none"')
    for wrong in ("intervals=24", "time.intervals", "a.b.c=1", ".x=1"):
        with pytest.raises(InputError, match=r"expected TABLE\.KEY=VALUE"):
            read_setting(wrong)


def test_new_refuses_a_setting_that_the_scenario_would_refuse(tmp_path: Path) -> None:
    shown = CliRunner().invoke(main, ["new", str(tmp_path / "mine"), "--set", "market.modle=none"])
    assert shown.exit_code == 1
    assert "did you mean 'model'?" in shown.output
    assert not (tmp_path / "mine").exists()
    good = CliRunner().invoke(main, ["new", str(tmp_path / "other"), "--set", "time.intervals=2"])
    assert good.exit_code == 0
    assert "intervals = 2\n" in (tmp_path / "other" / "scenario.toml").read_text()
