"""Everything about a study that can be known to be wrong before any process starts."""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from federates.contract.topics import OFFER_QUANTITY
from federates.runtime.ports import check_ports
from federates.study.helics_config import FederateConfig, check_complete, publisher_of
from federates.study.owners import read_settings
from federates.study.scenario import Section
from federates.study.series import load_series
from federates.study.study import Study
from feeders.errors import DlmpError, InputError, nearest_name
from market.models import check_model
from runners.run.runner_file import Member, Runner, find_program

BUILT_IN = "federates."


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
    """

    errors: tuple[DlmpError, ...]
    notes: tuple[str, ...] = ()
    federates: int = 0
    topics: int = 0


def check_study(runner: Runner, *, port: int | None = None) -> Report:
    """Check a study without starting anything.

    Parameters
    ----------
    runner : Runner
        Its runner file.
    port : int, optional
        Port that the broker is to listen on; None when a free one will be chosen.
    """
    errors = _gather(_processes(runner))
    try:
        study = runner.study
    except DlmpError as error:
        return Report((*errors, error))
    configs: dict[str, FederateConfig] = {}
    notes: list[str] = []
    errors += _gather(_configs(runner, study, configs, notes))
    if not errors:
        others = set(runner.federates) - set(configs)
        errors += _gather(_wiring(study, configs, others))
    errors += _gather(_feeder(study, configs, notes))
    errors += _gather(_inputs(study))
    errors += _gather(_settings(runner, study))
    errors += _gather(_places(runner, study, port))
    topics = sum(len(config.publications) for config in configs.values())
    return Report(tuple(errors), tuple(notes), len(runner.federates), topics)


def _gather(check: Iterator[DlmpError]) -> list[DlmpError]:
    """Collect what a check yields, and what ends it."""
    found: list[DlmpError] = []
    try:
        found.extend(check)
    except DlmpError as error:
        found.append(error)
    return found


def _processes(runner: Runner) -> Iterator[DlmpError]:
    """Every process can be started, and the broker waits for exactly the others."""
    path, there = runner.path, list(runner.federates)
    for name in runner.expected:
        if name not in there:
            yield InputError(
                f"the broker waits for {name!r}, which is not started",
                where=f"{path} federates[0].exec",
                expected=f"--federates {','.join(there)}",
                nearest=nearest_name(name, there),
            )
    for name in there:
        if name not in runner.expected:
            yield InputError(
                f"the broker does not wait for {name!r}",
                where=f"{path} federates[0].exec",
                expected=f"--federates {','.join(there)}",
            )
    for member in runner.content.federates:
        yield from _startable(runner, member)


def _startable(runner: Runner, member: Member) -> Iterator[DlmpError]:
    where = f"{runner.path} {member.name}"
    if not runner.folder(member).is_dir():
        yield InputError(f"{member.directory!r} is no folder", where=f"{where}.directory")
        return
    program = member.arguments[0]
    if find_program(program) is None:
        yield InputError(f"there is no program {program!r}", where=f"{where}.exec")
    for path in dict.fromkeys((member.module, *member.federates.values())):
        yield from _importable(path, f"{where}.exec")


def _importable(path: str, where: str) -> Iterator[DlmpError]:
    """Hold what is to run to what there is: a module of ours, and a class in it that a host names."""
    module, _, member = path.partition(":")
    if not module.startswith(BUILT_IN):
        return
    if importlib.util.find_spec(module) is None:
        package = importlib.util.find_spec(BUILT_IN.rstrip("."))
        places = package.submodule_search_locations if package else None
        names = [f"{BUILT_IN}{file.stem}" for place in places or [] for file in Path(place).glob("*.py")]
        yield InputError(f"there is no module {module!r}", where=where, nearest=nearest_name(module, names))
    elif member and not hasattr(importlib.import_module(module), member):
        known = vars(importlib.import_module(module))
        classes = [name for name, found in known.items() if isinstance(found, type)]
        near = nearest_name(member, classes)
        yield InputError(f"there is no class {member!r} in {module}", where=where, nearest=near)


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


def _inputs(study: Study) -> Iterator[DlmpError]:
    """Price and demand files are there, parse, and cover the run."""
    table = study.scenario.wholesale
    for section in ("files", "demand_files"):
        for name in getattr(table, section):
            file = study.data_file(name)
            if not file.exists():
                siblings = [path.name for path in file.parent.iterdir()] if file.parent.is_dir() else []
                yield InputError(
                    f"no such file {name!r}",
                    where=f"{study.scenario_file} wholesale.{section}",
                    nearest=nearest_name(file.name, siblings),
                )
                return
    load_series(study)


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


def _places(runner: Runner, study: Study, port: int | None) -> Iterator[DlmpError]:
    """Results can be written and the broker can listen."""
    folder = runner.folder(runner.broker) / study.results_file.parent
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        yield InputError(f"{folder} cannot be written to", where=f"{study.scenario_file} results.file")
    if port is not None:
        check_ports(port)
