"""Calls that come before a video product: faces for lip-sync, a selection for multi-elements editing."""

from __future__ import annotations

import time

import pytest
from kling_servers import API_KEY, envelope

from airflow_provider_klingvideo.kling import (
    AmbiguousSubmissionError,
    ApiKeyAuth,
    InvalidRequestError,
    TaskStatus,
    parse_request,
)

CENTRE = [(0.5, 0.5)]


@pytest.fixture
def ask(call, sandbox):
    def method(name, *args, **kwargs):
        return call(ApiKeyAuth(API_KEY), sandbox.url, name, *args, **kwargs)

    return method


@pytest.fixture
def finished(ask):
    """Order something and wait for it."""

    def order(params, job):
        task = ask("create", parse_request(params), external_task_id=job)
        for _ in range(200):
            done = ask("get_task", task.id, kind=params["kind"])
            if done.status is TaskStatus.SUCCEEDED:
                return done
            assert done.status is not TaskStatus.FAILED, done.message
            time.sleep(0.02)
        raise AssertionError("the task does not end")

    return order


@pytest.fixture
def video_id(finished):
    clip = finished({"kind": "text_to_video", "prompt": "a person speaks", "model": "kling-2.5-turbo"}, "clip")
    return clip.outputs[0].id


def test_the_face_that_was_found_speaks(ask, finished, video_id):
    found = ask("identify_faces", video_id=video_id)
    (face, *_) = found.faces
    assert face.end_ms > face.start_ms
    speech = ask("speak", "Hello there, how are you today?", voice_id="oversea_male1")
    lips = {"kind": "lip_sync", "session_id": found.session_id, "face_id": face.id, "audio_id": speech.audio_id}
    assert finished({**lips, "sound_end_ms": 2000}, "lips").outputs[0].url


def test_faces_of_an_unknown_video_are_refused(ask):
    with pytest.raises(InvalidRequestError):
        ask("identify_faces", video_id="1")


def test_an_answer_without_a_session_may_have_cost_money(call, scripted):
    scripted.script(envelope({}))
    with pytest.raises(AmbiguousSubmissionError):
        call(ApiKeyAuth(API_KEY), scripted.url, "identify_faces", video_id="1")


def test_what_is_chosen_can_be_taken_back_shown_and_edited(ask, finished, video_id):
    session = ask("init_selection", video_id=video_id)
    assert min(session.width, session.height, session.frames) > 0
    chosen = ask("add_selection", session.session_id, 0, CENTRE)
    assert (chosen.frame_index, len(chosen.object_ids)) == (0, 1)
    ask("delete_selection", session.session_id, 0, CENTRE)
    with pytest.raises(InvalidRequestError):
        ask("delete_selection", session.session_id, 0, CENTRE)
    ask("add_selection", session.session_id, 0, CENTRE)
    assert ask("preview_selection", session.session_id).video_url
    edit = {"kind": "multi_elements", "session_id": session.session_id, "edit": "removal", "prompt": "no cat"}
    assert finished(edit, "edit").outputs[0].url
    assert ask("clear_selection", session.session_id) is None


@pytest.mark.parametrize("points", [[], CENTRE * 11, [(1.5, 0)]])
def test_points_that_no_frame_has_are_not_sent(call, scripted, points):
    with pytest.raises(InvalidRequestError, match="one to 10 pairs"):
        call(ApiKeyAuth(API_KEY), scripted.url, "add_selection", "s", 0, points)


@pytest.mark.parametrize("method", ["identify_faces", "init_selection"])
@pytest.mark.parametrize("source", [{}, {"video_id": "1", "video_url": "https://e.org/c.mp4"}])
def test_a_video_is_named_in_one_way(call, scripted, method, source):
    with pytest.raises(InvalidRequestError, match="video_url or video_id: none is given, or both"):
        call(ApiKeyAuth(API_KEY), scripted.url, method, **source)
