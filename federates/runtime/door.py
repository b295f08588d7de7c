"""Who comes to a broker's door while members join: strangers are named at once.

HELICS does not say whom it refused, which breaks a federation whose members are joining; the broker's own log
does, at its finest level, and is listened to until everybody is in.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import helics as h
from helics.capi import ffi

LOG_OPTIONS = "--loglevel=trace --consoleloglevel=warning"
"""What lets a `Door` hear: every message is formatted, and none but warnings shown."""
_ASKS = re.compile(r"reg_broker:(\S+) from")
_ENTERS = re.compile(r"registering (?:broker|core) (\S+?)\(")
_JOINS = re.compile(r"registering federate (.+?)\(\d+\)")
_CORE_ENDING = re.compile(r"_core_\w+$|_\d+_[0-9a-f]{8}$")
"""What HELICS, and we, add to the name of a federate to call its core."""


@dataclass(frozen=True)
class Stranger:
    """Who came without being expected, and one line for a person."""

    name: str
    message: str


class Door:
    """Listens at the door of a broker.

    Parameters
    ----------
    broker : HelicsBroker
        The broker, created with `LOG_OPTIONS`.
    names : sequence of str
        Who is expected.
    """

    def __init__(self, broker: Any, names: Sequence[str]) -> None:
        self._broker, self._names = broker, frozenset(names)
        self._refused: dict[str, None] = {}
        self._joined: dict[str, None] = {}
        # HELICS keeps no reference: the callback lives as long as this object.
        self._callback = ffi.callback("void(int, const char *, const char *, void *)", self._hear)
        h.helicsBrokerSetLoggingCallback(broker, self._callback, ffi.NULL)

    def close(self) -> None:
        """Stop listening: everybody is in."""
        h.helicsBrokerSetLoggingCallback(self._broker, ffi.NULL, ffi.NULL)

    def stranger(self, *, broken: bool) -> Stranger | None:
        """Name who joined without being expected, or was refused and is nobody of this run.

        Parameters
        ----------
        broken : bool
            Whether the federation is known to have broken: only then was one that is not in yet refused.
        """
        for name in list(self._joined):
            if name not in self._names:
                return Stranger(name, _unexpected(name, self._names))
        for core in list(self._refused) if broken else []:
            if _federate(core) not in self._names:
                return Stranger(_federate(core), _turned_away(core))
        return None

    def _hear(self, _level: int, _source: Any, message: Any, _data: Any) -> None:
        """Take down who asks to come in, and strike out who does; called by a thread of HELICS."""
        text = ffi.string(message).decode(errors="replace")
        if asks := _ASKS.search(text):
            self._refused[asks[1]] = None
        elif enters := _ENTERS.search(text):
            self._refused.pop(enters[1], None)
        elif joins := _JOINS.search(text):
            self._joined[joins[1]] = None


def _federate(core: str) -> str:
    return _CORE_ENDING.sub("", core)


def _turned_away(core: str) -> str:
    return (
        f"the stranger {_federate(core)!r} (core {core}) came to the port of this run and was refused, "
        "for another key or a name that is taken: the federation broke while its members joined"
    )


def _unexpected(name: str, names: frozenset[str]) -> str:
    return (
        f"{name!r} joined, which nobody expects; the members of this run are {', '.join(sorted(names))} "
        "(--federates of the broker)"
    )
