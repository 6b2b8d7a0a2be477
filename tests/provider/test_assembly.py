"""The operator that makes a film."""

from __future__ import annotations

import subprocess
from types import SimpleNamespace

import pytest

from airflow_provider_klingvideo._compat import AirflowFailException
from airflow_provider_klingvideo.media import find_binaries, probe, sha256_of
from airflow_provider_klingvideo.operators.assembly import KlingVideoAssembleOperator
from airflow_provider_klingvideo.storage.names import safe_name

CONTEXT = {"ti": SimpleNamespace(dag_id="a dag", run_id="manual__1", map_index=-1)}


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("clips") / "master.mp4"
    source = ["-f", "lavfi", "-i", "testsrc2=size=160x90:rate=25:duration=1"]
    subprocess.run([find_binaries().ffmpeg, "-v", "error", *source, "-pix_fmt", "yuv420p", str(path)], check=True)
    return path


def job(clip, **changes):
    artifact = {"path": f"file://{clip}", "sha256": sha256_of(clip)}
    return {"id": "job-1", "state": "COMPLETED", "metadata": {"artifacts": {"master.mp4": artifact}}, **changes}


def assemble(**arguments):
    return KlingVideoAssembleOperator(task_id="film", **arguments).execute(CONTEXT)


def test_jobs_and_uris_become_one_film_below_the_path(clip, tmp_path):
    folder = tmp_path / "films" / "one"
    found = assemble(clips=[job(clip), f"file://{clip}"], film={"transition": "fade"}, output_path=f"file://{folder}")
    assert (found["shots"], found["folder"]) == (2, f"file://{folder}")
    assert {path.name for path in folder.iterdir()} == {"film.mp4", "poster.jpg", "film.json"}
    assert found["artifacts"]["film.mp4"]["sha256"] == sha256_of(folder / "film.mp4")
    assert probe(folder / "film.mp4", find_binaries()).duration == pytest.approx(1.5, abs=0.05)


def test_without_a_path_it_lies_beside_the_jobs_of_the_run(clip, tmp_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW__KLINGVIDEO__OUTPUT_PATH", f"file://{tmp_path}")
    assemble(clips=[job(clip)])
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("film.mp4")] == [
        f"{safe_name('a dag')}/manual__1/film/film.mp4"
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"clips": [{"id": "job-1", "state": "FAILED"}]}, "Clip 1 is job job-1, which is FAILED"),
        ({"clips": []}, "A film needs at least one clip"),
        ({"clips": ["/a.mp4"], "film": {"transition": "explode"}}, "transition.kind: 'explode' is none of the choices"),
    ],
)
def test_what_cannot_be_a_film_fails_without_another_try(arguments, words, tmp_path):
    with pytest.raises(AirflowFailException, match=words):
        assemble(**arguments, output_path=str(tmp_path / "film"))
    assert not (tmp_path / "film").exists()


def test_a_kill_ends_ffmpeg(monkeypatch):
    ended = []
    from airflow_provider_klingvideo import media

    monkeypatch.setattr(media, "terminate_all", lambda: ended.append(True))
    KlingVideoAssembleOperator(task_id="film", clips=[]).on_kill()
    assert ended == [True]


def test_clips_and_plan_are_templates():
    assert set(KlingVideoAssembleOperator.template_fields) == {"clips", "film", "output_path"}
