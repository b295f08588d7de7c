from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from toys import CONFIGS, make_study

from dlmp_cosim.federates.runtime.ports import PORT_VARIABLE, broker_port, check_ports, reserve_block
from dlmp_cosim.federates.study.checked_file import read_json, read_toml, validate
from dlmp_cosim.federates.study.scenario import MarketSection, Scenario, load_scenario
from dlmp_cosim.federates.study.study import RESULTS_VARIABLE, load_study
from dlmp_cosim.feeders.errors import FederationError, InputError
from dlmp_cosim.market.baselines.uniform import UniformMarket
from dlmp_cosim.market.models import MODELS, check_model, find_model
from dlmp_cosim.market.settings import MarketSettings


def test_the_shipped_scenario_says_what_it_means() -> None:
    scenario = load_scenario(CONFIGS / "scenario.toml")
    assert scenario.time.start_utc == 1_598_328_000, "midnight in New York is 04:00 UTC in August"
    assert scenario.clock.end == 86_400.0


def test_what_a_scenario_leaves_out_is_the_markets_default() -> None:
    assert MarketSection().settings == MarketSettings()


def test_a_scenario_cannot_be_changed_after_reading() -> None:
    scenario = load_scenario(CONFIGS / "scenario.toml")
    with pytest.raises(ValueError, match="frozen"):
        scenario.time.intervals = 3


@pytest.mark.parametrize("name", [*MODELS, "dlmp_cosim.market.baselines.uniform:UniformMarket"])
def test_every_market_model_is_found(name: str) -> None:
    check_model(name, where="here")
    assert callable(find_model(name, where="here"))


@pytest.mark.parametrize("name", ["dlmp_cosim.market.baselines.uniform:NoMarket", "nowhere:Market"])
def test_a_market_model_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="cannot be loaded"):
        check_model(name, where="here")


def test_a_model_of_ones_own_needs_no_entry() -> None:
    assert find_model("dlmp_cosim.market.baselines.uniform:UniformMarket", where="here") is UniformMarket
    settings = MarketSection(model="dlmp_cosim.market.baselines.uniform:UniformMarket").settings
    assert settings == MarketSettings(model="dlmp_cosim.market.baselines.uniform:UniformMarket")


@given(st.text(max_size=300))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_is_more_than_an_input_error(tmp_path: Path, text: str) -> None:
    file = tmp_path / "scenario.toml"
    file.write_text(text, encoding="utf-8", newline="")
    with pytest.raises(InputError, match=r"scenario\.toml"):
        load_scenario(file)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(["study", "time", "feeder", "wholesale", "market", "results", "owner"]), JSON)
def test_any_table_of_the_scenario_may_be_anything(table: str, value: Any) -> None:
    scenario: dict[str, Any] = read_toml(CONFIGS / "scenario.toml")
    scenario[table] = value
    said = ""
    try:
        validate(Scenario, scenario, Path("s.toml"))
    except InputError as error:
        said = str(error)
    assert not said or said.startswith("s.toml ")


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"\xff\xfe", "cannot be read"), (b"{", "not JSON"), (b'{"a": 1, "a": 2}', "key 'a' is given twice")],
)
def test_json_that_is_damaged_is_one_clear_error(tmp_path: Path, content: bytes, says: str) -> None:
    file = tmp_path / "feeder.json"
    file.write_bytes(content)
    with pytest.raises(InputError, match=says):
        read_json(file)


def test_a_missing_file_names_its_neighbour(tmp_path: Path) -> None:
    (tmp_path / "feeder.json").write_text("{}")
    with pytest.raises(InputError, match=r"no such file; did you mean 'feeder.json'"):
        read_json(tmp_path / "feedr.json")
    with pytest.raises(InputError, match="no such file"):
        read_json(tmp_path / "nowhere" / "feeder.json")


def test_results_go_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = load_study(make_study(tmp_path / "study"))
    assert study.results_file == tmp_path / "out" / "results.h5"
    assert study.run_folder == tmp_path / "out" / "results.run"
    monkeypatch.setenv(RESULTS_VARIABLE, str(tmp_path / "other"))
    assert study.results_file == tmp_path / "other" / "results.h5"


def test_a_network_file_brings_its_own_resources(tmp_path: Path) -> None:
    folder = make_study(tmp_path / "study")
    scenario = folder / "scenario.toml"
    scenario.write_text(scenario.read_text().replace('assets = "assets.csv"', ""))
    study = load_study(folder)
    assert (study.network.resources, study.terms) == ((), ())
    assert "toy.dss" in study.input_hashes()


def test_a_configuration_of_another_federate_is_refused(tmp_path: Path) -> None:
    folder = make_study(tmp_path / "study")
    (folder / "feeder.json").write_text((folder / "assets.json").read_text())
    with pytest.raises(InputError, match="the federate is called 'assets'; expected 'feeder'"):
        load_study(folder).config("feeder")


def test_the_port_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PORT_VARIABLE, raising=False)
    assert broker_port() == 23404
    monkeypatch.setenv(PORT_VARIABLE, "25000")
    assert broker_port() == 25000
    for wrong in ("seven", "0", "70000", "-1"):
        monkeypatch.setenv(PORT_VARIABLE, wrong)
        with pytest.raises(InputError, match="is no port"):
            broker_port()


def test_blocks_of_ports_are_not_given_twice() -> None:
    blocks = [reserve_block() for _ in range(5)]
    ports = [port for port, _ in blocks]
    assert len(set(ports)) == 5
    for port, guard in blocks:
        check_ports(port)
        guard.close()


def test_a_block_is_not_used_again_at_once() -> None:
    first, guard = reserve_block()
    guard.close()
    second, guard = reserve_block()
    guard.close()
    assert first != second


def test_a_taken_port_is_named() -> None:
    port, guard = reserve_block()
    with guard, pytest.raises(FederationError, match=f"port {port + 3} is in use"):
        check_ports(port + 3)
