"""How a market clears: model, method, limits and tolerances."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

Method = Literal["interior-point", "pac-accelerated", "pac", "nst-pac", "central"]
PUBLISHED: Final = ("pac", "nst-pac")
"""Methods that are iterations as published, on copies of what neighbours read."""


@dataclass(frozen=True)
class MarketSettings:
    """Settings of one market; every field has a default that works for a distribution feeder.

    Attributes
    ----------
    model : str
        Name of a market model: one of `market.models.MODELS`, or ``package.module:Class``.
    method : {"interior-point", "pac-accelerated", "pac", "nst-pac", "central"}
        How agents find the optimum: second-order messages up and down the tree of buses, one of the
        first-order negotiations, or the central reference solution.
    voltage_min_pu, voltage_max_pu : float
        Soft limits of every `VoltagePoint` [pu].
    voltage_margin_pu : float
        How far inside the limits the market stays [pu]: room for regulators that move after it.
    voltage_penalty : float
        Price of exceeding a voltage limit [$/h per pu and voltage].
    rating_penalty : float
        Price of exceeding a rating [$/h per 100 % of the rating and conductor].
    rating_scale : float
        Factor on every rating.
    loss_weight : float
        Extra weight of losses in the objective, as a multiple of the LMP; 0 gives marginal costs.
    agents : int
        Number of agents for `pac-accelerated`, each with a connected area of several buses; 0 for one agent a
        bus, as every other method always has it.
    tolerance : float
        Largest residual, relative to 100 kW and to the LMP, at which agents agree to stop.
    negotiation_rounds : int
        Rounds, one-hop messages in sequence, after which agents stop and a clearing counts as not converged;
        sweeps that open and close a clearing are made in any case.
    horizon_voltage_pu : float
        How far beyond their limits voltages of later steps may be [pu]: regulators will have moved by then,
        and stand still in what is expected of those steps.
    """

    model: str = "nodal"
    method: Method = "interior-point"
    voltage_min_pu: float = 0.95
    voltage_max_pu: float = 1.05
    voltage_margin_pu: float = 0.0
    voltage_penalty: float = 1e4
    rating_penalty: float = 1e4
    rating_scale: float = 1.0
    loss_weight: float = 0.0
    agents: int = 4
    tolerance: float = 3e-5
    negotiation_rounds: int = 20_000
    horizon_voltage_pu: float = 0.02

    @property
    def later(self) -> MarketSettings:
        """The settings for steps ahead."""
        band = self.horizon_voltage_pu
        if not band:
            return self
        return replace(
            self, voltage_min_pu=self.voltage_min_pu - band, voltage_max_pu=self.voltage_max_pu + band
        )

    @property
    def voltage_low_pu(self) -> float:
        """Lowest voltage that the market plans for [pu]."""
        return self.voltage_min_pu + self.voltage_margin_pu

    @property
    def voltage_high_pu(self) -> float:
        """Highest voltage that the market plans for [pu]."""
        return self.voltage_max_pu - self.voltage_margin_pu
