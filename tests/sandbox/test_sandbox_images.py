"""Pictures: what each product accepts, costs, makes and refuses."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import pytest
from sandbox_calls import Clock, Finished, client_of

from airflow_provider_klingvideo.sandbox import SandboxServer, SandboxSettings
from airflow_provider_klingvideo.sandbox.files.images import image_size, sample_png

IMAGE = "https://images.invalid/a.png"
PORTRAIT = base64.b64encode(sample_png("portrait")).decode()
ELEMENT = {"element_id": 829836802793406551}

GENERATIONS, OMNI = "/v1/images/generations", "/v1/images/omni-image"
SEVERAL, EXPAND = "/v1/images/multi-image2image", "/v1/images/editing/expand"
VIEWS, TRY_ON = "/v1/general/ai-multi-shot", "/v1/images/kolors-virtual-try-on"
RECOGNISE = "/v1/videos/image-recognize"


def expansion(up: float = 0.0, down: float = 0.0, left: float = 0.0, right: float = 0.0) -> dict[str, Any]:
    sides = {"up": up, "down": down, "left": left, "right": right}
    return {f"{side}_expansion_ratio": ratio for side, ratio in sides.items()}


def subjects(count: int) -> dict[str, Any]:
    return {"subject_image_list": [{"subject_image": IMAGE}] * count}


def references(count: int) -> list[dict[str, str]]:
    return [{"image": IMAGE}] * count


ACCEPTED: list[tuple[str, dict[str, Any], str, int]] = [
    (GENERATIONS, {"prompt": "a fox"}, "8", 1),
    (GENERATIONS, {"prompt": "a fox", "negative_prompt": "dogs", "n": 9, "resolution": "2k"}, "72", 9),
    (GENERATIONS, {"prompt": "a fox", "model_name": "kling-v2-1", "n": 2, "aspect_ratio": "21:9"}, "8", 2),
    (GENERATIONS, {"prompt": "a fox", "model_name": "kling-v2-1", "image": IMAGE, "image_fidelity": 0}, "8", 1),
    (
        GENERATIONS,
        {
            "prompt": "a fox",
            "model_name": "kling-v2-1",
            "image": IMAGE,
            "image_reference": "subject",
            "image_fidelity": 1,
            "human_fidelity": 0.3,
        },
        "8",
        1,
    ),
    (GENERATIONS, {"prompt": "a fox", "image": IMAGE, "element_list": [ELEMENT] * 9}, "8", 1),
    (GENERATIONS, {"prompt": "a fox", "n": None, "seed": 4, "watermark_info": {"enabled": True}}, "8", 1),
    (OMNI, {"prompt": "a fox"}, "8", 1),
    (OMNI, {"prompt": "a fox", "image_list": references(10), "n": 2}, "16", 2),
    (
        OMNI,
        {"prompt": "a fox", "model_name": "kling-v3-omni", "image_list": references(4), "element_list": [ELEMENT] * 6},
        "8",
        1,
    ),
    (OMNI, {"prompt": "a", "model_name": "kling-v3-omni", "resolution": "4k", "n": 2, "aspect_ratio": "3:2"}, "32", 2),
    (OMNI, {"prompt": "a", "model_name": "kling-v3-omni", "aspect_ratio": "1:1", "result_type": "series"}, "32", 4),
    (
        OMNI,
        {
            "prompt": "a",
            "model_name": "kling-v3-omni",
            "element_list": [ELEMENT],
            "result_type": "series",
            "series_amount": 9,
            "n": 2,
        },
        "72",
        9,
    ),
    (
        OMNI,
        {
            "prompt": "a",
            "model_name": "kling-v3-omni",
            "image_list": references(1),
            "result_type": "series",
            "series_amount": "auto",
        },
        "32",
        4,
    ),
    (SEVERAL, subjects(1), "16", 1),
    (SEVERAL, {**subjects(4), "scene_image": IMAGE, "style_image": IMAGE, "prompt": "a", "n": 3}, "48", 3),
    (EXPAND, {"image": IMAGE, **expansion(up=0.5, right=1)}, "8", 1),
    (EXPAND, {"image": IMAGE, **expansion(up=2), "n": 4, "prompt": "the sky"}, "32", 4),
    (EXPAND, {"image": IMAGE, **expansion()}, "8", 1),
    (VIEWS, {"element_frontal_image": IMAGE}, "20", 1),
    (TRY_ON, {"human_image": IMAGE, "cloth_image": IMAGE}, "1", 1),
    (TRY_ON, {"human_image": IMAGE, "cloth_image": IMAGE, "model_name": "kolors-virtual-try-on-v1-5"}, "1", 1),
]


@pytest.mark.parametrize(("path", "body", "units", "slots"), ACCEPTED)
def test_a_request_costs_what_the_price_list_says_and_takes_a_slot_for_each_picture(
    client: httpx.Client, sandbox: SandboxServer, path: str, body: dict[str, Any], units: str, slots: int
) -> None:
    response = client.post(path, json=body)
    assert response.status_code == 200, response.text
    ledger = sandbox.ledger()
    pack = "try_on" if path == TRY_ON else "image"
    assert ledger["tasks"][0]["quoted_units"] == units
    assert {name: entry["in_flight"] for name, entry in ledger["packs"].items() if entry["in_flight"]} == {pack: slots}


OMNI_3 = {"prompt": "a", "model_name": "kling-v3-omni", "aspect_ratio": "1:1"}
V2_1 = {"prompt": "a", "model_name": "kling-v2-1"}

REFUSED: list[tuple[str, dict[str, Any], str]] = [
    (GENERATIONS, {}, "prompt is required"),
    (GENERATIONS, {"prompt": " \n"}, "prompt is required"),
    (GENERATIONS, {"prompt": 3}, "prompt value type is invalid, expected string"),
    (GENERATIONS, {"prompt": "a" * 2501}, "prompt exceeds the 2500-character limit."),
    (GENERATIONS, {"prompt": "a", "negative_prompt": "a" * 2501}, "negative_prompt exceeds the 2500-character limit."),
    (
        GENERATIONS,
        {"prompt": "a", "negative_prompt": "b", "image": IMAGE},
        "negative_prompt cannot be used together with image",
    ),
    (
        GENERATIONS,
        {"prompt": "a", "model_name": "kling-v1-5"},
        "The model 'kling-v1-5' has been discontinued and is no longer available.",
    ),
    (
        GENERATIONS,
        {"prompt": "a", "model_name": "kling-v2-new"},
        "The model 'kling-v2-new' has been discontinued and is no longer available.",
    ),
    (GENERATIONS, {"prompt": "a", "model_name": "kling-v4"}, "model_name value 'kling-v4' is invalid"),
    (GENERATIONS, {"prompt": "a", "resolution": "4k"}, "resolution value '4k' is invalid"),
    (GENERATIONS, {"prompt": "a", "n": 0}, "n value '0' is invalid"),
    (GENERATIONS, {"prompt": "a", "n": 10}, "n value '10' is invalid"),
    (GENERATIONS, {"prompt": "a", "aspect_ratio": "auto"}, "aspect_ratio value 'auto' is invalid"),
    (GENERATIONS, {"prompt": "a", "image": "data:image/png;base64,AAAA"}, "File is not in a valid base64 format"),
    (
        GENERATIONS,
        {"prompt": "a", "image": base64.b64encode(bytes(10_000_001)).decode()},
        "File size exceeds the limit of 10MB",
    ),
    (
        GENERATIONS,
        {"prompt": "a", "image": IMAGE, "image_reference": "face"},
        "image_reference is not supported by the current model",
    ),
    (GENERATIONS, {"prompt": "a", "image_fidelity": 0.5}, "image_fidelity is not supported by the current model"),
    (GENERATIONS, {"prompt": "a", "human_fidelity": 0.5}, "human_fidelity is not supported by the current model"),
    (GENERATIONS, {**V2_1, "image_reference": "face"}, "image is required when image_reference is set"),
    (GENERATIONS, {**V2_1, "image": IMAGE, "image_reference": "all"}, "image_reference value 'all' is invalid"),
    (GENERATIONS, {**V2_1, "image": IMAGE, "image_fidelity": 1.1}, "image_fidelity value '1.1' is invalid"),
    (
        GENERATIONS,
        {**V2_1, "image": IMAGE, "image_reference": "face", "human_fidelity": 0.5},
        "human_fidelity is only supported when image_reference is subject",
    ),
    (GENERATIONS, {**V2_1, "element_list": [ELEMENT]}, "element_list is not supported by the current model"),
    (
        GENERATIONS,
        {"prompt": "a", "image": IMAGE, "element_list": [ELEMENT] * 10},
        "element_list exceeds the limit of 9 of the current model",
    ),
    (GENERATIONS, {"prompt": "a", "element_list": [{"element_id": 1}]}, "Element id not found: 1"),
    (OMNI, {"image_list": references(1)}, "prompt is required"),
    (OMNI, {"prompt": "a", "model_name": "kling-v3"}, "model_name value 'kling-v3' is invalid"),
    (OMNI, {"prompt": "a", "image_list": references(11)}, "image_list and element_list cannot exceed 10 in total"),
    (
        OMNI,
        {"prompt": "a", "image_list": references(5), "element_list": [ELEMENT] * 6},
        "element_list exceeds the limit of 5 of the current model",
    ),
    (OMNI, {"prompt": "a", "image_list": [{"image_url": IMAGE}]}, "image is required"),
    (OMNI, {"prompt": "a", "resolution": "4k"}, "resolution value '4k' is invalid"),
    (OMNI, {"prompt": "a", "result_type": "series"}, "result_type series is not supported by the current model"),
    (OMNI, {**OMNI_3, "result_type": "many"}, "result_type value 'many' is invalid"),
    (OMNI, {**OMNI_3, "result_type": "series", "series_amount": 1}, "series_amount value '1' is invalid"),
    (OMNI, {**OMNI_3, "result_type": "series", "series_amount": 10}, "series_amount value '10' is invalid"),
    (OMNI, {**OMNI_3, "result_type": "series", "series_amount": "all"}, "series_amount value 'all' is invalid"),
    (
        OMNI,
        {**OMNI_3, "aspect_ratio": "auto"},
        "aspect_ratio is required when there is no image and no element",
    ),
    (SEVERAL, {}, "subject_image_list must have 1 to 4 items"),
    (SEVERAL, subjects(5), "subject_image_list must have 1 to 4 items"),
    (SEVERAL, {"subject_image_list": [{}]}, "subject_image is required"),
    (SEVERAL, {**subjects(1), "aspect_ratio": "auto"}, "aspect_ratio value 'auto' is invalid"),
    (SEVERAL, {**subjects(1), "model_name": "kling-v3"}, "model_name value 'kling-v3' is invalid"),
    (
        SEVERAL,
        {**subjects(1), "model_name": "kling-v2"},
        "The model 'kling-v2' has been discontinued and is no longer available.",
    ),
    (EXPAND, expansion(), "image is required"),
    (EXPAND, {"image": IMAGE, "up_expansion_ratio": 1}, "down_expansion_ratio is required"),
    (EXPAND, {"image": IMAGE, **expansion(up=2.1)}, "up_expansion_ratio value '2.1' is invalid"),
    (EXPAND, {"image": IMAGE, **expansion(up=-0.1)}, "up_expansion_ratio value '-0.1' is invalid"),
    (
        EXPAND,
        {"image": IMAGE, **expansion(0.5, 0.5, 0.5, 0.1)},
        "the area of the new image cannot exceed 3 times that of the original one",
    ),
    (VIEWS, {}, "element_frontal_image is required"),
    (TRY_ON, {"human_image": IMAGE}, "cloth_image is required"),
    (
        TRY_ON,
        {"human_image": IMAGE, "cloth_image": IMAGE, "model_name": "kolors"},
        "model_name value 'kolors' is invalid",
    ),
    (RECOGNISE, {}, "image is required"),
    (RECOGNISE, {"image": IMAGE}, "Something went wrong when we tried to get the contents of the file."),
    (
        RECOGNISE,
        {"image": base64.b64encode(b"GIF89a").decode()},
        "Something went wrong when we tried to get the contents of the file.",
    ),
]


@pytest.mark.parametrize(("path", "body", "words"), REFUSED)
def test_what_breaks_a_rule_is_refused_in_the_words_of_the_vendor(
    client: httpx.Client, sandbox: SandboxServer, path: str, body: dict[str, Any], words: str
) -> None:
    response = client.post(path, json=body)
    assert (response.status_code, response.json()["code"]) == (400, 1201), response.text
    assert response.json()["message"] == words
    assert sandbox.ledger()["tasks"] == []


def download(url: str) -> httpx.Response:
    response = httpx.get(url, trust_env=False, timeout=60)
    assert response.status_code == 200, response.text
    return response


class TestResults:
    def test_every_picture_is_a_png_of_its_own(self, client: httpx.Client, finished: Finished) -> None:
        task = finished(GENERATIONS, {"prompt": "a fox", "n": 2, "watermark_info": {"enabled": True}})
        first, second = task["task_result"]["images"]
        assert (first["index"], second["index"]) == (0, 1)
        answers = [download(url) for url in (first["url"], second["url"], first["watermark_url"])]
        assert {answer.headers["content-type"] for answer in answers} == {"image/png"}
        assert {image_size(answer.content) for answer in answers} == {(170, 96)}  # no higher than the test wants it
        assert len({answer.content for answer in answers}) == 3
        (view,) = client.get("/tasks", params={"task_ids": task["task_id"]}).json()["data"]
        assert [output["url"] for output in view["outputs"]] == [first["url"], second["url"]]
        assert view["outputs"][0] == {"type": "image", "url": first["url"], "watermark_url": first["watermark_url"]}
        assert view["billing"] == [{"charge_type": "unit", "amount": "16", "package_type": "image"}]

    def test_there_is_no_marked_picture_where_none_was_wanted(self, finished: Finished) -> None:
        (image,) = finished(GENERATIONS, {"prompt": "a fox"})["task_result"]["images"]
        assert image.keys() == {"index", "url"}

    @pytest.mark.parametrize(
        ("amount", "count"), [(None, 4), (3, 3), ("auto", 4)], ids=["by default", "chosen", "automatic"]
    )
    def test_a_series_has_an_array_of_its_own(
        self, client: httpx.Client, finished: Finished, amount: int | str | None, count: int
    ) -> None:
        body = {**OMNI_3, "result_type": "series", "series_amount": amount}
        task = finished(OMNI, body)
        assert task["task_result"].keys() == {"result_type", "series_images"}
        assert task["task_result"]["result_type"] == "series"
        assert [image["index"] for image in task["task_result"]["series_images"]] == list(range(count))
        (view,) = client.get("/tasks", params={"task_ids": task["task_id"]}).json()["data"]
        assert [output["type"] for output in view["outputs"]] == ["image"] * count
        assert len({output["group_id"] for output in view["outputs"]}) == 1

    def test_a_single_omni_image_says_that_it_is_one(self, finished: Finished) -> None:
        result = finished(OMNI, {"prompt": "a fox"})["task_result"]
        assert (result["result_type"], len(result["images"])) == ("single", 1)

    def test_each_of_three_views_comes_in_three_versions(self, finished: Finished) -> None:
        images = finished(VIEWS, {"element_frontal_image": PORTRAIT})["task_result"]["images"]
        assert [image["index"] for image in images] == [0, 1, 2]
        assert all(image.keys() == {"index", "url_1", "url_2", "url_3"} for image in images)
        assert len({image[f"url_{number}"] for image in images for number in (1, 2, 3)}) == 9
        assert download(images[2]["url_3"]).headers["content-type"] == "image/png"

    def test_an_expanded_picture_has_no_marked_version(self, finished: Finished) -> None:
        body = {"image": PORTRAIT, **expansion(up=0.5), "watermark_info": {"enabled": True}}
        (image,) = finished(EXPAND, body)["task_result"]["images"]
        assert image.keys() == {"index", "url"}

    def test_recognition_answers_at_once_and_costs_video_units(
        self, client: httpx.Client, sandbox: SandboxServer
    ) -> None:
        data = client.post(RECOGNISE, json={"image": PORTRAIT}).json()["data"]
        images = data["task_result"]["images"]
        assert [image["type"] for image in images] == ["object_seg", "head_seg", "face_seg", "cloth_seg"]
        assert all(image["is_contain"] for image in images)
        assert download(images[1]["url"]).headers["content-type"] == "image/png"
        assert data["final_unit_deduction"] == "0.1"
        assert sandbox.ledger()["packs"]["video"]["spent_units"] == "0.1"


@pytest.fixture
def large(clock: Clock) -> Any:
    """A sandbox that draws pictures as large as they are."""
    settings = SandboxSettings(queue_seconds=0, generation_seconds=0)
    with SandboxServer(settings, clock=clock) as server, client_of(server) as client:
        yield client


class TestSizes:
    @pytest.mark.parametrize(
        ("path", "body", "size"),
        [
            (GENERATIONS, {"prompt": "a fox", "aspect_ratio": "1:1"}, (1024, 1024)),
            (GENERATIONS, {"prompt": "a fox", "aspect_ratio": "4:3", "resolution": "2k"}, (2364, 1774)),
            (OMNI, {"prompt": "a fox", "image_list": [{"image": PORTRAIT}]}, (768, 1366)),
            (EXPAND, {"image": PORTRAIT, **expansion(up=0.25, down=0.25, left=0.5)}, (1080, 1920)),
            (TRY_ON, {"human_image": PORTRAIT, "cloth_image": PORTRAIT}, (720, 1280)),
        ],
    )
    def test_a_picture_is_as_large_as_was_asked_for(
        self, large: httpx.Client, path: str, body: dict[str, Any], size: tuple[int, int]
    ) -> None:
        task_id = large.post(path, json=body).json()["data"]["task_id"]
        while (task := large.get(f"{path}/{task_id}").json()["data"])["task_status"] != "succeed":
            assert task["task_status"] != "failed", task
        assert image_size(download(task["task_result"]["images"][0]["url"]).content) == size


class TestInputs:
    @pytest.mark.parametrize("image", [IMAGE, base64.b64encode(b"no picture").decode()])
    def test_an_input_that_cannot_be_read_fails_the_task_for_nothing(
        self, finished: Finished, sandbox: SandboxServer, image: str
    ) -> None:
        task = finished(GENERATIONS, {"prompt": "a fox", "image": image})
        assert task["task_status"] == "failed"
        assert task["task_status_msg"] == "Something went wrong when we tried to get the contents of the file."
        assert task["task_result"] == {}
        assert sandbox.ledger()["packs"]["image"]["spent_units"] == "0"

    def test_the_second_input_is_looked_at_too(self, finished: Finished) -> None:
        task = finished(TRY_ON, {"human_image": PORTRAIT, "cloth_image": IMAGE})
        assert task["task_status"] == "failed"


class TestAccount:
    def test_pictures_do_not_take_the_slots_or_units_of_clips(
        self, client: httpx.Client, sandbox: SandboxServer
    ) -> None:
        sandbox.settings(slots=0, balance="0")
        assert client.post(GENERATIONS, json={"prompt": "a fox", "n": 9}).status_code == 200
        answer = client.post(GENERATIONS, json={"prompt": "a fox"})
        assert (answer.status_code, answer.json()["code"]) == (429, 1303)
        sandbox.settings(image_balance="79")
        answer = client.post(GENERATIONS, json={"prompt": "a fox"})
        assert (answer.status_code, answer.json()["code"]) == (429, 1102)

    def test_a_list_shows_the_tasks_of_its_own_path(self, client: httpx.Client, finished: Finished) -> None:
        shown = finished(OMNI, {"prompt": "a fox"})
        finished(GENERATIONS, {"prompt": "a fox"})
        assert client.get(OMNI).json()["data"] == [shown]
        page = client.post("/tasks", json={"filters": [{"key": "product_type", "values": ["image"]}]}).json()["data"]
        assert page["count"] == 2

    def test_pictures_survive_a_restart(self, tmp_path: Any, clock: Clock) -> None:
        settings = SandboxSettings(
            state=tmp_path / "state.db", queue_seconds=0, generation_seconds=0, max_render_height=96
        )
        with SandboxServer(settings, clock=clock) as server, client_of(server) as client:
            body = {**OMNI_3, "result_type": "series"}
            task_id = client.post(OMNI, json=body).json()["data"]["task_id"]
            views = client.post(VIEWS, json={"element_frontal_image": PORTRAIT}).json()["data"]["task_id"]
            before = client.get(f"{OMNI}/{task_id}").json()["data"]
        with SandboxServer(settings, clock=clock) as server, client_of(server) as client:
            after = client.get(f"{OMNI}/{task_id}").json()["data"]
            assert len(after["task_result"]["series_images"]) == len(before["task_result"]["series_images"]) == 4
            while (task := client.get(f"{VIEWS}/{views}").json()["data"])["task_status"] != "succeed":
                assert task["task_status"] != "failed", task
            download(task["task_result"]["images"][0]["url_1"])
