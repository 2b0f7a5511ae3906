"""The shared vocabulary: frozen values that probe and collector exchange. No behaviour.

Wall times are integer milliseconds of Unix UTC (`_ms`); offsets and durations are integer microseconds of a
monotonic clock (`_us`). Words travel as strings; a reader that meets a word it does not know reads `unknown`,
and ignores fields it does not know. Fields are added, never renamed or given another meaning.

Private by type: no field can hold the volunteer's own address. Addresses here are those of services.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Self

from msgspec import Struct

HOUR_MS = 3_600_000


class Vocabulary(StrEnum):
    """A closed list of words, each with a member UNKNOWN that stands for the words of a later version."""

    @classmethod
    def _missing_(cls, value: object) -> Self:
        return cls("unknown")


class Plane(Vocabulary):
    SIGNALLING = "signalling"
    MEDIA = "media"
    WEB = "web"
    UNKNOWN = "unknown"


class Transport(Vocabulary):
    """The carrier of the handshake's own messages."""

    UDP = "udp"
    TCP = "tcp"
    TLS = "tls"  # over TCP
    WSS = "wss"  # WebSocket messages over TLS
    HTTPS = "https"  # the bodies of HTTP over TLS
    UNKNOWN = "unknown"


class Combine(Vocabulary):
    """How the endpoints of a target make the target: a redundant pool, or each one needed."""

    ANY_OF = "any_of"
    ALL_OF = "all_of"
    UNKNOWN = "unknown"


class Step(Vocabulary):
    """The layer at which something was observed, in stack order."""

    DNS = "dns"
    TCP = "tcp"
    TLS = "tls"
    QUIC = "quic"
    DTLS = "dtls"
    HTTP = "http"
    WEBSOCKET = "websocket"
    STUN = "stun"
    TURN = "turn"
    NOISE = "noise"
    MTPROTO = "mtproto"
    XMPP = "xmpp"
    SIP = "sip"
    HELLO = "hello"  # a service's own first message, and the answer to it
    UNKNOWN = "unknown"


class Operation(Vocabulary):
    CONNECT = "connect"
    WRITE = "write"
    READ = "read"
    DECODE = "decode"
    VERIFY = "verify"
    UNKNOWN = "unknown"


class Grade(Vocabulary):
    """The proof that a positive answer is, weakest first.

    transport: something answered. bound: the answer echoes our own random bytes or names the service in a public
    certificate. marked: it also carries the service's mark. crypto: it verifies against a key pinned for the service.
    """

    TRANSPORT = "transport"
    BOUND = "bound"
    MARKED = "marked"
    CRYPTO = "crypto"
    UNKNOWN = "unknown"


class Depth(Vocabulary):
    """The depth to which evidence reaches into a call, shallowest first."""

    RELAY_ANSWERS = "relay_answers"
    SETUP_PASSES = "setup_passes"
    MEDIA_SUSTAINED = "media_sustained"
    UNKNOWN = "unknown"


class State(Vocabulary):
    OK = "ok"
    DEGRADED = "degraded"
    BLOCKED = "blocked"
    LIKELY_BLOCKED = "likely_blocked"
    IMPAIRED = "impaired"
    DOWN = "down"
    INSUFFICIENT = "insufficient"
    MIXED = "mixed"  # of a cell only
    UNKNOWN = "unknown"


class Access(Vocabulary):
    G2 = "2g"
    G3 = "3g"
    G4 = "4g"
    G5 = "5g"
    WIFI = "wifi"
    ADSL = "adsl"
    VDSL = "vdsl"
    FIBRE = "fibre"
    CABLE = "cable"
    SATELLITE = "satellite"
    ETHERNET = "ethernet"
    UNKNOWN = "unknown"


CELLULAR = frozenset({Access.G2, Access.G3, Access.G4, Access.G5})


class NotAttempted(Vocabulary):
    """The reason for which something was not tried; what was not tried has not failed."""

    NO_LINK = "no_link"
    NO_FAMILY = "no_family"  # the link carries no IPv6 (or no IPv4)
    NOT_MEASURABLE = "not_measurable"
    COOLDOWN = "cooldown"
    BUDGET = "budget"
    INTERNAL = "internal"  # a fault of ours: a mistake, or a device that is out of sockets or memory
    UNKNOWN = "unknown"


