"""JSON schemas of settings files: current, complete, and the same bytes every time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from dlmp_cosim.federates.study.scenario import Scenario
from dlmp_cosim.runners.cli import main
from dlmp_cosim.runners.conform.schema import FOLDER, MODELS, schema_texts

ROOT = Path(__file__).parents[3]


def schema(name: str) -> dict[str, Any]:
    table: dict[str, Any] = json.loads(schema_texts()[f"{name}.schema.json"])
    return table


@pytest.mark.parametrize("name", MODELS)
def test_a_shipped_schema_is_current(name: str) -> None:
    text = (ROOT / FOLDER / f"{name}.schema.json").read_text(encoding="utf-8")
    assert text == schema_texts()[f"{name}.schema.json"], "run `dlmp schema`"


def test_equal_models_give_equal_bytes() -> None:
    assert schema_texts() == schema_texts()


@pytest.mark.parametrize("name", MODELS)
def test_a_schema_says_which_it_is_and_ends_with_a_line(name: str) -> None:
    assert schema(name)["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema_texts()[f"{name}.schema.json"].endswith("}\n")


def objects(part: Any) -> list[dict[str, Any]]:
    """All tables of a schema that list their keys."""
    inner = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    found = [table for item in inner for table in objects(item)]
    return [part, *found] if isinstance(part, dict) and "properties" in part and "type" in part else found


@pytest.mark.parametrize("name", MODELS)
def test_a_misspelt_key_is_refused_by_editors_as_well(name: str) -> None:
    found = objects(schema(name))
    assert found
    assert [table["title"] for table in found if table.get("additionalProperties") is not False] == []


@pytest.mark.parametrize("key", Scenario.model_fields)
def test_every_table_of_a_scenario_is_there(key: str) -> None:
    assert key in schema("scenario")["properties"]


def test_keys_are_called_as_files_have_them() -> None:
    """``global`` is no name in Python."""
    assert "global" in schema("federate")["$defs"]["Publication"]["properties"]


def test_schemas_are_written_where_they_are_wanted(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "er"
    result = CliRunner().invoke(main, ["schema", "--folder", str(folder)])
    assert result.exit_code == 0
    assert sorted(path.name for path in folder.iterdir()) == sorted(schema_texts())
    assert result.output.split() == [str(folder / name) for name in schema_texts()]
    assert {path.name: path.read_text() for path in folder.iterdir()} == schema_texts()
