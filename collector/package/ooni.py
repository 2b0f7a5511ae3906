"""A measurement in OONI's format: df-000 around df-002 (DNS), df-005 (TCP), df-006 (TLS) and df-008 (network events).

What OONI has no format for (UDP, STUN, TURN, HTTP as it is kept here, media) stands under keys that begin with `x_`,
which its consumers ignore. Our words stay ours: the verdict is beside the observations, in `x_verdict`.

Nothing is made up to fill a field: OONI's events are single reads and writes, and a step keeps sums, so a step becomes
the one event that it ended with. Certificates are kept as hashes, so `peer_certificates` is empty.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime

import dns.rcode
import msgspec
from msgspec import Struct

from collector.facts.pseudonyms import Pseudonyms
from collector.log import Record
from collector.warehouse.tables import VerdictRow
from probe.model import (
    Access,
    Attempt,
    DnsFacts,
    Endpoint,
    Json,
    Network,
    Observation,
    Operation,
    Step,
    Target,
    Transport,
)

FORMAT_VERSION = "0.2.0"
TEST_NAME, TEST_VERSION = "ringback", "0.1.0"
EXTENSIONS = {"dnst": 0, "netevents": 0, "tcpconnect": 0, "tlshandshake": 0, "x_ringback": 0}
NO_ADDRESS = "127.0.0.1"  # what OONI writes for the volunteer's own
MOBILE = (Access.G2, Access.G3, Access.G4, Access.G5)
FAILURES = frozenset(  # df-007
    [
        *("android_dns_cache_no_data", "connection_aborted", "connection_already_closed", "connection_refused"),
        *("connection_reset", "dns_bogon_error", "dns_no_answer", "dns_non_recoverable_failure", "dns_nxdomain_error"),
        *("dns_reply_with_wrong_query_id", "dns_refused_error", "dns_server_misbehaving", "dns_servfail_error"),
        *("dns_temporary_failure", "eof_error", "http_invalid_redirect_location_host", "http_request_failed"),
        *("host_unreachable", "generic_timeout_error", "http_unexpected_redirect_url", "http_unexpected_status_code"),
        *("interrupted", "json_parse_error", "network_down", "network_reset", "network_unreachable"),
        *("quic_incompatible_version", "ssl_failed_handshake", "ssl_invalid_hostname", "ssl_unknown_authority"),
        "ssl_invalid_certificate",
    ]
)
UNKNOWN_FAILURE = "unknown_failure: "
EVENTS = {Operation.CONNECT: "connect", Operation.WRITE: "write", Operation.READ: "read"}
ENGINES = {Transport.TCP: "tcp", Transport.TLS: "dot", Transport.HTTPS: "doh"}
OVER_UDP = {"write": "write_to", "read": "read_from"}
VERDICT_FIELDS = ("state", "mechanism", "depth", "grade", "step", "rule", "rules_version", "reason")
LINK_FIELDS = ("up", "void", "neutrals", "resolvers", "declared", "detected", "behind")

Keys = dict[str, list[Json]]


class _Seen(Struct, frozen=True, kw_only=True):
    """One observation in its place: `attempt` None for a name's resolution, `transaction` counts from 1."""

    observation: Observation
    host: str
    transaction: int
    attempt: Attempt | None = None
    server_name: str = ""

    @property
    def address(self) -> str:
        attempt = self.attempt
        if attempt is None or attempt.address is None:
            return ""
        return f"[{attempt.address}]:{attempt.port}" if ":" in attempt.address else f"{attempt.address}:{attempt.port}"

    @property
    def over_udp(self) -> bool:
        return self.attempt is not None and self.attempt.transport is Transport.UDP


