"""Fresh addresses of results: asked for when needed, and what Kling does not offer is told."""

from __future__ import annotations

import pytest

from airflow_provider_klingvideo.kling import Output
from airflow_provider_klingvideo.workflow import WorkflowJob
from airflow_provider_klingvideo.workflow.results import ANY_EXTENSION, FreshOutputs, NoResultError, other_files
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


class TestNames:
    """What files are called here: a fixed set of Kling's words, whatever it answers."""

    def files(self, *outputs):
        return [(one.stem, one.extensions) for one in other_files(outputs, fresh()[0])]

    @pytest.mark.parametrize(
        ("kind", "first"),
        [
            *((kind, "png") for kind in ("image", "series_image", "expanded_image", "view")),
            *((kind, "png") for kind in ("product_image", "model_images")),
            *((kind, "mp3") for kind in ("audio", "voice")),
            *((kind, kind) for kind in ("srt", "ass")),
        ],
    )
    def test_a_product_keeps_its_word(self, kind, first):
        files = self.files({"type": kind, "url": "u"}, {"type": kind, "url": "u", "watermark": True})
        assert [stem for stem, _ in files] == [f"{kind}-1", f"{kind}-2", f"{kind}-2-watermark"]
        assert all(extensions[0] == first for _, extensions in files)

    @pytest.mark.parametrize("kind", ["video", "product_video", "subbed_video"])
    def test_the_first_video_is_the_source(self, kind):
        files = self.files({"type": kind, "url": "u", "watermark": True}, {"type": kind, "url": "u"})
        assert files == [("source-watermark", ("mp4",)), (f"{kind}-2", ("mp4",))]

    @pytest.mark.parametrize(
        "kind",
        [
            "/elsewhere/srt",
            "../srt",
            "a/../../image",
            "C:\\image",
            "",
            ".",
            "image\0",
            "image\ud800",
            "x" * 500,
            "poem",
        ],
    )
    def test_any_other_word_becomes_part_of_no_name(self, kind):
        files = self.files({"type": kind, "url": "u"}, {"type": "image", "url": "u"}, {"type": kind, "url": "u"})
        assert [stem for stem, _ in files] == ["file-1", "image-1", "file-2"]
        assert files[0][1] == ANY_EXTENSION

    def test_a_format_becomes_an_extension_only_where_it_is_known(self, caplog):
        files = self.files({"type": "audio", "url": "u", "formats": ["/elsewhere/wav", "../x", "flac", "wav"]})
        assert files[1:] == [("audio-1", ("wav",))]
        assert "a format that is not known here, and not loaded" in caplog.text
