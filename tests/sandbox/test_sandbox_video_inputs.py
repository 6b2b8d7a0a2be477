"""What follows from the inputs of video products: length, shape, price, sessions, and why a task fails."""

from __future__ import annotations

import base64
import math
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from sandbox_calls import Clock, client_of
from sandbox_files import make_film, make_sound

from airflow_provider_klingvideo.sandbox import SandboxServer, SandboxSettings
from airflow_provider_klingvideo.sandbox.files.audio_files import audio_facts
from airflow_provider_klingvideo.sandbox.files.movie_files import movie_facts

Data = dict[str, Any]
Post = Callable[[str, Data], Data]
Ended = Callable[[str], Data]

OMNI, O1 = "/omni-video/kling-3.0-omni", "/omni-video/kling-o1"
MOTION, LEGACY_MOTION = "/motion-control/kling-3.0", "/v1/videos/motion-control"
AVATAR, ELEMENTS = "/v1/videos/avatar/image2video", "/v1/videos/multi-elements"
FACES, LIP_SYNC, OLD_LIP_SYNC = "/v1/videos/identify-face", "/v1/videos/advanced-lip-sync", "/v1/videos/lip-sync"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files")


@pytest.fixture(scope="module")
def host(files: Path) -> Iterator[str]:
    """Serves the folder of files."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            file = files / self.path.lstrip("/")
            content = file.read_bytes() if file.is_file() else None
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *_: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def post(client: httpx.Client) -> Post:
    """Sends a request that has to be accepted; the data of its answer."""

    def post(path: str, body: Data) -> Data:
        response = client.post(path, json=body)
        assert response.status_code == 200, response.text
        return dict(response.json()["data"])

    return post


@pytest.fixture
def ended(client: httpx.Client, clock: Clock) -> Ended:
    """A task in the shape of the new generation, once it has ended."""

    def ended(task_id: str) -> Data:
        for _ in range(400):
            (task,) = client.get("/tasks", params={"task_ids": task_id}).json()["data"]
            if task["status"] in {"succeeded", "failed"}:
                return dict(task)
            clock.finish()
            time.sleep(0.01)
        raise AssertionError("it does not end")

    return ended


@pytest.fixture
def portrait(sandbox: SandboxServer) -> str:
    return f"{sandbox.url}/sandbox/samples/portrait.png"


@pytest.fixture
def film(post: Post, ended: Ended) -> Callable[[int], Data]:
    """A clip of so many seconds that the account itself made."""

    def film(seconds: int) -> Data:
        task = post("/text-to-video/kling-3.0", {"prompt": "a fox", "settings": {"duration": seconds}})
        return dict(ended(task["id"])["outputs"][0])

    return film


def motion(image: str, video: str, orientation: str = "video") -> Data:
    contents = [{"type": "image", "url": image}, {"type": "video", "url": video}]
    return {"contents": contents, "settings": {"character_orientation": orientation}}


def inline(file: Path) -> str:
    return base64.b64encode(file.read_bytes()).decode()


class TestWhatFollowsFromAnInput:
    def test_motion_control_is_as_long_as_its_film(
        self, post: Post, ended: Ended, film: Callable[[int], Data], portrait: str, sandbox: SandboxServer
    ) -> None:
        task = ended(post(MOTION, motion(portrait, film(4)["url"]))["id"])
        assert (task["outputs"][0]["duration"], task["billing"][0]["amount"]) == ("4.041", "3.6")
        row = sandbox.ledger()["tasks"][0]
        assert (row["quoted_units"], row["units"], row["seconds"]) == ("3.6", "3.6", 4)

    def test_a_clip_takes_the_proportions_of_the_image(
        self, post: Post, ended: Ended, film: Callable[[int], Data], portrait: str, tmp_path: Path
    ) -> None:
        url = ended(post(MOTION, motion(portrait, film(3)["url"]))["id"])["outputs"][0]["url"]
        facts = movie_facts(httpx.get(url, trust_env=False, timeout=60).content)
        assert facts is not None
        assert (facts.width, facts.height, round(facts.seconds, 2), facts.frames_per_second) == (54, 96, 3.04, 24)

    def test_an_edit_costs_the_seconds_of_what_it_edits(
        self, post: Post, ended: Ended, film: Callable[[int], Data]
    ) -> None:
        body = {
            "contents": [{"type": "base_video", "url": film(7)["url"]}],
            "settings": {"multi_shot": False, "resolution": "1080p", "duration": 3},
        }
        task = ended(post(OMNI, body)["id"])
        assert (task["outputs"][0]["duration"], task["billing"][0]["amount"]) == ("7.041", "8.4")

    def test_a_feature_video_leaves_the_length_to_the_request(
        self, post: Post, ended: Ended, film: Callable[[int], Data]
    ) -> None:
        body = {"contents": [{"type": "feature_video", "url": film(7)["url"]}], "settings": {"duration": 3}}
        task = ended(post(OMNI, body)["id"])
        assert (task["outputs"][0]["duration"], task["billing"][0]["amount"]) == ("3.041", "2.7")

    def test_a_legacy_edit_too(self, post: Post, ended: Ended, film: Callable[[int], Data]) -> None:
        body = {"model_name": "kling-video-o1", "video_list": [{"video_url": film(4)["url"]}], "mode": "std"}
        task = ended(post("/v1/videos/omni-video", body)["task_id"])
        assert (task["outputs"][0]["duration"], task["billing"][0]["amount"]) == ("4.041", "3.6")

    @pytest.mark.parametrize("name", ["a.mp3", "a.wav", "a.m4a", "a.aac"])
    def test_an_avatar_speaks_as_long_as_its_sound(
        self, post: Post, ended: Ended, portrait: str, files: Path, name: str
    ) -> None:
        sound = make_sound(files / name, 2.6)
        task = ended(post(AVATAR, {"image": portrait, "sound_file": inline(sound), "mode": "pro"})["task_id"])
        assert task["billing"][0]["amount"] == "2.4"
        assert math.isclose(float(task["outputs"][0]["duration"]), 2.6, abs_tol=0.1)

    @pytest.mark.parametrize(("seconds", "units"), [(4, "0.5"), (5, "0.5"), (6, "1"), (11, "1.5")])
    def test_old_lip_sync_costs_every_five_seconds_that_begin(
        self,
        post: Post,
        ended: Ended,
        film: Callable[[int], Data],
        files: Path,
        sandbox: SandboxServer,
        seconds: int,
        units: str,
    ) -> None:
        wanted = {
            "mode": "audio2video",
            "video_id": film(seconds)["id"],
            "audio_type": "file",
            "audio_file": inline(make_sound(files / "short.wav", 2.5)),
        }
        task = ended(post(OLD_LIP_SYNC, {"input": wanted, "watermark_info": {"enabled": True}})["task_id"])
        (clip,) = task["outputs"]
        assert (task["billing"][0]["amount"], clip["duration"][:-4]) == (units, str(seconds))
        assert "watermark_url" not in clip
        assert sandbox.ledger()["tasks"][0]["sound"] == "native"

    def test_effects_do_not_say_how_long_they_are(self, client: httpx.Client, post: Post, ended: Ended) -> None:
        picture = base64.b64encode(client.get("/sandbox/samples/square.png").content).decode()
        body = {"effect_scene": "zoom_out", "input": {"image": picture}}
        task_id = post("/v1/videos/effects", body)["task_id"]
        ended(task_id)
        (clip,) = client.get(f"/v1/videos/effects/{task_id}").json()["data"]["task_result"]["videos"]
        assert set(clip) == {"id", "url"}

    def test_money_and_time_of_an_input_survive_a_restart(self, tmp_path: Path) -> None:
        settings = SandboxSettings(
            state=tmp_path / "state.db", queue_seconds=0, generation_seconds=0, max_render_height=96
        )
        with SandboxServer(settings) as first, client_of(first) as client:
            client.post("/text-to-video/kling-3.0", json={"prompt": "a", "settings": {"duration": 4}})
            url = first.ledger()["tasks"][0]["url"]
            image = f"{first.url}/sandbox/samples/portrait.png"
            client.post(MOTION, json=motion(image, url))
            for _ in range(400):
                if first.ledger()["tasks"][0]["status"] == "succeeded":
                    break
                time.sleep(0.01)
        with SandboxServer(settings) as second:
            row = second.ledger()["tasks"][0]
            assert (row["product"], row["units"], row["outputs"][0]["duration"]) == ("motion-control", "3.6", "4.041")
            assert second.ledger()["spent_units"] == "6"


class TestInputsThatAreNotWhatTheyShouldBe:
    @pytest.mark.parametrize(
        ("path", "seconds", "size", "rate", "said"),
        [
            (MOTION, 2.5, "640x360", 30, "Video duration can not less than 3s"),
            (MOTION, 3.5, "640x320", 30, "Video pixel is invalid"),
            (OMNI, 3.5, "1280x690", 30, "Video pixel is invalid"),
            (OMNI, 3.5, "1280x720", 15, "Video frame rate is invalid"),
            (OMNI, 3.5, "1500x702", 30, "The resolution or aspect ratio of the input video is invalid."),
            (O1, 3.5, "2200x1200", 30, "The resolution or aspect ratio of the input video is invalid."),
            (O1, 11, "720x720", 24, "Video duration can not more than 10s"),
        ],
    )
    def test_a_film(
        self,
        post: Post,
        ended: Ended,
        portrait: str,
        files: Path,
        host: str,
        path: str,
        seconds: float,
        size: str,
        rate: int,
        said: str,
    ) -> None:
        name = f"{size}-{seconds}-{rate}.mp4"
        make_film(files / name, seconds, size, rate)
        contents = [{"type": "base_video", "url": f"{host}/{name}"}]
        edit = {"contents": contents, "settings": {"multi_shot": False}}
        body = motion(portrait, f"{host}/{name}") if path == MOTION else edit
        task = ended(post(path, body)["id"])
        assert task["message"].startswith(said)
        assert task["billing"] == [{"amount": "0"}]

    @pytest.mark.parametrize(("orientation", "message"), [("video", ""), ("image", "can not more than 10s")])
    def test_the_orientation_decides_how_long_a_film_may_be(
        self,
        post: Post,
        ended: Ended,
        film: Callable[[int], Data],
        portrait: str,
        orientation: str,
        message: str,
    ) -> None:
        task = ended(post(MOTION, motion(portrait, film(12)["url"], orientation))["id"])
        assert message in task["message"]
        assert task["status"] == ("failed" if message else "succeeded")

    def test_a_film_that_is_none(self, post: Post, ended: Ended, portrait: str) -> None:
        task = ended(post(MOTION, motion(portrait, portrait))["id"])
        assert task["message"] == "Something went wrong when we tried to get the contents of the file."

    @pytest.mark.parametrize(
        ("seconds", "said"),
        [(1.5, "Audio duration can not less than 2s"), (0, "Audio format is invalid")],
    )
    def test_a_sound(self, post: Post, ended: Ended, portrait: str, files: Path, seconds: float, said: str) -> None:
        sound = inline(make_sound(files / "wrong.wav", seconds)) if seconds else "AAAA"
        assert ended(post(AVATAR, {"image": portrait, "sound_file": sound})["task_id"])["message"] == said

    def test_an_earlier_result_is_gone_after_thirty_days(
        self, client: httpx.Client, film: Callable[[int], Data], clock: Clock
    ) -> None:
        video_id = film(5)["id"]
        clock.pass_(30 * 86_400 + 1)
        assert client.post(FACES, json={"video_id": video_id}).json()["message"] == "Video id not found"


class TestFilesAreRead:
    @pytest.mark.parametrize("name", ["a.mp4", "a.mov"])
    def test_films(self, files: Path, name: str) -> None:
        facts = movie_facts(make_film(files / name, 1.5, "320x180", 30).read_bytes())
        assert facts is not None
        assert (facts.format, facts.width, facts.height) == (name[-3:], 320, 180)
        assert (round(facts.seconds, 2), round(facts.frames_per_second), facts.sound) == (1.5, 30, False)

    @pytest.mark.parametrize("more", ["", "+default_base_moof"])
    def test_films_in_fragments(self, files: Path, more: str) -> None:
        options = ("-movflags", f"frag_keyframe+empty_moov{more}", "-g", "10")
        facts = movie_facts(make_film(files / f"fragments{more}.mp4", 1.5, "320x180", 30, *options).read_bytes())
        assert facts is not None
        assert (facts.width, round(facts.seconds, 2), round(facts.frames_per_second)) == (320, 1.5, 30)

    @pytest.mark.parametrize("name", ["b.mp3", "b.wav", "b.m4a", "b.aac"])
    def test_sounds(self, files: Path, name: str) -> None:
        facts = audio_facts(make_sound(files / name, 3.2).read_bytes())
        assert facts is not None
        assert (facts.format, facts.sound) == (name[2:], True)
        assert math.isclose(facts.seconds, 3.2, abs_tol=0.15)

    @pytest.mark.parametrize("name", ["b.mp3", "b.wav", "b.m4a", "b.aac", "a.mp4"])
    def test_nothing_makes_them_stumble(self, files: Path, name: str) -> None:
        content = (
            make_film(files / name, 1, "64x64", 24) if name[-1] == "4" else make_sound(files / name, 1)
        ).read_bytes()
        for end in range(0, 400, 7):
            for spoilt in (content[:end], content[:end] + b"\xff" * 40 + content[end + 40 :]):
                movie_facts(spoilt)
                audio_facts(spoilt)


class TestMultiElements:
    @pytest.fixture
    def session(self, post: Post, film: Callable[[int], Data]) -> Data:
        return post(f"{ELEMENTS}/init-selection", {"video_id": film(5)["id"]})

    def select(self, client: httpx.Client, session: Data, what: str = "add", **body: Any) -> Data:
        point = {"frame_index": 3, "points": [{"x": 0.5, "y": 0.5}]}
        response = client.post(
            f"{ELEMENTS}/{what}-selection", json={"session_id": session["session_id"], **point, **body}
        )
        return dict(response.json())

    def test_a_session_tells_about_its_film(self, session: Data, sandbox: SandboxServer) -> None:
        assert (session["status"], session["fps"], session["original_duration"]) == (0, 24, 5042)
        assert (session["width"], session["height"], session["total_frame"]) == (1280, 720, 121)
        assert (session["final_unit_deduction"], sandbox.ledger()["spent_units"]) == ("0", "3")
        assert movie_facts(httpx.get(session["normalized_video"], trust_env=False, timeout=60).content)

    def test_no_query_shows_a_session(self, client: httpx.Client, session: Data) -> None:
        key = session["session_id"]
        assert client.get("/tasks", params={"task_ids": key}).json()["data"] == []
        assert key not in client.post("/tasks", json={}).text
        assert client.get(ELEMENTS).json()["data"] == []

    def test_a_selection_is_a_mask(self, client: httpx.Client, session: Data) -> None:
        data = self.select(client, session)["data"]
        (mask,) = data["res"]["rle_mask_list"]
        assert (data["status"], data["res"]["frame_index"], mask["object_id"]) == (0, 3, 0)
        assert (mask["rle_mask"]["size"], mask["png_mask"]["size"]) == ([720, 1280], [720, 1280])
        assert base64.b64decode(mask["png_mask"]["base64"])[:8] == b"\x89PNG\r\n\x1a\n"
        inside = runs(mask["rle_mask"]["counts"])
        assert sum(inside) == 720 * 1280
        assert math.isclose(sum(inside[1::2]), math.pi * (720 / 12) ** 2, rel_tol=0.02)

    def test_points_are_taken_back(self, client: httpx.Client, session: Data) -> None:
        self.select(client, session)
        assert self.select(client, session, "delete", points=[{"x": 0.5, "y": 0.4}])["message"] == (
            "points must be equal to points that were added before"
        )
        assert self.select(client, session, "delete")["data"]["res"]["rle_mask_list"] == []

    def test_a_session_survives_a_restart(self, tmp_path: Path) -> None:
        settings = SandboxSettings(
            state=tmp_path / "state.db", queue_seconds=0, generation_seconds=0, max_render_height=96
        )
        with SandboxServer(settings) as first, client_of(first) as client:
            client.post("/text-to-video/kling-3.0", json={"prompt": "a"})
            video_id = first.ledger()["tasks"][0]["outputs"][0]["id"]
            session = client.post(f"{ELEMENTS}/init-selection", json={"video_id": video_id}).json()["data"]
            self.select(client, session)
        with SandboxServer(settings) as second, client_of(second) as client:
            assert self.select(client, session, "delete")["message"] == "SUCCEED"

    @pytest.mark.parametrize(
        ("body", "said"),
        [
            ({"points": []}, "points must have 1 to 10 items"),
            ({"points": [{"x": 0, "y": 0}] * 11}, "points must have 1 to 10 items"),
            ({"points": [{"x": 0}]}, "points items must have x and y"),
            ({"points": [{"x": 0, "y": 1.5}]}, "points[0].y value '1.5' is invalid"),
            ({"frame_index": None}, "frame_index is required"),
            ({"frame_index": 121}, "frame_index value '121' is invalid"),
            ({"session_id": ""}, "session_id is required"),
            ({"session_id": "1"}, "Session id not found: 1"),
        ],
    )
    def test_a_selection_that_is_none(self, client: httpx.Client, session: Data, body: Data, said: str) -> None:
        answer = self.select(client, session, **body)
        assert (answer["code"], answer["message"]) == (1201, said)

    def test_ten_frames_at_most(self, client: httpx.Client, session: Data) -> None:
        said = [self.select(client, session, frame_index=index)["message"] for index in range(11)]
        assert said == ["SUCCEED"] * 10 + ["at most 10 frames can be selected"]
        client.post(f"{ELEMENTS}/clear-selection", json={"session_id": session["session_id"]})
        assert self.select(client, session, frame_index=11)["message"] == "SUCCEED"

    def test_a_preview_shows_it(self, post: Post, session: Data) -> None:
        res = post(f"{ELEMENTS}/preview-selection", {"session_id": session["session_id"]})["res"]
        assert set(res) == {"video", "video_cover", "tracking_output"}
        assert movie_facts(httpx.get(res["video"], trust_env=False, timeout=60).content)

    def test_a_day_later_it_is_gone(self, client: httpx.Client, session: Data, clock: Clock) -> None:
        clock.pass_(86_400)
        assert self.select(client, session)["message"] == "SUCCEED"
        clock.pass_(1)
        assert self.select(client, session)["message"] == f"Session id not found: {session['session_id']}"

    def test_the_film_is_looked_at_at_once(self, client: httpx.Client, film: Callable[[int], Data], host: str) -> None:
        said = [
            client.post(f"{ELEMENTS}/init-selection", json=body).json()["message"]
            for body in (
                {"video_id": film(6)["id"]},
                {"video_id": film(11)["id"]},
                {"video_url": f"{host}/nothing.mp4"},
                {"video_url": f"{host}/a", "video_id": "1"},
            )
        ]
        assert said == [
            "Video duration is invalid",
            "Video duration can not more than 10s",
            "Something went wrong when we tried to get the contents of the file.",
            "video_id and video_url cannot be used together",
        ]

    @pytest.mark.parametrize(
        ("edit", "images", "mode", "units"),
        [("addition", 2, "std", "3"), ("swap", 1, "pro", "5"), ("removal", 0, "std", "3")],
    )
    def test_an_edit(
        self,
        client: httpx.Client,
        post: Post,
        ended: Ended,
        session: Data,
        portrait: str,
        edit: str,
        images: int,
        mode: str,
        units: str,
    ) -> None:
        body = {
            "session_id": session["session_id"],
            "edit_mode": edit,
            "image_list": [{"image": portrait}] * images,
            "prompt": "swap <<<video_1>>>",
            "mode": mode,
        }
        task_id = post(ELEMENTS, body)["task_id"]
        ended(task_id)
        data = client.get(f"{ELEMENTS}/{task_id}").json()["data"]
        (clip,) = data["task_result"]["videos"]
        assert (clip["session_id"], clip["duration"]) == (session["session_id"], "5.041")
        assert data["final_unit_deduction"] == units

    @pytest.mark.parametrize(
        ("body", "said"),
        [
            ({"edit_mode": "swap"}, "image_list has the wrong number of images for edit_mode 'swap'"),
            ({"edit_mode": None}, "edit_mode is required"),
            ({"edit_mode": "paint"}, "edit_mode value 'paint' is invalid"),
            ({"prompt": " "}, "prompt is required"),
            ({"duration": "10"}, "duration value '10' does not fit a video of 5.042 seconds"),
            ({"mode": "4k"}, "mode value '4k' is invalid"),
        ],
    )
    def test_an_edit_that_is_none(self, client: httpx.Client, session: Data, body: Data, said: str) -> None:
        whole = {"session_id": session["session_id"], "edit_mode": "removal", "prompt": "a", **body}
        assert client.post(ELEMENTS, json=whole).json()["message"] == said


class TestLipSync:
    @pytest.fixture
    def faces(self, post: Post, film: Callable[[int], Data]) -> Data:
        return post(FACES, {"video_id": film(5)["id"]})

    def chosen(self, faces: Data, sound: str, **changes: Any) -> Data:
        face = {
            "face_id": faces["face_data"][0]["face_id"],
            "sound_file": sound,
            "sound_start_time": 0,
            "sound_end_time": 3000,
            "sound_insert_time": 1000,
        }
        return {"session_id": faces["session_id"], "face_choose": [face | changes]}

    def test_faces_cost_and_are_there_all_the_time(self, faces: Data, sandbox: SandboxServer) -> None:
        (face,) = faces["face_data"]
        assert (face["start_time"], face["end_time"], faces["final_unit_deduction"]) == (0, 5042, "0.05")
        assert sandbox.ledger()["spent_units"] == "3.05"

    def test_the_film_is_where_it_comes_from(
        self, client: httpx.Client, post: Post, ended: Ended, faces: Data, files: Path
    ) -> None:
        sound = inline(make_sound(files / "speech.mp3", 4))
        task_id = post(LIP_SYNC, self.chosen(faces, sound) | {"external_task_id": "speech"})["task_id"]
        ended(task_id)
        data = client.get(f"{LIP_SYNC}/{task_id}").json()["data"]
        parent = data["task_info"]["parent_video"]
        assert (parent["duration"], data["task_info"]["external_task_id"]) == ("5.042", "speech")
        assert (data["final_unit_deduction"], data["task_result"]["videos"][0]["duration"]) == ("0.5", "5.041")

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"face_id": "9"}, "Face id not found: 9"),
            ({"sound_file": ""}, "audio_id or sound_file is required"),
            ({"audio_id": "1"}, "audio_id and sound_file cannot be used together"),
            ({"sound_start_time": None}, "sound_start_time is required"),
            ({"sound_end_time": 1999}, "the cropped sound can not be shorter than 2 seconds"),
            ({"sound_insert_time": 2043}, "the sound must be inserted inside the video"),
            ({"sound_volume": 2.1}, "face_choose[0].sound_volume value '2.1' is invalid"),
        ],
    )
    def test_what_is_refused(self, client: httpx.Client, faces: Data, changes: Data, said: str) -> None:
        body = self.chosen(faces, "https://sounds.invalid/a.mp3", **changes)
        assert client.post(LIP_SYNC, json=body).json()["message"] == said

    def test_exactly_one_face(self, client: httpx.Client, faces: Data) -> None:
        body = self.chosen(faces, "https://sounds.invalid/a.mp3")
        for choice in ([], body["face_choose"] * 2):
            answer = client.post(LIP_SYNC, json=body | {"face_choose": choice}).json()
            assert answer["message"] == "face_choose must have exactly 1 item"

    def test_a_session_for_elements_has_no_faces(
        self, client: httpx.Client, post: Post, film: Callable[[int], Data]
    ) -> None:
        session = post(f"{ELEMENTS}/init-selection", {"video_id": film(5)["id"]})["session_id"]
        answer = client.post(LIP_SYNC, json={"session_id": session, "face_choose": []}).json()
        assert answer["message"] == f"Session id not found: {session}"

    def test_no_money_no_faces(self, client: httpx.Client, film: Callable[[int], Data], sandbox: SandboxServer) -> None:
        video_id = film(5)["id"]
        sandbox.settings(balance="0.04")
        assert client.post(FACES, json={"video_id": video_id}).json()["code"] == 1102


def runs(counts: str) -> list[int]:
    """The run lengths in COCO's compressed form, read independently of how they were written."""
    found: list[int] = []
    value, shift = 0, 0
    for character in counts:
        bits = ord(character) - 48
        value |= (bits & 0x1F) << shift
        shift += 5
        if not bits & 0x20:
            if bits & 0x10:
                value -= 1 << shift
            found.append(value + (found[-2] if len(found) > 2 else 0))
            value, shift = 0, 0
    return found
