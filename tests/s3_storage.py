"""S3 servers on loopback, and buckets in them as another worker sees them.

``rclone`` ignores conditions of a write without a word; ``SeaweedFS`` heeds them.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from airflow_provider_klingvideo.demo.processes import Process, free_port, own_script

CONNECTION = "s3_store"
SEAWEED = "seaweed_store"
KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}
START_SECONDS = 90.0
SEAWEED_PARTS = ("master", "volume", "filer", "s3")
_numbers = count(1)


@dataclass
class Bucket:
    """A bucket, by a client that shares nothing with Airflow's."""

    name: str
    client: Any
    connection: str = CONNECTION

    @property
    def uri(self) -> str:
        """The bucket as users write it."""
        return f"s3://{self.connection}@{self.name}"

    def __getitem__(self, key: str) -> bytes:
        return bytes(self.client.get_object(Bucket=self.name, Key=key)["Body"].read())

    def __setitem__(self, key: str, content: bytes) -> None:
        self.client.put_object(Bucket=self.name, Key=key, Body=content)

    def __delitem__(self, key: str) -> None:
        self.client.delete_object(Bucket=self.name, Key=key)

    def written(self, prefix: str = "") -> dict[str, Any]:
        """When each object was written, by key."""
        found = self.client.list_objects_v2(Bucket=self.name, Prefix=prefix).get("Contents", [])
        return {one["Key"].removeprefix(prefix): one["LastModified"] for one in found}

    def keys(self, prefix: str = "") -> list[str]:
        """The keys below a prefix, in order."""
        return sorted(self.written(prefix))


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of rclone's server."""
    folder, port = tmp_path_factory.mktemp("s3"), free_port(0)
    (folder / "buckets").mkdir()
    keys = f"{KEYS['AWS_ACCESS_KEY_ID']},{KEYS['AWS_SECRET_ACCESS_KEY']}"
    command = [own_script("rclone"), "serve", "s3", "--addr", f"127.0.0.1:{port}"]
    process = Process("rclone", [*command, "--auth-key", keys, str(folder / "buckets")], folder / "log", {})
    with _serving(process, port, CONNECTION) as url:
        yield url


@pytest.fixture(scope="session")
def seaweed_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of SeaweedFS' server."""
    folder = tmp_path_factory.mktemp("seaweed")
    ports = {f"{part}.port{kind}": free_port(0) for part in SEAWEED_PARTS for kind in ("", ".grpc")}
    process = Process("weed", _seaweed_command(folder, ports), folder / "log", {})
    try:
        with _serving(process, ports["s3.port"], SEAWEED) as url:
            _wait_until_written(process, url)
            yield url
    finally:
        for socket_file in Path("/tmp").glob("seaweedfs-*.sock"):
            if any(f"-{port}.sock" in socket_file.name for port in ports.values()):
                socket_file.unlink()


def _seaweed_command(folder: Path, ports: dict[str, int]) -> list[str]:
    keys = {"accessKey": KEYS["AWS_ACCESS_KEY_ID"], "secretKey": KEYS["AWS_SECRET_ACCESS_KEY"]}
    identity = {"name": "tests", "credentials": [keys], "actions": ["Admin", "Read", "Write", "List"]}
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    options = {
        **ports,
        "dir": folder,
        "ip": "127.0.0.1",
        "ip.bind": "127.0.0.1",
        "master.peers": "none",
        "master.telemetry": "false",
        "master.volumeSizeLimitMB": 64,
        "s3.config": folder / "s3.json",
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
        "volume.max": 1000,
    }
    told = [f"-{name}={value}" for name, value in options.items()]
    return [own_script("weed"), "server", "-filer", "-s3", *told]


@contextmanager
def _serving(process: Process, port: int, connection: str) -> Iterator[str]:
    """A server that answers, its connection in Airflow."""
    url = f"http://127.0.0.1:{port}"
    extra = {"endpoint_url": url, "region_name": KEYS["AWS_DEFAULT_REGION"]}
    login = {"login": KEYS["AWS_ACCESS_KEY_ID"], "password": KEYS["AWS_SECRET_ACCESS_KEY"]}
    name = f"AIRFLOW_CONN_{connection.upper()}"
    os.environ[name] = json.dumps({"conn_type": "aws", **login, "extra": extra})
    try:
        _wait_for(process, port)
        yield url
    finally:
        del os.environ[name]
        # SeaweedFS takes its time to say goodbye, and what it holds is of no use to anybody.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait_for(process: Process, port: int) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        process.ensure_running()
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        time.sleep(0.1)
    raise AssertionError(f"{process.name} does not answer")


def _wait_until_written(process: Process, url: str) -> None:
    """SeaweedFS answers before it has made room for what it is sent."""
    from botocore.exceptions import BotoCoreError, ClientError

    client, end = _client(url), time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        process.ensure_running()
        with suppress(BotoCoreError, ClientError):
            client.create_bucket(Bucket="first")
            client.put_object(Bucket="first", Key="first", Body=b"1")
            return
        time.sleep(0.1)
    raise AssertionError(f"{process.name} takes no object")


def _client(url: str) -> Any:
    import boto3

    return boto3.client(
        "s3",
        endpoint_url=url,
        aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
        region_name=KEYS["AWS_DEFAULT_REGION"],
    )


def _new_bucket(url: str, connection: str) -> Bucket:
    made = Bucket(f"films-{next(_numbers)}", _client(url), connection)
    made.client.create_bucket(Bucket=made.name)
    return made


@pytest.fixture
def bucket(s3_server: str) -> Bucket:
    """A bucket of rclone's server."""
    return _new_bucket(s3_server, CONNECTION)


@pytest.fixture
def seaweed_bucket(seaweed_server: str) -> Bucket:
    """A bucket of SeaweedFS."""
    return _new_bucket(seaweed_server, SEAWEED)


@contextmanager
def requests_of(path: Any) -> Iterator[list[str]]:
    """The requests that the file system of a path sends in the meantime: method, path and query of each."""
    sent: list[str] = []

    def note(request: Any, **_: Any) -> None:
        parts = urlsplit(request.url)
        sent.append(f"{request.method} {parts.path}{'?' if parts.query else ''}{parts.query}")

    events = path.fs.s3.meta.events
    events.register("before-send.s3", note)
    try:
        yield sent
    finally:
        events.unregister("before-send.s3", note)
