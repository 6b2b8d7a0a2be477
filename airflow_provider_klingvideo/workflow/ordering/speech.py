"""A speech that is paid once: the vendor answers it at once, and has no external id by which it could be looked up.

What is asked is on record before, the answer after it. A record without an answer means that a call may have been paid
whose answer was lost; it is not repeated unless the user wants that.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_klingvideo.errors import KlingVideoError, Money
from airflow_provider_klingvideo.workflow.job.errors import SpeechUnknownError
from airflow_provider_klingvideo.workflow.job.job import utc_now
from airflow_provider_klingvideo.workflow.job.store import JobStore

if TYPE_CHECKING:
    from airflow_provider_klingvideo.kling import Speech

RECORD = "speech.json"
# The vendor keeps a speech for 30 days (kling-api section 7.3).
LIFETIME = timedelta(days=29)


def spoken_once(
    store: JobStore,
    speech_id: str,
    wanted: Mapping[str, Any],
    speak: Callable[[], Speech],
    *,
    repeat_unanswered: bool = False,
) -> dict[str, Any]:
    """Return a speech, ordered when there is none of these words on record.

    :param store: where records lie.
    :param speech_id: deterministic name of it.
    :param wanted: text, voice and how it is spoken.
    :param speak: orders it; it is called once at most.
    :param repeat_unanswered: order again where a call was not answered, at the risk of paying twice for it.
    :returns: ``audio_id`` and ``duration`` in seconds.
    :raises SpeechUnknownError: when an earlier call may have been paid, and its answer is not known.
    :raises KlingVideoError: the vendor refused; nothing was paid.
    """
    of = hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()[:16]
    known = store.read(speech_id, RECORD) or {}
    if known.get("of") == of and "audio_id" in known and not _is_over(known["at"]):
        return {"audio_id": known["audio_id"], "duration": known["duration"]}
    if known.get("of") == of and known.get("is_asked") and not repeat_unanswered:
        raise SpeechUnknownError(f"The call for speech {speech_id} at {known['at']} was not answered")
    asked = {"of": of, "at": utc_now().isoformat()}
    store.write(speech_id, RECORD, {**asked, "is_asked": True})
    try:
        speech = speak()
    except KlingVideoError as error:
        if error.money is Money.NONE:
            store.write(speech_id, RECORD, asked)
        raise
    answer = {"audio_id": speech.audio_id, "duration": speech.duration}
    store.write(speech_id, RECORD, {**asked, **answer})
    return answer


def _is_over(moment: str) -> bool:
    return utc_now() - datetime.fromisoformat(moment) >= LIFETIME
