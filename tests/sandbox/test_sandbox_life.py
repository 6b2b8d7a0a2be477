"""The life of a task: status, money, slots, queries, and what a restart keeps."""

from __future__ import annotations

import base64
import sqlite3
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from sandbox_calls import GENERATION_SECONDS, QUEUE_SECONDS, Clock, Create, Look, client_of

from airflow_provider_klingvideo.sandbox import SandboxServer, SandboxSettings
from airflow_provider_klingvideo.sandbox.files.images import sample_png

LEGACY = "/v1/videos/text2video"


def legacy_task(client: httpx.Client, **body: Any) -> str:
    response = client.post(LEGACY, json={"model_name": "kling-v3", "prompt": "a fox", **body})
    assert response.status_code == 200, response.text
    return str(response.json()["data"]["task_id"])


def until(condition: Any) -> None:
    """Wait for what happens in the background."""
    for _ in range(200):
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("it did not happen")


class TestNewGeneration:
    def test_a_created_task_is_submitted(self, client: httpx.Client, clock: Clock) -> None:
        body = {"prompt": "a fox", "options": {"external_task_id": "run-1"}}
        data = client.post("/text-to-video/kling-3.0", json=body).json()["data"]
        now = int(clock() * 1000)
        assert data == {
            "id": data["id"],
            "status": "submitted",
            "external_id": "run-1",
            "message": "",
            "create_time": now,
            "update_time": now,
        }
        assert len(data["id"]) == 18
        assert data["id"].isdigit()

    def test_it_moves_with_the_clock_alone(self, create: Create, look: Look, clock: Clock) -> None:
        task_id = create()
        begun = int(clock() * 1000)
        seen = []
        for seconds in (0, QUEUE_SECONDS, GENERATION_SECONDS - 1, 1):
            clock.pass_(seconds)
            task = look(task_id)
            seen.append((task["status"], (task["update_time"] - begun) / 1000, "outputs" in task, "billing" in task))
        assert seen == [
            ("submitted", 0, False, False),
            ("processing", QUEUE_SECONDS, False, False),
            ("processing", QUEUE_SECONDS, False, False),
            ("succeeded", QUEUE_SECONDS + GENERATION_SECONDS, True, True),
        ]

    def test_success_has_outputs_and_a_bill(self, create: Create, look: Look, clock: Clock) -> None:
        task_id = create(settings={"duration": 3, "resolution": "1080p"})
        clock.finish()
        task = look(task_id)
        (output,) = task["outputs"]
        assert (output["type"], output["duration"], "watermark_url" in output) == ("video", "3.041", False)
        assert task["billing"] == [{"charge_type": "unit", "amount": "2.4", "package_type": "video"}]
        assert "external_id" not in task

    def test_failure_costs_nothing_and_says_why(
        self, create: Create, look: Look, clock: Clock, sandbox: SandboxServer
    ) -> None:
        task_id = create("a fox [sandbox:fail=Failure of the week]")
        clock.finish()
        task = look(task_id)
        assert (task["status"], task["message"]) == ("failed", "Failure of the week")
        assert (task["outputs"], task["billing"]) == ([], [{"amount": "0"}])
        assert sandbox.ledger()["spent_units"] == "0"

    def test_five_seconds_are_a_little_more(self, create: Create, look: Look, clock: Clock) -> None:
        task_id = create()
        clock.finish()
        assert look(task_id)["outputs"][0]["duration"] == "5.041"

    def test_a_watermark_is_an_output_of_its_own(self, create: Create, look: Look, clock: Clock) -> None:
        task_id = create(options={"watermark_info": {"enabled": True}})
        clock.finish()
        (output,) = look(task_id)["outputs"]
        assert output["watermark_url"] != output["url"]


