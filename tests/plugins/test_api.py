"""The API of the pages in Airflow's own API server, with Airflow's own users: who sees what, and who may do what."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from airflow_provider_klingvideo.workflow import JobStore, WorkflowJob, WorkflowState
from airflow_provider_klingvideo.workflow.job.sections import Files, Origin

sys.path.insert(0, str(Path(__file__).parent))
RUN = "manual__1"
MP4 = b"\0\0\0\x18ftypisom\0\0\0\0isommp41" + bytes(range(256)) * 40
ARTEFACTS = {
    "master.mp4": MP4,
    "picture.svg": b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
    "page.html": b"<script>alert(1)</script>",
    "poster.jpg": b"<svg onload='alert(1)'/>",
}
MARKUP = "<script>alert(1)</script> {{ 7 * 7 }}"
API = "/klingvideo/api"
ONE = f"{API}/jobs/films/{RUN}/one"
OWN = {"X-Klingvideo": "1"}
USERS = {"admin": "admin", "editor": "user", "viewer": "viewer"}


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    return tmp_path_factory.mktemp("output")


@pytest.fixture(scope="module")
def server(output):
    """Airflow's API server, with this plugin as provider info names it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW__KLINGVIDEO__OUTPUT_PATH", str(output))
        patch.setenv("AIRFLOW__CORE__LAZY_DISCOVER_PROVIDERS", "False")
        patch.setenv("AIRFLOW__CORE__AUTH_MANAGER", "denying_auth.DenyingAuthManager")
        patch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS", ",".join(f"{n}:{r}" for n, r in USERS.items()))
        from airflow.api_fastapi.app import create_app, purge_cached_app
        from airflow.utils.db import initdb

        from airflow_provider_klingvideo.plugins import boards

        _forget_plugins(patch)
        initdb()
        _make_dags("films", "secret")
        boards.board.cache_clear()
        purge_cached_app()
        yield create_app(apps="core")
        purge_cached_app()
        boards.board.cache_clear()


def _forget_plugins(patch):
    """Other tests of this process may have made Airflow load its plugins, without those of provider info."""
    from airflow import plugins_manager, settings

    patch.setattr(settings, "LAZY_LOAD_PROVIDERS", False, raising=False)
    # Airflow 3.1 keeps what it has loaded in globals, later ones in caches.
    patch.setattr(plugins_manager, "loaded_plugins", set(), raising=False)
    for name in ("plugins", "fastapi_apps", "fastapi_root_middlewares"):
        patch.setattr(plugins_manager, name, None, raising=False)
    for one in list(vars(plugins_manager).values()):
        if hasattr(one, "cache_clear"):
            one.cache_clear()


def _make_dags(*names):
    from airflow.models.dag import DagModel
    from airflow.models.dagbundle import DagBundleModel
    from airflow.utils.session import create_session

    with create_session() as session:
        session.merge(DagBundleModel(name="pages"))
        session.flush()
        for name in names:
            session.merge(DagModel(dag_id=name, bundle_name="pages", fileloc=f"/{name}.py"))


@pytest.fixture
def client(server, output):
    """Ask the server as somebody, with jobs in the store."""
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from fastapi.testclient import TestClient

    from airflow_provider_klingvideo.plugins import boards

    boards.board.cache_clear()
    keep(output, "one", files=True)
    keep(output, "hidden", dag="secret")
    keep(output, "liar", says_dag="secret")

    def as_user(name=None):
        asking = TestClient(server, base_url="http://testserver")
        if name:
            token = get_auth_manager().generate_jwt(SimpleAuthManagerUser(username=name, role=USERS[name]))
            asking.headers["Authorization"] = f"Bearer {token}"
        return asking

    return as_user


