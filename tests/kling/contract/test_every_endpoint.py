"""Every endpoint that is served: a round trip that succeeds and one that fails as documented, by both clients."""

from __future__ import annotations

import itertools
import re
import time

import pytest
from kling_servers import ACCESS_KEY, API_KEY, SECRET_KEY, SETTINGS, Driver
from product_requests import AUDIO, CLIP, FACE, LEGAL, PICTURE, SELECTION, SESSION, VIDEO

from airflow_provider_klingvideo.errors import KlingVideoError
from airflow_provider_klingvideo.kling import AccessKeyAuth, ApiFamily, ApiKeyAuth, parse_request, registry
from airflow_provider_klingvideo.kling.client import operations
from airflow_provider_klingvideo.kling.client.endpoints import endpoints
from airflow_provider_klingvideo.kling.products import PRODUCTS, retired
from airflow_provider_klingvideo.sandbox import SandboxServer

KEY, TOKEN = ApiKeyAuth(API_KEY), AccessKeyAuth(ACCESS_KEY, SECRET_KEY)
SERVED = [one for one in endpoints() if one.support == "supported"]
TIMES = (1_700_000_000_000, 1_900_000_000_000)
# A call makes fewer requests than this: a listing with a token walks every legacy path.
LAST = 60
numbers = itertools.count()


class Traveller:
    """Calls the sandbox by one of the clients, and notes what came of it."""

    def __init__(self, kind: str, sandbox: SandboxServer) -> None:
        self.driver = Driver(kind)
        self.sandbox = sandbox
        self.seen: set[tuple[str, str, bool]] = set()

    def __call__(self, method, *args, auth=KEY, **options):
        try:
            return self.driver(auth, self.sandbox.url, method, *args, **options)
        except KlingVideoError:
            return None
        finally:
            for one in self.sandbox.requests()[:LAST]:
                self.seen.add((one["method"], one["path"].partition("?")[0], one["result"] == "200/0"))

    def twice(self, method, *args, **options):
        """A call that succeeds, and one with a key that is not accepted."""
        self(method, *args, auth=ApiKeyAuth("wrong"), **options)
        return self(method, *args, **options)

    def order(self, fields, family):
        """A task, one with the same external id, which is refused, and the task asked for and listed."""
        request, name = parse_request(fields), f"trip-{next(numbers)}"
        task = self("create", request, external_task_id=name, family=family)
        self("create", request, external_task_id=name, family=family)
        if task is not None and family is ApiFamily.LEGACY:
            self("get_tasks", [task.id, "unknown"], kind=request.kind, auth=TOKEN)
        return task

    def finished(self, fields):
        task = self.order(fields, ApiFamily.LEGACY)
        while not (outputs := self("get_task", task.id, kind=fields["kind"]).outputs):
            time.sleep(0.02)
        return outputs[0].id


def travel(go: Traveller) -> None:
    """Call everything."""
    names = at_once(go)
    for families, fields in LEGAL.values():
        named = {name: names.get(value, value) if isinstance(value, str) else value for name, value in fields.items()}
        for family in families:
            go.order(named, family)
    every_model(go)
    listings(go)
    library(go)
    for method in ("account_costs", "package_ledger", "balance_ledger"):
        go.twice(method, *TIMES)


def at_once(go):
    """What is answered at once; returns what requests need of it."""
    video = go.finished({"kind": "text_to_video", "prompt": "a red fox", "model": "kling-2.5-turbo"})
    faces = go.twice("identify_faces", video_id=video)
    session = go.twice("init_selection", video_id=video).session_id
    for method in ("add_selection", "delete_selection"):
        go.twice(method, session, 0, [(0.5, 0.5)])
    go.twice("clear_selection", session)
    go("add_selection", session, 0, [(0.5, 0.5)])
    go.twice("preview_selection", session)
    audio = go.twice("speak", "Hello there, how are you today?", voice_id="oversea_male1").audio_id
    go.twice("recognize_image", picture(go))
    return {VIDEO: video, SESSION: faces.session_id, FACE: faces.faces[0].id, SELECTION: session, AUDIO: audio}


def every_model(go):
    for can in registry().capabilities:
        if can.family is ApiFamily.NEW:
            go.order({**plain(can.kind), "model": can.model}, ApiFamily.NEW)


def listings(go):
    wrong = AccessKeyAuth(ACCESS_KEY, "another-secret-key-0123456789abcdef")
    for kind, product in PRODUCTS.items():
        if ApiFamily.LEGACY in product.routes:
            go("find_by_external_id", "unknown", kind=kind, auth=TOKEN)
            go("send", operations.list_legacy_tasks(kind, (), None), auth=wrong)
    go("list_tasks", auth=TOKEN)
    go("list_tasks")
    for listing in (operations.list_tasks, operations.list_solutions):
        go("send", listing((), None), auth=ApiKeyAuth("wrong"))
    for kind in ("text_to_video", "talking_agent"):
        go.twice("get_tasks", ["1"], kind=kind)


def library(go):
    for method in ("list_voices", "preset_voices", "list_elements", "preset_elements"):
        go.twice(method)
    spoken = {"kind": "text_to_video", "prompt": "she speaks", "model": "kling-2.6", "resolution": "1080p"}
    voice = {"kind": "custom_voice", "name": "Anna", "video_id": go.finished({**spoken, "audio": "native"})}
    go("delete_voice", "unknown")
    go("delete_voice", go.finished(voice))
    url = picture(go)
    go("delete_element", "unknown")
    go("delete_element", go.finished({**LEGAL["element"][1], "frontal_image": url, "reference_images": [url]}))


def plain(kind):
    """A request that every model of a product takes."""
    own = {
        "text_to_video": {"prompt": "a red fox"},
        "image_to_video": {"first_frame": PICTURE},
        "omni_video": {"prompt": "a red fox", "aspect_ratio": "16:9"},
        "motion_control": {"image": PICTURE, "video": CLIP},
    }
    return {"kind": kind, **own[kind]}


def picture(go):
    """The address of a picture that the sandbox made."""
    task = go.order({"kind": "image", "prompt": "a fox"}, ApiFamily.LEGACY)
    while not (outputs := go("get_task", task.id, kind="image").outputs):
        time.sleep(0.02)
    return outputs[0].url


@pytest.fixture(scope="module", params=["sync", "async"])
def seen(request):
    settings = SETTINGS.model_copy(update={"image_slots": 10**6, "try_on_slots": 10**6, "max_render_height": 360})
    with SandboxServer(settings) as sandbox:
        go = Traveller(request.param, sandbox)
        travel(go)
        return go.seen


def results(seen, endpoint):
    pattern = re.escape(endpoint.path).replace(re.escape("{id}"), "[^/]+")
    return {ok for method, path, ok in seen if method == endpoint.method and re.fullmatch(pattern, path)}


@pytest.mark.parametrize("endpoint", SERVED, ids=lambda one: one.name)
def test_it_answers_and_refuses(seen, endpoint):
    assert results(seen, endpoint) == {True, False}


def test_every_endpoint_is_served_retired_or_left_out_for_a_reason():
    assert {one.support for one in endpoints()} == {"supported", "retired", "not offered"}
    assert all(one.by for one in endpoints())


@pytest.mark.parametrize("kind", retired.KINDS)
def test_what_is_retired_is_refused_with_its_successor(kind):
    with pytest.raises(KlingVideoError, match="retired"):
        parse_request({"kind": kind})