class TestLegacyGeneration:
    def test_a_created_task_has_no_result(self, client: httpx.Client) -> None:
        body = {"model_name": "kling-v3", "prompt": "a"}
        data = client.post(LEGACY, json=body).json()["data"]
        assert (data["task_status"], data["task_info"]) == ("submitted", {})
        assert set(data) == {"task_id", "task_status", "task_info", "created_at", "updated_at"}

    def test_success(self, client: httpx.Client, clock: Clock) -> None:
        task_id = legacy_task(client, external_task_id="run-2", watermark_info={"enabled": True})
        clock.finish()
        data = client.get(f"{LEGACY}/{task_id}").json()["data"]
        (video,) = data["task_result"]["videos"]
        assert set(video) == {"id", "url", "watermark_url", "duration"}
        assert (data["task_status"], data["task_status_msg"], data["task_info"]) == (
            "succeed",
            "",
            {"external_task_id": "run-2"},
        )
        assert (data["final_unit_deduction"], data["watermark_info"]) == ("3", {"enabled": True})
        assert data["final_balance_deduction"] == {"quota": "0", "list_price": "0"}

    def test_failure(self, client: httpx.Client, clock: Clock) -> None:
        task_id = legacy_task(client, prompt="[sandbox:fail]")
        clock.finish()
        response = client.get(f"{LEGACY}/{task_id}")
        data = response.json()["data"]
        assert (response.status_code, data["task_status"], data["task_result"]) == (200, "failed", {})
        assert data["task_status_msg"] == "Failure to pass the risk control system"

    @pytest.mark.parametrize("external_id", ["run-3", "a b", "run%2F3", "läuft", "?x=1"])
    def test_the_external_id_finds_it_too(self, client: httpx.Client, external_id: str) -> None:
        task_id = legacy_task(client, external_task_id=external_id)
        found = client.get(f"{LEGACY}/{quote(external_id, safe='')}")
        assert found.json()["data"]["task_id"] == task_id

    def test_a_path_knows_only_its_own_tasks(self, client: httpx.Client, create: Create) -> None:
        legacy, new = legacy_task(client), create()
        for path in (f"/v1/videos/image2video/{legacy}", f"{LEGACY}/{new}", f"{LEGACY}/1"):
            response = client.get(path)
            key = path.rsplit("/", 1)[1]
            assert (response.status_code, response.json()["code"], response.json()["message"]) == (
                400,
                1201,
                f"Task not found by id/external id: {key}",
            )

    def test_pages(self, client: httpx.Client, sandbox: SandboxServer, create: Create) -> None:
        sandbox.settings(slots=9)
        ids = [legacy_task(client) for _ in range(5)]
        create()
        pages = [client.get(LEGACY, params={"pageNum": page, "pageSize": 2}).json()["data"] for page in (1, 2, 3, 4)]
        assert [[task["task_id"] for task in page] for page in pages] == [
            [ids[4], ids[3]],
            [ids[2], ids[1]],
            [ids[0]],
            [],
        ]

    @pytest.mark.parametrize("query", ["pageNum=0", "pageNum=1001", "pageSize=501", "pageSize=x", "pageNum=-1"])
    def test_pages_that_are_none(self, client: httpx.Client, query: str) -> None:
        name, value = query.split("=")
        assert client.get(f"{LEGACY}?{query}").json()["message"] == f"{name} value '{value}' is invalid"


class TestQueries:
    def test_both_generations_in_one_spelling(self, client: httpx.Client, create: Create, clock: Clock) -> None:
        ids = [create(), legacy_task(client, external_task_id="run-4")]
        clock.finish()
        tasks = client.get("/tasks", params={"task_ids": ",".join([*ids, "1", ids[0]])}).json()["data"]
        assert [(task["id"], task["status"]) for task in tasks] == [(task_id, "succeeded") for task_id in ids]
        (by_name,) = client.get("/tasks", params={"external_task_ids": "run-4, nobody"}).json()["data"]
        assert by_name["id"] == ids[1]

    def test_an_external_id_is_no_id(self, client: httpx.Client, create: Create) -> None:
        task_id = create(options={"external_task_id": "run-5"})
        assert client.get("/tasks?task_ids=run-5").json()["data"] == []
        assert client.get(f"/tasks?external_task_ids={task_id}").json()["data"] == []

    @pytest.mark.parametrize(
        ("query", "said"),
        [
            ("", "task_ids or external_task_ids is required"),
            ("task_ids=,", "task_ids or external_task_ids is required"),
            ("task_ids=1&external_task_ids=2", "only one of task_ids and external_task_ids is allowed"),
            (
                "task_ids=" + ",".join(map(str, range(21))),
                "task_ids and external_task_ids cannot exceed 20 in total",
            ),
        ],
    )
    def test_what_is_refused(self, client: httpx.Client, query: str, said: str) -> None:
        response = client.get(f"/tasks?{query}")
        assert (response.status_code, response.json()["code"], response.json()["message"]) == (400, 1201, said)

    def test_twenty_are_not_too_many(self, client: httpx.Client) -> None:
        assert client.get("/tasks?task_ids=" + ",".join(map(str, range(20)))).status_code == 200


