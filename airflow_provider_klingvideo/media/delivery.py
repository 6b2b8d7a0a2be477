"""From a finished task to published files, as often as it is asked and downloaded only once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from airflow_provider_klingvideo.media.decor.proving import Tools
from airflow_provider_klingvideo.media.errors import ExpiredUrlError, VerificationError
from airflow_provider_klingvideo.media.fetch.transfer import download
from airflow_provider_klingvideo.media.ffmpeg.binaries import Binaries, find_binaries
from airflow_provider_klingvideo.media.ffmpeg.scratch import scratch_folder
from airflow_provider_klingvideo.media.film.materials import Materials, uses_in
from airflow_provider_klingvideo.media.inspect.boxes import walk_boxes
from airflow_provider_klingvideo.media.inspect.findings import Findings
from airflow_provider_klingvideo.media.inspect.gates import judge, measures_for
from airflow_provider_klingvideo.media.inspect.verify import VerifiedMedia, inspect
from airflow_provider_klingvideo.media.outputs.artifacts import Artifact, ArtifactPart, Delivery, GateError, recorded_in
from airflow_provider_klingvideo.media.outputs.plan import Output, RenderPlan
from airflow_provider_klingvideo.media.outputs.publishing import fetch, publish, sha256_of
from airflow_provider_klingvideo.media.outputs.render import Rendered, RenderedOutput, render
from airflow_provider_klingvideo.media.settings import Expected, MediaSettings
from airflow_provider_klingvideo.storage.names import inside
from airflow_provider_klingvideo.storage.objects import MEBIBYTE, require_free_space, storage_errors
from airflow_provider_klingvideo.storage.protocols import StorePath, is_there, remove

SOURCE = "source.mp4"
SOURCE_TYPE = "video/mp4"
# A video is about as large as the source; pictures are small beside it, but a short source is small, too.
RENDER_ROOM = 64 * MEBIBYTE

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Source:
    """The source on the local disk and in the store.

    :param verified: whether these very bytes were verified by an earlier delivery.
    """

    local: Path
    sha256: str
    verified: bool


def deliver(
    fetch_url: Callable[[], str],
    destination: StorePath,
    *,
    expected: Expected | None = None,
    settings: MediaSettings | None = None,
    recorded: Mapping[str, Artifact] | None = None,
    plan: RenderPlan | None = None,
    provenance: Mapping[str, str] | None = None,
    open_path: Callable[[str], StorePath] = Path,
    on_progress: Callable[[float], None] | None = None,
) -> Delivery:
    """Download, verify, store and cut one video; what is stored, whole and as planned already is kept.

    ``source.mp4`` is published as soon as it has come whole, before ffmpeg looks at it, and no later failure removes
    it. A stored source counts when its checksum is the recorded one, or when it verifies whole (the record of an
    earlier run may be missing); otherwise it is downloaded again.

    :param fetch_url: asks Kling for a signed URL; called only when a download is needed, and once more when the
        URL has expired.
    :param destination: folder of the files, local or in an object store.
    :param expected: what Kling said about the video.
    :param settings: default :class:`MediaSettings`.
    :param recorded: artifacts of an earlier delivery, by name.
    :param plan: what is made; default :class:`RenderPlan`.
    :param provenance: where the video comes from: model, hash of the prompt, id of the job; written into the metadata
        of every video that is made.
    :param open_path: turns the names of files in the plan into paths.
    :param on_progress: called with the done part of the rendering, 0 to 1.
    :returns: all artifacts of the plan, kept ones included.
    :raises GateError: a gate has failed; source and outputs are stored.
    :raises OutputError: a required output could not be made; source and the other outputs are stored.
    :raises MediaError: download, verification, ffmpeg or storage failed; what ``fetch_url`` raises passes through.
    """
    settings = settings or MediaSettings()
    with scratch_folder(settings) as scratch:
        work = _Delivering(
            destination,
            scratch,
            expected or Expected(),
            settings,
            recorded_in(destination, recorded or {}),
            plan or RenderPlan(),
            provenance or {},
            open_path,
            on_progress,
        )
        stored = work.stored_source()
        if stored is None:
            return work.finish(work.downloaded_source(fetch_url))
        try:
            return work.finish(stored)
        except VerificationError as error:
            if stored.verified:
                raise
            logger.warning("The stored %s does not verify and is downloaded again: %s", SOURCE, error)
        return work.finish(work.downloaded_source(fetch_url))


@dataclass(frozen=True)
class _Delivering:
    """One call of :func:`deliver`."""

    destination: StorePath
    scratch: Path
    expected: Expected
    settings: MediaSettings
    recorded: Mapping[str, Artifact]
    plan: RenderPlan
    provenance: Mapping[str, str]
    open_path: Callable[[str], StorePath]
    on_progress: Callable[[float], None] | None

    @cached_property
    def materials(self) -> Materials:
        """The files that the plan names."""
        tools = Tools(find_binaries(self.settings.ffmpeg_path), self.settings)
        return Materials(uses_in(self.plan), self.open_path, self.scratch, tools)

    @cached_property
    def fingerprints(self) -> Mapping[str, str]:
        """How each output is made, by the name of its main file; where that can be known."""
        possible = [output for output in self.plan.outputs if not self.materials.fault(output)]
        return {output.file_name: self.materials.fingerprint(output) for output in possible}

    def stored_source(self) -> _Source | None:
        """Bring a source that is in the store already to the local disk; None when there is none to build on."""
        stored = self.destination / SOURCE
        with storage_errors(f"looking for {stored}"):
            if not is_there(stored):
                return None
            require_free_space(self.scratch, stored.stat().st_size)
        local = self.scratch / SOURCE
        digest = fetch(stored, local)
        record = self.recorded.get(SOURCE)
        if record is not None and record.sha256 != digest:
            logger.warning("The stored %s is not the recorded one and is downloaded again", SOURCE)
            return None
        return _Source(local, digest, verified=record is not None)

    def downloaded_source(self, fetch_url: Callable[[], str]) -> _Source:
        """Download the source and publish it as soon as it is whole."""
        require_free_space(self.scratch, RENDER_ROOM)
        local = self.scratch / SOURCE
        try:
            digest = self._download(fetch_url(), local)
        except ExpiredUrlError as error:
            logger.info("Asking for a fresh URL: %s", error.message)
            digest = self._download(fetch_url(), local)
        walk_boxes(local)
        publish(local, self.destination / SOURCE)
        return _Source(local, digest, verified=False)

    def _download(self, url: str, local: Path) -> str:
        limits, allowed = self.settings.limits, self.settings.allowed_private_hosts
        return download(url, local, limits=limits, allowed_private_hosts=allowed).sha256

    def finish(self, source: _Source) -> Delivery:
        """Verify the source, make what is missing, publish it, judge it.

        :raises GateError: a gate has failed; everything is published before.
        :raises OutputError: a required output is missing; everything else is published before.
        """
        binaries = find_binaries(self.settings.ffmpeg_path)
        media = inspect(source.local, binaries, self._required(), self.settings)
        kept = {output.file_name: artifact for output in self.plan.outputs if (artifact := self._kept(output))}
        known = self._known_findings(source)
        missing = [output for output in self.plan.outputs if output.file_name not in kept]
        rendered = self._render(media, source, missing, known, binaries)
        made = {one.output.file_name: self._publish(one) for one in rendered.outputs}
        findings = known.joined(rendered.findings)
        artifacts = {SOURCE: self._source_artifact(source, media, findings)} | {
            name: artifact
            for output in self.plan.outputs
            if (artifact := kept.get(name := output.file_name) or made.get(name))
        }
        gates = judge(self.plan.gates, findings, media.info, self.expected, self.settings)
        delivery = Delivery(artifacts, media.info, [*media.warnings, *rendered.warnings], gates)
        if rendered.failures:
            failure = rendered.failures[0]
            failure.delivery = delivery
            raise failure
        return _passed(delivery)

    def _required(self) -> Expected:
        """What a source must be, for anything to be cut from it."""
        strict = self.plan.gates.duration == "fail"
        return self.expected if strict else replace(self.expected, duration=None)

    def _known_findings(self, source: _Source) -> Findings:
        """What an earlier delivery found in these very bytes."""
        record = self.recorded.get(SOURCE)
        return record.findings or Findings() if record and source.verified else Findings()

    def _kept(self, output: Output) -> Artifact | None:
        """The recorded artifact, when it was made in the same way and its bytes are still in the store."""
        record = self.recorded.get(output.file_name)
        if record is None or record.made_by is None or record.made_by != self.fingerprints.get(output.file_name):
            return None
        return record if all(map(self._is_stored, record.files)) else None

    def _is_stored(self, file: ArtifactPart) -> bool:
        path = file.file_in(self.destination)
        with storage_errors(f"looking for {path}"):
            return is_there(path) and sha256_of(path) == file.sha256

    def _render(
        self, media: VerifiedMedia, source: _Source, missing: list[Output], known: Findings, binaries: Binaries
    ) -> Rendered:
        wanted = measures_for(self.plan.gates, media.info, self.expected)
        measures = sorted(name for name in wanted if getattr(known, name) is None)
        if source.verified and not missing and not measures:
            return Rendered((), Findings(), (), ())
        videos = sum(output.row.video is not None for output in missing)
        require_free_space(self.scratch, max(1, videos) * media.boxes.size + RENDER_ROOM)
        faults = {output.stem: fault for output in missing if (fault := self.materials.fault(output))}
        return render(
            media,
            [output if output.stem in faults else self.materials.local(output) for output in missing],
            self.scratch,
            binaries,
            self.settings,
            measures=measures,
            decode=self.plan.gates.decode,
            tags=self.provenance,
            obstacles=faults,
            on_progress=self.on_progress,
        )

    def _publish(self, one: RenderedOutput) -> Artifact:
        parts = [self._publish_file(one.output.folder + path.name, path) for path in one.others]
        main = self._publish_file(one.output.file_name, one.main)
        self._remove_leftovers(main.name, {part.name for part in parts})
        width, height = one.shape.size
        return Artifact(
            **main.model_dump(),
            path=str(main.file_in(self.destination)),
            media_type=one.output.row.media_type,
            width=width,
            height=height,
            duration=one.shape.duration,
            parts=tuple(parts),
            made_by=self.fingerprints[one.output.file_name],
        )

    def _remove_leftovers(self, name: str, parts: Set[str]) -> None:
        """Remove what belonged to the file of that name before, the last segments of a longer video for example."""
        record = self.recorded.get(name)
        for part in record.parts if record else ():
            if part.name not in parts:
                with storage_errors(f"removing {part.name}"):
                    remove(part.file_in(self.destination))

    def _publish_file(self, name: str, local: Path) -> ArtifactPart:
        publish(local, inside(self.destination, name, nested=True))
        return ArtifactPart(name=name, size=local.stat().st_size, sha256=sha256_of(local))

    def _source_artifact(self, source: _Source, media: VerifiedMedia, findings: Findings) -> Artifact:
        width, height = media.info.display_size
        return Artifact(
            name=SOURCE,
            path=str(self.destination / SOURCE),
            size=media.boxes.size,
            sha256=source.sha256,
            media_type=SOURCE_TYPE,
            width=width,
            height=height,
            duration=media.info.duration,
            findings=findings,
        )


def _passed(delivery: Delivery) -> Delivery:
    """The delivery with the warnings of its gates.

    :raises GateError: a gate whose policy is ``fail`` has found something.
    """
    found = [gate for gate in delivery.gates if not gate.passed]
    told = [gate.message for gate in found if gate.policy == "warn"]
    delivery = replace(delivery, warnings=[*delivery.warnings, *told])
    if failed := [gate.message for gate in found if gate.policy == "fail"]:
        raise GateError("; ".join(failed), delivery=delivery)
    return delivery
