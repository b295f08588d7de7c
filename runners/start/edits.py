"""Changes to a scenario file that leave everything else in it, comments included, as it is."""

from __future__ import annotations

import json
import re
import tomllib

from dlmp_cosim.feeders.errors import InputError

BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


def set_value(text: str, key: str, value: str) -> str:
    """Change one value of a scenario, or add it to its table.

    Parameters
    ----------
    text : str
        The scenario.
    key : str
        Such as ``time.intervals``.
    value : str
        As TOML writes it.

    Returns
    -------
    str
        The scenario with this value.

    Raises
    ------
    InputError
        When the scenario writes the table otherwise than under a heading of its own.
    """
    section, _, name = key.partition(".")
    changed = _changed(text, section, name, value)
    if not _differs_only(text, changed, section, name, value):
        raise InputError(
            "cannot be set in this scenario",
            where=key,
            expected=f"a key of a table that begins with a line [{section}]",
        )
    return changed


def _changed(text: str, section: str, name: str, value: str) -> str:
    table = re.search(rf"(?ms)^\[{re.escape(section)}\][^\n]*\n(.*?)(?=^\[|\Z)", text)
    if table is None:
        return f"{text.rstrip()}\n\n[{section}]\n{name} = {value}\n"
    line = rf'(?m)^(\s*{re.escape(name)}\s*=\s*)("[^"\n]*"|\[[^\]]*\]|[^#\n]*?)(?=\s*(?:#|$))'
    inner, found = re.subn(line, lambda match: match[1] + value, table[1], count=1)
    if not found:
        inner = f"{name} = {value}\n{table[1]}"
    return text[: table.start(1)] + inner + text[table.end(1) :]


def _differs_only(text: str, changed: str, section: str, name: str, value: str) -> bool:
    """Tell whether a text says the value and all else as before: TOML has other ways to write a table."""
    wanted = tomllib.loads(text)
    table = wanted.setdefault(section, {})
    if not isinstance(table, dict):
        return False
    table[name] = tomllib.loads(f"value = {value}")["value"]
    try:
        found = tomllib.loads(changed)
    except tomllib.TOMLDecodeError:
        return False
    # As texts: a number that is none equals nothing, not even itself.
    one, other = (json.dumps(item, default=str, sort_keys=True) for item in (found, wanted))
    return one == other


def read_setting(setting: str) -> tuple[str, str]:
    """Split ``time.intervals=24`` into key and value; a bare word is a text.

    Raises
    ------
    InputError
        When it is not of that form.
    """
    key, mark, value = (part.strip() for part in setting.partition("="))
    if not mark or not all(map(BARE.fullmatch, key.split("."))) or key.count(".") != 1:
        raise InputError(f"{setting!r} sets nothing", where="--set", expected="TABLE.KEY=VALUE")
    try:
        tomllib.loads(f"value = {value}")
    except tomllib.TOMLDecodeError:
        value = json.dumps(value)
    return key, value
