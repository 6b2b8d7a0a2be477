"""The ledgers of the account: what tasks took from the resource packs."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from sandbox_calls import Clock, Create, Finished

from airflow_provider_klingvideo.sandbox import SandboxServer

Data = dict[str, Any]

PACKAGE, BALANCE = "/account/billing/package", "/account/billing/balance"
PICTURE = "/v1/images/generations"
SPEECH = "/v1/audio/tts"
HELLO = {"text": "Hello", "voice_id": "oversea_male1", "voice_language": "en"}


def window(clock: Clock, **more: Any) -> Data:
    now = int(clock() * 1000)
    return {"start_time": now - 86_400_000, "end_time": now, **more}


def only(key: str, *values: str) -> Data:
    return {"filters": [{"key": key, "values": list(values)}]}


@pytest.fixture
def spent(create: Create, finished: Finished, client: httpx.Client, clock: Clock) -> list[str]:
    """The ids of three tasks that cost something, oldest first; the fourth failed."""
    clip = create("a fox", settings={"audio": "native", "duration": 5})
    create("a fox [sandbox:fail=no]", settings={"duration": 5})
    clock.finish()
    picture = finished(PICTURE, {"prompt": "a fox", "n": 2})["task_id"]
    speech = client.post(SPEECH, json=HELLO).json()["data"]["task_id"]
    return [clip, picture, speech]


def ask(client: httpx.Client, path: str, body: Data) -> Data:
    response = client.post(path, json=body)
    assert response.status_code == 200, response.text
    return dict(response.json()["data"])


def ids(page: Data) -> list[str]:
    return [row["task_id"] for row in page["result"]["detail"]]


class TestPackageLedger:
    def test_it_shows_what_succeeded_tasks_took_newest_first(
        self, client: httpx.Client, clock: Clock, spent: list[str], sandbox: SandboxServer
    ) -> None:
        page = ask(client, PACKAGE, window(clock))
        assert (page["result"]["count"], page["has_more"], page["next_cursor"]) == (3, False, "")
        assert ids(page) == spent[::-1]
        speech, picture, clip = page["result"]["detail"]
        row = sandbox.ledger()["tasks"][-1]
        assert clip == {
            "task_id": spent[0],
            "api_key_name": "SANDBOX",
            "product_function": "Text to Video",
            "model_name": "kling-3.0",
            "resolution": "720p",
            "duration": "5.04",
            "refer_video_input": False,
            "video_sound": "native",
            "voice_control": False,
            "deduction_time": str(row["updated_at"]),
            "package_id": "sandbox-video-10000units-5con",
            "product_type": "video",
            "unit_before_deduction": 10_000,
            "deduction_amount": 4.5,
            "unit_after_deduction": 9995.5,
        }
        assert (speech["unit_before_deduction"], speech["unit_after_deduction"]) == (9995.5, 9995.45)
        assert (picture["unit_before_deduction"], picture["unit_after_deduction"]) == (10_000, 9984)
        assert (picture["product_type"], picture["duration"], picture["video_sound"]) == ("image", "", "off")

    def test_the_packs_are_those_of_the_account(self, client: httpx.Client, clock: Clock, spent: list[str]) -> None:
        costs = client.get("/account/costs", params=window(clock)).json()["data"]["resource_pack_subscribe_infos"]
        names = {pack["resource_pack_id"]: pack["resource_pack_name"] for pack in costs}
        (clip,) = [row for row in ask(client, PACKAGE, window(clock))["result"]["detail"] if row["task_id"] == spent[0]]
        page = ask(client, PACKAGE, window(clock, **only("package_name", names[clip["package_id"]])))
        assert ids(page) == [spent[2], spent[0]]
        assert ids(ask(client, PACKAGE, window(clock, **only("package_id", clip["package_id"])))) == ids(page)

    @pytest.mark.parametrize(
        ("filters", "found"),
        [
            ([("product_type", ["image"])], [1]),
            ([("product_type", ["image", "video"])], [2, 1, 0]),
            ([("product_type", ["image"]), ("product_type", ["video"])], [2, 1, 0]),
            ([("product_type", ["try-on"])], []),
            ([("api_key_name", ["SANDBOX"])], [2, 1, 0]),
            ([("api_key_name", ["SANDBOX"]), ("product_type", ["image"])], [1]),
            ([("api_key_name", ["somebody"]), ("product_type", ["image"])], []),
        ],
    )
    def test_one_value_of_every_key_has_to_fit(
        self,
        client: httpx.Client,
        clock: Clock,
        spent: list[str],
        filters: list[tuple[str, list[str]]],
        found: list[int],
    ) -> None:
        wanted = [{"key": key, "values": values} for key, values in filters]
        assert ids(ask(client, PACKAGE, window(clock, filters=wanted))) == [spent[number] for number in found]

    def test_a_cursor_goes_on_with_the_same_question(
        self, client: httpx.Client, clock: Clock, spent: list[str]
    ) -> None:
        body = window(clock, limit=1, **only("product_type", "video"))
        first = ask(client, PACKAGE, body)
        assert (ids(first), first["has_more"]) == ([spent[2]], True)
        client.post(SPEECH, json=HELLO)
        second = ask(client, PACKAGE, {"cursor": first["next_cursor"], "start_time": 1, "limit": 500})
        assert (ids(second), second["has_more"]) == ([spent[0]], False)

    def test_only_the_asked_for_time_is_shown(self, client: httpx.Client, clock: Clock, spent: list[str]) -> None:
        body = window(clock)
        ended = int(ask(client, PACKAGE, body)["result"]["detail"][-1]["deduction_time"])
        assert ids(ask(client, PACKAGE, {**body, "end_time": ended})) == [spent[0]]
        assert ids(ask(client, PACKAGE, {**body, "start_time": str(ended + 1)})) == [spent[2], spent[1]]


class TestBalanceLedger:
    def test_packs_pay_for_everything(self, client: httpx.Client, clock: Clock, spent: list[str]) -> None:
        page = ask(client, BALANCE, window(clock, **only("api_key_name", "SANDBOX")))
        assert page == {"result": {"detail": [], "count": 0}, "next_cursor": "", "has_more": False}


@pytest.mark.parametrize("path", [PACKAGE, BALANCE])
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"start_time": None}, "start_time is required"),
        ({"end_time": None}, "end_time is required"),
        ({"end_time": "tomorrow"}, "end_time value 'tomorrow' is invalid"),
        ({"limit": 0}, "limit value '0' is invalid"),
        ({"limit": 501}, "limit value '501' is invalid"),
        (only("status", "succeeded"), "filters[0].key value 'status' is invalid"),
        ({"cursor": "nonsense"}, "cursor is invalid"),
        ({"cursor": "WzEsMiwzXQ=="}, "cursor is invalid"),
        ({"cursor": "W3t9LCAxZTQwMCwgIngiXQ=="}, "cursor is invalid"),
    ],
)
def test_what_cannot_be_understood_is_refused(
    client: httpx.Client, clock: Clock, path: str, change: Data, words: str
) -> None:
    response = client.post(path, json=window(clock) | change)
    assert (response.status_code, response.json()["code"]) == (400, 1201), response.text
    assert response.json()["message"] == words


@pytest.mark.parametrize(
    ("filters", "words"),
    [
        (
            [{"key": "package_name", "values": ["a"]}, {"key": "package_id", "values": ["a"]}],
            "only one of package_name and package_id is allowed",
        ),
        ([{"key": "product_type", "values": ["try_on"]}], "filters[0].values value '['try_on']' is invalid"),
    ],
)
def test_packages_have_filters_of_their_own(
    client: httpx.Client, clock: Clock, filters: list[Data], words: str
) -> None:
    response = client.post(PACKAGE, json=window(clock, filters=filters))
    assert (response.status_code, response.json()["message"]) == (400, words)
    refused = client.post(BALANCE, json=window(clock, filters=filters))
    assert refused.json()["message"].startswith("filters[0].key value")


def test_without_credentials_nobody_looks(clock: Clock, sandbox: SandboxServer) -> None:
    answer = httpx.post(f"{sandbox.url}{PACKAGE}", json=window(clock), trust_env=False)
    assert (answer.status_code, answer.json()["code"]) == (401, 1001)
