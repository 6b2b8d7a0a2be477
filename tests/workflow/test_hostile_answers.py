"""The whole path of a job (answer > record > manifest > log) with answers of a Kling that is broken or malicious.

``HOSTILE_EXAMPLES=5000`` tries so many, other ones each time.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import subprocess
import tempfile
import unicodedata
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hostile_answers import ABSENT, DONE_TASK, HONEST, NUMBERS, TEXTS, WAVE, envelope, honest, scripts
from hostile_answers import SOUND as SOUND_OF_KLING
from hostile_kling import KEY as SENT_KEY
from hostile_kling import ROOT, Raw, Reply, hostile_kling
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from airflow_provider_klingvideo.errors import KlingVideoError
from airflow_provider_klingvideo.kling import AccessKeyAuth, ApiKeyAuth, AsyncKlingClient, KlingClient
from airflow_provider_klingvideo.media import MediaSettings, RenderPlan
from airflow_provider_klingvideo.media.ffmpeg.binaries import find_binaries
from airflow_provider_klingvideo.media.settings import DownloadLimits
from airflow_provider_klingvideo.storage.names import folder_of
from airflow_provider_klingvideo.workflow import (
    JobStore,
    Journal,
    PollPolicy,
    StepSettings,
    VideoHandlers,
    VideoSteps,
    WorkflowEngine,
)
from airflow_provider_klingvideo.workflow import WorkflowState as S
from airflow_provider_klingvideo.workflow.batch.checking import RowChecks
from airflow_provider_klingvideo.workflow.batch.judge import judged
from airflow_provider_klingvideo.workflow.batch.manifest import write_manifest
from airflow_provider_klingvideo.workflow.batch.row_book import RowBook
from airflow_provider_klingvideo.workflow.batch.rows import keyed, listed_rows
from airflow_provider_klingvideo.workflow.gates.slots.slots import SlotBoard, SlotRules, Slots
from airflow_provider_klingvideo.workflow.inputs.creation import created_job
from airflow_provider_klingvideo.workflow.inputs.reader import InputReader
from airflow_provider_klingvideo.workflow.job.errors import InputError
from airflow_provider_klingvideo.workflow.job.journal import write_log
from airflow_provider_klingvideo.workflow.job.sections import Budget, Origin
from airflow_provider_klingvideo.workflow.reconcile.reconciler import Finding, Reconciler

EXAMPLES = int(os.environ.get("HOSTILE_EXAMPLES", "0"))
FUZZ = settings(
    max_examples=EXAMPLES or 40,
    derandomize=not EXAMPLES,
    suppress_health_check=list(HealthCheck),
    database=None,
)

KEY, ACCESS, SECRET = "api-key-s3cret", "access-key", "secret-key-0123456789abcdef0123456789"
DECOY = b"what a task must never touch or read"
JOB_ID = "job-1"
POLICY = PollPolicy(min_seconds=0.01, max_seconds=0.02, max_errors=2, max_refusals=1)
PLAN = RenderPlan.parse(["poster"])

PICTURE, CLIP, SOUND = "http://127.0.0.1:9/a.png", "http://127.0.0.1:9/a.mp4", "http://127.0.0.1:9/a.mp3"
REQUESTS = {
    "video of the new family": (ApiKeyAuth(KEY), {"prompt": "a fox", "model": "kling-2.5-turbo"}),
    "video of the legacy family": (ApiKeyAuth(KEY), {"prompt": "a fox", "model": "kling-2.5-turbo", "api": "legacy"}),
    "video with a token": (AccessKeyAuth(ACCESS, SECRET), {"prompt": "a fox", "model": "kling-2.5-turbo"}),
    "picture": (ApiKeyAuth(KEY), {"kind": "image", "prompt": "a fox"}),
    "sound": (AccessKeyAuth(ACCESS, SECRET), {"kind": "text_to_audio", "prompt": "rain"}),
    "voice": (ApiKeyAuth(KEY), {"kind": "custom_voice", "name": "Anna", "sample": SOUND}),
    "faces": (ApiKeyAuth(KEY), {"kind": "lip_sync", "video": CLIP, "sound": SOUND, "sound_end_ms": 3000}),
    "solution": (ApiKeyAuth(KEY), {"kind": "goods_studio", "images": [PICTURE], "title": "A lamp"}),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return small_media(tmp_path_factory.mktemp("media"))


def small_media(folder):
    """Make small real files, by name."""
    picture = ["-f", "lavfi", "-i", "testsrc2=size=64x64:rate=10:duration=0.4"]
    sound = ["-f", "lavfi", "-i", "sine=frequency=440:duration=0.4"]
    video = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"]
    made = {
        "clip.mp4": [*picture, *video],
        "picture.png": [*picture, "-frames:v", "1"],
        "sound.mp3": sound,
        "sound.wav": sound,
    }
    for name, arguments in made.items():
        command = [find_binaries().ffmpeg, "-nostdin", "-y", "-loglevel", "error", *arguments, str(folder / name)]
        subprocess.run(command, check=True, timeout=60)
    return {
        **{name: (folder / name).read_bytes() for name in made},
        "text.srt": b"1\n00:00:00,000 --> 00:00:01,000\n\x1b[2Jhello\n",
        "page.html": b"<html>busy</html>",
    }


@pytest.fixture(scope="module")
def kling(files):
    with hostile_kling(files) as kling:
        yield kling


class Log(logging.Handler):
    """Writes lines as a log in UTF-8 takes them, and keeps what cannot be written."""

    def __init__(self):
        super().__init__(logging.INFO)
        self.lines, self.faults, self.foreign = [], [], []

    def emit(self, record):
        try:
            line = record.getMessage()
            line.encode()
        except (ValueError, TypeError) as error:
            self.faults.append(f"{record.msg!r}: {error!r}")
            return
        self.lines.append(line)
        error = record.exc_info[1] if record.exc_info else None
        if error is not None and not isinstance(error, KlingVideoError):
            self.foreign.append(f"{line}: {error!r}")


@contextmanager
def logged():
    root, log = logging.getLogger(), Log()
    level = root.level
    root.addHandler(log)
    root.setLevel(logging.INFO)
    try:
        yield log
    finally:
        root.removeHandler(log)
        root.setLevel(level)


@dataclass
class Place:
    """A folder with those of jobs, and with what no job may touch."""

    root: Path
    decoys: dict[Path, bytes] = field(default_factory=dict)

    def __post_init__(self):
        for name in (
            "decoy/secret.txt",
            "videos/dag/other-job/job.txt",
            "videos/dag/run/other-job/source.mp4",
            "victim",
        ):
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(DECOY)
            self.decoys[path] = DECOY
        self.scratch.mkdir()

    @property
    def base(self):
        return self.root / "videos" / "dag" / "run"

    @property
    def videos(self):
        return self.root / "videos"

    @property
    def scratch(self):
        return self.root / "scratch"

    def files(self):
        return [path for path in self.root.rglob("*") if path.is_file()]


@dataclass
class Workshop:
    """Processes jobs with the standard handlers."""

    kling: object
    auth: object
    place: Place
    entries: list = field(default_factory=list)

    def __post_init__(self):
        self.store = JobStore(self.place.base)
        self.journal = Journal([write_log, self.entries.append])
        media = MediaSettings(
            limits=DownloadLimits(attempts=1, pause_seconds=0, read_seconds=5),
            allowed_private_hosts=frozenset({self.kling.host}),
            scratch_dir=str(self.place.scratch),
            threads=1,
        )
        self.settings = StepSettings(
            media=media,
            poll=POLICY,
            plan=PLAN,
            slot_pause_seconds=0.01,
            slot_seconds=0.15,
            queue_seconds=0.3,
            generation_seconds=0.2,
            check_input_urls=False,
            repeat_unanswered=False,
        )

    def outputs(self, task_id, kind):
        with KlingClient(self.auth, base_url=self.kling.url, read_attempts=1) as client:
            return client.get_task(task_id, kind=kind).outputs

    @asynccontextmanager
    async def opened(self, store):
        async with self.client() as client:
            steps = VideoSteps(
                client,
                store,
                outputs=self.outputs,
                settings=self.settings,
                slots=Slots(SlotBoard(self.place.root / "slots"), SlotRules()),
                journal=self.journal,
            )
            yield self.engine(store), steps

    def client(self):
        return AsyncKlingClient(self.auth, base_url=self.kling.url, read_attempts=1)

    def engine(self, store):
        return WorkflowEngine(store=store, journal=self.journal)

    async def process(self, job):
        async with self.opened(self.store) as (engine, steps):
            VideoHandlers(steps).register(engine)
            return await engine.process(job)

    async def reconcile(self):
        async with self.client() as client:
            reconciler = Reconciler(client, JobStore(self.place.videos), open_store=self.opened, stale_after=0)
            return await reconciler.compare(adopt=True, close_stale=True)


class Trial:
    """One job with one script, from its first answer to the comparison with Kling's list."""

    def __init__(self, kling, place, script, request, budget):
        self.kling, self.place = kling, place
        auth, self.request = request
        kling.begin(script, place.root, JOB_ID)
        self.shop = Workshop(kling, auth, place)
        self.budget = budget
        self.jobs, self.reports = [], []

    def run(self):
        with logged() as self.log:
            # The second time as when a person runs it again.
            for _ in range(2):
                self._process()
            self._write_manifest()
            # What the first comparison adopts is on record for the second.
            for _ in range(2):
                self._compare()
        self._check()

    def _process(self):
        job = created_job(self.shop.engine(self.shop.store), JOB_ID, self.request, origin=Origin())
        if self.budget and job.state is S.CREATED:
            job.budget = Budget(name="b", units="1000", folder=str(self.place.root / "budgets"), unknown_price="allow")
        self.jobs.append(self._ours(self.shop.process(job)) or self.shop.store.load(JOB_ID))
        self.check_job(self.jobs[-1])

    def _ours(self, work):
        """Run it; of exceptions only those of this project may come out."""
        try:
            return asyncio.run(work)
        except KlingVideoError as error:
            self.check_text(str(error))
            return None

    def check_job(self, job):
        assert job.is_terminal, f"left in {job.state}"
        assert (job.failure or {}).get("kind") != "unexpected", job.error
        stored = self.shop.store.load(JOB_ID)
        assert stored.as_json() == job.as_json()
        check_storable(job.as_json())
        check_storable(job.failure)
        self._check_money(job)
        if job.error is not None:
            self.check_text(job.error)

    def _write_manifest(self):
        jobs = [self.jobs[-1], None]
        path = Path(write_manifest(self.shop.store, "batch", jobs, judged(jobs, 1), keys=["a", "b"]))
        document = strictly_read(path)
        assert document["jobs"][0]["state"] == str(self.jobs[-1].state)
        assert len(path.with_suffix(".jsonl").read_text("utf-8").rstrip("\n").split("\n")) == len(jobs)

    def _compare(self):
        report = self._ours(self.shop.reconcile())
        if report is not None:
            check_storable(report.as_json())
            self.reports.append(report)

    def check_text(self, text):
        text.encode()
        odd = [char for char in text if char != "\n" and is_odd(char)]
        assert not odd, f"{odd} in {text[:300]!r}"
        assert "\n" not in text or "ffmpeg" in text, text[:300]
        self.check_secrets(text)

    def check_secrets(self, text):
        assert not re.search(r"s3cret|Expires=17", text), text[:2000]

    def _check(self):
        assert not self.kling.faults, self.kling.faults
        assert len(set(self.kling.external_ids)) <= 1, self.kling.external_ids
        self._check_log()
        self._check_entries()
        self._check_files()

    def _check_money(self, job):
        if self.kling.made and job.failure:
            told_free = any(call.bill is not None and call.bill.is_free for call in job.calls)
            assert told_free or job.failure["money"] != "none", job.failure

    def _check_log(self):
        assert not self.log.faults, self.log.faults
        assert not self.log.foreign, self.log.foreign
        for line in self.log.lines:
            self.check_text(line)

    def _check_entries(self):
        for entry in self.shop.entries:
            check_storable(json.loads(json.dumps(dict(entry.data), default=str)))

    def _check_files(self):
        own = [
            self.place.base / JOB_ID,
            self.place.videos / "adopted",
            self.place.root / "slots",
            self.place.root / "budgets",
        ]
        for path in self.place.files():
            if path in self.place.decoys:
                assert path.read_bytes() == self.place.decoys[path], path
                continue
            assert any(path.is_relative_to(folder) for folder in own) or path.name.startswith("batch.manifest."), path
            content = path.read_bytes()
            assert DECOY not in content, path
            if path.suffix in (".json", ".jsonl"):
                self.check_secrets(content.decode())
            if path.suffix == ".json":
                strictly_read(path)
        assert not list(self.place.scratch.iterdir())
        self._check_folders()

    def _check_folders(self):
        for folder in (path for path in self.place.videos.rglob("*") if path.is_dir()):
            known = {"dag", "run", "adopted", JOB_ID, "other-job", "calls"}
            assert folder.name in known or folder.parent.name in ("adopted", JOB_ID), folder


