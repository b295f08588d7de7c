"""Write the tables of devices of this study: an invented neighbourhood, and roofs far down the feeder.

python configs/ieee123_operator/make_devices.py
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
SEED = 20200825
HEAD = (
    "device", "kind", "kw_max", "price", "arrival_h", "deadline_h", "energy_kwh", "comfort_kwh",
    "hold_kw", "band_k", "time_constant_h", "kelvin_per_kwh",
)  # fmt: skip
CARS, PUMPS, ROOFS, FIELDS = 120, 80, 60, 40


def main() -> None:
    """Write both tables."""
    random = np.random.default_rng(SEED)
    write("homes.csv", [*cars(random), *pumps(random), *roofs(random, "roof", ROOFS, 4.0, 8.0)])
    write("solar.csv", roofs(random, "field", FIELDS, 8.0, 28.0))


def cars(random: np.random.Generator) -> list[dict[str, object]]:
    """Cars that come in the course of the day and leave hours later, within the day."""
    rows: list[dict[str, object]] = []
    for k in range(CARS):
        arrival = float(np.clip(random.normal(12.0, 4.0), 0.0, 19.0))
        deadline = float(min(arrival + random.uniform(3.0, 9.0), 24.0))
        kw = float(random.choice([3.7, 7.4, 11.0]))
        energy = float(min(random.uniform(6.0, 30.0), 0.8 * kw * (deadline - arrival)))
        rows.append(
            {
                "device": f"car_{k}", "kind": "car", "kw_max": kw, "price": round(random.uniform(30, 120), 2),
                "arrival_h": round(arrival, 2), "deadline_h": round(deadline, 2),
                "energy_kwh": round(energy, 2), "comfort_kwh": round(0.2 * energy, 2),
            }
        )  # fmt: skip
    return rows


def pumps(random: np.random.Generator) -> list[dict[str, object]]:
    """Heat pumps that make hot water: their store may be some kelvin warmer or colder."""
    return [
        {
            "device": f"pump_{k}", "kind": "heat_pump", "kw_max": round(random.uniform(1.5, 3.0), 2),
            "price": round(random.uniform(20, 50), 2), "hold_kw": round(random.uniform(0.3, 0.7), 2),
            "band_k": round(random.uniform(3.0, 6.0), 2), "time_constant_h": round(random.uniform(20, 60), 1),
            "kelvin_per_kwh": round(random.uniform(1.5, 3.0), 2),
        }
        for k in range(PUMPS)
    ]  # fmt: skip


def roofs(
    random: np.random.Generator, name: str, count: int, least: float, most: float
) -> list[dict[str, object]]:
    """PV of several sizes [kW], which costs next to nothing to run."""
    return [
        {
            "device": f"{name}_{k}", "kind": "pv", "kw_max": round(random.uniform(least, most), 1),
            "price": round(random.uniform(0.0, 2.0), 2),
        }
        for k in range(count)
    ]  # fmt: skip


def write(name: str, rows: list[dict[str, object]]) -> None:
    """Write one table."""
    with (HERE / name).open("w", newline="", encoding="utf-8") as file:
        file.write("# Invented devices, written by make_devices.py.\n")
        writer = csv.DictWriter(file, HEAD, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
