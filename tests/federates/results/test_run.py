"""Reading a run: what a record lacks, what is no JSON, and what a file claims."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from written import CLOCK, NETWORK, create, row

from dlmp_cosim.federates.results.layout import EXPECTED, FINISHED, create_text
from dlmp_cosim.federates.results.run import Record, Results
from dlmp_cosim.feeders.errors import ResultsError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Two of five intervals of a minute."""
    file = tmp_path / "run.h5"
    writer = create(file)
    for k in range(2):
        writer.append(row(k))
    writer.close()
    return file


@pytest.fixture
def run(path: Path) -> Iterator[Results]:
    with Results(path) as found:
        yield found


def refusal(action: Any) -> str:
    with pytest.raises(ResultsError) as failure:
        action()
    return str(failure.value)


def change(path: Path, name: str, text: str) -> Results:
    """Results whose dataset of one text says something else."""
    with h5py.File(path, "r+") as file:
        if name in file:
            del file[name]
        create_text(file, name, text)
    return Results(path)


def test_what_finished_is_read(run: Results) -> None:
    assert (run.intervals, run.expected, run.complete) == (2, 5, False)
    assert run.time.tolist() == [CLOCK.start_utc, CLOCK.start_utc + 60]
    assert run.period_h == pytest.approx(1 / 60)
    assert run.network == NETWORK
    assert run.values("wholesale/lmp").tolist() == [20.0, 21.0]


def test_topics_are_all_that_have_a_row_an_interval(run: Results) -> None:
    assert set(run.keys) == {
        "wholesale/lmp",
        "feeder/voltage_magnitude",
        "feeder/regulator_tap",
        "market/clearing",
    }
    assert "wholesale/lmp" in run
    assert "wholesale/nothing" not in run


def test_ids_are_those_of_the_second_axis(run: Results) -> None:
    assert run.ids("feeder/voltage_magnitude") == NETWORK.node_ids
    assert run.ids("wholesale/lmp") == run.ids("no/topic") == ()


def test_records_are_parsed(run: Results) -> None:
    assert run.records("market/clearing") == [{"interval": 0, "why": ""}, {"interval": 1, "why": "é"}]


def test_what_a_record_lacks_is_an_error_of_the_file(run: Results) -> None:
    record = run.records("market/clearing")[0]
    assert refusal(lambda: record["intervall"]) == (
        "a record of the results lacks 'intervall'; it has 'interval'"
    )
    assert refusal(lambda: record["zzz"]) == "a record of the results lacks 'zzz'"
    assert record.get("zzz") is None


def test_inner_objects_are_records_too(run: Results) -> None:
    found = run.parse("it", '{"a":[{"b":1}]}')
    assert isinstance(found["a"][0], Record)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "it is not JSON: "),
        ("", "it is not JSON: "),
        ("[1]", "it is not a JSON object"),
        ("1", "it is not a JSON object"),
        ("[" * 99_999, "it is not JSON: "),
    ],
    ids=["cut", "empty", "a list", "a number", "deep"],
)
def test_a_text_that_is_no_object_is_named(run: Results, text: str, said: str) -> None:
    assert refusal(lambda: run.parse("it", text)).startswith(f"{run.path}: {said}")


def test_a_text_that_is_not_utf_8_is_named(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["market/clearing"][1] = b"\xff\xfe"
    with Results(path) as run:
        assert refusal(lambda: run.texts("market/clearing")) == f"{path}: market/clearing is not UTF-8"


def test_a_manifest_says_which_scenario_it_was(path: Path) -> None:
    with change(path, "manifest", '{"scenario":{"study":{"name":"x"}}}') as run:
        assert run.scenario["study"]["name"] == "x"
        assert run.scenario.get("market") is None


def test_a_substations_file_sends_to_those_of_its_feeders(path: Path) -> None:
    text = '{"scenario":{"feeders":[{"name":"north"},{"name":"south"}]}}'
    with change(path, "manifest", text) as run:
        assert refusal(lambda: run.scenario["market"]) == (
            f"{path}: holds the results of a substation; expected those of one of its feeders, which lie "
            "beside it: north.h5, south.h5"
        )
        assert run.scenario["feeders"][0]["name"] == "north"


@pytest.mark.parametrize(("finished", "expected"), [(6, 5), (-1, 5)])
def test_more_than_there_can_be_is_a_lie(path: Path, finished: int, expected: int) -> None:
    with h5py.File(path, "r+") as file:
        file[FINISHED][()] = np.int64(finished)
        file.attrs[EXPECTED] = expected
    assert refusal(lambda: Results(path)) == f"{path}: claims {finished} of {expected} intervals"


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert refusal(lambda: Results(tmp_path / "x.h5")) == f"{tmp_path / 'x.h5'}: there is no such file"


def test_intervals_are_those_of_the_moment_that_they_were_asked_for(tmp_path: Path) -> None:
    """A run may go on: what is read together has one length."""
    path = tmp_path / "run.h5"
    writer = create(path)
    writer.append(row(0))
    with Results(path) as run:
        assert len(run.values("wholesale/lmp")) == 1
        writer.append(row(1))
        assert len(run.values("wholesale/lmp")) == len(run.time) == 1
    with Results(path) as run:
        assert run.intervals == 2
    writer.close()
