"""What was found in a circuit, as a page: sizes, controls, what is limited, priced, frozen or left out."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from dlmp_cosim.feeders.network import Network, node_id
from dlmp_cosim.feeders.opendss.case import Circuit, Finding

LOAD_MODELS = {
    1: "constant power",
    2: "constant impedance",
    3: "constant real, quadratic reactive power",
    4: "exponents of voltage",
    5: "constant current",
    8: "polynomial (ZIPV)",
}
"""What OpenDSS' numbers of load models mean."""


def found_page(network: Network, circuit: Circuit, source: str) -> str:
    """Write the page in Markdown.

    Parameters
    ----------
    network : Network
        The circuit with the resources that were proposed.
    circuit : Circuit
        What was read: load shapes, and what the market cannot use as it is.
    source : str
        The circuit's own file.
    """
    parts = [
        f"# {network.name}",
        f"Read from `{source}`, which OpenDSS compiles as it is in every run.",
        _table("What is there", sizes(network, circuit)),
        _table("Voltage levels", voltage_levels(network)),
        _table("Load models", load_models(network)),
        _table("What the market limits and prices", limited(network)),
        _controls(network),
        _findings(circuit.findings),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def sizes(network: Network, circuit: Circuit) -> list[tuple[str, str]]:
    """Count what the circuit consists of.

    Parameters
    ----------
    network : Network
        What the market and the feeder see.
    circuit : Circuit
        What the circuit's file holds.

    Returns
    -------
    list of (str, str)
        What was counted, and how many there are.
    """
    kinds = Counter(element.kind for element in network.elements)
    demand = network.listed_demand.sum()
    rows: list[tuple[str, object]] = [
        ("buses", len(network.buses)),
        ("nodes", len(network.node_ids)),
        ("sources", len(network.sources)),
        *((f"{kind}s" if kind != "switch" else "switches", count) for kind, count in sorted(kinds.items())),
        ("loops", loops(network)),
        ("regulators", len(network.regulators)),
        ("switched capacitors", len(network.capacitor_banks)),
        ("loads", f"{len(network.loads)}, {demand.real:,.0f} kW and {demand.imag:,.0f} kvar"),
        ("load shapes in use", len(circuit.shapes)),
        ("machines that run on their own", len(network.machines)),
        ("resources that the market may dispatch", len(network.resources)),
    ]
    return [(name, str(value)) for name, value in rows]


def loops(network: Network) -> int:
    """Branches that close a loop: a conductor of theirs joins nodes that were joined before."""
    group = {name: name for name in network.node_ids}

    def root(name: str) -> str:
        while group[name] != name:
            group[name] = group[group[name]]
            name = group[name]
        return name

    closing = 0
    for branch in network.branches:
        first, *others = ([node_id(end.bus, phase) for phase in end.phases] for end in branch.terminals)
        pairs = [(a, b) for nodes in others for a, b in zip(first, nodes, strict=False)]
        closing += any(root(a) == root(b) for a, b in pairs)
        for a, b in pairs:
            group[root(b)] = root(a)
    return closing


def voltage_levels(network: Network) -> list[tuple[str, str]]:
    """Count buses by base voltage, highest first."""
    levels = Counter(round(bus.kv_base, 4) for bus in network.buses)
    return [
        (f"{kv:g} kV to neutral ({kv * math.sqrt(3):.4g} kV between phases)", f"{count} buses")
        for kv, count in sorted(levels.items(), reverse=True)
    ]


def load_models(network: Network) -> list[tuple[str, str]]:
    """Count loads, and their listed demand, by voltage dependence."""
    rows = []
    for model, meaning in LOAD_MODELS.items():
        loads = [load for load in network.loads if load.model == model]
        if loads:
            rows.append((f"{model}: {meaning}", f"{len(loads)} loads, {sum(x.kw for x in loads):,.0f} kW"))
    return rows


def limited(network: Network) -> list[tuple[str, str]]:
    """Count what has limits."""
    between = sum(bool(point.other) for point in network.voltage_points)
    rated = sum(any(math.isfinite(rating) for rating in branch.rating_a) for branch in network.branches)
    return [
        ("voltages to ground", str(len(network.voltage_points) - between)),
        ("voltages between conductors", str(between)),
        ("branches with a rating", f"{rated} of {len(network.branches)}"),
        ("nodes with a price", str(len(network.node_ids))),
    ]


def _controls(network: Network) -> str:
    names = (*network.tap_ids, *network.capacitor_ids)
    if not names:
        return ""
    return (
        "## Controls\n\nThese stand still while the market clears, and act on the final dispatch (or with "
        'every trial, `[market] controls = "together"`): ' + ", ".join(names) + "."
    )


def _findings(findings: Sequence[Finding]) -> str:
    if not findings:
        return "## Left out\n\nNothing: the market understands everything that the file has."
    rows = [(f"`{item.element}`", f"{item.verdict}: {item.reason}") for item in findings]
    return _table("Frozen, ignored or left out", rows)


def _table(title: str, rows: Sequence[tuple[str, str]]) -> str:
    if not rows:
        return ""
    lines = [f"## {title}", "", "| | |", "| --- | --- |"]
    return "\n".join([*lines, *(f"| {name} | {value} |" for name, value in rows)])
