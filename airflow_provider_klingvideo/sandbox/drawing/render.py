"""Draws clips and pictures with ffmpeg: the prompt, the input image, and that all this is a sandbox."""

from __future__ import annotations

import hashlib
import logging
import shutil
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from airflow_provider_klingvideo.sandbox.account.catalog import FRAMES_PER_SECOND
from airflow_provider_klingvideo.sandbox.account.limits import Kind
from airflow_provider_klingvideo.sandbox.drawing.commissions import Commission
from airflow_provider_klingvideo.sandbox.drawing.ffmpeg import draws_text, find_ffmpeg, find_font, make_file
from airflow_provider_klingvideo.sandbox.files.images import image_format

log = logging.getLogger(__name__)

_PROMPT_LINES = 6
_MARGIN = 24  # fractions of the picture's height
_OVERSIZE = 1.15  # how much larger than the picture an input image is, to pan over it


@dataclass(frozen=True)
class Clip:
    """What is to be drawn.

    :param frames: how many; the rate is Kling's 24 per second.
    :param lines: written at the foot of the picture, under the prompt.
    """

    width: int
    height: int
    frames: int
    prompt: str
    lines: tuple[str, ...]
    sound: bool
    image: Path | None

    @property
    def seconds(self) -> float:
        """Length."""
        return self.frames / FRAMES_PER_SECOND


def draw(commission: Commission) -> None:
    """Draw a result as a clip or a picture, by the end of the file's name.

    :raises SandboxMediaError: when there is no ffmpeg, or it failed.
    """
    render(_plan(commission), commission.target, commission.settings.ffmpeg)


def _plan(commission: Commission) -> Clip:
    task, result = commission.task, commission.result
    seconds = result.seconds if commission.seconds is None else commission.seconds
    width, height = _fitted((result.width, result.height), commission.settings.max_render_height)
    one_of = f"{commission.number}/{len(task.results)}" if len(task.results) > 1 else ""
    length = f"{task.seconds} s" if task.seconds else ""
    known = (one_of, task.model, task.resolution, length, task.product, result.role)
    return Clip(
        width=width,
        height=height,
        frames=max(1, round(seconds * FRAMES_PER_SECOND)),
        prompt=printable(task.prompt),
        lines=(
            "  ".join(fact for fact in known if fact),
            *(("WATERMARK of the sandbox",) if commission.watermark else ()),
            "SANDBOX - not made by Kling AI",
        ),
        sound=result.sound,
        image=_shown_picture(commission),
    )


def _shown_picture(commission: Commission) -> Path | None:
    """The picture among the inputs that has the role of the result, otherwise the first one."""
    pictures = [item for item in commission.task.inputs if item.file and item.limits.kind is Kind.IMAGE]
    alike = [item for item in pictures if item.role == commission.result.role]
    return next((commission.folder / item.file for item in alike + pictures), None)


def _fitted(size: tuple[int, int], max_height: int | None) -> tuple[int, int]:
    """The size no higher than allowed, even as yuv420p wants it."""
    width, height = size
    scale = min(1.0, (max_height or height) / height)
    return max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)


def printable(text: str) -> str:
    """Without what neither a command line nor a picture can hold."""
    return "".join(char if char.isprintable() else " " for char in text)


def render(clip: Clip, target: Path, ffmpeg_setting: Path | None) -> None:
    """Draw into a file, which appears whole or not at all; a picture is the first frame.

    :raises SandboxMediaError: when there is no ffmpeg, or it failed.
    """
    ffmpeg = find_ffmpeg(ffmpeg_setting)

    def arguments(workplace: Path) -> list[str]:
        texts = _texts(clip, workplace) if _can_write(ffmpeg) else []
        return [*_picture(clip, texts), *_OUTPUTS[target.suffix](clip)]

    make_file(ffmpeg, arguments, target)


def _can_write(ffmpeg: str) -> bool:
    if not draws_text(ffmpeg):
        log.warning("SANDBOX: this ffmpeg has no drawtext filter, so no text is drawn into the clips")
        return False
    return find_font() is not None


