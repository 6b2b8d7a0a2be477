"""What the account owns and can be used in requests: elements, voices, sounds, earlier results."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from airflow_provider_klingvideo.sandbox.account.account import Account
from airflow_provider_klingvideo.sandbox.account.catalog import FRAMES_PER_SECOND
from airflow_provider_klingvideo.sandbox.account.speakers import SPEAKERS
from airflow_provider_klingvideo.sandbox.account.tasks import DELETED, ELEMENT_BIT, Result, Status, Task
from airflow_provider_klingvideo.sandbox.files.media_facts import MediaFacts
from airflow_provider_klingvideo.sandbox.settings import SandboxSettings

RETENTION_MILLIS = 30 * 86_400_000
SESSION_MILLIS = 86_400_000
PRESETS_OWNER = "kling"
_ID_DIGITS = 19


class ElementType(StrEnum):
    """As the new generation names them (kling-api section 6.4)."""

    CHARACTER = "video_character_elements"
    IMAGES = "multi_image_elements"


class Voice(NamedTuple):
    """A voice with which a clip can speak."""

    name: str
    owned_by: str


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
        if result.type == "audio":
            return MediaFacts(format="mp3", seconds=result.seconds, sound=True)
        return MediaFacts(
            format="mp4",
            width=result.width,
            height=result.height,
            seconds=result.seconds,
            frames_per_second=FRAMES_PER_SECOND,
            sound=result.sound,
        )


class Library:
    """What request validation asks for.

    :param settings: of the sandbox; they name elements and voices that are there from the start.
    :param account: whose tasks made everything else, so all of it survives a restart.
    """

    def __init__(self, settings: SandboxSettings, account: Account) -> None:
        self._settings = settings
        self._account = account

    @property
    def owner(self) -> str:
        """Who made what is not Kling's own."""
        return self._settings.account_name

    @property
    def preset_elements(self) -> dict[str, ElementType]:
        """The elements that are there from the start."""
        groups = {
            ElementType.IMAGES: self._settings.element_ids,
            ElementType.CHARACTER: self._settings.character_element_ids,
        }
        return {element_id: kind for kind, ids in groups.items() for element_id in sorted(ids)}

    @property
    def preset_voices(self) -> list[str]:
        """The voices that are there from the start."""
        return sorted(self._settings.voice_ids)

    def element(self, element_id: str) -> ElementType | None:
        """What kind of element this is, none if there is none (any more)."""
        own = self._own_element(element_id)
        if own:
            return ElementType(own.result.details["element_type"])
        return self.preset_elements.get(element_id)

    def _own_element(self, element_id: str) -> OwnResult | None:
        if not (element_id.isascii() and element_id.isdecimal()) or len(element_id) > _ID_DIGITS:
            return None
        own = self._own(f"{int(element_id) & ~ELEMENT_BIT}-1", "element")
        return own if own and str(own.task.element_id) == element_id else None

    def voice(self, voice_id: str) -> Voice | None:
        """A voice with which a clip can speak, none if there is none (any more)."""
        own = self._own_voice(voice_id)
        if own:
            return Voice(own.result.details["name"], own.result.details["owned_by"])
        return Voice(voice_id, PRESETS_OWNER) if voice_id in self._settings.voice_ids else None

    def has_voice(self, voice_id: str) -> bool:
        """Whether a clip can speak with this voice."""
        return self.voice(voice_id) is not None

    def _own_voice(self, voice_id: str) -> OwnResult | None:
        own = self._own(voice_id, "voice")
        if own is None or (own.result.hidden and not own.task.heard):
            return None
        return own if own.result.details["voice_id"] in {"", voice_id} else None

    def has_speaker(self, voice_id: str, language: str = "") -> bool:
        """Whether this voice is in the catalogue of text to speech and lip-sync.

        :param language: in which it is to speak; any if empty.
        """
        languages = (language,) if language else SPEAKERS
        return any(voice_id in SPEAKERS[name] for name in languages)

    def delete_element(self, element_id: str) -> Task | None:
        """Delete an element of one's own; the task that made it, none if there is no such element."""
        return self._delete(self._own_element(element_id))

    def delete_voice(self, voice_id: str) -> Task | None:
        """Delete a voice of one's own; the task that made it, none if there is no such voice."""
        return self._delete(self._own_voice(voice_id))

    def _delete(self, own: OwnResult | None) -> Task | None:
        if own is None:
            return None
        own.result.details[DELETED] = True
        self._account.keep(own.task)
        return own.task

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
        own = self._own(result_id, kind)
        if own is None or own.result.hidden:
            return None
        now = self._account.now()
        return own if now - own.task.change_at(now).at <= RETENTION_MILLIS else None

    def _own(self, result_id: str, kind: str) -> OwnResult | None:
        """What a task made, however long ago, unless it was deleted."""
        task_id, _, number = result_id.rpartition("-")
        task = self._account.tasks.get(task_id)
        if task is None or not number.isdecimal() or not 1 <= int(number) <= len(task.results):
            return None
        done, result = task.change_at(self._account.now()).status is Status.SUCCEEDED, task.results[int(number) - 1]
        there = done and result.type == kind and DELETED not in result.details
        return OwnResult(result_id, task, result, int(number) - 1) if there else None
