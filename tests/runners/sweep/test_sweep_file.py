"""Sweep files: what they may say, and one clear error for what they may not."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.runners.sweep.plan import load_plan
from dlmp_cosim.runners.sweep.sweep_file import flat, load_sweep

CONFIGS = Path(__file__).parents[3] / "configs"
HEAD = f'name = "s"\nbase = "{CONFIGS / "ieee123_day"}"\n'
LOAD = '[[axis]]\nkey = "feeder.load_scale"\nvalues = [0.9, 1.0]\n'


def write(folder: Path, text: str) -> Path:
    file = folder / "sweep.toml"
    file.write_text(text)
    return file


@pytest.mark.parametrize("file", sorted((CONFIGS / "sweeps").glob("*.toml")), ids=lambda path: path.stem)
def test_shipped_sweeps_can_be_read(file: Path) -> None:
    plan = load_plan(file, draws=1 if load_sweep(file).draws == 1 else 2)
    job = plan.job(len(plan.design) - 1)
    assert job.number == len(plan.design) - 1
    assert any(name.endswith("scenario.toml") for name in job.pack.files)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (LOAD + "uniform = [0, 1]\n", "values and uniform"),
        ('[[axis]]\nkey = "feeder.load_scale"\n', "no values; expected one of values, cases, dates"),
        (LOAD.replace("values", "valeus"), "did you mean 'values'?"),
        ('[[axis]]\nkey = "feeder.load_scale"\nuniform = [1.2, 0.9]\n', "wrong way round"),
        (LOAD + LOAD, "two axes are called feeder.load_scale"),
        ("draws = 5\n" + LOAD, "no axis is drawn"),
        ("[[axis]]\nvalues = [1]\n", "neither key nor name"),
        (LOAD.replace("0.9", '"a"') + 'how = "scale"\n', "a is nothing to scale by; expected numbers"),
        (LOAD.replace("0.9", "true") + 'how = "scale"\n', "True is nothing to scale by; expected numbers"),
        ('[[axis]]\nkey = "assets.kw_max"\nhow = "total"\nvalues = ["a"]\n', "a is nothing to total by"),
        ('[[axis]]\nkey = "assets"\nhow = "keep"\nchoice = ["a"]\n', "a is nothing to keep by"),
        (
            '[[axis]]\nname = "c"\nhow = "scale"\ncases = [{ name = "a", market.tolerance = "2" }]\n',
            "2 is nothing to scale by",
        ),
        (
            '[[axis]]\nkey = "time.start"\nhow = "scale"\ndates = { first = 2020-08-25, last = 2020-08-25 }',
            "2020-08-25 is nothing to scale by",
        ),
        (LOAD + 'name = "draw"\n', "axis: the summary has a column 'draw' already; expected another name"),
        (LOAD + 'name = "violations"\n', "axis: the summary has a column 'violations' already"),
        (
            'combine = "list"\n' + LOAD + '[[axis]]\nkey = "study.seed"\nvalues = [1, 2, 3]\n',
            "[2, 3] entries",
        ),
        (LOAD + "each = true\n", "are for rows of assets"),
        ('[[axis]]\nkey = "assets"\nvalues = [1]\n', "does not go with set"),
        ('[[axis]]\nkey = "assets.kw_max"\neach = true\nvalues = [1]\n', "needs a distribution"),
        ('[[axis]]\nname = "m"\ncases = [{ market.model = "none" }]\n', "cases have no name"),
        ('[[axis]]\nkey = "time.start"\ndates = { first = 2020-08-26, last = 2020-08-25 }', "before first"),
        ('keep = ["market/dlmp_rael"]\n' + LOAD, "did you mean 'market/dlmp_real'?"),
        ('keep = ["market/dlmp_real:avg"]\n' + LOAD, "unknown reduction 'avg'"),
        (LOAD.replace("load_scale", "load_scael"), "did you mean 'load_scale'?"),
        (LOAD.replace("feeder.", "feedr."), "did you mean 'feeder'?"),
        (LOAD.replace("feeder.load_scale", "load_scale"), "expected table.key"),
        (LOAD.replace("0.9, 1.0", "0.9, -1.0"), "feeder.load_scale: -1.0 cannot be used"),
        ('[[axis]]\nkey = "feeder.load_scale"\nuniform = [-1, 0]\n', "run 0 (feeder.load_scale = -"),
        ('[fixed]\nmarket.metod = "pac"\n' + LOAD, "did you mean 'method'?"),
        ('[[axis]]\nkey = "assets.kw_mx"\nvalues = [1]\n', "did you mean 'kw_max'?"),
        (
            '[[axis]]\nkey = "assets.kw_max"\nwhere = { kind = "gen*" }\nhow = "scale"\nvalues = [2.0]\n',
            "kva_max: 240 is too small; expected at least 480",
        ),
        ('[[axis]]\nkey = "assets.kw_max"\nwhere = { resource = "pv_*" }\nvalues = [1]\n', "no row"),
        ('[[axis]]\nkey = "assets"\nhow = "keep"\nvalues = [1.5]\n', "1.5 is no share"),
        ('[[axis]]\nkey = "study.name"\nhow = "scale"\nvalues = [1.5]\n', "expected a number there to scale"),
    ],
)
def test_what_is_wrong_is_said_before_anything_starts(tmp_path: Path, text: str, says: str) -> None:
    file = write(tmp_path, HEAD + text)
    with pytest.raises(InputError) as caught:
        load_plan(file).check()
    assert says in str(caught.value)
    assert "sweep.toml" in str(caught.value)


def test_an_owner_needs_a_class(tmp_path: Path) -> None:
    text = HEAD.replace("ieee123_day", "ieee123_pv") + LOAD
    with pytest.raises(InputError, match="what runs the owner 'pv'"):
        load_plan(write(tmp_path, text))
    with pytest.raises(InputError, match="cannot be loaded"):
        load_plan(write(tmp_path, text + '[federates]\npv = "dlmp_cosim.federates.pv:Pw"\n'))
    plan = load_plan(write(tmp_path, text + '[federates]\npv = "dlmp_cosim.federates.pv:Pv"\n'))
    assert plan.job(0).federates["pv"] == "dlmp_cosim.federates.pv:Pv"


def test_keys_may_be_nested_or_dotted() -> None:
    assert flat({"a": {"b": {"c": 1}}, "d.e": 2}) == {"a.b.c": 1, "d.e": 2}
