"""Verdicts in plain words, for the terminal and the page. Never more than the evidence: nothing here says "works"."""

from __future__ import annotations

from probe.model import Depth, State, Step, Verdict

STATE_WORDS = {
    State.OK: "no interference seen",
    State.DEGRADED: "degraded",
    State.BLOCKED: "blocked",
    State.LIKELY_BLOCKED: "likely blocked",
    State.IMPAIRED: "not working, cause unclear",
    State.DOWN: "service down everywhere",
    State.INSUFFICIENT: "cannot be concluded",
    State.MIXED: "mixed: lines differ",
    State.UNKNOWN: "a state that this version does not know",
}

STEP_WORDS = {
    Step.DNS: "looking up the name",
    Step.TCP: "opening the connection",
    Step.TLS: "setting up encryption",
    Step.HTTP: "asking the web server",
    Step.QUIC: "setting up encryption over UDP (QUIC)",
    Step.DTLS: "setting up call encryption (DTLS)",
    Step.WEBSOCKET: "opening the message channel (WebSocket)",
    Step.STUN: "asking the call server (STUN)",
    Step.TURN: "asking the call relay (TURN)",
    Step.NOISE: "agreeing on a key with the service (Noise)",
    Step.MTPROTO: "agreeing on a key with the service (MTProto)",
    Step.XMPP: "asking the message server (XMPP)",
    Step.SIP: "asking the call server (SIP)",
    Step.HELLO: "greeting the service in its own protocol",
    Step.UNKNOWN: "a step that this version does not know",
}

DEPTH_WORDS = {
    Depth.RELAY_ANSWERS: "the call relay answers",
    Depth.SETUP_PASSES: "call setup passes",
    Depth.MEDIA_SUSTAINED: "call media passes for its whole duration",
    Depth.UNKNOWN: "a depth that this version does not know",
}

MECHANISM_WORDS = {
    "dns.nxdomain": "the resolver says that the service's name does not exist",
    "dns.servfail": "the resolver answers with an error for the service's name",
    "dns.forged": "the resolver gives a false address for the service's name",
    "dns.injected": "a forged answer to the name lookup arrives besides the real one",
    "dns.silent": "the lookup of the service's name gets no answer",
    "ip.drop": "packets to the service's address get no answer",
    "ip.reset": "connections to the service's address are reset",
    "ip.reject": "connections to the service's address are rejected",
    "tls.sni.drop": "TLS goes unanswered after the service's name was sent",
    "tls.sni.reset": "TLS connection reset after the service's name was sent",
    "tls.reply.drop": "the service's TLS reply does not arrive",
    "tls.mitm": "a certificate that is not the service's was presented",
    "tcp.payload.drop": "the connection opens, and what the app says on it gets no answer",
    "tcp.payload.reset": "the connection opens, and is broken off once the app speaks its own protocol",
    "http.blockpage": "a known block page was served instead of the service",
    "http.reset": "connection reset after the web request was sent",
    "quic.drop": "QUIC packets get no answer",
    "quic.sni.drop": "QUIC goes unanswered after the service's name was sent",
    "udp.all.drop": "no UDP packet gets through, whatever it carries",
    "udp.port.drop": "UDP packets on this port get no answer",
    "udp.endpoint.drop": "UDP packets to the service's address get no answer",
    "udp.unknown.drop": "UDP packets get no answer; by what they are dropped is not known",
    "stun.cookie.drop": "packets that carry STUN's mark get no answer",
    "stun.attribute.drop": "STUN packets that carry the app's attribute get no answer",
    "stun.reply.drop": "the STUN request passes and its reply does not arrive",
    "turn.allocate.drop": "requests to the call relay (TURN Allocate) get no answer",
    "rtp.drop": "packets shaped like call media (RTP) are dropped",
    "dtls.drop": "packets that set up call encryption (DTLS) are dropped",
    "sip.drop": "call signalling (SIP) packets are dropped",
    "sip.rewrite": "call signalling (SIP) is altered on the way",
    "flow.cutoff.packets": "the call flow is cut off after a number of packets",
    "flow.cutoff.time": "the call flow is cut off after a time",
    "flow.throttle": "the call flow is slowed down, its twin is not",
    "flow.loss": "the call flow loses packets, its twin does not",
    "flow.oneway": "the call flow passes in one direction only",
    "allowlist.protocol": "only some protocols pass",
    "allowlist.destination": "only some destinations can be reached",
    "residual": "for a while after a blocked attempt, other attempts are blocked too",
    "forced_fallback": "UDP is interfered with; a slower fallback passes",
    "partial": "some of the service's addresses are interfered with, others answer",
    "service.refusal": "the service itself refuses",
    "local.resolver": "this line's own resolver is at fault",
    "local.firewall": "stopped at or before the first public hop",
    "local.tls": "TLS is altered for neutral names too",
    "local.nat": "this line's own address translation is at fault",
    "local.portal": "a sign-in page (captive portal) stands in between",
}

SERVICES = {
    "apple-push": "Apple",
    "baseline": "comparison",
    "facetime": "FaceTime",
    "google-meet": "Google Meet",
    "google-push": "Google",
    "imessage": "iMessage",
    "imo": "imo",
    "ringcentral": "RingCentral",
    "wechat": "WeChat",
    "whatsapp": "WhatsApp",
    "whatsapp-registration": "WhatsApp registration",
}
ROLES = {"chat": "messages", "call": "calls", "web": "website", "push": "notifications"}

MOST_PARTS = 6  # of a mechanism's name that are looked at: twice as many as any of this version has
RELAY_ONLY = "relay reached, call not exercised"


def state_words(verdict: Verdict) -> str:
    """The state of a verdict in words; a call whose relay answers and no more is said to be just that."""
    return words_of(verdict.state, verdict.depth)


def words_of(state: State, depth: Depth | None) -> str:
    words = STATE_WORDS[state]
    if state is State.INSUFFICIENT and depth is Depth.RELAY_ANSWERS:
        return f"{words}: {RELAY_ONLY}"
    return words


def mechanism_words(mechanism: str | None) -> str:
    """A mechanism in words; "" for None. One that a later version refined reads as its known prefix."""
    parts = (mechanism or "").split(".", MOST_PARTS)[:MOST_PARTS]
    for most in range(len(parts), 0, -1):
        known = ".".join(parts[:most])
        if known in MECHANISM_WORDS:
            return MECHANISM_WORDS[known]
    return f"in a way that this version does not know ({mechanism})" if mechanism else ""


def service_words(service: str) -> str:
    return SERVICES.get(service, service[:1].upper() + service[1:])


def role_words(role: str) -> str:
    return ROLES.get(role, role)
