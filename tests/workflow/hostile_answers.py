"""Answers of Kling with hostile texts and structures in them, for hypothesis to draw from."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping
from time import time
from typing import Any

from hostile_kling import ENCODINGS, EXTERNAL, HOST, ID, JOB, KEY, ROOT, SIGNED, Many, Raw, Reply, Twice
from hypothesis import strategies as st

TERMINAL = "\x1b[2J\x1b[1;31mowned\x1b[0m"
TEXTS = [
    *("\ud800", "\udfff\ud800", "half \udc00 of it", "\0", "a\0b", TERMINAL, "\x1b]0;title\x07", "\x9b31m", "\x7f\x08"),
    *("line\nERROR - forged line", "\r\nSet-Cookie: x", "\x85", "\u2028", "\u2029", "\u202egnp.exe", "\u200f\u2066x"),
    *("\ufeff", "../../decoy/pwned", "..", ".", "/etc/passwd", f"{ROOT}/decoy/secret.txt", "a/b", "a\\b"),
    *(f"file://{ROOT}/decoy/secret.txt", "C:\\Windows\\x", "\\\\server\\share", "job.json", "calls", "..%2f..%2fdecoy"),
    *("", " ", "null", "NaN", "0", "-1", "-12.5", "1e999", "1.5", "1_0", "true", "\u0663"),
    *("%s%n{0}{job}", "${jndi:ldap://x}", "<script>alert(1)</script>", "[bold]rich[/bold]", ID, EXTERNAL, JOB, HOST),
    *(f"see {HOST}/media/clip.mp4{SIGNED}", "succeeded", "failed", "video", "image"),
]
NUMBERS = [None, True, False, 0, 1, -1, -7.5, 2**63, 10**30, 5e-324]
RAW = [
    *('"' + "x" * 70_000 + '"', '"' + "9" * 400 + '"', "-" + "9" * 400),
    *("NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1" * 5000, "-0.0", "1E-400"),
    *("[" * depth + "]" * depth for depth in (60, 150, 400, 900, 5000, 100_000)),
    *('{"a":' * depth + "1" + "}" * depth for depth in (60, 150, 300, 900)),
]
STRUCTURES = [[], {}, [[]], [None], {"id": {}}, Many(0, 2000), Twice("id", "a", "../b"), Twice("code", 0, 1201)]

hostile = st.one_of(
    st.sampled_from(TEXTS),
    st.sampled_from(NUMBERS),
    st.sampled_from([Raw(text) for text in RAW]),
    st.sampled_from(STRUCTURES),
    st.text(st.characters(exclude_categories=()), max_size=40),
)

CLIP = f"{HOST}/media/clip.mp4{SIGNED}"
PICTURE = f"{HOST}/media/picture.png{SIGNED}"
SOUND = f"{HOST}/media/sound.mp3{SIGNED}"
WAVE = f"{HOST}/media/sound.wav{SIGNED}"
OUTPUTS: list[dict[str, Any]] = [
    {"type": "video", "id": "5001", "url": CLIP, "duration": "0.4"},
    {"type": "video", "id": "5002", "url": CLIP, "watermark_url": CLIP, "duration": 0.4},
    {"type": "image", "url": PICTURE, "group_id": "1"},
    {"type": "image", "index": 0, "url_1": PICTURE, "url_2": PICTURE},
    {"type": "audio", "id": "7001", "mp3_url": SOUND, "wav_url": WAVE, "mp3_duration": "0.4"},
    {"type": "voice", "voice_id": "9001", "voice_name": "Anna", "trial_url": SOUND},
    {"type": "element", "element_id": "9002", "element_name": "Fox", "status": "deleted"},
    {"type": "srt", "url": f"{HOST}/media/text.srt{SIGNED}"},
    {"type": "video", "url": f"file://{ROOT}/decoy/secret.txt"},
    {"type": "image", "url": f"{HOST}/media/../decoy/secret.txt{SIGNED}"},
    {"type": "video/../../../decoy/pwned", "url": CLIP},
    {"type": "../../decoy/pwned", "url": SOUND},
    {"type": f"{ROOT}/decoy/pwned", "url": SOUND, "wav_url": WAVE},
    {"type": "image", "url": f"http://169.254.169.254/latest{SIGNED}"},
    {"type": "audio", "url": SOUND, "url_../../wav": WAVE, "formats": ["../x"]},
    {"type": "image", "url": "data:image/png;base64,iVBORw0KGgo="},
    {"type": "ass", "url": f"{HOST}/media/page.html{SIGNED}"},
    {"url": PICTURE},
    {"type": "", "url": CLIP, "watermark_url": CLIP},
    {"type": "video", "url": f"{HOST}/media/gone.mp4{SIGNED}"},
]
LEGACY_LISTS = ("videos", "images", "series_images", "audios", "voices", "elements")
STATUSES = ["succeeded"] * 8 + ["failed", "processing"]
# A comparison looks at the tasks of the last 30 days.
NOW = int(time() * 1000)
TIMES = {"create_time": NOW, "update_time": NOW + 60_000}

TYPES = ["video", "image", "audio", "voice", "element", "srt", "", "../../decoy/pwned", f"{ROOT}/decoy/pwned"]
ADDRESSES = [*dict.fromkeys(one["url"] for one in OUTPUTS if "url" in one)]
hostile_output = st.fixed_dictionaries(
    {"url": st.one_of(st.sampled_from(ADDRESSES[:4]), st.sampled_from(ADDRESSES), hostile)},
    optional={
        "type": st.one_of(st.sampled_from(TYPES), hostile),
        "watermark_url": st.one_of(st.sampled_from(ADDRESSES), hostile),
        "wav_url": st.one_of(st.just(WAVE), hostile),
        "url_1": st.one_of(st.just(PICTURE), hostile),
        **dict.fromkeys(("id", "name", "group_id", "duration", "status", "index", "voice_id"), hostile),
    },
)
outputs = st.one_of(
    *[st.lists(hostile_output, min_size=1, max_size=3)] * 3,
    *[st.lists(st.sampled_from(OUTPUTS), min_size=1, max_size=4)] * 2,
    st.lists(st.sampled_from(OUTPUTS[:8]), max_size=2),
    st.builds(lambda one: Many(one, 300), st.sampled_from([OUTPUTS[6], {"type": "image"}, {"url": ""}])),
)
messages = st.sampled_from(["", "a failure", f"see {CLIP} please", *TEXTS[:20]])
bills = st.sampled_from(["3", "0", "0.5", "-3", 2.5, 10**25, "1e400", "NaN", None])


def _new_task(status: str, files: list[Any], message: str, bill: Any) -> dict[str, Any]:
    billing = [{"charge_type": "unit", "amount": bill, "package_type": "video"}]
    return {
        "id": ID,
        "external_id": EXTERNAL,
        "status": status,
        "message": message,
        **TIMES,
        "outputs": files,
        "billing": billing,
        "extra": CLIP,
    }


def _legacy_task(status: str, files: list[Any], message: str, bill: Any, where: str) -> dict[str, Any]:
    word = {"succeeded": "succeed"}.get(status, status)
    return {
        "task_id": ID,
        "task_status": word,
        "task_status_msg": message,
        "created_at": NOW,
        "task_info": {"external_task_id": EXTERNAL},
        "updated_at": NOW + 60_000,
        "final_unit_deduction": bill,
        "task_result": {where: files},
    }


tasks = st.one_of(
    st.builds(_new_task, st.sampled_from(STATUSES), outputs, messages, bills),
    st.builds(_legacy_task, st.sampled_from(STATUSES), outputs, messages, bills, st.sampled_from(LEGACY_LISTS)),
)
orphans = st.builds(
    lambda task, external: {**task, "id": "4711", "task_id": "4711", "external_id": external},
    tasks,
    st.sampled_from(
        [
            *(f"{name}-0123456789abcdef-g1" for name in ("lost", JOB, "..", ".", "../../decoy/pwned", "/abs", "C:\\x")),
            *(
                f"{name}-0123456789abcdef-g1"
                for name in ("job.json", "a/b", "calls", "\x1b[2J", "a\0", "\ud800", "x" * 300)
            ),
            *(f"lost-0123456789abcdef-g{take}" for take in ("0", "9" * 30, "9" * 5000)),
            *TEXTS[:30],
        ]
    ),
)


def _places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a JSON value."""
    yield place
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield from _places(one, (*place, key))


