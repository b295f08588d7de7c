"""One process at a time writes a results file, and a name that moved on is noticed."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from dlmp_cosim.federates.results.lock import draft_of, held, lock, stands
from dlmp_cosim.feeders.errors import ResultsError


def opened(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT)


def test_a_file_that_was_not_there_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "r.h5"
    with held(path):
        assert path.exists()
    assert not path.exists()


def test_a_file_with_something_in_it_stays(tmp_path: Path) -> None:
    path = tmp_path / "r.h5"
    path.write_bytes(b"data")
    with held(path):
        pass
    assert path.read_bytes() == b"data"


def test_what_took_its_place_stays(tmp_path: Path) -> None:
    path, draft = tmp_path / "r.h5", tmp_path / "draft"
    with held(path):
        draft.write_bytes(b"")
        draft.replace(path)
    assert path.exists()


def test_two_do_not_hold_one_file(tmp_path: Path) -> None:
    path = tmp_path / "r.h5"
    with held(path), pytest.raises(ResultsError) as caught, held(path):
        pass
    assert str(caught.value) == (
        f"{path}: another run is writing this file, which is locked; give the run another folder (-o)"
    )
    with held(path):
        pass


def test_the_lock_is_the_one_that_others_honour(tmp_path: Path) -> None:
    path = tmp_path / "r.h5"
    mine, other = opened(path), opened(path)
    try:
        lock(mine, path)
        with pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(mine)
        os.close(other)


def test_an_error_inside_gives_the_file_free(tmp_path: Path) -> None:
    path = tmp_path / "r.h5"
    with pytest.raises(ValueError, match="inside"), held(path):
        raise ValueError("inside")
    with held(path):
        pass


@pytest.mark.parametrize("change", ["removed", "replaced", "nothing"])
def test_a_name_stands_for_a_file_until_it_moves(tmp_path: Path, change: str) -> None:
    path = tmp_path / "r.h5"
    handle = opened(path)
    try:
        if change == "removed":
            path.unlink()
        elif change == "replaced":
            (tmp_path / "other").touch()
            (tmp_path / "other").replace(path)
        assert stands(handle, path) is (change == "nothing")
    finally:
        os.close(handle)


def test_a_draft_lies_beside_its_file_and_goes(tmp_path: Path) -> None:
    path = tmp_path / "r.h5"
    with draft_of(path) as draft:
        draft.write_bytes(b"half")
        assert (draft.parent, draft.name) == (tmp_path, ".r.h5.new")
    assert list(tmp_path.iterdir()) == []


def test_a_draft_that_took_the_place_stays(tmp_path: Path) -> None:
    path = tmp_path / "r.h5"
    with draft_of(path) as draft:
        draft.write_bytes(b"whole")
        draft.replace(path)
    assert path.read_bytes() == b"whole"
