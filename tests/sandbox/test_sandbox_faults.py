"""Everything that can be made to go wrong, over a real connection."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from sandbox_calls import Clock, Create, Look

from airflow_provider_klingvideo.sandbox import SandboxServer
from airflow_provider_klingvideo.sandbox.server import SandboxServerError
from airflow_provider_klingvideo.sandbox.serving.rules import Action, ActionType

PATH = "/text-to-video/kling-3.0"


def post(client: httpx.Client, prompt: str = "a fox", external_id: str = "") -> httpx.Response:
    return client.post(PATH, json={"prompt": prompt, "options": {"external_task_id": external_id}})


def stored(sandbox: SandboxServer) -> int:
    return len(sandbox.ledger()["tasks"])


class TestBeforeARequestIsHandled:
    def test_refuse(self, client: httpx.Client, sandbox: SandboxServer) -> None:
        action = {"type": "refuse", "code": 1304, "message": "not from here", "headers": {"X-Why": "test"}}
        sandbox.add_rule({"match": {"method": "POST", "path": "/text-to-video/*"}, "action": action})
        response = post(client)
        assert (response.status_code, response.json()["code"], response.json()["message"]) == (
            429,
            1304,
            "not from here",
        )
        assert response.headers["x-why"] == "test"
        assert stored(sandbox) == 0
        assert client.get("/tasks?task_ids=1").status_code == 200

    def test_refuse_takes_status_and_words_of_the_code(self, client: httpx.Client, sandbox: SandboxServer) -> None:
        sandbox.add_rule({"action": {"type": "refuse", "code": 1103}, "times": 1})
        sandbox.add_rule({"action": {"type": "refuse", "code": 7777, "http_status": 418}, "times": 1})
        assert [post(client).status_code for _ in range(3)] == [403, 418, 200]

    def test_rate_limit(self, client: httpx.Client, sandbox: SandboxServer) -> None:
        sandbox.add_rule({"action": {"type": "rate_limit"}, "times": 1})
        sandbox.add_rule({"action": {"type": "rate_limit", "headers": {"Retry-After": "7"}}, "times": 1})
        first, second = post(client), post(client)
        assert (first.status_code, first.json()["code"], first.headers["retry-after"]) == (429, 1302, "1")
        assert second.headers["retry-after"] == "7"

    def test_drop_before(self, client: httpx.Client, sandbox: SandboxServer) -> None:
        sandbox.add_rule({"action": {"type": "drop_before"}, "times": 1})
        with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
            post(client)
        assert stored(sandbox) == 0
        assert sandbox.ledger()["requests"] == {"POST /text-to-video/{model} dropped": 1}

    @pytest.mark.parametrize(("store", "tasks"), [(False, 0), (True, 1)])
    def test_html(self, client: httpx.Client, sandbox: SandboxServer, store: bool, tasks: int) -> None:
        sandbox.add_rule({"action": {"type": "html", "http_status": 504, "store": store}, "times": 1})
        response = post(client)
        assert (response.status_code, response.headers["content-type"]) == (504, "text/html; charset=utf-8")
        assert response.text.startswith("<html>")
        assert stored(sandbox) == tasks

    def test_slow(self, client: httpx.Client, sandbox: SandboxServer) -> None:
        sandbox.add_rule({"match": {"method": "POST"}, "action": {"type": "slow", "seconds": 0.5}, "times": 1})
        begun = time.monotonic()
        assert post(client).status_code == 200
        assert time.monotonic() - begun >= 0.5

    def test_slow_lets_other_rules_act(self, client: httpx.Client, sandbox: SandboxServer) -> None:
        sandbox.add_rule({"action": {"type": "slow", "seconds": 0}})
        sandbox.add_rule({"action": {"type": "refuse", "code": 5001}})
        assert post(client).status_code == 503


class TestAfterARequestWasHandled:
    def test_drop_after(self, client: httpx.Client, sandbox: SandboxServer) -> None:
        sandbox.add_rule({"match": {"method": "POST"}, "action": {"type": "drop_after"}, "times": 1})
        with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
            post(client, external_id="run-1")
        assert stored(sandbox) == 1
        assert post(client, external_id="run-1").json()["message"] == "External_task_id run-1 already exists"

    @pytest.mark.parametrize(("code", "status"), [(None, 500), (5002, 504)])
    def test_store_then_error(
        self, client: httpx.Client, sandbox: SandboxServer, code: int | None, status: int
    ) -> None:
        sandbox.add_rule({"action": {"type": "store_then_error"} | ({"code": code} if code else {}), "times": 1})
        response = post(client)
        assert (response.status_code, response.json()["code"]) == (status, code or 5000)
        assert stored(sandbox) == 1

    def test_slow_body(self, client: httpx.Client, sandbox: SandboxServer) -> None:
        sandbox.add_rule({"match": {"method": "POST"}, "action": {"type": "slow_body", "seconds": 0.5}, "times": 1})
        with client.stream("POST", PATH, json={"prompt": "a fox"}) as response:
            pieces = list(response.iter_raw())
        assert (response.status_code, len(pieces) > 3, stored(sandbox)) == (200, True, 1)
        assert b'"code":0' in b"".join(pieces).replace(b" ", b"")

    def test_drip(self, client: httpx.Client, sandbox: SandboxServer) -> None:
        action = {"type": "drip", "seconds": 0.001, "piece_bytes": 7}
        sandbox.add_rule({"match": {"method": "POST"}, "action": action, "times": 1})
        with client.stream("POST", PATH, json={"prompt": "a fox"}) as response:
            pieces = list(response.iter_raw())
        assert (response.status_code, stored(sandbox)) == (200, 1)
        assert len(b"".join(pieces)) == int(response.headers["content-length"])
        assert len(pieces) > 10

    def test_half_body(self, client: httpx.Client, sandbox: SandboxServer) -> None:
        sandbox.add_rule({"match": {"method": "POST"}, "action": {"type": "half_body"}, "times": 1})
        with pytest.raises(httpx.RemoteProtocolError, match=r"incomplete|without sending complete"):
            post(client)
        assert stored(sandbox) == 1

    def test_half_character(self, client: httpx.Client, create: Create, sandbox: SandboxServer) -> None:
        task_id = create()
        sandbox.add_rule({"action": {"type": "half_character", "fields": ["id", "message"]}})
        found = client.get("/tasks", params={"task_ids": task_id})
        assert r"\ud83d" in found.text
        assert (found.json()["message"], found.json()["data"][0]["id"]) == ("SUCCEED\ud83d", f"{task_id}\ud83d")
        assert post(client, prompt="").json()["message"].endswith("\ud83d")

    def test_what_was_refused_is_not_spoilt_again(self, client: httpx.Client, sandbox: SandboxServer) -> None:
        sandbox.add_rule({"action": {"type": "store_then_error"}, "times": 1})
        assert post(client, prompt="").json()["code"] == 1201
        assert post(client).json()["code"] == 5000


class TestTasks:
    def test_fail_task(self, create: Create, look: Look, clock: Clock, sandbox: SandboxServer) -> None:
        sandbox.add_rule({"match": {"prompt_contains": "fox"}, "action": {"type": "fail_task", "message": "No foxes"}})
        fox, owl = create("a fox"), create("an owl")
        clock.finish()
        assert (look(fox)["status"], look(fox)["message"]) == ("failed", "No foxes")
        assert look(owl)["status"] == "succeeded"

    def test_stuck_keeps_its_slot(self, create: Create, look: Look, clock: Clock, sandbox: SandboxServer) -> None:
        sandbox.add_rule({"action": {"type": "stuck"}, "times": 1})
        task_id = create()
        clock.pass_(1_000_000)
        assert (look(task_id)["status"], sandbox.ledger()["in_flight"]) == ("processing", 1)

    def test_status_word(self, create: Create, look: Look, clock: Clock, sandbox: SandboxServer) -> None:
        sandbox.add_rule({"action": {"type": "status_word", "word": "pondering"}})
        task_id = create()
        seen = [look(task_id)["status"]]
        for seconds in (2, 10):
            clock.pass_(seconds)
            seen.append(look(task_id)["status"])
        assert seen == ["submitted", "pondering", "succeeded"]

    def test_succeed_without_outputs(
        self, client: httpx.Client, create: Create, look: Look, clock: Clock, sandbox: SandboxServer
    ) -> None:
        sandbox.add_rule({"action": {"type": "succeed_without_outputs"}})
        task_id = create()
        body = {"model_name": "kling-v3", "prompt": "a"}
        legacy = client.post("/v1/videos/text2video", json=body).json()["data"]["task_id"]
        clock.finish()
        assert (look(task_id)["status"], look(task_id)["outputs"]) == ("succeeded", [])
        data = client.get(f"/v1/videos/text2video/{legacy}").json()["data"]
        assert (data["task_status"], data["task_result"]) == ("succeed", {"videos": []})

    def test_omit_from_batch(self, client: httpx.Client, create: Create, sandbox: SandboxServer) -> None:
        ids = [create("one", options={"external_task_id": "x"}), create("two")]
        sandbox.add_rule({"match": {"external_id": "x"}, "action": {"type": "omit_from_batch"}, "times": 2})
        query = {"task_ids": ",".join(ids)}
        batches = [
            client.get("/tasks", params=query).json()["data"],
            client.post("/tasks", json={}).json()["data"]["result"],
        ]
        assert [[task["id"] for task in batch] for batch in batches] == [[ids[1]], [ids[1]]]
        assert len(client.get("/tasks", params=query).json()["data"]) == 2


class TestMatching:
    def test_times_and_after(self, client: httpx.Client, sandbox: SandboxServer) -> None:
        sandbox.add_rule(
            {"match": {"method": "post"}, "action": {"type": "refuse", "code": 1302}, "times": 2, "after": 1}
        )
        assert [post(client).status_code for _ in range(4)] == [200, 429, 429, 200]
        (rule,) = sandbox.rules()
        assert (rule["seen"], rule["struck"]) == (3, 2)

    def test_the_first_that_fits_ends_the_request(self, client: httpx.Client, sandbox: SandboxServer) -> None:
        sandbox.add_rule({"action": {"type": "refuse", "code": 1300}, "times": 1})
        sandbox.add_rule({"action": {"type": "refuse", "code": 1301}, "times": 1})
        assert [post(client).json()["code"] for _ in range(3)] == [1300, 1301, 0]

    @pytest.mark.parametrize("key", ["prompt_contains", "external_id"])
    def test_a_query_is_known_by_its_tasks(
        self, client: httpx.Client, create: Create, sandbox: SandboxServer, key: str
    ) -> None:
        fox = create("a fox", options={"external_task_id": "fox"})
        owl = create("an owl", options={"external_task_id": "owl"})
        sandbox.add_rule({"match": {key: "fox", "method": "GET"}, "action": {"type": "refuse", "code": 5000}})
        answers = [
            client.get(f"/tasks?{query}").status_code
            for query in (f"task_ids={fox}", f"task_ids={owl}", f"task_ids={owl},{fox}", "external_task_ids=fox")
        ]
        assert answers == [500, 200, 500, 500]

    def test_a_prompt_among_contents_counts(self, client: httpx.Client, sandbox: SandboxServer) -> None:
        sandbox.add_rule({"match": {"prompt_contains": "fox"}, "action": {"type": "refuse", "code": 1301}})
        contents = [{"type": "prompt", "text": "a fox"}, "noise", {"type": "first_frame", "url": "https://a.invalid/"}]
        assert client.post("/image-to-video/kling-3.0", json={"contents": contents}).json()["code"] == 1301

    def test_clearing(self, client: httpx.Client, sandbox: SandboxServer) -> None:
        sandbox.add_rule({"action": {"type": "refuse"}})
        assert post(client).json()["code"] == 1303
        sandbox.clear_rules()
        assert post(client).json()["code"] == 0

    @pytest.mark.parametrize(
        "rule",
        [
            {},
            {"action": {"type": "explode"}},
            {"action": {"type": "slow", "second": 1}},
            {"match": {"colour": "red"}, "action": {"type": "stuck"}},
            {"action": {"type": "stuck"}, "times": 0},
            {"action": {"type": "drop_media_at", "fraction": 1}},
        ],
    )
    def test_a_rule_that_cannot_be_understood_is_refused(self, sandbox: SandboxServer, rule: dict[str, Any]) -> None:
        with pytest.raises(SandboxServerError, match="refused rules"):
            sandbox.add_rule(rule)


class TestMarkers:
    @pytest.mark.parametrize(("code", "status"), [(1301, 400), (1303, 429), (1101, 429), (5000, 500)])
    def test_refuse(self, client: httpx.Client, sandbox: SandboxServer, code: int, status: int) -> None:
        response = post(client, f"a fox [sandbox:refuse={code}]")
        assert (response.status_code, response.json()["code"], stored(sandbox)) == (status, code, 0)

    @pytest.mark.parametrize("marker", ["refuse=0", "refuse=9", "refuse=²", "refuse", "slow=x", "explode", "slow=1e9"])
    def test_what_cannot_be_read_is_no_marker(self, create: Create, look: Look, clock: Clock, marker: str) -> None:
        task_id = create(f"[sandbox:{marker}]")
        clock.finish()
        assert look(task_id)["status"] == "succeeded"

    def test_slow_takes_its_seconds(self, create: Create, look: Look, clock: Clock) -> None:
        task_id = create("[sandbox:slow=60]")
        clock.finish()
        assert look(task_id)["status"] == "processing"
        clock.pass_(50)
        assert look(task_id)["status"] == "succeeded"

    def test_stuck(self, create: Create, look: Look, clock: Clock) -> None:
        task_id = create("[sandbox:stuck]")
        clock.pass_(1_000_000)
        assert look(task_id)["status"] == "processing"


def test_the_guide_has_an_example_of_every_action() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text(encoding="utf-8")
    examples = [Action.model_validate_json(text) for text in re.findall(r"\| `(\{.*\})` \|$", guide, re.MULTILINE)]
    assert {action.type for action in examples} == set(ActionType)