class TestListing:
    def test_an_empty_account_has_no_result(self, client: httpx.Client) -> None:
        assert client.post("/tasks", json={}).json()["data"] == {"count": 0, "has_more": False}

    def test_the_cursor_leads_through_everything(
        self, client: httpx.Client, create: Create, clock: Clock, sandbox: SandboxServer
    ) -> None:
        sandbox.settings(slots=9)
        ids = []
        for _ in range(5):
            ids.append(create())
            clock.pass_(0.5)
        seen, body, more = [], {"limit": 2}, True
        while more:
            data = client.post("/tasks", json=body).json()["data"]
            assert data["count"] == len(data["result"])
            seen += [task["id"] for task in data["result"]]
            more = data["has_more"]
            body = {"limit": 2, "cursor": data.get("next_cursor"), "start_time": 1, "end_time": 2}
        assert seen == ids[::-1]

    def test_times_are_inclusive_and_may_be_texts(self, client: httpx.Client, create: Create, clock: Clock) -> None:
        create()
        clock.pass_(1)
        wanted, at = create(), int(clock() * 1000)
        clock.pass_(1)
        create()
        data = client.post("/tasks", json={"start_time": str(at), "end_time": at}).json()["data"]
        assert [task["id"] for task in data["result"]] == [wanted]

    def test_the_default_is_the_last_thirty_days(self, client: httpx.Client, create: Create, clock: Clock) -> None:
        create()
        clock.pass_(31 * 86_400)
        assert client.post("/tasks", json={}).json()["data"]["count"] == 0

    def test_filters(self, client: httpx.Client, create: Create, clock: Clock) -> None:
        done, failed = create(), create("[sandbox:fail]")
        clock.finish()
        running = create()

        def found(*filters: dict[str, Any]) -> list[str]:
            data = client.post("/tasks", json={"filters": list(filters)}).json()["data"]
            return [task["id"] for task in data.get("result", [])]

        assert found({"key": "status", "values": ["succeeded"]}) == [done]
        assert found({"key": "status", "values": ["failed"]}, {"key": "status", "values": ["submitted"]}) == [
            running,
            failed,
        ]
        assert found({"key": "product_type", "values": ["image"]}) == []
        assert found({"key": "product_type", "values": ["video"]}, {"key": "status", "values": ["failed"]}) == [failed]

    @pytest.mark.parametrize(
        ("body", "said"),
        [
            ({"limit": 0}, "limit value '0' is invalid"),
            ({"limit": 501}, "limit value '501' is invalid"),
            ({"cursor": "???"}, "cursor is invalid"),
            ({"cursor": base64.urlsafe_b64encode(b'{"a": 1}').decode()}, "cursor is invalid"),
            ({"start_time": "yesterday"}, "start_time value 'yesterday' is invalid"),
            ({"end_time": 1.5}, "end_time value '1.5' is invalid"),
            ({"filters": [{"key": "colour", "values": ["red"]}]}, "filters[0].key value 'colour' is invalid"),
            ({"filters": [{}]}, "filters[0].key value 'None' is invalid"),
            (
                {"filters": [{"key": "status", "values": ["succeed"]}]},
                "filters[0].values value '['succeed']' is invalid",
            ),
            ({"filters": [{"key": "status"}]}, "filters[0].values value 'None' is invalid"),
        ],
    )
    def test_what_is_refused(self, client: httpx.Client, body: dict[str, Any], said: str) -> None:
        response = client.post("/tasks", json=body)
        assert (response.status_code, response.json()["message"]) == (400, said)


