from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from dlmp_cosim.federates.oedisi import TYPED, ComponentStudy, check_mapping, definition, main, wiring
from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.federates.runtime.local import ROLES
from dlmp_cosim.federates.runtime.ports import reserve_block
from dlmp_cosim.federates.study.study import load_study
from dlmp_cosim.feeders.errors import InputError

ROOT = Path(__file__).parents[2]
STUDY = load_study(ROOT / "configs" / "ieee123_uniform")

MONITOR = """
import json
import helics as h
from oedisi.types.data_types import PowersReal, VoltagesMagnitude

inputs, mapping = (json.load(open(name)) for name in ("static_inputs.json", "input_mapping.json"))
broker = inputs["broker"]
core = f"--brokerport={broker['port']} --brokerkey={broker['key']}"
settings = {"name": inputs["name"], "core_type": "zmq", "core_init_string": core, "period": 1.0,
            "uninterruptible": True}
settings["subscriptions"] = [{"key": mapping[port], "type": "string"} for port in ("voltages", "powers")]
federate = h.helicsCreateValueFederateFromConfig(json.dumps(settings))
found = [h.helicsFederateGetInputByIndex(federate, k) for k in (0, 1)]
h.helicsFederateEnterExecutingMode(federate)
rows = []
for interval in range(inputs["intervals"]):
    h.helicsFederateRequestTime(federate, (interval + 1) * 3600.0 - 1.0)
    volts, powers = (h.helicsInputGetString(one) for one in found)
    volts, powers = VoltagesMagnitude.model_validate_json(volts), PowersReal.model_validate_json(powers)
    rows.append({"time": str(volts.time), "units": volts.units, "ids": volts.ids, "values": volts.values,
                 "kw": sum(powers.values)})
json.dump(rows, open(inputs["output"], "w"))
h.helicsFederateDisconnect(federate)
"""


def mapping_of(name: str) -> dict[str, str]:
    links = [link for link in wiring(STUDY)["links"] if link["target"] == name]
    return {link["target_port"]: f"{link['source']}/{link['source_port']}" for link in links}


@pytest.mark.parametrize("name", ROLES)
def test_every_component_is_wired_as_it_has_to_be(name: str) -> None:
    check_mapping(STUDY.config(name), mapping_of(name))


def test_a_missing_or_a_wrong_link_is_named() -> None:
    config, mapping = STUDY.config("feeder"), mapping_of("feeder")
    with pytest.raises(
        InputError, match=r"'market_clearing' is not wired; expected a link from market/clearing"
    ):
        check_mapping(config, {k: v for k, v in mapping.items() if k != "market_clearing"})
    with pytest.raises(InputError, match=r"'market_clearing' is wired to 'feeder/status'"):
        check_mapping(config, mapping | {"market_clearing": "feeder/status"})


def test_typed_ports_are_listed_and_published() -> None:
    for port in TYPED:
        name = port.topic.split("/")[0]
        outputs = {(row["type"], row["port_id"]) for row in definition(STUDY, name)["dynamic_outputs"]}
        assert (port.type, port.port) in outputs
        config = ComponentStudy(STUDY.folder, STUDY.scenario).config(name)
        assert f"{name}/{port.port}" in {item.key for item in config.publications}


def test_translations_are_what_oedisi_reads() -> None:
    types = pytest.importorskip("oedisi.types.data_types")
    network = STUDY.network
    sizes = {"feeder": len(network.node_ids), "market": len(network.resources), "wholesale": 1}
    for port in TYPED:
        size = sizes["feeder"] if "dlmp" in port.topic else sizes[port.topic.split("/")[0]]
        value = 27.5 if size == 1 else np.arange(1.0, size + 1)
        message = getattr(types, port.type).model_validate(port.translate(value, network))
        assert len(message.values) == len(message.ids)
        if port.type == "PowersReal":
            assert sum(message.values) == pytest.approx(np.sum(value))
    volts = TYPED[0].translate(np.ones(sizes["feeder"]), network)
    assert volts["values"][0] == pytest.approx(4160 / 3**0.5, rel=1e-3)


