"""From a sweep file to jobs: what a run's study becomes, and what is refused before anything starts."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from toys import ASSETS, make_study

from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.runners.sweep.plan import ASSET_FILE, Plan, load_plan, placed

LOAD = '[[axis]]\nkey = "feeder.load_scale"\nvalues = [0.5, 1.5]\n'
COST = '[[axis]]\nname = "offer"\nkey = "assets.cost_linear"\nvalues = [20.0, 30.0]\n'
OWNER = '[[owner]]\nname = "pv"\nresources = []\n'
Make = Callable[..., Plan]


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """The toy study, two intervals of a minute."""
    return make_study(tmp_path / "base", intervals=2)


@pytest.fixture
def plan(base: Path, tmp_path: Path) -> Make:
    def make(axes: str, head: str = "", draws: int | None = None) -> Plan:
        file = tmp_path / "sweep.toml"
        file.write_text(f'name = "s"\nbase = "{base.name}"\n{head}\n{axes}')
        return load_plan(file, draws)

    return make


def scenario(found: Plan, number: int) -> dict[str, Any]:
    """What stands in the scenario file of a run."""
    pack = found.job(number).pack
    return tomllib.loads(pack.files[f"{pack.folder}/scenario.toml".removeprefix("./")].decode())


def assets(found: Plan, number: int) -> dict[str, dict[str, str]]:
    """Rows of a run's own asset table by resource."""
    pack = found.job(number).pack
    head, *rows = pack.files[f"{pack.folder}/{ASSET_FILE}".removeprefix("./")].decode().splitlines()
    names = head.split(",")
    table = [dict(zip(names, row.split(","), strict=True)) for row in rows]
    return {row["resource"]: row for row in table}


def refusal(action: Callable[[], object]) -> str:
    with pytest.raises(InputError) as failure:
        action()
    return str(failure.value)


def test_a_run_has_the_value_of_its_place(plan: Make) -> None:
    found = plan(LOAD)
    assert [scenario(found, k)["feeder"]["load_scale"] for k in range(2)] == [0.5, 1.5]
    assert [found.job(k).number for k in range(2)] == [0, 1]


def test_runs_leave_each_other_and_the_base_as_they_are(plan: Make) -> None:
    found = plan(LOAD.replace("feeder.load_scale", "market.tolerance").replace("0.5, 1.5", "1e-7, 1e-8"))
    before = scenario(found, 0)
    scenario(found, 1)
    assert scenario(found, 0) == before
    assert "tolerance" not in found.scenario["market"]


def test_what_is_fixed_holds_for_every_run(plan: Make) -> None:
    found = plan(LOAD, "fixed.time.intervals = 1\nfixed.market.model = 'none'")
    for number in range(2):
        table = scenario(found, number)
        assert (table["time"]["intervals"], table["market"]["model"]) == (1, "none")


def test_a_key_may_be_scaled(plan: Make) -> None:
    twice = '[[axis]]\nkey = "time.period_s"\nhow = "scale"\nvalues = [1, 2]\n'
    assert [scenario(plan(twice), k)["time"]["period_s"] for k in range(2)] == [60, 120]


def test_a_run_that_changes_assets_has_a_table_of_its_own(plan: Make) -> None:
    found = plan(COST + 'where = { resource = "d*" }\n')
    assert scenario(found, 1)["feeder"]["assets"] == ASSET_FILE
    rows = assets(found, 1)
    assert (rows["dg"]["cost_linear"], rows["flex"]["cost_linear"]) == ("30.0", "25")


def test_a_run_that_changes_none_keeps_that_of_the_study(plan: Make) -> None:
    found = plan(LOAD)
    assert scenario(found, 0)["feeder"]["assets"] == "assets.csv"
    assert not any(name.endswith(ASSET_FILE) for name in found.job(0).pack.files)


def test_two_axes_of_assets_change_one_table(plan: Make) -> None:
    size = '[[axis]]\nkey = "assets.kw_max"\nvalues = [100]\nwhere = { kind = "generator" }\n'
    row = assets(plan(COST + size), 0)["dg"]
    assert (row["cost_linear"], row["kw_max"]) == ("20.0", "100")


