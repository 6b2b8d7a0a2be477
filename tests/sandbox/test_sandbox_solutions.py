"""The solutions family: what each endpoint takes, what it makes, and that it has queries of its own."""

from __future__ import annotations

import base64
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from sandbox_calls import Clock, client_of

from airflow_provider_klingvideo.sandbox import SandboxServer, SandboxSettings
from airflow_provider_klingvideo.sandbox.drawing.ffmpeg import find_ffmpeg
from airflow_provider_klingvideo.sandbox.files.images import image_size

IMAGE, FILM, MUSIC = "https://images.invalid/a.png", "https://films.invalid/a.mp4", "https://sounds.invalid/a.mp3"
GOODS, CLOTHES = "/solutions/e-commerce/goods_studio", "/solutions/e-commerce/clothing_dupe"
AGENT, TRY_ON, DRAMA = "/solutions/talking_agent", "/solutions/virtual_try_on", "/solutions/drama_subtitle"


def item(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": kind, **fields}


def text(kind: str, words: str = "x") -> dict[str, Any]:
    return item(kind, text=words)


def image(kind: str = "ref_image", url: str = IMAGE) -> dict[str, Any]:
    return item(kind, url=url)


def body(*contents: dict[str, Any], **settings: Any) -> dict[str, Any]:
    return {"contents": list(contents), "settings": settings}


TITLE, SCRIPT, AVATAR = text("goods_title"), text("speech_script"), text("avatar_id", "avatar_lee_male")
STUDIO = {"resolution": "720p", "aspect_ratio": "9:16", "duration": 15}
SOURCE, INFO, DRESS = item("source_video", url=FILM), text("product_info"), image("product_image")
PERSON = image("person_image")
OWN_VOICE = {"voice_id": "female_warm_rich"}

ACCEPTED = [
    (GOODS, body(image(), TITLE, **STUDIO)),
    (GOODS, body(*[image()] * 5, text("goods_title", "x" * 200), text("goods_description", "x" * 2000), **STUDIO)),
    (GOODS, body(image(), TITLE, resolution="1080p", aspect_ratio="1:1", duration=60)),
    (CLOTHES, body(SOURCE, INFO, DRESS)),
    (
        CLOTHES,
        body(
            SOURCE,
            text("product_info", "x" * 2500),
            *[DRESS] * 5,
            *[image("model_image")] * 5,
            item("bgm", url=MUSIC),
            item("voice", voice_id="calm_sales_man"),
            resolution="1080p",
            aspect_ratio="21:9",
        ),
    ),
    (AGENT, body(AVATAR, SCRIPT)),
    (AGENT, body(image("avatar_image"), SCRIPT, **OWN_VOICE, speech_rate=0.8)),
    (AGENT, body(image("avatar_image"), SCRIPT, voiceId="female_warm_rich", speechRate=1.2, aspectRatio="16:9")),
    (AGENT, body(AVATAR, SCRIPT, image(), TITLE)),
    (
        AGENT,
        body(
            AVATAR,
            text("speech_script", "x" * 2000),
            *[image()] * 5,
            text("goods_title", "x" * 500),
            text("goods_price", "x" * 256),
            *[text("goods_target_audience", "x" * 200)] * 20,
            *[text("goods_selling_point", "x" * 500)] * 20,
            action_prompt="x" * 2500,
            bgm_enabled=True,
            allow_polish=True,
        ),
    ),
    (TRY_ON, body(DRESS, PERSON)),
    (TRY_ON, body(DRESS, PERSON, keep_face=False, keep_pose=False, keep_background=False)),
    (DRAMA, body(SOURCE)),
    (
        DRAMA,
        body(
            SOURCE,
            *[item("glossary", source="x" * 100, target="y" * 100)] * 200,
            target_cps=10,
            margin_v=4096,
            font_size=512,
            target_language="en",
        ),
    ),
]

NO_AVATAR = "Exactly one avatar source is required: provide avatar_image (with voiceId) or avatar_id, not both."
BAD_RESOLUTION = "Unsupported resolution. Only 720p and 1080p are supported."
BAD_TERM = "Each glossary entry must be non-empty and no longer than 100 characters."
NOT_POSITIVE = "margin_v, font_size and target_cps must be positive integers."
REFUSED = [
    (GOODS, body(TITLE, **STUDIO), "Product image is missing. Please upload a product image."),
    (GOODS, body(image(url=""), TITLE, **STUDIO), "Product image is missing. Please upload a product image."),
    (GOODS, body(*[image()] * 6, TITLE, **STUDIO), "At most 5 ref_image items are allowed in contents."),
    (GOODS, body(image(), **STUDIO), "Product title is missing. Please provide a product title."),
    (GOODS, body(image(), TITLE, TITLE, **STUDIO), "Only one goods_title item is allowed in contents."),
    (GOODS, body(image(), text("goods_title", "x" * 201), **STUDIO), "goods_title exceeds the 200-character limit."),
    (
        GOODS,
        body(image(), TITLE, *[text("goods_description")] * 2, **STUDIO),
        "Only one goods_description item is allowed in contents.",
    ),
    (
        GOODS,
        body(image(), TITLE, text("goods_description", "x" * 2001), **STUDIO),
        "goods_description exceeds the 2000-character limit.",
    ),
    (GOODS, body(image(), TITLE, **STUDIO | {"resolution": None}), BAD_RESOLUTION),
    (GOODS, body(image(), TITLE, **STUDIO | {"resolution": "4k"}), BAD_RESOLUTION),
    (
        GOODS,
        body(image(), TITLE, **STUDIO | {"aspect_ratio": "4:3"}),
        "aspect_ratio only supports 9:16, 1:1 and 16:9.",
    ),
    (
        GOODS,
        body(image(), TITLE, **STUDIO | {"duration": 20}),
        "Unsupported duration. Only 15, 30 and 60 seconds are supported.",
    ),
    (
        GOODS,
        body(image(), TITLE, **STUDIO | {"duration": None}),
        "Unsupported duration. Only 15, 30 and 60 seconds are supported.",
    ),
    (GOODS, body(PERSON, TITLE, **STUDIO), "contents[0].type value 'person_image' is invalid"),
    (GOODS, body(image(url="data:image/png;base64,AA=="), TITLE, **STUDIO), "File is not in a valid base64 format"),
    (CLOTHES, body(INFO, DRESS), "Reference video is missing. Please upload a reference video."),
    (CLOTHES, body(SOURCE, INFO), "Product image is missing. Please upload a product image."),
    (CLOTHES, body(SOURCE, DRESS), "Product description is missing. Please provide a product description."),
    (CLOTHES, body(SOURCE, INFO, DRESS, *[item("bgm", url=MUSIC)] * 2), "Only one bgm item is allowed in contents."),
    (
        CLOTHES,
        body(SOURCE, INFO, DRESS, item("bgm")),
        "bgm is provided but url is empty. Please provide a BGM file URL or remove bgm to use the system default BGM.",
    ),
    (
        CLOTHES,
        body(SOURCE, INFO, DRESS, item("voice", voice_id="female_warm_rich")),
        "Invalid voice_id. Please select a valid voice from the voice library.",
    ),
    (
        CLOTHES,
        body(SOURCE, INFO, DRESS, *[item("voice", voice_id="calm_sales_man")] * 2),
        "Only one voice item is allowed in contents.",
    ),
    (
        CLOTHES,
        body(SOURCE, INFO, DRESS, resolution="4k"),
        "Unsupported resolution. Only 720P and 1080P are supported.",
    ),
    (
        CLOTHES,
        body(SOURCE, INFO, DRESS, aspect_ratio="2:1"),
        "aspect_ratio only supports 9:16, 2:3, 3:4, 1:1, 4:3, 3:2, 16:9 and 21:9.",
    ),
    (CLOTHES, body(item("source_video", url="AAAA"), INFO, DRESS), "Video URL is invalid"),
    (AGENT, body(SCRIPT), NO_AVATAR),
    (AGENT, body(AVATAR, image("avatar_image"), SCRIPT, **OWN_VOICE), NO_AVATAR),
    (AGENT, body(image("avatar_image"), SCRIPT), "voiceId is required when uploading an avatar_image."),
    (AGENT, body(AVATAR, SCRIPT, **OWN_VOICE), "voiceId is not allowed when avatar_id is provided."),
    (AGENT, body(AVATAR), "speech_script is required for single-person videos."),
    (AGENT, body(AVATAR, text("speech_script", "x" * 2001)), "speech_script exceeds the 2000-character limit."),
    (
        AGENT,
        body(AVATAR, SCRIPT, text("goods_price")),
        "Product image is missing. Please upload at least one product image.",
    ),
    (AGENT, body(AVATAR, SCRIPT, image()), "goods_title is required when product content is provided."),
    (AGENT, body(AVATAR, SCRIPT, speech_rate=1.1), "speechRate only supports 0.8, 1.0 and 1.2."),
    (AGENT, body(AVATAR, SCRIPT, speech_rate=2), "speechRate only supports 0.8, 1.0 and 1.2."),
    (
        AGENT,
        body(AVATAR, SCRIPT, image(), TITLE, speech_rate=0.8),
        "Speech rate adjustment not supported in Video Commerce.",
    ),
    (AGENT, body(AVATAR, SCRIPT, resolution="4k"), BAD_RESOLUTION),
    (AGENT, body(AVATAR, SCRIPT, aspectRatio="1:1"), "aspect_ratio only supports 9:16 and 16:9."),
    (
        AGENT,
        body(AVATAR, SCRIPT, image(), TITLE, *[text("goods_selling_point")] * 21),
        "At most 20 goods_selling_point items are allowed in contents.",
    ),
    (TRY_ON, body(PERSON), "content item of type 'product_image' is required"),
    (TRY_ON, body(DRESS), "content item of type 'person_image' is required"),
    (TRY_ON, body(DRESS, PERSON, PERSON), "Only one person_image item is allowed in contents."),
    (TRY_ON, body(DRESS, image("person_image", "AAAA")), "Image URL is invalid"),
    (TRY_ON, body(DRESS, PERSON, keep_face="yes"), "settings.keep_face value type is invalid, expected boolean"),
    (
        DRAMA,
        body(item("glossary", source="a", target="b")),
        "Source video is missing. Please provide a source video URL.",
    ),
    (DRAMA, body(SOURCE, SOURCE), "Only one source_video item is allowed in contents."),
    (
        DRAMA,
        body(SOURCE, *[item("glossary", source="a", target="b")] * 201),
        "Glossary exceeds the limit of 200 entries.",
    ),
    (DRAMA, body(SOURCE, item("glossary", source="a", target="")), BAD_TERM),
    (DRAMA, body(SOURCE, item("glossary", source="a" * 101, target="b")), BAD_TERM),
    (DRAMA, body(SOURCE, margin_v=0), NOT_POSITIVE),
    (DRAMA, body(SOURCE, font_size=1.5), NOT_POSITIVE),
    (DRAMA, body(SOURCE, target_cps="17"), NOT_POSITIVE),
    (DRAMA, body(SOURCE, target_cps=9), "target_cps out of range. Please provide a value between 10 and 20."),
    (DRAMA, body(SOURCE, font_size=513), "font_size out of range. Please provide a value between 1 and 512."),
    (DRAMA, body(SOURCE, target_language="fr"), "settings.target_language value 'fr' is invalid"),
]


@pytest.mark.parametrize(("path", "request_body"), ACCEPTED)
def test_what_the_document_allows_is_accepted(client: httpx.Client, path: str, request_body: dict[str, Any]) -> None:
    response = client.post(path, json=request_body)
    assert response.status_code == 200, response.text
    assert response.json()["data"]["status"] == "submitted"


@pytest.mark.parametrize(("path", "request_body", "words"), REFUSED)
def test_what_it_does_not_allow_is_refused_in_its_words(
    client: httpx.Client, path: str, request_body: dict[str, Any], words: str
) -> None:
    response = client.post(path, json=request_body)
    assert (response.status_code, response.json()["code"], response.json()["message"]) == (400, 1201, words)
    assert client.post("/solutions", json={}).json()["data"] == {"count": 0, "has_more": False}


def test_a_signed_token_is_refused(sandbox: SandboxServer) -> None:
    answer = httpx.post(f"{sandbox.url}{GOODS}", headers={"Authorization": "Bearer a.b.c"}, trust_env=False)
    assert (answer.status_code, answer.json()["code"]) == (401, 1002)


def test_a_solution_that_does_not_exist_is_no_model(client: httpx.Client) -> None:
    answer = client.post("/solutions/e-commerce/other", json={})
    assert (answer.status_code, answer.json()["code"]) == (404, 1203)


def ended(client: httpx.Client, clock: Clock, task_id: str, query: str = "/solutions") -> dict[str, Any]:
    """A task at its end; it comes some time after its inputs were looked at."""
    clock.finish()
    while True:
        (task,) = client.get(query, params={"task_ids": task_id}).json()["data"]
        if task["status"] not in {"submitted", "processing"}:
            return dict(task)
        time.sleep(0.02)


def finished(client: httpx.Client, clock: Clock, path: str, request_body: Any) -> dict[str, Any]:
    created = client.post(path, json=request_body)
    assert created.status_code == 200, created.text
    data = created.json()["data"]
    return ended(client, clock, data.get("id") or data["task_id"])


@pytest.fixture
def sample(sandbox: SandboxServer) -> str:
    return f"{sandbox.url}/sandbox/samples/portrait.png"


@pytest.fixture
def film(client: httpx.Client, sandbox: SandboxServer, clock: Clock) -> str:
    """A film with sound, made by the sandbox itself."""
    settings = {"audio": "native", "aspect_ratio": "9:16"}
    created = client.post("/text-to-video/kling-3.0", json={"prompt": "film", "settings": settings}).json()["data"]
    return str(ended(client, clock, created["id"], "/tasks")["outputs"][0]["url"])


def test_goods_studio_makes_a_film(client: httpx.Client, sandbox: SandboxServer, clock: Clock, sample: str) -> None:
    request_body = body(image(url=sample), TITLE, **STUDIO) | {"options": {"watermark": {"enabled": True}}}
    task = finished(client, clock, GOODS, request_body)
    (output,) = task["outputs"]
    assert (output["type"], output["duration"]) == ("video", "15.041")
    assert "watermark_url" in output
    assert task["billing"] == [{"charge_type": "unit", "amount": "15", "package_type": "video"}]


def test_try_on_speaks_as_its_page_does(
    client: httpx.Client, sandbox: SandboxServer, clock: Clock, sample: str
) -> None:
    task = finished(client, clock, TRY_ON, body(image("product_image", sample), image("person_image", sample)))
    assert task["status"] == "succeed"
    assert "id" not in task
    (output,) = task["outputs"]
    picture = client.get(output["url"])
    assert picture.headers["content-type"] == "image/png"
    width, height = image_size(picture.content) or (0, 0)
    assert width < height  # as the portrait
    assert task["billing"][0]["package_type"] == "try_on"


def test_clothing_dupe_follows_its_film(
    client: httpx.Client, sandbox: SandboxServer, clock: Clock, sample: str, film: str
) -> None:
    contents = (item("source_video", url=film), INFO, image("product_image", sample), image("model_image", sample))
    task = finished(client, clock, CLOTHES, body(*contents))
    assert [output["type"] for output in task["outputs"]] == ["product_image", "model_images", "product_video"]
    assert task["outputs"][-1]["duration"] == "5.041"
    assert task["billing"][0]["amount"] == "5"
    assert client.get(task["outputs"][-1]["url"]).headers["content-type"] == "video/mp4"


def test_drama_subtitle_makes_a_film_and_two_files(
    client: httpx.Client, sandbox: SandboxServer, clock: Clock, film: str
) -> None:
    contents = (item("source_video", url=film), item("glossary", source="qi", target="{spirit}\nof\n\n9"))
    task = finished(client, clock, DRAMA, body(*contents))
    assert [output["type"] for output in task["outputs"]] == ["subbed_video", "srt", "ass"]
    _, srt, ass = (client.get(output["url"]).text for output in task["outputs"])
    assert srt.split("\n\n")[1].splitlines() == ["2", "00:00:03,000 --> 00:00:05,042", "(spirit) of 9"]
    assert ass.splitlines()[-1] == "Dialogue: 0,0:00:03.00,0:00:05.04,Default,(spirit) of 9"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"audio": "off"}, "No valid audio or video track detected in the source video."),
        (None, "The source video format is not supported. Please provide a decodable video file (MP4 recommended)."),
    ],
)
def test_drama_subtitle_has_words_of_its_own_for_films(
    client: httpx.Client, sandbox: SandboxServer, clock: Clock, sample: str, settings: Any, words: str
) -> None:
    url = sample
    if settings:
        made = client.post("/text-to-video/kling-3.0", json={"prompt": "film", "settings": settings}).json()["data"]
        url = ended(client, clock, made["id"], "/tasks")["outputs"][0]["url"]
    task = finished(client, clock, DRAMA, body(item("source_video", url=url)))
    assert (task["status"], task["message"]) == ("failed", words)


