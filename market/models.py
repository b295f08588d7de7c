"""Market models by name: those of the package, and any class that a scenario points at."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from feeders.errors import InputError, unknown_name
from feeders.network import ComplexArray, Network
from feeders.state import AcState
from market.clearing import Clearing
from market.offers import Offer, WholesalePrice
from market.settings import MarketSettings

MODELS: dict[str, str] = {
    "three_phase": "market.three_phase.market:Market",
    "branch_flow": "market.balanced.market:BranchFlowMarket",
    "uniform": "market.baselines.uniform:UniformMarket",
    "none": "market.baselines.none:NoMarket",
}
"""Market models by the name that a scenario gives them, as ``module:Class``."""


class RetailMarket(Protocol):
    """What a market model offers, whoever wrote it."""

    def clear(
        self, state: AcState, demand: ComplexArray, offers: Sequence[Offer], price: WholesalePrice
    ) -> Clearing:
        """Clear at the last AC state, for a demand at nominal voltage before curtailment [kVA]."""


def check_model(name: str, *, where: str) -> None:
    """Raise InputError unless `name` is one of `MODELS` or an importable ``package.module:Class``.

    Those of the package are not imported, which would take a second.
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
    found: Callable[[Network, MarketSettings], RetailMarket] = import_member(
        MODELS.get(name, name), kind="market model", where=where
    )
    return found


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
