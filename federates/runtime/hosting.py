"""How a command line names the federates that one process hosts."""

from __future__ import annotations

from collections.abc import Sequence

from dlmp_cosim.federates.contract.topics import in_federation
from dlmp_cosim.feeders.errors import InputError

FORM = "NAME=MODULE:CLASS"
FEEDER_OPTION = "--feeder"
"""Says which of several feeders the hosted federates belong to; its own five are among them unnamed."""
APART_OPTION = "--apart"
"""Gives each of them a process of its own, forked from one that has imported all."""
OF_FEEDER = {
    name: f"dlmp_cosim.federates.{name}" for name in ("wholesale", "feeder", "assets", "market", "recorder")
}
"""Federates that every feeder has, and their modules."""


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
        raise InputError(f"{word!r} is no federate to host", where="dlmp_cosim.federates.host", expected=FORM)
    return name, path


def all_hosted(operands: Sequence[str]) -> dict[str, str]:
    """List what a host runs, by its name in the federation: a module, or ``module:Class``.

    Parameters
    ----------
    operands : sequence of str
        Command line after the module: the study, federates, maybe the feeder and that they are apart.

    Raises
    ------
    InputError
        When a federate is not named as `FORM`.
    """
    words = [word for word in operands[1:] if word != APART_OPTION]
    if FEEDER_OPTION not in words[:-1]:
        return dict(map(hosted, words))
    at = words.index(FEEDER_OPTION)
    feeder = words[at + 1]
    listed = OF_FEEDER | dict(map(hosted, words[:at] + words[at + 2 :]))
    return {in_federation(name, feeder): path for name, path in listed.items()}
