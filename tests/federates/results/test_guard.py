"""Files that nobody of ours wrote: each is refused in words, at once, without following it anywhere."""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from toys import PYTHONPATH, environment, toy_network

from dlmp_cosim.federates.contract.topics import Topic
from dlmp_cosim.federates.results import guard
from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.federates.results.store import create_results
from dlmp_cosim.federates.runtime.clock import Clock
from dlmp_cosim.feeders.errors import InputError, ResultsError
from dlmp_cosim.feeders.readers.network_json import network_to_json

KEY, TEXT = "feeder/voltage_magnitude", "market/clearing"
TOPICS = (
    Topic(KEY, "vector", "pu", "node", "voltage"),
    Topic(TEXT, "string", "", "", "record"),
)
INTERVALS = 6


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A packed file that holds all that a reader asks for."""
    path = tmp_path_factory.mktemp("sound") / "results.h5"
    network = toy_network()
    constant = {"network": network_to_json(network)}
    manifest = json.dumps({"scenario": {"study": {"name": "toy"}}})
    clock = Clock(1_598_328_000, 300, INTERVALS)
    writer = create_results(path, network, clock, TOPICS, constant=constant, manifest=manifest)
    for k in range(INTERVALS):
        text = json.dumps({"interval": k, "text": "x" * 40_000 * (k == 3)})
        writer.append({KEY: np.full(6, float(k)), TEXT: text})
    writer.close()
    return path


@pytest.fixture
def copied(sound: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copy(sound, tmp_path / "results.h5"))


def read_everything(path: Path) -> None:
    """Read all that the commands read."""
    with Results(path) as results:
        assert results.complete
        assert len(results.time) == results.intervals
        assert results.scenario["study"]["name"] == "toy"
        assert results.network == toy_network()
        assert results.ids(KEY) == toy_network().node_ids
        assert results.values(KEY).shape == (INTERVALS, 6)
        assert [record["interval"] for record in results.records(TEXT)] == list(range(INTERVALS))


def replaced(key: str, make: Callable[[h5py.File], None]) -> Callable[[h5py.File], None]:
    """Put something else in a dataset's place."""

    def spoil(file: h5py.File) -> None:
        del file[key]
        make(file)

    return spoil


def texts_of_any_length(file: h5py.File) -> None:
    file.create_dataset(TEXT, data=["{}"] * INTERVALS, dtype=h5py.string_dtype())


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout(shape=(INTERVALS, 6), dtype="f8")
    layout[:] = h5py.VirtualSource("/etc/passwd", KEY, shape=(INTERVALS, 6))
    file.create_virtual_dataset(KEY, layout)


def huge_chunk(file: h5py.File) -> None:
    settings = {"chunks": (INTERVALS, 2**24), "compression": "gzip"}
    file.create_dataset(KEY, shape=(INTERVALS, 2**24), dtype="f8", **settings)


def long_place(first: int, last: int) -> Callable[[h5py.File], None]:
    row = f"\x1along_texts[{first}:{last}]".encode()
    return made(TEXT, data=np.array([row] * INTERVALS))


def other_count(count: int) -> Callable[[h5py.File], None]:
    def spoil(file: h5py.File) -> None:
        file["intervals_finished"][()] = count

    return spoil


def linked(link: object) -> Callable[[h5py.File], None]:
    return replaced(KEY, lambda file: file.__setitem__(KEY, link))


def made(key: str, **how: object) -> Callable[[h5py.File], None]:
    return replaced(key, lambda file: file.create_dataset(key, **how))


SPOILS: dict[str, tuple[Callable[[h5py.File], None], str]] = {
    "external file": (linked(h5py.ExternalLink("/etc/passwd", "x")), "holds no"),
    "soft link": (linked(h5py.SoftLink("/nowhere")), "holds no"),
    "group": (replaced(KEY, lambda file: file.create_group(KEY)), "is no dataset"),
    "raw file": (
        made(KEY, shape=(INTERVALS, 6), dtype="f8", external=[("/etc/passwd", 0, 2**20)]),
        "lies in another file",
    ),
    "virtual": (replaced(KEY, virtual), "lies in another file"),
    "terabytes": (made(KEY, shape=(INTERVALS, 2**38), dtype="f8", chunks=(1, 1024)), "is not read beyond"),
    "gigabyte chunks": (replaced(KEY, huge_chunk), "chunks of more than 64 MB"),
    "texts for numbers": (made(KEY, data=np.array([b"a"] * INTERVALS)), "rows of numbers"),
    "numbers for texts": (made(TEXT, data=np.zeros(INTERVALS)), "expected 6 texts"),
    "texts of any length": (replaced(TEXT, texts_of_any_length), "texts of a fixed length"),
    "complex": (made(KEY, data=np.zeros((INTERVALS, 6), dtype=complex)), "neither numbers nor texts"),
    "too few rows": (made(KEY, data=np.zeros((2, 6))), "expected at least 6 rows"),
    "a text for the count": (made("intervals_finished", data=np.bytes_(b"six")), "no whole number"),
    "more intervals than there are": (other_count(INTERVALS + 1), "claims 7 of 6"),
    "fewer than none": (other_count(-1), "claims -1 of 6"),
    "a place beyond the end": (long_place(0, 2**40), "holds no bytes"),
    "a place that runs backwards": (long_place(20, 10), "holds no bytes"),
    "no JSON": (made(TEXT, data=np.array([b"{"] * INTERVALS)), "is not JSON"),
    "no object": (made(TEXT, data=np.array([b"[]"] * INTERVALS)), "is not a JSON object"),
    "deep JSON": (made(TEXT, data=np.array([b"[" * 20_000] * INTERVALS)), "is not JSON"),
    "another manifest": (made("manifest", data=np.bytes_(b"{}")), "lacks 'scenario'"),
    "a network that is none": (made("network", data=np.bytes_(b'{"nodes": 1}')), "network"),
    "ids that are numbers": (made("node", data=np.zeros(6)), "is float64"),
}


