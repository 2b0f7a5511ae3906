"""Exceptions to the field's failure strings (OONI df-007), through one ordered table; and the user's own errors.

A failure string says what the stack saw; the operation beside it says where. Neither says what it means.
"""

from __future__ import annotations

import errno
import traceback

from probe.model import Observation, Resolution, Step, Transport

REFUSED = "connection_refused"
RESET = "connection_reset"
TIMEOUT = "generic_timeout_error"
EOF = "eof_error"
HOST_UNREACHABLE = "host_unreachable"
NETWORK_UNREACHABLE = "network_unreachable"
PROHIBITED = "administratively_prohibited"  # not OONI's
PERMISSION_DENIED = "permission_denied"
INTERRUPTED = "interrupted"
UNKNOWN_FAILURE = "unknown_failure"  # a fault of ours, with the class of its exception
ADDRESS_NOT_AVAILABLE = "address_not_available"
FAMILY_NOT_SUPPORTED = "address_family_not_supported"
NETWORK_DOWN = "network_down"
NXDOMAIN = "dns_nxdomain_error"
SERVFAIL = "dns_servfail_error"
DNS_REFUSED = "dns_refused_error"
DNS_MISBEHAVING = "dns_server_misbehaving"
NO_ANSWER = "dns_no_answer"
TLS_FAILED = "ssl_failed_handshake"
TLS_HOSTNAME = "ssl_invalid_hostname"
TLS_AUTHORITY = "ssl_unknown_authority"
TLS_CERTIFICATE = "ssl_invalid_certificate"
UNEXPECTED_REPLY = "unexpected_reply"  # not OONI's: bytes came that are not the service's answer
HTTP_FAILED = "http_request_failed"  # a stream that was reset, a response that makes no sense
UNEXPECTED_STATUS = "http_unexpected_status_code"

CERTIFICATE_FAILURES = frozenset({TLS_HOSTNAME, TLS_AUTHORITY, TLS_CERTIFICATE})
ANOTHERS_CERTIFICATE = frozenset({TLS_HOSTNAME, TLS_AUTHORITY})
BROKEN_OFF = frozenset({RESET, EOF, "connection_aborted"})  # by RST or FIN, whoever sent it
ANSWERED = CERTIFICATE_FAILURES | {None, UNEXPECTED_STATUS, UNEXPECTED_REPLY}  # somebody did, rightly or not

OWN = frozenset(
    {INTERRUPTED, ADDRESS_NOT_AVAILABLE, FAMILY_NOT_SUPPORTED, NETWORK_DOWN}
)  # this device's, nobody else's
UNANSWERED = frozenset({TIMEOUT, HOST_UNREACHABLE, NETWORK_UNREACHABLE, PROHIBITED})
REFUSED_BY_SOMEBODY = frozenset({Step.TCP, Step.DNS})  # a refusal there is an answer: a reset, or a server's


class UserError(Exception):
    """Something the user can mend. The message is a sentence that says what to do; the program exits with 2."""


class Failed(Exception):
    """A step failed in a way that its code recognised; `failure` is the df-007 string."""

    def __init__(self, failure: str) -> None:
        super().__init__(failure)
        self.failure = failure


ERRNOS = {
    errno.ECONNREFUSED: REFUSED,
    errno.ECONNRESET: RESET,
    errno.EPIPE: RESET,
    errno.ECONNABORTED: "connection_aborted",
    errno.EHOSTUNREACH: HOST_UNREACHABLE,
    errno.EHOSTDOWN: HOST_UNREACHABLE,
    errno.ENETUNREACH: NETWORK_UNREACHABLE,
    errno.ENETDOWN: NETWORK_DOWN,
    errno.ENETRESET: "network_reset",
    errno.ETIMEDOUT: TIMEOUT,
    errno.EADDRNOTAVAIL: ADDRESS_NOT_AVAILABLE,
    errno.EAFNOSUPPORT: FAMILY_NOT_SUPPORTED,
    errno.EACCES: PROHIBITED,  # over IPv6 an ICMP error (type 1, codes 1, 5 and 6); a local firewall says EPERM
    errno.EPERM: PERMISSION_DENIED,
    errno.EMSGSIZE: "message_size",
}


def classify(error: BaseException) -> str:
    """The failure string of an exception; an unknown one gives its class only, for texts carry addresses."""
    if isinstance(error, Failed):
        return error.failure
    if isinstance(error, TimeoutError):
        return TIMEOUT
    if isinstance(error, EOFError):
        return EOF
    if isinstance(error, OSError) and error.errno in ERRNOS:
        return ERRNOS[error.errno]
    return f"{UNKNOWN_FAILURE}: {type(error).__name__}"


def is_fault(error: BaseException) -> bool:
    """Ours: a mistake of the program, or a device that has no more sockets, ports or memory to give.

    What the table knows comes from the network, but for what of it is said of this device's own addresses.
    """
    if isinstance(error, Failed | TimeoutError | EOFError):
        return False
    if isinstance(error, OSError):
        return error.errno not in ERRNOS or error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
    return True


def is_own(failure: str | None) -> bool:
    """A failure that says nothing of anybody else: we were interrupted, or at fault ourselves."""
    return failure is not None and (failure in OWN or failure.startswith(UNKNOWN_FAILURE))


def fault_text(error: BaseException) -> str:
    """A fault for the log: its class and where, without its words, which may carry addresses."""
    return "".join([*traceback.format_tb(error.__traceback__), type(error).__name__])


def is_unanswered(observation: Observation) -> bool:
    """Nothing came, or somebody on the way said that nothing can.

    A refusal over UDP is an ICMP error and counts too; a TCP connection that is refused was answered.
    """
    if observation.failure == REFUSED:
        return observation.step not in REFUSED_BY_SOMEBODY
    return observation.failure in UNANSWERED


def unmatched(observation: Observation) -> int:
    """How many datagrams came from there that answered nothing we asked: a timeout beside them is not plain silence."""
    seen = observation
    return sum(each.unmatched for each in (seen.dns, seen.stun, seen.sip, seen.hello, seen.quic, seen.dtls) if each)


def is_transient(observation: Observation) -> bool:
    """A failure that may pass by itself counts only when it repeats.

    A packet is lost, a line resynchronises, a server that is too busy, or restarts, refuses whoever comes.
    """
    return is_unanswered(observation) or observation.failure in BROKEN_OFF | {REFUSED}


def is_in_clear(resolution: Resolution) -> bool:
    """The question was asked as apps ask. The silence of a resolver that is asked in TLS is no app's."""
    facts = resolution.observation.dns
    return facts is None or facts.transport not in (Transport.TLS, Transport.HTTPS)
