"""Measurements in OONI's format: its fields and no others but x_ ones, its failures, and nobody's identity."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.instance import Parts
from collector.log import Record
from collector.package import ooni
from collector.package.source import Source, measurements
from collector.warehouse.tables import verdict_row
from probe.judge import Evidence, judge
from probe.model import (
    Access,
    Attempt,
    DnsFacts,
    Grade,
    HttpFacts,
    Json,
    Observation,
    Operation,
    Resolution,
    Step,
    StunFacts,
    TlsFacts,
    Transport,
)
from tests.collector.judging.evidence import MAROC, record
from tests.collector.package.holding import wanted
from tests.collector.package.ooni_fields import ANSWER, BLOCKS, ENVELOPE, FAILURES, OPERATIONS, STATUS
from tests.collector.rows import PSEUDONYMS
from tests.probe.builders import endpoint, target

TLS_TARGET = target("whatsapp/web", endpoint("tls", "web.whatsapp.com", 443, server_name="front.example"))


def converted(one: Record, about: Any = TLS_TARGET) -> dict[str, Json]:
    verdict = judge(Evidence(measurement=one.measurement, target=about, network=one.network))
    row = verdict_row(one, verdict, Access.ADSL, targets_known=True, is_control=False, established=True, bucket=None)
    return over_the_wire(ooni.measurement(one, row, about, PSEUDONYMS))


def over_the_wire(value: Json) -> Any:
    return msgspec.json.decode(msgspec.json.encode(value))


def seen(step: Step, failure: str | None = None, **facts: Any) -> Observation:
    return Observation(step=step, started_us=1_000, took_us=250_000, failure=failure, **facts)


def attempt(*observations: Observation, transport: Transport = Transport.TCP, handshake: str = "tls") -> Attempt:
    return Attempt(
        host="web.whatsapp.com",
        port=443,
        transport=transport,
        handshake=handshake,
        address="203.0.113.7",
        grade=None if observations[-1].failure else Grade.BOUND,
        observations=observations,
    )


def made(*attempts: Attempt, resolutions: tuple[Resolution, ...] = (), **changes: Any) -> Record:
    one = record(uid="a" * 32, cycle="b" * 32, key="c" * 64, target="whatsapp/web", **changes)
    measurement = msgspec.structs.replace(one.measurement, attempts=attempts, resolutions=resolutions)
    return msgspec.structs.replace(one, measurement=measurement)


def resolution(**facts: Any) -> Resolution:
    dns = DnsFacts(resolver="isp", resolver_prefix="212.217.0.0/24", **facts)
    return Resolution(host="web.whatsapp.com", observation=seen(Step.DNS, dns=dns))


@pytest.mark.parametrize(
    ("transport", "engine"),
    [(Transport.UDP, "udp"), (Transport.TCP, "tcp"), (Transport.TLS, "dot"), (Transport.HTTPS, "doh")],
)
def test_how_a_resolver_was_asked_has_oonis_word(transport: Transport, engine: str) -> None:
    asked = resolution(transport=transport, answers=("203.0.113.7",))
    (query,) = converted(made(resolutions=(asked,)))["test_keys"]["queries"]
    assert query["engine"] == engine


def check(one: dict[str, Json]) -> None:
    """Its envelope, blocks, answers, operations and failures are OONI's."""
    assert set(one) == set(ENVELOPE)
    assert [name for name, kind in ENVELOPE.items() if not isinstance(one[name], kind)] == []
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", one["measurement_start_time"])
    assert re.fullmatch(r"AS\d+", one["probe_asn"])
    assert re.fullmatch("[A-Z]{2}", one["probe_cc"])
    assert one["probe_ip"] == "127.0.0.1"
    assert len(one["test_name"]) <= 30
    assert all(isinstance(value, str) for value in one["annotations"].values())
    keys = one["test_keys"]
    assert {name for name in keys if not name.startswith("x_")} == set(BLOCKS)
    for block, fields in BLOCKS.items():
        for entry in keys[block]:
            assert {name for name in entry if not name.startswith("x_")} <= fields, block
            assert 0 <= entry["t0"] <= entry["t"] <= one["test_runtime"]
    assert all(set(answer) <= ANSWER for query in keys["queries"] for answer in query["answers"])
    assert all(set(each["status"]) <= STATUS for each in keys["tcp_connect"])
    assert {event["operation"] for event in keys["network_events"]} <= OPERATIONS
    assert all(is_ooni(word) for word in failures(keys))


