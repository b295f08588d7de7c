"""The output folder: whole lines, whole files, one sweep, one writer."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pyarrow.parquet
import pytest

from dlmp_cosim.feeders.errors import InputError, ResultsError
from dlmp_cosim.runners.sweep import folder as module
from dlmp_cosim.runners.sweep.design import Design
from dlmp_cosim.runners.sweep.folder import IDENTITY, JOURNAL, Folder, kept_file, open_folder
from dlmp_cosim.runners.sweep.job import Outcome
from dlmp_cosim.runners.sweep.sweep_file import SweepFile

IDENTITY_OF_ONE = {"sweep": {"seed": 1, "axis": [{"key": "a"}]}, "base": {"x": "1"}}
DESIGN = Design(
    SweepFile.model_validate(
        {"name": "s", "base": "b", "axis": [{"key": "feeder.load_scale", "values": [1.0, 1.5, 2.0]}]}
    )
)


def test_what_is_recorded_is_there_again(tmp_path: Path) -> None:
    with open_folder(tmp_path, IDENTITY_OF_ONE) as folder:
        folder.record(Outcome(1, {"violations": 3, "cost": 0.1 + 0.2}, {"results": b"h5"}, seconds=2.0))
        folder.record(Outcome(0, error="broke", trace="long"))
    with open_folder(tmp_path, IDENTITY_OF_ONE) as folder:
        assert sorted(folder.done) == [0, 1]
        assert folder.done[1]["row"] == {"violations": 3, "cost": 0.1 + 0.2}
        path = folder.write_summary(DESIGN)
    table = pyarrow.parquet.read_table(path)
    assert table["run"].to_pylist() == [0, 1]
    assert table["status"].to_pylist() == ["failed", "finished"]
    assert table["error"].to_pylist() == ["broke", None]
    assert table["feeder.load_scale"].to_pylist() == [1.0, 1.5]
    assert table["cost"].to_pylist() == [None, 0.1 + 0.2]
    assert table.schema.field("cost").metadata[b"unit"] == b"$"
    assert (tmp_path / kept_file("results", 1)).read_bytes() == b"h5"


def test_the_order_of_arrival_leaves_no_trace(tmp_path: Path) -> None:
    written = []
    for name, order in (("a", (0, 1, 2)), ("b", (2, 0, 1))):
        with open_folder(tmp_path / name, IDENTITY_OF_ONE) as folder:
            for number in order:
                folder.record(Outcome(number, {"violations": number}, seconds=float(number)))
            written.append(folder.write_summary(DESIGN).read_bytes())
    assert written[0] == written[1]


def test_a_line_cut_short_is_a_run_to_do_again(tmp_path: Path) -> None:
    with open_folder(tmp_path, IDENTITY_OF_ONE) as folder:
        folder.record(Outcome(0, {"violations": 1}))
    with (tmp_path / JOURNAL).open("a") as file:
        file.write('{"run": 1, "stat')
    with open_folder(tmp_path, IDENTITY_OF_ONE) as folder:
        assert list(folder.done) == [0]
        folder.record(Outcome(1, {"violations": 2}))
    assert [json.loads(line)["run"] for line in (tmp_path / JOURNAL).read_text().splitlines()] == [0, 1]


def test_another_sweep_is_told_where_it_differs(tmp_path: Path) -> None:
    with open_folder(tmp_path, IDENTITY_OF_ONE):
        pass
    other = json.loads(json.dumps(IDENTITY_OF_ONE))
    other["sweep"]["axis"][0]["key"] = "b"
    says = r'another sweep: sweep.axis.0.key is "a" there and "b" here'
    with pytest.raises(InputError, match=says), open_folder(tmp_path, other):
        pass


def test_a_folder_with_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(InputError, match="holds something else"), open_folder(tmp_path, IDENTITY_OF_ONE):
        pass
    assert not (tmp_path / IDENTITY).exists()


def test_two_commands_cannot_write_one_folder(tmp_path: Path) -> None:
    with (
        open_folder(tmp_path, IDENTITY_OF_ONE),
        pytest.raises(ResultsError, match="another command"),
        open_folder(tmp_path, IDENTITY_OF_ONE),
    ):
        pass


def test_what_goes_wrong_among_workers_is_no_fault_of_the_journal(tmp_path: Path) -> None:
    with pytest.raises(TimeoutError, match="no answer"), open_folder(tmp_path, IDENTITY_OF_ONE):
        raise TimeoutError("no answer")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_journal_that_cannot_be_closed_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_folder(tmp_path, IDENTITY_OF_ONE):
        pass
    (tmp_path / JOURNAL).unlink()
    (tmp_path / JOURNAL).symlink_to("/dev/full")
    # What is read there never ends.
    monkeypatch.setattr(module, "_read", lambda _: {})
    says = "runs.jsonl: cannot be written: No space left on device"
    with pytest.raises(ResultsError, match=says), open_folder(tmp_path, IDENTITY_OF_ONE) as folder:
        folder.journal.write("{}")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_one_clear_error(tmp_path: Path) -> None:
    full = Path("/dev/full").open("w")  # noqa: SIM115 - what cannot be written cannot be closed either
    folder = Folder(tmp_path, {}, full)
    with pytest.raises(ResultsError, match="No space left on device; 0 runs are kept"):
        folder.record(Outcome(1, {"violations": 1}))
    assert not folder.done
    with contextlib.suppress(OSError):
        full.close()
