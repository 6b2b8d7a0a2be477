"""What can go wrong with Kling, by its business codes (kling-api section 3)."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_klingvideo.errors import KlingVideoError, Money

CONSOLE = "https://kling.ai/dev/api-key"


class KlingError(KlingVideoError):
    """Base of Kling's errors."""

    kind = "vendor"


class AuthenticationError(KlingError):
    """The credentials were not accepted."""

    kind = "authentication"
    default_advice = f"Check the key of the connection ({CONSOLE}); a key works only in the region where it was created"


class PermissionDeniedError(KlingError):
    """The account may not use this API or model."""

    kind = "permission"
    default_advice = "Ask Kling to enable the model for the account, or choose another one"


class AccountError(KlingError):
    """The account cannot be used until a person acts; HTTP 429, but waiting does not help."""

    kind = "account"


class InvalidRequestError(KlingError):
    """The request is not legal."""

    kind = "invalid_request"
    default_advice = "Change the request"


class ContentPolicyError(KlingError):
    """Kling's moderation refused the input."""

    kind = "content_policy"
    default_advice = "Change the prompt or the picture; the same input is refused again"


class ConcurrencyLimitError(KlingError):
    """Every slot of the account is taken."""

    kind = "concurrency"
    default_retryable = True
    default_advice = "Wait until a running task ends, or buy a pack with more concurrency"


class RateLimitError(KlingError):
    """Too many requests in a short time."""

    kind = "rate"
    default_retryable = True
    default_advice = "Wait and try again"


class ServerError(KlingError):
    """Kling is in trouble, or what answered was not Kling's API."""

    kind = "server"
    default_retryable = True
    default_advice = "Wait and try again; check the base URL when it lasts"


class NetworkError(KlingError):
    """Kling could not be reached; of a create nothing was sent."""

    kind = "network"
    default_retryable = True
    default_advice = "Check the base URL, the region and the network of this machine"


class AmbiguousSubmissionError(KlingError):
    """A create request was sent, and its answer does not tell whether a task exists."""

    kind = "ambiguous_submission"
    default_money = Money.MAYBE
    default_retryable = True
    default_advice = "Look the task up by its external id before anything is sent again"


class TaskNotFoundError(KlingError):
    """Kling does not know the task."""

    kind = "task_not_found"
    default_advice = "Check that the connection's key and region are those with which the task was ordered"


class GenerationFailedError(KlingError):
    """Kling accepted the task and failed to generate it."""

    kind = "generation_failed"
    default_money = Money.MAYBE
    default_advice = "Change the request, or order the same again with a higher take"


@dataclass(frozen=True)
class _Row:
    error: type[KlingError]
    meaning: str
    advice: str = ""


_PAY = "Top up or buy a pack in Kling's console, then clear the task"
_CODES: dict[int, _Row] = {
    1000: _Row(AuthenticationError, "Kling did not accept the credentials"),
    1001: _Row(AuthenticationError, "The request carried no credentials"),
    1002: _Row(
        AuthenticationError,
        "Kling did not accept the credentials",
        "The key is wrong, was created in the other region, or is an access key used on a path that needs an API key "
        f"({CONSOLE})",
    ),
    1003: _Row(AuthenticationError, "The token is not valid yet", "Set this machine's clock"),
    1004: _Row(AuthenticationError, "The token has expired", "Set this machine's clock"),
    1100: _Row(AccountError, "The account is in an abnormal state", "Ask Kling's support"),
    1101: _Row(AccountError, "The account is in arrears", _PAY),
    1102: _Row(AccountError, "The resource pack is used up or expired", _PAY),
    1103: _Row(PermissionDeniedError, "The account may not use this API or model"),
    1200: _Row(InvalidRequestError, "Kling refused the parameters"),
    1201: _Row(InvalidRequestError, "Kling refused a parameter"),
    1202: _Row(InvalidRequestError, "Kling does not know this method on this path"),
    1203: _Row(InvalidRequestError, "Kling does not have this resource, for example the model"),
    1300: _Row(ContentPolicyError, "Kling's policy forbids the input"),
    1301: _Row(ContentPolicyError, "Kling's content moderation refused the input"),
    1302: _Row(RateLimitError, "Kling wants fewer requests"),
    1303: _Row(ConcurrencyLimitError, "Every slot of the account is taken"),
    1304: _Row(AccountError, "Kling refuses this machine's address", "Add the address to the account's allow-list"),
    5000: _Row(ServerError, "Kling had an internal error"),
    5001: _Row(ServerError, "Kling is unavailable, usually for maintenance"),
    5002: _Row(ServerError, "Kling timed out internally"),
}

# For a code that the table does not have: the HTTP status is the next best word.
_STATUSES: dict[int, _Row] = {
    401: _Row(AuthenticationError, "Kling did not accept the credentials"),
    403: _Row(PermissionDeniedError, "Kling denied access"),
    408: _Row(ServerError, "Kling timed out internally"),
    429: _Row(RateLimitError, "Kling wants fewer requests"),
}
_CLIENT_FAULT = _Row(InvalidRequestError, "Kling refused the request")
_SERVER_FAULT = _Row(ServerError, "Kling is in trouble")


def error_from_answer(
    code: int | None,
    *,
    http_status: int,
    vendor_message: str | None = None,
    request_id: str | None = None,
    retry_after: float | None = None,
) -> KlingError:
    """Make the error for a refusal.

    :param code: the business code; None when the answer had none.
    :param http_status: the HTTP status, which decides only where the code is unknown: 429 can be permanent.
    :param vendor_message: Kling's words.
    :param request_id: Kling's request id.
    :param retry_after: seconds that Kling asked to wait.
    """
    row = _CODES.get(code) if code is not None else None
    if row is None:
        row = _STATUSES.get(http_status) or (_CLIENT_FAULT if 400 <= http_status < 500 else _SERVER_FAULT)
    return row.error(
        row.meaning,
        code=code,
        vendor_message=vendor_message,
        http_status=http_status,
        request_id=request_id,
        advice=row.advice or None,
        retry_after=retry_after,
    )
