"""The one registry of market models: those of the package, and any class that a scenario points at."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from feeders.errors import InputError, unknown_name
from feeders.network import ComplexArray, FloatArray, Network
from feeders.state import AcState
from market.clearing import Clearing
from market.offers import Offer, WholesalePrice
from market.settings import MarketSettings

DEFAULT_MODEL = "nodal"
"""What a scenario gets that names no model."""


class RetailMarket(Protocol):
    """What a market model offers, whoever wrote it."""

    def clear(
        self, state: AcState, demand: ComplexArray, offers: Sequence[Offer], price: WholesalePrice
    ) -> Clearing:
        """Clear at the last AC state, for a demand at nominal voltage before curtailment [kVA]."""


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
        """Solve the market of the same case as `RetailMarket.clear`."""


@dataclass(frozen=True)
class MarketModel:
    """One line of the registry; classes are named, not imported, for that would take a second.

    Attributes
    ----------
    market : str
        ``module:Class`` of a `RetailMarket`.
    reference : str
        ``module:Class`` of its `Reference`; empty when there is nothing to hold it against.
    """

    market: str
    reference: str = ""


MODELS: dict[str, MarketModel] = {
    "nodal": MarketModel("market.nodal.market:NodalMarket", "market.central.nodal:CentralNodal"),
    "branch_flow": MarketModel(
        "market.balanced.market:BranchFlowMarket", "market.central.balanced:CentralBranchFlow"
    ),
    "uniform": MarketModel("market.baselines.uniform:UniformMarket"),
    "none": MarketModel("market.baselines.none:NoMarket"),
}
"""Market models by the name that a scenario gives them."""


def negotiated_models() -> tuple[str, ...]:
    """Models that have a reference to be held against."""
    return tuple(name for name, model in MODELS.items() if model.reference)


def check_model(name: str, *, where: str) -> None:
    """Raise InputError unless `name` is one of `MODELS` or an importable ``package.module:Class``."""
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
    except (ImportError, AttributeError) as error:
        raise InputError(f"{kind} {path!r} cannot be loaded: {error}", where=where) from None
