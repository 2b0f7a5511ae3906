"""Mutants of genuine measurements: right in type and structure, and otherwise whatever a stranger may write.

A mutator that knows the structs gets past the door, where one that flips bytes only ever meets the JSON reader. Each
mutant has up to three changes, and every field of every struct is changed as often as any other: a hostile or an odd
value of the same type, a list that is emptied, repeated or mixed with another, facts that are left out or put where
they do not belong.
"""

from __future__ import annotations

import random
import types
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from typing import Any, Union, get_args, get_origin

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from probe.model import Measurement

MOST_CHANGES = 3
REPEATED = (0, 1, 2, 17, 255, 300)
NUMBERS = (
    *(-(2**53) + 1, -1, 0, 1, 2, 3, 4, 6, 24, 53, 128, 255, 256, 443, 4096, 65_535, 65_536),
    *(2**31 - 1, 2**31, 2**32, 2**53 - 1),
)
ADDRESSES = (
    *("203.0.113.7", "192.0.2.1", "8.8.8.8", "10.10.34.34", "127.0.0.1", "0.0.0.0", "255.255.255.255", "224.0.0.1"),
    *("100.64.0.1", "169.254.1.1", "192.0.0.170", "2001:db8::7", "2001:db8:0:1::", "::", "::1", "::ffff:1.2.3.4"),
    *("::ffff:102:304", "64:ff9b::102:304", "64:ff9b:1::1", "2002:102:304::", "fe80::1", "fe80::1%eth0", "ff02::1"),
    *("2001:DB8::1", "1.2.3", "1.2.3.4.5", "01.2.3.4", "1.2.3.4/24", "1.2.3.4:443", "[::1]", ":", "::1.2.3.4", "x"),
)
PREFIXES = (
    *("198.51.100.0/24", "10.0.0.0/8", "203.0.113.0/24", "2001:db8::/48", "::/48", "::ffff:0:0/48", "2002::/16"),
    *("198.51.100.7/24", "0.0.0.0/0", "198.51.100.0/33", "198.51.100.0", "/24", "64:ff9b::/48", "224.0.0.0/8"),
)
WORDS = (
    *("", " ", "x", "self", "unknown", "isp", "private", "system", "quad9", "NOERROR", "NXDOMAIN", "4096", "65536"),
    *("-1", "0", "3841", "BADVERS", "TYPE65536", "A", "AAAA", "NaN", "null", "None", "true", "1e999", "٣", "²"),
    *("generic_timeout_error", "connection_reset", "dns_nxdomain_error", "ssl_unknown_authority", "interrupted"),
    *("unknown_failure: OSError", "http_unexpected_status_code", "unexpected_reply", "baseline/tls", "whatsapp/web"),
    *("tlsv1 alert unrecognized name", "h2", "offered", "required", "403", "451", "a" * 255, "a" * 256, "a" * 400),
    *('"', "'", ",", "=", "\\", "\n", "\r\n", "\t", "\0", "\x1b[31m", "\u2028", "\u202e", "\ufeff", "é", "🧨", "%00"),
    *("<script>alert(1)</script>", "{{7*7}}", "=1+1", "'; DROP TABLE verdict; --", "a,b=c d=1i 5\nx y=2", "../../etc"),
)
TEXTS = (*WORDS, *ADDRESSES, *PREFIXES)
FAILURES = (
    *("generic_timeout_error", "connection_reset", "connection_refused", "eof_error", "host_unreachable"),
    *("dns_nxdomain_error", "dns_no_answer", "ssl_unknown_authority", "ssl_invalid_hostname", "interrupted"),
    *("unknown_failure: OSError", "http_unexpected_status_code", "unexpected_reply", "network_down", "\0\n\x1b"),
)
OF_FIELD = {
    **dict.fromkeys(("address", "answers"), (*ADDRESSES, "self")),
    **dict.fromkeys(("prefix", "resolver_prefix"), PREFIXES),
    "late": (*ADDRESSES, "self", "NXDOMAIN", "4096", "12"),
    "rcode": ("NOERROR", "NXDOMAIN", "SERVFAIL", "REFUSED", "4096", "65536", "3841", "BADVERS", "TYPE9", "-1", ""),
    "qtype": ("A", "AAAA", "HTTPS", "TYPE65536", ""),
    "failure": FAILURES,
    "target": ("whatsapp/call", "whatsapp/web", "viber/call", "baseline/tls", "nobody/knows", "a/b"),
    "cycle": ("c" * 32, "d" * 32),
    "host": ("e1.whatsapp.net", "relay.example", "203.0.113.7", "2001:db8::7", "1.2.3", "xn--", "é.example", "a" * 255),
    "handshake": ("tls", "turn", "stun", "quic", "https", "noise", "unheard-of", "."),
    "resolver": ("isp", "private", "system", "quad9", "unheard of", ""),
}