class TestAccount:
    def test_an_external_id_is_used_once_over_everything(
        self, client: httpx.Client, create: Create, clock: Clock, sandbox: SandboxServer
    ) -> None:
        create("[sandbox:fail]", options={"external_task_id": "mine"})
        clock.finish()
        again = {"prompt": "other", "options": {"external_task_id": "mine"}}
        for path, body in (
            ("/text-to-video/kling-2.6", again),
            (LEGACY, {"model_name": "kling-v3", "prompt": "other", "external_task_id": "mine"}),
        ):
            response = client.post(path, json=body)
            assert (response.status_code, response.json()["code"]) == (400, 1201)
            assert response.json()["message"] == "External_task_id mine already exists"
        assert len(sandbox.ledger()["tasks"]) == 1

    def test_an_empty_external_id_is_none(self, create: Create) -> None:
        assert create(options={"external_task_id": ""}) != create(options={"external_task_id": ""})

    def test_success_is_deducted_at_success(self, create: Create, clock: Clock, sandbox: SandboxServer) -> None:
        create()
        assert (sandbox.ledger()["balance"], sandbox.ledger()["tasks"][0]["units"]) == ("10000", "0")
        clock.finish()
        assert (sandbox.ledger()["balance"], sandbox.ledger()["spent_units"]) == ("9997", "3")
        assert sandbox.ledger()["tasks"][0]["units"] == "3"

    def test_a_pack_that_is_used_up_is_refused_after_validation(
        self, client: httpx.Client, create: Create, clock: Clock, sandbox: SandboxServer
    ) -> None:
        sandbox.settings(balance=5)
        create()
        for _ in range(2):  # also the promised units of a running task count
            response = client.post("/text-to-video/kling-3.0", json={"prompt": "a"})
            assert (response.status_code, response.json()["code"]) == (429, 1102)
            assert response.json()["message"] == "Account balance not enough"
            clock.finish()
        bad = client.post("/text-to-video/kling-3.0", json={"prompt": ""})
        assert bad.json()["code"] == 1201
        sandbox.settings(balance=5)
        create()

    def test_slots_are_free_only_when_a_task_ends(
        self, client: httpx.Client, create: Create, clock: Clock, sandbox: SandboxServer
    ) -> None:
        sandbox.settings(slots=2)
        create()
        create("[sandbox:fail]")
        for seconds in (0, QUEUE_SECONDS + GENERATION_SECONDS - 1):
            clock.pass_(seconds)
            response = client.post("/text-to-video/kling-3.0", json={"prompt": "a"})
            assert (response.status_code, response.json()["code"]) == (429, 1303)
            assert response.json()["message"] == "parallel task over resource pack limit"
        clock.pass_(1)
        create()
        ledger = sandbox.ledger()
        assert (ledger["in_flight"], ledger["max_in_flight_seen"], len(ledger["tasks"])) == (1, 2, 3)

    def test_costs_show_the_pack(self, client: httpx.Client, create: Create, clock: Clock) -> None:
        create()
        clock.finish()
        data = client.get("/account/costs", params={"start_time": 1, "end_time": 2}).json()["data"]
        packs = data["resource_pack_subscribe_infos"]
        assert [entry["resource_pack_name"].split("-")[1] for entry in packs] == ["Video", "Image", "Try"]
        pack = packs[0]
        assert data["code"] == 0
        assert (pack["total_quantity"], pack["remaining_quantity"], pack["status"]) == (10000, 9997, "online")
        assert "SANDBOX" in pack["resource_pack_name"]
        query = {"start_time": 1, "end_time": 2, "resource_pack_name": "other"}
        assert client.get("/account/costs", params=query).json()["data"]["resource_pack_subscribe_infos"] == []

    def test_costs_want_times(self, client: httpx.Client) -> None:
        assert client.get("/account/costs?start_time=1").json()["message"] == "end_time is required"

    def test_an_empty_pack_has_run_out(self, client: httpx.Client, sandbox: SandboxServer) -> None:
        sandbox.settings(balance=0)
        data = client.get("/account/costs?start_time=1&end_time=2").json()["data"]
        assert data["resource_pack_subscribe_infos"][0]["status"] == "runOut"

    def test_costs_once_a_second_where_that_is_wanted(self, clock: Clock) -> None:
        with SandboxServer(SandboxSettings(limit_costs=True), clock=clock) as server, client_of(server) as client:
            codes = []
            for seconds in (0, 0.9, 1):
                clock.pass_(seconds)
                codes.append(client.get("/account/costs?start_time=1&end_time=2").json()["code"])
        assert codes == [0, 1302, 0]


