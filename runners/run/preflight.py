"""Everything about a study that can be known to be wrong before any process starts."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dlmp_cosim.federates.contract.topics import OFFER_QUANTITY, SUBSTATION, in_federation
from dlmp_cosim.federates.runtime.hosting import OF_FEEDER
from dlmp_cosim.federates.runtime.ports import check_ports
from dlmp_cosim.federates.study.helics_config import FederateConfig, check_complete, publisher_of
from dlmp_cosim.federates.study.outlook import Forecaster
from dlmp_cosim.federates.study.owners import read_settings
from dlmp_cosim.federates.study.scenario import Section
from dlmp_cosim.federates.study.series import WholesaleSeries, load_series
from dlmp_cosim.federates.study.study import Study
from dlmp_cosim.federates.study.substation import SubstationStudy
from dlmp_cosim.federates.study.supply import supply_curve
from dlmp_cosim.federates.study.wiring import agent_hosts
from dlmp_cosim.feeders.errors import DlmpError, InputError, nearest_name
from dlmp_cosim.feeders.network import FloatArray
from dlmp_cosim.market.models import check_model, find_ahead
from dlmp_cosim.runners.run.plausible import doubts
from dlmp_cosim.runners.run.processes import BUILT_IN, check_processes
from dlmp_cosim.runners.run.runner_file import Member, Runner


@dataclass(frozen=True)
class Report:
    """What the checks found.

    Attributes
    ----------
    errors : tuple of DlmpError
        Everything wrong, in the order of the checks.
    notes : tuple of str
        What could not be checked.
    federates, topics : int
        How many were looked at.
    warnings : tuple of str
        What is hardly meant, though it can be run.
    """

    errors: tuple[DlmpError, ...]
    notes: tuple[str, ...] = ()
    federates: int = 0
    topics: int = 0
    warnings: tuple[str, ...] = ()


def check_study(runner: Runner, *, port: int | None = None) -> Report:
    """Check a study without starting anything; modules of the user are looked up where processes will run.

    Parameters
    ----------
    runner : Runner
        Its runner file.
    port : int, optional
        Port that the broker is to listen on; None when a free one will be chosen.
    """
    with _searched(runner.path.parent / runner.content.federates[0].directory):
        return _check(runner, port)


@contextmanager
def _searched(folder: Path) -> Iterator[None]:
    """Find modules in a folder, as `python -m` does in its working folder."""
    sys.path.insert(0, str(folder.resolve()))
    try:
        yield
    finally:
        sys.path.remove(str(folder.resolve()))


def _check(runner: Runner, port: int | None) -> Report:
    errors = _gather(check_processes(runner))
    try:
        study = runner.study
    except DlmpError as error:
        return Report((*errors, error))
    if isinstance(study, SubstationStudy):
        return check_together(runner, study, errors, port)
    configs: dict[str, FederateConfig] = {}
    notes = list(_names(study))
    errors += _gather(_configs(runner, study, configs, notes))
    if not errors:
        others = set(runner.federates) - set(configs)
        errors += _gather(_wiring(study, configs, others))
    errors += _gather(_agents(runner, study))
    errors += _gather(_feeder(study, configs, notes))
    read: list[WholesaleSeries] = []
    errors += _gather(_inputs(study, read))
    errors += _gather(_settings(runner, study))
    errors += _gather(_places(runner, study, port))
    topics = sum(len(config.publications) for config in configs.values())
    warnings = tuple(doubts(study, read[0])) if read and not errors else ()
    return Report(tuple(errors), tuple(notes), len(runner.federates), topics, warnings)


def check_together(
    runner: Runner, study: SubstationStudy, errors: list[DlmpError], port: int | None
) -> Report:
    """Check a study of several feeders: the substation, then each feeder as it would be alone.

    Parameters
    ----------
    runner : Runner
        Its runner file.
    study : SubstationStudy
        The study.
    errors : list of DlmpError
        What was found before.
    port : int or None
        Port that the broker is to listen on.
    """
    try:
        members = study.members
        _ = study.plan
    except DlmpError as error:
        return Report((*errors, error))
    notes, warnings, topics = [], [], 0
    lmp: dict[str, FloatArray] = {}
    for name, member in members.items():
        here: dict[str, FederateConfig] = {}
        found: list[str] = []
        read: list[WholesaleSeries] = []
        own = _gather(_member_configs(runner, name, member, here))
        own += [*_gather(_feeder(member, here, found)), *_gather(_inputs(member, read))]
        errors += [DlmpError(f"{name}: {error}") for error in own]
        notes += [f"{name}: {note}" for note in found]
        topics += sum(len(config.publications) for config in here.values())
        if read:
            lmp[name] = read[0].lmp
            warnings += [f"{name}: {doubt}" for doubt in doubts(member, read[0])] if not own else []
    errors += [*_absent(runner, members), *_gather(_places(runner, study, port))]
    warnings += _unlike(lmp)
    return Report(tuple(errors), tuple(notes), len(runner.federates), topics, tuple(warnings))


def _member_configs(
    runner: Runner, name: str, member: Study, configs: dict[str, FederateConfig]
) -> Iterator[DlmpError]:
    """Read what a feeder's own federates exchange into `configs`, and hold them against each other."""
    for federate in OF_FEEDER:
        if in_federation(federate, name) in runner.federates:
            configs[federate] = member.config(federate)
            check_complete(configs[federate], member.config_file(federate))
    yield from _wiring(member, configs, {SUBSTATION, *(owner.name for owner in member.scenario.owner)})


