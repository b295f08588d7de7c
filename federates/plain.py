"""A backup generator that needs nothing of this project: HELICS, JSON and the contract's keys alone.

It is what a program in any other language does. Its whole HELICS interface comes from a JSON file; what it
owns it reads from ``feeder/network``.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from typing import Any

import helics as h

OFFER_AT, AWARD_BEFORE_END = 1, 2
"""Seconds into an interval for the offer, and seconds before its end for the award."""


class Wire:
    """Inputs and outputs by key, in the order of the JSON file."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.federate = h.helicsCreateValueFederateFromConfig(json.dumps(config))
        self._inputs = {
            item["key"]: h.helicsFederateGetInputByIndex(self.federate, k)
            for k, item in enumerate(config["subscriptions"])
        }
        self._output = h.helicsFederateGetPublicationByIndex(self.federate, 0)

    def text(self, key: str) -> str:
        """Read a string."""
        return str(h.helicsInputGetString(self._inputs[key]))

    def vector(self, key: str) -> list[float]:
        """Read a vector; ValueError unless it is finite and was ever published."""
        values = [float(value) for value in h.helicsInputGetVector(self._inputs[key])]
        if not all(math.isfinite(value) and value > -1e48 for value in values):
            raise ValueError(f"{key} is not finite")
        return values

    def offer(self, content: dict[str, Any]) -> None:
        """Publish an offer, the first publication of the file."""
        h.helicsPublicationPublishString(self._output, json.dumps(content))

    def wait_until(self, time: float) -> None:
        """Wait for a simulated time [s]; ValueError when the federation ended before."""
        if h.helicsFederateRequestTime(self.federate, time) != time:
            raise ValueError("the federation ended early")


def play(wire: Wire, name: str, period: int, intervals: int, cost: float) -> float:
    """Offer every resource of this name at one cost, interval by interval; return the energy sold [kWh].

    Parameters
    ----------
    wire : Wire
        Inputs and outputs of the federate.
    name : str
        Owner whose resources are offered.
    period : int
        Length of an interval [s].
    intervals : int
        Intervals of the run.
    cost : float
        Marginal cost that is offered, the same at any power [$/MWh].

    Raises
    ------
    ValueError
        When the federation ends early, or a dispatch is not finite.
    """
    h.helicsFederateEnterExecutingMode(wire.federate)
    resources = json.loads(wire.text("feeder/network"))["resources"]
    own = [k for k, resource in enumerate(resources) if resource["owner"] == name]
    energy = 0.0
    for interval in range(intervals):
        wire.wait_until(interval * period + OFFER_AT)
        offers = [
            {
                "resource": resources[k]["name"],
                "p_min_kw": 0.0,
                "p_max_kw": resources[k]["kw_max"],
                "cost_linear": cost,
            }
            for k in own
        ]
        wire.offer({"interval": interval, "offers": offers})
        wire.wait_until((interval + 1) * period - AWARD_BEFORE_END)
        dispatch = wire.vector("market/dispatch_real")
        energy += sum(dispatch[k] for k in own) * period / 3600
    wire.wait_until(intervals * period)
    return energy


def main() -> int:
    """Join the federation that the environment names (HELICS_BROKER_PORT, HELICS_BROKER_KEY)."""
    parser = argparse.ArgumentParser(description="A backup generator.")
    parser.add_argument("config")
    parser.add_argument("--period", type=int, required=True)
    parser.add_argument("--intervals", type=int, required=True)
    parser.add_argument("--cost", type=float, default=32.0)
    options = parser.parse_args()
    with open(options.config, encoding="utf-8") as file:  # noqa: PTH123 - as any script would
        config = json.load(file)
    try:
        wire = Wire(config)
        energy = play(wire, config["name"], options.period, options.intervals, options.cost)
    except (ValueError, h.HelicsException) as error:
        sys.stderr.write(f"{config['name']}: {error}\n")
        return 1
    finally:
        h.helicsCloseLibrary()
    sys.stdout.write(f"{config['name']}: {energy:.1f} kWh\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
