"""Many clips become one film: fetched, verified, joined, stored; kept when it was made of the same things before."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from airflow_provider_klingvideo.errors import Fault, KlingVideoError, Money
from airflow_provider_klingvideo.media.decor.proving import Tools, uses_of
from airflow_provider_klingvideo.media.errors import FFmpegError, FilmError, VerificationError
from airflow_provider_klingvideo.media.ffmpeg.binaries import find_binaries
from airflow_provider_klingvideo.media.ffmpeg.passes import Passes
from airflow_provider_klingvideo.media.ffmpeg.scratch import scratch_folder, write_text
from airflow_provider_klingvideo.media.film.film_plan import FilmPlan
from airflow_provider_klingvideo.media.film.joining import join
from airflow_provider_klingvideo.media.film.marks import marks_of
from airflow_provider_klingvideo.media.film.materials import Materials, bounded_size
from airflow_provider_klingvideo.media.film.shots import (
    Shot,
    can_be_copied,
    copied_pictures,
    encoded_pictures,
    film_format,
    joined_sound,
    overlap_of,
)
from airflow_provider_klingvideo.media.film.timeline import timeline, whole_frames
from airflow_provider_klingvideo.media.inspect.probing import MediaInfo
from airflow_provider_klingvideo.media.inspect.verify import inspect, require_decodable
from airflow_provider_klingvideo.media.outputs.artifacts import Artifact, recorded_in
from airflow_provider_klingvideo.media.outputs.plan import Output
from airflow_provider_klingvideo.media.outputs.publishing import fetch, publish, sha256_of
from airflow_provider_klingvideo.media.outputs.render import render
from airflow_provider_klingvideo.media.outputs.tracks import picture_track
from airflow_provider_klingvideo.media.settings import Expected, MediaSettings
from airflow_provider_klingvideo.storage.objects import MEBIBYTE, require_free_space, storage_errors
from airflow_provider_klingvideo.storage.protocols import StorePath, is_there
from airflow_provider_klingvideo.storage.text import storable_json

FILM, POSTER, RECORD = "film.mp4", "poster.jpg", "film.json"
MEDIA_TYPES = {FILM: "video/mp4", POSTER: "image/jpeg"}
POSTER_OUTPUT = Output(preset="poster")
# Clips, their encoded parts and the film lie in the scratch space together; the quality of the parts can make them
# larger than the clips. The room is for sound and stills.
COPIES = 4
ROOM = 256 * MEBIBYTE
# Changed with the way in which films are made, so that they are made anew.
MAKING = 1


@dataclass(frozen=True)
class Clip:
    """What a film is made of.

    :param path: an MP4, local or in an object store.
    :param sha256: what it must be, hexadecimal digits; None takes it as it is.
    :param origin: what it comes from, for the record: the id of its job, for example.
    """

    path: StorePath
    sha256: str | None = None
    origin: str | None = None


class Ingredient(BaseModel):
    """A clip, on record."""

    path: str
    sha256: str
    origin: str | None = None


class Film(BaseModel):
    """A finished film, as ``film.json`` tells it.

    :param fingerprint: of everything that it was made of: the same things make the same film.
    :param plan: as it was given.
    :param clips: in the order in which they are shown.
    :param artifacts: the published files by name: ``film.mp4`` and ``poster.jpg``.
    :param copied: whether the pictures are those of the clips, not encoded again.
    :param warnings: sentences for the user.
    """

    fingerprint: str
    plan: dict[str, Any]
    clips: list[Ingredient]
    artifacts: dict[str, Artifact]
    copied: bool
    warnings: list[str] = []


def assemble(
    clips: Sequence[Clip],
    plan: FilmPlan,
    destination: StorePath,
    *,
    settings: MediaSettings | None = None,
    open_path: Callable[[str], StorePath] = Path,
    timeout: float = 3600,
) -> Film:
    """Make one film of many clips, and store it; what was made of the same things before is kept.

    :param clips: at least one.
    :param plan: how they become a film.
    :param destination: folder of ``film.mp4``, ``poster.jpg`` and ``film.json``, local or in an object store.
    :param settings: default :class:`MediaSettings`.
    :param open_path: turns the names of files in the plan into paths.
    :param timeout: wall-clock seconds that making the film may take.
    :raises MediaError: a clip cannot be used, ffmpeg failed or took too long, or the store refused.
    """
    with _costing_nothing():
        return _assembled(clips, plan, destination, settings or MediaSettings(), open_path, timeout)


@contextmanager
def _costing_nothing() -> Iterator[None]:
    """Say of every error that no money was spent: the clips were paid by other tasks, and stay."""
    try:
        yield
    except KlingVideoError as error:
        error.money = Money.NONE
        raise


def _assembled(
    clips: Sequence[Clip],
    plan: FilmPlan,
    destination: StorePath,
    settings: MediaSettings,
    open_path: Callable[[str], StorePath],
    timeout: float,
) -> Film:
    shown = _in_order(clips, plan)
    ingredients = [_ingredient(clip) for clip in shown]
    files = {name: sha256_of(open_path(name)) for name in plan.files}
    fingerprint = _fingerprint(plan, ingredients, files)
    stored = _stored(destination, fingerprint)
    if stored is not None:
        return stored
    with scratch_folder(settings) as folder:
        passes = Passes(find_binaries(settings.ffmpeg_path), settings, folder, time.monotonic() + timeout)
        for block in plan.blocks:
            block.require(passes.binaries.features)
        _require_room([*(clip.path for clip in shown), *map(open_path, files)], passes)
        local = _with_materials(plan, open_path, passes)
        shots = [
            _shot(number, clip.path, ingredient.sha256, passes)
            for number, (clip, ingredient) in enumerate(zip(shown, ingredients, strict=True), start=1)
        ]
        with _clips_judged(shots, passes):
            made = _made(shots, local, passes)
        artifacts = {name: _published(path, destination / name, made.info) for name, path in made.files.items()}
        film = Film(
            fingerprint=fingerprint,
            plan=plan.model_dump(mode="json", exclude_defaults=True),
            clips=ingredients,
            artifacts=artifacts,
            copied=made.copied,
            warnings=made.warnings,
        )
        # Last, since it vouches for the others.
        _publish_record(film, destination, folder)
    return film


@dataclass(frozen=True)
class _Made:
    """Files on the local disk, verified."""

    files: dict[str, Path]
    info: MediaInfo
    copied: bool
    warnings: list[str]


def _in_order(clips: Sequence[Clip], plan: FilmPlan) -> list[Clip]:
    if not clips:
        raise FilmError(Fault("clips", "A film needs at least one clip", "a list of clips"))
    numbers = plan.order or range(1, len(clips) + 1)
    if too_high := [number for number in numbers if number > len(clips)]:
        raise FilmError(Fault("order", f"names clip {too_high[0]}, but there are {len(clips)}", f"1 to {len(clips)}"))
    return [clips[number - 1] for number in numbers]


def _ingredient(clip: Clip) -> Ingredient:
    return Ingredient(path=str(clip.path), sha256=clip.sha256 or sha256_of(clip.path), origin=clip.origin)


def _fingerprint(plan: FilmPlan, ingredients: Sequence[Ingredient], files: Mapping[str, str]) -> str:
    """Hash what decides how the film looks and sounds; where things lie does not."""
    made_of = {
        "making": MAKING,
        "plan": plan.with_files(files).model_dump(mode="json"),
        "clips": [one.sha256 for one in ingredients],
    }
    return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()


def _stored(destination: StorePath, fingerprint: str) -> Film | None:
    """The film in the store, when it is whole and was made of the same things."""
    path = destination / RECORD
    with storage_errors(f"reading {path}"):
        if not is_there(path):
            return None
        with path.open("rb") as stream:
            text = stream.read()
    try:
        film = Film.model_validate_json(text)
    except ValidationError:
        return None
    if film.fingerprint != fingerprint:
        return None
    found = recorded_in(destination, film.artifacts)
    with storage_errors(f"looking at the film in {destination}"):
        whole = len(found) == len(film.artifacts) and all(
            is_there(path := one.file_in(destination)) and sha256_of(path) == one.sha256 for one in found.values()
        )
    return film.model_copy(update={"artifacts": found}) if whole else None


def _require_room(paths: Sequence[StorePath], passes: Passes) -> None:
    size = sum(bounded_size(path, passes.settings) for path in paths)
    require_free_space(passes.folder, COPIES * size + ROOM)


def _with_materials(plan: FilmPlan, open_path: Callable[[str], StorePath], passes: Passes) -> FilmPlan:
    """Bring what the plan names to the local disk, all of it fit for use."""
    materials = Materials(uses_of(plan), open_path, passes.folder, Tools(passes.binaries, passes.settings))
    if fault := materials.fault(plan):
        raise fault
    return materials.local(plan)


def _shot(number: int, path: StorePath, sha256: str, passes: Passes) -> Shot:
    """Bring a clip to the local disk and through the gates before decoding."""
    local = passes.folder / f"clip-{number}.mp4"
    if fetch(path, local) != sha256:
        raise FilmError(
            Fault(f"Clip {number}, {path}", "this is not the file that is on record", "the file of its job, unchanged"),
            advice="Run the post-processing task of its job again: it restores the file at no cost",
        )
    try:
        info = inspect(local, passes.binaries, Expected(), passes.settings).info
    except VerificationError as error:
        where = f"Clip {number}, {path}, cannot be used"
        raise FilmError(Fault(where, error.message, "an MP4 with pictures, whole")) from error
    return Shot(local, info, picture_track(local, passes))


@contextmanager
def _clips_judged(shots: Sequence[Shot], passes: Passes) -> Iterator[None]:
    """Find out, where ffmpeg has failed, whether it is a clip that is damaged: no retry mends that."""
    try:
        yield
    except FFmpegError as error:
        if error.ended:
            raise
        for number, shot in enumerate(shots, start=1):
            try:
                require_decodable(shot.path, passes.binaries, passes.settings)
            except VerificationError as fault:
                raise FilmError(Fault(f"clip {number}", fault.message, "a video that is whole")) from error
        raise


def _made(shots: Sequence[Shot], plan: FilmPlan, passes: Passes) -> _Made:
    film, target = film_format(plan, shots[0]), passes.folder / FILM
    if film.width * film.height > passes.settings.max_pixels:
        limit = passes.settings.max_pixels
        raise FilmError(Fault("size", f"A film of {film.width}x{film.height} is not made", f"at most {limit} pixels"))
    copied = can_be_copied(shots, plan, film)
    if copied:
        segments = timeline([shot.track.seconds for shot in shots])
        parts = copied_pictures(shots, passes)
    else:
        durations = [whole_frames(shot.track.seconds, film.rate) for shot in shots]
        segments = timeline(durations, overlap_of(plan, film))
        parts = encoded_pictures(shots, segments, plan, film, passes)
    sound = joined_sound(shots, segments, passes)
    marks = marks_of((shot.path for shot in shots), passes)
    join(parts, sound, plan, target, passes, one_codec=copied, marks=marks)
    expected = Expected(duration=float(segments[-1].start + segments[-1].seconds))
    media = inspect(target, passes.binaries, expected, passes.settings)
    # It also decodes the whole film.
    settings = replace(passes.settings, ffmpeg_seconds=passes.next_seconds)
    stills = render(media, [POSTER_OUTPUT], passes.folder, passes.binaries, settings)
    posters = {one.output.file_name: one.main for one in stills.outputs}
    return _Made({FILM: target, **posters}, media.info, copied, [*stills.warnings])


def _published(local: Path, path: StorePath, info: MediaInfo) -> Artifact:
    publish(local, path)
    width, height = info.display_size
    return Artifact(
        name=path.name,
        path=str(path),
        size=local.stat().st_size,
        sha256=sha256_of(local),
        media_type=MEDIA_TYPES[path.name],
        width=width,
        height=height,
        duration=info.duration if path.name == FILM else None,
    )


def _publish_record(film: Film, destination: StorePath, folder: Path) -> None:
    local = folder / RECORD
    write_text(local, json.dumps(storable_json(film.model_dump(mode="json")), ensure_ascii=False, indent=2))
    publish(local, destination / RECORD)
