"""Text that stands where a value or a prompt should: nobody wants a video of it, so it is refused."""

from __future__ import annotations

import re
import unicodedata

from airflow_provider_klingvideo._text import plain_name, trimmed

# What data frames, databases, scripts and spreadsheets (in the language of their user) write where they have nothing,
# or could not compute it.
_NO_VALUE = re.compile(
    r"nan|none|null|<na>|nat|nil|undefined|n/a|\\n|\((?:null|none|blank|empty)\)|\[object \w+\]|loading\.\.\.|err:\d{3}"
    r"|#{2,}|#n/?[advf]|#getting_data",
    re.IGNORECASE,
)
_FAILED_FORMULA = re.compile(r"#[¡¿]?[^\W\d_a-z][^\sa-z]*[!?]")
_FORMULA = re.compile(r"=[$]?[A-Z]{1,3}[$]?\d+|=[A-Z][\w.]*\(.*\)", re.DOTALL)
_COMMENT = re.compile(r"(?:#[ \t]|//)[^\n]*")
# In a column of prompts alone: what stands beside or below the rows, and what should have become a prompt.
_NO_PROMPT: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"na", re.IGNORECASE), "stands for no value"),
    (
        re.compile(r"(?:(?:grand|sub)[- ]?)?totals?:?|sum:?|average:?|summe:?|gesamt:?|somme:?|suma:?", re.IGNORECASE),
        "looks like the name of a row with totals",
    ),
    (
        re.compile(r"(?:(?:grand|sub)[- ]?)?totals?\s*[:=]\s*[\d.,]+\D{0,20}", re.IGNORECASE),
        "looks like a row with totals",
    ),
    (re.compile(r"\S+(?:\s\S+){0,2}:"), "looks like a heading"),
    (
        re.compile(
            r"page \d+(?:\s?(?:of|/)\s?\d+)?|eof|\W*end of (?:file|list|table|data|document)\W*"
            r"|(?:generated|exported|printed|created|updated|last \w+|as of)(?: on| at)?:? ?"
            r"\d+[-./]\d+[-./]\d+[\d\WTZ]*",
            re.IGNORECASE,
        ),
        "looks like the foot of a page or a file",
    ),
    (re.compile(r".*(?:\{\{.*\}\}|\{%.*%\}).*", re.DOTALL), "holds a template that was not rendered"),
)
_SAYS_SOMETHING = frozenset({"L", "N"})
_PICTURE = "So"


def no_value(text: str) -> str:
    """Say why a text is no value at all, whatever field it stands in; empty where it may be one."""
    plain = plain_name(trimmed(text))
    is_none = _NO_VALUE.fullmatch(plain) or _FAILED_FORMULA.fullmatch(plain) or _FORMULA.fullmatch(plain)
    return "stands for no value" if is_none else ""


def is_comment(text: str) -> bool:
    """Whether a text is one line that a program would leave out; a heading may stand above the lines of a prompt."""
    return _COMMENT.fullmatch(trimmed(text)) is not None


def no_prompt(text: str) -> str:
    """Say why nobody wants a video of a text; empty where somebody may."""
    plain = trimmed(text)
    if is_comment(plain):
        return "looks like a comment"
    if reason := no_value(plain) or next((why for one, why in _NO_PROMPT if one.fullmatch(plain)), ""):
        return reason
    return "" if not plain or any(map(_tells, plain)) else "has no letter and no number"


def _tells(sign: str) -> bool:
    category = unicodedata.category(sign)
    return category[0] in _SAYS_SOMETHING or category == _PICTURE