@pytest.mark.parametrize("name", SPOILS)
def test_a_file_that_lies_is_refused_at_once(copied: Path, name: str) -> None:
    spoil, reason = SPOILS[name]
    with h5py.File(copied, "r+") as file:
        spoil(file)
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises((ResultsError, InputError), match=reason) as refused:
        read_everything(copied)
    assert time.monotonic() - began < 2.0
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**19, "half a gigabyte"
    assert str(copied) in str(refused.value) or "record of the results" in str(refused.value)


@pytest.mark.parametrize(
    ("key", "inside"),
    [
        *((key, True) for key in ("feeder", KEY, "wide", "wide/x")),
        *(
            (key, False)
            for key in ("", "/", f"/{KEY}", "feeder/", "feeder//x", ".", "./feeder", "..", "nothing")
        ),
        *(
            (key, False)
            for key in (f"{KEY}/x", f"{KEY}/x/y", "soft", "soft/x", "far", "wide/soft", "wide/soft/x")
        ),
    ],
)
def test_a_path_is_inside_by_the_links_of_a_file_alone(copied: Path, key: str, inside: bool) -> None:
    with h5py.File(copied, "r+") as file:
        file["wide/x"] = 1
        file["soft"], file["wide/soft"] = h5py.SoftLink("/wide"), h5py.SoftLink("/wide")
        file["far"] = h5py.ExternalLink(str(copied), "/time")
    found = guard.GuardedFile(copied)
    assert (key in found) == inside
    found.close()


def test_a_sound_file_is_read(sound: Path) -> None:
    read_everything(sound)
    with Results(sound) as results:
        assert len(results.records(TEXT)[3]["text"]) == 40_000


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_file_that_is_cut_short_is_refused(copied: Path, share: float) -> None:
    whole = copied.read_bytes()
    copied.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ResultsError, match="cannot be read as a results file"):
        read_everything(copied)


def test_a_file_of_many_large_claims_is_not_read_to_the_end(
    copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "BUDGET_BYTES", 5_000_000)
    with h5py.File(copied, "r+") as file:
        for name in ("a", "b", "c"):
            file.create_dataset(f"x/{name}", shape=(1, 250_000), dtype="f8", chunks=(1, 1000))
    guarded = guard.GuardedFile(copied)
    for _ in range(3):
        assert guarded.numbers("x/a", 1).size == guarded.numbers("x/b", 1).size == 250_000
    with pytest.raises(ResultsError, match="x/c claims 2 MB; a file of this size is not read beyond 5 MB"):
        guarded.numbers("x/c", 1)
    guarded.close()


# Two seconds of the processor and not of the clock: a machine may be busy.
FUZZ = """
import random, signal, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_guard import read_everything
from dlmp_cosim.feeders.errors import DlmpError
path, whole, chance = Path({path!r}), Path({sound!r}).read_bytes(), random.Random(1)
refused = 0
for _ in range(300):
    spoiled = bytearray(whole)
    for _ in range(chance.choice((1, 2, 8))):
        spoiled[chance.randrange(len(spoiled))] = chance.randrange(256)
    path.write_bytes(spoiled)
    signal.setitimer(signal.ITIMER_PROF, 2)
    try:
        read_everything(path)
    except DlmpError:
        refused += 1
    except AssertionError:
        pass
    signal.setitimer(signal.ITIMER_PROF, 0)
print(refused)
"""


def test_a_file_with_wrong_bytes_is_read_or_refused_and_never_hangs(sound: Path, tmp_path: Path) -> None:
    code = FUZZ.format(tests=str(Path(__file__).parent), path=str(tmp_path / "x.h5"), sound=str(sound))
    command = [sys.executable, "-c", code]
    shown = subprocess.run(
        command, env=environment(PYTHONPATH=PYTHONPATH), capture_output=True, text=True, check=False
    )
    assert shown.returncode == 0, shown.stderr
    assert int(shown.stdout) > 20