def webp(width: int, height: int, *options: str, tmp_path: Path) -> bytes:
    target = tmp_path / "a.webp"
    size = f"color=red:s={width}x{height}"
    encode = ("-c:v", "libwebp", *options)
    subprocess.run([find_ffmpeg(None), "-f", "lavfi", "-i", size, "-frames:v", "1", *encode, target], check=True)
    return target.read_bytes()


@pytest.mark.parametrize("options", [(), ("-lossless", "1"), ("-lossless", "1", "-pix_fmt", "bgra")])
def test_webp_is_taken_here_and_nowhere_else(
    client: httpx.Client, sandbox: SandboxServer, clock: Clock, tmp_path: Path, options: tuple[str, ...]
) -> None:
    content = webp(400, 300, *options, tmp_path=tmp_path)
    assert image_size(content) == (400, 300)
    encoded = base64.b64encode(content).decode()
    task = finished(client, clock, GOODS, body(image(url=encoded), TITLE, **STUDIO))
    assert client.get(task["outputs"][0]["url"]).headers["content-type"] == "video/mp4"
    first = {"contents": [{"type": "first_frame", "url": encoded}]}
    created = client.post("/image-to-video/kling-3.0", json=first).json()["data"]
    assert ended(client, clock, created["id"], "/tasks")["status"] == "failed"