def measurement(record: Record, verdict: VerdictRow, target: Target | None, pseudonyms: Pseudonyms) -> dict[str, Json]:
    """One measurement as OONI's consumers read it. `target` as in the file that was measured; None: not known."""
    network, seen = record.network, record.measurement
    line = pseudonyms.line(record.key, network.country, network.asn, verdict.access)
    moment = datetime.fromtimestamp(record.started_ms // 1000, UTC)
    start, name = f"{moment:%Y-%m-%d %H:%M:%S}", f"{moment:%Y%m%d%H%M%S}"
    return {
        "annotations": _annotations(verdict),
        "data_format_version": FORMAT_VERSION,
        "extensions": EXTENSIONS,
        "input": seen.target,
        "measurement_start_time": start,
        "test_start_time": start,
        "test_runtime": max((_end(each) for each in _observations(record, target)), default=0.0),
        "probe_asn": f"AS{network.asn}",
        "probe_cc": network.country,
        "probe_ip": NO_ADDRESS,
        "probe_network_name": network.operator,
        **_resolver(record),
        "report_id": f"{moment:%Y%m%dT%H%M%SZ}_{TEST_NAME}_{network.country}_{network.asn}_n1_{line}",
        "measurement_uid": f"{name}_{network.country}_{TEST_NAME}_{seen.uid[:16]}",
        "software_name": record.software.partition(" ")[0],
        "software_version": record.software.partition(" ")[2],
        "test_name": TEST_NAME,
        "test_version": TEST_VERSION,
        "test_keys": _test_keys(record, verdict, target, line),
    }


def _annotations(verdict: VerdictRow) -> dict[str, str]:
    """The annotations: text to text, as OONI's are."""
    kind = "mobile" if verdict.access in MOBILE else "wifi" if verdict.access == Access.WIFI else "wired_or_unknown"
    marks = {"simulated": "true"} if verdict.simulated else {}
    return {"network_type": kind, "access": verdict.access, **marks}


def _resolver(record: Record) -> dict[str, Json]:
    """The network of the link's resolver, where it is the operator's or another public one."""
    facts = (each.observation.dns for each in record.measurement.resolutions)
    prefixes = [each.resolver_prefix for each in facts if each is not None and each.resolver_prefix]
    network = record.resolver_networks.get(prefixes[0], Network()) if prefixes else Network()
    return {"resolver_asn": f"AS{network.asn}", "resolver_ip": "", "resolver_network_name": network.operator}


def _test_keys(record: Record, verdict: VerdictRow, target: Target | None, line: str) -> dict[str, Json]:
    keys: Keys = {"queries": [], "tcp_connect": [], "tls_handshakes": [], "network_events": []}
    for seen in _observations(record, target):
        BLOCKS.get(seen.observation.step, _other)(seen, keys)
        keys["network_events"].extend(_event(seen))
    link = msgspec.to_builtins(record.measurement.link)
    return {
        **keys,
        "x_attempts": [_attempt(number, each) for number, each in _numbered_attempts(record)],
        "x_verdict": {name: getattr(verdict, name) for name in VERDICT_FIELDS},
        "x_link": {name: link[name] for name in LINK_FIELDS if name in link},
        "x_line": line,
        "x_uid": record.measurement.uid,
        "x_cycle": record.measurement.cycle,
        "x_round": record.measurement.round,
        "x_not_attempted": record.measurement.not_attempted,
        "x_is_control": verdict.is_control,
        "x_simulated": verdict.simulated,
        "x_targets_sha256": record.targets,
    }


# --- What was seen, in order ----------------------------------------------------------------------------------


def _observations(record: Record, target: Target | None) -> Iterator[_Seen]:
    for number, resolution in enumerate(record.measurement.resolutions, start=1):
        yield _Seen(observation=resolution.observation, host=resolution.host, transaction=number)
    for number, attempt in _numbered_attempts(record):
        name = _server_name(attempt, target)
        for observation in attempt.observations:
            yield _Seen(
                observation=observation, host=attempt.host, transaction=number, attempt=attempt, server_name=name
            )


def _numbered_attempts(record: Record) -> Iterator[tuple[int, Attempt]]:
    return enumerate(record.measurement.attempts, start=len(record.measurement.resolutions) + 1)


def _server_name(attempt: Attempt, target: Target | None) -> str:
    """The name that was sent as SNI; an address never is."""
    endpoint = next((each for each in target.endpoints if _is_of(attempt, each)), None) if target else None
    name = (endpoint.server_name if endpoint else None) or attempt.host
    return "" if _is_address(name) else name


def _is_of(attempt: Attempt, endpoint: Endpoint) -> bool:
    return (attempt.host, attempt.port, attempt.handshake) == (endpoint.host, endpoint.port, endpoint.handshake)


def _attempt(number: int, attempt: Attempt) -> dict[str, Json]:
    fields = msgspec.to_builtins(attempt)
    fields.pop("observations", None)
    return {**fields, "transaction_id": number}


# --- Blocks ---------------------------------------------------------------------------------------------------


def _query(seen: _Seen, keys: Keys) -> None:
    """df-002. The resolver's own address is not kept; what kind it is, `x_resolver` says."""
    facts = seen.observation.dns or DnsFacts(resolver="unknown")
    keys["queries"].append(
        {
            "engine": ENGINES.get(facts.transport, "udp"),
            "hostname": seen.host,
            "query_type": facts.qtype,
            "resolver_address": "",
            "resolver_hostname": None,
            "resolver_port": None,
            "answers": [_answer(answer, facts.ttl) for answer in facts.answers if _is_address(answer)],
            "rcode": _rcode(facts.rcode),
            "raw_response": None,
            "x_resolver": facts.resolver,
            "x_answered_own_address": "self" in facts.answers,
            "x_late": list(facts.late),
            "x_sends": facts.sends,
            "x_unmatched": facts.unmatched,
            **_common(seen),
        }
    )


def _answer(address: str, ttl: int | None) -> dict[str, Json]:
    is_v6 = ":" in address
    return {"answer_type": "AAAA" if is_v6 else "A", "ipv6" if is_v6 else "ipv4": address, "ttl": ttl}


def _rcode(word: str | None) -> int | None:
    try:
        return None if word is None else int(dns.rcode.from_text(word))
    except (dns.rcode.UnknownRcode, ValueError):  # a number that is more than any
        return None


def _connect(seen: _Seen, keys: Keys) -> None:
    """A TCP connection, as df-005."""
    common = _common(seen)
    failure = common.pop("failure")
    keys["tcp_connect"].append(
        {
            "ip": seen.attempt.address if seen.attempt else "",
            "port": seen.attempt.port if seen.attempt else 0,
            "status": {"failure": failure, "success": failure is None},
            **common,
        }
    )


def _tls(seen: _Seen, keys: Keys) -> None:
    """A TLS handshake, as df-006; QUIC too, whose network is udp."""
    tls = seen.observation.tls
    keys["tls_handshakes"].append(
        {
            "network": "udp" if seen.over_udp else "tcp",
            "address": seen.address,
            "server_name": seen.server_name,
            "outer_server_name": "",
            "echconfig": "",
            "tls_version": (tls and tls.version) or "",
            "cipher_suite": (tls and tls.cipher) or "",
            "negotiated_protocol": (tls and tls.alpn) or "",
            "no_tls_verify": False,
            "peer_certificates": [],
            "so_error": None,
            "x_facts": msgspec.to_builtins(tls),
            **_common(seen),
        }
    )


def _other(seen: _Seen, keys: Keys) -> None:
    """A step that OONI has no format for: `x_` and its name, with all that is kept of it."""
    observed = msgspec.to_builtins(seen.observation)
    known = ("step", "failure", "started_us", "took_us")
    block = {"address": seen.address, "hostname": seen.host, **_common(seen)}
    block.update({name: value for name, value in observed.items() if name not in known})
    keys.setdefault(f"x_{seen.observation.step}", []).append(block)


BLOCKS: Mapping[Step, Callable[[_Seen, Keys], None]] = {
    Step.DNS: _query,
    Step.TCP: _connect,
    Step.TLS: _tls,
    Step.QUIC: _tls,
}


def _event(seen: _Seen) -> Iterator[dict[str, Json]]:
    """A network event, as df-008: what the step ended with. A name's resolution stands in `queries` only."""
    observation = seen.observation
    if seen.attempt is None:
        return
    operation = _operation(seen)
    yield {
        "operation": operation,
        "address": seen.address,
        "proto": "udp" if seen.over_udp else "tcp",
        "num_bytes": observation.bytes_received if operation in ("read", "read_from") else None,
        **_common(seen),
    }


def _operation(seen: _Seen) -> str:
    observation = seen.observation
    if observation.step is Step.TCP:
        return "connect"
    if observation.step is Step.TLS and (observation.failure is None or observation.operation is Operation.VERIFY):
        return "tls_handshake_done"
    word = EVENTS.get(observation.operation or Operation.READ, "read")
    return OVER_UDP.get(word, word) if seen.over_udp else word


def _common(seen: _Seen) -> dict[str, Json]:
    observation = seen.observation
    return {
        "failure": failure(observation.failure),
        "t0": observation.started_us / 1e6,
        "t": _end(seen),
        "tags": [],
        "transaction_id": seen.transaction,
    }


def failure(word: str | None) -> str | None:
    """A df-007 string; a word that OONI has not is an unknown failure of its."""
    if word is None or word in FAILURES or word.startswith(UNKNOWN_FAILURE):
        return word
    return f"{UNKNOWN_FAILURE}{word}"


def _end(seen: _Seen) -> float:
    """The end of a step, in seconds since the measurement's start."""
    return (seen.observation.started_us + seen.observation.took_us) / 1e6


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
