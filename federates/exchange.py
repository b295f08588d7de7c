"""AC states and clearings as the values of topics, and back."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from federates.link import Link, Value
from feeders.network import ComplexArray, FloatArray
from feeders.state import AcState
from market.clearing import Clearing


def state_values(state: AcState) -> dict[str, Value]:
    """Topics that carry a converged AC state, in their own units."""
    ends = np.concatenate([state.power_from, state.power_to])
    return {
        "feeder/voltage_magnitude": np.abs(state.voltage),
        "feeder/voltage_angle": np.angle(state.voltage),
        **_complex("feeder/branch_power", ends),
        "feeder/line_current": state.current,
        **_complex("feeder/load", state.load),
        **_complex("feeder/demand", state.demand),
        **_complex("feeder/injection", state.injection),
        **_complex("feeder/head_power", state.head),
        "feeder/losses_real": float(state.losses.real),
        "feeder/losses_reactive": float(state.losses.imag),
        "feeder/regulator_tap": state.tap.astype(np.float64),
    }


def read_state(link: Link, *, since: float) -> AcState:
    """Read the converged AC state that the feeder published at `since` [s] or later.

    Raises
    ------
    FederationError
        When a value is missing, old or unsound.
    """

    def pair(stem: str) -> ComplexArray:
        return _join(link.vector(f"{stem}_real", since=since), link.vector(f"{stem}_reactive", since=since))

    ends = pair("feeder/branch_power")
    magnitude = link.vector("feeder/voltage_magnitude", since=since)
    angle = link.vector("feeder/voltage_angle", since=since)
    half = len(ends) // 2
    return AcState(
        voltage=_join(magnitude * np.cos(angle), magnitude * np.sin(angle)),
        power_from=ends[:half],
        power_to=ends[half:],
        current=link.vector("feeder/line_current", since=since),
        load=pair("feeder/load"),
        demand=pair("feeder/demand"),
        injection=pair("feeder/injection"),
        tap=np.rint(link.vector("feeder/regulator_tap", since=since)).astype(np.int64),
        head=pair("feeder/head_power"),
        losses=complex(
            link.number("feeder/losses_real", since=since), link.number("feeder/losses_reactive", since=since)
        ),
    )


def clearing_values(clearing: Clearing) -> dict[str, Value]:
    """Topics that carry a clearing, in their own units."""
    prices = clearing.prices
    return {
        **_complex("market/dispatch", clearing.dispatch),
        "market/dlmp_real": prices.real,
        "market/dlmp_reactive": prices.reactive,
        "market/dlmp_real_energy": prices.real_energy,
        "market/dlmp_real_loss": prices.real_loss,
        "market/dlmp_real_voltage": prices.real_voltage,
        "market/dlmp_real_congestion": prices.real_congestion,
        "market/predicted_voltage_magnitude": clearing.voltage_magnitude,
        "market/predicted_branch_power_real": clearing.power_from.real.copy(),
        "market/predicted_head_power_real": clearing.head.real.copy(),
        "market/predicted_losses_real": float(clearing.losses_kw),
    }


def read_dispatch(link: Link, *, since: float) -> ComplexArray:
    """Read the dispatch of every resource [kVA] that the market published at `since` [s] or later."""
    return _join(
        link.vector("market/dispatch_real", since=since), link.vector("market/dispatch_reactive", since=since)
    )


def _complex(stem: str, values: ComplexArray) -> Mapping[str, FloatArray]:
    return {f"{stem}_real": values.real.copy(), f"{stem}_reactive": values.imag.copy()}


def _join(real: FloatArray, imaginary: FloatArray) -> ComplexArray:
    return np.asarray(real + 1j * imaginary, dtype=np.complex128)
