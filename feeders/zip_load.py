"""What a load draws at a voltage other than nominal."""

from __future__ import annotations

from typing import Final

import numpy as np

from feeders.network import FloatArray

LOW_SHARE: Final = 0.7
"""Share of `Network.load_vmin_pu` below which a load is its nominal impedance."""


def voltage_factor(voltage: FloatArray, exponent: FloatArray, vmin_pu: float) -> FloatArray:
    """Return served power over nominal power.

    Above `vmin_pu` it is voltage to the exponent. Below ``LOW_SHARE * vmin_pu`` every load is its nominal
    impedance; in between the current is interpolated, so that the factor has no jump.

    Parameters
    ----------
    voltage : ndarray, shape (n,)
        Magnitude across the load [pu of its own nominal voltage].
    exponent : ndarray, shape (n,)
        0 constant power, 1 constant current, 2 constant impedance.
    vmin_pu : float
        Lowest voltage at which the exponent holds [pu].

    Returns
    -------
    ndarray, shape (n,)
        Factor on the nominal power.
    """
    factor = voltage**exponent
    if voltage.size and voltage.min() < vmin_pu:
        low = LOW_SHARE * vmin_pu
        rise = (voltage - low) / (vmin_pu - low)
        current = low + rise * (vmin_pu ** (exponent - 1.0) - low)
        bent = np.where(voltage <= low, voltage**2, voltage * current)
        factor = np.where((voltage < vmin_pu) & (exponent < 2.0), bent, factor)
    return factor
