"""Measurements as probes write them, every kind of fact among them: what the door must let in, and what is mutated."""

from __future__ import annotations

from probe.model import (
    Access,
    Attempt,
    DnsFacts,
    DtlsFacts,
    Grade,
    HelloFacts,
    Hop,
    HopKind,
    HttpFacts,
    IcmpFacts,
    Link,
    Measurement,
    MtprotoFacts,
    Neutral,
    NoiseFacts,
    NotAttempted,
    Observation,
    Operation,
    QuicFacts,
    ReplyKind,
    Resolution,
    ResolverCheck,
    SipFacts,
    Step,
    StunFacts,
    Sweep,
    TlsFacts,
    Transport,
    Tunnel,
    Via,
    Void,
    XmppFacts,
)

STARTED_MS = 1_772_000_000_000
V4, V6, FORGED = "203.0.113.7", "2001:db8::7", "10.10.34.34"

LINK = Link(
    up=True,
    neutrals=(
        Neutral(target="baseline/tls", handshake="tls", transport=Transport.TCP, port=443, family=4, failure=None),
        Neutral(
            target="baseline/stun",
            handshake="stun",
            transport=Transport.UDP,
            port=3478,
            family=6,
            failure="generic_timeout_error",
            operation=Operation.READ,
            sends=7,
            flights=1,
        ),
    ),
    resolvers=(ResolverCheck(resolver="isp", truthful=True, index=1), ResolverCheck(resolver="private", truthful=None)),
    declared=Access.ADSL,
    detected=Access.WIFI,
    behind=Access.ADSL,
    tunnel=Tunnel.NOT_SEEN,
    lag_ms=12,
    trust_store_ms=1_770_000_000_000,
)


def _observation(step: Step, failure: str | None = None, **facts: object) -> Observation:
    return Observation(
        step=step,
        started_us=120_000,
        took_us=48_000,
        failure=failure,
        operation=None if failure is None else Operation.READ,
        bytes_sent=517,
        bytes_received=0 if failure else 2_100,
        packets_sent=3,
        packets_received=0 if failure else 4,
        **facts,  # type: ignore[arg-type]
    )


def _names() -> tuple[Resolution, ...]:
    right = DnsFacts(
        resolver="isp",
        resolver_prefix="198.51.100.0/24",
        rcode="NOERROR",
        answers=(V4, "203.0.113.8"),
        ttl=300,
        late=("NXDOMAIN",),
        sends=2,
        unmatched=1,
    )
    forged = DnsFacts(resolver="private", resolver_index=1, rcode="NOERROR", answers=(FORGED, "self"), ttl=0)
    odd = DnsFacts(resolver="quad9", transport=Transport.HTTPS, qtype="AAAA", rcode="3841", late=(V6, "::ffff:1.2.3.4"))
    silent = DnsFacts(resolver="isp", resolver_prefix="2001:db8:1::/48", qtype="AAAA", sends=5)
    return (
        Resolution(host="e1.whatsapp.net", observation=_observation(Step.DNS, dns=right)),
        Resolution(host="e1.whatsapp.net", observation=_observation(Step.DNS, dns=forged)),
        Resolution(
            host="e1.whatsapp.net",
            observation=_observation(Step.DNS, "dns_server_misbehaving", dns=odd, http=HttpFacts(status=502)),
        ),
        Resolution(host="e1.whatsapp.net", observation=_observation(Step.DNS, "generic_timeout_error", dns=silent)),
    )


def _attempt(handshake: str, transport: Transport, *seen: Observation, **more: object) -> Attempt:
    given: dict[str, object] = {"host": "e1.whatsapp.net", "port": 443, "address": V4, "via": Via.SYSTEM, **more}
    return Attempt(handshake=handshake, transport=transport, observations=seen, **given)  # type: ignore[arg-type]


