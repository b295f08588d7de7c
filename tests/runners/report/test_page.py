"""The page's own files: modules that fit together, scripts that are allowed, a large circuit's size."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

import pytest

import dlmp_cosim.runners.report
from dlmp_cosim.runners.report.page import LIBRARY, MODULES, build_page, joined_modules
from tests.runners.report.large import NODES, large_view

FOLDER = Path(str(dlmp_cosim.runners.report.__file__)).parent
LARGEST = 15e6
"""Largest page of a circuit of 8,531 nodes over 288 intervals [bytes]."""


@pytest.fixture(scope="module")
def large_page() -> str:
    view = large_view()
    assert len(view.network.node_ids) == NODES
    assert len(view.times) == 288
    return build_page([view])


def test_a_large_circuit_stays_within_its_size(large_page: str) -> None:
    assert len(large_page.encode()) < LARGEST


def test_scripts_are_allowed_by_their_hashes_and_no_others(large_page: str) -> None:
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', large_page)
    assert policy is not None
    assert "unsafe" not in policy[1]
    for tag in ("script", "style"):
        for text in re.findall(rf"<{tag}>(.*?)</{tag}>", large_page, re.DOTALL):
            digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
            assert f"'sha256-{digest}'" in policy[1]


def test_every_module_is_on_the_page_and_after_what_it_imports() -> None:
    files = {path.stem for path in (FOLDER / "web").glob("*.js")}
    assert files == {*MODULES, "crisp"}
    for k, name in enumerate(MODULES):
        text = (FOLDER / "web" / f"{name}.js").read_text()
        for names, source in re.findall(r'^import \{([^}]*)\} from "\./(\w+)\.js";$', text, re.MULTILINE):
            assert source in MODULES[:k], f"{name} imports {source}, which comes later"
            exports = (FOLDER / "web" / f"{source}.js").read_text()
            for one in re.findall(r"\w+", names):
                pattern = rf"^export (async )?(const|class|function|let) {one}\b"
                assert re.search(pattern, exports, re.MULTILINE), f"{source} exports no {one}"


def test_joined_modules_import_and_export_nothing() -> None:
    assert not re.search(r"^(import|export)\b", joined_modules(), re.MULTILINE)


def test_modules_are_short() -> None:
    for path in (FOLDER / "web").iterdir():
        assert len(path.read_text().splitlines()) <= 400, path.name


def test_the_library_keeps_its_licence() -> None:
    assert "Leon Sorokin" in (FOLDER / "vendor" / "uPlot-LICENSE").read_text()
    assert LIBRARY.removeprefix("uPlot-") in (FOLDER / "vendor" / f"{LIBRARY}.iife.min.js").read_text()[:200]


def test_the_library_is_as_published() -> None:
    folder = FOLDER / "vendor"
    sums = dict(reversed(line.split()) for line in (folder / "SHA256SUMS").read_text().splitlines())
    assert set(sums) == {path.name for path in folder.iterdir()} - {"SHA256SUMS", "SOURCE.md"}
    for name, digest in sums.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
