"""Protocols: the one table of handshakes, a row each. Pure; every other table about handshakes is derived from it.

A row says what a handshake runs over, for which planes it is evidence, what a targets file may tell it, what its
genuine answer proves, which experiment follows its failure, and which neutral traffic its failure is compared with.
The names of the rows are permanent: they stand in targets files and in measurements. `probe.handshakes.HANDSHAKES`
gives each name its coroutine.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from msgspec import Struct

from probe.model import Endpoint, Grade, Plane, Step, Transport

UDP, TCP, TLS, WSS, HTTPS = Transport.UDP, Transport.TCP, Transport.TLS, Transport.WSS, Transport.HTTPS
OVER_TLS = frozenset({TLS, WSS, HTTPS})  # transports that present a certificate and verify it
ANY = (UDP, TCP, TLS)

SIGNALLING, MEDIA, WEB = (Plane.SIGNALLING,), (Plane.MEDIA,), (Plane.WEB,)
OF_TRANSPORT, BOUND, MARKED, CRYPTO = Grade.TRANSPORT, Grade.BOUND, Grade.MARKED, Grade.CRYPTO
PAGE = ("status", "body", "path")
NAME, NAME_AND_CA = ("server_name",), ("server_name", "ca")


class NeutralKind(StrEnum):
    """The kind of neutral traffic that a protocol's failure is compared with."""

    NONE = "none"
    CONNECTION = "connection"  # whatever opens a TCP connection
    SESSION = "session"  # TLS
    PAGE = "page"  # HTTP over the same transport
    QUIC = "quic"
    PAYLOAD = "payload"  # an app's own bytes: over UDP neutral datagrams, else TLS


class Protocol(Struct, frozen=True):
    """One handshake. `extras` hold over any of its transports; over TLS there is always a `server_name` and a `ca`."""

    step: Step  # at which its own words are said, after the steps of its transport
    transports: tuple[Transport, ...]  # the usual one first
    planes: tuple[Plane, ...]  # of which it is evidence; without any it is an experiment, and no targets file names it
    best: Grade  # what the genuine service's answer proves
    expects: tuple[str, ...] = ()  # keys of `expect` in a targets file
    extras: tuple[str, ...] = ()  # further keys of an endpoint
    key_bytes: int = 0  # the length of each of the `keys` that it may expect
    keyed: Grade | None = None  # what the answer proves where the targets file gives the service's keys
    certified: bool = False  # it ends with a verified certificate
    allocates: bool = False  # it asks a relay for an allocation
    facts_only: bool = False  # its answer makes no path complete, and its silence accuses nobody
    follow_up: str | None = None  # the experiment after its failure, at the same address and port
    family: str | None = None  # rows of one family say the same to the same server, in other bytes
    secondary_over: tuple[Transport, ...] = ()  # transports over which it counts only where nothing else does
    neutral_kind: NeutralKind = NeutralKind.PAYLOAD
    sweeps_neutral: bool = False  # neutral endpoints of it are followed along the path


