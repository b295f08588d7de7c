"""The feeder: full unbalanced AC physics that answers every dispatch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from dlmp_cosim.federates.anchoring.demand import SetPoints, apply_dispatch, nominal_demand
from dlmp_cosim.federates.anchoring.following import Following
from dlmp_cosim.federates.contract.award import read_award
from dlmp_cosim.federates.contract.exchange import read_dispatch, state_values
from dlmp_cosim.federates.contract.messages import FeederStatus, Stage
from dlmp_cosim.federates.runtime.base import main
from dlmp_cosim.federates.runtime.clock import FORECAST_SLOT, PRICE_SLOT
from dlmp_cosim.federates.runtime.link import Link, Value
from dlmp_cosim.federates.study.study import Study
from dlmp_cosim.feeders.engine import AcEngine
from dlmp_cosim.feeders.errors import FederationError, FeederError, InputError
from dlmp_cosim.feeders.network import ComplexArray, IntArray, Network
from dlmp_cosim.feeders.readers.network_json import network_to_json
from dlmp_cosim.feeders.state import AcState

NAME = "feeder"


class Feeder:
    """Solves the forecast, every trial with controls frozen, and the final dispatch with controls acting.

    Parameters
    ----------
    study : Study
        Names the feeder and how it is solved.
    engine : AcEngine, optional
        Solver; OpenDSS by default.
    """

    def __init__(self, study: Study, engine: AcEngine | None = None) -> None:
        self._network = study.network
        self._clock = study.clock
        self._load_scale = study.scenario.feeder.load_scale
        self._engine = engine or open_engine(study)
        self._state: AcState | None = None
        member = study.member
        self._ancillary = member is not None and member.ancillary
        ramps = {terms.resource: terms.capacity.get("ramp_kw_per_minute", np.inf) for terms in study.terms}
        self._following = Following(
            self._network, member.disruptions if member else (), ramps, study.clock.period_s
        )

    def initial(self) -> Mapping[str, Value]:
        """Publish the network that everybody orders their vectors by."""
        return {"feeder/network": network_to_json(self._network)}

    def run(self, link: Link) -> None:
        """Answer the market in every interval."""
        link.adopt(self._network)
        dispatch = np.zeros(len(self._network.resources), dtype=np.complex128)
        for interval in range(self._clock.intervals):
            dispatch = self._interval(link, interval, dispatch)

    def close(self) -> None:
        """Nothing to release."""

    def _interval(self, link: Link, interval: int, last: ComplexArray) -> ComplexArray:
        """Play one interval and return its final dispatch."""
        at = self._clock.at
        link.wait_until(at(interval, FORECAST_SLOT))
        ratio = link.number("wholesale/demand_ratio", since=at(interval, PRICE_SLOT))
        demand = nominal_demand(self._network, interval, ratio, self._load_scale)
        points = apply_dispatch(self._network, demand, self._following.known(interval, last), held=True)
        self._answer(link, interval, 0, "forecast", points, controls=True)
        stood: list[tuple[IntArray, IntArray]] = []
        for step in range(self._clock.rounds_max + 1):
            link.wait_until(self._clock.answer(interval, step))
            since, trials = self._clock.market(interval, step), len(stood)
            award = read_award(link.text("market/clearing", since=since))
            if award.waits:
                continue
            if (award.interval, award.trials) != (interval, trials):
                raise FederationError(
                    f"market/clearing, published by 'market', is for interval {award.interval} after "
                    f"{award.trials} trials; expected interval {interval} after {trials}"
                )
            dispatch = read_dispatch(link, since=since)
            done = self._done(link, interval, dispatch, demand, since, final=award.final)
            points = apply_dispatch(self._network, demand, done, held=False)
            stood.append((self._engine.taps, self._engine.capacitors))
            if award.resume >= 0:
                taps, capacitors = stood[award.resume]
                self._engine.set_taps(taps)
                self._engine.set_capacitors(capacitors)
            stage: Stage = "final" if award.final else "trial"
            self._answer(link, interval, trials, stage, points, controls=award.controls)
            if award.final:
                if self._ancillary:
                    link.publish("feeder/response_real", self._following.given)
                return dispatch
        raise FederationError(
            f"market/clearing, published by 'market', was never final in interval {interval}"
        )

    def _done(
        self,
        link: Link,
        interval: int,
        dispatch: ComplexArray,
        demand: ComplexArray,
        since: float,
        *,
        final: bool,
    ) -> ComplexArray:
        """Say what resources do of a dispatch: all that is known to be there; in the end, what really is."""
        if not final:
            return self._following.known(interval, dispatch)
        called = np.zeros(len(dispatch))
        if self._ancillary:
            called = link.vector("market/called_real", since=since)
        return self._following.realise(interval, dispatch, called, demand)

    def _answer(
        self, link: Link, interval: int, trials: int, stage: Stage, points: SetPoints, *, controls: bool
    ) -> None:
        """Solve and publish; only a trial may fail to converge."""
        before = self._engine.taps
        dark = self._following.head_open(interval, final=stage == "final")
        if dark:
            state = without_supply(self._state, points.demand)
        else:
            state = self._state = self._engine.solve(points.demand, points.injection, controls=controls)
        if state.converged:
            for key, value in state_values(state).items():
                link.publish(key, value)
        elif stage != "trial":
            raise FeederError(
                f"the power flow of the {stage} dispatch did not converge in interval {interval} "
                f"({self._clock.label(interval)}, {state.iterations} iterations)"
            )
        moved = int(np.abs(state.tap - before).sum())
        status = FeederStatus(
            interval, stage, trials, state.converged, state.iterations, moved, points.clipped, dark
        )
        link.publish("feeder/status", status.text())


def without_supply(last: AcState | None, demand: ComplexArray) -> AcState:
    """State of a feeder whose head is open: no voltage, nothing served, nothing injected; controls stand.

    Parameters
    ----------
    last : AcState or None
        State that was solved last.
    demand : ndarray, shape (n_load,)
        Demand at nominal voltage, none of which is served [kVA].

    Raises
    ------
    FeederError
        When nothing was ever solved.
    """
    if last is None:
        raise FeederError("the head is open before the first power flow; expected one to start from")
    return replace(
        last,
        voltage=np.zeros_like(last.voltage),
        power=np.zeros_like(last.power),
        current=np.zeros_like(last.current),
        load=np.zeros_like(last.load),
        demand=demand,
        injection=np.zeros_like(last.injection),
        machine=np.zeros_like(last.machine),
        head=np.zeros_like(last.head),
        losses=0j,
        converged=True,
        iterations=0,
    )


def open_engine(study: Study, network: Network | None = None, *, held: bool = False) -> AcEngine:
    """Open the study's feeder in the program that it names; either takes half a second to load.

    Parameters
    ----------
    study : Study
        Names the circuit and how it is solved.
    network : Network, optional
        Other resources on the same circuit.
    held : bool, optional
        Whether controls stand still whatever the scenario says.

    Raises
    ------
    InputError
        When the program cannot do what the scenario asks, or is not installed.
    """
    settings = study.scenario.feeder
    if settings.engine == "power_grid_model":
        return _open_power_grid(study, network or study.network)
    from dlmp_cosim.feeders.opendss.feeder import OpenDssFeeder

    return OpenDssFeeder(
        study.case,
        network or study.network,
        regulators="held" if held else settings.regulators,
        control_mode=settings.control_mode,
        tolerance=settings.tolerance,
    )


def _open_power_grid(study: Study, network: Network) -> AcEngine:
    settings = study.scenario.feeder
    if settings.regulators == "automatic":
        raise InputError(
            "power_grid_model does not move regulators",
            where=f"{study.scenario_file} feeder.regulators",
            expected='"held" or "neutral"',
        )
    try:
        from dlmp_cosim.feeders.power_grid_model import PowerGridFeeder
    except ModuleNotFoundError:
        raise InputError(
            "power-grid-model is not installed",
            where=f"{study.scenario_file} feeder.engine",
            expected='pip install "dlmp-cosim[power-grid-model]"',
        ) from None
    return PowerGridFeeder(network, regulators=settings.regulators, tolerance=settings.tolerance)


if __name__ == "__main__":
    raise SystemExit(main(NAME, Feeder))