def is_odd(char):
    """Whether a character does something to a terminal instead of being shown on one line."""
    return (
        unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp")
        or char in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
    )


def strictly_read(path):
    """Read JSON that every reader takes."""

    def refuse(text):
        raise ValueError(f"{text} in {path}")

    return json.loads(path.read_text("utf-8"), parse_constant=refuse)


def check_storable(value):
    """PostgreSQL takes it as JSON, and a file in UTF-8, too."""
    json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    for text in texts_in(value):
        assert "\0" not in text


def texts_in(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from (*texts_in(key), *texts_in(one))
    elif isinstance(value, list):
        for one in value:
            yield from texts_in(one)


class Batch:
    """Rows from their list to records and manifest."""

    def __init__(self, place, name, rows):
        self.place, self.name = place, name
        self.requests = keyed(listed_rows(rows))
        self.store = JobStore(folder_of(folder_of(place.videos, name), name))

    def run(self):
        book, engine = RowBook(self.store.base, self.name), WorkflowEngine(store=self.store)
        book.write(self.requests)
        rows = book.read()
        jobs = [self._job(engine, row) for row in rows]
        path = Path(write_manifest(self.store, self.name, jobs, judged(jobs, 1), keys=[row.key for row in rows]))
        assert len(strictly_read(path)["jobs"]) == len(self.requests)
        return {path.parent / job.id for job in jobs}

    def _job(self, engine, row):
        inputs = InputReader(Path, self.store.at, lambda job: str(job.klingai_job_id))
        family_for = AsyncKlingClient(ApiKeyAuth(KEY), base_url="http://127.0.0.1:9").family_for
        found = RowChecks(family_for, "warn", inputs, self.store, lambda request: request, bool).faults([row], {})
        job = created_job(engine, row.job_id, row.request, origin=Origin(batch=self.name, run_id=self.name))
        engine.fail(job, InputError([one.fault for one in found] or "as an example"))
        self.store.save(job)
        assert self.store.load(job.id).as_json() == job.as_json()
        assert job.id == created_job(engine, row.job_id, row.request, origin=Origin()).id
        check_storable(job.as_json())
        return job


given_texts = st.one_of(
    st.sampled_from([one for one in TEXTS if one]), st.text(st.characters(exclude_categories=()), max_size=30)
)
given_values = st.recursive(
    st.one_of(given_texts, st.sampled_from(NUMBERS), st.floats()),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(given_texts, inner, max_size=2)),
    max_leaves=4,
)
given_rows = st.fixed_dictionaries(
    {"prompt": given_texts},
    optional={
        **dict.fromkeys(("key", "kind", "model", "duration", "first_frame", "elements", "api"), given_values),
        **dict.fromkeys(("../x", "id", "state", "\0"), given_values),
    },
)


