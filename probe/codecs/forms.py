"""Closed forms: what each field of a measurement may hold, checked at the door before anything is kept.

What passes here is judged, exported, shown and counted later by code that parses addresses, adds counters and makes
columns of words. So every number has bounds, every list and text a longest, and every address and prefix can be parsed.
The forms follow the fields of probe.model: a new field of text or a new number without a form is a KeyError at import.
They are as wide as any probe since 260d5f9 can write: a refused batch is evidence lost, and a censor writes some of
these texts. Words of vocabularies stay open, for later versions have more of them.
"""

from __future__ import annotations

import ipaddress
import re
import types
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
from msgspec import Meta, Struct

from probe.addresses import is_address
from probe.codecs.said_once import MeasurementLine
from probe.model import (
    Attempt,
    BatchHeader,
    Context,
    DnsFacts,
    DtlsFacts,
    HelloFacts,
    Hop,
    HttpFacts,
    IcmpFacts,
    Link,
    Measurement,
    MtprotoFacts,
    Network,
    Neutral,
    NoiseFacts,
    Observation,
    QuicFacts,
    Resolution,
    ResolverCheck,
    SipFacts,
    StunFacts,
    Succession,
    Sweep,
    Ticket,
    TlsFacts,
    XmppFacts,
)

Form = Any  # a type as msgspec reads it, with its bounds

ITEMS = 512  # in any list: a DNS reply of 4 kB has room for 272 addresses
INTEGER = 2**53 - 1  # either side of zero: what every reader of JSON can hold
LONGEST_ADDRESS = 45  # characters
LEAST_PREFIX, MOST_PREFIX = {4: 8, 6: 16}, {4: 24, 6: 48}  # narrower ones would name a line
IPV4_WITHIN = frozenset({0, 0xFFFF, 0x64_FF9B << 64})  # first 96 bits of IPv6 whose last 32 some write as IPv4

REMEMBERED = 1 << 14


class Address(str):
    """An address that was dialled, without a scope, spelled as in the targets file that gave it."""


class Answer(str):
    """An address as `ipaddress` spells it, or `self` for one of the volunteer's own."""


class LateAnswer(str):
    """An answer, or the rcode of a reply without one."""


class Prefix(str):
    """An IPv4 prefix of 8 to 24 bits, or an IPv6 one of 16 to 48, in the spelling of `ipaddress`."""


class Host(str):
    """A name or an address, as a targets file gives it."""


class Handshake(str):
    """The name of a handshake, also of a later version's."""


class TargetId(str):
    """service/role."""


class Cycle(str):
    """The name of a cycle, 32 hex digits; all measurements of it have the same."""


class Word(str):
    """A short word of some vocabulary."""


def is_spelled_address(text: str) -> bool:
    """True for an address in the one way in which probes write it, public or not: DNS may be made to say anything."""
    if not _is_address(text):
        return False
    parsed = ipaddress.ip_address(text)
    if str(parsed) == text:
        return True
    # Python 3.13 writes ::ffff:192.0.2.1 where 3.11 writes ::ffff:c000:201.
    mixed = parsed.version == 6 and "." in text and text == text.lower()
    return mixed and int(parsed) >> 32 in IPV4_WITHIN


def is_spelled_prefix(text: str) -> bool:
    if len(text) > LONGEST_ADDRESS:
        return False
    try:
        parsed = ipaddress.ip_network(text)
    except ValueError:
        return False
    bits = range(LEAST_PREFIX[parsed.version], MOST_PREFIX[parsed.version] + 1)
    return str(parsed) == text and parsed.prefixlen in bits


def _is_address(text: str) -> bool:
    return len(text) <= LONGEST_ADDRESS and "%" not in text and is_address(text)


def _is_answer(text: str) -> bool:
    return text == "self" or is_spelled_address(text)


def _is_late_answer(text: str) -> bool:
    return _is_answer(text) or (len(text) <= 20 and text.isascii() and text.isalnum())


def _is(pattern: str) -> Callable[[str], bool]:
    matches = re.compile(pattern).fullmatch
    return lambda text: matches(text) is not None


