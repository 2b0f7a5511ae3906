"""What nDPI takes crafted packets for, and what then passes: the labels and the moments are its own."""

from __future__ import annotations

import os
import ssl
import struct
from collections.abc import Iterable
from random import Random

import pytest

from tests.lab import ndpi, packets
from tests.lab.model import Fate

pytestmark = pytest.mark.needs("libndpi-bin")

LINE, SERVER = {4: "10.64.1.7", 6: "2001:db8:a::7"}, {4: "203.0.113.13", 6: "2001:db8:113::13"}
NAMES = {"whatsapp.example": "WhatsApp"}
COOKIE = b"\x21\x12\xa4\x42"
SYN, SYN_ACK, ACK, PUSH = 2, 18, 16, 24
Packet = tuple[bytes, bool]


@pytest.fixture(scope="module")
def classifier() -> ndpi.Classifier:
    try:
        return ndpi.Classifier(NAMES)
    except ndpi.Unavailable as error:
        pytest.skip(str(error))


def ends(up: bool, port: int, family: int) -> tuple[tuple[bytes, int], tuple[bytes, int]]:
    """Sender and receiver."""
    near, far = (packets.packed(LINE[family]), 40_000), (packets.packed(SERVER[family]), port)
    return (near, far) if up else (far, near)


def udp(payload: bytes, up: bool = True, port: int = 3478, family: int = 4) -> Packet:
    return packets.udp(*ends(up, port, family), payload), up


def tcp(flags: int, payload: bytes = b"", up: bool = True, family: int = 4) -> Packet:
    numbers = (1, 0) if flags == SYN else (2, 2) if up else (1, 2)
    return packets.tcp(*ends(up, 443, family), flags, *numbers, payload), up


def client_hello(name: str) -> bytes:
    sent = ssl.MemoryBIO()
    tls = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), sent, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return sent.read()


def tls(name: str, family: int = 4) -> list[Packet]:
    """A connection up to the ClientHello, which is sent twice."""
    hello = tcp(PUSH, client_hello(name), family=family)
    return [tcp(SYN, family=family), tcp(SYN_ACK, up=False, family=family), tcp(ACK, family=family), hello, hello]


def stun(message: int, body: bytes = b"") -> bytes:
    return struct.pack("!HH", message, len(body)) + COOKIE + bytes(12) + body


def bindings(count: int) -> list[Packet]:
    """Requests and answers."""
    mapped = b"\x00\x20\x00\x08\x00\x01" + bytes(6)
    return [packet for _ in range(count) for packet in (udp(stun(1)), udp(stun(0x101, mapped), up=False))]


def allocates(count: int) -> list[Packet]:
    return [udp(stun(3, b"\x00\x19\x00\x04\x11\x00\x00\x00"))] * count


def rtp(count: int) -> list[Packet]:
    return [udp(struct.pack("!BBHII", 0x80, 111, n, 960 * n, 7) + os.urandom(100), port=40_100) for n in range(count)]


def query(name: str) -> Packet:
    wire = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return udp(b"\x12\x34\x01\x00\x00\x01" + bytes(6) + wire + b"\x00\x00\x01\x00\x01", port=53)


def labels(classifier: ndpi.Classifier, packets: Iterable[Packet]) -> list[str]:
    flow = classifier.new_flow()
    said = [classifier.label(flow, packet, number / 50) for number, (packet, _) in enumerate(packets)]
    classifier.forget(flow)
    return said


def passed(classifier: ndpi.Classifier, label: str, packets: Iterable[Packet]) -> list[bool]:
    censor = ndpi.Censor(classifier, [label])
    fates = [(censor(packet, up, number / 50), Fate(packet, up)) for number, (packet, up) in enumerate(packets)]
    assert all(got in ([], [whole]) for got, whole in fates)
    return [bool(got) for got, _ in fates]


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("web.whatsapp.com", "TLS.WhatsApp"),  # its own knowledge
        ("web.whatsapp.example", "TLS.WhatsApp"),  # what it was told
        ("www.neutral.example", "TLS"),
    ],
)
def test_a_client_hello_is_known_by_its_name(classifier: ndpi.Classifier, name: str, label: str, family: int) -> None:
    assert labels(classifier, tls(name, family)) == ["Unknown"] * 3 + [label] * 2


