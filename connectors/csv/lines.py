"""Files as blocks of lines: any size, any line ends, with each line's number and bytes kept."""

from __future__ import annotations

import codecs
import gzip
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

BLOCK_BYTES = 1 << 20
#: A longer line is not read as one: it is rejected.
MAX_LINE = 1 << 20
#: A quoted field may hold so many line breaks.
_MAX_JOINED = 20


class Line(NamedTuple):
    """One record's bytes, without its line end, and the number of its first line (from 1)."""

    number: int
    raw: bytes

    @property
    def too_long(self) -> bool:
        """Whether only its beginning was read."""
        return len(self.raw) >= MAX_LINE


@contextmanager
def opened(path: Path, encoding: str) -> Iterator[BinaryIO]:
    """The file's bytes: unpacked when it is gzipped, as UTF-8 when it is UTF-16."""
    with path.open("rb") as plain:
        stream: BinaryIO = plain
        if path.suffix == ".gz":
            stream = gzip.GzipFile(fileobj=plain)  # type: ignore[assignment]
        if encoding.startswith("utf-16"):
            stream = _Recoded(stream, encoding)
        yield stream


class _Recoded(io.RawIOBase, BinaryIO):
    """A stream in another encoding, as UTF-8."""

    def __init__(self, stream: BinaryIO, encoding: str) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)(errors="replace")

    def read(self, size: int = -1) -> bytes:
        """About ``size`` bytes; nothing at the end."""
        while data := self._stream.read(size):
            text = self._decoder.decode(data)
            if text:
                return text.encode()
        return self._decoder.decode(b"", final=True).encode()


def guess_encoding(head: bytes) -> str:
    """The encoding of a file that begins with ``head``: UTF-8, UTF-16, or Korean Windows.

    >>> guess_encoding("온도".encode("cp949")), guess_encoding("온도".encode()), guess_encoding(b"a")
    ('cp949', 'utf-8-sig', 'utf-8-sig')
    """
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    lines = [line for line in head.split(b"\n") if not line.isascii()]
    if not lines:
        return "utf-8-sig"
    for encoding, named in (("utf-8", "utf-8-sig"), ("cp949", "cp949")):
        if sum(_decodes(line, encoding) for line in lines) > len(lines) / 2:
            return named
    return "latin-1"


def _decodes(line: bytes, encoding: str) -> bool:
    try:
        line.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def blocks(stream: BinaryIO, size: int = BLOCK_BYTES) -> Iterator[list[Line]]:
    """All records of ``stream`` in lists of about ``size`` bytes; blank ones are left out.

    A record is a line, or several where a quoted field holds line breaks.
    """
    number, tail, skipping, first = 1, b"", False, True
    while True:
        data = stream.read(size)
        if first:
            data, first = data.removeprefix(codecs.BOM_UTF8), False
        if not data:
            if tail and not skipping:
                yield _joined(number, tail.split(b"\n"))
            return
        parts = (tail + data).split(b"\n")
        tail = parts.pop()
        if skipping and parts:  # the rest of a line that was too long
            parts.pop(0)
            number += 1
            skipping = False
        if len(parts) > _MAX_JOINED and b'"' in data:
            # A record may go on in the next block: leave an open quote's lines for it.
            parts, tail = _hold_back(parts, tail)
        lines = _joined(number, parts)
        number += len(parts)
        if skipping:
            tail = b""
        elif len(tail) >= MAX_LINE and tail.count(b"\n") == 0:
            lines.append(Line(number, tail[:MAX_LINE]))
            tail, skipping = b"", True
        if lines:
            yield lines


def _hold_back(parts: list[bytes], tail: bytes) -> tuple[list[bytes], bytes]:
    for back in range(1, _MAX_JOINED + 1):
        if parts[-back].count(b'"') & 1:
            odd = sum(part.count(b'"') & 1 for part in parts)
            if odd & 1:
                return parts[:-back], b"\n".join([*parts[-back:], tail])
            break
    return parts, tail


def _joined(number: int, parts: list[bytes]) -> list[Line]:
    if not any(b'"' in part for part in parts):
        stripped = [part.rstrip(b"\r") for part in parts]
        return [Line(number + i, raw) for i, raw in enumerate(stripped) if raw.strip()]
    lines: list[Line] = []
    at = 0
    while at < len(parts):
        raw, taken = parts[at], 1
        if raw.count(b'"') & 1:
            for more in range(1, min(_MAX_JOINED, len(parts) - at - 1) + 1):
                if parts[at + more].count(b'"') & 1:
                    taken = more + 1
                    raw = b"\n".join(parts[at : at + taken])
                    break
        raw = raw.rstrip(b"\r")
        if raw.strip():
            lines.append(Line(number + at, raw))
        at += taken
    return lines


def count_lines(path: Path) -> int:
    """How many lines the file has: a quick pass over it."""
    total, last = 0, b"\n"
    with opened(path, "") as stream:
        while data := stream.read(BLOCK_BYTES):
            total += data.count(b"\n")
            last = data[-1:]
    return total + (last != b"\n")
