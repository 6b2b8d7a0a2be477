"""The connection: what it may say, and what the button Test answers."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys

import pytest
from airflow_home import connection

from airflow_provider_klingvideo.hooks.klingai import KlingAIHook
from airflow_provider_klingvideo.runtime.connection import ConnectionSettingsError, KlingConnection
from airflow_provider_klingvideo.sandbox import SandboxServer, SandboxSettings

SECRET = "sandbox-secret-key-of-singapore-0001"


@pytest.fixture(scope="module")
def server():
    with SandboxServer(SandboxSettings()) as server:
        yield server


@pytest.fixture
def connect(monkeypatch, server, tmp_path):
    server.reset()
    # The calls that cost leave their records there.
    monkeypatch.setenv("AIRFLOW__KLINGVIDEO__OUTPUT_PATH", str(tmp_path))

    def change(url=server.url, **fields):
        monkeypatch.setenv("AIRFLOW_CONN_KLINGAI_DEFAULT", connection(url, **fields))
        return KlingAIHook()

    return change


def test_an_api_key_alone_is_enough(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_KLINGAI_DEFAULT", json.dumps({"conn_type": "klingai", "password": "k"}))
    settings = KlingAIHook().settings
    assert settings.base_url == "https://api-singapore.klingai.com"
    assert (settings.console_url, settings.media_hosts) == ("https://kling.ai/dev", frozenset())
    assert "'k'" not in repr(settings)


@pytest.mark.parametrize(
    ("fields", "address"),
    [
        ({"url": "", "extra": {"region": "beijing"}}, "https://api-beijing.klingai.com"),
        ({"url": "gateway.example.org/"}, "https://gateway.example.org"),
        ({"url": "http://gateway.example.org", "port": 8080}, "http://gateway.example.org:8080"),
        ({"url": "http://gateway.example.org:81", "port": 8080}, "http://gateway.example.org:81"),
    ],
)
def test_region_or_base_url_make_the_address(connect, fields, address):
    assert connect(**fields).settings.base_url == address


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"password": ""}, "neither an API key nor an access key"),
        ({"extra": {"access_key": "a"}}, "An access key needs its secret key"),
        ({"extra": {"region": "mars"}}, "Region 'mars' is unknown; it is one of singapore, beijing"),
        ({"url": "ftp://example.org"}, "neither http nor https"),
        ({"extra": {"concurrency_limit": 0}}, "concurrency limit 0 is not a whole number"),
        ({"extra": {"concurrency_limit": "many"}}, "concurrency limit 'many' is not a whole number"),
    ],
)
def test_a_bad_connection_is_told_before_anything_is_sent(connect, fields, words):
    with pytest.raises(ConnectionSettingsError, match=words):
        connect(**fields).settings  # noqa: B018
    works, message = connect(**fields).test_connection()
    assert not works
    assert "Admin > Connections" in message


def test_a_concurrency_limit_may_be_text_or_empty(connect):
    assert connect(extra={"concurrency_limit": "3"}).settings.concurrency_limit == 3
    assert connect(extra={"concurrency_limit": ""}).settings.concurrency_limit is None


def test_the_settings_can_be_read_on_an_event_loop(connect):
    hook = connect()
    connection = KlingConnection(hook.klingai_conn_id)
    assert asyncio.run(connection.fresh_settings()) == hook.settings


class TestTheButton:
    @pytest.mark.parametrize(
        "fields", [{}, {"password": "", "extra": {"access_key": "sandbox-ak", "secret_key": SECRET}}], ids=["key", "ak"]
    )
    def test_works(self, connect, server, fields):
        works, message = connect(**fields).test_connection()
        assert works, message
        assert message.startswith(f"Connected to {server.url}.")
        assert "units left" in message

    def test_says_that_there_is_no_pack(self, connect, server):
        server.settings(balance=0, image_balance=0, try_on_balance=0)
        works, message = connect().test_connection()
        assert works
        assert "No active resource pack" in message

    def test_says_that_the_key_is_wrong(self, connect):
        works, message = connect(password="wrong").test_connection()
        assert not works
        assert "The key is wrong, was created in the other region" in message
        assert "wrong'" not in message

    def test_says_that_the_account_is_in_arrears(self, connect, server):
        action = {"type": "refuse", "http_status": 429, "code": 1101, "message": "Account in arrears"}
        server.add_rule({"match": {"path": "/account/costs"}, "action": action})
        works, message = connect().test_connection()
        assert not works
        assert "The account is in arrears" in message
        assert "Top up" in message

    def test_says_that_nobody_answers(self, connect, monkeypatch):
        monkeypatch.setattr("airflow_provider_klingvideo.kling.client.client._backoff", lambda state: 0.0)
        works, message = connect("http://127.0.0.1:9").test_connection()
        assert not works
        assert "127.0.0.1:9 could not be reached" in message


def test_the_labels_for_airflow_without_declared_fields():
    assert KlingAIHook.get_ui_field_behaviour()["relabeling"]["password"] == "API key"


def test_the_outputs_of_a_task_come_with_fresh_addresses(connect, server):
    from airflow_provider_klingvideo.kling import parse_request

    hook = connect()
    server.settings(queue_seconds=0, generation_seconds=0)
    with hook.get_conn() as client:
        task = client.create(parse_request({"prompt": "x"}), external_task_id="j")
    (video,) = hook.task_outputs(task.id, "text_to_video")
    assert (video.type, "Signature=" in video.url) == ("video", True)


class TestTheVendorsCallsAsMethods:
    def test_each_is_there(self, connect):
        from airflow_provider_klingvideo.kling.client.methods import VendorMethods

        hook = connect()
        names = [name for name in vars(VendorMethods) if not name.startswith("_")]
        assert len(names) > 10
        assert all(callable(getattr(hook, name)) for name in names)

    def test_one_is_sent_with_the_connections_key(self, connect):
        assert connect().speak("Hello there, how are you?", voice_id="oversea_male1").audio_id
        assert [element.name for element in connect().preset_elements()]

    def test_other_names_are_not_there(self, connect):
        with pytest.raises(AttributeError, match="'KlingAIHook' has no attribute 'dance'"):
            connect().dance()

    def test_a_dag_file_that_imports_the_hook_loads_no_models(self):
        code = "import sys, airflow_provider_klingvideo.hooks.klingai as home\n"
        code += "print([name for name in sys.modules if name.startswith('airflow_provider_klingvideo.kling.')])"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.splitlines()[-1] == "[]"
