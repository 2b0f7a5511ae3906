"""Archives as tables are published in: .gz, and .tgz as npm and MaxMind pack it. They are read and never unpacked.

Nothing in an archive decides where anything is written, for nothing is: names only say what is read. What an archive
swells to is bounded, whatever it says of itself. The tar format is read here as far as such archives have it (POSIX
ustar): files, sizes in octal; whatever else stands in it is passed over.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from probe.failure import UserError

GZIP = b"\x1f\x8b"
BLOCK = 512
MOST_BYTES = 1 << 28  # of one source, unpacked
PIECE = 1 << 16
FILES = (b"0", b"\0")  # the type of a file; others are directories, links, and more about the next file

Member = tuple[str, BinaryIO]  # its name without directories; it is to be read before the next one is asked for


def members(file: BinaryIO, name: str) -> Iterator[Member]:
    """The files in a source: itself, what is compressed in it, or those of an archive.

    Raises UserError where it is damaged or too large, also while a file is read.
    """
    plain = _Bounded(_inflated(file), name)
    head = plain.peek(BLOCK)
    if _is_header(head):
        yield from _of_archive(plain, name)
    else:
        yield name.removesuffix(".gz"), io.BufferedReader(plain)


def _inflated(file: BinaryIO) -> BinaryIO:
    compressed = file.read(len(GZIP)) == GZIP
    file.seek(0)
    return gzip.GzipFile(fileobj=file) if compressed else file  # type: ignore[return-value]


class _Bounded(io.RawIOBase):
    """What is read of a source, up to MOST_BYTES of it."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file, self._name, self._left, self._ahead = file, name, MOST_BYTES, b""

    def readable(self) -> bool:
        return True

    def peek(self, size: int) -> bytes:
        """The next bytes, which are read again later."""
        self._ahead = self.exactly(size)
        return self._ahead

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        view = memoryview(buffer)
        data = self._some(min(len(view), PIECE))
        view[: len(data)] = data
        return len(data)

    def exactly(self, size: int) -> bytes:
        """So many bytes; fewer at the end."""
        found = b""
        while len(found) < size and (data := self._some(size - len(found))):
            found += data
        return found

    def _some(self, size: int) -> bytes:
        if self._ahead:
            data, self._ahead = self._ahead[:size], self._ahead[size:]
            return data
        try:
            data = self._file.read(size)
        except (OSError, EOFError, zlib.error) as error:
            raise UserError(f"{self._name} is damaged: fetch it again.") from error
        self._left -= len(data)
        if self._left < 0:
            raise UserError(f"{self._name} holds more than {MOST_BYTES >> 20} MB, which no table has: it is not read.")
        return data


class _Part(io.RawIOBase):
    """One file of an archive."""

    def __init__(self, whole: _Bounded, size: int) -> None:
        self._whole, self.left = whole, size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        count = self._whole.readinto(memoryview(buffer)[: self.left])
        self.left -= count
        return count


def _of_archive(whole: _Bounded, name: str) -> Iterator[Member]:
    while any(header := whole.exactly(BLOCK)):
        if not _is_header(header):
            raise UserError(f"{name} is damaged: fetch it again.")
        size = _octal(header[124:136])
        part = _Part(whole, size)
        if header[156:157] in FILES:
            yield _name(header), io.BufferedReader(part)
        _pass_over(whole, part.left + -size % BLOCK)


def _pass_over(whole: _Bounded, size: int) -> None:
    while size > 0 and (data := whole.exactly(min(size, PIECE))):
        size -= len(data)


def _is_header(block: bytes) -> bool:
    """Its checksum is that of its bytes, its own taken for spaces."""
    if len(block) != BLOCK or block[257:262] != b"ustar":
        return False
    try:
        return (
            _octal(block[148:156]) == sum(block[:148]) + sum(block[156:]) + 8 * ord(" ") and _octal(block[124:136]) >= 0
        )
    except ValueError:
        return False


def _octal(field: bytes) -> int:
    """Raises ValueError, also for the sizes that ustar cannot say."""
    digits = field.strip(b" \0")
    if not digits or digits.strip(b"01234567"):
        raise ValueError("no number")
    return int(digits, 8)


def _name(header: bytes) -> str:
    return header[:100].partition(b"\0")[0].decode("utf-8", "replace").rpartition("/")[2]
