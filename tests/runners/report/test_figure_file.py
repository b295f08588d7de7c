"""Figures in files: kinds, and the same bytes for the same figure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.runners.report.figure_file import check_figure, new_figure, save_figure, stairs


def drawn(file: Path, values: list[float]) -> bytes:
    figure = new_figure(file, (2.0, 1.0))
    stairs(figure.subplots(), np.array(values), np.arange(len(values) + 1.0), color="black")
    save_figure(figure, file, 40)
    return file.read_bytes()


@pytest.mark.parametrize("kind", ["svg", "pdf", "png"])
def test_equal_figures_have_equal_bytes(tmp_path: Path, kind: str) -> None:
    one, other = (drawn(tmp_path / f"{name}.{kind}", [1.0, 3.0]) for name in "ab")
    assert one == other
    assert drawn(tmp_path / f"c.{kind}", [1.0, 4.0]) != one


@pytest.mark.parametrize(("name", "kind"), [("f.jpg", "jpg"), ("f", ""), ("f.PNG", "PNG")])
def test_other_kinds_are_refused(name: str, kind: str) -> None:
    with pytest.raises(InputError) as caught:
        check_figure(Path(name))
    assert str(caught.value) == f"{name}: a figure cannot be {kind!r}; expected one of png, svg, pdf"


def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(InputError) as caught:
        check_figure(Path("f.png"))
    assert str(caught.value) == (
        'f.png: matplotlib is not installed; expected pip install "dlmp-cosim[report]"'
    )


def test_a_step_holds_to_the_end_of_its_interval(tmp_path: Path) -> None:
    axes = new_figure(tmp_path / "f.png", (2.0, 1.0)).subplots()
    stairs(axes, np.array([1.0, 3.0]), np.array([0.0, 0.5, 1.0]), linewidth=2.0)
    (patch,) = axes.patches
    values, edges, baseline = patch.get_data()
    assert (values.tolist(), edges.tolist(), baseline) == ([1.0, 3.0], [0.0, 0.5, 1.0], None)
    assert patch.get_linewidth() == 2.0


def test_a_folder_is_made(tmp_path: Path) -> None:
    assert drawn(tmp_path / "deep" / "er" / "f.png", [1.0]).startswith(b"\x89PNG")


def test_where_a_file_stands_for_the_folder_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    file = tmp_path / "file" / "f.png"
    with pytest.raises(InputError) as caught:
        drawn(file, [1.0])
    assert str(caught.value) == f"{file}: cannot be written: File exists; expected a writable folder"