Path = tuple[str | int, ...]  # from a measurement to a struct in it: names of fields, and places in lists


class Mutator:
    """Makes mutants of the measurements of `corpus`; the same seed makes the same."""

    def __init__(self, corpus: Sequence[Measurement], seed: int) -> None:
        self._corpus, self._chance = corpus, random.Random(seed)
        self._parts: dict[type, list[Struct]] = {}  # what a struct may be replaced by
        for measurement in corpus:
            for _, part in _structs(measurement):
                self._parts.setdefault(type(part), []).append(part)
        self._fields = [(kind, field) for kind in self._parts for field in msgspec.structs.fields(kind)]

    def mutants(self, count: int) -> Iterator[Measurement]:
        for number in range(count):
            mutant = self._chance.choice(self._corpus)
            for _ in range(self._chance.randint(1, MOST_CHANGES)):
                mutant = self._changed_somewhere(mutant)
            yield replace(mutant, uid=f"{number:032x}")

    def _changed_somewhere(self, measurement: Measurement) -> Measurement:
        """With another value in some field, of one of the structs that have it; where none has it, of the whole."""
        kind, field = self._chance.choice(self._fields)
        paths = [path for path, part in _structs(measurement) if type(part) is kind]
        if not paths:
            kind, field, paths = Measurement, self._chance.choice(msgspec.structs.fields(Measurement)), [()]

        def change(part: Any) -> Any:
            return replace(part, **{field.name: self._changed(getattr(part, field.name), field.type, field.name)})

        changed: Measurement = _with_part(measurement, self._chance.choice(paths), change)
        return changed

    def _changed(self, value: Any, kind: Any, name: str) -> Any:
        """Another value of the type."""
        if get_origin(kind) is tuple:
            return self._list(value, get_args(kind)[0], name)
        if get_origin(kind) in (Union, types.UnionType):
            (inner,) = (each for each in get_args(kind) if each is not types.NoneType)
            if value is not None and self._chance.random() < 0.2:
                return None
            return self._changed(value, inner, name) if value is not None else self._made(inner, name)
        return self._made(kind, name)

    def _list(self, items: tuple[Any, ...], kind: Any, name: str) -> tuple[Any, ...]:
        found = list(items)
        at = self._chance.randrange(len(found)) if found else 0
        match self._chance.randrange(8):
            case 0:
                return ()
            case 1:
                return items[:1] * self._chance.choice(REPEATED) + items[1:]
            case 2:
                self._chance.shuffle(found)
            case 3:
                found[at : at + 1] = []
            case 4:
                found.insert(at, self._made(kind, name))
            case _ if found:
                found[at] = self._changed(found[at], kind, name)
            case _:
                found = [self._made(kind, name)]
        return tuple(found)

    def _made(self, kind: Any, name: str) -> Any:
        """Some value of a type, whatever stood there."""
        if isinstance(kind, type) and issubclass(kind, Struct):
            known = self._parts.get(kind)
            return self._chance.choice(known) if known else None
        if isinstance(kind, type) and issubclass(kind, Enum):
            return self._chance.choice([*kind, "of_a_later_version"])
        if kind is bool:
            return self._chance.random() < 0.5
        if kind is int:
            return self._chance.choice(NUMBERS)
        if get_origin(kind) is tuple:
            return ()
        return self._chance.choice(OF_FIELD.get(name, TEXTS) if self._chance.random() < 0.85 else TEXTS)


def _structs(value: Any, path: Path = ()) -> Iterator[tuple[Path, Struct]]:
    """All structs in a value, itself first."""
    if isinstance(value, Struct):
        yield path, value
        for name in value.__struct_fields__:
            yield from _structs(getattr(value, name), (*path, name))
    for at, each in enumerate(value) if isinstance(value, tuple) else ():
        yield from _structs(each, (*path, at))


def _with_part(value: Any, path: Path, change: Callable[[Any], Any]) -> Any:
    """The value with the part at `path` changed."""
    if not path:
        return change(value)
    step, *rest = path
    if isinstance(step, int):
        return (*value[:step], _with_part(value[step], tuple(rest), change), *value[step + 1 :])
    return replace(value, **{step: _with_part(getattr(value, step), tuple(rest), change)})