def test_a_job_names_federates_and_what_is_kept(plan: Make) -> None:
    job = plan(LOAD, 'keep = ["results", "market/dlmp_real:mean"]').job(0)
    assert tuple(job.federates) == ("wholesale", "feeder", "assets", "market", "recorder")
    assert job.keep == ("results", "market/dlmp_real:mean")


def test_federates_of_the_file_stand_beside_the_packages_own(plan: Make) -> None:
    job = plan(LOAD, 'federates.market = "toy_market:Helpless"').job(0)
    assert job.federates["market"] == "toy_market:Helpless"
    assert job.federates["feeder"] == ""


def test_a_sound_sweep_passes_its_check(plan: Make) -> None:
    plan(LOAD + COST).check()


@pytest.mark.parametrize(
    ("axes", "said"),
    [
        (
            LOAD.replace("1.5", "-1.0"),
            "sweep.toml run 1 (feeder.load_scale = -1): feeder.load_scale: -1.0 cannot be used",
        ),
        (
            COST.replace("30.0", '"dear"'),
            "sweep.toml run 1 (offer = dear): assets:2 cost_linear: 'dear' is not a number",
        ),
        (COST + 'where = { resource = "x*" }\n', "sweep.toml axis offer where: no row of the asset table"),
        (COST + 'where = { resorce = "x" }\n', "did you mean 'resource'?"),
        (
            '[[axis]]\nkey = "feeder.case"\nhow = "scale"\nvalues = [2]\n',
            "axis feeder.case: feeder.case is 'toy.dss' in the base study; expected a number there to scale",
        ),
        (
            '[[axis]]\nkey = "market.tolerance"\nhow = "scale"\nvalues = [2]\n',
            "market.tolerance is None in the base study; expected a number there to scale",
        ),
    ],
)
def test_the_first_run_that_cannot_be_is_named(plan: Make, axes: str, said: str) -> None:
    assert said in refusal(plan(axes).check)


def test_a_total_of_what_sums_to_nothing_is_refused(plan: Make, base: Path) -> None:
    """Nothing times any factor stays nothing: no table has the total that was asked for."""
    (base / "assets.csv").write_text(ASSETS.replace("18,0.05", "0,0.05"))
    total = (
        '[[axis]]\nkey = "assets.cost_linear"\nhow = "total"\nvalues = [5.0]\nwhere = { resource = "dg" }\n'
    )
    said = refusal(plan(total).check)
    assert said.endswith(
        "the cells of cost_linear sum to 0; expected some that can be scaled to a total of 5"
    )


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_an_asset_table_as_a_spreadsheet_saves_it_is_read(plan: Make, base: Path, mark: str) -> None:
    (base / "assets.csv").write_text(mark + ASSETS, encoding="utf-8")
    found = plan(COST + 'where = { resource = "dg" }\n')
    found.check()
    assert assets(found, 0)["dg"]["cost_linear"] == "20.0"


def test_an_asset_table_that_is_no_text_is_refused(plan: Make, base: Path) -> None:
    (base / "assets.csv").write_bytes(ASSETS.replace("dg", "dé").encode("latin-1"))
    said = refusal(plan(COST).check)
    assert said.startswith(f"{base / 'assets.csv'}: cannot be read: 'utf-8' codec")
    assert said.endswith("expected a UTF-8 text file")


def test_an_asset_table_that_is_not_there_is_named(plan: Make, base: Path) -> None:
    (base / "assets.csv").rename(base / "asets.csv")
    assert refusal(plan(COST).check) == f"{base / 'assets.csv'}: no such file; did you mean 'asets.csv'?"


def test_an_asset_table_with_blanks_and_indented_remarks_is_read(plan: Make, base: Path) -> None:
    head, row, *rest = ASSETS.splitlines()
    lines = [head.replace(",kind", " , kind"), "  # a remark", row.replace("dg,", " dg , "), *rest]
    (base / "assets.csv").write_text("\n".join(lines))
    assert (
        assets(plan(COST + 'where = { resource = "dg", kind = "gen*" }\n'), 1)["dg"]["cost_linear"] == "30.0"
    )