def _changed(value: Any, place: tuple[Any, ...], change: Any) -> Any:
    if not place:
        return change(value)
    copy = dict(value) if isinstance(value, dict) else list(value)
    new = _changed(copy[place[0]], place[1:], change)
    if new is GONE:
        del copy[place[0]]
    else:
        copy[place[0]] = new
    return copy


GONE = Raw("null")


def _removed(_old: Any) -> Any:
    return GONE


def _replaced_by(new: Any) -> Any:
    return lambda _old: new


replaced = hostile.map(_replaced_by)
CHANGES = [lambda old: [old], lambda old: {"a": old}, lambda old: [old, old], str]


@st.composite
def spoilt(draw: st.DrawFn, honest: Any, times: tuple[int, ...] = (0, 1, 1, 2, 3, 5)) -> Any:
    """An honest value with some of its parts replaced, wrapped or doubled."""
    value = draw(honest)
    for _ in range(draw(st.sampled_from(times))):
        place = draw(st.sampled_from(list(_places(value))[:400]))
        change = draw(st.one_of(replaced, replaced, st.just(_removed), st.sampled_from(CHANGES)))
        value = _changed(value, place, change)
    return value


def envelope(data: Any) -> dict[str, Any]:
    return {"code": 0, "message": "SUCCEED", "request_id": "0a1b2c", "data": data}