def _unlike(lmp: Mapping[str, FloatArray]) -> Iterator[str]:
    """Warn of feeders whose LMP is not that of the first: they are at one substation."""
    first = next(iter(lmp), "")
    for name, prices in lmp.items():
        apart = float(np.abs(prices - lmp[first]).max())
        if apart > 0.0:
            yield f"{name}: its LMP differs from that of {first} by up to {apart:.2f} $/MWh"


def _absent(runner: Runner, feeders: Iterable[str]) -> Iterator[DlmpError]:
    """Name what a federation of several feeders cannot do without, and the runner file does not start."""
    there = runner.federates
    for name in (SUBSTATION, *(in_federation(role, feeder) for feeder in feeders for role in OF_FEEDER)):
        if name not in there:
            yield InputError(
                f"{name!r} is not started",
                where=f"{runner.path} federates",
                expected="the substation, and every federate of every feeder that the scenario lists",
                nearest=nearest_name(name, there),
            )


def _names(study: Study) -> Iterator[str]:
    """Note a copied folder that still has the name of another study."""
    folder = study.folder.resolve().name
    if folder != study.name:
        yield f"the folder is {folder!r} and study.name is {study.name!r}, in {study.scenario_file}"


def _gather(check: Iterator[DlmpError]) -> list[DlmpError]:
    """Collect what a check yields, and what ends it."""
    found: list[DlmpError] = []
    try:
        found.extend(check)
    except DlmpError as error:
        found.append(error)
    return found


def _configs(
    runner: Runner, study: Study, configs: dict[str, FederateConfig], notes: list[str]
) -> Iterator[DlmpError]:
    """Read the HELICS configuration of every federate into `configs`."""
    for name, member in runner.federates.items():
        built_in = member.module.startswith(BUILT_IN)
        if not built_in and not study.config_file(name).is_file():
            notes.append(f"{name} brings its own HELICS configuration; its topics were not checked")
            continue
        try:
            if built_in:
                _same_study(runner, member, study)
            configs[name] = study.config(name)
            if built_in:
                check_complete(configs[name], study.config_file(name))
        except DlmpError as error:
            yield error


def _same_study(runner: Runner, member: Member, study: Study) -> None:
    operands = [word for word in member.operands if not word.startswith("-")]
    if not operands or runner.study_folder(operands[0], member).resolve() != study.folder.resolve():
        raise InputError(
            f"{member.name!r} is started for another study than the broker",
            where=f"{runner.path} {member.name}.exec",
            expected=runner.broker.operands[0],
        )


def _wiring(study: Study, configs: Mapping[str, FederateConfig], others: set[str]) -> Iterator[DlmpError]:
    """Every subscription has a publisher with the same type and unit; `others` were not looked at."""
    published = {item.key: item for config in configs.values() for item in config.publications}
    for name, config in configs.items():
        for k, item in enumerate(config.subscriptions):
            where = f"{study.config_file(name)} subscriptions[{k}]"
            source = published.get(item.key)
            if source is None:
                if item.required and publisher_of(item.key) not in others:
                    yield InputError(
                        f"nobody publishes {item.key!r}",
                        where=f"{where}.key",
                        expected="a topic that a federate of the runner file publishes",
                        nearest=nearest_name(item.key, published),
                    )
            elif (source.type, source.unit) != (item.type, item.unit):
                yield InputError(
                    f"{item.key} is read as {item.type} in {item.unit!r}",
                    where=where,
                    expected=f"{source.type} in {source.unit!r}, as {publisher_of(item.key)!r} publishes it",
                )
    yield from _offers(study, configs)


