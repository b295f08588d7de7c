"""AC states and clearings as the values of topics, and back."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from dlmp_cosim.federates.contract.topics import Topic, published_by
from dlmp_cosim.federates.runtime.link import Link, Value
from dlmp_cosim.feeders.network import ComplexArray, FloatArray, Network
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.market.clearing import Clearing

STATE_TOPICS = tuple(topic for topic in published_by("feeder") if topic.type != "string")
"""Topics that carry an AC state."""


def state_values(state: AcState) -> dict[str, Value]:
    """Topics that carry a converged AC state, in their own units."""
    return {
        "feeder/voltage_magnitude": np.abs(state.voltage),
        "feeder/voltage_angle": np.angle(state.voltage),
        **_complex("feeder/branch_power", state.power),
        "feeder/branch_current": state.current,
        **_complex("feeder/load", state.load),
        **_complex("feeder/demand", state.demand),
        **_complex("feeder/injection", state.injection),
        **_complex("feeder/machine", state.machine),
        **_complex("feeder/head_power", state.head),
        "feeder/losses_real": float(state.losses.real),
        "feeder/losses_reactive": float(state.losses.imag),
        "feeder/regulator_tap": state.tap.astype(np.float64),
        "feeder/capacitor_steps": state.capacitor.astype(np.float64),
        "feeder/conductance": state.admittance.real.copy(),
        "feeder/susceptance": state.admittance.imag.copy(),
    }


def state_of(values: Mapping[str, Value]) -> AcState:
    """Rebuild a converged AC state from the values of `STATE_TOPICS`."""

    def real(key: str) -> FloatArray:
        return np.asarray(values[key], dtype=np.float64)

    def pair(stem: str) -> ComplexArray:
        return _join(real(f"{stem}_real"), real(f"{stem}_reactive"))

    magnitude, angle = real("feeder/voltage_magnitude"), real("feeder/voltage_angle")
    return AcState(
        voltage=_join(magnitude * np.cos(angle), magnitude * np.sin(angle)),
        power=pair("feeder/branch_power"),
        current=real("feeder/branch_current"),
        load=pair("feeder/load"),
        demand=pair("feeder/demand"),
        injection=pair("feeder/injection"),
        machine=pair("feeder/machine"),
        tap=np.rint(real("feeder/regulator_tap")).astype(np.int64),
        capacitor=np.rint(real("feeder/capacitor_steps")).astype(np.int64),
        admittance=_join(real("feeder/conductance"), real("feeder/susceptance")),
        head=pair("feeder/head_power"),
        losses=complex(real("feeder/losses_real"), real("feeder/losses_reactive")),
    )


def read_state(link: Link, *, since: float) -> AcState:
    """Read the converged AC state that the feeder published at `since` [s] or later.

    Parameters
    ----------
    link : Link
        Link of a federate that reads every topic of `STATE_TOPICS`.
    since : float
        Simulated time before which a value is an old one [s].

    Raises
    ------
    FederationError
        When a value is missing, old or unsound.
    """
    return state_of({topic.key: read_topic(link, topic, since=since) for topic in STATE_TOPICS})


def read_topic(link: Link, topic: Topic, *, since: float) -> Value:
    """Read one topic by its type, published at `since` [s] or later.

    Parameters
    ----------
    link : Link
        Link of a federate that reads the topic.
    topic : Topic
        What to read.
    since : float
        Simulated time before which a value is an old one [s].

    Raises
    ------
    FederationError
        When the value is missing, old or unsound.
    """
    if topic.type == "double":
        return link.number(topic.key, since=since)
    if topic.type == "vector":
        return link.vector(topic.key, since=since)
    return link.text(topic.key, since=since)


def dispatch_values(clearing: Clearing) -> Mapping[str, Value]:
    """Topics that carry a dispatch, all that a trial needs."""
    return _complex("market/dispatch", clearing.dispatch)


def clearing_values(clearing: Clearing) -> dict[str, Value]:
    """Topics that carry a clearing, in their own units."""
    prices = clearing.prices
    return {
        **dispatch_values(clearing),
        "market/dlmp_real": prices.real,
        "market/dlmp_reactive": prices.reactive,
        "market/dlmp_real_energy": prices.real_energy,
        "market/dlmp_real_loss": prices.real_loss,
        "market/dlmp_real_voltage": prices.real_voltage,
        "market/dlmp_real_congestion": prices.real_congestion,
        "market/predicted_voltage_magnitude": clearing.voltage_magnitude,
        "market/predicted_branch_power_real": clearing.power.real.copy(),
        "market/predicted_head_power_real": clearing.head.real.copy(),
        "market/predicted_losses_real": float(clearing.losses_kw),
    }


def substation_values(clearing: Clearing) -> dict[str, Value]:
    """Topics that a clearing has where feeders meet at a substation."""
    part = clearing.prices.real_substation
    return {"market/dlmp_real_substation": part if len(part) else np.zeros(len(clearing.prices.real))}


def called_values(network: Network, called: Mapping[str, float]) -> dict[str, Value]:
    """Topic that says what is called of resources beside their award [kW]."""
    return {"market/called_real": np.array([called.get(name, 0.0) for name in network.resource_ids])}


def read_dispatch(link: Link, *, since: float) -> ComplexArray:
    """Read the dispatch of every resource [kVA] that the market published at `since` [s] or later.

    Parameters
    ----------
    link : Link
        Link of a federate that reads both topics.
    since : float
        Simulated time before which a value is an old one [s].

    Returns
    -------
    ndarray, shape (n_resource,)
        Complex power, positive towards the grid [kVA].

    Raises
    ------
    FederationError
        When a value is missing, old or unsound.
    """
    return _join(
        link.vector("market/dispatch_real", since=since), link.vector("market/dispatch_reactive", since=since)
    )


def _complex(stem: str, values: ComplexArray) -> Mapping[str, FloatArray]:
    return {f"{stem}_real": values.real.copy(), f"{stem}_reactive": values.imag.copy()}


def _join(real: FloatArray, imaginary: FloatArray) -> ComplexArray:
    return np.asarray(real + 1j * imaginary, dtype=np.complex128)