PROTOCOLS: dict[str, Protocol] = {
    "dns": Protocol(
        Step.DNS, (*ANY, HTTPS), SIGNALLING, BOUND, ("name", "path"), neutral_kind=NeutralKind.NONE
    ),
    "tcp": Protocol(
        Step.TCP, (TCP,), SIGNALLING + WEB, OF_TRANSPORT, secondary_over=(TCP,), neutral_kind=NeutralKind.CONNECTION
    ),
    "tls": Protocol(
        Step.TLS, (TCP,), SIGNALLING + WEB, BOUND, ("alpn",), NAME_AND_CA,
        certified=True, neutral_kind=NeutralKind.SESSION, sweeps_neutral=True,
    ),
    "tls-other-name": Protocol(Step.TLS, (TCP, TLS, WSS, HTTPS), (), OF_TRANSPORT, neutral_kind=NeutralKind.SESSION),
    "http": Protocol(
        Step.HTTP, (TCP, TLS), SIGNALLING + WEB, OF_TRANSPORT, PAGE, NAME,
        secondary_over=(TCP,), neutral_kind=NeutralKind.PAGE,
    ),
    "quic": Protocol(
        Step.QUIC, (UDP,), SIGNALLING + WEB, BOUND, PAGE, NAME_AND_CA,
        certified=True, follow_up="quic-other-name", secondary_over=(UDP,), neutral_kind=NeutralKind.QUIC,
    ),
    "quic-other-name": Protocol(Step.QUIC, (UDP,), (), OF_TRANSPORT, neutral_kind=NeutralKind.QUIC),
    "dtls": Protocol(Step.DTLS, (UDP,), SIGNALLING + MEDIA, BOUND, (), NAME_AND_CA, follow_up="dtls-browser"),
    "dtls-browser": Protocol(Step.DTLS, (UDP,), SIGNALLING + MEDIA, BOUND, (), NAME_AND_CA, follow_up="dtls"),
    "dtls-hello": Protocol(Step.DTLS, (UDP,), SIGNALLING + MEDIA, OF_TRANSPORT),
    "stun": Protocol(Step.STUN, ANY, MEDIA, BOUND, secondary_over=(UDP,), sweeps_neutral=True),
    "stun-4571": Protocol(Step.STUN, (TCP, TLS), MEDIA, BOUND),
    "stun-padded": Protocol(Step.STUN, ANY, (), BOUND),
    "stun-padded-4571": Protocol(Step.STUN, (TCP, TLS), (), BOUND),
    "stun-padded-google": Protocol(Step.STUN, (UDP,), (), BOUND),
    "turn": Protocol(Step.TURN, ANY, MEDIA, BOUND, ("realm",), allocates=True, follow_up="stun-padded"),
    "turn-4571": Protocol(
        Step.TURN, (TCP, TLS), MEDIA, BOUND, ("realm",), allocates=True, follow_up="stun-padded-4571"
    ),
    "turn-google": Protocol(
        Step.TURN, (UDP,), MEDIA, BOUND, ("realm",), allocates=True, follow_up="stun-padded-google"
    ),
    "msturn": Protocol(Step.TURN, (UDP,), MEDIA, BOUND, ("realm",), allocates=True),
    "xmpp": Protocol(Step.XMPP, (TCP, TLS), SIGNALLING, BOUND, (), NAME),
    "discord": Protocol(Step.HELLO, (WSS,), SIGNALLING, MARKED, ("path",)),
    "sip": Protocol(Step.SIP, ANY, SIGNALLING, BOUND, (), NAME),
    "sip-register": Protocol(Step.SIP, ANY, SIGNALLING, BOUND, ("realm",), NAME),
    "sip-echo": Protocol(Step.SIP, ANY, SIGNALLING, BOUND, (), NAME, follow_up="sip-twin"),
    "sip-twin": Protocol(Step.HELLO, ANY, (), OF_TRANSPORT),
    "zoom": Protocol(Step.HELLO, (UDP,), MEDIA, MARKED),
    "webex": Protocol(Step.HELLO, (UDP,), MEDIA, OF_TRANSPORT),
    "viber": Protocol(Step.HELLO, (TCP,), SIGNALLING, OF_TRANSPORT),
    "threema": Protocol(Step.HELLO, (TCP,), SIGNALLING, OF_TRANSPORT, ("keys",), key_bytes=32, keyed=CRYPTO),
    "reflector": Protocol(Step.HELLO, (UDP,), MEDIA, BOUND, facts_only=True),
    "noise": Protocol(
        Step.NOISE, (TCP, WSS), SIGNALLING + WEB, BOUND, ("keys", "path"), key_bytes=32, keyed=CRYPTO, family="noise"
    ),
    "noise-routed": Protocol(
        Step.NOISE, (TCP,), SIGNALLING, BOUND, ("keys",), key_bytes=32, keyed=CRYPTO, family="noise"
    ),
    "mtproto-abridged": Protocol(
        Step.MTPROTO, (TCP,), SIGNALLING, BOUND, ("keys",), key_bytes=8, keyed=MARKED, family="mtproto"
    ),
    "mtproto-intermediate": Protocol(
        Step.MTPROTO, (TCP,), SIGNALLING, BOUND, ("keys",), key_bytes=8, keyed=MARKED, family="mtproto"
    ),
    "mtproto-obfuscated": Protocol(
        Step.MTPROTO, (TCP,), SIGNALLING, BOUND, ("keys",), key_bytes=8, keyed=MARKED, family="mtproto"
    ),
}  # fmt: skip


def _names(holds: Callable[[Protocol], bool]) -> frozenset[str]:
    return frozenset(name for name, row in PROTOCOLS.items() if holds(row))


