"""Settings files: what cannot be read, and what a key that is wrong is told."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field, model_validator

from dlmp_cosim.federates.study.checked_file import read_json, read_text, read_toml, validate
from dlmp_cosim.federates.study.section import NotNegative, Section
from dlmp_cosim.feeders.errors import InputError

FILE = Path("set.toml")


class Inner(Section):
    """A table within a table."""

    size: NotNegative = Field(default=1.0, description="how large [m]")
    colour: Literal["green", "blue"] = Field(default="green", description="what it looks like")


class Outer(Section):
    """A file."""

    name: Annotated[str, Field(min_length=1)] = Field(description="what it is called")
    count: int = Field(default=0, description="how many")
    inner: Inner = Inner()
    several: list[Inner] = Field(default_factory=list, description="more of them")
    spelt: int = Field(default=1, alias="as", description="another word")

    @model_validator(mode="after")
    def _agree(self) -> Outer:
        if self.count > 9:
            raise ValueError("count is too large; expected at most 9")
        if self.count == 9:
            raise ValueError("count is nine")
        return self


def refused(table: Any) -> str:
    with pytest.raises(InputError) as caught:
        validate(Outer, table, FILE)
    return str(caught.value)


WHOLE = "input should be a valid integer, unable to parse string as an integer"
ALL = "one of name, count, inner, several, spelt"


@pytest.mark.parametrize(
    ("table", "message"),
    [
        pytest.param({}, "set.toml name: missing key; expected what it is called", id="a key is missing"),
        pytest.param(
            {"name": "a", "cuont": 1},
            f"set.toml cuont: unknown key 'cuont'; expected {ALL}; did you mean 'count'?",
            id="a key is misspelt",
        ),
        pytest.param(
            {"nmae": "a"},
            f"set.toml nmae: unknown key 'nmae'; expected {ALL}; did you mean 'name'?",
            id="the misspelt key comes before the one that it was meant to be",
        ),
        pytest.param(
            {"name": "a", "inner": {"sise": 2}},
            "set.toml inner.sise: unknown key 'sise'; expected one of size, colour; did you mean 'size'?",
            id="in a table",
        ),
        pytest.param(
            {"name": "a", "several": [{}, {"xyz": 1}]},
            "set.toml several[1].xyz: unknown key 'xyz'; expected one of size, colour",
            id="in a list of tables",
        ),
        pytest.param(
            {"name": "a", "count": "many"},
            f"set.toml count: 'many' cannot be used; expected {WHOLE} (how many)",
            id="text for a number",
        ),
        pytest.param(
            {"name": "a", "inner": {"size": -1.0}},
            "set.toml inner.size: -1.0 cannot be used; expected input should be greater than or equal to 0 "
            "(how large [m])",
            id="out of range",
        ),
        pytest.param(
            {"name": "a", "several": [{"size": float("nan")}]},
            "set.toml several[0].size: nan cannot be used; expected input should be a finite number "
            "(how large [m])",
            id="no number",
        ),
        pytest.param(
            {"name": "a", "inner": {"colour": "gren"}},
            "set.toml inner.colour: 'gren' cannot be used; expected input should be 'green' or 'blue' "
            "(what it looks like); did you mean 'green'?",
            id="a word that is not among those allowed",
        ),
        pytest.param(
            {"name": "a", "as": "x"},
            f"set.toml as: 'x' cannot be used; expected {WHOLE} (another word)",
            id="a key that is called otherwise in code",
        ),
        pytest.param(
            {"name": "a", "count": 10}, "set.toml: count is too large; expected at most 9", id="a rule"
        ),
        pytest.param({"name": "a", "count": 9}, "set.toml: count is nine", id="a rule without a hint"),
        pytest.param(
            [1],
            "set.toml: [1] cannot be used; expected input should be a valid dictionary or instance of Outer",
            id="no table at all",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told(table: Any, message: str) -> None:
    assert refused(table) == message


def test_what_is_right_is_read() -> None:
    found = validate(Outer, {"name": "a", "as": 3, "several": [{"size": 2}]}, FILE)
    assert (found.name, found.spelt, found.several[0].size, found.several[0].colour) == ("a", 3, 2.0, "green")


@settings(max_examples=40)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=6,
    )
)
def test_any_value_of_any_key_is_read_or_one_clear_error(value: Any) -> None:
    for key in ("name", "count", "inner", "several", "as"):
        with suppress(InputError):
            assert validate(Outer, {"name": "a", key: value}, FILE).name


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "{file}:1:2: not JSON: Expecting property name enclosed in double quotes"),
        (b'{"a": 1,\n "a": 2}', "{file}: key 'a' is given twice; expected each key once"),
        (b'{"b": {"a": 1, "a": 2}}', "{file}: key 'a' is given twice; expected each key once"),
        (
            b"\xff",
            (
                "{file}: cannot be read: 'utf-8' codec can't decode byte 0xff in position 0: invalid start "
                "byte; expected a text file in UTF-8"
            ),
        ),
    ],
)  # fmt: skip
def test_json_that_is_none(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "a.json"
    file.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_json(file)
    assert str(caught.value) == message.format(file=file)


def test_json_that_is_too_deep_is_one_clear_error(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text("[" * 100_000)
    with pytest.raises(InputError, match="not JSON"):
        read_json(file)


def test_toml_that_is_none(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text("a = \n")
    with pytest.raises(InputError) as caught:
        read_toml(file)
    assert str(caught.value) == f"{file}: not TOML: Invalid value (at line 1, column 5)"


def test_a_missing_file_has_neighbours(tmp_path: Path) -> None:
    (tmp_path / "scenario.toml").touch()
    (tmp_path / "other.json").touch()
    with pytest.raises(InputError) as caught:
        read_text(tmp_path / "scenaro.toml")
    file = tmp_path / "scenaro.toml"
    assert str(caught.value) == f"{file}: no such file; did you mean 'scenario.toml'?"


def test_a_missing_folder_has_none(tmp_path: Path) -> None:
    file = tmp_path / "nowhere" / "scenario.toml"
    with pytest.raises(InputError) as caught:
        read_text(file)
    assert str(caught.value) == f"{file}: no such file"


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot be read: .*expected a text file in UTF-8"):
        read_text(tmp_path)


@pytest.mark.parametrize("value", ["[" * 5000, "9" * 5000])
def test_toml_beyond_all_measure_is_told(tmp_path: Path, value: str) -> None:
    file = tmp_path / "deep.toml"
    file.write_text(f"a = {value}")
    with pytest.raises(InputError, match=r"deep\.toml: not TOML that can be read: "):
        read_toml(file)
