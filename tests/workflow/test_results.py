"""Fresh addresses of results: asked for when needed, and what the vendor does not offer is told."""

from __future__ import annotations

import pytest

from airflow_provider_klingvideo.kling import Output
from airflow_provider_klingvideo.workflow import WorkflowJob
from airflow_provider_klingvideo.workflow.results import FreshOutputs, NoResultError
from airflow_provider_klingvideo.workflow.waiting.following import task_id_of


def fresh(*answers):
    """The outputs of a task whose vendor gives these answers, one after the other, and what was asked."""
    given, asked = iter(answers), []

    def ask(task_id, kind):
        asked.append((task_id, kind))
        return next(given)

    return FreshOutputs(ask, "7", "text_to_video"), asked


def address(output):
    return output.url


def test_one_answer_serves_all_outputs_and_an_address_wanted_again_is_asked_for_anew():
    old = [Output("video", "https://cdn/a?1"), Output("video", "https://cdn/b?1")]
    outputs, asked = fresh(old, [Output("video", "https://cdn/a?2"), old[1]])
    assert [outputs.url(0, address), outputs.url(1, address)] == ["https://cdn/a?1", "https://cdn/b?1"]
    assert asked == [("7", "text_to_video")]
    assert outputs.url(0, address) == "https://cdn/a?2"


@pytest.mark.parametrize("offered", [[], [Output("video", None)]])
def test_a_result_that_is_not_offered_is_told(offered):
    outputs, _ = fresh(offered)
    with pytest.raises(NoResultError, match="Task 7 offers no result 1 \\(cover\\)"):
        outputs.url(0, address, "cover")


def test_a_job_that_ordered_nothing_follows_no_task():
    with pytest.raises(ValueError, match="Job fox has no task at Kling yet; it is CREATED"):
        task_id_of(WorkflowJob(id="fox"))