@pytest.mark.parametrize("cells", [",0.05,7", ""])
def test_a_row_with_other_cells_than_the_header_is_refused(plan: Make, base: Path, cells: str) -> None:
    (base / "assets.csv").write_text(ASSETS.replace(",0.05", cells))
    assert "assets.csv:2: " in refusal(plan(COST).check)


def test_a_base_without_an_asset_table_says_so(plan: Make, base: Path) -> None:
    text = (base / "scenario.toml").read_text()
    (base / "scenario.toml").write_text(text.replace('assets = "assets.csv"\n', ""))
    assert refusal(plan(COST).check) == (
        f"{base / 'scenario.toml'}: the base study has no asset table; "
        "expected feeder.assets, for axes of assets to change"
    )


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ("fixed.market.on_failure = 'stop'", "fixed:"),
        ("keep = ['market/dlmp_rael']", "sweep.toml keep"),
        ("federates.market = 'toy_market:Helples'", "toy_market"),
    ],
)
def test_what_holds_for_all_runs_is_checked_at_once(plan: Make, head: str, said: str) -> None:
    assert said in refusal(lambda: plan(LOAD, head))


def test_an_owner_that_nobody_runs_is_named(plan: Make, base: Path) -> None:
    with (base / "scenario.toml").open("a") as file:
        file.write('[[owner]]\nname = "sun"\n')
    assert refusal(lambda: plan(LOAD)).endswith(
        "sweep.toml federates: says not what runs the owner 'sun' of the base study; "
        "expected sun = 'package.module:Class', as in pv = 'dlmp_cosim.federates.pv:Pv'"
    )


@pytest.mark.parametrize(
    ("key", "value", "absolute"),
    [
        ("feeder.assets", "own.csv", "{home}/own.csv"),
        ("wholesale.files", ["a.csv", "b.csv"], ["{home}/a.csv", "{home}/b.csv"]),
        ("forecast.price", "perfect", "perfect"),
        ("forecast.price", "table.csv", "{home}/table.csv"),
        ("feeder.assets", "", ""),
        ("feeder.load_scale", 0.9, 0.9),
        ("market.model", "own.csv", "own.csv"),
    ],
)
def test_files_are_named_from_the_folder_of_the_sweep(
    tmp_path: Path, key: str, value: Any, absolute: Any
) -> None:
    home = str(tmp_path.resolve())
    expected = [item.format(home=home) for item in absolute] if isinstance(absolute, list) else absolute
    expected = expected.format(home=home) if isinstance(expected, str) else expected
    assert placed(tmp_path / "sweep.toml", key, value) == expected


DRAWN = '[[axis]]\nkey = "feeder.load_scale"\nuniform = [0.9, 1.1]\n'


def test_more_random_draws_belong_to_the_same_sweep(plan: Make) -> None:
    few, many = plan(DRAWN, draws=2), plan(DRAWN, draws=9)
    assert (len(few.design), len(many.design)) == (2, 9)
    assert few.identity() == many.identity()


def test_more_draws_of_a_hypercube_are_another_sweep(plan: Make) -> None:
    cube = 'sampling = "latin_hypercube"'
    assert plan(DRAWN, cube, 2).identity() != plan(DRAWN, cube, 3).identity()


@pytest.mark.parametrize("file", ["scenario.toml", "assets.csv", "toy.dss"])
def test_a_base_that_changed_is_another_sweep(plan: Make, base: Path, file: str) -> None:
    before = plan(LOAD).identity()
    with (base / file).open("a") as stream:
        stream.write("\n! more\n" if file == "toy.dss" else "\n# more\n")
    after = plan(LOAD).identity()
    assert before["sweep"] == after["sweep"]
    assert (before["base"] == after["base"]) == (file == "scenario.toml"), "but for remarks of a scenario"
