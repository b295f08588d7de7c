"""`dlmp schema`: JSON schemas of every settings file, for editors to complete and check by."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from pydantic import BaseModel

from dlmp_cosim.federates.study.helics_config import FederateConfig
from dlmp_cosim.federates.study.scenario import Scenario
from dlmp_cosim.federates.study.substation import SubstationScenario
from dlmp_cosim.runners.run.runner_file import RunnerFile

FOLDER = Path("configs/schema")
MODELS: dict[str, type[BaseModel]] = {
    "scenario": Scenario,
    "substation": SubstationScenario,
    "federate": FederateConfig,
    "runner": RunnerFile,
}


def schema_texts() -> dict[str, str]:
    """Text of every schema, by file name."""
    return {
        f"{name}.schema.json": _text(model.model_json_schema(by_alias=True)) for name, model in MODELS.items()
    }


def _text(schema: dict[str, Any]) -> str:
    return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}, indent=2) + "\n"


@click.command("schema")
@click.option(
    "--folder", type=click.Path(path_type=Path), default=FOLDER, show_default=True, help="Where to write."
)
def schema_command(folder: Path) -> None:
    """Write the JSON schemas of scenario, HELICS and runner files."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in schema_texts().items():
        (folder / name).write_text(text)
        click.echo(folder / name)
