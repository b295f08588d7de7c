"""Passive elements, sources and buses of a compiled circuit: ratings, blocks, order."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.feeders.network import Element
from dlmp_cosim.feeders.opendss.case import Finding
from dlmp_cosim.feeders.opendss.survey import UNKNOWN_KV, read_buses, read_elements, read_sources, rows
from tests.feeders.opendss.small import BANK, LOAD, STEP_UP, Compiled

ROOT3 = math.sqrt(3.0)


def elements(compiled: Compiled, *controlled: str) -> dict[str, Element]:
    found = read_elements(compiled.circuit, frozenset(controlled))
    return {item.name: item for item in found if isinstance(item, Element)}


def findings(compiled: Compiled, *controlled: str) -> list[Finding]:
    found = read_elements(compiled.circuit, frozenset(controlled))
    return [item for item in found if isinstance(item, Finding)]


@pytest.mark.parametrize(
    ("phases", "conns", "buses", "kvs", "kvas", "amps"),
    [
        pytest.param(3, "wye wye", "b t", "4 0.48", "80 80", (20 / ROOT3, 80 / ROOT3 / 0.48), id="wye"),
        pytest.param(3, "delta wye", "b t", "4 0.48", "80 9", (20 / ROOT3, 9 / ROOT3 / 0.48), id="delta"),
        pytest.param(1, "wye wye", "b.1 t.1", "2.4 0.12", "25 25", (25 / 2.4, 25 / 0.12), id="one phase"),
        pytest.param(1, "delta wye", "b.1.2 t.1", "4 0.12", "20 6", (5.0, 50.0), id="between"),
        pytest.param(2, "wye wye", "b.1.2 t.1.2", "4 0.4", "80 80", (10 * ROOT3, 100 * ROOT3), id="two"),
    ],
)  # fmt: skip
def test_a_winding_is_rated_in_the_amps_of_a_conductor(
    phases: int, conns: str, buses: str, kvs: str, kvas: str, amps: tuple[float, float]
) -> None:
    made = f"phases={phases} conns=[{conns}] buses=[{buses}] kvs=[{kvs}] kvas=[{kvas}]"
    found = elements(Compiled(f"new transformer.t windings=2 {made} xhl=4"))["transformer.t"]
    assert found.rating_a == pytest.approx(amps, rel=1e-12)


@pytest.mark.parametrize(("amps", "rating"), [("150", 150.0), ("0", math.inf), ("-1", math.inf)])
def test_a_line_without_a_rating_has_no_limit(amps: str, rating: float) -> None:
    line = elements(Compiled(f"line.sb.normamps={amps}"))["line.sb"]
    assert line.rating_a == (rating, rating)


def test_a_grounded_end_has_no_rating() -> None:
    shunt = elements(Compiled("new reactor.r phases=1 bus1=b.2 bus2=b.0 r=90 x=4 normamps=12"))["reactor.r"]
    assert (len(shunt.terminals), shunt.rating_a) == (1, (12.0,))
    assert 1 / shunt.admittance_s[0, 0] == pytest.approx(90 + 4j)


@pytest.mark.parametrize(
    ("text", "name", "kind"),
    [
        ("", "line.sb", "line"),
        ("line.sb.switch=yes", "line.sb", "switch"),
        (BANK[0], "capacitor.k", "capacitor"),
        (STEP_UP, "transformer.t", "transformer"),
        ("new fault.f bus1=b.1 phases=1 r=90", "fault.f", "reactor"),
    ],
)
def test_kinds(text: str, name: str, kind: str) -> None:
    assert elements(Compiled(text))[name].kind == kind


def test_a_line_is_its_impedance_matrix_inverted() -> None:
    matrices = "rmatrix=[0.5 | 0.1 0.6] xmatrix=[1.0 | 0.3 1.1] cmatrix=[0 | 0 0]"
    line = elements(Compiled(f"new line.m bus1=b.1.2 bus2=m.1.2 phases=2 {matrices} length=2"))["line.m"]
    ohm = 2 * np.array([[0.5 + 1j, 0.1 + 0.3j], [0.1 + 0.3j, 0.6 + 1.1j]])
    np.testing.assert_allclose(np.linalg.inv(-line.admittance_s[:2, 2:]), ohm, rtol=1e-6)


TIE = "new line.tie bus1=b bus2=z length=0.1"


def opened(more: str = "") -> Compiled:
    """A loop whose tie is open at its first end."""
    compiled = Compiled(LOAD, f"{TIE} {more}", "new line.zs bus1=z bus2=s length=0.1")
    compiled.command("open line.tie 1", "solve")
    return compiled


def test_an_open_element_without_a_shunt_joins_nothing() -> None:
    compiled = opened("c1=0 c0=0")
    assert set(elements(compiled)) == {"line.sb", "line.zs"}
    assert findings(compiled) == [Finding("line.tie", "ignored", "open: it joins nothing")]


def test_an_open_line_is_left_with_the_charging_of_its_closed_end() -> None:
    compiled = opened("c1=400 c0=300")
    left = elements(compiled)["line.tie"]
    assert [(end.bus, end.phases) for end in left.terminals] == [("z", (1, 2, 3))]
    assert left.admittance_s[0, 0].imag > 1e-6
    assert findings(compiled) == [Finding("line.tie", "ignored", "open at the start")]


def test_what_a_control_may_close_is_kept_open_as_it_is() -> None:
    compiled = opened()
    kept = elements(compiled, "line.tie")["line.tie"]
    assert (kept.controlled, len(kept.terminals)) == (True, 2)
    assert np.abs(kept.admittance_s).max() < 1e-6
    assert findings(compiled, "line.tie") == []


def test_a_source_is_its_voltage_behind_its_impedance() -> None:
    (source,) = read_sources(Compiled(LOAD, "vsource.source.pu=1.03", "vsource.source.angle=10").circuit)
    assert np.abs(source.voltage_v) == pytest.approx(np.full(3, 1030 * 4.16 / ROOT3), rel=1e-9)
    assert np.angle(source.voltage_v, deg=True) == pytest.approx([10.0, -110.0, 130.0], abs=1e-6)
    ohm = np.linalg.inv(source.admittance_s)
    positive, zero = ohm[0, 0] - ohm[0, 1], ohm[0, 0] + 2 * ohm[0, 1]
    assert abs(positive) == pytest.approx(4.16**2 / 200, rel=1e-6)
    assert 3 / abs(2 * positive + zero) == pytest.approx(150 / 4.16**2, rel=1e-3)


def test_a_disabled_source_is_none() -> None:
    more = "new vsource.east bus1=b basekv=4.16 pu=1 enabled=no"
    assert [source.name for source in read_sources(Compiled(more).circuit)] == ["vsource.source"]


def test_a_source_between_buses_is_refused() -> None:
    compiled = Compiled("new vsource.mid bus1=b bus2=z basekv=0.1", "new line.zs bus1=z bus2=s length=9")
    with pytest.raises(InputError) as error:
        list(read_sources(compiled.circuit))
    assert str(error.value) == (
        "c vsource.mid: lies between b and z; expected a source to ground (bus2 with nodes 0)"
    )


def test_the_substation_comes_first_and_the_rest_in_the_files_order() -> None:
    compiled = Compiled("new line.bz bus1=b bus2=Zoo", "new line.ba bus1=b.3.1 bus2=a.3.1 phases=2")
    assert [bus.name for bus in read_buses(compiled.circuit, "zoo")] == ["zoo", "s", "b", "a"]
    assert read_buses(compiled.circuit, "s")[-1].phases == (1, 3)


def test_coordinates_and_bases_come_along() -> None:
    compiled = Compiled(LOAD)
    compiled.command("setbusxy bus=b x=-2.5 y=0")
    first, second = read_buses(compiled.circuit, "s")
    assert (first.x, first.y, second.x, second.y) == (None, None, -2.5, 0.0)
    assert second.kv_base == pytest.approx(4.16 / ROOT3)


def test_a_bus_without_a_base_has_one_kilovolt() -> None:
    compiled = Compiled(LOAD)
    compiled.command("setkvbase bus=b kvln=0")
    assert read_buses(compiled.circuit, "s")[1].kv_base == UNKNOWN_KV == 1.0


def test_rows_are_plain_numbers() -> None:
    assert rows(np.array([[1, 2], [3, 4]])) == ((1.0, 2.0), (3.0, 4.0))
    assert rows(np.zeros((0, 0))) == ()
