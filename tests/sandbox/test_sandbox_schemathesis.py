"""Random requests from the OpenAPI document, right ones and wrong ones: the sandbox always has an answer to them."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings, strategies
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from airflow_provider_klingvideo.sandbox import SandboxServer, SandboxSettings
from airflow_provider_klingvideo.sandbox.openapi.document import document
from airflow_provider_klingvideo.sandbox.openapi.parts import FILE_FORMAT

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
OPERATIONS = {
    operation.label: operation
    for result in schemathesis.openapi.from_dict(document("http://sandbox.invalid")).get_all_operations()
    for operation in [result.ok()]
}
MANY = 1_000_000
NOBODY = "http://127.0.0.1:1/nobody"  # nothing is fetched from anywhere else
schemathesis.openapi.format("uri", strategies.just(NOBODY))
schemathesis.openapi.format(FILE_FORMAT, strategies.sampled_from([NOBODY, base64.b64encode(b"a file").decode()]))


@pytest.fixture(scope="module")
def roomy() -> Iterator[SandboxServer]:
    """One that takes everything, and does nothing with it: each task waits in the queue."""
    slots = {"slots": MANY, "image_slots": MANY, "try_on_slots": MANY}
    units = {"balance": MANY, "image_balance": MANY, "try_on_balance": MANY}
    with SandboxServer(SandboxSettings(**slots, **units, queue_seconds=3600)) as server:
        yield server


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
@pytest.mark.parametrize("label", OPERATIONS)
def test_every_answer_is_one_that_the_document_knows(roomy: SandboxServer, label: str, mode: GenerationMode) -> None:
    @seed(20261122)
    @settings(
        max_examples=4,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=OPERATIONS[label].as_strategy(generation_mode=mode))
    def ask(case: schemathesis.Case) -> None:
        answer = case.call(base_url=roomy.url, headers={"Authorization": "Bearer sandbox-key"})
        case.validate_response(answer, checks=CHECKS)

    ask()
