"""What ffmpeg may open and decode of a file that nobody vouches for, and how a file is named to it."""

from __future__ import annotations

from pathlib import Path

# What may lie in an MP4: what Kling delivers and players know. ffmpeg has hundreds more, seldom looked at.
MP4_PICTURES = ("h264", "hevc", "av1", "vp9")
MP4_SOUNDS = ("aac", "mp3float", "mp3", "opus", "alac", "flac")
# Subtitles and a cover are not used, but ffprobe fails at what it may not look into.
MP4_DECODERS = (*MP4_PICTURES, "libdav1d", "libvpx-vp9", *MP4_SOUNDS, "mov_text", "mjpeg", "png")

# A text file named .mp4 can make ffmpeg open other local files. The protocol whitelist alone does not stop that, the
# format whitelist does.
UNTRUSTED_INPUT = {
    "protocol_whitelist": "file",
    "format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2",
    "codec_whitelist": ",".join(MP4_DECODERS),
}


def file_argument(path: Path) -> str:
    """How a file is named to ffmpeg, whatever colons or dashes its name has."""
    return f"file:{path.absolute()}"