NAMEABLE = {name: row for name, row in PROTOCOLS.items() if row.planes}  # what a targets file may name
CERTIFIED = _names(lambda row: row.certified)
ALLOCATING = _names(lambda row: row.allocates)
FACTS_ONLY = _names(lambda row: row.facts_only)
FOLLOW_UPS = {name: row.follow_up for name, row in PROTOCOLS.items() if row.follow_up}
# Bindings of an Allocate's size, which follow the failure of one.
PADDED_BINDINGS = frozenset(row.follow_up for row in PROTOCOLS.values() if row.allocates and row.follow_up)
OTHER_NAME = "tls-other-name"  # the experiment after whatever begins with TLS over TCP and failed in it
ALPN = {
    "http": "http/1.1",
    "xmpp": "xmpp-client",
}  # what a handshake's ClientHello asks for, if it is no targets file's
ALPN_OVER_WSS = "http/1.1"
SWEPT_NEUTRALS = _names(lambda row: row.sweeps_neutral)


def alpn_of(endpoint: Endpoint) -> str | None:
    """The application protocol that the endpoint's ClientHello asks for, where it begins with TLS over TCP."""
    if endpoint.transport is WSS:
        return ALPN_OVER_WSS
    return endpoint.expect.alpn or (ALPN.get(endpoint.handshake) if endpoint.transport is TLS else None)


def are_dialects(one: str, other: str) -> bool:
    """Two handshakes ask the same of the same server in other bytes: if one passes and one dies, bytes were read."""
    family = _family(one)
    return one != other and family is not None and family == _family(other)


def is_secondary(handshake: str, transport: Transport) -> bool:
    """The handshake proves less than others, or is only come to through them: it counts where nothing else does.

    People come to QUIC through TLS over TCP, which tells of it; plain HTTP and a bare connection prove less. So does
    a Binding over UDP, beside a relay: it opens no call. So a name that is dropped in TLS while QUIC passes is dropped:
    whoever was never there before begins with TLS, apps without a browser's HTTPS records always, and never learn that
    QUIC would have passed. That it did stays in the verdict's paths.
    """
    row = PROTOCOLS.get(handshake)
    if row is None or not row.secondary_over:
        return False
    return transport not in set(row.transports).difference(row.secondary_over)


def _family(handshake: str) -> str | None:
    row = PROTOCOLS.get(handshake)
    return row.family if row else None


# --- Steps, and the neutral traffic beside them -------------------------------------------------------------------

CARRIERS = {  # the steps of a transport, before a handshake's own
    TCP: (Step.TCP,),
    TLS: (Step.TCP, Step.TLS),
    WSS: (Step.TCP, Step.TLS, Step.WEBSOCKET),
    HTTPS: (Step.TCP, Step.TLS, Step.HTTP),
}
# Steps at which an app speaks a protocol of its own, once a connection stands.
PAYLOAD_STEPS = frozenset({Step.HTTP, Step.WEBSOCKET}) | {
    row.step
    for row in PROTOCOLS.values()
    if row.neutral_kind is NeutralKind.PAYLOAD and any(over is not UDP for over in row.transports)
}
KINDS = {Step.WEBSOCKET: NeutralKind.SESSION} | {row.step: row.neutral_kind for row in PROTOCOLS.values()}
# TLS stands for payloads over TCP: its answers are as large as any, and a path that loses large packets loses them too.
SESSIONS, DATAGRAMS = frozenset({"tls"}), frozenset({"stun", "turn"})
NEUTRALS = {
    NeutralKind.CONNECTION: frozenset({"tcp", "tls", "http"}),
    NeutralKind.SESSION: SESSIONS,
    NeutralKind.QUIC: frozenset({"quic"}),
}
NEUTRAL_PAGES = {UDP: frozenset({"quic"}), TCP: frozenset({"http"})}


def comparable_neutrals(step: Step, transport: Transport) -> frozenset[str]:
    """Neutral handshakes of which one must have passed for a failure at this step to count."""
    kind = KINDS.get(step, NeutralKind.NONE)
    if kind is NeutralKind.PAYLOAD:
        return DATAGRAMS if transport is UDP else SESSIONS
    if kind is NeutralKind.PAGE:
        return NEUTRAL_PAGES.get(transport, SESSIONS)
    return NEUTRALS.get(kind, frozenset())


def comparable_step(step: Step, transport: Transport) -> Step:
    """The step of a neutral packet with which a packet of this step is compared: it opens a connection, or comes after.

    A DNS query and a SYN are compared with their like; a datagram with neutral STUN, bytes in a connection with TLS.
    """
    if step in (Step.DNS, Step.TCP):
        return step
    return Step.STUN if transport is UDP else Step.TLS
