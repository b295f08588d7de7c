"""Settings files read into checked models; errors say file, key, what was expected and the nearest name."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from dlmp_cosim.feeders.errors import InputError, nearest_name

ModelT = TypeVar("ModelT", bound=BaseModel)


def read_text(file: Path) -> str:
    """Text of a settings file; InputError when it cannot be read."""
    try:
        return file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        siblings = [path.name for path in file.parent.iterdir()] if file.parent.is_dir() else []
        nearest = nearest_name(file.name, siblings)
        raise InputError("no such file", where=str(file), nearest=nearest) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"cannot be read: {error}", where=str(file), expected="a text file in UTF-8"
        ) from None


def read_toml(file: Path) -> dict[str, Any]:
    """Parse a TOML file; InputError when it is none."""
    try:
        return tomllib.loads(read_text(file))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"not TOML: {error}", where=str(file)) from None
    except (RecursionError, ValueError) as error:
        raise InputError(f"not TOML that can be read: {error}", where=str(file)) from None


def read_json(file: Path) -> Any:
    """Parse a JSON file; InputError when it is none or repeats a key."""
    try:
        return json.loads(read_text(file), object_pairs_hook=lambda pairs: _unique(pairs, file))
    except json.JSONDecodeError as error:
        raise InputError(f"not JSON: {error.msg}", where=f"{file}:{error.lineno}:{error.colno}") from None
    except (RecursionError, ValueError) as error:
        raise InputError(f"not JSON: {error}", where=str(file)) from None


def validate(model: type[ModelT], data: Any, file: Path) -> ModelT:
    """Build a model from parsed data.

    Parameters
    ----------
    model : type
        Class of the model.
    data : object
        What a parser made of the file.
    file : Path
        The file, for messages.

    Raises
    ------
    InputError
        For the first thing wrong; a misspelt key before the missing one that it was meant to be.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        found = error.errors(include_url=False)
        misspelt = [detail for detail in found if detail["type"] == "extra_forbidden"]
        raise _explain((misspelt or found)[0], model, file) from None


def _unique(pairs: list[tuple[str, Any]], file: Path) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for key, value in pairs:
        if key in table:
            raise InputError(f"key {key!r} is given twice", where=str(file), expected="each key once")
        table[key] = value
    return table


def _explain(detail: ErrorDetails, model: type[BaseModel], file: Path) -> InputError:
    """Turn one finding of pydantic into the project's own error."""
    place, found = detail["loc"], detail["input"]
    where = f"{file} {_written(place)}".rstrip()
    if detail["type"] == "extra_forbidden":
        valid = list(_section(model, place[:-1]).model_fields)
        name = str(place[-1])
        shown = ", ".join(valid)
        return InputError(
            f"unknown key {name!r}",
            where=where,
            expected=f"one of {shown}",
            nearest=nearest_name(name, valid),
        )
    if detail["type"] == "missing":
        return InputError("missing key", where=where, expected=_description(model, place))
    if detail["type"] == "value_error":
        what, _, expected = str(detail["ctx"]["error"]).partition("; expected ")
        return InputError(what, where=where, expected=expected)
    expected = detail["msg"][:1].lower() + detail["msg"][1:]
    meaning = _description(model, [part for part in place if isinstance(part, str)])
    choices = _choices(model, place)
    return InputError(
        f"{found!r} cannot be used",
        where=where,
        expected=f"{expected} ({meaning})" if meaning else expected,
        nearest=nearest_name(str(found), choices) if choices else "",
    )


def _written(place: Sequence[int | str]) -> str:
    """Key as it stands in the file: ``[time] period_s`` or ``publications[2].unit``."""
    if not place:
        return ""
    text = str(place[0])
    for part in place[1:]:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text


def _section(model: type[BaseModel], place: Sequence[int | str]) -> type[BaseModel]:
    """Model that holds the key at `place`."""
    for part in place:
        if isinstance(part, str) and part in model.model_fields:
            model = _inner(model.model_fields[part].annotation) or model
    return model


def _inner(annotation: Any) -> type[BaseModel] | None:
    """Find the model within an annotation such as ``tuple[Publication, ...]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _inner(part))), None)


def _description(model: type[BaseModel], place: Sequence[int | str]) -> str:
    if not place:
        return ""
    fields = _section(model, place[:-1]).model_fields
    named = {field.alias or name: field for name, field in fields.items()}
    field = named.get(str(place[-1]))
    return (field.description or "") if field else ""


def _choices(model: type[BaseModel], place: Sequence[int | str]) -> list[str]:
    """Words allowed by a Literal, or nothing."""
    names = [part for part in place if isinstance(part, str)]
    field = _section(model, place[:-1]).model_fields.get(names[-1]) if names else None
    return [word for word in get_args(field.annotation) if isinstance(word, str)] if field else []
