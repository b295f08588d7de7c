"""Studies side by side: each leaves its results where it says, and the first that failed is named."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from toys import make_study

from dlmp_cosim.federates.study.study import Study, load_study
from dlmp_cosim.feeders.errors import ResultsError
from dlmp_cosim.runners.sweep import studies as module
from dlmp_cosim.runners.sweep.job import RESULTS, Job, Outcome
from dlmp_cosim.runners.sweep.studies import run_studies

Run = Callable[..., list[Job]]


@pytest.fixture
def three(tmp_path: Path) -> list[Study]:
    return [load_study(make_study(tmp_path / name / "study", intervals=k)) for k, name in enumerate("abc", 1)]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run studies whose outcomes are told, in any order; return the jobs."""

    def do(studies: list[Study], order: list[int], errors: dict[int, str] | None = None) -> list[Job]:
        made: list[Job] = []

        def here(jobs: Any, count: int, receive: Callable[[Outcome], None], **how: Any) -> None:
            made.extend(jobs)
            assert count == len(made) == len(studies)
            assert how == {"title": "t", "scheduler": "", "workers": 0}
            for number in order:
                error = (errors or {}).get(number, "")
                files = {} if error else {RESULTS: f"results {number}".encode()}
                receive(Outcome(number, files=files, error=error))

        monkeypatch.setattr(module, "run_here", here)
        run_studies(studies, title="t")
        return made

    return do


def test_each_leaves_its_results_where_it_says(run: Run, three: list[Study]) -> None:
    run(three, [2, 0, 1])
    assert [study.results_file.read_text() for study in three] == ["results 0", "results 1", "results 2"]


def test_jobs_run_the_scenario_as_it_stands_in_memory(run: Run, three: list[Study]) -> None:
    jobs = run(three, [0, 1, 2])
    assert [job.number for job in jobs] == [0, 1, 2]
    assert {(job.keep, job.measured) for job in jobs} == {((RESULTS,), False)}
    for job, intervals in zip(jobs, (1, 2, 3), strict=True):
        text = job.pack.files[f"{job.pack.folder}/scenario.toml".removeprefix("./")].decode()
        assert tomllib.loads(text)["time"]["intervals"] == intervals


@pytest.mark.parametrize(
    ("errors", "said"),
    [
        ({1: "it broke"}, "toy failed: it broke"),
        ({2: "late", 0: "early"}, "toy failed: early, and 1 more"),
        ({0: "x", 1: "y", 2: "z"}, "toy failed: x, and 2 more"),
    ],
)
def test_the_first_that_failed_is_named_after_all_have_run(
    run: Run, three: list[Study], errors: dict[int, str], said: str
) -> None:
    with pytest.raises(ResultsError) as failure:
        run(three, [2, 1, 0], errors)
    assert str(failure.value) == said
    assert [study.results_file.exists() for study in three] == [k not in errors for k in range(3)]


def test_a_failure_leaves_older_results_alone(run: Run, three: list[Study]) -> None:
    path = three[0].results_file
    path.parent.mkdir(parents=True)
    path.write_text("older")
    with pytest.raises(ResultsError):
        run(three, [0, 1, 2], {0: "x"})
    assert path.read_text() == "older"


def test_a_place_that_cannot_be_written_is_named(run: Run, three: list[Study]) -> None:
    path = three[1].results_file
    path.parent.parent.mkdir(parents=True, exist_ok=True)
    path.parent.write_text("a file where the folder belongs")
    with pytest.raises(ResultsError) as failure:
        run(three, [0, 1, 2])
    assert str(failure.value) == f"{path}: cannot be written: File exists"
