"""The id that a task has at Kling by our choice: put together and taken apart here alone."""

from __future__ import annotations

import re
from typing import NamedTuple, Self

from airflow_provider_klingvideo.storage.names import is_safe_segment

_FORM = re.compile(r"(?P<job_id>.+)-(?P<fingerprint>[0-9a-f]{16})-g(?P<take>[1-9][0-9]{0,8})")


class ExternalId(NamedTuple):
    """Names one take of one request of one job, the same on every try.

    :param job_id: the job.
    :param fingerprint: hash of what is asked for, 16 hexadecimal digits.
    :param take: 1, and one more for every repetition that was asked for.
    """

    job_id: str
    fingerprint: str
    take: int

    @classmethod
    def parse(cls, text: str | None) -> Self | None:
        """Take an id apart; None for one that this provider has not made."""
        found = _FORM.fullmatch(text or "")
        # A job has a folder of its name: what cannot be one is the id of no job.
        if found is None or not is_safe_segment(found["job_id"]):
            return None
        return cls(found["job_id"], found["fingerprint"], int(found["take"]))

    def __str__(self) -> str:
        """Return the form in which Kling knows it."""
        return f"{self.job_id}-{self.fingerprint}-g{self.take}"