def _offers(study: Study, configs: Mapping[str, FederateConfig]) -> Iterator[DlmpError]:
    """Every offer that is published is read by the market."""
    market = configs.get("market")
    if market is None:
        return
    for name, config in configs.items():
        for item in config.publications:
            if item.key.endswith(f"/{OFFER_QUANTITY}") and item.key not in market.offers:
                yield InputError(
                    f"the market does not read {item.key!r}, which {name!r} publishes",
                    where=f"{study.config_file('market')} subscriptions",
                    expected=f'{{"key": "{item.key}", "type": "string", "unit": "{item.unit}"}}',
                )


def _agents(runner: Runner, study: Study) -> Iterator[DlmpError]:
    """Every federate that the market hands its agents' tasks to is started."""
    for name in agent_hosts(study.scenario):
        if name not in runner.federates:
            yield InputError(
                f"{name!r} is not started, which hosts agents of the market",
                where=f"{runner.path} federates",
                expected=f"python -u -m dlmp_cosim.federates.agent <study> --name {name}, or another number "
                "in agents.federates",
                nearest=nearest_name(name, runner.federates),
            )


def _feeder(study: Study, configs: Mapping[str, FederateConfig], notes: list[str]) -> Iterator[DlmpError]:
    """Feeder and assets load, every resource has an owner that offers it, and what is left out has a name."""
    check_model(study.scenario.market.model, where=f"{study.scenario_file} market.model")
    owners = sorted({resource.owner for resource in study.network.resources})
    driven = {resource.element for resource in study.network.resources}
    notes += [
        f"{item.element} is {item.verdict}: {item.reason}"
        for item in study.circuit.findings
        if item.element not in driven
    ]
    market = configs.get("market")
    if market is None:
        return
    for owner in owners:
        if f"{owner}/{OFFER_QUANTITY}" not in market.offers:
            count = sum(resource.owner == owner for resource in study.network.resources)
            yield InputError(
                f"{count} resources belong to {owner!r}, whose offers the market does not read",
                where=f"{study.config_file('market')} subscriptions",
                expected=f"{owner}/{OFFER_QUANTITY}",
                nearest=nearest_name(owner, configs),
            )


def _inputs(study: Study, read: list[WholesaleSeries]) -> Iterator[DlmpError]:
    """Price and demand files are there, parse, and cover the run; what they hold goes into `read`."""
    table = study.scenario.wholesale
    for section in ("files", "demand_files"):
        for name in getattr(table, section):
            file = study.data_file(name, f"wholesale.{section}")
            if not file.exists():
                siblings = [path.name for path in file.parent.iterdir()] if file.parent.is_dir() else []
                yield InputError(
                    f"no such file {name!r}",
                    where=f"{study.scenario_file} wholesale.{section}",
                    nearest=nearest_name(file.name, siblings),
                )
                return
    read.append(load_series(study))
    supply_curve(study)
    if study.scenario.market.horizon:
        find_ahead(study.scenario.market.model, where=f"{study.scenario_file} market.model")
        Forecaster(study)


def _settings(runner: Runner, study: Study) -> Iterator[DlmpError]:
    """Hold what the scenario tells offering federates of ours to what they want to know."""
    owners = {table.name for table in study.scenario.owner}
    modules = {name: path for member in runner.members for name, path in member.federates.items()}
    for name, path in modules.items():
        if name not in owners or not path.startswith(BUILT_IN):
            continue
        module = importlib.import_module(path.partition(":")[0])
        models = [item for item in vars(module).values() if isinstance(item, type)]
        for model in models:
            if issubclass(model, Section) and model.__module__ == module.__name__:
                try:
                    read_settings(study.scenario, study.scenario_file, name, model)
                except DlmpError as error:
                    yield error
                    continue
                yield from _gather(_terms(study, name, models))


def _terms(study: Study, name: str, found: Sequence[type[object]]) -> Iterator[DlmpError]:
    """Let an owner of ours look at its own terms: energy at the start, deadlines, resources."""
    for owner in found:
        if hasattr(owner, "NAME") and hasattr(owner, "offer"):
            build: Callable[[Study, str], object] = owner
            build(study, name)
    yield from ()


def _places(runner: Runner, study: Study | SubstationStudy, port: int | None) -> Iterator[DlmpError]:
    """Results can be written and the broker can listen."""
    folder = runner.folder(runner.broker) / study.results_file.parent
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        yield InputError(f"{folder} cannot be written to", where=f"{study.scenario_file} results.file")
    if port is not None:
        check_ports(port)
