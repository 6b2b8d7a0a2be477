"""What travels of a job is small whatever the job is, and enough for the tasks behind it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_klingvideo.media import Artifact
from airflow_provider_klingvideo.runtime.paths import open_path
from airflow_provider_klingvideo.runtime.session import Session
from airflow_provider_klingvideo.runtime.xcom import LARGEST, carried, shortened
from airflow_provider_klingvideo.workflow import WorkflowJob, WorkflowState
from airflow_provider_klingvideo.workflow.films import clips_of
from airflow_provider_klingvideo.workflow.inputs.references import record_of, resolved
from airflow_provider_klingvideo.workflow.job.sections import CheckedRequest, Files, Origin, Result

HUGE = 100_000
FOLDER = "/videos/" + "/".join(["folder" * 8] * 9)
TEXTS = {
    "letters": "fox " * (HUGE // 4),
    "Chinese": "狐" * HUGE,
    "pictures": "🦊" * HUGE,
    "quotes": '"' * HUGE,
    "controls": "\x00\n" * (HUGE // 2),
    "half a picture": "\ud83d" * HUGE,
}


def artifact(name):
    return Artifact(
        name=name, path=f"{FOLDER}/job/{name}", size=1, sha256="a" * 64, media_type="video/mp4", duration=5.0
    ).to_json() | {"parts": [{"name": f"{name}/{part}.ts", "size": 1, "sha256": "b" * 64} for part in range(3)]}


def monster(text, *, files=3000, state=WorkflowState.COMPLETED, **fields):
    names = [f"file-{number}.mp4" for number in range(files)]
    return WorkflowJob(
        id="job",
        state=state,
        prompt=text,
        params={"kind": "text_to_video", "elements": [{"element_id": text}] * 3},
        klingai_job_id="619527161123962880",
        error=text,
        failure={"kind": "content_policy", "message": text, "vendor_message": text, "money": "none", "advice": text},
        video_url=f"https://kling.example/{text[:HUGE]}",
        processed_url=f"{FOLDER}/job/master.mp4",
        metadata={"mine": text},
        vendor_answer={"body": text},
        origin=Origin(dag_id="d" * 250, run_id="r" * 250, batch=text, turn="r" * 252, map_index=7),
        request=CheckedRequest(kind="text_to_video", model=text, api="new", warnings=[text] * 9),
        result=Result(
            video_url=text,
            seconds=5.0,
            outputs=[
                {"type": "video", "url": text},
                *({"type": "x", "id": f"{n}", "name": text[:1000]} for n in range(files)),
            ],
        ),
        files=Files(artifacts={name: artifact(name) for name in (*names, "master.mp4")}, warnings=[text] * 99),
        **fields,
    )


@pytest.fixture
def store():
    return Session(output_path=f"file://{FOLDER}").store_at(FOLDER)


@pytest.mark.parametrize("text", TEXTS)
def test_a_monster_is_small_and_enough_for_what_comes_behind_it(store, text):
    told = carried(monster(TEXTS[text]), store)
    assert len(json.dumps(told)) <= LARGEST
    assert (told["id"], told["state"], told["left_out"]["artifacts"] > 2000) == ("job", "COMPLETED", True)
    assert resolved({"a": {"file_of": told}, "b": {"id_of": told}, "c": {"last_frame_of": told}}) == {
        "a": f"{FOLDER}/job/master.mp4",
        "b": "0",
        "c": f"{FOLDER}/job/master.mp4#last_frame",
    }
    (clip,) = clips_of([told], open_path)
    assert (str(clip.path).endswith("/job/master.mp4"), clip.sha256, clip.origin) == (True, "a" * 64, "job")
    assert told["record"].endswith("/job/job.json")


@settings(max_examples=50)
@given(
    text=st.text(max_size=400),
    files=st.integers(0, 40),
    state=st.sampled_from(list(WorkflowState)),
    longest=st.integers(10, 300),
)
def test_any_job_is_small_and_can_be_read_as_one(text, files, state, longest):
    store = Session(output_path=f"file://{FOLDER}").store_at(FOLDER)
    told = carried(monster(text, files=files, state=state), store)
    assert len(json.dumps(told)) <= LARGEST
    assert (record_of(told).id, record_of(told).state) == ("job", state)
    assert len(told["files"]["artifacts"]) + told["left_out"]["artifacts"] == files + 1
    assert len(told["result"]["outputs"]) + told["left_out"]["outputs"] == files + 1
    kept = shortened(text, longest)
    assert kept == text or (len(json.dumps(kept)) <= longest + 2 and text.startswith(kept.removesuffix("...")))


def test_an_ordinary_job_leaves_nothing_out(store):
    plain = WorkflowJob(id="job", prompt="A fox")
    told = carried(plain, store)
    assert (told["prompt"], told["error"], told["result"], told["left_out"]) == (
        "A fox",
        None,
        None,
        {"artifacts": 0, "outputs": 0},
    )
    names = ("source.mp4", "master.mp4", "poster.jpg", "preview.webp", "contact_sheet.jpg")
    plain.files = Files(artifacts={name: artifact(name) | {"path": f"/videos/{name}", "parts": []} for name in names})
    assert list(carried(plain, store)["files"]["artifacts"]) == list(names)