# What recurs in nearly every line is checked here once, and remembered; what is of one line has its pattern (`_words`).
CHECKS: Mapping[type, Callable[[str], bool]] = {
    Address: _is_address,
    Answer: _is_answer,
    LateAnswer: _is_late_answer,
    Prefix: is_spelled_prefix,
    Host: _is(r"[^\s\x00-\x1f\x7f]{1,255}"),
    Handshake: _is("[a-z0-9_.-]{1,40}"),
    TargetId: _is("[a-z0-9][a-z0-9_-]{0,39}/[a-z0-9][a-z0-9_-]{0,39}"),
    Cycle: _is("[0-9a-f]{32}"),
    Word: _is("[A-Za-z0-9 ._:-]{0,60}"),
}


def _text(longest: int) -> Form:
    return Annotated[str, Meta(max_length=longest)]


def _words(pattern: str) -> Form:
    return Annotated[str, Meta(pattern=rf"\A{pattern}\Z")]


def _number(least: int, most: int) -> Form:
    return Annotated[int, Meta(ge=least, le=most)]


ID = _words("[0-9a-f]{32}")
DIGEST = _words("[0-9a-f]{64}")
FROM_WIRE = _text(400)  # probes cut it to 100 characters
NAME = _text(255)  # a targets file's own
MOMENT = _number(-INTEGER, INTEGER)  # a probe's clock may say anything
COUNT = _number(0, INTEGER)
BYTE = _number(0, 255)
PORT = _number(1, 65_535)
FAMILY = Literal[4, 6]
SENDS = {"sends": COUNT, "unmatched": COUNT}

OF_MEASUREMENT = {
    "uid": ID,
    "target": TargetId,
    "cycle": Cycle,
    "round": Literal[1, 2],
    "started_ms": MOMENT,
    "clock_offset_ms": MOMENT,
}

# Struct → the forms of its fields of text and of its numbers; of a list, its items'.
FIELDS: Mapping[type[Struct], Mapping[str, Form]] = {
    BatchHeader: {  # what is more to say of it, the seal says, with a reason for each
        "format": MOMENT,
        "sealed_ms": MOMENT,
        **dict.fromkeys(("key", "batch", "software", "targets", "salt"), NAME),
        **dict.fromkeys(("contexts", "sequence", "lost_batches", "lost_measurements"), COUNT),
        "trust_store_ms": MOMENT,
    },
    Succession: {
        **dict.fromkeys(("old", "new"), DIGEST),
        **dict.fromkeys(("by_old", "by_new"), _words("[0-9a-f]{128}")),
        "asn": _number(1, 2**32 - 1),
        "quarter": _number(0, 31_999),
    },
    Context: {},
    Ticket: {
        **dict.fromkeys(("by", "key"), DIGEST),
        **dict.fromkeys(("bucket", "bucket_before", "nonce"), ID),
        "minute": COUNT,
        "family": FAMILY,
        "signature": _words("[0-9a-f]{128}"),
    },
    Network: {"country": _words("[A-Z]{2}"), "asn": _number(0, 2**32 - 1), "operator": NAME},
    Measurement: OF_MEASUREMENT,
    MeasurementLine: {**OF_MEASUREMENT, "context": COUNT},
    Link: {"lag_ms": COUNT, "trust_store_ms": MOMENT},
    Neutral: {
        "target": TargetId,
        "handshake": Handshake,
        "port": PORT,
        "family": FAMILY,
        "failure": FROM_WIRE,
        "sends": COUNT,
        "flights": COUNT,
    },
    ResolverCheck: {"resolver": NAME, "index": COUNT},
    Resolution: {"host": Host},
    Attempt: {"host": Host, "port": PORT, "handshake": Handshake, "address": Address},
    Sweep: {
        "host": Host,
        "port": PORT,
        "family": FAMILY,
        "address": Address,
        "bytes_sent": COUNT,
        "packets_sent": COUNT,
    },
    Hop: {"ttl": BYTE, "prefix": Prefix},
    Observation: {
        "started_us": MOMENT,  # of a name that was asked for another attempt: before the start
        "took_us": COUNT,
        "failure": FROM_WIRE,
        **dict.fromkeys(("bytes_sent", "bytes_received", "packets_sent", "packets_received"), COUNT),
    },
    DnsFacts: {
        **SENDS,
        "resolver": NAME,
        "resolver_index": COUNT,
        "resolver_prefix": Prefix,
        "qtype": Word,
        "rcode": Word,
        "answers": Answer,
        "ttl": COUNT,
        "late": LateAnswer,
    },
    TlsFacts: {
        "hello_bytes": COUNT,
        "leaf_sha256": DIGEST,
        "issuer_sha256": DIGEST,
        **dict.fromkeys(("version", "cipher", "alpn", "alert"), FROM_WIRE),
    },
    StunFacts: {**SENDS, "error_code": COUNT, "realm": FROM_WIRE, "software": FROM_WIRE},
    HttpFacts: {
        "status": COUNT,
        "date_ms": MOMENT,
        "age_s": COUNT,
        "fingerprint": NAME,
        **dict.fromkeys(("title", "location", "server"), FROM_WIRE),
    },
    SipFacts: {**SENDS, "status": COUNT, **dict.fromkeys(("realm", "software", "altered"), FROM_WIRE)},
    HelloFacts: SENDS,
    NoiseFacts: {"leaf_sha256": DIGEST, "issuer_sha256": DIGEST},
    MtprotoFacts: {"refused": MOMENT},
    QuicFacts: {**SENDS, "versions": Word, "close_code": COUNT},
    XmppFacts: dict.fromkeys(("starttls", "mechanisms", "error"), FROM_WIRE),
    DtlsFacts: SENDS,
    IcmpFacts: {"type": BYTE, "code": BYTE},
}


