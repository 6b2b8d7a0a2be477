"""When a failed task is tried again, and whether it is."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import pytest
from airflow.sdk import DAG

from airflow_provider_klingvideo._compat import HAS_RETRY_POLICIES, AirflowException
from airflow_provider_klingvideo.kling import AccountError, RateLimitError, ServerError
from airflow_provider_klingvideo.operators.klingvideo import KlingVideoValidateOperator
from airflow_provider_klingvideo.operators.speech import KlingVideoSpeakOperator
from airflow_provider_klingvideo.operators.video import KlingVideoOperator
from airflow_provider_klingvideo.sensors.klingvideo import KlingVideoGenerationSensor

MINUTE = timedelta(minutes=1)


def tasks(**arguments):
    return [
        KlingVideoValidateOperator(task_id="validate", **arguments),
        KlingVideoGenerationSensor(task_id="wait", **arguments),
        KlingVideoSpeakOperator(task_id="speak", text="Hello", voice_id="x", **arguments),
    ]


def test_every_task_is_tried_again_with_a_growing_pause():
    for task in tasks():
        assert (task.retries, task.retry_delay) == (2, timedelta(seconds=30))
        assert task.retry_exponential_backoff


def test_what_the_user_says_wins():
    for task in tasks(retries=7, retry_delay=MINUTE):
        assert (task.retries, task.retry_delay) == (7, MINUTE)
    with DAG(
        "defaults", schedule=None, default_args={"retries": 5, "retry_exponential_backoff": False, "retry_policy": None}
    ):
        for task in tasks():
            assert (task.retries, task.retry_exponential_backoff) == (5, False)
            assert getattr(task, "retry_policy", None) is None


def mapped(**arguments):
    return {
        KlingVideoOperator.partial(task_id="video", **arguments).expand(request=[{}]): {"request": {}},
        KlingVideoSpeakOperator.partial(task_id="speak", voice_id="x", **arguments).expand(text=["Hello"]): {
            "text": ""
        },
    }


def test_mapped_tasks_are_tried_again_like_all_others():
    for task, values in mapped().items():
        assert (task.retries, task.unmap(values).retries, task.retry_delay) == (2, 2, timedelta(seconds=30))
        assert bool(getattr(task, "retry_policy", None)) is HAS_RETRY_POLICIES
    for task in mapped(retries=7):
        assert task.retries == 7
    with DAG("defaults", schedule=None, default_args={"retries": 5, "retry_policy": None}):
        for task in mapped():
            assert (task.retries, getattr(task, "retry_policy", None)) == (5, None)


def test_mapped_tasks_take_arguments_of_ours_from_the_default_args_of_dag_and_task():
    with DAG("defaults", schedule=None, default_args={"klingai_conn_id": "of_the_dag", "output_path": "/dag"}):
        for task, values in mapped(default_args={"output_path": "/task", "pool": "kling"}).items():
            made = task.unmap(values)
            assert (made.klingai_conn_id, made.output_path, made.pool) == ("of_the_dag", "/task", "kling")


@pytest.mark.skipif(not HAS_RETRY_POLICIES, reason="Airflow 3.3 and newer ask a policy")
class TestThePolicy:
    def decision(self, error, try_number=1, **task):
        from airflow_provider_klingvideo.runtime.retries import KlingVideoRetryPolicy

        context = {"ti": SimpleNamespace(task=SimpleNamespace(retry_delay=MINUTE, max_retry_delay=5 * MINUTE, **task))}
        return KlingVideoRetryPolicy().evaluate(error, try_number, 3, context)

    def test_is_that_of_every_task(self):
        assert all(task.has_retry_policy for task in tasks())

    def test_an_error_that_no_waiting_mends_burns_no_retry(self):
        assert self.decision(AccountError("in arrears")).action.value == "fail"

    def test_pauses_grow_within_bounds_and_differ(self):
        pauses = [[self.decision(ServerError("502"), number).retry_delay for _ in range(30)] for number in (1, 2, 3, 9)]
        for found, least, most in zip(pauses, (1, 2, 4, 5), (1.5, 3, 6, 7.5), strict=True):
            assert least * MINUTE <= min(found) < max(found) <= most * MINUTE

    def test_never_sooner_than_the_vendor_asks(self):
        assert self.decision(RateLimitError("slow down", retry_after=3600)).retry_delay == timedelta(hours=1)

    def test_the_error_may_be_the_cause_of_another(self):
        told = AirflowException("told")
        told.__cause__ = ServerError("502")
        assert self.decision(told).action.value == "retry"

    def test_other_errors_are_left_to_the_task(self):
        assert self.decision(ZeroDivisionError()).action.value == "default"

    def test_the_tasks_own_growth_is_obeyed(self):
        pauses = [
            self.decision(ServerError("502"), 4, retry_exponential_backoff=growth).retry_delay
            for growth in (0, False, None, 1.5, True)
        ]
        for pause, times in zip(pauses, (1, 1, 1, 3.375, 5), strict=True):
            assert times * MINUTE <= pause <= 1.5 * times * MINUTE
