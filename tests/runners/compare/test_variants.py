"""Variants of a study: their names, what they change, and what a wrong cases file says."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.runners.compare.variants import read_cases, write_variant

CASES = Path(__file__).parents[3] / "configs" / "comparison" / "cases.toml"


def test_the_comparison_has_30_variants_with_names_of_their_own() -> None:
    _, variants = read_cases(CASES)
    assert len({variant.name for variant in variants}) == 30
    assert variants[0].name == "day_regulators_none"
    assert variants[-1].titles[-1] == "nodal, settled together with controls"


def test_a_variant_is_a_study_with_its_own_data(tmp_path: Path) -> None:
    base, variants = read_cases(CASES)
    export = next(variant for variant in variants if variant.name == "export_neutral_balanced")
    study = write_variant(base, export, CASES.parent, tmp_path / export.name)
    assert study.name == "export_neutral_balanced"
    assert study.scenario.market.model == "branch_flow"
    assert study.scenario.feeder.load_scale == 0.4
    assert study.scenario.feeder.regulators == "neutral"
    assert study.results_file == tmp_path / export.name / "results.h5"
    nameplate = sum(r.kw_max for r in study.network.resources if r.kind == "generator")
    assert nameplate == pytest.approx(1.6 * 2443)
    for name in study.scenario.wholesale.files:
        assert study.data_file(name).is_file()
    assert study.config("market").name == "market"


def test_a_variant_keeps_what_it_does_not_change(tmp_path: Path) -> None:
    base, variants = read_cases(CASES)
    study = write_variant(base, variants[0], CASES.parent, tmp_path / "one")
    assert study.scenario.time == base.scenario.time
    assert study.scenario.wholesale.location == base.scenario.wholesale.location


def test_a_variant_may_set_a_table_and_a_price(tmp_path: Path) -> None:
    base, variants = read_cases(CASES.with_name("carbon.toml"))
    assert [variant.titles[-1] for variant in variants] == ["0 $/t", "20 $/t", "50 $/t", "100 $/t"]
    study = write_variant(base, variants[2], CASES.parent, tmp_path / "fifty")
    assert study.scenario.emissions.price == 50
    assert study.scenario.emissions.own == {"dg_76": 550, "dg_48": 550, "dg_65": 550}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "names no base study"),
        ("base = ", "is no TOML"),
        ('base = "nowhere"', "scenario.toml"),
        (f'base = "{CASES.parents[1] / "ieee123_day"}"\nmarkets = []', "did you mean 'market'"),
        (f'base = "{CASES.parents[1] / "ieee123_day"}"\n[[market]]\nname = "a"', "has no title"),
    ],
)
def test_wrong_cases_files_are_named(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "cases.toml"
    file.write_text(text)
    with pytest.raises(InputError) as caught:
        read_cases(file)
    assert message in str(caught.value)


def test_an_override_of_an_unknown_key_is_named(tmp_path: Path) -> None:
    file = tmp_path / "cases.toml"
    base = CASES.parents[1] / "ieee123_day"
    file.write_text(f'base = "{base}"\n[[market]]\nname = "a"\ntitle = "A"\n"market.modle" = "none"\n')
    study, (variant,) = read_cases(file)
    with pytest.raises(InputError, match="did you mean 'model'"):
        write_variant(study, variant, tmp_path, tmp_path / "a")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_cases(tmp_path / "none.toml")
