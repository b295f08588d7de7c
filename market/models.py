"""The one registry of market models: those of the package, and any class that a scenario points at."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from dlmp_cosim.feeders.errors import InputError, unknown_name

if TYPE_CHECKING:
    # Names of types alone: a scenario names a model, and few processes clear a market.
    from dlmp_cosim.feeders.network import ComplexArray, FloatArray, Network
    from dlmp_cosim.feeders.state import AcState
    from dlmp_cosim.market.clearing import Clearing
    from dlmp_cosim.market.horizon.outlook import Outlook
    from dlmp_cosim.market.offers import Offer, WholesalePrice
    from dlmp_cosim.market.settings import MarketSettings

DEFAULT_MODEL = "nodal"
"""What a scenario gets that names no model."""


class RetailMarket(Protocol):
    """What a market model offers, whoever wrote it."""

    def clear(
        self, state: AcState, demand: ComplexArray, offers: Sequence[Offer], price: WholesalePrice
    ) -> Clearing:
        """Clear at the last AC state, for a demand at nominal voltage before curtailment [kVA].

        Parameters
        ----------
        state : AcState
            Last AC state, the prediction.
        demand : ndarray, shape (n_load,)
            Demand of every load [kVA].
        offers : sequence of Offer
            Accepted offers, at most one per resource.
        price : WholesalePrice
            Price at the head [$/MWh, $/(MVAR*h)].

        Raises
        ------
        ClearingError
            When the market cannot clear.
        """


class LookingAhead(RetailMarket, Protocol):
    """A market that clears all steps of a horizon and stands by the first."""

    def clear_ahead(self, state: AcState, outlook: Outlook, offers: Sequence[Offer]) -> Clearing:
        """Clear at the AC state of the first step; the plan says what is expected of the others.

        Parameters
        ----------
        state : AcState
            AC state of the first step.
        outlook : Outlook
            The steps with their demand and prices, the interval itself first.
        offers : sequence of Offer
            Accepted offers, with what they say of later steps.

        Raises
        ------
        ClearingError
            When the market cannot clear.
        """


class NegotiatedMarket(RetailMarket, Protocol):
    """A market whose agents negotiate, as studies of convergence see it.

    Attributes
    ----------
    settings : MarketSettings
        Method, limits and tolerances.
    tuning : Tuning
        How agents negotiate.
    warmth : object
        What the last clearing left to start from.
    """

    settings: MarketSettings
    tuning: Any
    warmth: Any


@dataclass(frozen=True)
class ReferenceAnswer:
    """What a central statement of the same market says.

    Attributes
    ----------
    cost : float
        Optimal cost [$/h].
    price_real, price_reactive : ndarray, shape (n_node,)
        Prices [$/MWh, $/(MVAR*h)].
    award : ndarray, shape (n_resource,)
        Complex power awarded [kVA].
    slack : float
        Largest slack of a cone that should be tight [pu]; 0 for a linear network.
    seconds : float
        Time that the solver itself took [s].
    """

    cost: float
    price_real: FloatArray
    price_reactive: FloatArray
    award: ComplexArray
    slack: float
    seconds: float


class Reference(Protocol):
    """A market stated centrally, for a negotiation to be held against."""

    def answer(
        self, state: AcState, demand: ComplexArray, offers: Sequence[Offer], price: WholesalePrice
    ) -> ReferenceAnswer:
        """Solve the market of the same case as `RetailMarket.clear`.

        Parameters
        ----------
        state : AcState
            Last AC state, the prediction.
        demand : ndarray, shape (n_load,)
            Demand at nominal voltage before curtailment [kVA].
        offers : sequence of Offer
            Accepted offers, at most one per resource.
        price : WholesalePrice
            Price at the head [$/MWh, $/(MVAR*h)].

        Raises
        ------
        ClearingError
            When the solver finds no optimum.
        """


@dataclass(frozen=True)
class MarketModel:
    """One line of the registry; classes are named, not imported, for that would take a second.

    Attributes
    ----------
    market : str
        ``module:Class`` of a `RetailMarket`.
    reference : str
        ``module:Class`` of its `Reference`; empty when there is nothing to hold it against.
    ahead : str
        ``module:Class`` of the same market looking ahead, a `LookingAhead`; empty when it cannot.
    """

    market: str
    reference: str = ""
    ahead: str = ""


MODELS: dict[str, MarketModel] = {
    "nodal": MarketModel(
        "dlmp_cosim.market.nodal.market:NodalMarket",
        "dlmp_cosim.market.central.nodal:CentralNodal",
        "dlmp_cosim.market.horizon.market:HorizonMarket",
    ),
    "branch_flow": MarketModel(
        "dlmp_cosim.market.balanced.market:BranchFlowMarket",
        "dlmp_cosim.market.central.balanced:CentralBranchFlow",
    ),
    "uniform": MarketModel("dlmp_cosim.market.baselines.uniform:UniformMarket"),
    "none": MarketModel("dlmp_cosim.market.baselines.none:NoMarket"),
}
"""Market models by the name that a scenario gives them."""


def negotiated_models() -> tuple[str, ...]:
    """Models that have a reference to be held against."""
    return tuple(name for name, model in MODELS.items() if model.reference)


def check_model(name: str, *, where: str) -> None:
    """Raise InputError unless `name` is one of `MODELS` or an importable ``package.module:Class``.

    Parameters
    ----------
    name : str
        What a scenario names.
    where : str
        File and key, for the message.
    """
    if name not in MODELS:
        find_model(name, where=where)


def find_model(name: str, *, where: str) -> Callable[[Network, MarketSettings], RetailMarket]:
    """Find a market model: one of `MODELS`, or any class given as ``package.module:Class``.

    Parameters
    ----------
    name : str
        What the scenario says.
    where : str
        File and key, for messages.

    Raises
    ------
    InputError
        When there is no such model.
    """
    if name not in MODELS and ":" not in name:
        raise unknown_name("market model", name, MODELS, where=where)
    path = MODELS[name].market if name in MODELS else name
    found: Callable[[Network, MarketSettings], RetailMarket] = import_member(
        path, kind="market model", where=where
    )
    return found


def find_ahead(name: str, *, where: str) -> Callable[[Network, MarketSettings], LookingAhead]:
    """Find the market of a model that clears a horizon.

    Parameters
    ----------
    name : str
        The model: one of `MODELS`, or a class with a method `clear_ahead`.
    where : str
        File and key, for messages.

    Raises
    ------
    InputError
        When the model clears one interval at a time.
    """
    known = MODELS.get(name)
    if known is not None and known.ahead:
        found: Callable[[Network, MarketSettings], LookingAhead] = import_member(
            known.ahead, kind="market model", where=where
        )
        return found
    own = find_model(name, where=where)
    if known is not None or not hasattr(own, "clear_ahead"):
        able = ", ".join(model for model, line in MODELS.items() if line.ahead)
        raise InputError(
            f"market model {name!r} clears one interval at a time, and the scenario has a horizon",
            where=where,
            expected=f"{able}, or a class with a method `clear_ahead`",
        )
    return own  # type: ignore[return-value]


def find_reference(name: str, *, where: str) -> Callable[[Network, MarketSettings], Reference]:
    """Find the central statement that a market model is held against.

    Parameters
    ----------
    name : str
        The model: one of `MODELS`, or a class with an attribute `reference` that is one.
    where : str
        File and key, for messages.

    Raises
    ------
    InputError
        When the model has none.
    """
    known = MODELS.get(name)
    if known is not None and known.reference:
        path = known.reference
        found: Callable[[Network, MarketSettings], Reference] = import_member(
            path, kind="reference", where=where
        )
        return found
    own = getattr(find_model(name, where=where), "reference", None)
    if own is None:
        raise InputError(
            f"market model {name!r} has no central reference",
            where=where,
            expected="one of "
            + ", ".join(negotiated_models())
            + ", or a class with an attribute `reference`",
        )
    return own  # type: ignore[no-any-return]


def import_member(path: str, *, kind: str, where: str) -> Any:
    """Import what ``package.module:Class`` names.

    Parameters
    ----------
    path : str
        What a user wrote.
    kind, where : str
        What it is to be, and where it is named, for messages.

    Raises
    ------
    InputError
        When there is none.
    """
    module, _, member = path.partition(":")
    try:
        return getattr(importlib.import_module(module), member)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise InputError(f"{kind} {path!r} cannot be loaded: {error}", where=where) from None
