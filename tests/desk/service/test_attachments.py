"""Photos and voice notes: small, bare of position and camera, the same by hash, and nothing else is taken."""

from __future__ import annotations

import io
import wave
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from desk.rules.desk import RefusedError
from desk.service.attachments import LONGEST_SIDE, MOST_VOICE, Attachments, prepare

GPS = 0x8825


def photo(size: tuple[int, int] = (3000, 2000), kind: str = "JPEG", orientation: int = 1) -> bytes:
    """A photo as a phone takes it: with a position, a maker, a model and a comment."""
    image = Image.effect_noise(size, 40).convert("RGB")
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x0112] = "ZebraPhone", "Zebra 9", orientation
    exif.get_ifd(GPS).update({1: "N", 2: (35.0, 9.0, 36.0), 3: "E", 4: (126.0, 51.0, 0.0)})
    made = io.BytesIO()
    image.save(made, kind, exif=exif, **({"comment": b"ZebraPhone"} if kind == "JPEG" else {}))
    return made.getvalue()


def recording(seconds: int = 1) -> bytes:
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(8000)
        file.writeframes(bytes(range(250)) * (32 * seconds))
    return made.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_photo_is_small_and_says_nothing_of_where_and_with_what(kind: str):
    content = photo((2000, 1000), kind)
    with Image.open(io.BytesIO(content)) as before:
        assert before.getexif().get_ifd(GPS), "else this test would prove nothing"
    made = prepare(content)
    assert (made.attachment.kind, made.attachment.media) == ("photo", "image/jpeg")
    assert made.attachment.size == len(made.content)
    with Image.open(io.BytesIO(made.content)) as after:
        assert max(after.size) == LONGEST_SIDE
        assert not after.getexif()
        assert not {"exif", "comment", "xmp", "icc_profile"} & set(after.info)
    for mark in (b"Zebra", b"Exif", b"GPS"):
        assert mark not in made.content


def test_it_is_turned_upright():
    with Image.open(io.BytesIO(prepare(photo((400, 200), orientation=6)).content)) as after:
        assert after.size == (200, 400)


def test_a_voice_note_is_kept_as_it_is():
    content = recording()
    made = prepare(content)
    assert (made.attachment.kind, made.attachment.media, made.content) == ("voice", "audio/wav", content)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "attachment-unknown"),
        (b"<svg onload=alert(1)>", "attachment-unknown"),
        (b"%PDF-1.7", "attachment-unknown"),
        (photo((50, 50))[:400], "attachment-unknown"),
        (b"\xff\xd8" + bytes(12_000_001), "photo-too-large"),
        (b"OggS" + bytes(MOST_VOICE), "voice-too-long"),
        (b"\0\0\0\x20ftypM4A " + b"\xa9xyz+35.1+126.8/", "voice-marked"),
    ],
    ids=["empty", "svg", "pdf", "cut off", "large", "long", "with a position"],
)
def test_what_is_not_taken_is_refused_with_the_reason(content: bytes, code: str):
    with pytest.raises(RefusedError) as refused:
        prepare(content)
    assert refused.value.cause.code == code


def test_a_picture_that_unfolds_to_gigabytes_is_not_unfolded():
    image = Image.new("1", (20_000, 20_000))
    made = io.BytesIO()
    image.save(made, "PNG")
    assert len(made.getvalue()) < 100_000
    with pytest.raises(RefusedError):
        prepare(made.getvalue())


@given(st.binary(max_size=300))
def test_any_bytes_are_taken_or_refused(content: bytes):
    with suppress(RefusedError):
        assert prepare(content).attachment.kind in ("photo", "voice")


def test_what_is_kept_comes_back_and_what_was_changed_does_not(tmp_path):
    kept, made = Attachments(tmp_path / "a"), prepare(recording())
    for _ in range(2):
        kept.keep(made)
    assert [one.name for one in (tmp_path / "a").iterdir()] == [made.attachment.sha256]
    assert kept.read(made.attachment.sha256) == made.content
    (tmp_path / "a" / made.attachment.sha256).write_bytes(b"other")
    assert kept.read(made.attachment.sha256) is None
    with pytest.raises(ValueError, match="no SHA-256"):
        kept.read("../../etc/passwd")