@FUZZ
@given(given_texts, st.lists(given_rows, min_size=1, max_size=3))
def test_no_row_leads_out_of_the_folder(name, rows):
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder).resolve())
        try:
            batch = Batch(place, name, rows)
        except KlingVideoError as error:
            str(error).encode()
            return
        folders = batch.run()
        own = {path for path in place.files() if any(path.is_relative_to(one) for one in folders)}
        others = {path for path in place.files() if path not in own and path not in place.decoys}
        assert {path.parent for path in others} == {batch.store.base}, others
        assert batch.store.base.parent.parent == place.videos
        assert all(path.read_bytes() == content for path, content in place.decoys.items())
        for path in place.files():
            if path.suffix == ".json":
                strictly_read(path)


@pytest.fixture(autouse=True)
def hurried(monkeypatch):
    """Nothing here is about a loss of power."""
    monkeypatch.setattr(os, "fsync", lambda _handle: None)


def tried(kling, script, request=REQUESTS["video of the new family"], *, budget=False):
    with tempfile.TemporaryDirectory() as folder:
        # Resolved, as on some systems the folder for temporary files is a link.
        trial = Trial(kling, Place(Path(folder).resolve()), script, request, budget)
        trial.run()
        return trial


@FUZZ
@given(scripts, st.sampled_from(list(REQUESTS)), st.booleans())
def test_no_answer_breaks_the_path(kling, script, request_name, budget):
    job = tried(kling, script, REQUESTS[request_name], budget=budget).jobs[-1]
    event(f"{job.state} {job.failure['kind'] if job.failure else ''}")


