"""Many jobs in one task: its process dies with all of them in different states; nothing is paid twice, nothing lost."""

from __future__ import annotations

import pytest

from .evidence import request
from .points import POINTS

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(1800)]

JOBS = 60
# A compact batch has no sensor of its own.
STRUCK = [point for point in POINTS if point not in {"before_defer", "on_resume"}]
# Apart in the file, so that no chunk dies more often than its tries last.
STRIDE = 7
# So slow that the task leaves its worker, and comes back.
WORDS = "[sandbox:slow=15]"


@pytest.mark.scenario(14, 18, 38, 40)
def test_killed_once_at_every_point(parts, sandbox, evidence):
    sandbox.settings(slots=15)
    parts.wait_for_dag("compact")
    for turn, point in enumerate(STRUCK):
        parts.points.arm(point, f"{turn * STRIDE % JOBS:03}")
    rows = [{"key": f"shot-{number}", **request(number, WORDS)} for number in range(JOBS)]
    parts.airflow.trigger("compact", "killed", rows=rows)
    assert parts.airflow.ended("compact", "killed") == "success"
    evidence.require_completed("compact", ["killed"], JOBS)
    killed = [strike.point for strike in parts.points.strikes()]
    assert sorted(killed) == sorted(STRUCK)
    assert len(parts.airflow.instances("compact", "killed")) == 5
    print(
        f"\n{len(killed)} kills of tasks with 20 jobs each: {len(sandbox.ledger()['tasks'])} paid tasks, {JOBS} videos"
    )
