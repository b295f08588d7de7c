"""Federates of a study as OEDISI components: `oedisi build` wires them, OEDISI's own types leave them.

``python -m dlmp_cosim.federates.oedisi STUDY -o FOLDER`` writes component definitions and a wiring diagram;
``oedisi build`` then makes a runnable folder of it, in which each component starts this module. Beside the
native topics a component publishes typed JSON that any OEDISI component reads: voltages, powers and prices.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from dlmp_cosim.federates.runtime.base import OWN_FAULT, Connection, Role, live, summary
from dlmp_cosim.federates.runtime.heartbeat import Heartbeat
from dlmp_cosim.federates.runtime.link import Link, Value
from dlmp_cosim.federates.runtime.local import ROLES
from dlmp_cosim.federates.study.checked_file import read_json
from dlmp_cosim.federates.study.helics_config import FederateConfig, Publication
from dlmp_cosim.federates.study.study import Study, load_study
from dlmp_cosim.feeders.errors import DlmpError, InputError
from dlmp_cosim.feeders.network import Network, node_id

log = logging.getLogger(__name__)

INPUTS, MAPPING = "static_inputs.json", "input_mapping.json"


@dataclass(frozen=True)
class TypedPort:
    """A native topic in OEDISI's terms.

    Attributes
    ----------
    topic : str
        Native topic.
    port : str
        Port of the component; the HELICS key is ``<component>/<port>``.
    type : str
        OEDISI type.
    translate : callable
        From value and network to the type's fields.
    """

    topic: str
    port: str
    type: str
    translate: Callable[[Value, Network], dict[str, Any]]


def _volts(value: Value, network: Network) -> dict[str, Any]:
    volts = np.asarray(value) * network.base_v
    return {"values": volts.tolist(), "ids": list(network.node_ids), "units": "V"}


def _angles(value: Value, network: Network) -> dict[str, Any]:
    return {"values": np.asarray(value).tolist(), "ids": list(network.node_ids), "units": "radians"}


def _dispatch(value: Value, network: Network) -> dict[str, Any]:
    rows = [
        (node_id(resource.bus, phase), resource.name, float(kw) / len(resource.phases))
        for resource, kw in zip(network.resources, np.asarray(value), strict=True)
        for phase in resource.phases
    ]
    ids, names, powers = zip(*rows, strict=True) if rows else ((), (), ())
    return {"values": list(powers), "ids": list(ids), "equipment_ids": list(names), "units": "kW"}


def _node_prices(value: Value, network: Network) -> dict[str, Any]:
    prices = [[float(price)] for price in np.asarray(value)]
    return {"values": prices, "ids": list(network.node_ids), "units": "$/MWh"}


def _head_price(value: Value, network: Network) -> dict[str, Any]:
    return {"values": [[float(np.asarray(value))]], "ids": [network.buses[0].name], "units": "$/MWh"}


TYPED = (
    TypedPort("feeder/voltage_magnitude", "voltages_magnitude", "VoltagesMagnitude", _volts),
    TypedPort("feeder/voltage_angle", "voltages_angle", "VoltagesAngle", _angles),
    TypedPort("wholesale/lmp", "real_wholesale_prices", "RealWholesalePrices", _head_price),
    TypedPort("market/dispatch_real", "powers_real", "PowersReal", _dispatch),
    TypedPort("market/dlmp_real", "real_nodal_prices", "RealWholesalePrices", _node_prices),
)
"""What leaves our federates in OEDISI's own types."""


@dataclass(frozen=True)
class ComponentStudy(Study):
    """A study whose federates publish typed ports beside their topics."""

    def config(self, federate: str) -> FederateConfig:
        """Native configuration of a federate, with its typed ports."""
        native = super().config(federate)
        ports = [port for port in TYPED if port.topic in {item.key for item in native.publications}]
        typed = [
            Publication.model_validate({"key": f"{federate}/{port.port}", "type": "string", "global": True})
            for port in ports
        ]
        return native.model_copy(update={"publications": (*native.publications, *typed)})


class TranslatingLink:
    """A link that publishes typed ports together with their topics; everything else is the link's own.

    Parameters
    ----------
    link : Link
        The native link.
    name : str
        Name of the component.
    study : Study
        Gives network and clock.
    """

    def __init__(self, link: Link, name: str, study: Study) -> None:
        self._link, self._name, self._clock = link, name, study.clock
        self._network = study.network
        self._ports = {port.topic: port for port in TYPED}
        self._now = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._link, name)

    def wait_until(self, time: float) -> None:
        """Wait for a simulated time [s]."""
        self._link.wait_until(time)
        self._now = time

    def publish(self, key: str, value: Value) -> None:
        """Publish a value, and its typed form where there is one.

        Parameters
        ----------
        key : str
            Key of the topic.
        value : float, str or ndarray
            The value, in the unit of the topic.
        """
        self._link.publish(key, value)
        port = self._ports.get(key)
        if port is not None:
            moment = datetime.fromtimestamp(self._clock.start_utc + self._now, UTC).isoformat()
            content = {**port.translate(value, self._network), "time": moment}
            self._link.publish(f"{self._name}/{port.port}", json.dumps(content))


