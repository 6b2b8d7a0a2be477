"""Faults on demand: rules that say which requests or tasks go wrong, and how."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from airflow_provider_klingvideo.sandbox.account.answers import CODES
from airflow_provider_klingvideo.sandbox.account.tasks import Fate
from airflow_provider_klingvideo.sandbox.settings import Seconds

FAILED_BY_RULE = "Failure to pass the risk control system"


class Stage(StrEnum):
    """The point of a request at which an action is taken."""

    BEFORE = "before the request is handled"
    TASK = "while a task is created"
    AFTER = "after a request was handled with success"
    SENDING = "while an answer is sent, a refusal included"
    LISTING = "while a task is put into the answer to a query for several"
    MEDIA = "while a clip is downloaded"


class ActionType(StrEnum):
    """What can be made to go wrong."""

    SLOW = "slow"
    REFUSE = "refuse"
    RATE_LIMIT = "rate_limit"
    DROP_BEFORE = "drop_before"
    HTML = "html"
    DROP_AFTER = "drop_after"
    STORE_THEN_ERROR = "store_then_error"
    HALF_BODY = "half_body"
    SLOW_BODY = "slow_body"
    DRIP = "drip"
    HALF_CHARACTER = "half_character"
    FAIL_TASK = "fail_task"
    STUCK = "stuck"
    STATUS_WORD = "status_word"
    SUCCEED_WITHOUT_OUTPUTS = "succeed_without_outputs"
    OMIT_FROM_BATCH = "omit_from_batch"
    EXPIRED_URL = "expired_url"
    SHORT_MEDIA = "short_media"
    TRUNCATE_MEDIA = "truncate_media"
    HTML_MEDIA = "html_media"
    DROP_MEDIA_AT = "drop_media_at"


_STAGES: dict[ActionType, Stage] = {
    ActionType.SLOW: Stage.BEFORE,
    ActionType.REFUSE: Stage.BEFORE,
    ActionType.RATE_LIMIT: Stage.BEFORE,
    ActionType.DROP_BEFORE: Stage.BEFORE,
    ActionType.HTML: Stage.BEFORE,
    ActionType.DROP_AFTER: Stage.AFTER,
    ActionType.STORE_THEN_ERROR: Stage.AFTER,
    ActionType.HALF_BODY: Stage.AFTER,
    ActionType.SLOW_BODY: Stage.AFTER,
    ActionType.DRIP: Stage.AFTER,
    ActionType.HALF_CHARACTER: Stage.SENDING,
    ActionType.FAIL_TASK: Stage.TASK,
    ActionType.STUCK: Stage.TASK,
    ActionType.STATUS_WORD: Stage.TASK,
    ActionType.SUCCEED_WITHOUT_OUTPUTS: Stage.TASK,
    ActionType.OMIT_FROM_BATCH: Stage.LISTING,
    ActionType.EXPIRED_URL: Stage.MEDIA,
    ActionType.SHORT_MEDIA: Stage.MEDIA,
    ActionType.TRUNCATE_MEDIA: Stage.MEDIA,
    ActionType.HTML_MEDIA: Stage.MEDIA,
    ActionType.DROP_MEDIA_AT: Stage.MEDIA,
}


class Action(BaseModel):
    """What goes wrong. Every action reads only the parameters it needs.

    :param code: business code, for ``refuse``, ``rate_limit`` and ``store_then_error``.
    :param http_status: in place of the code's own; 502 for ``html``, 403 for ``expired_url``.
    :param message: words in place of the usual ones.
    :param headers: of the answer.
    :param seconds: delay of ``slow``; what the body of ``slow_body`` takes; pause before each piece of ``drip``;
        length of the clip of ``short_media``.
    :param piece_bytes: size of each piece of ``drip``.
    :param fields: for ``half_character``: the names of the texts that end in one, wherever in the answer they stand.
    :param store: for ``html``: whether the request is handled first.
    :param word: for ``status_word``: what is shown in place of ``processing``.
    :param fraction: how much of a body is sent.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: ActionType
    code: int | None = None
    http_status: Annotated[int, Field(ge=200, le=599)] | None = None
    message: str = ""
    headers: dict[str, str] = Field(default_factory=dict)
    seconds: Seconds = 1.0
    piece_bytes: Annotated[int, Field(ge=1)] = 1
    fields: frozenset[str] = frozenset({"message"})
    store: bool = False
    word: str = "reviewing"
    fraction: Annotated[float, Field(ge=0, lt=1)] = 0.5

    @property
    def stage(self) -> Stage:
        """Where it is taken."""
        return Stage.AFTER if self.store and self.type is ActionType.HTML else _STAGES[self.type]


