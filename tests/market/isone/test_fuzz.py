"""Damaged files: only the reader's own error comes out, and no shifted or shortened series without a mark."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.market.isone import Series, read_series, survey

ROOT = Path(__file__).parents[2] / "cases" / "isone"
DAY_FILES = Path(__file__).parents[3] / "configs" / "ieee123_day" / "data"
SAMPLES = sorted(
    path
    for folder in (ROOT, DAY_FILES)
    for path in folder.rglob("*")
    if path.suffix in {".csv", ".json", ".txt"}
)
SAMPLES = [path for path in SAMPLES if path.name != "cases.json"]
ALPHABET = b'0123456789,"-.:\n/T CHDXeE_;<{['
LARGEST = 6000

quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@cache
def sample(path: Path) -> bytes:
    """Return a sample, cut at a line end when it is long."""
    data = path.read_bytes()
    return data if len(data) <= LARGEST else data[: data.index(b"\n", LARGEST) + 1]


@cache
def undamaged(file: Path, path: Path) -> tuple[Series, ...]:
    """Series of a sample where it will be damaged; none where the reader takes it for none."""
    file.write_bytes(sample(path))
    try:
        return survey(file).series
    except InputError:
        return ()


def marks(series: tuple[Series, ...]) -> list[object]:
    """Everything that tells a reader of the series that something is odd."""
    return [
        (
            one.quantity,
            one.location_id,
            one.market,
            len(one),
            one.gaps,
            one.duplicates,
            one.warnings,
            one.derived,
        )
        for one in series
    ]


def refusal(path: Path) -> str:
    """Return the reader's error, or the path when it takes the file."""
    try:
        survey(path)
    except InputError as error:
        return str(error)
    return str(path)


def cut(data: bytes, at: int, _: bytes) -> bytes:
    return data[:at]


def drop(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + data[at + len(new) :]


def overwrite(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


def insert(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at:]


def repeat(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + data[at : at + 10 * len(new)] + data[at:]


@pytest.mark.parametrize("path", SAMPLES, ids=[path.name for path in SAMPLES])
@quick
@given(
    change=st.sampled_from([cut, drop, overwrite, insert, repeat]),
    place=st.floats(0, 1, exclude_max=True),
    new=st.one_of(
        st.binary(min_size=1, max_size=3),
        st.lists(st.sampled_from(ALPHABET), min_size=1, max_size=6).map(bytes),
    ),
)
def test_damaged_samples(
    tmp_path: Path, path: Path, change: Callable[[bytes, int, bytes], bytes], place: float, new: bytes
) -> None:
    folder = tmp_path / path.parent.name
    folder.mkdir(exist_ok=True)
    file = folder / path.name
    data, before = sample(path), undamaged(file, path)
    file.write_bytes(change(data, int(place * len(data)), new))
    try:
        after = survey(file).series
    except InputError:
        return
    if marks(after) == marks(before):
        for one, other in zip(after, before, strict=True):
            assert one.start.tobytes() == other.start.tobytes()


@quick
@given(data=st.binary(max_size=400))
def test_any_bytes(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "any"
    file.write_bytes(data)
    assert str(file) in refusal(file)


text = st.text(st.sampled_from('0123456789,"-.:\n/ TCHDlmp'), max_size=200)


@quick
@given(
    head=st.sampled_from(['"C","x"\n', '"H","Date","LMP"\n', "time,price\n", "[", '{"a":[', "08252020 1"]),
    body=text,
)
def test_any_text_after_a_plausible_start(tmp_path: Path, head: str, body: str) -> None:
    file = tmp_path / "any"
    file.write_text(head + body)
    assert str(file) in refusal(file)


@pytest.mark.parametrize(
    "path",
    [path for path in SAMPLES if path.suffix == ".csv" and path.read_bytes()[:2] in (b'"C', b"C,")],
    ids=lambda path: path.name,
)
def test_cutting_a_report_anywhere_is_an_error_or_recorded(tmp_path: Path, path: Path) -> None:
    data = path.read_bytes()
    file = tmp_path / path.name
    for at in range(1, len(data), max(1, len(data) // 150)):
        file.write_bytes(data[:at])
        try:
            found = survey(file)
        except InputError:
            continue
        assert all(note.warnings for note in found.files), at


def test_location_filter_while_reading_changes_nothing() -> None:
    """Rows kept by the quick filter are those a full read gives, for every located sample."""
    for path in SAMPLES:
        try:
            found = survey(path)
        except InputError:
            continue
        for one in found.series:
            if one.location_id:
                alone = read_series(path, quantity=one.quantity, location=one.location_id, market=one.market)
                assert alone.values.tobytes() == one.values.tobytes()
                assert alone.start.tobytes() == one.start.tobytes()
