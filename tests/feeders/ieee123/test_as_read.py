"""The circuit as it is kept, held to what OpenDSS reads of the tables."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dlmp_cosim.feeders import ieee123
from dlmp_cosim.feeders.opendss.circuit import read_circuit
from dlmp_cosim.feeders.readers.network_json import network_to_json

NUMBER = re.compile(r"(?<![\w.])-?\d+\.\d+(?:e[+-]?\d+)?")


def test_it_is_what_opendss_reads() -> None:
    """Names and structure to the letter; numbers but for the last digits, which differ between machines."""
    kept, read = ieee123.circuit(), read_circuit(ieee123.case())
    assert replace(kept, network=read.network) == read
    texts = [network_to_json(item.network) for item in (kept, read)]
    assert NUMBER.sub("#", texts[0]) == NUMBER.sub("#", texts[1])
    numbers = [np.array([float(item) for item in NUMBER.findall(text)]) for text in texts]
    assert len(numbers[0]) > 1000
    assert np.allclose(numbers[0], numbers[1], rtol=1e-12, atol=1e-15)


def test_what_is_kept_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ieee123.keep(tmp_path / "network.json")
    monkeypatch.setattr(ieee123, "AS_READ", tmp_path / "network.json")
    assert ieee123.circuit() == read_circuit(ieee123.case())


def test_it_is_read_without_opendss() -> None:
    code = (
        "import sys; from dlmp_cosim.feeders import ieee123; ieee123.circuit(); print('dss' in sys.modules)"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
