"""Text that people save, and text that people read: bytes of any editor in, characters of any terminal out.

Notepad and Excel begin a UTF-8 file with a byte-order mark, and PowerShell's `>` writes UTF-16 with one: every file
that a person may have saved is read through `utf8`. A terminal that has no character for a word of ours gets the
nearest plain one (`speak_plainly`), and never an error.
"""

from __future__ import annotations

import codecs
import io
import unicodedata

PLAIN = "plain"  # an error handler of `codecs`
SIGNS = {
    "…": "...",
    "–": "-",
    "—": "-",
    "−": "-",
    "≥": ">=",
    "≤": "<=",
    "→": "->",
    "×": "x",
    "‘": "'",
    "’": "'",
    "“": '"',
    "”": '"',
}


def utf8(data: bytes) -> bytes:
    """The same text in UTF-8, without a byte-order mark. What has no mark stays as it is, whatever it holds."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace").encode("utf-8", "replace")
    return data.removeprefix(codecs.BOM_UTF8)


def plain(text: str) -> str:
    """The nearest ASCII: letters without their accents, signs spelt out, and ? for what has nothing near."""
    spelt = "".join(SIGNS.get(sign, sign) for sign in text)
    bare = (sign for sign in unicodedata.normalize("NFKD", spelt) if not unicodedata.combining(sign))
    return "".join(sign if sign.isascii() else "?" for sign in bare)


def speak_plainly(*streams: object) -> None:
    """Makes streams of text write `plain` where their encoding lacks a character."""
    codecs.register_error(PLAIN, _replace)
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=PLAIN)


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return plain(error.object[error.start : error.end]), error.end
