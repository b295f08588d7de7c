"""Controls of a compiled circuit: positions of taps and steps, and what is only named."""

from __future__ import annotations

import pytest

from dlmp_cosim.feeders.errors import FeederError, InputError
from dlmp_cosim.feeders.network import CapacitorBank, Regulator
from dlmp_cosim.feeders.opendss.circuit import read_circuit
from dlmp_cosim.feeders.opendss.controls import (
    find_controls,
    read_capacitor_banks,
    read_regulators,
    read_steps,
    read_winding,
    switched_elements,
    write_tap,
)
from tests.circuits import written
from tests.feeders.opendss.small import BANK, BASES, LINE, LOAD, REGULATED, SOURCE, STEP_UP, Compiled


def regulated(winding: str, control: str = REGULATED) -> Compiled:
    return Compiled(LOAD, f"{STEP_UP} wdg=2 {winding}", control)


@pytest.mark.parametrize(
    ("winding", "step", "ends", "tap"),
    [
        pytest.param("", 0.00625, (-16, 16), 0, id="as OpenDSS has them"),
        pytest.param("tap=1.05", 0.00625, (-16, 16), 8, id="raised"),
        pytest.param("tap=0.9", 0.00625, (-16, 16), -16, id="at the bottom"),
        pytest.param("tap=1.004", 0.00625, (-16, 16), 1, id="beside a step"),
        pytest.param("numtaps=20 mintap=0.95 maxtap=1.05", 0.005, (-10, 10), 0, id="fewer and finer"),
        pytest.param("numtaps=8 mintap=1.0 maxtap=1.1 tap=1.025", 0.0125, (0, 8), 2, id="upwards only"),
    ],
)
def test_a_regulator_counts_its_steps_from_the_nominal_ratio(
    winding: str, step: float, ends: tuple[int, int], tap: int
) -> None:
    (found,) = read_regulators(regulated(winding).circuit)
    assert found == Regulator("reg", "transformer.t", 2, found.step_pu, *ends, tap)
    assert found.step_pu == pytest.approx(step)


@pytest.mark.parametrize("winding", ["numtaps=0", "mintap=1.0 maxtap=1.0"])
def test_a_winding_without_taps_cannot_be_regulated(winding: str) -> None:
    with pytest.raises(InputError) as error:
        list(read_regulators(regulated(winding).circuit))
    assert str(error.value) == (
        "c regcontrol.reg: moves winding 2 of transformer.t, which has no taps; "
        "expected numtaps above 0, and mintap below maxtap"
    )


def test_a_winding_is_the_one_that_the_control_names() -> None:
    first = REGULATED.replace("winding=2", "winding=1")
    found = next(read_regulators(Compiled(LOAD, f"{STEP_UP} wdg=1 tap=1.0125", first).circuit))
    assert (found.winding, found.tap) == (1, 2)


def test_names_come_in_lower_case_whatever_the_file_has() -> None:
    control = REGULATED.replace("regcontrol.reg transformer=t", "RegControl.REG transformer=T")
    found = next(read_regulators(regulated("", control).circuit))
    assert (found.name, found.element) == ("reg", "transformer.t")


def test_a_tap_is_written_and_read_back() -> None:
    compiled = regulated("")
    write_tap(compiled.circuit, "transformer.t", 2, 1.03125)
    assert read_winding(compiled.circuit, "transformer.t", 2) == (1.03125, 0.9, 1.1, 32)
    assert read_winding(compiled.circuit, "transformer.t", 1)[0] == 1.0
    assert next(read_regulators(compiled.circuit)).tap == 5


def test_an_autotransformer_is_written_and_read_back() -> None:
    auto = "new autotrans.a phases=3 windings=2 buses=(b t) conns=(series wye) kvs=(4.4 4.16) xhx=1"
    compiled = Compiled(LOAD, auto, REGULATED.replace("transformer=t", "transformer=a"))
    assert next(read_regulators(compiled.circuit)).element == "autotrans.a"
    write_tap(compiled.circuit, "autotrans.a", 2, 0.98125)
    assert read_winding(compiled.circuit, "autotrans.a", 2) == (0.98125, 0.9, 1.1, 32)
    assert next(read_regulators(compiled.circuit)).tap == -3


