from __future__ import annotations

import math
import shutil
from pathlib import Path

import numpy as np
import pytest

from dlmp_cosim.feeders.errors import FeederError, InputError
from dlmp_cosim.feeders.network import Network
from dlmp_cosim.feeders.opendss.case import Case, Circuit
from dlmp_cosim.feeders.opendss.circuit import read_circuit
from dlmp_cosim.feeders.opendss.feeder import OpenDssFeeder
from tests import circuits
from tests.circuits import idle, imbalance, kcl_residual, written

BASES = "set voltagebases=(4.16)\ncalcvoltagebases"
SOURCE = "new circuit.c bus1=s basekv=4.16 pu=1.02 mvasc3=200 mvasc1=150"
LINE = "new line.sb bus1=s bus2=b r1=0.1 x1=0.2 r0=0.3 x0=0.6 c1=0 c0=0 length=1"
LOAD = "new load.b bus1=b kv=4.16 kw=300 kvar=100"


def read(*lines: str) -> Circuit:
    return read_circuit(written("\n".join(lines)))


def verdicts(circuit: Circuit) -> dict[str, str]:
    return {finding.element: finding.verdict for finding in circuit.findings}


def rated(network: Network, name: str) -> tuple[float, ...]:
    return next(element.rating_a for element in network.elements if element.name == name)


def names_of(network: Network, kind: str) -> set[str]:
    return {element.name for element in network.elements if element.kind == kind}


@pytest.fixture(scope="module")
def one_of_everything() -> Circuit:
    return circuits.circuit("mixed")


def test_buses_begin_with_the_sources_own_and_know_their_level(mixed: Network) -> None:
    assert mixed.buses[0].name == "src"
    kv = {bus.name: bus.kv_base * math.sqrt(3.0) for bus in mixed.buses}
    assert {round(value, 3) for value in kv.values()} == {69.0, 12.47, 0.48, 0.208}
    assert next(bus for bus in mixed.buses if bus.name == "yard").phases == (1, 2, 3, 4)
    places = {bus.name: (bus.x, bus.y) for bus in mixed.buses}
    assert places["mid"] == (2.5, 0.0)
    assert places["far"] == (None, None)


def test_elements_are_of_the_kind_that_the_file_says(mixed: Network) -> None:
    assert names_of(mixed, "switch") == {"line.sectionaliser"}
    assert names_of(mixed, "reactor") == {"reactor.ground"}
    assert names_of(mixed, "capacitor") == {"capacitor.bank", "capacitor.fixed", "capacitor.between"}
    assert {element.name for element in mixed.controlled} == {
        *(f"transformer.reg{phase}" for phase in "abc"),
        "capacitor.bank",
        "line.sectionaliser",
    }
    shunts = {element.name for element in mixed.elements if not element.is_branch}
    assert shunts == {"reactor.ground", "capacitor.bank", "capacitor.fixed", "capacitor.between"}


def test_grounded_conductors_are_left_out(mixed: Network) -> None:
    pole = next(element for element in mixed.elements if element.name == "transformer.pole")
    assert [(end.bus, end.phases) for end in pole.terminals] == [
        ("single", (2,)),
        ("home", (1,)),
        ("home", (2,)),
    ]
    assert pole.admittance_s.shape == (3, 3)


def test_transformers_are_rated_in_the_amps_of_a_conductor(mixed: Network) -> None:
    assert rated(mixed, "transformer.sub") == pytest.approx((8000 / 69 / 3**0.5, 8000 / 12.47 / 3**0.5))
    assert rated(mixed, "transformer.pole") == pytest.approx((25 / 7.2, 25 / 0.12, 25 / 0.12))
    assert rated(mixed, "line.trunk") == (350.0, 350.0)


def test_loads_keep_model_range_and_legs(mixed: Network) -> None:
    loads = {load.name: load for load in mixed.loads}
    assert {load.model for load in mixed.loads} == {1, 2, 3, 4, 5, 8}
    assert loads["two_legs"].legs == ((1, 2), (2, 3))
    assert loads["yard"].legs == ((1, 4), (2, 4), (3, 4))
    assert loads["current"].legs == ((1, 2), (2, 3), (3, 1))
    assert (loads["mill"].vmin_pu, loads["mill"].vlow_pu, loads["mill"].vmax_pu) == (0.8, 0.5, 1.05)
    assert loads["pq"].kv_base == pytest.approx(12.47 / math.sqrt(3.0))
    assert loads["range"].kv_base == 0.24
    assert loads["cvr"].cvr == (0.8, 2.6)
    assert loads["zip"].zipv == (0.3, 0.5, 0.2, 0.2, 0.3, 0.5, 0.5)


