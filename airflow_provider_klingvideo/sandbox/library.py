"""What the account owns and can be used in requests: elements, voices, sounds, earlier results."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from airflow_provider_klingvideo.sandbox.account import Account
from airflow_provider_klingvideo.sandbox.media_facts import MediaFacts
from airflow_provider_klingvideo.sandbox.settings import SandboxSettings
from airflow_provider_klingvideo.sandbox.tasks import Result, Status, Task

RETENTION_MILLIS = 30 * 86_400_000
SESSION_MILLIS = 86_400_000


class ElementType(StrEnum):
    """As the new generation names them (kling-api section 6.4)."""

    CHARACTER = "video_character_elements"
    IMAGES = "multi_image_elements"


@dataclass(frozen=True)
class OwnResult:
    """A result of an earlier task that can still be used."""

    id: str
    task: Task
    result: Result
    index: int

    @property
    def facts(self) -> MediaFacts:
        """What one would read off its file."""
        result = self.result
        return MediaFacts(
            format="mp4" if result.width else "mp3",
            width=result.width,
            height=result.height,
            seconds=result.seconds,
            frames_per_second=24 if result.width else 0,
            sound=result.sound or not result.width,
        )


class Library:
    """What request validation asks for.

    :param settings: of the sandbox; they name elements and voices that are there from the start.
    :param account: whose tasks made everything else, so all of it survives a restart.
    """

    def __init__(self, settings: SandboxSettings, account: Account) -> None:
        self._settings = settings
        self._account = account

    def element(self, element_id: str) -> ElementType | None:
        """What kind of element this is, none if there is none (any more)."""
        if element_id in self._settings.character_element_ids:
            return ElementType.CHARACTER
        return ElementType.IMAGES if element_id in self._settings.element_ids else None

    def has_voice(self, voice_id: str) -> bool:
        """Whether a clip can speak with this voice."""
        return voice_id in self._settings.voice_ids

    def has_speaker(self, voice_id: str) -> bool:
        """Whether this voice is in the catalogue of text to speech and lip-sync."""
        return voice_id in self._settings.voice_ids

    def video(self, video_id: str) -> OwnResult | None:
        """A clip that an earlier task made not more than 30 days ago."""
        return self._result(video_id, "video")

    def audio(self, audio_id: str) -> OwnResult | None:
        """A sound that an earlier task made not more than 30 days ago."""
        return self._result(audio_id, "audio")

    def session(self, session_id: str, product: str) -> Task | None:
        """What a request for a selection or for faces opened, within the 24 hours that it is valid."""
        task = self._account.tasks.get(session_id)
        fresh = task and self._account.now() - task.created_at <= SESSION_MILLIS
        return task if task and fresh and task.product == product else None

    def _result(self, result_id: str, kind: str) -> OwnResult | None:
        task_id, _, number = result_id.rpartition("-")
        task = self._account.tasks.get(task_id)
        if task is None or not number.isdecimal() or not 1 <= int(number) <= len(task.results):
            return None
        change, result = task.change_at(self._account.now()), task.results[int(number) - 1]
        fresh = change.status is Status.SUCCEEDED and self._account.now() - change.at <= RETENTION_MILLIS
        return OwnResult(result_id, task, result, int(number) - 1) if fresh and result.type == kind else None
