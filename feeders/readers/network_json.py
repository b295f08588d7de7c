"""A `Network` as JSON text and back, exactly; an infinite rating is null, since JSON has no such number."""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass
from typing import Any, Final, get_args, get_type_hints

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from dlmp_cosim.feeders.errors import InputError, unknown_name
from dlmp_cosim.feeders.network import Network
from dlmp_cosim.feeders.validate import check_network

ADAPTER: Final = TypeAdapter(Network)

RATINGS: Final = re.compile(r'"rating_a"\s*:\s*\[[^\[\]{}"]*\]')
"""The list of an element's ratings; within a string its quotes would be escaped."""


class _Envelope(BaseModel):
    """Refuses fields that nobody reads in the whole network: a plain dataclass cannot say so itself."""

    model_config = ConfigDict(extra="forbid")

    network: Network


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
        When the text is no JSON, a field is missing, unknown or of the wrong type, or the circuit is not
        sound.
    """
    try:
        network = _Envelope.model_validate_json(f'{{"network":{_with_infinity(text)}}}').network
    except ValidationError as error:
        raise _readable(error, where) from None
    check_network(network)
    return network


def _with_infinity(text: str) -> str:
    """Write ratings that are null as pydantic reads infinity."""
    return RATINGS.sub(lambda found: found[0].replace("null", "Infinity"), text)


def _readable(error: ValidationError, where: str) -> InputError:
    """State the first mistake as file, place and what would have been right."""
    first = error.errors(include_url=False)[0]
    place = first["loc"][1:]
    if first["type"] == "unexpected_keyword_argument":
        inside = ".".join([where, *(str(part) for part in place[:-1])])
        return unknown_name("field", str(place[-1]), _fields_at(place[:-1]), where=inside)
    named = ".".join(str(part) for part in place)
    return InputError(first["msg"], where=f"{where} {named}".strip(), expected="a Network in JSON")


def _fields_at(place: tuple[int | str, ...]) -> list[str]:
    """Names of the fields of what stands at a place in a network."""
    here: Any = Network
    for part in place:
        if isinstance(part, str):
            here = get_type_hints(here)[part]
            while not is_dataclass(here):
                here = get_args(here)[0]
    return [field.name for field in fields(here)]