class Void(Vocabulary):
    """The reason for which a cycle concludes nothing."""

    PORTAL = "portal"
    VPN = "vpn"
    PROXY = "proxy"  # somebody speaks for everybody, at addresses that are nobody's
    STARVED = "starved"  # the process did not get its turn in time
    CLOCK = "clock"  # the clock was set meanwhile, or the device slept
    CHANGED = "changed"
    UNKNOWN = "unknown"


class Tunnel(Vocabulary):
    """Whether a VPN carries the line's traffic, as far as the device tells."""

    SEEN = "seen"
    NOT_SEEN = "not_seen"
    UNKNOWN = "unknown"  # it cannot be known on this platform


class Via(Vocabulary):
    """The source of the address that was dialled."""

    LITERAL = "literal"
    SYSTEM = "system"
    INDEPENDENT = "independent"
    ALSO = "also"  # another probe, at which it failed
    UNKNOWN = "unknown"


class ReplyKind(Vocabulary):
    """The first reply to a packet with a small TTL."""

    EXCEEDED = "exceeded"  # somebody on the way said that its TTL had run out
    ANSWER = "answer"
    RESET = "reset"  # RST, or the connection's end
    REJECTED = "rejected"  # another ICMP error
    SILENCE = "silence"
    UNKNOWN = "unknown"


class HopKind(Vocabulary):
    """The kind of address from which an ICMP error came."""

    PRIVATE = "private"
    SHARED = "shared"  # between a carrier and its customers (RFC 6598)
    OWN = "own"  # the line's: its public address, or its own /64
    NEAR = "near"  # public, in the line's own /24 or /48
    PUBLIC = "public"
    UNKNOWN = "unknown"


# --- Targets: what to dial ------------------------------------------------------------------------------------


