"""What a clearing returns, whatever the model and the method."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from dlmp_cosim.feeders.errors import ClearingError
from dlmp_cosim.feeders.network import ComplexArray, FloatArray
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.market.horizon.outlook import HorizonPlan
from dlmp_cosim.market.offers import WholesalePrice

Status = Literal["solved", "not_converged", "failed"]


@dataclass(frozen=True)
class Prices:
    """Distribution locational marginal prices: d cost / d load at each node.

    Attributes
    ----------
    real, reactive : ndarray, shape (n_node,)
        Price of real power [$/MWh] and of reactive power [$/(MVAR*h)].
    real_energy, real_loss, real_voltage, real_congestion : ndarray, shape (n_node,)
        Parts of the real price [$/MWh]; they sum to `real`.
    reactive_energy, reactive_loss, reactive_voltage, reactive_congestion : ndarray, shape (n_node,)
        Parts of the reactive price [$/(MVAR*h)]; they sum to `reactive`.
    real_substation, reactive_substation : ndarray, shape (n_node,)
        Parts by what feeders share at a substation, in the same sums; empty where they share nothing.
    """

    real: FloatArray
    reactive: FloatArray
    real_energy: FloatArray
    real_loss: FloatArray
    real_voltage: FloatArray
    real_congestion: FloatArray
    reactive_energy: FloatArray
    reactive_loss: FloatArray
    reactive_voltage: FloatArray
    reactive_congestion: FloatArray
    real_substation: FloatArray = field(default_factory=lambda: np.zeros(0))
    reactive_substation: FloatArray = field(default_factory=lambda: np.zeros(0))


@dataclass(frozen=True)
class SoftLimit:
    """A limit that the clearing ran into.

    Attributes
    ----------
    kind : {"voltage_low", "voltage_high", "rating"}
        Which limit.
    where : str
        Name of a `VoltagePoint`, or conductor of `Network.conductor_ids`.
    value, limit : float
        Predicted value and limit [pu, A].
    price : float
        Marginal cost of the limit [$/h per pu or per A]: positive whenever the market feels it.
    exceeded : bool
        Whether the market paid the penalty instead of holding the limit.
    """

    kind: Literal["voltage_low", "voltage_high", "rating"]
    where: str
    value: float
    limit: float
    price: float
    exceeded: bool


@dataclass(frozen=True)
class Clearing:
    """One cleared market interval.

    Attributes
    ----------
    dispatch : ndarray, shape (n_resource,)
        Complex power awarded, positive towards the grid [kVA]; for flexible loads demand not consumed at
        nominal voltage.
    voltage : ndarray, shape (n_node,)
        Predicted complex voltage [pu of each node's base].
    power : ndarray, shape (n_conductor,)
        Predicted complex power entering every branch at every conductor of its terminals [kVA].
    head : ndarray, shape (n_head,)
        Predicted complex power that the sources give [kVA].
    losses_kw : float
        Predicted real losses [kW].
    prices : Prices
        Nodal prices.
    cost : float
        Wholesale purchase, offers and penalties [$/h].
    limits : tuple of SoftLimit
        Every limit with a price.
    refused : tuple of str
        Offers left out of this clearing, each with its reason.
    status : {"solved", "not_converged", "failed"}
        Whether the stopping rule was met.
    rounds : int
        Negotiation rounds (0 for a central solution).
    messages, scalars : int
        Messages between neighbours, and numbers in them, over all rounds.
    primal_residual, dual_residual, gap : float
        Residuals of the stopping rule, relative.
    exactness_gap : float
        Largest slack of a cone that should be tight [pu]; 0 for a linear model.
    plan : HorizonPlan, optional
        What it plans for later steps, when it looks ahead.
    notes : tuple of str
        What the model itself says of this clearing; the same words for the same thing.
    head_price : float, optional
        LMP that it settled at [$/MWh], where the LMP answers what the feeder draws; None where it was given.
    """

    dispatch: ComplexArray
    voltage: ComplexArray
    power: ComplexArray
    head: ComplexArray
    losses_kw: float
    prices: Prices
    cost: float
    limits: tuple[SoftLimit, ...] = ()
    refused: tuple[str, ...] = ()
    status: Status = "solved"
    rounds: int = 0
    messages: int = 0
    scalars: int = 0
    primal_residual: float = 0.0
    dual_residual: float = 0.0
    gap: float = 0.0
    exactness_gap: float = 0.0
    plan: HorizonPlan | None = None
    notes: tuple[str, ...] = ()
    head_price: float | None = None

    def after(self, earlier: Clearing) -> Clearing:
        """Count what an earlier clearing took as well."""
        return replace(
            self,
            rounds=self.rounds + earlier.rounds,
            messages=self.messages + earlier.messages,
            scalars=self.scalars + earlier.scalars,
        )

    @property
    def voltage_magnitude(self) -> FloatArray:
        """Predicted voltage, shape (n_node,) [pu]."""
        return np.abs(self.voltage)


def check_case(state: AcState, demand: ComplexArray, price: WholesalePrice) -> None:
    """Check what a clearing starts from: numbers that are not there would spread without a trace.

    Parameters
    ----------
    state : AcState
        Last AC state, the prediction.
    demand : ndarray, shape (n_load,)
        Demand at nominal voltage before curtailment [kVA].
    price : WholesalePrice
        Price at the head [$/MWh, $/(MVAR*h)].

    Raises
    ------
    ClearingError
        When the AC state did not converge, or a voltage, a flow, a demand or a price is not finite.
    """
    if not state.converged:
        raise ClearingError("the power flow that the clearing starts from did not converge")
    parts = {
        "a voltage of the AC state": state.voltage,
        "a branch power of the AC state": state.power,
        "a demand": demand,
        "the price at the head": np.array([price.lmp, price.reactive]),
    }
    for name, values in parts.items():
        if not np.isfinite(values).all():
            raise ClearingError(f"{name} is not a finite number")