def test_a_large_picture_cannot_be_tried_on(client: httpx.Client, clock: Clock, sample: str) -> None:
    wanted = {"model_name": "kling-v3", "prompt": "x", "resolution": "2k", "aspect_ratio": "16:9"}
    made = client.post("/v1/images/generations", json=wanted).json()["data"]
    large = ended(client, clock, made["task_id"], "/tasks")["outputs"][0]["url"]
    task = finished(client, clock, TRY_ON, body(image("product_image", sample), image("person_image", large)))
    assert (task["status"], task["outputs"], task["billing"]) == ("failed", [], [{"amount": "0"}])
    assert task["message"].startswith("The resolution or aspect ratio of the input image is invalid.")


def test_each_family_has_its_own_queries(client: httpx.Client) -> None:
    options = {"options": {"external_task_id": "mine"}}
    created = client.post(GOODS, json=body(image(), TITLE, **STUDIO) | options).json()["data"]
    other = client.post("/text-to-video/kling-3.0", json={"prompt": "x"}).json()["data"]
    assert created["external_id"] == "mine"
    both = f"{created['id']},{other['id']}"
    for path, task in (("/solutions", created), ("/tasks", other)):
        assert [found["id"] for found in client.get(path, params={"task_ids": both}).json()["data"]] == [task["id"]]
        assert [found["id"] for found in client.post(path, json={}).json()["data"]["result"]] == [task["id"]]
    assert client.get("/solutions", params={"external_task_ids": "mine"}).json()["data"][0]["id"] == created["id"]
    again = client.post("/text-to-video/kling-3.0", json={"prompt": "x"} | options)
    assert again.json()["message"] == "External_task_id mine already exists"
    assert client.get("/solutions").json()["message"] == "task_ids or external_task_ids is required"


