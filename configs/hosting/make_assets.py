"""Write the tables of this study: one PV plant for every load, by how far the load is from the substation.

python configs/hosting/make_assets.py
"""

from __future__ import annotations

import csv
import heapq
from collections import defaultdict
from pathlib import Path

from dlmp_cosim.feeders import ieee123
from dlmp_cosim.feeders.network import Load, Network

HERE = Path(__file__).parent
ZONES = ("near", "middle", "far")
OVERSIZE = 1.1
SUBSTATION = "150"
HEAD = (
    "resource,kind,bus,phases,load,kw_max,kva_max,curtailable_share,cost_linear,cost_quadratic,"
    "owner,connection"
)
FLEXIBLE = "flex_s48a,flexible_load,,,s48a,,,0.2,38.33,1.36905,assets,"
"""One resource of somebody else, because a market has an owner called assets."""
ABOUT = (
    "# One PV plant for each load of the feeder {which}, as large as the load is listed, with an inverter\n"
    "# of 1.1 times that; written by make_assets.py. Zones are thirds of the loads by length of line to the\n"
    "# substation. One flexible load beside them, of the owner `assets`.\n"
)


def main() -> None:
    """Write a table for every zone, and one of all."""
    network = ieee123.load()
    far = distances(network)
    loads = sorted(
        (load for load in network.loads if load.kw > 0), key=lambda load: (far[load.bus], load.name)
    )
    rows = {load.name: row(load, ZONES[3 * k // len(loads)]) for k, load in enumerate(loads)}
    for zone in (*ZONES, "anywhere"):
        chosen = [text for name, text in rows.items() if zone == "anywhere" or f"_{zone}_" in text]
        which = "wherever it is" if zone == "anywhere" else f"in its {zone} third"
        (HERE / f"{zone}.csv").write_text(
            ABOUT.format(which=which) + "\n".join([HEAD, *chosen, FLEXIBLE]) + "\n"
        )


def row(load: Load, zone: str) -> str:
    """Line of the plant beside a load, connected as the load is."""
    phases = sorted({node for leg in load.legs for node in leg if node})
    letters = "".join("abc"[phase - 1] for phase in phases)
    delta = "delta" if all(node for leg in load.legs for node in leg) else ""
    name, kva = f"pv_{zone}_{load.name}", OVERSIZE * load.kw
    return f"{name},generator,{load.bus},{letters},,{load.kw:g},{kva:g},,0,0,pv,{delta}"


def distances(network: Network) -> dict[str, float]:
    """Length of line from the substation to every bus [ft]; what is no line has none."""
    with (ieee123.TABLES / "line_segments.csv").open(newline="") as file:
        lengths = {
            frozenset((row["node_a"], row["node_b"])): float(row["length_ft"]) for row in csv.DictReader(file)
        }
    beside = defaultdict(list)
    for branch in network.branches:
        one, other = (end.bus for end in branch.terminals[:2])
        length = lengths.get(frozenset((one.removesuffix("r"), other.removesuffix("r"))), 0.0)
        beside[one].append((other, length))
        beside[other].append((one, length))
    found: dict[str, float] = {}
    ahead = [(0.0, SUBSTATION)]
    while ahead:
        there, bus = heapq.heappop(ahead)
        if bus not in found:
            found[bus] = there
            for other, length in beside[bus]:
                heapq.heappush(ahead, (there + length, other))
    return found


if __name__ == "__main__":
    main()
