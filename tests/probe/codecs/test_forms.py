"""Every field of a measurement has a form: what probes write fits, and what would break a reader does not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, get_args, get_origin

import msgspec
import pytest
from msgspec import Struct

from probe.codecs import forms
from probe.codecs.forms import ITEMS, is_spelled_address, is_spelled_prefix
from probe.model import Measurement, Sweep
from tests import genuine

LINES = [msgspec.json.encode(each) for each in genuine.measurements()]
WHOLE: dict[str, Any] = json.loads(LINES[0])
HOP = {"ttl": 1, "came": "silence"}


def structs_of(kind: Any) -> Iterator[type[Struct]]:
    """The structs that a value of this type may hold, itself among them."""
    if isinstance(kind, type) and issubclass(kind, Struct):
        yield kind
        for field in msgspec.structs.fields(kind):
            yield from structs_of(field.type)
    for each in get_args(kind):
        yield from structs_of(each)


def changed(path: str, value: Any) -> bytes:
    """The measurement with everything in it, with another value at one path."""
    whole = json.loads(LINES[0])
    place: Any = whole
    *steps, last = [int(word) if word.isdigit() else word for word in path.split(".")]
    for step in steps:
        place = place[step]
    place[last] = value
    return json.dumps(whole).encode()


@pytest.mark.parametrize("line", LINES)
def test_what_probes_write_fits(line: bytes) -> None:
    forms.check(line, Measurement)


def test_the_genuine_measurements_hold_every_kind_of_fact() -> None:
    """So that the test above, and every mutator of them, meets each."""
    held: set[type] = set()

    def collect(value: Any) -> None:
        if isinstance(value, Struct):
            held.add(type(value))
            for name in value.__struct_fields__:
                collect(getattr(value, name))
        for each in value if isinstance(value, tuple) else ():
            collect(each)

    for measurement in genuine.measurements():
        collect(measurement)
    assert held == set(structs_of(Measurement))


def test_every_list_of_every_struct_is_bounded() -> None:
    """Sweeps and their hops were forgotten once: the forms follow the model, so no list can be again."""
    for shape in structs_of(Measurement):
        for field, form in zip(
            msgspec.structs.fields(shape), msgspec.structs.fields(forms.form_of(shape)), strict=True
        ):
            if get_origin(field.type) is tuple:
                assert "max_length" in repr(form.type), (shape, field.name)


def test_a_field_without_a_form_is_noticed_at_once() -> None:
    class Later(Struct):
        words: str

    with pytest.raises(KeyError, match="words"):
        forms.form_of(Later)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("attempts.0.address", "x"),
        ("attempts.0.address", "fe80::1%eth0"),
        ("attempts.0.address", "self"),
        ("attempts.0.address", 7),
        ("attempts.0.address", ["203.0.113.7"]),
        ("attempts.0.host", "a b"),
        ("attempts.0.host", "a" * 256),
        ("attempts.0.port", 0),
        ("attempts.0.port", 65_536),
        ("attempts.0.handshake", "TLS"),
        ("attempts.0.observations.0.took_us", -1),
        ("attempts.0.observations.0.bytes_sent", 2**53),
        ("attempts.0.observations.0.failure", "x" * 401),
        ("attempts.0.observations.1.tls.leaf_sha256", "A" * 64),
        ("attempts.7.observations.0.icmp.type", 256),
        ("attempts.9.observations.1.xmpp.mechanisms", ["x" * 401]),
        ("resolutions.0.observation.dns.answers", ["x"]),
        ("resolutions.0.observation.dns.answers", ["2001:DB8::1"]),
        ("resolutions.0.observation.dns.answers", ["2001:db8::1.2.3.4"]),
        ("resolutions.0.observation.dns.answers", ["010.1.1.1"]),
        ("resolutions.0.observation.dns.answers", ["203.0.113.7"] * (ITEMS + 1)),
        ("resolutions.0.observation.dns.late", ["no rcode"]),
        ("resolutions.0.observation.dns.resolver_prefix", "198.51.100.7/24"),
        ("resolutions.0.observation.dns.resolver_prefix", "198.51.100.7/32"),
        ("resolutions.0.observation.dns.resolver_prefix", "free text"),
        ("resolutions.0.observation.dns.rcode", "\u0660"),
        ("resolutions.0.observation.dns.ttl", -1),
        ("sweeps.0.address", "x"),
        ("sweeps.0.family", 5),
        ("sweeps.0.hops", [HOP] * (ITEMS + 1)),
        ("sweeps.0.hops.0.prefix", "x"),
        ("sweeps.0.hops.0.ttl", 256),
        ("sweeps", [WHOLE["sweeps"][1]] * (ITEMS + 1)),
        ("link.neutrals.0.family", 46),
        ("link.neutrals.0.port", -1),
        ("link.neutrals.0.target", "baseline"),
        ("link.resolvers", [{"resolver": "isp", "truthful": None}] * (ITEMS + 1)),
        ("link.lag_ms", -1),
        ("round", 3),
        ("target", "whatsapp/call\n"),
    ],
)
def test_what_would_break_a_reader_does_not_fit(path: str, value: Any) -> None:
    with pytest.raises(msgspec.ValidationError, match=r"\$\." + path.split(".")[0]):
        forms.check(changed(path, value), Measurement)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("attempts.0.address", "2001:DB8::1"),  # an owner's targets file says it so
        ("attempts.0.address", "10.10.34.34"),  # a forged answer was dialled
        ("attempts.0.observations.0.failure", "\0\n\x1b"),
        ("attempts.0.observations.0.step", "of_a_later_version"),
        ("resolutions.0.observation.dns.answers", ["203.0.113.7"] * 272),
        ("resolutions.0.observation.dns.answers", ["::ffff:c000:201", "::ffff:192.0.2.1", "127.0.0.1", "::"]),
        ("resolutions.0.observation.dns.late", ["12"]),
        ("attempts.2.observations.1.http.date_ms", -62_135_596_800_000),
        ("later", {"x": [1.5]}),
        ("started_ms", -1),
    ],
)
def test_what_an_odd_network_or_probe_may_make_of_it_fits(path: str, value: Any) -> None:
    forms.check(changed(path, value), Measurement)


@pytest.mark.parametrize("text", ["0.0.0.0/7", "198.51.100.0/25", "2001:db8::/49", "2001:db8::/15", "198.51.100.0"])
def test_a_prefix_is_neither_a_line_nor_a_continent(text: str) -> None:
    assert not is_spelled_prefix(text)


def test_an_address_is_never_longer_than_addresses_are() -> None:
    assert not is_spelled_address("0" * 60_000)


def test_a_struct_inside_a_list_is_checked_too() -> None:
    assert list(structs_of(Sweep))[1].__name__ == "Hop"
