"""Who may call, and what is not there."""

from __future__ import annotations

from typing import Any

import httpx
import jwt
import pytest
from sandbox_calls import Clock

from airflow_provider_klingvideo.sandbox import SandboxServer, SandboxSettings
from airflow_provider_klingvideo.sandbox.settings import DEFAULT_CREDENTIALS

NEW = "/tasks?task_ids=1"
LEGACY = "/v1/videos/text2video"
COSTS = "/account/costs?start_time=1&end_time=2"
NO_KEY_TEXT = (
    "Authentication error. The current API does not support AK/SK; "
    "please go to the console (https://kling.ai/dev/api-key) to create API key."
)
KEYS = DEFAULT_CREDENTIALS["singapore"]
# The times of tokens are judged by the sandbox's clock.
NOW = int(Clock().time)


def token(secret: str = KEYS.secret_key, algorithm: str = "HS256", **changes: Any) -> str:
    claims = {"iss": KEYS.access_key, "exp": NOW + 1800, "nbf": NOW - 5} | changes
    return jwt.encode({name: value for name, value in claims.items() if value is not None}, secret, algorithm)


def ask(sandbox: SandboxServer, path: str, authorization: str | None) -> tuple[int, int, str]:
    headers = {} if authorization is None else {"Authorization": authorization}
    response = httpx.get(sandbox.url + path, headers=headers, trust_env=False)
    return response.status_code, response.json()["code"], response.json()["message"]


@pytest.mark.parametrize("path", [NEW, LEGACY, COSTS, "/no/such/path"])
@pytest.mark.parametrize("header", [None, ""])
def test_no_token_is_refused_before_anything_else(sandbox: SandboxServer, path: str, header: str | None) -> None:
    assert ask(sandbox, path, header) == (401, 1001, "Authorization is empty")


@pytest.mark.parametrize("path", [NEW, LEGACY, COSTS])
def test_the_api_key_opens_everything(sandbox: SandboxServer, path: str) -> None:
    assert ask(sandbox, path, "Bearer sandbox-key")[:2] == (200, 0)


@pytest.mark.parametrize("presented", ["garbage", "sandbox-key-beijing", "a.b.c"])
def test_an_unknown_token_on_a_new_path_gets_the_text_about_keys(sandbox: SandboxServer, presented: str) -> None:
    assert ask(sandbox, NEW, f"Bearer {presented}") == (401, 1002, NO_KEY_TEXT)


def test_a_signed_token_opens_legacy_and_account_but_no_new_path(sandbox: SandboxServer) -> None:
    bearer = f"Bearer {token()}"
    assert ask(sandbox, LEGACY, bearer)[:2] == (200, 0)
    assert ask(sandbox, COSTS, bearer)[:2] == (200, 0)
    assert ask(sandbox, NEW, bearer) == (401, 1002, NO_KEY_TEXT)


def test_a_token_may_lack_nbf(sandbox: SandboxServer) -> None:
    assert ask(sandbox, LEGACY, f"Bearer {token(nbf=None)}")[:2] == (200, 0)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"exp": NOW - 10}, 1004),
        ({"nbf": NOW + 86_400}, 1003),
        ({"exp": "soon"}, 1002),
        ({"iss": "someone-else"}, 1002),
        ({"iss": None}, 1002),
        ({"exp": None}, 1002),
        ({"secret": "another-secret-of-32-bytes-or-more"}, 1002),
        ({"algorithm": "HS384"}, 1002),
    ],
)
@pytest.mark.filterwarnings("ignore:The HMAC key")
def test_a_wrong_token_is_refused_with_its_own_code(sandbox: SandboxServer, changes: dict[str, Any], code: int) -> None:
    assert ask(sandbox, LEGACY, f"Bearer {token(**changes)}")[:2] == (401, code)


def test_a_scheme_other_than_bearer_is_no_token(sandbox: SandboxServer) -> None:
    assert ask(sandbox, LEGACY, "Basic sandbox-key")[:2] == (401, 1002)


def test_credentials_belong_to_a_region() -> None:
    with SandboxServer(SandboxSettings(region="beijing")) as beijing:
        assert ask(beijing, NEW, "Bearer sandbox-key")[1] == 1002
        assert ask(beijing, LEGACY, f"Bearer {token()}")[1] == 1002
        assert ask(beijing, NEW, "Bearer sandbox-key-beijing")[1] == 0


def test_credentials_can_be_chosen() -> None:
    with SandboxServer(SandboxSettings(api_key="mine")) as own:
        assert ask(own, NEW, "Bearer mine")[1] == 0
        assert ask(own, NEW, "Bearer sandbox-key")[1] == 1002


@pytest.mark.parametrize("path", ["/", "/v1/tasks/1", "/omni-video", "/tasks/", "/docs", "/openapi.json"])
def test_an_unknown_path_is_404(client: httpx.Client, path: str) -> None:
    assert (client.get(path).status_code, client.get(path).json()["code"]) == (404, 1203)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/tasks"),
        ("PUT", "/tasks"),
        ("GET", "/text-to-video/kling-3.0"),
        ("DELETE", "/v1/videos/text2video/1"),
        ("POST", "/account/costs"),
    ],
)
def test_a_wrong_method_is_404_with_its_own_code(client: httpx.Client, method: str, path: str) -> None:
    response = client.request(method, path)
    assert (response.status_code, response.json()["code"]) == (404, 1202)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"3", b"null", b'{"a": NaN}', b'{"a": "\\ud800"}', b"\xff", b"[" * 9999]
)
@pytest.mark.parametrize("path", ["/text-to-video/kling-3.0", "/v1/videos/image2video", "/tasks"])
def test_a_body_that_is_no_json_object_is_1200(client: httpx.Client, path: str, body: bytes) -> None:
    response = client.post(path, content=body)
    assert (response.status_code, response.json()["code"]) == (400, 1200)


def test_every_answer_says_that_it_is_a_sandbox(sandbox: SandboxServer, client: httpx.Client) -> None:
    for response in (client.get("/tasks"), client.get("/nowhere"), client.get("/sandbox"), httpx.get(sandbox.url)):
        assert response.headers["x-klingvideo-sandbox"] == "1"


def test_the_envelope(client: httpx.Client) -> None:
    good, bad = client.get("/tasks?task_ids=1").json(), client.get("/tasks").json()
    assert (good["code"], good["message"], good["data"]) == (0, "SUCCEED", [])
    assert "data" not in bad
    assert good["request_id"] != bad["request_id"]
