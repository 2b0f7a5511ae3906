"""OONI's data formats as far as an export uses them: names of fields, from ooni/spec (df-000 to df-008)."""

from __future__ import annotations

ENVELOPE = {  # df-000: name → type
    "annotations": dict,
    "data_format_version": str,
    "extensions": dict,
    "input": str,
    "measurement_start_time": str,
    "test_start_time": str,
    "test_runtime": float,
    "probe_asn": str,
    "probe_cc": str,
    "probe_ip": str,
    "probe_network_name": str,
    "resolver_asn": str,
    "resolver_ip": str,
    "resolver_network_name": str,
    "report_id": str,
    "software_name": str,
    "software_version": str,
    "test_name": str,
    "test_version": str,
    "test_keys": dict,
    "measurement_uid": str,
}
COMMON = {"failure", "t0", "t", "tags", "transaction_id"}
BLOCKS = {
    "queries": COMMON
    | {"engine", "hostname", "query_type", "resolver_address", "answers", "getaddrinfo_error", "rcode"}
    | {"raw_response", "resolver_hostname", "resolver_port"},
    "tcp_connect": (COMMON - {"failure"}) | {"ip", "port", "status"},
    "tls_handshakes": COMMON
    | {"network", "address", "server_name", "outer_server_name", "echconfig", "tls_version", "cipher_suite"}
    | {"negotiated_protocol", "no_tls_verify", "peer_certificates", "so_error"},
    "network_events": COMMON | {"operation", "address", "proto", "num_bytes"},
}
ANSWER = {"answer_type", "ipv4", "ipv6", "hostname", "asn", "as_org_name", "ttl"}
STATUS = {"blocked", "failure", "success"}
OPERATIONS = {"connect", "read", "read_from", "write", "write_to", "tls_handshake_start", "tls_handshake_done"}
FAILURES = """
android_dns_cache_no_data connection_aborted connection_already_closed connection_refused connection_reset
dns_bogon_error dns_no_answer dns_non_recoverable_failure dns_nxdomain_error dns_reply_with_wrong_query_id
dns_refused_error dns_server_misbehaving dns_servfail_error dns_temporary_failure eof_error
http_invalid_redirect_location_host http_request_failed host_unreachable generic_timeout_error
http_unexpected_redirect_url http_unexpected_status_code interrupted json_parse_error network_down network_reset
network_unreachable quic_incompatible_version ssl_failed_handshake ssl_invalid_hostname ssl_unknown_authority
ssl_invalid_certificate
""".split()  # noqa: SIM905 - df-007, beside null and `unknown_failure …`
