"""A federation on several hosts: who listens where, and how long silence is borne.

`dlmp run --host` sets these environment variables for the processes of one host; without them everything is
on this host and listens to nobody else.
"""

from __future__ import annotations

import os

from dlmp_cosim.feeders.errors import InputError

ADDRESS_VARIABLE = "DLMP_ADDRESS"
"""Address at which processes of this host listen."""
BROKER_VARIABLE = "DLMP_BROKER_ADDRESS"
"""Where the broker listens. HELICS' own variable would make the broker look for one above it."""
KEY_VARIABLE = "HELICS_BROKER_KEY"
"""Key of a broker that was started for this run, maybe elsewhere; without it `helics run` starts all here."""
STALL_VARIABLE = "DLMP_STALL_S"
"""Wall time for which a process far from the broker waits for its next time [s]."""
STALL_S = 120.0


def listening() -> str:
    """Options of a broker or a core that is to be reached from other hosts; empty when none is."""
    address = os.environ.get(ADDRESS_VARIABLE, "")
    return f"--local_interface=tcp://{address}" if address else ""


def joining() -> str:
    """Options of a core whose broker may be on another host."""
    broker = os.environ.get(BROKER_VARIABLE, "")
    return f"{listening()} --broker_address={broker}" if broker else listening()


def far_broker() -> str:
    """Address of the broker, when it is on another host; else empty."""
    broker, own = os.environ.get(BROKER_VARIABLE, ""), os.environ.get(ADDRESS_VARIABLE, "")
    return broker if broker and not broker.endswith(f"//{own}") else ""


def stall_limit() -> float:
    """How long a process far from the broker waits [s].

    Raises
    ------
    InputError
        When the environment gives no positive number.
    """
    text = os.environ.get(STALL_VARIABLE, str(STALL_S))
    try:
        limit = float(text)
    except ValueError:
        limit = 0.0
    if not 0.0 < limit < float("inf"):
        raise InputError(f"{text!r} is no time", where=STALL_VARIABLE, expected="seconds, such as 120")
    return limit
