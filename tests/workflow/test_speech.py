"""A speech is paid once."""

from __future__ import annotations

import asyncio

import pytest

from airflow_provider_klingvideo.errors import Money
from airflow_provider_klingvideo.kling import (
    AmbiguousSubmissionError,
    ApiKeyAuth,
    AsyncKlingClient,
    InvalidRequestError,
    NetworkError,
)
from airflow_provider_klingvideo.sandbox import SandboxServer
from airflow_provider_klingvideo.workflow import JobStore
from airflow_provider_klingvideo.workflow.job.errors import UnansweredCallError
from airflow_provider_klingvideo.workflow.ordering.calls import call_once

WORDS = {"text": "Hello there", "voice_id": "oversea_male1"}
PATH = "/v1/audio/tts"


@pytest.fixture(scope="module")
def server():
    with SandboxServer() as server:
        yield server


def read(speech):
    return {"audio_id": speech.audio_id, "duration": speech.duration}


class Speaker:
    """Speaks by the sandbox and keeps its records in a folder."""

    def __init__(self, server, folder):
        server.reset()
        self.server, self.store = server, JobStore(folder)

    def __call__(self, words=WORDS, url=None, **options):
        async def speak():
            async with AsyncKlingClient(ApiKeyAuth("sandbox-key"), base_url=url or self.server.url) as client:
                return await client.speak(**words)

        return asyncio.run(call_once(self.store, "speech-1", "tts", words, speak, read, **options))

    @property
    def paid(self):
        return sum(count for name, count in self.server.ledger()["requests"].items() if name == f"POST {PATH} 200/0")


@pytest.fixture
def speaker(server, tmp_path):
    return Speaker(server, tmp_path)


def test_the_same_words_are_paid_once_and_others_again(speaker):
    first = speaker()
    assert speaker() == first
    assert (first["duration"] > 0, speaker.paid) == (True, 1)
    assert speaker({**WORDS, "text": "Good bye"}) != first
    assert speaker.paid == 2


def test_a_lost_answer_is_not_ordered_again_unless_that_is_wanted(speaker):
    speaker.server.add_rule({"match": {"path": PATH}, "action": {"type": "drop_after"}, "times": 1})
    with pytest.raises(AmbiguousSubmissionError):
        speaker()
    with pytest.raises(UnansweredCallError, match="repeat_unanswered") as caught:
        speaker()
    assert caught.value.money is Money.MAYBE
    assert speaker(repeat_unanswered=True)["audio_id"]


def test_what_was_never_sent_or_refused_is_tried_again(speaker):
    with pytest.raises(NetworkError):
        speaker(url="http://127.0.0.1:9")
    speaker.server.add_rule({"match": {"path": PATH}, "action": {"type": "refuse", "code": 1201}, "times": 1})
    with pytest.raises(InvalidRequestError):
        speaker()
    assert speaker()["audio_id"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"text": " "}, "text: ' ' is blank"),
        ({"text": "x" * 1001}, "text: has 1001 characters .legal: at most 1000"),
        ({"speed": 3.0}, "speed: 3.0 is not offered .legal: 0.8 to 2"),
        ({"language": "fr"}, "language: 'fr' is not offered .legal: zh, en"),
    ],
)
def test_what_cannot_be_spoken_is_refused_before_anything_is_sent(speaker, words, said):
    with pytest.raises(InvalidRequestError, match=said):
        speaker({**WORDS, **words})
    assert not any(PATH in name for name in speaker.server.ledger()["requests"])
