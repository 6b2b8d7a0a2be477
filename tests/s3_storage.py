"""An S3 server on loopback, and buckets in it as another worker sees them."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest

CONNECTION = "s3_store"
KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}
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
def s3_server() -> Iterator[str]:
    server_module = pytest.importorskip("moto.server")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = server_module.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    url = "http://{}:{}".format(*server.get_host_and_port())
    extra = {"endpoint_url": url, "region_name": KEYS["AWS_DEFAULT_REGION"]}
    login = {"login": KEYS["AWS_ACCESS_KEY_ID"], "password": KEYS["AWS_SECRET_ACCESS_KEY"]}
    name = f"AIRFLOW_CONN_{CONNECTION.upper()}"
    os.environ[name] = json.dumps({"conn_type": "aws", **login, "extra": extra})
    yield url
    del os.environ[name]
    server.stop()


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
