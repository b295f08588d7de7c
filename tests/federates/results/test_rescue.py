"""A results file whose name is gone: where it goes, and that its holes stay holes."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dlmp_cosim.federates.results import rescue as module
from dlmp_cosim.federates.results.rescue import put_back

WHAT = "was removed or replaced while the run was writing it"


@pytest.fixture
def handle(tmp_path: Path) -> Iterator[int]:
    """An open file without a name."""
    path = tmp_path / "gone"
    path.write_bytes(b"whole of it")
    number = os.open(path, os.O_RDWR)
    path.unlink()
    yield number
    os.close(number)


def test_it_stands_again_where_it_stood(handle: int, tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    said = put_back(handle, path, 3)
    assert said == f"{path}: {WHAT}; its 3 finished intervals are saved in {path}"
    assert path.read_bytes() == b"whole of it"


def test_a_folder_that_went_with_it_is_made_again(handle: int, tmp_path: Path) -> None:
    path = tmp_path / "away" / "results" / "run.h5"
    put_back(handle, path, 1)
    assert path.read_bytes() == b"whole of it"


def test_what_took_its_place_is_left_alone(handle: int, tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    path.write_text("another's")
    said = put_back(handle, path, 2)
    assert said.endswith(f"are saved in {tmp_path / 'run.rescued.h5'}")
    assert path.read_text() == "another's"
    assert (tmp_path / "run.rescued.h5").read_bytes() == b"whole of it"


def test_what_was_rescued_before_is_left_alone_too(handle: int, tmp_path: Path) -> None:
    path, before = tmp_path / "run.h5", tmp_path / "run.rescued.h5"
    path.write_text("another's")
    before.write_text("rescued before")
    said = put_back(handle, path, 2)
    assert f"{WHAT}, and its 2 finished intervals cannot be saved: " in said
    assert "File exists" in said
    assert before.read_text() == "rescued before"


def test_a_place_that_cannot_be_written_is_said(handle: int, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = put_back(handle, tmp_path / "file" / "run.h5", 4)
    assert "its 4 finished intervals cannot be saved" in said


def test_a_disk_without_holes_is_copied_whole(
    handle: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: int) -> int:
        raise OSError(errno.EINVAL, "holes are not known here")

    monkeypatch.setattr(os, "lseek", refuse)
    assert "cannot be saved: [Errno 22]" in put_back(handle, tmp_path / "run.h5", 1)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(0, 40), st.binary(min_size=1, max_size=9)), max_size=5),
    st.integers(0, 45),
)
def test_any_file_with_holes_comes_back(tmp_path: Path, pieces: list[tuple[int, bytes]], length: int) -> None:
    """Pieces at any block, and a hole at the end."""
    source, target = tmp_path / "source", tmp_path / "target"
    with source.open("w+b") as file, target.open("w+b") as copy:
        for block, data in pieces:
            os.pwrite(file.fileno(), data, 4096 * block)
        os.ftruncate(file.fileno(), 4096 * length)
        module._copy_sparse(file.fileno(), copy.fileno())
    assert target.read_bytes() == source.read_bytes()