class Translated:
    """A role behind a `TranslatingLink`."""

    def __init__(self, role: Role, name: str, study: Study) -> None:
        self._role, self._name, self._study = role, name, study

    def initial(self) -> Mapping[str, Value]:
        """Publish what the role publishes while initialising."""
        return self._role.initial()

    def run(self, link: Link) -> None:
        """Act as the role does."""
        self._role.run(TranslatingLink(link, self._name, self._study))

    def close(self) -> None:
        """Flush and release."""
        self._role.close()


def input_port(key: str) -> str:
    """Port at which a component takes a native topic."""
    return key.replace("/", "_")


def definition(study: Study, name: str) -> dict[str, Any]:
    """Return the component definition of one federate.

    Parameters
    ----------
    study : Study
        Says what the federate publishes and reads.
    name : str
        Name of the federate.
    """
    config = study.config(name)
    typed = [
        {"type": port.type, "port_id": port.port}
        for port in TYPED
        if port.topic in {item.key for item in config.publications}
    ]
    outputs = [{"type": item.type, "port_id": item.key.split("/", 1)[1]} for item in config.publications]
    return {
        "directory": name,
        "execute_function": "python -m dlmp_cosim.federates.oedisi",
        "static_inputs": [{"type": "str", "port_id": "study"}],
        "dynamic_inputs": [{"type": i.type, "port_id": input_port(i.key)} for i in config.subscriptions],
        "dynamic_outputs": outputs + typed,
        "capabilities": {"broker_config": True},
    }


def wiring(study: Study) -> dict[str, Any]:
    """Return the wiring diagram of a study's built-in federates: every subscription is a link."""
    links = []
    for name in ROLES:
        for item in study.config(name).subscriptions:
            source, port = item.key.split("/", 1)
            owner = "recorder" if source == "audit" else source
            links.append(
                {"source": owner, "source_port": port, "target": name, "target_port": input_port(item.key)}
            )
    parameters = {"study": str(study.folder.resolve())}
    components = [{"name": name, "type": name, "parameters": parameters} for name in ROLES]
    return {"name": study.name, "components": components, "links": links}


def write_components(study: Study, folder: Path) -> None:
    """Write component definitions, their dictionary and the wiring diagram of a study.

    Parameters
    ----------
    study : Study
        The study.
    folder : Path
        Where to; made when it is not there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = {}
    for name in ROLES:
        file = folder / name / "component_definition.json"
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(definition(study, name), indent=1))
        files[name] = str(file.resolve())
    (folder / "components.json").write_text(json.dumps(files, indent=1))
    (folder / "system.json").write_text(json.dumps(wiring(study), indent=1))


def check_mapping(config: FederateConfig, mapping: Mapping[str, str]) -> None:
    """Raise InputError unless every input is wired to the topic that it stands for.

    ``oedisi build`` accepts an input that is not wired, or wired to anything.

    Parameters
    ----------
    config : FederateConfig
        What the federate reads.
    mapping : mapping of str to str
        Source of every input port, as ``component/port``.
    """
    for item in config.subscriptions:
        source = mapping.get(input_port(item.key))
        owner = "recorder" if item.key.startswith("audit/") else item.key.split("/", 1)[0]
        expected = f"{owner}/{item.key.split('/', 1)[1]}"
        if source != expected:
            raise InputError(
                f"input {input_port(item.key)!r} is {f'wired to {source!r}' if source else 'not wired'}",
                where=f"{MAPPING} of {config.name}",
                expected=f"a link from {expected}",
            )


def run_component(folder: Path) -> None:
    """Run the component whose folder ``oedisi build`` made.

    Raises
    ------
    DlmpError
        What went wrong.
    """
    inputs = read_json(folder / INPUTS)
    name, broker = str(inputs["name"]), inputs.get("broker") or {}
    if name not in ROLES:
        raise InputError(f"there is no component {name!r}", where=INPUTS, expected=", ".join(ROLES))
    for field, variable in (("port", "HELICS_BROKER_PORT"), ("key", "HELICS_BROKER_KEY")):
        if broker.get(field):
            os.environ[variable] = str(broker[field])
    native = load_study(Path(inputs["study"]))
    study = ComponentStudy(native.folder, native.scenario)
    check_mapping(native.config(name), read_json(folder / MAPPING))
    build = ROLES[name]
    live(name, lambda s: Translated(build(s), name, s), study, Connection(), Heartbeat(None, name))


def main(arguments: list[str] | None = None) -> int:
    """Write the components of a study, or run the component of this folder."""
    parser = argparse.ArgumentParser(description="Federates of a study as OEDISI components.")
    parser.add_argument("study", type=Path, nargs="?", help="study whose components are to be written")
    parser.add_argument("-o", "--output", type=Path, default=Path("build/oedisi"), help="where to")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    try:
        if options.study is not None:
            write_components(load_study(options.study), options.output)
        else:
            run_component(Path.cwd())
    except DlmpError as error:
        log.error("%s", summary(error))
        return OWN_FAULT
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
