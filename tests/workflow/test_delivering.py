"""The work of POST_PROCESSING and COMPLETED, where Kling's answer or a record names what is not the job's."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from airflow_provider_klingvideo.kling import Output
from airflow_provider_klingvideo.media import MediaSettings
from airflow_provider_klingvideo.workflow import JobStore, WorkflowJob
from airflow_provider_klingvideo.workflow.delivering import Delivering, _provenance
from airflow_provider_klingvideo.workflow.job.errors import StoredFilesError
from airflow_provider_klingvideo.workflow.job.paid import PaidCall
from airflow_provider_klingvideo.workflow.job.sections import CheckedRequest, Files, Result

SRT = b"1\n00:00:00,000 --> 00:00:01,000\nHello\n"
PAID = b"1\n00:00:00,000 --> 00:00:01,000\nOf an earlier task\n"


@pytest.fixture(scope="module")
def host():
    """Serves subtitles at every address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(SRT)))
            self.end_headers()
            self.wfile.write(SRT)

        def log_message(self, *args):
            """Keep the test output quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def artifact(name, content=PAID, **fields):
    digest = hashlib.sha256(content).hexdigest()
    facts = {"name": name, "path": name, "size": len(content), "sha256": digest, "media_type": "application/x-subrip"}
    return facts | fields


class Desk:
    """Delivers one job whose task, the seventh, offers subtitles under some words for its type."""

    def __init__(self, host, folder, *kinds):
        self.host = host
        self.store = JobStore(folder / "store")
        self.folder = self.store.folder("job")
        self.kinds = kinds
        settings = MediaSettings(allowed_private_hosts=frozenset({host}), scratch_dir=str(folder))
        self.delivering = Delivering(self.store, self.outputs, media=settings)
        self.job = WorkflowJob(
            id="job",
            klingai_job_id="7",
            calls=[PaidCall(external_task_id="job", fingerprint="", task_id="7")],
            request=CheckedRequest(kind="drama_subtitle"),
            result=Result(outputs=[{"type": kind, "url": "https://cdn/x"} for kind in kinds]),
        )

    def outputs(self, task_id, kind):
        return [Output(kind, f"http://{self.host}/file") for kind in self.kinds]

    def post_process(self):
        async def save(job):
            self.store.save(job)

        return asyncio.run(self.delivering.post_process(self.job, save))

    def complete(self):
        asyncio.run(self.delivering.complete(self.job))

    def put(self, name, content=PAID):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path


@pytest.fixture
def desk(host, tmp_path):
    return lambda *kinds: Desk(host, tmp_path, *(kinds or ("srt",)))


def files_of(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_the_word_of_a_type_leads_nowhere(desk, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    one = desk(f"{elsewhere}/srt", "../../srt", "srt")
    one.post_process()
    one.complete()
    assert files_of(tmp_path) == [f"store/job/{name}" for name in ("file-1.srt", "file-2.srt", "job.json", "srt-1.srt")]
    assert one.job.processed_url == str(one.folder / "file-1.srt")


class TestSettingAside:
    def test_the_files_of_an_earlier_task_get_a_folder_and_what_is_there_stays(self, desk):
        one = desk()
        one.put("srt-1.srt")
        one.put("task-6/srt-2.srt", b"set aside before")
        one.job.files = Files(task_id="6", artifacts={"srt-1.srt": artifact("srt-1.srt")})
        one.post_process()
        assert files_of(one.folder) == ["job.json", "srt-1.srt", "task-6/srt-1.srt", "task-6/srt-2.srt"]
        assert (one.folder / "task-6/srt-1.srt").read_bytes() == PAID
        assert (one.folder / "srt-1.srt").read_bytes() == SRT

    @pytest.mark.parametrize("form", ["/../../{0.name}", "{0}", "..", "/../../../{0.name}"])
    def test_the_id_of_a_task_leads_nowhere(self, desk, tmp_path, form):
        one = desk()
        one.put("srt-1.srt")
        task_id = form.format(tmp_path / "elsewhere")
        one.job.files = Files(task_id=task_id, artifacts={"srt-1.srt": artifact("srt-1.srt")})
        one.post_process()
        (aside,) = (path for path in one.folder.iterdir() if path.is_dir())
        assert (aside / "srt-1.srt").read_bytes() == PAID
        assert {path.name for path in tmp_path.iterdir()} == {"store"}

    @pytest.mark.parametrize("form", ["../{0.name}", "{0}", "a/../../{0.name}"])
    @pytest.mark.parametrize("as_part", [False, True])
    def test_a_recorded_name_moves_nothing_from_elsewhere(self, desk, form, as_part):
        one = desk()
        one.put("a/srt-1.srt")
        other = one.folder.with_name("paid.srt")
        other.write_bytes(PAID)
        name = form.format(other)
        recorded = artifact("srt-1.srt", parts=[artifact(name)]) if as_part else artifact(name)
        one.job.files = Files(task_id="6", artifacts={recorded["name"]: recorded})
        one.post_process()
        assert other.read_bytes() == PAID
        assert list(one.job.files.artifacts) == ["srt-1.srt"]


class TestCompleting:
    @pytest.mark.parametrize("form", ["../{0.name}", "{0}", "a/../../{0.name}"])
    def test_a_file_elsewhere_is_neither_looked_at_nor_tidied_around(self, desk, form):
        one = desk()
        one.post_process()
        other = one.folder.with_name("paid.srt")
        other.write_bytes(PAID)
        half = other.with_name(".of another job.0badcafe.part")
        half.write_bytes(b"half")
        name = form.format(other)
        one.job.files.artifacts[name] = artifact(name)
        with pytest.raises(StoredFilesError, match=r"cannot be the name of a file in"):
            one.complete()
        assert half.exists()
        one.post_process()
        one.complete()
        assert list(one.job.files.artifacts) == ["srt-1.srt"], "the next post-processing drops it"

    def test_the_place_on_record_is_that_of_the_folder(self, desk):
        one = desk()
        one.post_process()
        one.put("srt-2.srt")
        one.job.files.artifacts["srt-1.srt"]["path"] = "/elsewhere/srt-1.srt"
        one.job.files.artifacts["srt-2.srt"] = artifact("srt-2.srt", path="../../srt-2.srt")
        one.post_process()
        recorded = one.job.files.artifacts
        assert {name: file["path"] for name, file in recorded.items()} == {
            name: str(one.folder / name) for name in ("srt-1.srt", "srt-2.srt")
        }
        assert one.job.processed_url == str(one.folder / "srt-1.srt")


def test_provenance_of_a_prompt_with_half_a_character():
    job = WorkflowJob(id="job", prompt="A fox \ud83e", metadata={"model": "kling-v3"})
    assert _provenance(job)["prompt_sha256"] == hashlib.sha256(b"A fox \xed\xa0\xbe").hexdigest()
