"""The table of currents of one circuit, in the hands of several."""

from __future__ import annotations

import numpy as np

from dlmp_cosim.feeders.network import Network
from dlmp_cosim.market.nodal.spanning import span
from dlmp_cosim.market.nodal.table import CurrentTable, current_table
from tests import circuits


def moved(network: Network) -> np.ndarray:
    """Admittances that are not those of the start."""
    return 1.1 * network.initial_admittance


def test_who_moves_its_table_moves_nobody_elses() -> None:
    network = circuits.circuit("mixed").network
    assert network.initial_admittance.any()
    mine, others = current_table(network), current_table(network)
    start = others.values(network.initial_admittance).copy()
    assert np.abs(mine.values(moved(network)) - start).max() > 0.0
    for table in (others, current_table(network)):
        assert table.values(network.initial_admittance).tobytes() == start.tobytes()


def test_it_is_the_table_that_would_be_laid_out_anew() -> None:
    network = circuits.circuit("mixed").network
    alone, shared = CurrentTable(network, span(network)), current_table(network)
    assert shared.row.tobytes() == alone.row.tobytes()
    assert shared.column.tobytes() == alone.column.tobytes()
    for admittance in (network.initial_admittance, moved(network), network.initial_admittance):
        assert shared.values(admittance).tobytes() == alone.values(admittance).tobytes()