def keep(output, job_id, dag="films", *, says_dag=None, files=False):
    folder = output / dag / RUN / job_id
    folder.mkdir(parents=True, exist_ok=True)
    facts = {
        name: {"name": name, "path": f"/etc/{name}", "size": len(content), "sha256": "0", "media_type": "video/mp4"}
        for name, content in (ARTEFACTS if files else {}).items()
    }
    for name in facts:
        (folder / name).write_bytes(ARTEFACTS[name])
    if files:
        facts |= {"../../hidden/job.json": {"name": "../../hidden/job.json"}, "link.mp4": {"name": "link.mp4"}}
        (folder / "link.mp4").unlink(missing_ok=True)
        (folder / "link.mp4").symlink_to("/etc/passwd")
    job = WorkflowJob(
        id=job_id,
        prompt=MARKUP,
        params={"kind": "image_to_video", "image": "https://a.example/x.png?klingvideo-sealed=SECRETTOKEN"},
        state=WorkflowState.QUEUED,
        origin=Origin(dag_id=says_dag or dag, run_id=RUN),
        files=Files(artifacts=facts),
    )
    (folder / "cancel.json").unlink(missing_ok=True)
    JobStore(folder.parent).write(job_id, "job.json", job.as_json())


ROUTES = [f"{API}/jobs", f"{API}/counts", ONE, f"{ONE}/files/master.mp4"]


@pytest.mark.parametrize("route", ROUTES)
def test_nobody_sees_anything_without_a_login(client, route):
    assert client().get(route).status_code == 401
    assert client().get(route, headers={"Authorization": "Bearer junk"}).status_code in {401, 403}


def test_every_route_that_tells_of_jobs_asks_who_it_is(client):
    from airflow_provider_klingvideo.plugins import app

    for path, methods in app.api().openapi()["paths"].items():
        address = "/klingvideo" + path.format(dag_id="films", folder=RUN, job_id="one", name="master.mp4")
        for method in methods:
            assert client().request(method, address, headers=OWN).status_code == 401, address


@pytest.mark.parametrize("route", ROUTES)
def test_a_viewer_sees_what_is_permitted_by_bearer_and_by_cookie(client, route):
    viewer = client("viewer")
    answer = viewer.get(route)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"].startswith("private")
    assert answer.headers["x-content-type-options"] == "nosniff"
    token = viewer.headers.pop("Authorization").removeprefix("Bearer ")
    viewer.cookies.set("_token", token)
    assert viewer.get(route).status_code == 200


def test_lists_show_permitted_dags_alone_and_no_record_that_lies(client):
    def shown(who, **query):
        return [job["id"] for job in client(who).get(f"{API}/jobs", params=query).json()["jobs"]]

    assert shown("viewer") == ["one"]
    assert shown("viewer", dag_id="secret") == []
    assert sorted(shown("admin")) == ["hidden", "one"]
    assert client("viewer").get(f"{API}/counts").json()["total"] == 1


def test_a_job_of_a_dag_that_is_not_permitted_is_refused(client):
    assert client("viewer").get(f"{API}/jobs/secret/{RUN}/hidden").status_code == 403
    assert client("viewer").get(f"{API}/jobs/secret/{RUN}/hidden?dag_id=films").status_code == 403
    assert client("viewer").get(f"{API}/jobs/films/{RUN}/hidden").status_code == 404
    assert client("admin").get(f"{API}/jobs/films/{RUN}/liar").status_code == 404
    assert client("admin").get(f"{API}/jobs/secret/{RUN}/liar").status_code == 404


def test_pages_follow_one_another_and_known_answers_are_not_sent_again(client):
    admin = client("admin")
    first = admin.get(f"{API}/jobs", params={"limit": 1})
    second = admin.get(f"{API}/jobs", params={"limit": 1, "cursor": first.json()["next"]}).json()
    assert {first.json()["jobs"][0]["id"], second["jobs"][0]["id"]} == {"one", "hidden"}
    assert second["next"] is None
    known = admin.get(f"{API}/jobs", params={"limit": 1}, headers={"If-None-Match": first.headers["etag"]})
    assert (known.status_code, known.content) == (304, b"")


def test_what_signs_an_address_is_not_shown_and_markup_stays_text(client):
    answer = client("viewer").get(ONE)
    assert answer.headers["content-type"] == "application/json"
    assert "SECRETTOKEN" not in answer.text
    assert "/etc/" not in answer.text
    assert answer.json()["prompt"] == MARKUP


