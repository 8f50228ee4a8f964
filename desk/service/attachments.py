"""Photos and voice notes on alarms: made small, stripped of position and camera, kept by hash."""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

from desk.rules.desk import RefusedError
from desk.rules.journal import Attachment

#: What is taken of a phone (bytes), and what is kept of a photo (pixels of its longer side).
MOST_PHOTO, MOST_VOICE = 12_000_000, 2_000_000
LONGEST_SIDE = 1600
#: A photo of more pixels is refused undecoded: a small file can unfold to gigabytes.
MOST_PIXELS = 60_000_000
_FORMATS = ("JPEG", "PNG", "WEBP")
#: Where MP4 and QuickTime keep positions, makers and models.
_MARKED = (b"\xa9xyz", b"loci", b"com.apple.quicktime", b"Xtra")


@dataclass(frozen=True, slots=True)
class Prepared:
    """Content as it is kept, and what the journal says of it."""

    attachment: Attachment
    content: bytes


def prepare(content: bytes) -> Prepared:
    """A photo or a voice note, told apart by its content; `RefusedError` for anything else.

    A photo is decoded and encoded again as JPEG, turned upright and with no metadata: no position, time,
    maker or thumbnail is left. A voice note (WebM, Ogg, WAV, MP4) is kept as it is, and refused when it
    holds a position.
    """
    kind = _audio_kind(content)
    if kind:
        if len(content) > MOST_VOICE:
            raise RefusedError("voice-too-long", megabytes=MOST_VOICE // 1_000_000)
        if any(mark in content for mark in _MARKED):
            raise RefusedError("voice-marked")
        return _prepared("voice", kind, content)
    return _prepared("photo", "image/jpeg", _photo(content))


def _prepared(kind: str, media: str, content: bytes) -> Prepared:
    return Prepared(Attachment(kind, media, len(content), hashlib.sha256(content).hexdigest()), content)


def _photo(content: bytes) -> bytes:
    if len(content) > MOST_PHOTO:
        raise RefusedError("photo-too-large", megabytes=MOST_PHOTO // 1_000_000)
    try:
        with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:
                raise RefusedError("photo-too-large", megabytes=MOST_PHOTO // 1_000_000)
            image.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))
            upright = ImageOps.exif_transpose(image).convert("RGB")
            upright.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
            bare = Image.new("RGB", upright.size)
            bare.paste(upright)  # pixels alone: nothing that the file said besides
            made = io.BytesIO()
            bare.save(made, "JPEG", quality=80, optimize=True)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise RefusedError("attachment-unknown") from None
    return made.getvalue()


def _audio_kind(content: bytes) -> str:
    if content.startswith(b"\x1a\x45\xdf\xa3"):
        return "audio/webm"
    if content.startswith(b"OggS"):
        return "audio/ogg"
    if content.startswith(b"RIFF") and content[8:12] == b"WAVE":
        return "audio/wav"
    if content[4:8] == b"ftyp":
        return "audio/mp4"
    return ""


class Attachments:
    """The folder of attachments: a file each, named by its SHA-256, which the journal seals."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep(self, prepared: Prepared) -> None:
        """Write it, whole or not at all; the same content again changes nothing."""
        path = self._path(prepared.attachment.sha256)
        if path.exists():
            return
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(dir=self.folder)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(prepared.content)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def read(self, sha256: str) -> bytes | None:
        """The content; None when it is gone, or is no longer what the journal says."""
        path = self._path(sha256)
        if not path.is_file():
            return None
        content = path.read_bytes()
        return content if hashlib.sha256(content).hexdigest() == sha256 else None

    def _path(self, sha256: str) -> Path:
        if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
            raise ValueError(f"{sha256!r} is no SHA-256 in hexadecimal")
        return self.folder / sha256