def failures(value: Json) -> Iterator[str | None]:
    """Of OONI's blocks: our own words stay in x_verdict and x_link."""
    for block in BLOCKS:
        for entry in value[block]:
            yield entry["status"]["failure"] if block == "tcp_connect" else entry["failure"]


def is_ooni(word: str | None) -> bool:
    return word is None or word in FAILURES or word.startswith("unknown_failure")


def test_a_tls_handshake_by_a_name_that_was_resolved() -> None:
    tls = TlsFacts(hello_bytes=517, version="TLSv1.3", cipher="TLS_AES_128_GCM_SHA256", alpn="h2", leaf_sha256="d" * 64)
    answers = {"answers": ("203.0.113.7", "2001:db8::7", "self"), "rcode": "NOERROR", "ttl": 300}
    one = converted(made(attempt(seen(Step.TCP), seen(Step.TLS, tls=tls)), resolutions=(resolution(**answers),)))
    check(one)
    keys = one["test_keys"]
    (query,), (connect,), (handshake,) = keys["queries"], keys["tcp_connect"], keys["tls_handshakes"]
    assert (query["hostname"], query["query_type"], query["rcode"]) == ("web.whatsapp.com", "A", 0)
    assert query["answers"] == [
        {"answer_type": "A", "ipv4": "203.0.113.7", "ttl": 300},
        {"answer_type": "AAAA", "ipv6": "2001:db8::7", "ttl": 300},
    ]
    assert query["x_answered_own_address"] is True
    assert (connect["ip"], connect["port"], connect["status"]) == (
        "203.0.113.7",
        443,
        {"failure": None, "success": True},
    )
    assert handshake["server_name"] == "front.example"
    assert handshake["address"] == "203.0.113.7:443"
    assert (handshake["tls_version"], handshake["negotiated_protocol"]) == ("TLSv1.3", "h2")
    assert handshake["x_facts"]["leaf_sha256"] == "d" * 64
    assert query["transaction_id"] != connect["transaction_id"] == handshake["transaction_id"]
    assert [each["operation"] for each in keys["network_events"]] == ["connect", "tls_handshake_done"]
    assert (one["probe_asn"], one["probe_cc"], one["probe_network_name"]) == ("AS36903", "MA", "Maroc Telecom")
    assert (one["input"], one["test_runtime"]) == ("whatsapp/web", 0.251)


@pytest.mark.parametrize("step", [Step.STUN, Step.TURN])
def test_udp_stands_under_keys_of_ours(step: Step) -> None:
    stun = StunFacts(sends=3, error_code=401, realm="viber.com")
    answer = seen(step, stun=stun, bytes_sent=84, bytes_received=96, packets_sent=3, packets_received=1)
    one = converted(made(attempt(answer, transport=Transport.UDP, handshake=str(step))))
    check(one)
    (exchange,) = one["test_keys"][f"x_{step}"]
    assert exchange["stun"] == {"sends": 3, "error_code": 401, "realm": "viber.com"}
    assert (exchange["bytes_sent"], exchange["packets_received"]) == (84, 1)
    (event,) = one["test_keys"]["network_events"]
    assert (event["operation"], event["proto"], event["num_bytes"]) == ("read_from", "udp", 96)


