"""Speech from text, for avatars and lip-sync."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from airflow.sdk import BaseOperator

from airflow_provider_klingvideo.operators.base import UI_COLORS, TriedAgain, with_retry_defaults
from airflow_provider_klingvideo.runtime.options import DEFAULT_CONNECTION

if TYPE_CHECKING:
    from airflow.sdk import Context

__all__ = ["KlingVideoSpeakOperator"]


class KlingVideoSpeakOperator(TriedAgain, BaseOperator):
    """Speak a text; returns the ``audio_id`` that requests for avatars and lip-sync take.

    Kling answers at once and charges for it. Run again with the same words, it returns the speech on record, for
    which nothing is paid again. A call that was not answered is not repeated, since it may have been paid.

    :param text: (templated) what is spoken, at most 1000 characters.
    :param voice_id: (templated) the voice; ``klingvideo models --voices`` lists them.
    :param language: (templated) ``en`` or ``zh``.
    :param speed: 0.8 to 2.
    :param repeat_unanswered: order again where a call was not answered, at the risk of paying twice for it.
    :param klingai_conn_id: (templated) the connection.
    :param output_path: (templated) folder for records, a path or object storage URI; default: the option
        ``[klingvideo] output_path``.
    """

    template_fields: Sequence[str] = ("text", "voice_id", "language", "klingai_conn_id", "output_path")
    ui_color = UI_COLORS["work"]

    def __init__(
        self,
        *,
        text: str,
        voice_id: str,
        language: Literal["en", "zh"] = "en",
        speed: float = 1.0,
        repeat_unanswered: bool = False,
        klingai_conn_id: str = DEFAULT_CONNECTION,
        output_path: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**with_retry_defaults(kwargs))
        self.text = text
        self.voice_id = voice_id
        self.language = language
        self.speed = speed
        self.repeat_unanswered = repeat_unanswered
        self.klingai_conn_id = klingai_conn_id
        self.output_path = output_path

    def execute(self, context: Context) -> str:
        """Return Kling's id of the speech."""
        from airflow_provider_klingvideo.kling.services.speech import speak
        from airflow_provider_klingvideo.runtime.airflow_errors import airflow_errors
        from airflow_provider_klingvideo.runtime.paid import paid_once
        from airflow_provider_klingvideo.runtime.places import name_of, store_of
        from airflow_provider_klingvideo.runtime.session import Session

        wanted: dict[str, Any] = {"voice_id": self.voice_id, "language": self.language, "speed": self.speed}
        session = Session(self.klingai_conn_id, self.output_path)
        with airflow_errors():
            speech = paid_once(
                session.connection,
                store_of(session, context),
                name_of(context, self.task_id),
                speak(self.text, **wanted),
                # Speeches of earlier versions are known by these words.
                wanted={"text": self.text, **wanted},
                repeat_unanswered=self.repeat_unanswered,
            )
        self.log.info("Speech %s lasts %s s", speech.audio_id, speech.duration)
        return str(speech.audio_id)