class Match(BaseModel):
    """Which requests or tasks a rule is about; what is not given matches everything.

    :param method: HTTP method.
    :param path: pattern in the manner of the shell (``/text-to-video/*``).
    :param prompt_contains: part of the prompt, of the create request or of the tasks that a request is about.
    :param external_id: the same for the external id, in full.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: str | None = None
    path: str | None = None
    prompt_contains: str | None = None
    external_id: str | None = None

    def fits(self, facts: Facts) -> bool:
        """Whether a request is meant."""
        return (
            (self.method is None or self.method.upper() == facts.method)
            and (self.path is None or fnmatchcase(facts.path, self.path))
            and (self.prompt_contains is None or any(self.prompt_contains in prompt for prompt in facts.prompts))
            and (self.external_id is None or self.external_id in facts.external_ids)
        )


class Rule(BaseModel):
    """A fault that waits for its request.

    :param times: how often it strikes; always, when ``None``.
    :param after: how many matching requests it lets pass first.
    """

    model_config = ConfigDict(extra="forbid")

    match: Match = Field(default_factory=Match)
    action: Action
    times: Annotated[int, Field(ge=1)] | None = None
    after: Annotated[int, Field(ge=0)] = 0


@dataclass(frozen=True)
class Facts:
    """What rules look at."""

    method: str
    path: str
    prompts: tuple[str, ...] = ()
    external_ids: tuple[str, ...] = ()


@dataclass
class _Standing:
    id: int
    rule: Rule
    seen: int = 0
    struck: int = 0

    def strikes(self, stage: Stage, facts: Facts) -> bool:
        if self.rule.action.stage is not stage or self.struck == self.rule.times or not self.rule.match.fits(facts):
            return False
        self.seen += 1
        if self.seen <= self.rule.after:
            return False
        self.struck += 1
        return True


class RuleBook:
    """The rules that stand, in the order in which they were added."""

    def __init__(self) -> None:
        self._standing: list[_Standing] = []
        self._last_id = 0

    def add(self, rule: Rule) -> int:
        """Add a rule; its id."""
        self._last_id += 1
        self._standing.append(_Standing(self._last_id, rule))
        return self._last_id

    def clear(self) -> None:
        """Forget all."""
        self._standing.clear()

    def take(self, stage: Stage, facts: Facts) -> Iterator[Action]:
        """The actions that strike now; a rule counts only when its action is really asked for."""
        return (standing.rule.action for standing in list(self._standing) if standing.strikes(stage, facts))

    def listing(self) -> list[dict[str, Any]]:
        """All rules with how often they were met and struck."""
        return [
            {"id": entry.id, "seen": entry.seen, "struck": entry.struck} | entry.rule.model_dump(mode="json")
            for entry in self._standing
        ]


_MARKER = re.compile(r"\[sandbox:(fail|refuse|slow|stuck)(?:=([^\]]*))?\]")


@dataclass(frozen=True)
class Markers:
    """Wishes that a prompt utters itself: ``[sandbox:fail=WORDS]`` and its like."""

    refuse_code: int | None
    fate: Fate


def read_markers(prompt: str) -> Markers:
    """The markers in a prompt; one whose value cannot be read is no marker."""
    found = dict(_MARKER.findall(prompt))
    code, seconds = found.get("refuse", ""), found.get("slow", "")
    fate = Fate(
        failure=(found["fail"] or FAILED_BY_RULE) if "fail" in found else "",
        stuck="stuck" in found,
        generation_seconds=float(seconds) if re.fullmatch(r"[0-9]{1,5}(\.[0-9]+)?", seconds) else None,
    )
    known = code.isascii() and code.isdigit() and len(code) <= 5 and int(code) in CODES and int(code) != 0
    return Markers(int(code) if known else None, fate)


def decide_fate(book: RuleBook, facts: Facts, marked: Fate) -> Fate:
    """What rules and markers have in store for a task."""
    changes: dict[str, Any] = {}
    for action in book.take(Stage.TASK, facts):
        changes |= _fate_change(action)
    return marked.model_copy(update=changes)


def _fate_change(action: Action) -> dict[str, Any]:
    if action.type is ActionType.FAIL_TASK:
        return {"failure": action.message or FAILED_BY_RULE}
    if action.type is ActionType.STATUS_WORD:
        return {"status_word": action.word}
    return {"stuck": True} if action.type is ActionType.STUCK else {"without_outputs": True}
