"""Finding the frames of MP3 and AAC, whose files have no header: a frame is one where others follow."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from airflow_provider_klingvideo.media.inspect.tracks import Content

# How far music players look; what lies before may be a tag that nobody closed, zeros, a cut frame.
SEARCHED = 256 * 1024
# A header is 11 to 15 bits that are set: by chance two in a row stand in any photograph.
ENOUGH = 4

# ISO/IEC 11172-3 and 13818-3, layer III: kbit/s of version 1 and of versions 2 and 2.5; samples a second of version 1.
_KBITS = {
    True: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    False: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = (44100, 48000, 32000)
# By the version's two bits: what the sample rate is divided by; 1 is reserved.
_DIVISORS = {3: 1, 2: 2, 0: 4}


def _mp3_length(head: bytes) -> int:
    """Bytes of the layer III frame that begins here, 0 where none does."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:
        return 0
    version, kbits, rate = head[1] >> 3 & 3, head[2] >> 4, head[2] >> 2 & 3
    if version not in _DIVISORS or not 0 < kbits < 15 or rate == 3:
        return 0
    samples = 144 if version == 3 else 72
    return samples * _KBITS[version == 3][kbits] * 1000 // (_RATES[rate] // _DIVISORS[version]) + (head[2] >> 1 & 1)


def _adts_length(head: bytes) -> int:
    """Bytes of the AAC frame that begins here, 0 where none does."""
    if len(head) < 6 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0 or head[2] >> 2 & 0xF > 12:
        return 0
    length = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    return length if length > 7 else 0


LENGTHS: Mapping[str, Callable[[bytes], int]] = {"mp3": _mp3_length, "aac": _adts_length}
"""By extension."""


def behind_tag(content: Content) -> int:
    """Where the sound begins behind an ID3v2 tag, or behind several; 0 without one."""
    offset = 0
    while content[offset : offset + 3] == b"ID3" and len(content) >= offset + 10:
        size = 0
        for byte in content[offset + 6 : offset + 10]:
            size = size << 7 | byte & 0x7F
        footer = 10 if content[offset + 5] & 0x10 else 0
        offset += 10 + size + footer
    return offset


def first_frame(content: Content, extension: str) -> int | None:
    """Return where the first frame begins, None where there are none.

    :param extension: a key of :data:`LENGTHS`.
    """
    start = behind_tag(content)
    end = min(len(content), start + SEARCHED)
    while (start := content.find(b"\xff", start, end)) >= 0:
        if _is_followed(content, start, LENGTHS[extension]):
            return start
        start += 1
    return None


def _is_followed(content: Content, start: int, length_at: Callable[[bytes], int]) -> bool:
    """Whether frames follow one another from here on, to the end or :data:`ENOUGH` of them."""
    # A single frame is one only where it is all there is.
    fewest = 1 if start == behind_tag(content) else 2
    for number in range(ENOUGH):
        length = length_at(content[start : start + 6])
        if not length:
            # What stands behind the last frame is a tag of its own, or the frame that was cut off.
            return number >= fewest and (start >= len(content) or content[start : start + 3] in {b"TAG", b"APE"})
        start += length
    return True
