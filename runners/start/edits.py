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
    """
    section, _, name = key.partition(".")
    table = re.search(rf"(?ms)^\[{re.escape(section)}\][^\n]*\n(.*?)(?=^\[|\Z)", text)
    if table is None:
        return f"{text.rstrip()}\n\n[{section}]\n{name} = {value}\n"
    line = rf'(?m)^(\s*{re.escape(name)}\s*=\s*)("[^"\n]*"|\[[^\]]*\]|[^#\n]*?)(?=\s*(?:#|$))'
    inner, found = re.subn(line, lambda match: match[1] + value, table[1], count=1)
    if not found:
        inner = f"{name} = {value}\n{table[1]}"
    return text[: table.start(1)] + inner + text[table.end(1) :]


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