class TestInputImages:
    @staticmethod
    def created(client: httpx.Client, source: str) -> str:
        body = {"contents": [{"type": "first_frame", "url": source}]}
        return str(client.post("/image-to-video/kling-3.0", json=body).json()["data"]["id"])

    @staticmethod
    def encoded(content: bytes) -> str:
        return base64.b64encode(content).decode()

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (b"no picture", "Something went wrong when we tried to get the contents of the file."),
            (b"\x89PNG\r\n\x1a\n short", "Something went wrong when we tried to get the contents of the file."),
            (b"\xff\xd8\xff", "Something went wrong when we tried to get the contents of the file."),
            (sample_png("square")[:16] + (299).to_bytes(4) + (400).to_bytes(4), "Image pixel is invalid"),
            (
                sample_png("square")[:16] + (1000).to_bytes(4) + (300).to_bytes(4),
                "The resolution or aspect ratio of the input image is invalid. "
                "Please ensure it meets the required specifications.",
            ),
            (
                b"\xff\xd8\xff\xe0\x00\x04JF\xff\xc0\x00\x0b\x08" + (200).to_bytes(2) + (300).to_bytes(2),
                "Image pixel is invalid",
            ),
        ],
    )
    def test_a_bad_image_is_accepted_and_fails_soon(
        self, client: httpx.Client, look: Look, clock: Clock, content: bytes, said: str
    ) -> None:
        task_id = self.created(client, self.encoded(content))
        clock.pass_(QUEUE_SECONDS)
        until(lambda: look(task_id)["status"] != "processing")
        assert (look(task_id)["status"], look(task_id)["message"]) == ("failed", said)
        assert look(task_id)["billing"] == [{"amount": "0"}]

    @pytest.mark.parametrize("address", ["http://127.0.0.1:9/a.png", "{url}/nothing.png", "{url}/sandbox/health"])
    def test_an_image_that_cannot_be_fetched(
        self, client: httpx.Client, look: Look, clock: Clock, sandbox: SandboxServer, address: str
    ) -> None:
        task_id = self.created(client, address.format(url=sandbox.url))
        clock.finish()
        until(lambda: look(task_id)["status"] == "failed")
        assert look(task_id)["message"].startswith("Something went wrong")

    def test_a_good_image_makes_a_clip(
        self, client: httpx.Client, look: Look, clock: Clock, sandbox: SandboxServer
    ) -> None:
        task_id = self.created(client, f"{sandbox.url}/sandbox/samples/portrait.png")
        clock.finish()
        until(lambda: look(task_id)["status"] == "succeeded")


class TestRestart:
    def test_stop_and_start_forget_nothing(self, clock: Clock) -> None:
        with SandboxServer(clock=clock) as server:
            port = server.port
            with client_of(server) as client:
                task_id = legacy_task(client)
            server.stop()
            with pytest.raises(httpx.ConnectError):
                server.ledger()
            server.start()
            assert server.port == port
            assert [row["id"] for row in server.ledger()["tasks"]] == [task_id]

    def test_a_state_file_keeps_tasks_money_and_ids(self, tmp_path: Path, clock: Clock) -> None:
        settings = SandboxSettings(state=tmp_path / "deep" / "state.db", queue_seconds=0, generation_seconds=5)
        picture = base64.b64encode(sample_png("square")).decode()
        with SandboxServer(settings, clock=clock) as first, client_of(first) as client:
            done = legacy_task(client, external_task_id="kept")
            clock.pass_(6)
            running = legacy_task(client)
            body = {"contents": [{"type": "first_frame", "url": picture}]}
            drawn = client.post("/image-to-video/kling-3.0", json=body).json()["data"]["id"]
        with SandboxServer(settings, clock=clock) as second, client_of(second) as client:
            ledger = second.ledger()
            assert [(row["id"], row["status"]) for row in ledger["tasks"]] == [
                (drawn, "processing"),
                (running, "processing"),
                (done, "succeeded"),
            ]
            assert (ledger["spent_units"], ledger["in_flight"]) == ("3", 2)
            response = client.post(LEGACY, json={"model_name": "kling-v3", "prompt": "a", "external_task_id": "kept"})
            assert response.json()["message"] == "External_task_id kept already exists"
            assert int(legacy_task(client)) > int(drawn)
            clock.pass_(6)
            until(lambda: {row["status"] for row in second.ledger()["tasks"]} == {"succeeded"})
            second.reset()
        with SandboxServer(settings, clock=clock) as third:
            assert third.ledger()["tasks"] == []

    def test_an_image_that_was_deleted_in_between_fails_its_task(self, tmp_path: Path) -> None:
        settings = SandboxSettings(state=tmp_path / "state.db", queue_seconds=0, generation_seconds=0)
        picture = base64.b64encode(sample_png("square")).decode()
        with SandboxServer(settings) as first, client_of(first) as client:
            client.post("/v1/videos/image2video", json={"model_name": "kling-v3", "image": picture})
        for file in (tmp_path / "state.db.media").iterdir():
            file.unlink()
        with sqlite3.connect(settings.state or "") as connection:
            connection.execute("UPDATE tasks SET document = json_set(document, '$.inputs_checked_at', null)")
        with SandboxServer(settings) as second:
            until(lambda: second.ledger()["tasks"][0]["status"] == "failed")
            assert second.ledger()["tasks"][0]["message"].startswith("Something went wrong")