def _attempts() -> tuple[Attempt, ...]:
    tcp = _observation(Step.TCP)
    tls = TlsFacts(
        hello_bytes=517,
        version="TLSv1.3",
        cipher="TLS_AES_256_GCM_SHA384",
        alpn="h2",
        leaf_sha256="a" * 64,
        issuer_sha256="b" * 64,
        alert="tlsv1 alert internal error",
        hello_acknowledged=True,
        contradicted=True,
    )
    http = HttpFacts(
        status=403,
        title="Site bloqué",
        location="http://portal.example",
        server="nginx",
        fingerprint="ma-block",
        date_ms=STARTED_MS,
        age_s=40,
        passed_on=True,
    )
    sip = SipFacts(status=401, realm="example", software="Kamailio", altered=("via", "other"))
    xmpp = XmppFacts(starttls="required", mechanisms=("PLAIN", "SCRAM-SHA-1"), error="host-unknown")
    icmp = IcmpFacts(type=3, code=13, from_target=False)
    relay = {"host": "relay.example", "port": 3478}
    return (
        _attempt("tls", Transport.TCP, tcp, _observation(Step.TLS, tls=tls), grade=Grade.BOUND),
        _attempt("tls", Transport.TCP, tcp, _observation(Step.TLS, "connection_reset", tls=TlsFacts(hello_bytes=517))),
        _attempt("https", Transport.TCP, tcp, _observation(Step.HTTP, "http_unexpected_status_code", http=http)),
        _attempt("tcp", Transport.TCP, _observation(Step.TCP, "unknown_failure: SSLError"), address=FORGED),
        _attempt(
            "turn",
            Transport.UDP,
            _observation(Step.TURN, stun=StunFacts(sends=2, error_code=401, realm="telegram.org", fingerprint=True)),
            grade=Grade.MARKED,
            **relay,
        ),
        _attempt("stun", Transport.UDP, _observation(Step.STUN, "generic_timeout_error", stun=StunFacts(sends=7))),
        _attempt(
            "quic", Transport.UDP, _observation(Step.QUIC, quic=QuicFacts(versions=("0x00000001",), close_code=2))
        ),
        _attempt("dtls", Transport.UDP, _observation(Step.DTLS, "host_unreachable", dtls=DtlsFacts(), icmp=icmp)),
        _attempt("sip", Transport.UDP, _observation(Step.SIP, sip=sip), address=V6),
        _attempt("xmpp", Transport.TCP, tcp, _observation(Step.XMPP, xmpp=xmpp), port=5222),
        _attempt("viber", Transport.UDP, _observation(Step.HELLO, hello=HelloFacts(unmatched=1)), via=Via.ALSO),
        _attempt("noise", Transport.TCP, tcp, _observation(Step.NOISE, noise=NoiseFacts(leaf_sha256="c" * 64))),
        _attempt("mtproto", Transport.TCP, tcp, _observation(Step.MTPROTO, mtproto=MtprotoFacts(refused=404))),
        Attempt(
            host=V6,
            port=443,
            transport=Transport.TCP,
            handshake="tls",
            address=V6,
            not_attempted=NotAttempted.NO_FAMILY,
        ),
    )


def _sweeps() -> tuple[Sweep, ...]:
    hops = (
        Hop(ttl=1, came=ReplyKind.EXCEEDED, kind=HopKind.PRIVATE),
        Hop(ttl=4, came=ReplyKind.EXCEEDED, kind=HopKind.PUBLIC, prefix="198.51.100.0/24"),
        Hop(ttl=5, came=ReplyKind.SILENCE),
    )
    common = {"step": Step.TLS, "host": "e1.whatsapp.net", "transport": Transport.TCP, "hops": hops}
    return (
        Sweep(port=443, family=4, address=V4, bytes_sent=9_000, packets_sent=30, **common),  # type: ignore[arg-type]
        Sweep(port=53, family=6, neutral=True, **common),  # type: ignore[arg-type]
    )


def measurements() -> list[Measurement]:
    """One with everything, its second round, one that could not be measured, and one behind a VPN."""
    whole = Measurement(
        uid="1" * 32,
        target="whatsapp/chat",
        cycle="c" * 32,
        round=1,
        started_ms=STARTED_MS,
        clock_offset_ms=-1_400,
        link=LINK,
        resolutions=_names(),
        attempts=_attempts(),
        sweeps=_sweeps(),
    )
    return [
        whole,
        _as(whole, uid="2" * 32, round=2, started_ms=STARTED_MS + 70_000, clock_offset_ms=None),
        _as(whole, uid="3" * 32, target="viber/call", not_attempted=NotAttempted.BUDGET, attempts=(), sweeps=()),
        _as(whole, uid="4" * 32, target="signal/call", link=Link(up=False, void=Void.VPN), resolutions=()),
    ]


def _as(measurement: Measurement, **changes: object) -> Measurement:
    fields = {name: getattr(measurement, name) for name in measurement.__struct_fields__}
    return Measurement(**(fields | changes))  # type: ignore[arg-type]
