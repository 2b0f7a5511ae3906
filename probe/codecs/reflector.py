"""The question that a Telegram client asks a reflector (a relay of calls) about itself, and its answer.

    → peer tag (16), FF × 12, FE FF FF FF, query id (8)                                        40 bytes
    ← peer tag (16), FF × 12, C7 72 15 C0, date (4), query id (8), our address (16), port (4)  64 bytes

A peer tag is given out with a call. What a reflector does with a tag of nobody's is not known. Our address and port
in the answer are not read. Sources: libtgvoip, VoIPController.cpp (SendUdpPing); nDPI telegram.pcap, frames 170, 176.
"""

from __future__ import annotations

TAG_BYTES, QUERY_BYTES = 16, 8
ALL = b"\xff" * 12
ASKED, ANSWERED = b"\xfe\xff\xff\xff", b"\xc7\x72\x15\xc0"
ANSWER_BYTES = 64
QUERY_AT = 36


def request(tag: bytes, query: bytes) -> bytes:
    return tag + ALL + ASKED + query


def echoes(answer: bytes, request: bytes) -> bool:
    """The answer repeats what was random in our request, in a reflector's own form."""
    tag, query = request[:TAG_BYTES], request[-QUERY_BYTES:]
    head = tag + ALL + ANSWERED
    is_in_place = answer.startswith(head) and answer[QUERY_AT : QUERY_AT + QUERY_BYTES] == query
    return len(answer) == ANSWER_BYTES and is_in_place