def test_what_runs_on_its_own_is_named_leg_by_leg(one_of_everything: Circuit) -> None:
    machines = {machine.name: machine for machine in one_of_everything.network.machines}
    assert machines["pvsystem.roof"].legs == ((1, 2),)
    assert [name for name in machines if name.startswith("generator.diesel")] == [
        f"generator.diesel.{k}" for k in (1, 2, 3)
    ]
    assert verdicts(one_of_everything) == {
        "swtcontrol.sectionaliser": "frozen",
        "generator.diesel": "frozen",
        "pvsystem.roof": "frozen",
        "storage.battery": "frozen",
    }


def test_plants_bring_their_ratings(one_of_everything: Circuit) -> None:
    plants = {plant.name: (plant.bus, plant.kw, plant.kva) for plant in one_of_everything.plants}
    assert plants["generator.diesel"][:2] == ("mill", 80.0)
    assert plants["pvsystem.roof"] == ("meter", 5.0, 6.0)
    assert plants["storage.battery"][:2] == ("far", 100.0)


def test_limits_hold_where_customers_see_them(mixed: Network) -> None:
    points = set(mixed.point_ids)
    assert {"mid.1", "mid.2", "mid.3", "pair.1", "pair.3", "meter.1", "meter.2"} <= points
    assert {"yard.1-4", "yard.2-4", "yard.3-4"} <= points
    assert not {"yard.4", "far.4", "yard.1"} & points


def test_a_feeder_without_ground_is_limited_between_its_phases() -> None:
    network = circuits.circuit("delta").network
    points = {point.name: point.kv_base for point in network.voltage_points}
    for bus in ("yard", "pump", "farm"):
        assert [name for name in points if name.startswith(f"{bus}.")] == [
            f"{bus}.{x}" for x in ("1-2", "2-3", "3-1")
        ]
    assert [name for name in points if name.startswith("barn.")] == ["barn.1-2"]
    assert points["pump.1-2"] == pytest.approx(4.8)
    assert {"grid.1", "grid.2", "grid.3"} <= set(points)


def test_a_delta_winding_with_nothing_behind_is_limited_between_its_phases(feeder: Network) -> None:
    assert [name for name in feeder.point_ids if name.startswith("610.")] == ["610.1-2", "610.2-3", "610.3-1"]


def test_loops_parallel_transformers_and_two_sources_are_nothing_special() -> None:
    network = circuits.circuit("meshed").network
    assert [source.terminal.bus for source in network.sources] == ["west", "east"]
    assert network.head_ids == tuple(f"{bus}.{k}" for bus in ("west", "east") for k in (1, 2, 3))
    assert np.abs(network.sources[1].voltage_v) == pytest.approx(np.full(3, 1.02 * 12470 / 3**0.5))
    assert np.angle(network.sources[1].voltage_v, deg=True) == pytest.approx([-0.5, -120.5, 119.5])


def test_a_file_in_another_folder_reaches_its_neighbours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, elsewhere = tmp_path / "my circuits", tmp_path / "elsewhere"
    (home / "parts").mkdir(parents=True)
    elsewhere.mkdir()
    (home / "parts" / "lines.dss").write_text(f"{LINE}\nredirect loads.dss\n")
    (home / "parts" / "loads.dss").write_text(f"{LOAD}\n")
    (home / "Master.dss").write_text(f"clear\n{SOURCE}\nredirect parts/lines.dss\n{BASES}\n")
    monkeypatch.chdir(elsewhere)
    network = read_circuit(Case("mine", path=Path("../my circuits/Master.dss"))).network
    assert network.load_ids == ("b",)
    assert Path.cwd() == elsewhere
    assert sorted(path.name for path in home.rglob("*")) == ["Master.dss", "lines.dss", "loads.dss", "parts"]


@pytest.mark.parametrize(
    "name",
    [
        "söd",
        "a-b_c",
        "x#1",
        "50%",
        "a:b",
        "p(q)",
        "O'Neil",
        "ÄÖÜ",
        "1e5",
        "bus/7",
        "a+b",
        "q@r",
        "two words",
        "k=v",
        "x,y",
    ],
)
def test_odd_names_work(name: str) -> None:
    circuit = written(
        f'{SOURCE}\n{LINE}\nnew "line.l {name}" bus1=b bus2="{name}" length=0.2\n'
        f'new "load.load {name}" bus1="{name}.1" phases=1 kv=2.4 kw=20\n{BASES}'
    )
    network = read_circuit(circuit).network
    assert network.load_ids[0].startswith("load ")
    state = OpenDssFeeder(circuit, network).solve(network.listed_demand, idle(network), controls=True)
    assert abs(imbalance(state).real) < 1e-6


def test_missing_voltage_bases_get_one_clear_error() -> None:
    with pytest.raises(
        InputError, match=r"test: no bus has a voltage base; expected 'set voltagebases=\[...\]'"
    ):
        read(SOURCE, LINE, LOAD)