def check(line: bytes, shape: type[Struct]) -> None:
    """Checks the JSON of a struct of FIELDS. Raises msgspec.ValidationError that names the field."""
    _decoder(shape).decode(line)


def prepared(*shapes: type[Struct]) -> tuple[type[Struct], ...]:
    """These shapes, ready: msgspec makes what it knows of a struct at its first use, and crashes when two threads are
    the first. So it is used while modules are imported."""
    for shape in shapes:
        msgspec.json.Decoder(shape)
        _decoder(shape)
    return shapes


@cache
def _decoder(shape: type[Struct]) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(form_of(shape), dec_hook=_spelled)


@lru_cache(REMEMBERED)  # of what is well-formed, for it lets no exception be remembered
def _spelled(kind: type, value: Any) -> Any:
    if not isinstance(value, str) or not CHECKS[kind](value):
        raise ValueError(f"Expected {kind.__name__}")
    return kind(value)


@cache
def form_of(shape: type[Struct]) -> type[Struct]:
    """The struct with the same fields, each in its form; of a struct without a row in FIELDS, all must be words."""
    forms = FIELDS.get(shape, {})
    fields: list[Any] = [
        (each.name, _in_form(each.type, each.name, forms), *_default(each)) for each in msgspec.structs.fields(shape)
    ]
    return msgspec.defstruct(f"{shape.__name__}Form", fields, frozen=True, kw_only=True)


def _default(field: msgspec.structs.FieldInfo) -> tuple[Any, ...]:
    if field.default_factory is not msgspec.NODEFAULT:
        return (msgspec.field(default_factory=field.default_factory),)
    return () if field.default is msgspec.NODEFAULT else (field.default,)


def _in_form(kind: Any, name: str, forms: Mapping[str, Form]) -> Form:
    if kind in (str, int):
        return forms[name]
    if get_origin(kind) is tuple:
        item, _ = get_args(kind)
        return Annotated[tuple[_in_form(item, name, forms), ...], Meta(max_length=ITEMS)]  # type: ignore[misc]
    if get_origin(kind) in (Union, types.UnionType):
        return Union[tuple(_in_form(each, name, forms) for each in get_args(kind))]  # noqa: UP007 (made of a list)
    return form_of(kind) if isinstance(kind, type) and issubclass(kind, Struct) else kind
