"""What a coordinator makes of the reports of a meeting: an agreement, or who is to blame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from dlmp_cosim.feeders.errors import ClearingError
from dlmp_cosim.feeders.network import FloatArray
from dlmp_cosim.market.agents.neighbours import Ties
from dlmp_cosim.market.meeting.agent import Report
from dlmp_cosim.market.meeting.rules import agent_name
from dlmp_cosim.market.meeting.tasks import Answer, Task

DIFFERS = 1e-6
"""Difference between what an agent told one neighbour and what another heard that is no rounding."""


class AgentsLostError(ClearingError):
    """Agents that are silent or say what cannot be true.

    Parameters
    ----------
    lost : mapping of int to str
        Reason by agent.
    """

    def __init__(self, lost: Mapping[int, str]) -> None:
        super().__init__("; ".join(f"{agent_name(k)} {reason}" for k, reason in sorted(lost.items())))
        self.lost = dict(lost)


def judge(tasks: Mapping[int, Task], reports: Sequence[Report]) -> dict[int, Answer]:
    """Take the answers of a meeting.

    Parameters
    ----------
    tasks : mapping of int to Task
        What every agent was handed.
    reports : sequence of Report
        What they report.

    Returns
    -------
    dict of int to Answer
        Answer of every agent.

    Raises
    ------
    AgentsLostError
        When agents report nothing, are accused, or told two neighbours two things.
    ClearingError
        When they did not agree in time, or a part has no solution.
    """
    lost = {k: "says nothing" for k in tasks if k not in {report.agent for report in reports}}
    for report in reports:
        if report.ending == "accuses" and report.whom not in lost:
            lost[report.whom] = f"{report.reason} ({agent_name(report.agent)} says so)"
    answers = {report.agent: report.answer for report in reports if report.answer is not None}
    if not lost and len(answers) == len(tasks):
        lost = _two_faced(tasks, answers)
    if lost:
        raise AgentsLostError(lost)
    for report in reports:
        if report.ending == "stuck":
            raise ClearingError(f"{agent_name(report.agent)}: {report.reason}")
    waiting = [report for report in reports if report.ending == "waits"]
    if waiting:
        first = min(waiting, key=lambda report: report.seconds)
        raise ClearingError(
            f"the agents did not agree in time: {agent_name(first.whom)} {first.reason} "
            f"({agent_name(first.agent)} waits for it)"
        )
    return answers


def _two_faced(tasks: Mapping[int, Task], answers: Mapping[int, Answer]) -> dict[int, str]:
    """Name agents whose last words differ from what they report themselves."""
    said = {k: _by_neighbour(tasks[k].ties, answer.told) for k, answer in answers.items() if len(answer.told)}
    lost = {}
    for k, views in said.items():
        for other, (told, _) in views.items():
            heard = said[other][k][1] if other in said and k in said[other] else told
            if told.size != heard.size:
                lost[k] = f"told {agent_name(other)} another number of values than it reports"
            elif told.size and not np.abs(told - heard).max() <= DIFFERS * (1 + np.abs(told).max()):
                at = float(np.abs(told - heard).max())
                lost[k] = f"told {agent_name(other)} what differs from its report by {at:.2g}"
    return lost


def _by_neighbour(ties: Ties, told: FloatArray) -> dict[int, tuple[FloatArray, FloatArray]]:
    """Split what was told and heard last by neighbour."""
    found, at = {}, 0
    for halo in ties.halos:
        cuts = at + len(halo.tell_values), at + len(halo.tell_values) + len(halo.hear_values)
        found[halo.area] = told[at : cuts[0]], told[cuts[0] : cuts[1]]
        at = cuts[1]
    return found