def task(**fields):
    """Kling's answer about the task, honest but for some fields."""
    return [Reply(envelope([{**DONE_TASK, **fields}]))]


def listed(job_id):
    """Kling's list with a task of another job, which has no record."""
    lost = {**DONE_TASK, "id": "4711", "external_id": f"{job_id}-0123456789abcdef-g1"}
    return [Reply(envelope({"result": [lost], "has_more": False})), ABSENT]


@pytest.mark.parametrize("name", REQUESTS)
def test_honest_answers_lead_to_a_video(kling, name):
    trial = tried(kling, HONEST, REQUESTS[name], budget=True)
    assert [job.state for job in trial.jobs] == [S.COMPLETED] * 2
    assert len(trial.kling.external_ids) == 1


def test_words_of_kling_command_no_terminal_and_begin_no_line(kling):
    words = "\x1b[2J\x9b31mno\r\nERROR - forged\u2028\u202egnp\0"
    job = tried(kling, honest(query=task(status="failed", message=words))).jobs[-1]
    assert job.failure["vendor_message"] == "\u241b[2J\ufffd31mno  ERROR - forged\ufffd\ufffdgnp\u2400"


@pytest.mark.parametrize("refusal", [{"message": "\x1b[2J"}, {"request_id": "\x1b[2J"}, {"message": ["\x1b[2J"]}])
def test_a_refusal_commands_no_terminal(kling, refusal):
    answer = {"code": 1201, "message": "no", "request_id": "r", **refusal}
    job = tried(kling, honest(create=[Reply(answer, status=400)])).jobs[0]
    assert job.failure["kind"] == "invalid_request"