def test_a_bank_counts_its_closed_steps() -> None:
    compiled = Compiled(LOAD, *BANK)
    assert list(read_capacitor_banks(compiled.circuit)) == [CapacitorBank("bank", "capacitor.k", 3, 3)]
    compiled.circuit.Capacitors.Name = "k"
    compiled.circuit.Capacitors.States = [1, 0, 0]
    assert read_steps(compiled.circuit, "k") == [1, 0, 0]
    assert next(read_capacitor_banks(compiled.circuit)).closed == 1


def test_a_capacitor_that_nothing_switches_is_no_bank() -> None:
    assert list(read_capacitor_banks(Compiled(LOAD, BANK[0]).circuit)) == []


def test_a_control_of_what_is_disabled_controls_nothing() -> None:
    circuit = read_circuit(written("\n".join((SOURCE, LINE, LOAD, *BANK, *BASES, "capacitor.k.enabled=no"))))
    assert circuit.network.capacitor_banks == ()
    assert [(found.element, found.verdict) for found in circuit.findings] == [("capacitor.k", "ignored")]


def test_a_regulator_of_what_is_disabled_is_refused() -> None:
    """OpenDSS gives such a circuit voltages that mean nothing, and counts them as converged."""
    lines = (SOURCE, LINE, LOAD, STEP_UP, REGULATED, *BASES, "transformer.t.enabled=no")
    with pytest.raises(InputError) as error:
        read_circuit(written("\n".join(lines)))
    assert str(error.value) == (
        "c regcontrol.reg: moves transformer.t, which is disabled; expected a control that is disabled too"
    )


def test_a_regulator_that_is_disabled_with_its_transformer_is_left_out() -> None:
    off = ("transformer.t.enabled=no", "regcontrol.reg.enabled=no")
    circuit = read_circuit(written("\n".join((SOURCE, LINE, LOAD, STEP_UP, REGULATED, *BASES, *off))))
    assert (circuit.network.regulators, len(circuit.network.buses)) == ((), 2)


def test_a_circuit_without_any_voltage_is_refused() -> None:
    with pytest.raises(FeederError, match="no voltage anywhere in test; expected a source with a voltage"):
        read_circuit(written("\n".join((SOURCE, LINE, LOAD, *BASES, "vsource.source.pu=0"))))


def test_what_opens_and_what_moves_power_is_named() -> None:
    compiled = Compiled(
        LOAD,
        "new swtcontrol.hand switchedobj=Line.SB switchedterm=1",
        "new pvsystem.roof bus1=b kv=4.16 kva=50 pmpp=40",
        "new invcontrol.volt derlist=[pvsystem.roof] mode=voltvar",
        BANK[0],
    )
    assert switched_elements(compiled.circuit) == {"line.sb"}
    opens = "may act once the final dispatch stands; the market sees what it has done"
    moves = "moves power once the final dispatch stands; held while the market clears"
    assert [(found.element, found.verdict, found.reason) for found in find_controls(compiled.circuit)] == [
        ("swtcontrol.hand", "frozen", opens),
        ("invcontrol.volt", "frozen", moves),
    ]


def test_a_control_that_is_disabled_opens_nothing() -> None:
    compiled = Compiled(LOAD, "new swtcontrol.hand switchedobj=line.sb switchedterm=1 enabled=no")
    assert switched_elements(compiled.circuit) == frozenset()
    assert list(find_controls(compiled.circuit)) == []


def test_a_capacitor_that_two_controls_switch_is_one_bank() -> None:
    second = BANK[1].replace("capcontrol.bank", "capcontrol.other")
    assert [bank.name for bank in read_capacitor_banks(Compiled(LOAD, *BANK, second).circuit)] == ["bank"]
