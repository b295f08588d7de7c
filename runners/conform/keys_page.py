"""`dlmp keys`: every key that a scenario may hold, as a page generated from the models that check it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import click
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from dlmp_cosim.federates.study.scenario import Scenario
from dlmp_cosim.federates.study.substation import SubstationScenario
from dlmp_cosim.runners.conform.contract_page import show_page

PAGE = Path("docs/scenario.md")
HEAD = """# What a scenario may say

Generated from `federates/study/scenario.py` by `dlmp keys -o docs/scenario.md`; a test holds this page to it.

`scenario.toml` is the one file of a study that says what is simulated. Every key is checked before anything
starts; one that is misspelt is refused with the nearest that is right. Paths are relative to this file; only
`results.file` is relative to the folder that the runner file names. Editors complete and check it by
`configs/schema/scenario.schema.json` (`dlmp schema`).
"""
TOGETHER = """
# Where several feeders meet

A scenario that lists `[[feeders]]` is one of a [substation](substation.md). Each feeder has a folder with a
scenario of its own, as above; this one says what they share, and has these tables alone. Editors check it by
`configs/schema/substation.schema.json`.
"""
HEADINGS = "| key | unless given | accepts | meaning |\n| --- | --- | --- | --- |\n"


def keys_page() -> str:
    """Return the page as Markdown."""
    alone = "".join(_sections(Scenario, (), Scenario))
    return HEAD + alone + TOGETHER + "".join(_sections(SubstationScenario, (), SubstationScenario))


def _sections(model: type[BaseModel], path: tuple[str, ...], whole: type[BaseModel]) -> Iterator[str]:
    """Write one table of keys for each table of the scenario, inner ones after the outer."""
    inner = {name: found for name, field in model.model_fields.items() if (found := _table_of(field))}
    schemas = model.model_json_schema()["properties"]
    rows = [
        _list_row(name, field) if name in inner else _row(name, field, schemas[name])
        for name, field in model.model_fields.items()
        if name not in inner or (path and field.description)
    ]
    if rows:
        many = path and _is_list(path, whole)
        title = f"[[{'.'.join(path)}]]" if many else f"[{'.'.join(path)}]"
        about = (model.__doc__ or "").strip().splitlines()[0]
        yield f"\n## `{title}`\n\n{about}\n\n{HEADINGS}{''.join(rows)}"
    for name, table in inner.items():
        yield from _sections(table, (*path, name), whole)


def _table_of(field: FieldInfo) -> type[BaseModel] | None:
    """Model of a table, or of the tables in a list; None for a plain key."""
    for kind in (field.annotation, *get_args(field.annotation)):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
    return None


def _is_list(path: tuple[str, ...], model: type[BaseModel]) -> bool:
    field = model.model_fields[path[0]]
    table = _table_of(field)
    if len(path) > 1 and table is not None:
        return _is_list(path[1:], table)
    return get_origin(field.annotation) is list


def _row(name: str, field: FieldInfo, schema: dict[str, Any]) -> str:
    default = _written(field.get_default(call_default_factory=True))
    unless = "**needed**" if field.is_required() else f"`{default}`"
    return f"| `{name}` | {unless} | {_accepts(schema)} | {field.description} |\n"


def _list_row(name: str, field: FieldInfo) -> str:
    return f"| `{name}` | none | tables of their own, below | {field.description} |\n"


def _written(value: Any) -> str:
    """Write a default as TOML would."""
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return "not given"
    return f'"{value}"' if isinstance(value, str) else str(value)


def _accepts(schema: dict[str, Any]) -> str:
    """Say what a key accepts, from its JSON schema."""
    return " or ".join(text for option in schema.get("anyOf", [schema]) if (text := _kind(option)))


def _kind(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return ", ".join(f"`{_written(value)}`" for value in schema["enum"])
    bounds = {
        "minimum": "at least",
        "exclusiveMinimum": "above",
        "exclusiveMaximum": "below",
        "maximum": "at most",
    }
    words = {"array": "list", "string": "text", "object": "table", "null": "", "boolean": "true or false"}
    kind = str(schema.get("type", "anything"))
    limits = [f"{word} {schema[key]:,.10g}" for key, word in bounds.items() if key in schema]
    kind = "date and time" if schema.get("format") == "date-time" else words.get(kind, kind)
    return " ".join([kind, " and ".join(limits)]).strip()


@click.command("keys", epilog="\b\nExample:\n  dlmp keys | less")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write the page here, do not print it.")
def keys_command(output: Path | None) -> None:
    """Say what a scenario may hold: every key, its default, what it accepts and what it means."""
    show_page(keys_page(), output)