def test_an_id_of_kling_commands_no_terminal(kling):
    tried(kling, honest(create=[Reply(envelope({"id": "1\x1b[2J\n2", "status": "submitted"}))]))


def test_words_of_kling_do_not_fill_the_record(kling):
    job = tried(kling, honest(query=task(status="failed", message="x" * 100_000))).jobs[-1]
    assert len(job.error) < 3000


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize(
    "page", [f"<pre>Authorization: Bearer {SENT_KEY}", f'{{"code": 1200, "message": "{SENT_KEY}"}}']
)
def test_the_key_is_not_shown_where_an_answer_repeats_it(kling, page, status):
    for name in ("video of the new family", "video with a token"):
        tried(kling, honest(create=[Reply(page.encode(), status=status)]), REQUESTS[name])


@pytest.mark.parametrize("name", ["../../decoy/pwned", f"{ROOT}/decoy/pwned", "job.json", "calls", "", "\0"])
def test_the_type_of_a_result_names_no_file(kling, name):
    results = [{"type": name, "url": SOUND_OF_KLING}, {"type": name, "url": SOUND_OF_KLING, "wav_url": WAVE}]
    job = tried(kling, honest(query=task(outputs=results))).jobs[-1]
    assert set(job.files.artifacts) == {"file-1.mp3", "file-2.mp3", "file-2.wav"}


@pytest.mark.parametrize("depth", [60, 150, 400, 900, 100_000])
def test_an_answer_of_any_depth_is_an_answer_that_makes_no_sense(kling, depth):
    job = tried(kling, honest(query=task(outputs=[], extra=Raw("[" * depth + "]" * depth)))).jobs[-1]
    assert job.failure["kind"] in ("polling", "timeout", "server")


def test_numbers_that_json_does_not_have_are_left_out_of_the_record(kling):
    extra = [Raw("NaN"), Raw("-Infinity"), Raw("1e400"), 1.5]
    job = tried(kling, honest(query=task(outputs=[], extra=extra))).jobs[0]
    assert job.failure["kind"] == "no_result"
    assert job.as_json()["vendor_answer"]["extra"] == [None, None, None, 1.5]


def test_a_negative_bill_says_nothing_about_money(kling):
    bill = [{"amount": "-3"}]
    job = tried(kling, honest(query=task(status="failed", billing=bill)), budget=True).jobs[-1]
    assert (job.failure["kind"], job.failure["money"]) == ("generation_failed", "maybe")


@pytest.mark.parametrize("name", ["..", ".", "../../decoy/pwned", "a/b", "C:\\x", "\x1b[2J", "x" * 300])
def test_a_task_of_a_job_that_cannot_be_is_foreign(kling, name):
    trial = tried(kling, honest(listing=listed(name)))
    assert [row.finding for row in trial.reports[0].rows if row.task_id == "4711"] == [Finding.FOREIGN]


@pytest.mark.parametrize("name", ["job.json", "calls", JOB_ID, "cancel.json"])
def test_an_adopted_job_of_any_name_stands_in_the_way_of_nothing(kling, name):
    trial = tried(kling, honest(listing=listed(name)))
    found = [row for row in trial.reports[0].rows if row.task_id == "4711"]
    assert [(row.finding, row.job_state) for row in found] == [(Finding.ORPHAN, "COMPLETED")]
    assert len(trial.reports) == 2
