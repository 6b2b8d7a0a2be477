"""How long a person waits for Airflow's pages, and whether its scheduler goes on."""

from __future__ import annotations

import statistics
import time
from collections import Counter, defaultdict
from datetime import UTC, datetime

import httpx

HEALTH = "/api/v2/monitor/health"
NO_ANSWER = 0


class Responsiveness:
    """Looks at what a person looks at.

    :param url: of Airflow's API server.
    :param dag_id: the DAG whose pages are opened.
    :param run_id: the run whose pages are opened.
    """

    def __init__(self, url: str, dag_id: str, run_id: str) -> None:
        self._url = url
        run = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}"
        self._pages = (
            f"/ui/grid/structure/{dag_id}",
            f"/ui/grid/runs/{dag_id}",
            f"/ui/grid/ti_summaries/{dag_id}?run_ids={run_id}",
            f"/api/v2/dags/{dag_id}/dagRuns",
            run,
            f"{run}/taskInstances?limit=100",
        )
        self._seconds: dict[str, list[float]] = defaultdict(list)
        self._beats: set[datetime] = set()
        self._ages: list[float] = []
        self.looks = 0
        self.answers: Counter[int] = Counter()

    def look(self) -> None:
        """Open every page once, and note the scheduler's last heartbeat."""
        self.looks += 1
        with httpx.Client(base_url=self._url, timeout=60, trust_env=False) as browser:
            for page in self._pages:
                self._opened(browser, page)
            health = self._opened(browser, HEALTH)
        if health is not None and health.is_success:
            beat = datetime.fromisoformat(health.json()["scheduler"]["latest_scheduler_heartbeat"])
            self._beats.add(beat)
            self._ages.append((datetime.now(UTC) - beat).total_seconds())

    def _opened(self, browser: httpx.Client, page: str) -> httpx.Response | None:
        asked = time.monotonic()
        try:
            answer = browser.get(page)
        except httpx.HTTPError:
            answer = None
        self._seconds[page].append(time.monotonic() - asked)
        self.answers[answer.status_code if answer is not None else NO_ANSWER] += 1
        return answer

    @property
    def heartbeats(self) -> int:
        """How many different heartbeats were seen."""
        return len(self._beats)

    def rows(self) -> list[list[str]]:
        """What was looked at, the median of the seconds it took, and the most."""
        failed = self.answers.total() - self.answers[httpx.codes.OK]
        seen = {**self._seconds, "age of the scheduler's last heartbeat": self._ages}
        rows = [[name, f"{statistics.median(values):.2f}", f"{max(values):.2f}"] for name, values in seen.items()]
        return [*rows, [f"pages that failed, of {self.answers.total()}", "", str(failed)]]
