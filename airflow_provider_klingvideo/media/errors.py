"""Errors of download, verification, rendering and storage.

They are raised after Kling has succeeded, so all of them say that the task is billed; none is a reason to
generate a video again.
"""

from __future__ import annotations

import errno
import signal
from collections.abc import Sequence

from airflow_provider_klingvideo._urls import without_query
from airflow_provider_klingvideo.errors import KlingVideoError, Money


class PlanError(KlingVideoError):
    """A render plan that is none: a field that is missing, unknown, or out of its bounds."""

    kind = "plan"
    default_advice = "Correct the named fields of the plan; docs/media.md lists the presets and their options"


class MediaError(KlingVideoError):
    """Base of everything that can go wrong between a finished task and its published files."""

    kind = "media"
    default_money = Money.BILLED


class DownloadError(MediaError):
    """The video could not be downloaded; retryable unless the case says otherwise."""

    kind = "download"
    default_retryable = True
    default_advice = "Run the post-processing task again: it asks for a fresh URL and pays nothing"


class ExpiredUrlError(DownloadError):
    """The signed URL is no longer served (HTTP 403, 404 or 410): a fresh one is needed."""

    kind = "expired_url"
    default_advice = "Run the post-processing task again to ask for a fresh URL; Kling keeps results for 30 days only"


class VerificationError(MediaError):
    """The file is not the whole, decodable video that was ordered."""

    kind = "verification"
    default_retryable = True
    default_advice = "Run the post-processing task again: a file that does not verify is downloaded anew, at no cost"


SHORTAGES = frozenset({errno.EAGAIN, errno.EMFILE, errno.ENFILE})
"""What a machine can be short of for a moment (processes, open files), and no file can be the cause of."""
# ffmpeg exits with 255 when it is asked to end, and with the last byte of an errno when a call has failed; the others
# are signals that left it no time.
_ENDED = frozenset({255, -signal.SIGTERM, -signal.SIGKILL, -signal.SIGINT, *(256 - number for number in SHORTAGES)})


class FFmpegError(MediaError):
    """A run of ffmpeg failed.

    :param returncode: its exit code, negative for a signal; None when it did not start, or was ended for running too
        long.
    :param argv: the command; query strings of URLs are removed.
    :param stderr_tail: the last lines that it wrote to stderr.
    :param advice: see :class:`~airflow_provider_klingvideo.errors.KlingVideoError`.
    """

    kind = "ffmpeg"
    default_retryable = True
    default_advice = "Read the last lines of ffmpeg; the source is kept, and running the task again pays nothing"

    def __init__(
        self,
        message: str,
        *,
        returncode: int | None,
        argv: Sequence[str],
        stderr_tail: Sequence[str] = (),
        advice: str | None = None,
    ) -> None:
        self.returncode = returncode
        self.argv = [without_query(argument) for argument in argv]
        self.stderr_tail = list(stderr_tail)
        super().__init__("\n".join([message, *self.stderr_tail]), advice=advice)

    @property
    def ended(self) -> bool:
        """Whether the machine ended it or let it not begin, so that its failure tells nothing about the files."""
        return self.returncode is None or self.returncode in _ENDED

    @property
    def inconclusive(self) -> bool:
        """Whether it came to no verdict about a file: it was ended, or crashed."""
        return self.ended or (self.returncode or 0) < 0


class FFmpegMissingError(MediaError):
    """No usable ffmpeg was found."""

    kind = "ffmpeg_missing"
    default_advice = "Install one: pip install 'airflow-provider-klingvideo[ffmpeg]' or apt-get install ffmpeg"


class FilmError(MediaError):
    """The film cannot be made so: its plan, its clips, or what else goes into it."""

    kind = "film"
    default_money = Money.NONE
    default_advice = "Change the plan or what goes into the film, then run the task again; no video is generated again"