def test_bases_are_derived_where_the_file_gives_the_levels() -> None:
    network = read(SOURCE, LINE, LOAD, "set voltagebases=(4.16)").network
    assert [bus.kv_base for bus in network.buses] == [pytest.approx(4.16 / math.sqrt(3.0))] * 2


def test_a_base_that_the_file_sets_stays() -> None:
    late = "new line.bc bus1=b bus2=c length=0.1"
    network = read(SOURCE, LINE, LOAD, BASES, "setkvbase bus=b kvln=2.5", late).network
    kv = {bus.name: bus.kv_base for bus in network.buses}
    assert kv["b"] == 2.5
    assert kv["c"] == pytest.approx(4.16 / math.sqrt(3.0))


def test_bases_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match=r"bus s: has 2\.4\d* kV to ground on a base of 7\.2 kV"):
        read(SOURCE, LINE, LOAD, "set voltagebases=(12.47)", "calcvoltagebases")


def test_disabled_elements_are_named_and_left_out() -> None:
    circuit = read(
        SOURCE,
        LINE,
        LOAD,
        "new load.off bus1=b kv=4.16 kw=5 enabled=no",
        "new line.off bus1=b bus2=z enabled=no",
        BASES,
    )
    assert verdicts(circuit) == {"load.off": "ignored", "line.off": "ignored"}
    assert circuit.network.load_ids == ("b",)
    assert circuit.network.tap_ids == ()


def test_an_open_switch_is_named_and_what_it_cut_off_is_left_out() -> None:
    tie = "new line.tie bus1=b bus2=z switch=yes"
    circuit = read(SOURCE, LINE, LOAD, tie, "new line.on bus1=z bus2=y length=1", BASES, "open line.tie 1")
    network = circuit.network
    assert [bus.name for bus in network.buses] == ["s", "b"]
    assert {name for name, verdict in verdicts(circuit).items() if verdict == "ignored"} >= {
        "line.tie",
        "bus.z",
        "bus.y",
    }
    engine = OpenDssFeeder(
        written(
            "\n".join(
                (SOURCE, LINE, LOAD, tie, "new line.on bus1=z bus2=y length=1", BASES, "open line.tie 1")
            )
        ),
        network,
    )
    state = engine.solve(network.listed_demand, idle(network), controls=True)
    assert state.converged
    assert kcl_residual(network, state).max() < 1e-5


def test_one_open_conductor_leaves_the_others() -> None:
    lines = (SOURCE, LINE, "new load.c bus1=b.3 phases=1 kv=2.4 kw=90", BASES, "open line.sb 2 1")
    network = read(*lines).network
    assert next(bus for bus in network.buses if bus.name == "b").phases == (2, 3)
    engine = OpenDssFeeder(written("\n".join(lines)), network)
    state = engine.solve(network.listed_demand, idle(network), controls=False)
    assert kcl_residual(network, state).max() < 1e-6
    assert abs(imbalance(state)) < 1e-6


@pytest.mark.parametrize(
    "cut",
    ["open line.bz 1", "line.bz.enabled=no", "new line.q bus1=z bus2=y", ""],
    ids=["open", "off", "on", "absent"],
)
def test_an_island_with_a_load_is_refused_by_name(cut: str) -> None:
    bridge = "new line.bz bus1=b bus2=z" if cut.startswith(("open", "line")) else ""
    lines = [SOURCE, LINE, LOAD, bridge, "new load.far bus1=z kv=4.16 kw=10", BASES, cut]
    with pytest.raises(
        InputError, match=r"no source feeds z, where load far is connected; expected a closed path"
    ):
        read(*lines)


def test_a_load_on_a_phase_that_nothing_reaches_is_refused() -> None:
    one = "new line.one phases=1 bus1=b.1 bus2=z.1 length=1"
    with pytest.raises(InputError, match="no source feeds z, where load far is connected"):
        read(SOURCE, LINE, one, "new load.far bus1=z.2 phases=1 kv=2.4 kw=10", BASES)


def test_a_source_between_two_buses_is_refused() -> None:
    with pytest.raises(InputError, match=r"vsource\.mid: lies between .*expected a source to ground"):
        read(SOURCE, LINE, "new vsource.mid bus1=b bus2=z basekv=0.1", "new line.zy bus1=z bus2=y", BASES)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (("nonsense",), "OpenDSS refused test: .*You must create a new circuit"),
        (("// only a remark",), "test holds no circuit; expected a command 'new circuit"),
        ((SOURCE, LINE, "new load.b buss=b"), "OpenDSS refused test: .*buss"),
        (
            (SOURCE, LINE, "new load.b bus1=b kv=4.16 kw=1e6 vminpu=0 vlowpu=0", BASES),
            "does not reach 0.0001 pu",
        ),
    ],
)
def test_what_opendss_cannot_do_is_said(lines: tuple[str, ...], message: str) -> None:
    with pytest.raises(FeederError, match=message):
        read(*lines)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.dss: there is no such file"):
        read_circuit(Case("none", path=tmp_path / "none.dss"))


