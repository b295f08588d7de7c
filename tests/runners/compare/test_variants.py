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
        ("base = ", "not TOML: "),
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
    with pytest.raises(InputError, match="no such file"):
        read_cases(tmp_path / "none.toml")


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_byte_order_mark_is_no_part_of_a_cases_file(tmp_path: Path, mark: bytes) -> None:
    file = tmp_path / "cases.toml"
    file.write_bytes(mark + f'base = "{CASES.parents[1] / "ieee123_day"}"\n'.encode())
    assert [variant.names for variant in read_cases(file)[1]] == [()]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\xff\xfeb\x00", "cannot be read"),
        (b"a = " + b"[" * 5000, "not TOML that can be read"),
        (b"a = " + b"9" * 5000, "not TOML that can be read"),
        (b"base = 3\n", "names no base study"),
        (b'base = "DAY"\nmarket = 3\n', "market: is no list of tables; expected [[market]]"),
        (b'base = "DAY"\nmarket = ["none"]\n', "market: is no list of tables; expected [[market]]"),
        (b'base = "DAY"\n[market]\nname = "a"\n', "market: is no list of tables; expected [[market]]"),
        (
            b'base = "DAY"\n[[market]]\nname = "a"\ntitle = 3\n',
            "market[0].title: has no title; expected a text",
        ),
    ],
)
def test_a_cases_file_of_another_shape_is_one_clear_error(tmp_path: Path, content: bytes, says: str) -> None:
    file = tmp_path / "cases.toml"
    file.write_bytes(content.replace(b"DAY", str(CASES.parents[1] / "ieee123_day").encode()))
    with pytest.raises(InputError) as caught:
        read_cases(file)
    assert str(caught.value).startswith(str(file))
    assert says in str(caught.value)


@pytest.mark.parametrize("key", ["market", "owner.pv", "time."])
def test_an_override_leads_to_a_key_of_a_table(tmp_path: Path, key: str) -> None:
    base, _ = read_cases(CASES)
    study = base.folder.parent / "ieee123_battery"
    file = tmp_path / "cases.toml"
    file.write_text(f'base = "{study}"\n[[market]]\nname = "a"\ntitle = "A"\n"{key}" = 1\n')
    found, (variant,) = read_cases(file)
    with pytest.raises(InputError) as caught:
        write_variant(found, variant, tmp_path, tmp_path / "a")
    assert str(caught.value) == f"a: {key!r} is no key; expected table.key of the scenario"