def one_or_list(task: Any) -> Any:
    return st.one_of(task, task.map(lambda one: [one]), st.lists(task, max_size=3))


DONE_TASK = _new_task("succeeded", [OUTPUTS[0]], "", "3")
DONE = Reply(envelope([DONE_TASK]))
ACCEPTED = Reply(envelope(_new_task("submitted", [], "", None)))
ABSENT = Reply(envelope([]))

PAGES = [
    *(
        b"",
        b" ",
        b"null",
        b"[]",
        b'"text"',
        b"\xff\xfe\x00",
        b"\xef\xbb\xbf",
        b"{",
        b"\x00" * 100,
        b"<html>\x1b[2J</html>",
    ),
    *(
        b'{"code": 0}',
        b'{"code": true, "data": {}}',
        b'{"code": "0"}',
        b'{"code": 0.0}',
        b'{"code": null}',
        b"{'code': 0}",
    ),
    *(
        f"<pre>Authorization: Bearer {KEY}\n{CLIP}</pre>".encode(),
        f'{{"code": 1200, "message": "{KEY} {CLIP}"}}'.encode(),
    ),
    *(gzip.compress(b'{"code": 0}'), b'{"code": 0, "data": ' + b"[" * 300, b"HTTP/1.1 200 OK\r\n\r\n"),
]
HEADERS: list[Mapping[str, str]] = [
    *(
        {},
        {},
        {},
        {},
        {},
        {},
        {},
        {},
        {"Retry-After": "nan"},
        {"Retry-After": "-5"},
        {"Retry-After": "1e9"},
        {"Retry-After": "9" * 400},
    ),
    *({"Content-Type": "text/html; charset=utf-7"}, {"Content-Encoding": "gzip"}, {"Content-Encoding": "br, gzip"}),
    *({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, {"Location": "file:///etc/passwd"}, {"X-Odd": "\x9b\xff"}),
]
OK_STATUSES = [*[200] * 12, 201, 299, 999]
ODD_STATUSES = [204, 301, 304, 400, 401, 403, 404, 408, 413, 429, 500, 502, 503, 504, 599]
CODES = [1000, 1002, 1100, 1102, 1103, 1200, 1201, 1203, 1300, 1301, 1302, 1303, 1304, 5000, 5001, 5002, 7, -1, 10**30]

encodings = st.sampled_from(["utf-8"] * 30 + ["raw half characters"] * 4 + list(ENCODINGS))
refusals = st.builds(
    Reply,
    spoilt(
        st.builds(
            lambda code, message: {"code": code, "message": message, "request_id": "0a1b2c"},
            st.sampled_from(CODES),
            st.one_of(messages, hostile),
        ),
        times=(0, 1),
    ),
    st.sampled_from([200, 400, 401, 404, 429, 500]),
    st.sampled_from(HEADERS),
    encodings,
)
pages = st.builds(Reply, st.sampled_from(PAGES), st.sampled_from(OK_STATUSES + ODD_STATUSES), st.sampled_from(HEADERS))


def answers(data: Any) -> st.SearchStrategy[Reply]:
    """Answers that are meant as a success."""
    good = spoilt(data).map(envelope)
    contents = st.one_of(good, good, good, spoilt(data.map(envelope)))
    return st.builds(Reply, contents, st.sampled_from(OK_STATUSES), st.sampled_from(HEADERS), encodings)


def replies(data: Any, *, most: int) -> st.SearchStrategy[list[Reply]]:
    """Answers to one kind of question, in turn; the last one, which stays, is usually meant as a success."""
    good = answers(data)
    some = st.lists(st.one_of(good, good, refusals, pages), max_size=most - 1)
    last = st.one_of(*[good] * 8, refusals, pages)
    return st.builds(lambda first, then: [*first, then], some, last)


pages_of_tasks = st.lists(st.one_of(tasks, orphans, orphans), max_size=4)
listings = st.one_of(
    pages_of_tasks,
    pages_of_tasks.map(lambda some: {"result": some, "has_more": False}),
    st.builds(
        lambda some, more, cursor: {"result": some, "has_more": more, "next_cursor": cursor},
        pages_of_tasks,
        st.sampled_from([False, False, True]),
        st.one_of(st.just("cursor"), hostile),
    ),
)

FACES = {"session_id": "77", "face_data": [{"face_id": "1", "start_time": 0, "end_time": 3000}]}
PACKS = {"code": 0, "resource_pack_subscribe_infos": [{"resource_pack_name": "x-video-3Con", "status": "online"}]}
HONEST: dict[str, list[Reply]] = {
    "validation": [ABSENT],
    "create": [ACCEPTED],
    "look_up": [ACCEPTED],
    "absent": [ABSENT],
    "query": [DONE],
    "listing": [Reply(envelope({"result": [], "has_more": False}))],
    "faces": [Reply(envelope(FACES))],
    "account": [Reply(envelope(PACKS))],
}
"""By role, see :class:`~hostile_kling.HostileKling`, what Kling would answer."""
HOSTILE = {
    "validation": replies(one_or_list(orphans), most=1),
    "create": replies(tasks, most=3),
    "look_up": replies(one_or_list(tasks), most=2),
    "absent": replies(one_or_list(orphans), most=2),
    "query": replies(one_or_list(tasks), most=3),
    "listing": replies(listings, most=2),
    "faces": replies(st.just(FACES), most=1),
    "account": replies(st.just(PACKS), most=1),
}

anything = st.lists(st.sampled_from([*HOSTILE]), min_size=1, max_size=3)
scripts = st.one_of(st.just(["query"]), st.just(["query", "create"]), st.just(["listing"]), anything).flatmap(
    lambda roles: st.fixed_dictionaries(
        {role: HOSTILE[role] if role in roles else st.just(honest) for role, honest in HONEST.items()}
    )
)
"""By role what is answered, some of it hostile."""


def honest(**replies: Any) -> dict[str, list[Reply]]:
    """Return a script that is honest but for some roles."""
    return {**HONEST, **replies}
