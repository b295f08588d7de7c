"""From a sweep file to jobs that workers can do, every one checked before the first starts."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from dlmp_cosim.federates.runtime.local import ROLES
from dlmp_cosim.federates.study.checked_file import read_toml, validate
from dlmp_cosim.federates.study.inputs import names_files
from dlmp_cosim.federates.study.scenario import Scenario
from dlmp_cosim.federates.study.study import Study, load_study
from dlmp_cosim.feeders import ieee123
from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.feeders.readers.assets import COLUMNS, OPTIONAL, read_assets
from dlmp_cosim.feeders.readers.csv_table import read_table
from dlmp_cosim.runners.sweep.apply import AssetTable, set_key
from dlmp_cosim.runners.sweep.design import Change, Design, Sample
from dlmp_cosim.runners.sweep.folder import HEADS
from dlmp_cosim.runners.sweep.job import RESULTS, Job, builds_of, code_digest
from dlmp_cosim.runners.sweep.measures import MEASURES
from dlmp_cosim.runners.sweep.pack import Packer
from dlmp_cosim.runners.sweep.sweep_file import ASSETS, SweepFile, flat, load_sweep
from dlmp_cosim.runners.tables.topics import check_topic

ASSET_FILE = "sweep_assets.csv"
"""Name of a run's own asset table in its study."""
TAKEN = frozenset(column.name for column in (*HEADS, *MEASURES))
"""Columns of a summary that are no axis."""


@dataclass(frozen=True)
class Plan:
    """A sweep that can be run.

    Attributes
    ----------
    file : Path
        The sweep file.
    sweep : SweepFile
        What it says.
    design : Design
        Its runs.
    base : Study
        The study that is varied.
    scenario : mapping
        Scenario of that study, with what is fixed.
    packer : Packer
        Packs its variants.
    """

    file: Path
    sweep: SweepFile
    design: Design
    base: Study
    scenario: Mapping[str, Any]
    packer: Packer

    def job(self, number: int) -> Job:
        """Make the job of one run.

        Raises
        ------
        InputError
            When a change cannot be made, or makes no valid scenario.
        """
        sample = self.design.sample(number)
        table, assets = self._made(sample)
        pack = self.packer.pack(table, {} if assets is None else {ASSET_FILE: assets})
        return Job(number, pack, {**dict.fromkeys(ROLES, ""), **self.sweep.federates}, tuple(self.sweep.keep))

    def check(self) -> None:
        """Make every run's scenario and asset table, so that what cannot be is said before anything starts.

        Raises
        ------
        InputError
            For the first that cannot.
        """
        for number in range(len(self.design)):
            sample = self.design.sample(number)
            _, assets = self._made(sample)
            if assets is not None:
                self._check_assets(assets, sample)

    def identity(self) -> dict[str, Any]:
        """Say what makes this sweep itself: other runs do not belong into its folder."""
        said = self.sweep.model_dump(mode="json", exclude_defaults=True)
        if self.sweep.sampling == "random":
            said.pop("draws", None)
        contents = self.packer.pack(self.scenario).files
        hashes = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
        return {"sweep": said, "base": hashes, "code": code_digest()}

    def _made(self, sample: Sample) -> tuple[dict[str, Any], str | None]:
        """Scenario and asset table of a run, checked as far as they can be without a circuit."""
        table = copy.deepcopy(dict(self.scenario))
        rows: list[tuple[Change, str, str]] = []
        for change in sample.changes:
            where = f"{self.file} axis {change.axis.label}"
            for key, value in change.keys.items():
                section, _, column = key.partition(".")
                if section == ASSETS:
                    rows.append((change, column, where))
                else:
                    set_key(table, key, placed(self.file, key, value), change.axis, where)
        validate(Scenario, table, Path(self._place(sample)))
        if not rows:
            return table, None
        text = AssetTable(self._assets(table)).changed(rows, sample.values)
        table.setdefault("feeder", {})["assets"] = ASSET_FILE
        return table, text

    def _place(self, sample: Sample) -> str:
        """Where a run's values come from, for messages."""
        shown = ", ".join(f"{label} = {_shown(value)}" for label, value in sample.values.items())
        return f"{self.file} run {sample.number} ({shown}):"

    def _assets(self, table: Mapping[str, Any]) -> str:
        name = table.get("feeder", {}).get("assets", "")
        path = self.base.folder / name if name else ieee123.ASSETS
        if not name and self.base.scenario.feeder.case != "ieee123":
            raise InputError(
                "the base study has no asset table",
                where=str(self.base.scenario_file),
                expected="feeder.assets, for axes of assets to change",
            )
        read_table(path, COLUMNS, OPTIONAL)
        return path.read_text(encoding="utf-8-sig")

    def _check_assets(self, text: str, sample: Sample) -> None:
        """Read a changed table as a run would."""
        circuit = self.base.circuit
        with TemporaryDirectory() as folder:
            path = Path(folder) / ASSET_FILE
            path.write_text(text, encoding="utf-8")
            try:
                read_assets(path, circuit.network, circuit.plants)
            except InputError as error:
                raise InputError(
                    error.what,
                    where=f"{self._place(sample)} {error.where.replace(ASSET_FILE, ASSETS)}",
                    expected=error.expected,
                    nearest=error.nearest,
                ) from None


def placed(file: Path, key: str, value: Any) -> Any:
    """Make names of files absolute that a sweep file gives from its own folder.

    Parameters
    ----------
    file : Path
        The sweep file.
    key : str
        Dotted key of the scenario.
    value : object
        What is set there; it comes back as it is unless the key names files.
    """
    section, _, inner = key.partition(".")
    if not names_files(section, inner, value):
        return value
    home = file.parent.resolve()
    return str(home / value) if isinstance(value, str) else [str(home / item) for item in value]


def load_plan(file: Path, draws: int | None = None) -> Plan:
    """Read a sweep file and the study that it varies.

    Parameters
    ----------
    file : Path
        A ``sweep.toml``.
    draws : int, optional
        Draws instead of those that it names.

    Raises
    ------
    InputError
        When either cannot be used.
    """
    sweep = load_sweep(file, draws)
    folder = file.parent / sweep.base
    base = load_study(folder)
    table = read_toml(base.scenario_file)
    for key, value in flat(sweep.fixed).items():
        set_key(table, key, placed(file, key, value), None, f"{file} fixed")
    scenario = validate(Scenario, table, Path(f"{file} fixed:"))
    for axis in sweep.axis:
        if axis.label in TAKEN:
            raise InputError(
                f"the summary has a column {axis.label!r} already",
                where=f"{file} axis",
                expected="another name of the axis",
            )
    for text in sweep.keep:
        if text != RESULTS:
            check_topic(text, where=f"{file} keep")
    missing = [owner.name for owner in scenario.owner if owner.name not in sweep.federates]
    if missing:
        raise InputError(
            f"says not what runs the owner {missing[0]!r} of the base study",
            where=f"{file} federates",
            expected=f"{missing[0]} = 'package.module:Class', as in pv = 'dlmp_cosim.federates.pv:Pv'",
        )
    builds_of(sweep.federates)
    return Plan(file, sweep, Design(sweep), base, table, Packer(folder))


def _shown(value: Any) -> str:
    return (
        value.isoformat()
        if isinstance(value, date)
        else f"{value:g}"
        if isinstance(value, float)
        else f"{value}"
    )