def test_the_command_names_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([]) == 1
    assert "static_inputs.json: no such file" in caplog.text


@pytest.mark.federation
@pytest.mark.usefixtures("quick_starts")
def test_oedisi_builds_and_runs_the_federation_with_a_component_of_its_own_kind(tmp_path: Path) -> None:
    pytest.importorskip("oedisi")
    port, guard = reserve_block()
    study = tmp_path / "configs" / "study"
    study.mkdir(parents=True)
    (tmp_path / "configs" / "ieee123_day").symlink_to(ROOT / "configs" / "ieee123_day")
    for file in STUDY.folder.iterdir():
        (study / file.name).write_text(file.read_text().replace("intervals = 24", "intervals = 2"))
    source = tmp_path / "source"
    assert main([str(study), "-o", str(source)]) == 0
    add_monitor(source, tmp_path / "seen.json")
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "DLMP_RESULTS_DIR": str(tmp_path),
    }
    build = ["oedisi", "build", "--system", "system.json", "--component-dict", "components.json"]
    build += ["--target-directory", str(tmp_path / "run")]
    build += ["--helics-port", str(port), "--helics-broker-key", "k"]
    subprocess.run(build, cwd=source, env=environment, check=True, capture_output=True)
    run = ["helics", "run", f"--path={tmp_path / 'run' / 'system_runner.json'}"]
    with guard:
        done = subprocess.run(
            run, cwd=tmp_path, env=environment, check=False, capture_output=True, timeout=90
        )
    assert done.returncode == 0, done.stdout
    seen = json.loads((tmp_path / "seen.json").read_text())
    with Results(tmp_path / "results.h5") as results:
        assert results.complete
        per_unit = results.values("feeder/voltage_magnitude")
        kw = results.values("market/dispatch_real").sum(axis=1)
        base = {bus.name: 1e3 * bus.kv_base for bus in results.network.buses}
        nodes = results.ids("feeder/voltage_magnitude")
    volts = per_unit * np.array([base[node.rsplit(".", 1)[0]] for node in nodes])
    assert [row["units"] for row in seen] == ["V", "V"]
    assert tuple(seen[0]["ids"]) == nodes
    assert np.abs(np.array([row["values"] for row in seen]) - volts).max() < 1e-6
    assert [row["kw"] for row in seen] == pytest.approx(kw, abs=1e-6)
    assert seen[1]["time"].startswith("2020-08-25 05:00:0")


def add_monitor(source: Path, output: Path) -> None:
    """Add a component that knows OEDISI's types and nothing of this project."""
    folder = source / "monitor"
    folder.mkdir()
    (folder / "monitor.py").write_text(MONITOR)
    ports = [
        {"type": "VoltagesMagnitude", "port_id": "voltages"},
        {"type": "PowersReal", "port_id": "powers"},
    ]
    content = {
        "directory": "monitor",
        "execute_function": "python monitor.py",
        "static_inputs": [],
        "dynamic_inputs": ports,
        "dynamic_outputs": [],
        "capabilities": {"broker_config": True},
    }
    (folder / "component_definition.json").write_text(json.dumps(content))
    files = json.loads((source / "components.json").read_text())
    files["monitor"] = str(folder / "component_definition.json")
    (source / "components.json").write_text(json.dumps(files))
    system = json.loads((source / "system.json").read_text())
    parameters = {"intervals": 2, "output": str(output)}
    system["components"].append({"name": "monitor", "type": "monitor", "parameters": parameters})
    for name, port, target in (
        ("feeder", "voltages_magnitude", "voltages"),
        ("market", "powers_real", "powers"),
    ):
        system["links"].append(
            {"source": name, "source_port": port, "target": "monitor", "target_port": target}
        )
    (source / "system.json").write_text(json.dumps(system))