def test_a_question_for_a_name_is_known_at_once(classifier: ndpi.Classifier) -> None:
    assert labels(classifier, [query("web.whatsapp.example")]) == ["DNS.WhatsApp"]
    assert labels(classifier, [query("www.neutral.example")]) == ["DNS"]


def test_rtp_is_known_at_its_first_packet(classifier: ndpi.Classifier) -> None:
    assert set(labels(classifier, rtp(5))) == {"RTP"}


def test_stun_is_known_only_after_some_packets(classifier: ndpi.Classifier) -> None:
    """So that a single transaction, which is what a probe does, is over before."""
    said = labels(classifier, bindings(6))
    assert said[-1] == "STUN"
    assert said[:2] == ["Unknown", "Unknown"]
    assert labels(classifier, allocates(4)) == ["Unknown", "Unknown", "STUN", "STUN"]


def test_messengers_relay_is_known_by_its_realm_and_from_then_on_by_its_address() -> None:
    """What it learns of one flow it remembers of the server: the next flow to it is known at once."""
    fresh = ndpi.Classifier()
    request = udp(stun(3, b"\x00\x19\x00\x04\x11\x00\x00\x00"), port=40_003)
    realm = b"\x00\x14\x00\x0fturner.facebook\x00"
    refused = stun(0x113, b"\x00\x09\x00\x10\x00\x00\x04\x01Unauthorized" + realm)
    assert labels(fresh, [request, udp(refused, up=False, port=40_003)]) == ["Unknown", "STUN.FacebookVoip"]
    assert labels(fresh, [udp(stun(1), port=40_003)]) == ["STUN.FacebookVoip"]


def test_the_censor_drops_from_the_label_on_and_both_ways(classifier: ndpi.Classifier) -> None:
    assert passed(classifier, "TLS.WhatsApp", tls("web.whatsapp.example")) == [True, True, True, False, False]
    assert passed(classifier, "WhatsApp", tls("www.neutral.example")) == [True] * 5
    assert passed(classifier, "WhatsApp", [query("web.whatsapp.example")]) == [False]
    assert passed(classifier, "TLS.WhatsApp", [query("web.whatsapp.example")]) == [True]
    late = passed(classifier, "STUN", bindings(6))
    assert late[:2] == [True, True]
    assert not any(late[late.index(False) :])
    assert not any(passed(classifier, "RTP", rtp(5)))


def test_what_is_no_flow_passes(classifier: ndpi.Classifier) -> None:
    censor = ndpi.make_drop({"labels": ("STUN",)}, Random(1))
    near, far = packets.packed(LINE[4]), packets.packed(SERVER[4])
    fragment = bytearray(udp(stun(1))[0])
    fragment[6:8] = b"\x00\x10"
    up = True
    for packet in (packets.icmp(near, far, 8, 0, bytes(4)), bytes(fragment), packets.ip(near, far, 17, b"\x01")):
        assert ndpi.flow_key(packet, up) is None
        assert censor(packet, up, 0.0) == [Fate(packet, up)]


def test_both_directions_are_one_flow() -> None:
    assert ndpi.flow_key(*udp(b"", up=True)) == ndpi.flow_key(*udp(b"", up=False))
    assert ndpi.flow_key(*udp(b"", family=6)) != ndpi.flow_key(*udp(b"", port=1, family=6))


def test_old_flows_are_forgotten(classifier: ndpi.Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ndpi, "MOST_FLOWS", 2)
    censor = ndpi.Censor(classifier, ["RTP"])
    for packet, up in (packet for port in range(9000, 9006) for packet in [udp(b"hello", port=port), *rtp(1)]):
        censor(packet, up, 0.0)
    assert len(censor._flows) == 2
