"""QUIC's Initial packets, read as a box on the way reads them."""

from __future__ import annotations

from itertools import pairwise

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.lab.filters.crafted import hello, made, passes, tcp_up, udp_down, udp_up
from tests.lab.filters.quic import header_mask, initial_name, keys

CONNECTION = bytes.fromhex("8394c8f03e515708")  # of RFC 9001, appendix A
NAME = "web.telegram.example"


def variable(number: int) -> bytes:
    return (number | 0x4000).to_bytes(2)


def initial(name: str, pieces: int = 1, token: bytes = b"") -> bytes:
    """A client's Initial with a ClientHello, in CRYPTO frames that come last first."""
    key, iv, hp_key = keys(CONNECTION)
    message = hello(name)[5:]
    cuts = [len(message) * number // pieces for number in range(pieces + 1)]
    frames = [b"\x06" + variable(start) + variable(end - start) + message[start:end] for start, end in pairwise(cuts)]
    plain = (b"\0" + b"".join(reversed(frames))).ljust(1162, b"\0")
    packet_number = b"\0\0\0\2"
    ids = bytes((len(CONNECTION),)) + CONNECTION + b"\0"
    tail = ids + bytes((len(token),)) + token + variable(len(plain) + 16 + 4)
    header = b"\xc3\0\0\0\1" + tail + packet_number
    nonce = (int.from_bytes(iv) ^ 2).to_bytes(12)
    sealed = AESGCM(key).encrypt(nonce, plain, header)
    mask = header_mask(hp_key, sealed[:16])
    hidden = bytes(one ^ other for one, other in zip(packet_number, mask[1:], strict=True))
    return bytes((header[0] ^ mask[0] & 0x0F,)) + header[1:-4] + hidden + sealed


def test_the_keys_are_those_of_the_rfc() -> None:
    assert [each.hex() for each in keys(CONNECTION)] == [
        "1f369613dd76d5467730efcbe3b1a22d",
        "fa044b2f42a3fd3b46fb255c",
        "9f50449e04a0e810283a1e9933adedd2",
    ]


def test_the_header_is_masked_as_in_the_rfc() -> None:
    mask = header_mask(keys(CONNECTION)[2], bytes.fromhex("d1b1c98dd7689fb8ec11d242b123dc9b"))
    assert mask.hex() == "437b9aec36"


def test_the_name_is_read_whatever_way_the_frames_come() -> None:
    assert initial_name(initial(NAME)) == NAME
    assert initial_name(initial(NAME, pieces=3, token=b"token")) == NAME


def test_what_is_no_initial_has_no_name() -> None:
    packet = initial(NAME)
    assert initial_name(packet[:-1] + b"\0") is None
    assert initial_name(b"\x40" + packet[1:]) is None
    assert initial_name(packet[:5]) is None
    assert initial_name(b"\xc3\0\0\0\2" + packet[5:]) is None
    assert {initial_name(packet[:length]) for length in range(len(packet))} == {None}


def test_flows_that_name_the_service_die_whole_and_others_pass() -> None:
    drop = made("quic.drop", names=("telegram.example",))
    later = udp_up(b"\x40" + bytes(40), 443)
    assert passes(drop, later)
    assert not passes(drop, udp_up(initial(NAME), 443))
    assert not passes(drop, later)
    assert not passes(drop, udp_down(b"\x40" + bytes(40), 443), up=False)
    assert passes(drop, udp_up(initial("www.viber.example"), 443, near_port=50000))


def test_without_names_every_long_header_dies() -> None:
    drop = made("quic.drop", names=None)
    assert not passes(drop, udp_up(initial("www.viber.example"), 443))
    assert not passes(drop, udp_down(b"\xe3\0\0\0\1" + bytes(100), 443), up=False)
    assert passes(drop, udp_up(b"\x40" + bytes(40), 443))
    assert passes(drop, tcp_up(initial(NAME)))
    assert passes(made("quic.drop", names=None, ports=(443,)), udp_up(initial(NAME), 8443))
