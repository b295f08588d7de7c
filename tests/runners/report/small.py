"""A run of two half hours on two buses as a report shows it, whose every number fits on paper."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from dlmp_cosim.federates.study.scenario import ZONE
from dlmp_cosim.runners.judge.ledger import account_for
from dlmp_cosim.runners.report.runs import RunView
from tests.runners.judge.paper import NETWORK, TOLD, paper_run

BEGIN = datetime(2020, 8, 25, 12, 0, tzinfo=ZONE)
PLACED = replace(
    NETWORK,
    buses=tuple(replace(bus, x=float(k), y=0.0) for k, bus in enumerate(NETWORK.buses)),
)


def small_view(run: Any = None, **changes: Any) -> RunView:
    """The run on paper, or another whose account is wanted; with other parts of the view."""
    told = {key: np.asarray(values, dtype=np.float64) for key, values in TOLD.items()}
    price, voltage = told["market/dlmp_real"], told["feeder/voltage_magnitude"]
    lines = {"loading": np.array([[0.3], [0.5]]), "power": np.array([[21.0], [27.0]])}
    names = ("rounds", "negotiation_rounds", "settled", "voltage_error", "head_error", "primal", "dual")
    view = RunView(
        path=Path("small/results.h5"),
        label="paper",
        network=PLACED,
        times=(BEGIN, BEGIN + timedelta(minutes=30)),
        hours=0.5,
        missing="",
        series={
            "lmp": told["wholesale/lmp"],
            "dlmp_mean": price.mean(axis=1),
            "wholesale": np.array([21.0, 27.0]),
            "generation": np.array([10.0, 0.0]),
            "curtailed": np.array([0.0, 6.0]),
            "losses": told["feeder/losses_real"],
            "head_reactive": np.array([12.0, 9.6]),
            **{name: np.ones(2) for name in names},
        },
        nodal={
            "dlmp_real": price,
            "dlmp_reactive": told["market/dlmp_reactive"],
            "loss": told["market/dlmp_real_loss"],
            "voltage_part": np.zeros((2, 6)),
            "congestion": np.zeros((2, 6)),
            "voltage": voltage,
            "predicted_voltage": voltage,
        },
        point_voltage=voltage,
        dispatch=told["market/dispatch_real"],
        served=told["feeder/load_real"],
        branch=lines,
        taps=np.zeros((2, 0)),
        capacitors=np.zeros((2, 0)),
        stored={},
        breaches={},
        account=account_for(paper_run() if run is None else run),
        verdict={"status": "feasible", "violations": 0, "violations_unpriced": 0, "settled": 2},
        broken=[],
        scenario={
            "study": {"name": "paper"},
            "market": {
                "model": "nodal", "method": "pac", "voltage_min_pu": 0.95, "voltage_max_pu": 1.05,
            },
        },
    )  # fmt: skip
    return replace(view, **changes)
