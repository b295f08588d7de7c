"""How a command line names the federates that one process hosts."""

from __future__ import annotations

from feeders.errors import InputError

FORM = "NAME=MODULE:CLASS"


def hosted(word: str) -> tuple[str, str]:
    """Split what the command line says of one federate into its name and ``module:Class``.

    Raises
    ------
    InputError
        When it is not of that form.
    """
    name, _, path = word.partition("=")
    module, _, member = path.partition(":")
    if not (name and module and member):
        raise InputError(f"{word!r} is no federate to host", where="federates.host", expected=FORM)
    return name, path