def test_loads_that_the_market_cannot_follow_are_frozen_at_what_they_draw() -> None:
    lines = (SOURCE, LINE, LOAD, "new load.fixed_q bus1=b kv=4.16 kw=50 kvar=20 model=6", BASES)
    circuit = read(*lines)
    assert verdicts(circuit) == {"load.fixed_q": "frozen"}
    network = circuit.network
    state = OpenDssFeeder(written("\n".join(lines)), network).solve(
        network.listed_demand, idle(network), controls=False
    )
    assert state.machine.sum() == pytest.approx(-50 - 20j, rel=1e-6)
    assert abs(imbalance(state)) < 1e-6


def test_multipliers_and_growth_belong_to_listed_demand() -> None:
    lines = (
        SOURCE, LINE, LOAD, "new load.fixed bus1=b kv=4.16 kw=80 kvar=20 status=fixed", BASES,
        "set loadmult=0.5", "set %growth=10", "set year=2",
    )  # fmt: skip
    circuit = written("\n".join(lines))
    network = read_circuit(circuit).network
    growth = network.loads[1].kw / 80.0
    assert growth > 1.0
    assert network.loads[0].kw == pytest.approx(300.0 * 0.5 * growth)
    state = OpenDssFeeder(circuit, network, tolerance=1e-10).solve(
        np.array([90 + 30j, 10 + 5j]), idle(network), controls=False
    )
    assert abs(imbalance(state)) < 1e-6
    assert kcl_residual(network, state).max() < 1e-6


def test_allocated_loads_can_be_set() -> None:
    lines = (SOURCE, LINE, "new load.b bus1=b kv=4.16 xfkva=500 allocationfactor=0.6", BASES)
    circuit = written("\n".join(lines))
    network = read_circuit(circuit).network
    assert network.loads[0].kw == pytest.approx(500 * 0.6 * 0.88)
    state = OpenDssFeeder(circuit, network, tolerance=1e-10).solve(
        np.array([90 + 30j]), idle(network), controls=False
    )
    assert abs(imbalance(state)) < 1e-6


def test_load_shapes_come_along() -> None:
    circuit = read(
        SOURCE, LINE,
        "new loadshape.home npts=4 interval=6 mult=(0.5 0.8 1.0 0.6)",
        "new loadshape.works npts=3 sinterval=900 mult=(1 0.9 0.8) qmult=(0.5 0.4 0.3)",
        "new loadshape.metered npts=2 interval=1 mult=(40 50) useactual=yes",
        f"{LOAD} daily=home",
        "new load.w bus1=b kv=4.16 kw=10 yearly=works",
        "new load.m bus1=b kv=4.16 kw=10 daily=metered",
        BASES,
    )  # fmt: skip
    assert circuit.load_shape == {"b": "home", "w": "works"}
    assert circuit.shapes["home"].real == circuit.shapes["home"].reactive == (0.5, 0.8, 1.0, 0.6)
    assert circuit.shapes["home"].step_h == 6.0
    assert (circuit.shapes["works"].step_h, circuit.shapes["works"].reactive) == (0.25, (0.5, 0.4, 0.3))
    assert verdicts(circuit) == {"loadshape.metered": "ignored"}


def test_current_sources_and_faults_take_part() -> None:
    lines = (
        SOURCE, LINE, LOAD, "new isource.filter bus1=b phases=3 amps=5 angle=40",
        "new fault.tree bus1=b.2 phases=1 r=50", BASES,
    )  # fmt: skip
    circuit = read(*lines)
    network = circuit.network
    assert [machine.name for machine in network.machines] == [f"isource.filter.{k}" for k in (1, 2, 3)]
    state = OpenDssFeeder(written("\n".join(lines)), network, tolerance=1e-10).solve(
        network.listed_demand, idle(network), controls=True
    )
    assert kcl_residual(network, state).max() < 1e-6
    assert abs(imbalance(state)) < 1e-6


def test_a_name_of_one_circuit_means_nothing_in_another(tmp_path: Path) -> None:
    source = circuits.path_of("meshed")
    assert source is not None
    copy = tmp_path / "copy.dss"
    shutil.copy(source, copy)
    one, other = read_circuit(Case("copy", path=copy)).network, circuits.circuit("mixed").network
    assert one == circuits.circuit("meshed").network
    with pytest.raises(
        FeederError, match=r'the circuit copy does not hold what its network says: .*"rega" not found'
    ):
        OpenDssFeeder(Case("copy", path=copy), other)
