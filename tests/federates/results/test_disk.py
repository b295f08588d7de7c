"""What happens around a results file while a run writes it: a full disk, a folder that goes, another run."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from toys import PYTHONPATH, environment
from written import create, row

from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.feeders.errors import ResultsError

NOBODY = 65_534
SMALL_DISK_KB = 256


def intact(path: Path, finished: int) -> None:
    """Hold every value of the finished intervals to what was written."""
    with Results(path) as results:
        assert results.intervals == finished
        assert results.values("wholesale/lmp").tolist() == [20.0 + k for k in range(finished)]
        assert [record["interval"] for record in results.records("market/clearing")] == list(range(finished))


def other_process(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run some lines that write a file in a folder, in a process of their own."""
    head = f"import os, pathlib\nfrom written import create, row\nfolder = pathlib.Path({str(folder)!r})\n"
    command = [sys.executable, "-B", "-c", head + code]
    variables = environment(PYTHONPATH=PYTHONPATH)
    return subprocess.run(command, env=variables, capture_output=True, text=True, check=False)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 kB; mounting one takes the rights to do so."""
    folder = tmp_path / "disk"
    folder.mkdir()
    prefix = [] if os.geteuid() == 0 else ["sudo", "-n"]
    options = f"size={SMALL_DISK_KB}k,mode=777"
    command = [*prefix, "mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if (
        shutil.which(command[0]) is None
        or subprocess.run(command, capture_output=True, check=False).returncode
    ):
        pytest.skip("may not mount a small disk here; a test with a refused write stands in for it")
    yield folder
    subprocess.run([*prefix, "umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_keeps_what_is_finished(small_disk: Path) -> None:
    path = small_disk / "results.h5"
    writer = create(path, 300)
    finished: list[int] = []

    def fill() -> None:
        for k in range(299):
            writer.append(row(k) | {"market/clearing": f'{{"interval":{k},"text":"{"x" * 9000}"}}'})
            finished.append(k)

    with pytest.raises(ResultsError, match="No space left on device; it keeps"):
        fill()
    writer.close()
    assert len(finished) > 3
    intact(path, len(finished))


def test_a_disk_without_room_for_the_file_is_said_before_the_run(small_disk: Path) -> None:
    with pytest.raises(ResultsError, match=r"results\.h5: cannot be written"):
        create(small_disk / "results.h5", 30_000)
    assert list(small_disk.iterdir()) == []


@pytest.mark.parametrize("refused", range(1, 7))
def test_a_refused_write_keeps_what_is_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: int
) -> None:
    path = tmp_path / "results.h5"
    writer = create(path)
    for k in range(3):
        writer.append(row(k))
    real, left = os.pwrite, [refused]

    def full(handle: int, data: memoryview, offset: int) -> int:
        left[0] -= 1
        if left[0] <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(handle, data[: max(len(data) // 2, 1)], offset)

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(ResultsError, match="No space left on device; it keeps 3 finished intervals"):
        writer.append(row(3))
    monkeypatch.undo()
    writer.close()
    intact(path, 3)


def test_a_folder_that_is_removed_comes_back_with_what_is_finished(tmp_path: Path) -> None:
    path = tmp_path / "out" / "results.h5"
    writer = create(path)
    writer.append(row(0))
    shutil.rmtree(path.parent)
    with pytest.raises(ResultsError, match=f"its 2 finished intervals are saved in {path}"):
        writer.append(row(1))
    writer.close()
    intact(path, 2)


def test_a_file_that_is_replaced_is_saved_beside_the_other(tmp_path: Path) -> None:
    path = tmp_path / "results.h5"
    writer = create(path)
    path.rename(tmp_path / "moved.h5")
    path.write_text("somebody's")
    with pytest.raises(ResultsError, match=r"results\.rescued\.h5"):
        writer.append(row(0))
    writer.close()
    assert path.read_text() == "somebody's"
    intact(tmp_path / "results.rescued.h5", 1)


@pytest.fixture
def anybodys() -> Iterator[Path]:
    """A folder, and anybody's rights: those of root know no read-only folder."""
    user = os.geteuid()
    with tempfile.TemporaryDirectory() as name:
        if user == 0:
            os.chown(name, NOBODY, NOBODY)
            os.seteuid(NOBODY)
        try:
            yield Path(name)
        finally:
            os.seteuid(user)


def test_a_read_only_folder_is_said_before_the_run(anybodys: Path) -> None:
    anybodys.chmod(0o555)
    with pytest.raises(ResultsError, match=r"results\.h5: cannot be written: \[Errno 13\] Permission denied"):
        create(anybodys / "results.h5")


def test_a_folder_that_turns_read_only_keeps_the_whole_run(
    anybodys: Path, caplog: pytest.LogCaptureFixture
) -> None:
    writer = create(anybodys / "results.h5")
    for k in range(5):
        writer.append(row(k))
        anybodys.chmod(0o555)
    writer.close()
    assert "stays as it is, complete and not compressed" in caplog.text
    intact(anybodys / "results.h5", 5)


def test_two_runs_cannot_write_one_file(tmp_path: Path) -> None:
    path = tmp_path / "results.h5"
    writer = create(path)
    writer.append(row(0))
    for code in ("create(folder / 'results.h5')", "os.chdir(folder); create(pathlib.Path('results.h5'))"):
        shown = other_process(code, tmp_path)
        assert "another run is writing this file" in shown.stderr
    for k in range(1, 5):
        writer.append(row(k))
    writer.close()
    intact(path, 5)
    assert other_process("create(folder / 'results.h5').close()", tmp_path).returncode == 0
    assert [item.name for item in tmp_path.iterdir()] == ["results.h5"]


def test_of_many_runs_that_begin_at_once_one_writes(tmp_path: Path) -> None:
    code = f"""
import pathlib, sys
from written import create, row
from dlmp_cosim.feeders.errors import ResultsError
print("ready", flush=True)
sys.stdin.readline()
try:
    writer = create(pathlib.Path({str(tmp_path)!r}) / "results.h5")
except ResultsError:
    print("refused", flush=True)
    sys.exit()
print("writes", flush=True)
sys.stdin.readline()
for k in range(5):
    writer.append(row(k))
writer.close()
"""
    command, variables = [sys.executable, "-c", code], environment(PYTHONPATH=PYTHONPATH)
    runs = [
        subprocess.Popen(command, env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    for run in runs:
        assert run.stdout is not None
        assert run.stdout.readline() == "ready\n"
    for run in runs:
        assert run.stdin is not None
        run.stdin.write("\n")
        run.stdin.flush()
    told = [run.stdout.readline().strip() for run in runs if run.stdout is not None]
    for run in runs:
        run.communicate("\n", timeout=60)
    assert sorted(told) == ["refused", "refused", "refused", "writes"]
    intact(tmp_path / "results.h5", 5)


def test_a_folder_in_the_files_place_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "results.h5").mkdir()
    with pytest.raises(ResultsError, match="cannot be written"):
        create(tmp_path / "results.h5")


def test_holes_are_not_filled_when_a_file_is_put_back(tmp_path: Path) -> None:
    path = tmp_path / "out" / "results.h5"
    writer = create(path, 288)
    size = path.stat().st_size
    shutil.rmtree(path.parent)
    with pytest.raises(ResultsError):
        writer.append(row(0))
    assert path.stat().st_size == size
    assert path.stat().st_blocks * 512 < size / 2
    with Results(path) as results:
        assert np.isfinite(results.values("feeder/voltage_magnitude")).all()
