"""Any record of the first form is read, and nothing that it says about money gets lower."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_klingvideo.errors import Money
from airflow_provider_klingvideo.kling.wire.bills import Bill
from airflow_provider_klingvideo.workflow import JobStore, WorkflowJob
from airflow_provider_klingvideo.workflow.inputs.references import record_of
from airflow_provider_klingvideo.workflow.job.migrations import SCHEMA_VERSION, NewerRecordError
from airflow_provider_klingvideo.workflow.job.paid import money_of

ORDER = [Money.NONE, Money.MAYBE, Money.BILLED]
MOMENTS = st.datetimes(datetime(2025, 1, 1), datetime(2026, 1, 1)).map(lambda at: at.replace(tzinfo=UTC).isoformat())
UNITS = st.none() | st.sampled_from(["0", "0.00", "0.05", "1.5", "16", "100.25"])
IDS = st.none() | st.integers(10**17, 10**18).map(str)
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)


@st.composite
def submissions(draw):
    """The creates of one job, with different requests or takes."""
    keys = draw(st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 3)), unique=True, max_size=4))
    return [
        {
            "external_task_id": f"job-1-{letter * 16}-g{take}",
            "fingerprint": letter * 16,
            "generation_number": take,
            "task_id": draw(IDS),
            "units": draw(UNITS),
            "outcome": draw(st.sampled_from([None, "refused", "succeeded", "failed"])),
            "intended_at": draw(MOMENTS),
            "accepted_at": draw(st.none() | MOMENTS),
        }
        for letter, take in keys
    ]


PRODUCT = st.fixed_dictionaries(
    {},
    optional={
        "dag_id": TEXT,
        "run_id": TEXT,
        "map_index": st.integers(-1, 9),
        "batch": TEXT,
        "turn": TEXT,
        "reconciled": st.just(True),
        "reconciled_at": MOMENTS,
        "kind": st.sampled_from(["text_to_video", "image"]),
        "model": st.just("kling-2.6"),
        "generation": st.sampled_from(["new", "legacy"]),
        "warnings": st.lists(TEXT, max_size=2),
        "estimate": st.none() | st.fixed_dictionaries({"units": st.just("1.5"), "usd": st.none() | st.just("0.210")}),
        "budget": st.just({"name": "b", "units": "9", "folder": "/b", "unknown_price": "fail"}),
        "priority": st.integers(-5, 5),
        "video_url": st.none() | st.just("https://cdn/x.mp4"),
        "seconds": st.none() | st.just(5.041),
        "billed_units": UNITS,
        "outputs": st.lists(st.just({"type": "video", "url": "https://cdn/x.mp4"}), max_size=2),
        "artifacts_of": IDS,
        "artifacts": st.just({"master.mp4": {"name": "master.mp4", "path": "/x", "size": 1, "sha256": "0"}}),
        "gates": st.just([{"gate": "black", "passed": True}]),
        "media_warnings": st.lists(TEXT, max_size=2),
        "vendor_answer": st.just({"status": "succeeded"}),
        "preparation": st.fixed_dictionaries(
            {"of": st.just("c" * 16), "fields": st.just({"session_id": "s", "face_id": "f"}), "at": MOMENTS}
        ),
    },
)
USERS = st.dictionaries(st.sampled_from(["checked", "note", "my.key"]), TEXT | st.integers(), max_size=2)


@st.composite
def old_records(draw):
    metadata = {**draw(USERS), **draw(PRODUCT)}
    return {
        "id": "job-1",
        "prompt": draw(TEXT),
        "state": draw(st.sampled_from(["CREATED", "GENERATING", "COMPLETED", "FAILED"])),
        "params": {},
        "klingai_job_id": draw(IDS),
        "metadata": metadata,
        "submissions": draw(submissions()),
        "revision": draw(st.integers(1, 3)),
        "created_at": draw(MOMENTS),
        "updated_at": draw(MOMENTS),
        "history": [],
    }


def was_told(one):
    """What the first version said about the money of a create; that its bill may be nothing is known since."""
    if one["units"] is not None and one["outcome"] in {"succeeded", "failed"} and Decimal(one["units"]) == 0:
        return Money.NONE
    return {"refused": Money.NONE, "succeeded": Money.BILLED}.get(one["outcome"], Money.MAYBE)


def was_committed(one):
    return Decimal(0) if one["outcome"] == "refused" else Decimal(one["units"] or 0)


@given(old_records())
def test_nothing_about_money_gets_lower(record):
    job = WorkflowJob.model_validate(json.loads(json.dumps(record)))
    told = [was_told(one) for one in record["submissions"]]
    assert ORDER.index(money_of(job.calls)) >= max(map(ORDER.index, told), default=0)
    calls = {(call.fingerprint, call.take): call for call in job.submissions}
    assert len(calls) == len(record["submissions"])
    for one, said in zip(record["submissions"], told, strict=True):
        call = calls[one["fingerprint"], one["generation_number"]]
        assert (call.external_task_id, call.task_id) == (one["external_task_id"], one["task_id"])
        assert ORDER.index(call.money) >= ORDER.index(said)
        assert call.units >= was_committed(one)
        assert call.is_refused == (one["outcome"] == "refused" and one["task_id"] is None)
        assert call.verdict == (one["outcome"] if one["outcome"] in {"succeeded", "failed"} else None)
        # What a failed task was expected to cost stood where its bill stands now.
        is_bill = call.verdict == "succeeded" or (call.verdict == "failed" and said is Money.NONE)
        assert call.bill == (Bill(units=one["units"]) if is_bill and one["units"] is not None else None)
        assert call.was_taken or call.is_open or one["outcome"] == "refused"


@given(old_records())
def test_what_the_product_knew_is_in_sections_and_the_users_metadata_is_the_users(record):
    job = WorkflowJob.model_validate(json.loads(json.dumps(record)))
    old = record["metadata"]
    assert job.metadata == {name: value for name, value in old.items() if name in {"checked", "note", "my.key"}}
    assert (job.origin.dag_id, job.origin.turn) == (old.get("dag_id"), old.get("turn"))
    assert job.origin.is_reconciled == old.get("reconciled", False)
    assert (job.request.kind if job.request else None) == old.get("kind")
    assert (job.estimate.units if job.estimate else None) == (old.get("estimate") or {}).get("units")
    assert (job.budget.units if job.budget else None) == old.get("budget", {}).get("units")
    assert job.priority == old.get("priority", 0)
    assert (job.result is not None) == ("outputs" in old)
    assert job.files.artifacts == old.get("artifacts", {})
    assert job.vendor_answer == old.get("vendor_answer")
    looks = [call.answer for call in job.calls if call.what == "identify_faces"]
    assert looks == ([old["preparation"]["fields"]] if "preparation" in old else [])


@given(old_records())
def test_what_was_read_once_is_read_as_it_is(record):
    job = WorkflowJob.model_validate(json.loads(json.dumps(record)))
    again = WorkflowJob.model_validate(json.loads(json.dumps(job.as_json())))
    assert (again.model_dump(), again.schema_version) == (job.model_dump(), SCHEMA_VERSION)


def test_a_look_for_faces_of_an_earlier_version_lasts_as_long_as_the_session():
    for age, is_over in ((timedelta(hours=1), False), (timedelta(hours=25), True)):
        at = (datetime.now(UTC) - age).isoformat()
        look = {"of": "f" * 16, "fields": {"session_id": "s"}, "at": at}
        job = WorkflowJob.model_validate({"id": "j", "metadata": {"preparation": look}, "history": []})
        (call,) = job.calls
        assert (call.was_taken, call.is_over, call.money) == (True, is_over, Money.BILLED)


@pytest.mark.parametrize("version", [SCHEMA_VERSION + 1, 99, "2", None, 2.5])
def test_a_record_of_a_version_to_come_is_refused_in_words(tmp_path, version):
    (tmp_path / "j").mkdir()
    newer = {**WorkflowJob(id="j").as_json(), "schema_version": version, "state": "DREAMING"}
    (tmp_path / "j" / "job.json").write_text(json.dumps(newer))
    with pytest.raises(NewerRecordError) as caught:
        JobStore(tmp_path).load("j")
    assert f"has schema {version}; this version reads up to {SCHEMA_VERSION}" in str(caught.value)
    assert "Upgrade this worker" in str(caught.value)
    assert caught.value.money is Money.MAYBE
    with pytest.raises(NewerRecordError):
        JobStore(tmp_path).save(WorkflowJob(id="j"))
    assert json.loads((tmp_path / "j" / "job.json").read_text()) == newer


def test_a_job_of_a_version_to_come_is_refused_in_words_where_a_task_hands_it_on():
    with pytest.raises(NewerRecordError, match="Upgrade this worker"):
        record_of({**WorkflowJob(id="j").as_json(), "schema_version": SCHEMA_VERSION + 1})


@pytest.mark.parametrize("version", [0, -1, True])
def test_a_version_that_never_was_is_refused_too(version):
    with pytest.raises(NewerRecordError, match="schema"):
        WorkflowJob.model_validate({**WorkflowJob(id="j").as_json(), "schema_version": version})
