"""An S3 server on loopback, and buckets in it as another worker sees them."""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_klingvideo.demo.processes import Process, free_port

CONNECTION = "s3_store"
KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}
START_SECONDS = 30.0
_numbers = count(1)


@dataclass
class Bucket:
    """A bucket, by a client that shares nothing with Airflow's."""

    name: str
    client: Any

    @property
    def uri(self) -> str:
        """The bucket as users write it."""
        return f"s3://{CONNECTION}@{self.name}"

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
    folder, port = tmp_path_factory.mktemp("s3"), free_port(0)
    (folder / "buckets").mkdir()
    keys = f"{KEYS['AWS_ACCESS_KEY_ID']},{KEYS['AWS_SECRET_ACCESS_KEY']}"
    command = [str(Path(sys.executable).with_name("rclone")), "serve", "s3", "--addr", f"127.0.0.1:{port}"]
    process = Process("rclone", [*command, "--auth-key", keys, str(folder / "buckets")], folder / "log", {})
    url = f"http://127.0.0.1:{port}"
    extra = {"endpoint_url": url, "region_name": KEYS["AWS_DEFAULT_REGION"]}
    login = {"login": KEYS["AWS_ACCESS_KEY_ID"], "password": KEYS["AWS_SECRET_ACCESS_KEY"]}
    name = f"AIRFLOW_CONN_{CONNECTION.upper()}"
    os.environ[name] = json.dumps({"conn_type": "aws", **login, "extra": extra})
    try:
        _wait_for(process, port)
        yield url
    finally:
        del os.environ[name]
        process.stop()


def _wait_for(process: Process, port: int) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        process.ensure_running()
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        time.sleep(0.1)
    raise AssertionError(f"{process.name} does not answer")


@pytest.fixture
def bucket(s3_server: str) -> Bucket:
    import boto3

    client = boto3.client(
        "s3",
        endpoint_url=s3_server,
        aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
        region_name=KEYS["AWS_DEFAULT_REGION"],
    )
    made = Bucket(f"films-{next(_numbers)}", client)
    client.create_bucket(Bucket=made.name)
    return made