def test_quic_is_a_tls_handshake_over_udp() -> None:
    one = converted(made(attempt(seen(Step.QUIC), transport=Transport.UDP, handshake="quic")))
    check(one)
    assert one["test_keys"]["tls_handshakes"][0]["network"] == "udp"
    assert one["test_keys"]["tcp_connect"] == []


@pytest.mark.parametrize("step", [each for each in Step if each is not Step.UNKNOWN])
@pytest.mark.parametrize("transport", list(Transport))
@pytest.mark.parametrize("failure", [None, "generic_timeout_error", "unexpected_reply"])
def test_whatever_step_there_is_the_format_holds(step: Step, transport: Transport, failure: str | None) -> None:
    operation = None if failure is None else Operation.READ
    http = HttpFacts(status=200) if step is Step.HTTP else None
    one = converted(made(attempt(seen(step, failure, operation=operation, http=http), transport=transport)))
    check(one)
    assert list(failures(one["test_keys"]))[-1] == ooni.failure(failure)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (None, None),
        ("connection_reset", "connection_reset"),
        ("administratively_prohibited", "unknown_failure: administratively_prohibited"),
        ("unexpected_reply", "unknown_failure: unexpected_reply"),
        ("unknown_failure: OSError", "unknown_failure: OSError"),
    ],
)
def test_failures_are_those_of_df_007(ours: str | None, theirs: str | None) -> None:
    assert ooni.failure(ours) == theirs


def test_the_list_of_failures_is_the_whole_of_df_007() -> None:
    assert set(FAILURES) == ooni.FAILURES
    assert len(FAILURES) == 31  # the 33 rows of the specification, without null and unknown_failure


@given(st.text(max_size=40))
def test_any_failure_becomes_one_of_ooni(word: str) -> None:
    assert is_ooni(ooni.failure(word))


def test_a_resolver_is_named_by_its_network_only() -> None:
    one = msgspec.structs.replace(made(resolutions=(resolution(),)), resolver_networks={"212.217.0.0/24": MAROC})
    found = converted(one)
    assert (found["resolver_asn"], found["resolver_network_name"]) == ("AS36903", "Maroc Telecom")
    assert "212.217" not in str(found)


def test_what_was_not_tried_says_why() -> None:
    one = made(simulated=True)
    found = converted(one)
    check(found)
    assert found["test_runtime"] == 0.0
    assert found["annotations"]["simulated"] == "true"
    assert found["test_keys"]["x_simulated"] is True


def test_a_whole_story_is_in_the_format_and_names_nobody(source: Source, parts: Parts) -> None:
    records = parts.index.arrived(0, 1000).records
    lines = b"".join(measurements(source, wanted())).splitlines()
    assert len(lines) == len(records)
    for line in lines:
        check(msgspec.json.decode(line))
    text = b"\n".join(lines).decode()
    keys = {each.key for each in records}
    prefixes = {each.observation.dns.resolver_prefix for r in records for each in r.measurement.resolutions}  # type: ignore[union-attr]
    assert prefixes
    assert not [secret for secret in keys | prefixes if secret and secret in text]
    assert {each.measurement.uid for each in records} == {
        msgspec.json.decode(line)["test_keys"]["x_uid"] for line in lines
    }


def test_verdicts_stand_beside_what_was_seen(source: Source) -> None:
    found = [msgspec.json.decode(line) for line in b"".join(measurements(source, wanted())).splitlines()]
    states = {
        (one["input"], one["annotations"]["access"], one["measurement_start_time"][:10]): one["test_keys"]["x_verdict"]
        for one in found
        if one["probe_network_name"] == "Maroc Telecom" and one["test_keys"]["x_round"] == 2
    }
    ban = states["viber/call", "4g", "2016-01-15"]
    assert (ban["state"], ban["mechanism"], ban["rule"]) == (
        "likely_blocked",
        "udp.endpoint.drop",
        "udp_endpoint_dropped",
    )