def _texts(clip: Clip, workplace: Path) -> list[str]:
    """The drawtext filters; text and font lie in files of the working folder, so that nothing needs quoting."""
    shutil.copyfile(find_font() or "", workplace / "font.ttf")
    margin = max(4, clip.height // _MARGIN)
    size = max(10, min(clip.height // 16, clip.width // 22))
    columns = max(8, int((clip.width - 2 * margin) / (size * 0.56)))
    wrapped = textwrap.wrap(clip.prompt, columns, max_lines=_PROMPT_LINES, placeholder=" ...")
    (workplace / "prompt.txt").write_text("\n".join(wrapped) or " ", encoding="utf-8")
    (workplace / "facts.txt").write_text("\n".join(clip.lines), encoding="utf-8")
    (workplace / "mark.txt").write_text("SANDBOX", encoding="utf-8")
    small = max(8, size * 2 // 3)
    return [
        _text("mark.txt", size * 3, "(w-text_w)/2", "(h-text_h)/2", colour="white@0.28", box=False),
        _text("prompt.txt", size, str(margin), str(margin)),
        _text("facts.txt", small, str(margin), f"h-text_h-{margin}"),
    ]


def _text(file: str, size: int, x: str, y: str, *, colour: str = "white", box: bool = True) -> str:
    look = f":box=1:boxcolor=black@0.45:boxborderw={max(2, size // 4)}" if box else ""
    return (
        f"drawtext=fontfile=font.ttf:textfile={file}:expansion=none:fontsize={size}:fontcolor={colour}"
        f":line_spacing={size // 4}:x={x}:y={y}{look}"
    )


def _picture(clip: Clip, texts: list[str]) -> list[str]:
    size = f"{clip.width}:{clip.height}"
    if clip.image is None:
        digest = hashlib.sha256(clip.prompt.encode()).digest()
        colours = ":".join(f"c{index}=0x{digest[3 * index : 3 * index + 3].hex()}" for index in range(3))
        # Drawn small and scaled up: the gradients filter is the dearest part of a large picture.
        small = f"{max(2, clip.width // 4)}x{max(2, clip.height // 4)}"
        source = (
            f"gradients=s={small}:r={FRAMES_PER_SECOND}:nb_colors=3:{colours}:seed={digest[-1]}"
            f":speed=0.015:d={clip.seconds + 1:.3f}"
        )
        inputs = ["-f", "lavfi", "-i", source]
        filters = [f"scale={size}:flags=bilinear"]
    else:
        kind = image_format(clip.image.read_bytes())
        inputs = ["-f", f"{kind}_pipe", "-i", f"file:{clip.image.resolve()}"]
        large = f"{round(clip.width * _OVERSIZE)}:{round(clip.height * _OVERSIZE)}"
        filters = [
            f"scale={large}:force_original_aspect_ratio=increase",
            "setsar=1",
            f"loop=loop={clip.frames}:size=1:start=0",
            f"setpts=N/{FRAMES_PER_SECOND}/TB",
            f"crop={size}:x='(iw-ow)*n/{clip.frames}':y='(ih-oh)/2'",
        ]
    if clip.sound:
        pitch = 220 + hashlib.sha256(clip.prompt.encode()).digest()[0]
        inputs += ["-f", "lavfi", "-i", f"sine=frequency={pitch}:duration={clip.seconds:.3f}"]
    return [*inputs, "-vf", ",".join([*filters, *texts, "format=yuv420p"])]


def _film(clip: Clip) -> list[str]:
    sound = ["-c:a", "aac", "-b:a", "64k"] if clip.sound else ["-an"]
    return [
        *("-frames:v", str(clip.frames), "-r", str(FRAMES_PER_SECOND)),
        *("-c:v", "libx264", "-preset", "ultrafast", "-crf", "28", "-pix_fmt", "yuv420p", "-threads", "2"),
        *sound,
        *("-fflags", "+bitexact", "-flags:v", "+bitexact", "-flags:a", "+bitexact"),
        *("-metadata", "title=SANDBOX", "-metadata", f"comment={clip.prompt}", "-movflags", "+faststart"),
    ]


def _still(_: Clip) -> list[str]:
    return ["-frames:v", "1", "-update", "1", "-pix_fmt", "rgb24", "-fflags", "+bitexact", "-flags:v", "+bitexact"]


_OUTPUTS: dict[str, Callable[[Clip], list[str]]] = {".mp4": _film, ".png": _still}
