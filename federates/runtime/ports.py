"""Ports of this host: which one a broker listens on, and whether it is free."""

from __future__ import annotations

import itertools
import os
import socket

from dlmp_cosim.feeders.errors import FederationError, InputError

PORT_VARIABLE = "HELICS_BROKER_PORT"
"""Environment variable that moves a whole run to another port."""
DEFAULT_PORT = 23404
BLOCK = 40
"""Ports that one run may use: the broker's, and a few for each federate."""
RESERVED_OFFSET = 3
"""Port of a block that HELICS never uses; holding it reserves the block."""
FIRST, LAST = 20_000, 32_000
"""Range of the blocks: below the ports that the system hands out."""
_TURNS = itertools.count(os.getpid())
"""No block is used twice in a row: what a run left unsent would go to the next that listens there."""


def broker_port() -> int:
    """Port that the environment asks for, or the default of HELICS.

    Raises
    ------
    InputError
        When the environment gives no port.
    """
    text = os.environ.get(PORT_VARIABLE, "")
    if text and not (text.isdecimal() and 0 < int(text) < 65_536):
        raise InputError(f"{text!r} is no port", where=PORT_VARIABLE, expected="1 to 65535")
    return int(text or DEFAULT_PORT)


def check_ports(port: int) -> None:
    """Raise FederationError when a broker cannot listen on `port` and the next."""
    for number in (port, port + 1):
        if not _is_free(number):
            raise FederationError(
                f"port {number} is in use, maybe by another run; set {PORT_VARIABLE} to a free port"
            )


def reserve_block() -> tuple[int, socket.socket]:
    """Find a free block of ports and keep other runs off it.

    Returns
    -------
    port : int
        First port of the block.
    guard : socket
        Keeps the block reserved until it is closed.

    Raises
    ------
    FederationError
        When every block is in use.
    """
    ports = range(FIRST, LAST, BLOCK)
    first = next(_TURNS) % len(ports)
    for port in (*ports[first:], *ports[:first]):
        if port <= DEFAULT_PORT < port + BLOCK:
            continue
        guard = socket.socket()
        try:
            guard.bind(("127.0.0.1", port + RESERVED_OFFSET))
            guard.listen()
        except OSError:
            guard.close()
            continue
        if all(_is_free(number) for number in range(port, port + BLOCK) if number != port + RESERVED_OFFSET):
            return port, guard
        guard.close()
    raise FederationError(f"no free ports between {FIRST} and {LAST}")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
