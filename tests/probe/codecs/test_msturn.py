"""MS-TURN messages: genuine captures, Wireshark's reading of ours, another hand's server, and junk."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.codecs import msturn, stun
from probe.codecs.msturn import Attribute, Message
from probe.codecs.stun import Address, ErrorCode
from tests.probe.codecs.test_stun import vector
from tests.servers import msturn as server
from tests.servers import tshark

TID = bytes(range(12))
REQUEST = msturn.allocate_request(TID)
MAPPED = Address("198.18.77.66", 50123)
TOLD = ("-o", "stun.stunversion:MS-TURN")


def refusal() -> bytes:
    """The genuine one, in the place of its last attribute, which was the capturer's address, one of nobody's."""
    cut = vector("teams-allocate-401-cut", "msturn")
    mapped = msturn.attribute("XOR-MAPPED-ADDRESS", MAPPED, cut[4:20])
    return cut + struct.pack("!HH", mapped.type, len(mapped.value)) + mapped.value


def test_the_genuine_refusal() -> None:
    data = refusal()
    parsed = msturn.parse(data)
    assert len(data) == 187
    assert msturn.pack(parsed) == data
    assert (parsed.message_type, parsed.is_of_dialect) == (0x0113, True)
    assert parsed.value("ERROR-CODE") == ErrorCode(401, "The request did not contain a Message-Integrity attribute")
    assert (parsed.error_code, parsed.realm) == (401, '"rtcmedia"')
    assert parsed.value("NONCE") == bytes.fromhex("024ecbf8827a60d65306debfa77d87d14402dd5d")
    assert parsed.value("MS-VERSION") == 6
    assert parsed.value("ALTERNATE-SERVER") == ("52.114.250.141", 3478)
    assert parsed.value("MAPPED-ADDRESS") == ("52.114.250.141", 3480)  # the relay's own, not ours
    assert parsed.mapped_address == MAPPED
    assert msturn.answer_to(vector("teams-allocate-request", "msturn"), data) == parsed


def test_we_ask_as_teams_does() -> None:
    genuine = vector("teams-allocate-request", "msturn")
    assert msturn.allocate_request(genuine[8:20]) == genuine
    assert msturn.pack(msturn.parse(genuine)) == genuine
    assert msturn.parse(genuine).is_of_dialect
    assert len(REQUEST) == 68


@pytest.mark.needs("tshark")
def test_wireshark_reads_the_same(tmp_path: Path) -> None:
    names = ["stun.type", "stun.att.ms.version", "stun.att.realm", "stun.att.error.class", "stun.att.error"]
    (reply,) = server.answer(REQUEST, MAPPED)
    for data in (refusal(), reply):
        read = tshark.fields(tmp_path, data, 3478, names, *TOLD)
        assert read == ["0x0113", "6", '"rtcmedia"', "4", "1"]
    asked = tshark.fields(
        tmp_path, REQUEST, 3478, ["stun.type", "stun.att.unknown8006", "stun.att.ms.service_quality"], *TOLD
    )
    assert asked == ["0x0003", "00000001", "2"]


def test_our_own_relay_answers_like_the_genuine_one() -> None:
    (reply,) = server.answer(REQUEST, MAPPED)
    ours, genuine = msturn.parse(reply), msturn.parse(refusal())
    assert [each.type for each in ours.attributes] == [each.type for each in genuine.attributes]
    assert len(reply) == 187
    assert (ours.error_code, ours.realm, ours.mapped_address) == (401, '"rtcmedia"', MAPPED)
    assert ours.is_of_dialect
    (reply6,) = server.answer(REQUEST, ("2001:db8::7", 50123))
    assert msturn.parse(reply6).mapped_address == ("2001:db8::7", 50123)


@pytest.mark.parametrize(
    "data", [b"", b"\x00\x03", stun.allocate_request(TID), stun.binding_request(TID), b"\xff" * 80]
)
def test_our_own_relay_answers_nothing_else(data: bytes) -> None:
    assert server.answer(data, MAPPED) == ()


def test_only_an_answer_to_our_transaction_answers() -> None:
    other = msturn.allocate_request(bytes(12))
    (reply,) = server.answer(REQUEST, MAPPED)
    assert msturn.answer_to(REQUEST, reply) == msturn.answer_to(REQUEST, reply + b"\0\0") == msturn.parse(reply)
    assert msturn.answer_to(other, reply) is None
    assert msturn.answer_to(REQUEST, REQUEST) is None  # reflected
    assert msturn.answer_to(REQUEST, b"") is None
    assert msturn.answer_to(REQUEST, b"\x01\x03\x00\x00" + REQUEST[4:20])  # a success, though it has nothing


def test_a_reply_to_our_transaction_that_cannot_be_read_is_told_from_none() -> None:
    (reply,) = server.answer(REQUEST, MAPPED)
    for broken in (reply[:-1], reply[:20], b"\x01\x11" + reply[2:]):
        with pytest.raises(ValueError, match=r"MS-TURN|Allocate"):
            msturn.answer_to(REQUEST, broken)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "at least 20 bytes"),
        (b"\x80" + REQUEST[1:], "begins with two zero bits"),
        (REQUEST[:-1], "promises 48 bytes, 47 follow"),
        (b"\x01\x13\x00\x02" + bytes(18), "ends inside the header of an attribute"),
        (b"\x01\x13\x00\x04" + bytes(16) + b"\x00\x09\x00\x01", "0x0009 runs past the end"),
    ],
)
def test_framing_that_does_not_add_up_is_refused(data: bytes, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        msturn.parse(data)


def test_values_that_make_no_sense_are_absent() -> None:
    shaped = [(0x0009, b""), (0x8020, b"\x00\x01"), (0x0001, b"\x00\x03" + bytes(6)), (0x8008, b"\x00")]
    message = Message(0x0113, bytes(16), tuple(Attribute(*each) for each in shaped))
    assert (message.error_code, message.mapped_address, message.realm) == (None, None, None)
    assert message.value("MAPPED-ADDRESS") is None
    assert not message.is_of_dialect
    success = Message(0x0103, bytes(16), (msturn.attribute("ERROR-CODE", ErrorCode(401, "")),))
    assert success.error_code is None


def read_everything(data: bytes) -> None:
    """What a handshake does with a datagram: only ValueError may come of it, and only of parse."""
    try:
        msturn.answer_to(REQUEST, data)
        parsed = msturn.parse(data)
    except ValueError:
        return
    assert msturn.pack(parsed) == data
    for name in msturn.TYPES:
        parsed.value(name)
    _ = (parsed.error_code, parsed.realm, parsed.mapped_address, parsed.is_of_dialect)


@given(st.binary(max_size=80))
def test_junk(data: bytes) -> None:
    read_everything(data)


@given(st.sampled_from(sorted(msturn.UNPACKS)), st.binary(max_size=40), st.binary(max_size=40))
def test_junk_behind_a_good_header(number: int, value: bytes, rest: bytes) -> None:
    body = struct.pack("!HH", number, len(value)) + value + rest
    read_everything(struct.pack("!HH", 0x0113, len(body)) + REQUEST[4:20] + body)


@given(st.lists(st.tuples(st.integers(0, 186), st.integers(0, 255)), max_size=6))
def test_mutations_of_the_genuine_refusal(changes: list[tuple[int, int]]) -> None:
    data = bytearray(refusal())
    for position, byte in changes:
        data[position] = byte
    read_everything(bytes(data))


VALUES = {
    "ERROR-CODE": st.builds(ErrorCode, st.integers(300, 699), st.text(max_size=20)),
    "REALM": st.text(max_size=20),
    "NONCE": st.binary(max_size=20),
    "LIFETIME": st.integers(0, 2**32 - 1),
    "MAPPED-ADDRESS": st.builds(Address, st.ip_addresses().map(str), st.integers(0, 65535)),
    "XOR-MAPPED-ADDRESS": st.builds(Address, st.ip_addresses().map(str), st.integers(0, 65535)),
}


@given(st.fixed_dictionaries({}, optional=VALUES), st.binary(min_size=16, max_size=16))
def test_what_we_build_we_read(values: dict[str, stun.Value], transaction_id: bytes) -> None:
    built = tuple(msturn.attribute(name, value, transaction_id) for name, value in values.items())
    parsed = msturn.parse(msturn.pack(Message(0x0113, transaction_id, built)))
    assert {name: parsed.value(name) for name in values} == values