def test_pages_of_solutions(client: httpx.Client, clock: Clock) -> None:
    ids, times = [], []
    for _ in range(3):
        clock.pass_(1)
        task = client.post(AGENT, json=body(AVATAR, SCRIPT)).json()["data"]
        ids.insert(0, task["id"])
        times.append(task["create_time"])

    def page(**request_body: Any) -> dict[str, Any]:
        return dict(client.post("/solutions", json=request_body).json()["data"])

    assert [task["id"] for task in page()["result"]] == ids
    assert page(limit=-5)["count"] == 1
    first = page(limit=0)
    assert (first["result"][0]["id"], first["has_more"]) == (ids[0], True)
    assert [task["id"] for task in page(cursor=first["next_cursor"])["result"]] == ids[1:]
    within = page(start_time=times[0], end_time=times[1])
    assert [task["id"] for task in within["result"]] == [ids[-1]]  # the start is included, the end is not
    assert page(filters=[{"key": "status", "values": ["failed"]}])["count"] == 0
    assert client.post("/solutions", json={"limit": 501}).status_code == 400
    refused = client.post("/solutions", json={"filters": [{"key": "product_type", "values": ["video"]}]})
    assert refused.json()["message"] == "filters[0].key value 'product_type' is invalid"


def test_solutions_survive_a_restart(tmp_path: Path) -> None:
    settings = SandboxSettings(state=tmp_path / "state.db", queue_seconds=0, generation_seconds=0, max_render_height=96)
    with SandboxServer(settings) as first, client_of(first) as client:
        portrait = f"{first.url}/sandbox/samples/portrait.png"
        created = client.post(
            TRY_ON, json=body(image("product_image", portrait), image("person_image", portrait))
        ).json()["data"]
        query = {"params": {"task_ids": created["task_id"]}}
        while (before := client.get("/solutions", **query).json()["data"][0])["status"] != "succeed":
            time.sleep(0.02)
    with SandboxServer(settings) as second, client_of(second) as client:
        (after,) = client.get("/solutions", **query).json()["data"]
        assert (after["task_id"], after["status"]) == (before["task_id"], "succeed")
        assert image_size(client.get(after["outputs"][0]["url"]).content)
