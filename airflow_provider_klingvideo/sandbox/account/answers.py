"""Kling's envelope and its error codes (kling-api sections 2.3, 3 and 16)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse

AUTHENTICATION = (
    "Authentication error. The current API does not support AK/SK; "
    "please go to the console (https://kling.ai/dev/api-key) to create API key."
)

# Business code -> HTTP status and words; where no live answer is known, the words are those of the code's meaning.
CODES: dict[int, tuple[int, str]] = {
    0: (200, "SUCCEED"),
    1000: (401, "Authentication failed"),
    1001: (401, "Authorization is empty"),
    1002: (401, "Authorization is invalid"),
    1003: (401, "Authorization is not yet valid"),
    1004: (401, "Authorization has expired"),
    1100: (429, "Account exception"),
    1101: (429, "Account in arrears"),
    1102: (429, "Account balance not enough"),
    1103: (403, "No permission to access the requested resource"),
    1200: (400, "Invalid request parameters"),
    1201: (400, "Invalid parameters"),
    1202: (404, "The requested method is invalid"),
    1203: (404, "The requested resource does not exist"),
    1300: (400, "Trigger platform strategy"),
    1301: (400, "Trigger content security policy"),
    1302: (429, "API requests too many"),
    1303: (429, "parallel task over resource pack limit"),
    1304: (429, "Trigger the platform's IP whitelisting policy"),
    5000: (500, "Internal error"),
    5001: (503, "Service unavailable"),
    5002: (504, "Internal timeout"),
}


class Answer(JSONResponse):
    """An answer in Kling's envelope."""

    def __init__(
        self,
        data: Any = None,
        *,
        code: int = 0,
        message: str | None = None,
        http_status: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        default_status, default_message = CODES.get(code, (400, "Unknown error"))
        self.code = code
        envelope = {
            "code": code,
            "message": message or default_message,
            "request_id": str(uuid.uuid4()),
        }
        if code == 0:
            envelope["data"] = data
        super().__init__(envelope, status_code=http_status or default_status, headers=headers)


class Refusal(Exception):  # noqa: N818 - not a fault of this program: the answer that the caller has earned
    """A request that Kling would refuse.

    :param code: Kling's business code.
    :param message: Kling's words, where they differ from the code's usual ones.
    """

    def __init__(self, code: int, message: str | None = None) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message

    def answer(self) -> Answer:
        """The HTTP answer."""
        return Answer(code=self.code, message=self.message)


def invalid(message: str) -> Refusal:
    """A parameter that Kling refuses: 400 with code 1201."""
    return Refusal(1201, message)