@pytest.mark.parametrize(
    ("wanted", "status", "first", "end"),
    [
        ("bytes=0-9", 206, 0, 10),
        ("bytes=100-", 206, 100, len(MP4)),
        ("bytes=-7", 206, len(MP4) - 7, len(MP4)),
        ("bytes=5-999999999999999999", 206, 5, len(MP4)),
        ("bytes=-999999999999999999", 206, 0, len(MP4)),
        ("bytes=9-5", 200, 0, len(MP4)),
        ("bytes=0-1,3-4", 200, 0, len(MP4)),
        ("bytes=" + "0-," * 3000, 200, 0, len(MP4)),
        ("bytes=-", 200, 0, len(MP4)),
        ("lines=1-2", 200, 0, len(MP4)),
        (f"bytes={len(MP4)}-", 416, 0, 0),
        ("bytes=-0", 416, 0, 0),
    ],
)
def test_ranges_huge_and_odd(client, wanted, status, first, end):
    answer = client("viewer").get(f"{ONE}/files/master.mp4", headers={"Range": wanted})
    assert answer.status_code == status
    if status != 416:
        assert answer.content == MP4[first:end]
        assert answer.headers["content-type"] == "video/mp4"
    if status != 200:
        told = f"{first}-{end - 1}" if status == 206 else "*"
        assert answer.headers["content-range"] == f"bytes {told}/{len(MP4)}"


@pytest.mark.parametrize("name", ["picture.svg", "page.html", "poster.jpg"])
def test_what_could_run_in_a_browser_is_a_download_whatever_it_calls_itself(client, name):
    answer = client("viewer").get(f"{ONE}/files/{name}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"] == "attachment"
    assert "sandbox" in answer.headers["content-security-policy"]


UPWARDS = ["..%2F..%2Fsecret", "%2e%2e", "%2Fetc%2Fpasswd", "..%5C..", "a%00b", "~", "*", "x" * 3000]


@pytest.mark.parametrize("part", UPWARDS)
@pytest.mark.parametrize(
    "route",
    [
        API + "/jobs/{}/manual__1/one",
        API + "/jobs/films/{}/one",
        API + "/jobs/films/manual__1/{}",
        ONE + "/files/{}",
        ONE + "/files/..%2F{}",
    ],
)
def test_nothing_leads_out_of_a_job(client, route, part):
    assert client("viewer").get(route.format(part)).status_code in {403, 404}


@pytest.mark.parametrize("name", ["job.json", "..%2F..%2Fhidden%2Fjob.json", "link.mp4"])
def test_only_files_that_the_record_names_and_that_lie_in_its_folder_are_sent(client, name):
    assert client("viewer").get(f"{ONE}/files/{name}").status_code == 404


@pytest.mark.parametrize(
    "query",
    [{"cursor": "../../etc"}, {"cursor": "W10="}, {"limit": 0}, {"limit": 10**9}, {"state": "x"}, {"text": "x" * 5000}],
)
def test_odd_queries_are_refused(client, query):
    assert client("viewer").get(f"{API}/jobs", params=query).status_code == 422


def test_a_job_in_the_queue_is_cancelled_by_who_may_edit_its_runs(client, output):
    asked = output / "films" / RUN / "one" / "cancel.json"
    assert client("viewer").post(f"{ONE}/cancel", headers=OWN).status_code == 403
    assert not asked.exists()
    assert client("editor").post(f"{ONE}/cancel", headers=OWN).status_code == 202
    assert "editor" in json.loads(asked.read_text())["reason"]


def test_a_job_that_is_not_in_the_queue_is_not_cancelled(client, output):
    path = output / "films" / RUN / "one" / "job.json"
    path.write_text(path.read_text().replace('"QUEUED"', '"GENERATING"'))
    assert client("editor").post(f"{ONE}/cancel", headers=OWN).status_code == 409
    assert not path.with_name("cancel.json").exists()


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {**OWN, "Origin": "https://evil.example"},
        {**OWN, "Origin": "null"},
        {**OWN, "Sec-Fetch-Site": "cross-site"},
        {**OWN, "Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_page_from_elsewhere_changes_nothing(client, output, headers):
    assert client("editor").post(f"{ONE}/cancel", headers=headers).status_code == 403
    assert not (output / "films" / RUN / "one" / "cancel.json").exists()
    own = {**OWN, "Origin": "http://testserver", "Sec-Fetch-Site": "same-origin"}
    assert client("editor").post(f"{ONE}/cancel", headers=own).status_code == 202
