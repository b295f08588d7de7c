"""A `Network` as JSON text and back, exactly."""

from __future__ import annotations

import json
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from feeders.errors import InputError, unknown_name
from feeders.network import Network
from feeders.validate import check_network

ADAPTER: Final = TypeAdapter(Network)


def network_to_json(network: Network) -> str:
    """Write a network as one line of JSON; equal networks give equal text."""
    return ADAPTER.dump_json(network).decode()


def network_from_json(text: str, *, where: str = "network") -> Network:
    """Read a network from JSON and check it.

    Parameters
    ----------
    text : str
        What `network_to_json` wrote, or the like from another program.
    where : str
        Where the text came from, for messages.

    Returns
    -------
    Network
        Equal to the one that was written.

    Raises
    ------
    InputError
        When the text is no JSON, a field is missing, unknown or of the wrong type, or the feeder is not
        sound.
    """
    try:
        network = ADAPTER.validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InputError(
            first["msg"], where=f"{where} {place}".strip(), expected="a Network in JSON"
        ) from None
    _refuse_unknown(json.loads(text), ADAPTER.dump_python(network, mode="json"), where)
    check_network(network)
    return network


def _refuse_unknown(given: Any, read: Any, where: str) -> None:
    """Raise when the text holds a field that nobody reads, such as a misspelt one that has a default."""
    if isinstance(given, dict):
        for key, value in given.items():
            if key not in read:
                raise unknown_name("field", key, read, where=where)
            _refuse_unknown(value, read[key], f"{where}.{key}")
    elif isinstance(given, list):
        for k, (value, known) in enumerate(zip(given, read, strict=True)):
            _refuse_unknown(value, known, f"{where}.{k}")