class Expect(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The genuine service's answer, by which the handshake grades one."""

    realm: str | None = None  # TURN, SIP: the realm of the 401
    status: int | None = None  # HTTP: the status code
    body: str | None = None  # HTTP: the body begins with this
    path: str | None = None  # HTTP: what to ask for; None means /
    name: str | None = None  # DNS: the name to ask for
    alpn: str | None = None  # TLS: the application protocol to ask for
    keys: tuple[str, ...] = ()  # hex: the service's own public keys, or their fingerprints; one of them is to be proved


class Endpoint(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An endpoint: what to dial today. `address` is filled by the plan, after name resolution."""

    host: str
    port: int
    transport: Transport
    handshake: str
    expect: Expect = Expect()
    server_name: str | None = None  # SNI and certificate name; None means host
    ca: str | None = None  # a key of the targets file's `authorities`
    uncalibrated: bool = False  # the answer is inferred: judged only while controls get it
    source: str = ""
    date: str = ""
    address: str | None = None


class Outage(Struct, frozen=True, kw_only=True):
    """A service's own sign that it is out of order: its status name then has this address in DNS."""

    name: str
    address: str


class Target(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A target, which people would recognise, as service/role; the id is a permanent name, never an address."""

    id: str
    plane: Plane
    combine: Combine = Combine.ANY_OF
    endpoints: tuple[Endpoint, ...] = ()
    legacy: bool = False  # a marker of a standing ban of a retired service; says nothing of a dead service
    not_measurable: str | None = None  # why there is no handshake for it yet
    outage: Outage | None = None  # believed of controls' resolvers only: a censor could forge it here
    on_request: bool = False  # dialled only where its service is asked for: a volunteer's data plan pays

    @property
    def service(self) -> str:
        return self.id.partition("/")[0]

    @property
    def role(self) -> str:
        return self.id.partition("/")[2]


class Resolver(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A public resolver known by name; `independent` ones are asked beside the link's own.

    Those that are named in `tls` or `https`, as their certificate names them, are asked so too where that is in doubt.
    """

    name: str
    addresses: tuple[str, ...]
    independent: bool = False
    tls: str | None = None  # RFC 7858
    https: str | None = None  # RFC 8484, at /dns-query


class Fingerprint(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A block page known by a piece of its title, body or redirect."""

    name: str
    country: str
    pattern: str
    source: str
    date: str


class Targets(Struct, frozen=True, kw_only=True):
    """One targets file. `digest` is the hex SHA-256 of `body`, its bytes as read."""

    targets: tuple[Target, ...]
    resolvers: tuple[Resolver, ...] = ()
    fingerprints: tuple[Fingerprint, ...] = ()
    authorities: dict[str, str] = {}  # name of a service's own CA → PEM
    digest: str = ""
    body: bytes = b""


# --- Observations: what was seen ------------------------------------------------------------------------------


class DnsFacts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    resolver: str  # `private`, `isp` (public, not known by name), `system` (whoever it asks) or the name of a known one
    resolver_index: int = 0  # tells apart the link's own resolvers of one name, in the order in which they are asked
    resolver_prefix: str | None = None  # of an `isp` resolver: /24 or /48, by which the collector names its network
    transport: Transport = Transport.UDP
    qtype: str = "A"
    rcode: str | None = None  # NOERROR, NXDOMAIN, …
    answers: tuple[str, ...] = ()  # service addresses; `self` stands for one of the volunteer's own
    ttl: int | None = None
    late: tuple[str, ...] = ()  # addresses (or an rcode) of a later, different reply to the same query
    sends: int = 1
    unmatched: int = 0  # datagrams that answered nothing we asked


class TlsFacts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    hello_bytes: int = 0
    version: str | None = None
    cipher: str | None = None
    alpn: str | None = None
    leaf_sha256: str | None = None  # of the certificate
    issuer_sha256: str | None = None  # of the issuer's name, as encoded in the leaf
    alert: str | None = None  # the peer's alert, if it sent one
    hello_acknowledged: bool | None = None  # by the other end's TCP, when nothing came back; None: not known
    contradicted: bool = False  # the chain names an authority whose key has not signed it


class StunFacts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The facts of a STUN or TURN reply. The mapped address is compared with our own and dropped."""

    sends: int = 1
    unmatched: int = 0
    error_code: int | None = None
    realm: str | None = None
    software: str | None = None
    fingerprint: bool | None = None  # the CRC verifies; None when there is none
    mapped_is_local: bool | None = None  # no NAT in between
    port_preserved: bool | None = None
    origin_is_target: bool | None = None  # RESPONSE-ORIGIN equals the address that we sent to


class HttpFacts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    status: int | None = None
    title: str | None = None
    location: str | None = None  # scheme and host only
    server: str | None = None
    fingerprint: str | None = None  # name of the block page that it is
    date_ms: int | None = None  # the server's Date, to the second
    age_s: int | None = None  # how long a cache had kept the page
    passed_on: bool = False  # a proxy or cache says by Via that it stands in between


class SipFacts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The facts of a SIP answer: no header's value but these, for Via and Contact carry addresses."""

    sends: int = 1
    unmatched: int = 0
    status: int | None = None
    realm: str | None = None
    software: str | None = None  # the answer's Server or User-Agent
    altered: tuple[str, ...] | None = None  # what of our request reached our own server otherwise; None: not compared


class HelloFacts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The facts of a service's own first message over UDP."""

    sends: int = 1
    unmatched: int = 0


class NoiseFacts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The certificates that a server showed inside Noise, good or not."""

    leaf_sha256: str | None = None
    issuer_sha256: str | None = None  # of the certificate that signed the leaf


class MtprotoFacts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    known_key: bool | None = None  # one of the server's fingerprints is of a key that the targets file knows
    refused: int | None = None  # the code with which the server's transport refused


class QuicFacts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The datagrams of a QUIC handshake: what was sent, and what kinds of packet came in answer."""

    sends: int = 1  # datagrams, those that were sent again among them
    unmatched: int = 0  # datagrams that do not repeat our connection id
    initial: bool = False
    retry: bool = False
    versions: tuple[str, ...] = ()  # of a Version Negotiation
    close_code: int | None = None  # 0x100 and an alert of TLS, or an error of QUIC's own


class XmppFacts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    starttls: str | None = None  # `offered`, `required`; None: neither, as over TLS or when somebody took it out
    mechanisms: tuple[str, ...] = ()  # of SASL
    error: str | None = None  # the condition of a stream error


class DtlsFacts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The datagrams of a DTLS handshake: what was sent, and which of the server's first messages came."""

    sends: int = 1  # datagrams, those that were sent again among them
    unmatched: int = 0  # datagrams that are no DTLS
    hello_verify: bool = False  # the server asked whether we are where we say we are
    server_hello: bool = False


class IcmpFacts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    type: int
    code: int
    from_target: bool


class Observation(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A fact about one step, never what it means. `failure` None means that the step completed."""

    step: Step
    started_us: int  # since the measurement's start
    took_us: int
    failure: str | None  # an OONI df-007 string; no default, so that it is always on the wire
    operation: Operation | None = None  # where it failed
    bytes_sent: int = 0
    bytes_received: int = 0
    packets_sent: int = 0
    packets_received: int = 0
    dns: DnsFacts | None = None
    tls: TlsFacts | None = None
    stun: StunFacts | None = None
    http: HttpFacts | None = None
    sip: SipFacts | None = None
    xmpp: XmppFacts | None = None
    hello: HelloFacts | None = None
    quic: QuicFacts | None = None
    dtls: DtlsFacts | None = None
    icmp: IcmpFacts | None = None
    noise: NoiseFacts | None = None
    mtproto: MtprotoFacts | None = None


class Hop(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The reply to a packet that could go so far. Of an ICMP error's sender the address is not kept."""

    ttl: int
    came: ReplyKind
    kind: HopKind | None = None  # None: no ICMP error, or its sender is not known
    prefix: str | None = None  # of a public one that is not near: /24 or /48, by which the collector names its network


class Sweep(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One packet, sent with TTL after TTL to see how far it gets: one that had failed, or a neutral one beside it.

    `step` says which packet: tcp a SYN; any other over TCP the first words of that step, in a connection that had
    opened; over UDP a datagram. `family` is that of the address to which it was sent.
    """

    step: Step
    host: str
    port: int
    transport: Transport
    family: int
    neutral: bool = False
    address: str | None = None  # None: a resolver's
    hops: tuple[Hop, ...] = ()  # by TTL
    bytes_sent: int = 0
    packets_sent: int = 0


class Resolution(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One question about one host to one resolver."""

    host: str
    observation: Observation


class Attempt(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One handshake with one address of one endpoint. `grade` is None unless it completed."""

    host: str
    port: int
    transport: Transport
    handshake: str
    address: str | None = None
    via: Via = Via.LITERAL
    grade: Grade | None = None
    not_attempted: NotAttempted | None = None
    observations: tuple[Observation, ...] = ()


class AlsoDial(Struct, frozen=True, kw_only=True):
    """An address at which an endpoint failed a probe: for others to dial, who may be reached by it."""

    target: str
    host: str
    port: int
    transport: Transport
    handshake: str
    address: str


class Neutral(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The end of one neutral attempt (of a `baseline/*` target) in this cycle."""

    target: str
    handshake: str
    transport: Transport
    port: int
    family: int  # 4 or 6
    failure: str | None
    operation: Operation | None = None
    sends: int = 1  # how often its request was said until it was answered; over TCP 2 if the SYN was sent again
    flights: int = 0  # how many times the other end had to speak, and did, one after the other


class ResolverCheck(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The check of a resolver of the link's own: it tells the truth about neutral names (None: cannot be said)."""

    resolver: str
    truthful: bool | None
    index: int = 0  # as DnsFacts.resolver_index


class Link(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The volunteer's own link, as this cycle's self-check found it."""

    up: bool
    neutrals: tuple[Neutral, ...] = ()
    resolvers: tuple[ResolverCheck, ...] = ()
    void: Void | None = None
    declared: Access = Access.UNKNOWN  # said by the volunteer
    detected: Access = Access.UNKNOWN  # seen on the device
    behind: Access = Access.UNKNOWN  # said by the volunteer: what the WiFi or Ethernet hangs on
    tunnel: Tunnel = Tunnel.UNKNOWN
    lag_ms: int = 0  # the worst lateness of the probe's own event loop in this cycle
    trust_store_ms: int | None = None  # the date of the roots by which certificates were verified; None: not known


class Measurement(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One target, one line, one time: the unit of submission and of evidence."""

    uid: str  # 16 random bytes, hex
    target: str
    cycle: str  # 16 random bytes, hex: the cycle it belongs to
    round: int  # 1, or 2 for what was silent in the first
    started_ms: int
    clock_offset_ms: int | None  # true time − this device's; None when not measured
    link: Link
    not_attempted: NotAttempted | None = None
    resolutions: tuple[Resolution, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    sweeps: tuple[Sweep, ...] = ()  # where on the path it dies: made once a cycle, after the second round
    simulated: bool = False


class Network(Struct, frozen=True, kw_only=True):
    """The network of a line, as the collector derived it; the default is the unknown network."""

    country: str = "ZZ"  # ISO 3166 alpha-2
    asn: int = 0
    operator: str = "unknown"


class Ticket(Struct, frozen=True, kw_only=True):
    """A collector's word that it saw this key come from this network. Where it is not said else, hex."""

    by: str  # the collector's public key
    key: str  # the probe's public key
    network: Network
    bucket: str  # of the source under the secret of the ticket's day, 16 bytes
    bucket_before: str  # the same under that of the day before
    minute: int  # since 1970, UTC, by the collector's clock
    nonce: str  # of the probe that asked, 16 bytes
    family: int  # 4 or 6, in which it asked
    signature: str


class Context(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What measurements of a batch share: the link, and by what they belong to a network.

    `ticket` was had for their own cycle. Without one, `before` and `after` are the last before it and the first after.
    """

    link: Link
    ticket: Ticket | None = None
    before: Ticket | None = None
    after: Ticket | None = None


class Succession(Struct, frozen=True, kw_only=True):
    """A volunteer's word that `new` is its key in this network from that quarter on. Keys and signatures are hex."""

    old: str
    new: str
    asn: int
    quarter: int  # since 1970, of `new`
    by_old: str
    by_new: str


class BatchHeader(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The first line of a sealed batch. What has a default is said from format 2 on."""

    format: int
    key: str  # Ed25519 public key, hex
    batch: str  # 16 random bytes, hex
    sealed_ms: int
    software: str
    targets: str  # digest of the targets file that was measured
    contexts: int = 0  # lines that follow, before the measurements
    salt: str = ""  # 16 random bytes, hex: of the digests of all fields of the batch
    sequence: int | None = None  # of this key's batches, from 1 on; a number that never comes was lost
    lost_batches: int = 0  # that this probe ever dropped unsent for want of room
    lost_measurements: int = 0  # that this probe ever made and could not seal
    trust_store_ms: int | None = None  # the date of the roots by which certificates were verified; None: not known
    succession: Succession | None = None  # of this key to the one before, or of the next to this one


# --- Judging ----------------------------------------------------------------------------------------------------


class ControlMeasurement(Struct, frozen=True, kw_only=True):
    """A measurement by a control. `key` and `network` tell controls apart."""

    key: str
    network: Network
    measurement: Measurement
    started_ms: int | None = None  # corrected, as a collector placed it; None: by the control's own clock


class AttemptVerdict(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The conclusion about one attempt, or of one host's name resolution."""

    host: str
    port: int | None
    transport: Transport
    family: int | None  # 4 or 6; None for a name
    state: State
    rule: str
    mechanism: str | None = None
    grade: Grade | None = None
    step: Step | None = None  # where it failed
    handshake: str = ""  # empty for a name
    address: str | None = None  # the service's
    # Lines of other operators in the country that reached this address in the same hour, of an accusation; 2: or more.
    neighbours: int = 0


class Verdict(Struct, frozen=True, kw_only=True):
    """The conclusion about one measurement, with the rule and the reason."""

    target: str
    state: State
    mechanism: str | None
    depth: Depth | None
    grade: Grade | None
    step: Step | None  # where it failed
    rule: str
    rules_version: int
    reason: str
    uid: str
    round: int
    subject: str = "service endpoint"
    paths: tuple[AttemptVerdict, ...] = ()


class Cell(Struct, frozen=True, kw_only=True):
    """A cell: the latest verdict of each line of one (target, network, access) in a window.

    `state` and what belongs to it is of all lines; strangers are told `public_state`, of established lines.
    """

    target: str
    network: Network
    access: Access
    since_ms: int
    until_ms: int
    state: State
    mechanism: str | None
    lines: int  # all lines that were measured
    counted: int  # n: those whose verdict is not `insufficient`, and those that `answered`; of a source at most 2
    states: dict[str, int]  # state → lines
    answered: int = 0  # lines of which nothing is concluded, but whom a relay answers that is dropped for others
    public_state: State = State.INSUFFICIENT
    public_mechanism: str | None = None
    depth: Depth | None = None  # of a call of which nothing is concluded but that relays answer
    public_depth: Depth | None = None
    established: int = 0  # lines whose key was established
    buckets: int = 0  # source buckets that these came from
    sources_floor: int = 3  # from how many of these it must be that strangers are told of it


Json = Any  # a decoded JSON or YAML value, at the edges only
