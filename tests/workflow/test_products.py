"""Whole jobs of products whose results are no single video, or that need something before they can be ordered."""

from __future__ import annotations

import pytest
from workshop import KEY, Workshop

from airflow_provider_klingvideo.kling import ApiKeyAuth, KlingClient
from airflow_provider_klingvideo.media import RenderPlan, file_type
from airflow_provider_klingvideo.sandbox import SandboxServer, SandboxSettings
from airflow_provider_klingvideo.workflow import WorkflowJob, reopened
from airflow_provider_klingvideo.workflow import WorkflowState as S

FACES = "POST /v1/videos/identify-face 200/0"


@pytest.fixture(scope="module")
def server():
    with SandboxServer(SandboxSettings(queue_seconds=0, generation_seconds=0, max_render_height=360)) as server:
        yield server


class Studio(Workshop):
    """Makes results, and looks at what is stored."""

    @property
    def client(self):
        return KlingClient(ApiKeyAuth(KEY), base_url=self.sandbox.url)

    def make(self, job_id, **params):
        job = self.process(WorkflowJob(id=job_id, prompt=params.pop("prompt", ""), params=params))
        assert job.state is S.COMPLETED, job.error
        return job

    def files(self, job):
        return sorted(path.name for path in self.store.folder(job.id).iterdir() if path.is_file())

    def called(self, request):
        return self.sandbox.ledger()["requests"].get(request, 0)


@pytest.fixture
def studio(server, tmp_path):
    server.reset()
    return Studio(server, tmp_path)


def test_pictures_are_stored_one_by_one(studio):
    job = studio.make("job", kind="image", prompt="a red fox", n=2, watermark=True)
    pictures = ["image-1-watermark.png", "image-1.png", "image-2-watermark.png", "image-2.png"]
    assert studio.files(job) == [*pictures, "job.json"]
    assert job.processed_url.endswith("/image-1.png")
    assert job.files.artifacts["image-2.png"]["width"] > 0
    assert job.billed_units == 16


def test_a_sound_is_stored_in_both_formats(studio):
    job = studio.make("job", kind="text_to_audio", prompt="rain")
    assert studio.files(job) == ["audio-1.mp3", "audio-1.wav", "job.json"]
    assert job.files.artifacts["audio-1.mp3"]["duration"] == pytest.approx(5, abs=0.5)


def test_an_element_has_an_id_and_no_file(studio):
    picture = studio.make("picture", kind="image", prompt="a red fox")
    looks = {"frontal_image": picture.processed_url, "reference_images": [picture.processed_url]}
    job = studio.make("job", kind="custom_element", name="Fox", description="a red fox", **looks)
    assert studio.files(job) == ["job.json"]
    assert (job.result.outputs[0]["type"], job.processed_url.endswith("/job/job.json")) == ("element", True)


def test_subtitles_come_with_the_video_and_beside_it(studio, tmp_path):
    studio = Studio(studio.sandbox, tmp_path, plan=RenderPlan())
    clip = studio.make("clip", prompt="she speaks", model="kling-2.6", resolution="1080p", audio="native")
    job = studio.make("job", kind="drama_subtitle", source_video=clip.processed_url)
    assert {"ass-1.ass", "master.mp4", "poster.jpg", "srt-1.srt"} <= set(studio.files(job))


def test_a_watermarked_video_is_stored_beside_the_other(studio):
    job = studio.make("job", prompt="a red fox", model="kling-2.5-turbo", watermark=True)
    marked = studio.store.folder("job") / "source-watermark.mp4"
    assert file_type(marked.read_bytes()[:12]).extension == "mp4"
    assert marked.read_bytes() != (studio.store.folder("job") / "source.mp4").read_bytes()
    assert job.processed_url.endswith("/master.mp4")


class TestFacesBeforeLips:
    def params(self, studio):
        clip = studio.make("clip", prompt="a person", model="kling-2.5-turbo")
        speech = studio.client.speak("Hello there, how are you today?", voice_id="oversea_male1")
        return {"kind": "lip_sync", "video": clip.processed_url, "audio_id": speech.audio_id, "sound_end_ms": 2000}

    def test_faces_are_looked_for_once_and_kept_on_record(self, studio):
        job = studio.make("job", **self.params(studio))
        (look,) = (call for call in job.calls if call.what == "identify_faces")
        assert look.answer["face_id"]
        assert studio.called(FACES) == 1

    def test_a_job_that_is_taken_up_again_does_not_look_twice(self, studio):
        params = self.params(studio)
        create = {"method": "POST", "path": "/v1/videos/advanced-lip-sync"}
        studio.sandbox.add_rule({"match": create, "action": {"type": "refuse", "code": 1300}, "times": 1})
        failed = studio.process(WorkflowJob(id="job", params=params))
        assert (failed.state, studio.called(FACES)) == (S.FAILED, 1)
        again = studio.process(reopened(failed, S.CREATED))
        assert (again.state, studio.called(FACES)) == (S.COMPLETED, 1)

    def test_a_refused_look_ends_the_job_and_orders_nothing(self, studio):
        params = self.params(studio)
        look = {"method": "POST", "path": "/v1/videos/identify-face"}
        studio.sandbox.add_rule({"match": look, "action": {"type": "refuse", "code": 1301}})
        job = studio.process(WorkflowJob(id="job", params=params))
        assert (job.state, job.failure["kind"]) == (S.FAILED, "content_policy")
        assert [one.is_refused for one in job.submissions] == [True]
        assert studio.called("POST /v1/videos/advanced-lip-sync 200/0") == 0


def test_a_picture_that_comes_damaged_loses_nothing(studio):
    studio.sandbox.add_rule({"match": {"path": "/media/*"}, "action": {"type": "truncate_media"}, "times": 1})
    failed = studio.process(WorkflowJob(id="job", prompt="a red fox", params={"kind": "image", "n": 2}))
    assert (failed.state, failed.failure["money"]) == (S.FAILED, "billed")
    again = studio.process(reopened(failed, S.POST_PROCESSING))
    assert (again.state, len(again.files.artifacts)) == (S.COMPLETED, 2)
    assert len(studio.sandbox.ledger()["tasks"]) == 1
